"""What a few hundred sentences, or a share of a corpus, give: `ner`, `ner-small`, and both from the bundled tagger.

    python benchmarks/small_data.py ROOT ner/en ner/es --sentences 300 --dev 800 --seeds 1,2,3 --output small300
    python benchmarks/small_data.py ROOT ner/en --share 0.1 --seeds 1,2,3 --output tenth

ROOT/ner/en holds `train` and `dev` in CoNLL's columns, of any ending. The first sentences of each, in the files' order
and without `-DOCSTART-`, are written to `data` of the output's folder. All rows have 24 passes, and the last weights
count: beside so little data there would be no dev set to choose a checkpoint on. Rows are runs of `tagsmith train`, as
those of `reproduce.py` are: interrupt it, or give it `--minutes`, and start it again. The table is `table.md` and
`table.json`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from reproduce import run_table
from tables import Cell

import tagsmith
from tagsmith.training.machine.whole_files import write_whole

_LAST = ("training.num_train_epochs=24", "training.load_best_model_at_end=false")
_BUNDLED = f"start_from={tagsmith.DEFAULT_TAGGER}"
_CHARACTERS = (_BUNDLED, "start_with=characters")
ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ner, 24 passes": ("ner", ()),
    "ner-small: mention replacement 0.3": ("ner-small", ()),
    "ner, the bundled tagger's characters": ("ner", _CHARACTERS),
    "ner-small, the bundled tagger's characters": ("ner-small", _CHARACTERS),
    "ner-small, all of the bundled tagger": ("ner-small", (_BUNDLED,)),
}


def cells(folders: list[str]) -> list[Cell]:
    """The rows of each folder of data."""
    return [
        Cell(name, folder, {"": folder}, recipe, (*_LAST, *settings))
        for folder in folders
        for name, (recipe, settings) in ROWS.items()
    ]


def sentences_in(file: Path) -> list[str]:
    """The sentences of a column file, as blocks of lines, without those that only mark a document's beginning."""
    blocks = (block.strip("\n") for block in file.read_text(encoding="utf-8").split("\n\n"))
    return [block for block in blocks if block.strip() and not block.startswith("-DOCSTART-")]


def make_small(folder: Path, target: Path, sentences: int | None, share: float | None, dev: int | None) -> None:
    """Write the first sentences of `train` and of `dev` as files of the same names.

    Args:
        folder: of the data.
        target: the folder of the new files.
        sentences: how many of `train`, or
        share: what part of them, rounded up.
        dev: how many of `dev`; all where it is None.

    Raises:
        typer.BadParameter: there is no such file, or it has fewer sentences.
    """
    target.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev"):
        file = next(iter(sorted(folder.glob(f"{split}.*"))), None)
        if file is None:
            raise typer.BadParameter(f"there is no {folder}/{split}.*")
        found = sentences_in(file)
        count = dev if split == "dev" else sentences if share is None else math.ceil(share * len(found))
        if count is not None and count > len(found):
            raise typer.BadParameter(f"{file} has {len(found)} sentences, and {count} are wanted")
        write_whole(target / file.name, "".join(f"{block}\n\n" for block in found[:count]))


def main(
    root: Annotated[Path, typer.Argument(help="Root of the data.", exists=True, file_okay=False, resolve_path=True)],
    folders: Annotated[list[str], typer.Argument(help="Folders below it, such as ner/en.")],
    output: Annotated[Path, typer.Option(help="Folder of the table, its data and its runs.")],
    sentences: Annotated[int | None, typer.Option(min=1, help="Of the training data, the first so many.")] = None,
    share: Annotated[float | None, typer.Option(min=0, max=1, help="Or the first such part of them.")] = None,
    dev: Annotated[int | None, typer.Option(min=1, help="Of the dev data; all without it.")] = None,
    seeds: Annotated[str, typer.Option(help="Of the runs.")] = "1",
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so long; start again to continue.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only rows with this in folder and name.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A change to all recipes, as of tagsmith.")] = None,
) -> None:
    """Make the small files, and run the table or continue with it."""
    if (sentences is None) == (not share):
        raise typer.BadParameter("give either --sentences or a --share above 0")
    for folder in folders:
        make_small(root / folder, output / "data" / folder, sentences, share, dev)
    rows = [cell for cell in cells(folders) if any(text in f"{cell.column} {cell.name}" for text in only or [""])]
    size = f"{sentences} sentences" if sentences else f"{share:g} of the training data"
    data = (output / "data").resolve()
    run_table(f"the first {size}", rows, seeds, data, output, set_ or [], minutes)


if __name__ == "__main__":
    typer.run(main)

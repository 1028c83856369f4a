"""Hold out the last part of a column file for development, as Yang et al. (2016) do with a fifth of CoNLL-2000.

    python benchmarks/hold_out.py chunking/train.conll held/ --share 0.2

writes held/train.conll and held/dev.conll, sentence by sentence, nothing shuffled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def hold_out(file: Path, folder: Path, share: float) -> dict[str, Path]:
    """Write the first and the last sentences of a column file to `train` and `dev` of a folder."""
    sentences = [block for block in file.read_text(encoding="utf-8").split("\n\n") if block.strip()]
    cut = int(len(sentences) * (1 - share))
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, part in (("train", sentences[:cut]), ("dev", sentences[cut:])):
        paths[name] = folder / f"{name}{file.suffix}"
        paths[name].write_text("".join(block.strip("\n") + "\n\n" for block in part), encoding="utf-8")
    return paths


def main(
    file: Annotated[Path, typer.Argument(help="A column file.", exists=True, dir_okay=False)],
    folder: Annotated[Path, typer.Argument(help="Where train and dev go.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="The last part of the sentences, for dev.")] = 0.2,
) -> None:
    """Split a column file into its first and its last sentences."""
    for path in hold_out(file, folder, share).values():
        typer.echo(path)


if __name__ == "__main__":
    typer.run(main)

"""Make treebanks ready for one tagger of parts of speech: those whose licence lets a tagger of them be published.

    python benchmarks/prepare_pos.py DATA FOLDER

DATA holds `pos/LANGUAGE/train.tsv` and `dev.tsv`, words and universal tags of Universal Dependencies. FOLDER gets the
same of the languages below. Danish has the tag CONJ of the first version where the others have CCONJ: it gets that.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tagsmith.training.machine.whole_files import write_whole

# All CC BY-SA 4.0, as their README files say. Not taken: those for non-commercial use (Bulgarian, Greek, Italian,
# Swedish LinES), those under other terms (Spanish AnCora, French Sequoia), and German HDT, whose text is licensed
# for academic use.
TREEBANKS = {
    "cs": "Czech-CLTT",
    "da": "Danish-DDT",
    "en": "English-EWT",
    "fa": "Persian-Seraji",
    "fi": "Finnish-TDT",
    "id": "Indonesian-GSD",
}


def with_new_tags(text: str) -> str:
    """The lines of a file, with the tag CONJ of Universal Dependencies' first version as CCONJ."""
    return re.sub(r"\tCONJ$", "\tCCONJ", text, flags=re.MULTILINE)


def main(
    data: Annotated[Path, typer.Argument(help="The treebanks.")],
    folder: Annotated[Path, typer.Argument(help="Where a folder for each language is made.")],
) -> None:
    """Write train.tsv and dev.tsv of each language."""
    for language in TREEBANKS:
        for name in ("train.tsv", "dev.tsv"):
            text = (data / "pos" / language / name).read_text(encoding="utf-8")
            (folder / language).mkdir(parents=True, exist_ok=True)
            write_whole(folder / language / name, with_new_tags(text))


if __name__ == "__main__":
    typer.run(main)

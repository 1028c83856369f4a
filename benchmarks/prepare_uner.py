"""Make Universal NER's files ready for one tagger of people, places and organisations in eight languages.

    python benchmarks/prepare_uner.py UNER FOLDER

UNER holds Universal NER's sets as folders (`English-EWT/train.iob2`, ...); FOLDER gets one for each language
(`en/train.iob2`, ...). The label OTH, which Croatian and Serbian have and the other sets do not, is written as O, as
in the bundled sample; all else stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

LANGUAGES = {
    "da": "Danish-DDT",
    "en": "English-EWT",
    "hr": "Croatian-SET",
    "pt": "Portuguese-Bosque",
    "sk": "Slovak-SNK",
    "sr": "Serbian-SET",
    "sv": "Swedish-Talbanken",
    "zh": "Chinese-GSDSIMP",
}
OTHER = re.compile(r"^(\d[^\t]*\t[^\t]*)\t[BI]-OTH(?=\t|$)", flags=re.MULTILINE)  # the tag is the third column


def main(
    uner: Annotated[Path, typer.Argument(help="Universal NER's sets, a folder each.")],
    folder: Annotated[Path, typer.Argument(help="Where a folder for each language is made.")],
) -> None:
    """Write train, dev and test of each language."""
    for language, name in LANGUAGES.items():
        (folder / language).mkdir(parents=True, exist_ok=True)
        for source in sorted((uner / name).glob("*.iob2")):
            text, count = OTHER.subn(r"\1\tO", source.read_bytes().decode("utf-8"))
            (folder / language / source.name).write_bytes(text.encode("utf-8"))
            typer.echo(f"{language} {source.stem}: {count:,} tags of OTH written as O")


if __name__ == "__main__":
    typer.run(main)

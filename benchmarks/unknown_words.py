"""How many words a tagger does not know, by language: `tagsmith tag` warns of a new language where they are many.

    python benchmarks/unknown_words.py TAGGER FOLDER [DATA]

FOLDER is what `prepare_open.py` made: languages that the tagger was trained on, and some that it was not, in `tried/`.
DATA holds `pos/LANGUAGE/dev.*`, of which the languages that are not in FOLDER are looked at too. Shares are over
stretches of 200 words without capitals, as `tagsmith tag` looks at them: the least, the median, and the largest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from prepare_open import sentences

import tagsmith
from tagsmith.training.tagging.familiarity import WINDOW, judged_words


def texts(path: Path) -> Iterator[str]:
    """The sentences of a file, as texts or as words joined by spaces."""
    for sentence in sentences(path):
        yield sentence.text or " ".join(sentence.words)


def shares(lines: Iterable[str], known: set[str]) -> list[float]:
    """The share of unknown words in each stretch."""
    found: list[float] = []
    words: list[str] = []
    for line in lines:
        words += judged_words(line)
        while len(words) >= WINDOW:
            found.append(sum(word not in known for word in words[:WINDOW]) / WINDOW)
            words = words[WINDOW:]
    return found


def main(
    tagger: Annotated[str, typer.Argument(help="A tagger's folder.")],
    folder: Annotated[Path, typer.Argument(help="What prepare_open.py made.")],
    data: Annotated[Path | None, typer.Argument(help="The corpora.")] = None,
) -> None:
    """Write a table."""
    known = set().union(*tagsmith.pipeline(tagger).tokenizer.vocabularies.values())
    files = {path.parent.name: path for path in sorted(folder.glob("*/dev.iob2"))}
    others = {path.parent.name: path for path in sorted(folder.glob("tried/*/dev.iob2"))}
    if data is not None:
        others |= {
            path.parent.name: path for path in sorted(data.glob("pos/*/dev.*")) if path.parent.name not in files
        }
    typer.echo("| language | trained on | least | median | largest |\n|---|---|---|---|---|")
    for trained, named in (("yes", files), ("no", others)):
        for code, path in named.items():
            if found := shares(texts(path), known):
                typer.echo(f"| {code} | {trained} | {min(found):.2f} | {median(found):.2f} | {max(found):.2f} |")


if __name__ == "__main__":
    typer.run(main)

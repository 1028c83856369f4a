"""Score a tagger on raw text, language by language, by character offsets; also written without capitals and the like.

    python benchmarks/bundled.py MODEL FOLDER [--ways lower,upper,plain,closed] [--output scores.json]

FOLDER is what `prepare_open.py` made. A span counts if its start, end and label are those of the annotation, in the
text as it stands: the annotation's own words are not given to the tagger. Beside F1 of each language stands its mean,
and F1 over the spans of all; then the same of the text written otherwise, and words a second on one thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from prepare_open import CHANGES, Sentence, changed, sentences

import tagsmith
from tagsmith.training.machine.whole_files import write_whole

Found = set[tuple[int, int, str]]
Find = Callable[[list[Sentence]], Iterable[Found]]


def annotated(sentence: Sentence) -> Found:
    """The spans of a sentence by the offsets of its words in its text."""
    assert sentence.text is not None
    spans: list[tuple[int, int, str]] = []
    place, before = 0, "O"
    for word, tag in zip(sentence.words, sentence.tags, strict=True):
        start = sentence.text.index(word, place)
        place = start + len(word)
        if tag != "O" and (tag.startswith("B-") or tag[2:] != before[2:]):
            spans.append((start, place, tag[2:]))  # some corpora have spans that open with I-
        elif tag != "O":
            spans[-1] = (spans[-1][0], place, tag[2:])
        before = tag
    return set(spans)


def reader(pipeline: tagsmith.SpanTaggingPipeline) -> Find:
    """A tagger as a function from sentences, of which it sees the text alone, to the spans of each."""

    def find(corpus: list[Sentence]) -> Iterator[Found]:
        for spans in pipeline((str(sentence.text) for sentence in corpus), batch_size=64):
            yield {(span["start"], span["end"], span["entity_group"]) for span in spans}

    return find


def f1(right: int, guessed: int, gold: int) -> float:
    """F1 in percent."""
    return 200 * right / max(guessed + gold, 1)


def scores(
    find: Find,
    corpora: dict[str, list[Sentence]],
    change: Callable[[str], str] | None = None,
) -> dict[str, float]:
    """F1 of each language, their mean, and F1 of all spans."""
    by_language: dict[str, float] = {}
    total = [0, 0, 0]
    for language, corpus in corpora.items():
        written = [changed(sentence, change) for sentence in corpus] if change else corpus
        counts = [0, 0, 0]
        for sentence, spans in zip(written, find(written), strict=True):
            gold = annotated(sentence)
            counts = [a + b for a, b in zip(counts, (len(gold & spans), len(spans), len(gold)), strict=True)]
        by_language[language] = f1(*counts)
        total = [a + b for a, b in zip(total, counts, strict=True)]
    mean = sum(by_language.values()) / len(by_language)
    return {**by_language, "mean": mean, "all": f1(*total)}


def dev_data(folder: Path, languages: str = "") -> dict[str, list[Sentence]]:
    """The dev sentences of languages, given as codes with commas; of all where none is given."""
    names = languages.split(",") if languages else sorted(path.parent.name for path in folder.glob("*/dev.iob2"))
    return {name: list(sentences(folder / name / "dev.iob2")) for name in names}


def main(
    model: Annotated[str, typer.Argument(help="A tagger's folder, or its name on the Hub.")],
    folder: Annotated[Path, typer.Argument(help="What prepare_open.py made.")],
    ways: Annotated[
        str, typer.Option(help="Other ways of writing: lower, upper, plain, closed.")
    ] = "lower,upper,plain,closed",
    languages: Annotated[str, typer.Option(help="Codes, with commas; by default all in the folder.")] = "",
    output: Annotated[Path | None, typer.Option(help="A JSON file for the scores.")] = None,
) -> None:
    """Write F1 of each language as a table."""
    torch.set_num_threads(1)
    pipeline = tagsmith.pipeline(model)
    corpora = dev_data(folder, languages)
    start = time.perf_counter()
    table = {"as it is": scores(reader(pipeline), corpora)}
    seconds = time.perf_counter() - start
    words = sum(len(sentence.words) for corpus in corpora.values() for sentence in corpus)
    table |= {way: scores(reader(pipeline), corpora, CHANGES[way]) for way in ways.split(",") if way}
    typer.echo(f"| | {' | '.join(table)} |\n|---|{'---|' * len(table)}")
    for name in [*corpora, "mean", "all"]:
        typer.echo(f"| {name} | {' | '.join(f'{column[name]:.1f}' for column in table.values())} |")
    typer.echo(f"\n{words / seconds:,.0f} words a second, scoring included")
    if output is not None:
        write_whole(output, json.dumps({"words_per_second": words / seconds, "f1": table}, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)

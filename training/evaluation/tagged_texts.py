"""The texts of a corpus with the spans that should be there and those that a tagger of either family finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.batches.passages import at_their_rows, offsets
from tagsmith.training.evaluation.scoring import scored_rows, tagged_documents
from tagsmith.training.families import reads_bytes


@dataclass
class TaggedText:
    """A row of a corpus after tagging; of a tagger of bytes it was tagged as a part of its document.

    Attributes:
        number: of the row in its corpus, from 0.
        document: of the row.
        text: of the row; with plain tags its words with spaces between.
        gold: spans in characters of the text.
        found: spans, with their scores.
    """

    number: int
    document: int
    text: str
    gold: list[Span]
    found: list[tuple[Span, float]] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        """Those that were found."""
        return [span for span, _ in self.found]


def tagged_texts(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    batch_size: int | None = None,
    by_line: bool = False,
    head: str | None = None,
) -> Iterator[TaggedText]:
    """Tag a corpus as `score_tagger` does, and give its rows in their order, a few thousand held at a time.

    A span that crosses the end of a row belongs to the row where it begins, and ends beyond its text.

    Args:
        pipeline: of a tagger of either family.
        rows: corpus rows (see `load_corpus`), which are gone over once; twice by a tagger of bytes.
        batch_size: as `score_tagger` has it.
        by_line: as `score_tagger` has it.
        head: as `score_tagger` has it.
    """
    if reads_bytes(pipeline):
        yield from _of_documents(pipeline, rows, batch_size or 128, by_line)
        return
    plain = pipeline.model.config.head(head).tag_scheme == "plain"
    size = batch_size or 64
    numbered = ({**row, "number": number} for number, row in enumerate(rows))
    waiting: dict[int, TaggedText] = {}
    at = 0
    for row, found in scored_rows(pipeline, numbered, size, head, plain, by_line):
        waiting[row["number"]] = _plain(row, found) if plain else _row(row, found)
        while at in waiting:  # raw and split rows come apart
            yield waiting.pop(at)
            at += 1


def _row(row: Mapping[str, Any], found: list[tuple[Span, float]]) -> TaggedText:
    gold = [Span(span["start"], span["end"], span["label"]) for span in row["spans"]]
    return TaggedText(row["number"], row["document"], row["text"], gold, found)


def _plain(row: Mapping[str, Any], found: list[tuple[Span, float]]) -> TaggedText:
    starts = list(accumulate((len(word) + 1 for word in row["tokens"]), initial=0))

    def placed(span: Span) -> Span:
        return Span(starts[span.start], starts[span.end] - 1, span.label)

    gold = [placed(span) for span in tags_to_spans(row["tags"], "plain")]
    text = " ".join(row["tokens"])
    return TaggedText(row["number"], row["document"], text, gold, [(placed(span), score) for span, score in found])


def _of_documents(
    pipeline: Any, rows: Iterable[Mapping[str, Any]], batch_size: int, by_line: bool
) -> Iterator[TaggedText]:
    numbers = iter(range(2**62))
    numbered = ({**row, "number": number} for number, row in enumerate(rows))
    groups = groupby(numbered, key=lambda row: next(numbers) if by_line else row["document"])
    for (_, group), (document, found) in zip(
        groups, tagged_documents(pipeline, rows, batch_size, by_line), strict=True
    ):
        own = list(group)
        borders = offsets(own)
        gold = at_their_rows(((span, 1.0) for span in document.spans), borders)
        for row, wanted, scored in zip(own, gold, at_their_rows(found, borders), strict=True):
            yield TaggedText(row["number"], row["document"], row["text"], [span for span, _ in wanted], scored)

"""A text with its spans, put together from the sentences that readers make of it: what writers take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from tagsmith.training.data.reading_report import Sentence


class AnnotatedText(NamedTuple):
    """One text as its file had it: a row, a document, or a sentence of columns.

    `raw`, `tokens`, `starts`, `ends`, `tags` and `spans` are those of `Sentence`; spans may cross line ends.
    """

    document: int
    text: str
    raw: bool
    tokens: list[str]
    tags: list[str]
    spans: list[tuple[int, int, str]]
    scores: list[float | None]

    def score(self, number: int) -> float | None:
        """The score of a span by its number, where it has one."""
        return self.scores[number] if self.scores else None


def whole_texts(sentences: Iterable[Sentence]) -> Iterator[AnnotatedText]:
    """The texts of which sentences are the lines."""
    for _, lines in groupby(sentences, key=lambda sentence: (sentence.document, sentence.line)):
        text, pieces = "", []
        tokens: list[str] = []
        tags: list[str] = []
        spans: list[tuple[int, int, str]] = []
        scores: list[float | None] = []
        for sentence in lines:
            at = len(text)
            pieces.append(sentence)
            text += sentence.text + sentence.after
            tokens += sentence.tokens
            tags += sentence.tags
            spans += [(start + at, end + at, label) for start, end, label in sentence.spans]
            scores += sentence.scores
        last = pieces[-1]
        text = text[: len(text) - len(last.after)]
        yield AnnotatedText(last.document, text, last.raw, tokens, tags, spans, scores)

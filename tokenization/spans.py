"""The span types: offsets into a text as given, end exclusive, and a label; with a score, and with the words."""

from __future__ import annotations

from typing import Any, NamedTuple


class Span(NamedTuple):
    """A labelled stretch `[start, end)` of a sequence: of characters, unless a function says words."""

    start: int
    end: int
    label: str


class ScoredSpan(NamedTuple):
    """A predicted span, of bytes, with its score."""

    start: int
    end: int
    label: Any
    score: float


class TextSpan(NamedTuple):
    """A span of a text: `text[start:end] == word`, in characters."""

    start: int
    end: int
    label: Any
    score: float
    word: str

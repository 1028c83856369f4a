"""The one span type: character offsets into a text as given, end exclusive, and a label."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A labelled stretch `[start, end)` of a sequence: of characters, unless a function says words."""

    start: int
    end: int
    label: str

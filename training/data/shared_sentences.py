"""Sentences that training data and other data share: scores on what was learnt by heart say little.

Short sentences repeat in any corpus; judged are those of five words or more. White space does not count, so that a raw
text is found again among words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

_WORDS, _CHARACTERS = 5, 25  # of a sentence that does not occur twice by chance, and of one without spaces
_MOST = 0.03  # share of them that real corpora have in common
_SHORT = 0.1  # share of short ones, where a file has no others


class Overlap(NamedTuple):
    """How many distinct sentences of a file are in the training data, of how many, and where the first one stands."""

    shared: int
    of: int
    place: int

    def __str__(self) -> str:
        """As a message says it."""
        return f"{self.shared / self.of:.1%} of its distinct sentences ({self.shared:,} of {self.of:,})"


@dataclass
class Sentences:
    """The distinct sentences of a file: their hashes, each with the place where it occurs first."""

    telling: dict[int, int] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Sentences:
        """Those of texts, by their numbers from 0."""
        sentences = cls()
        for number, text in enumerate(texts):
            sentences.add(text, number)
        return sentences

    def add(self, text: str, place: int) -> bool:
        """Keep a sentence, and say whether it occurred before."""
        words = text.split()
        if not words:
            return False
        key = hash("".join(words))
        telling = len(words) >= _WORDS or len(text) >= _CHARACTERS
        kept = self.telling if telling else self.short
        if key in kept:
            return True
        kept[key] = place
        return False

    def share_in(self, training: Sentences) -> float:
        """The share of all these sentences that are in training data, 0 to 1."""
        shared = len(self.telling.keys() & training.telling.keys()) + len(self.short.keys() & training.short.keys())
        return shared / max(len(self.telling) + len(self.short), 1)

    def overlap(self, training: Sentences) -> Overlap | None:
        """What these sentences share with training data, where it is more than chance."""
        mine, theirs, most = self.telling, training.telling, _MOST
        if not mine:
            mine, theirs, most = self.short, training.short, _SHORT
        shared = mine.keys() & theirs.keys()
        if len(shared) <= most * len(mine):
            return None
        return Overlap(len(shared), len(mine), min(mine[key] for key in shared))

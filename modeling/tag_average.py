"""Tags of bytes, and what overlapping windows say of them, averaged; without tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

SCHEME = "BIOES"
_SHORTEST, _LONGEST = 256, 512  # a stretch of a text that is tagged at a time, in bytes


def byte_tags(labels: Sequence[str]) -> list[str]:
    """The tags of bytes: O, and for each label how a span of it begins, continues and ends, or is a single byte."""
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in SCHEME if prefix != "O")]


class ByteSpan(NamedTuple):
    """A span of a text's bytes, with the index of its label."""

    start: int
    end: int
    label: int
    score: float


class TagAverage:
    """What the windows of a text say of each byte, averaged: log probabilities, the nearer to the middle the more.

    Bytes leave in stretches, as soon as no later window can hold them: each ends where O is most probable between its
    256th and its 512th byte, so that it hardly ever cuts a span. Where stretches end depends on nothing but the text.
    """

    def __init__(self) -> None:
        self._first = self._final = 0  # the offset of what is held, and up to where it is final
        self._sums = np.empty((0, 0), dtype=np.float32)
        self._weights = np.empty(0, dtype=np.float32)

    def add(self, start: int, log_chances: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Take what the next window says, float32 `(bytes, tags)`; give the stretches that are whole before it."""
        self._final = start
        yield from self._whole()
        length, tags = log_chances.shape
        place = start - self._first
        lacking = place + length - len(self._weights)
        if lacking > 0:
            self._sums = np.concatenate([self._sums.reshape(-1, tags), np.zeros((lacking, tags), dtype=np.float32)])
            self._weights = np.concatenate([self._weights, np.zeros(lacking, dtype=np.float32)])
        steps = np.arange(length, dtype=np.float32)
        weights = np.minimum(steps, steps[::-1]) + 1
        self._sums[place : place + length] += weights[:, None] * log_chances
        self._weights[place : place + length] += weights

    def finish(self) -> Iterator[tuple[int, np.ndarray]]:
        """The stretches left, after the last window."""
        self._final = self._first + len(self._weights)
        yield from self._whole()
        if len(self._weights):
            yield self._cut(len(self._weights))

    def _whole(self) -> Iterator[tuple[int, np.ndarray]]:
        while self._final - self._first >= _LONGEST:
            outside = self._sums[_SHORTEST - 1 : _LONGEST, 0] / self._weights[_SHORTEST - 1 : _LONGEST]
            yield self._cut(_SHORTEST + int(outside.argmax()))

    def _cut(self, size: int) -> tuple[int, np.ndarray]:
        first, stretch = self._first, self._sums[:size] / self._weights[:size, None]
        self._first, self._sums, self._weights = first + size, self._sums[size:], self._weights[size:]
        return first, stretch

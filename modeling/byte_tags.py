"""Tags of bytes, what overlapping windows say of them, and the spans that the best ones write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .crf import ConditionalRandomField
from .tag_spans import spans_of_tags

SCHEME = "BIOES"
_SHORTEST, _LONGEST = 256, 512  # a stretch of a text that is tagged at a time, in bytes


def byte_tags(labels: Sequence[str]) -> list[str]:
    """The tags of bytes: O, and for each label how a span of it begins, goes on and ends, or is a single byte."""
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


class ByteTagDecoder:
    """The best legal tags of stretches, as spans.

    Args:
        labels: of spans, in the order of their ids.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.tags = tuple(byte_tags(labels))
        self._chain = ConditionalRandomField(len(self.tags), list(self.tags), SCHEME)
        for parameter in self._chain.parameters():  # nothing is learnt of neighbours; it knows what is legal
            nn.init.zeros_(parameter)
        self._ids = [labels.index(label) for label in self._chain.span_labels]

    @torch.no_grad()
    def decode(self, stretches: Sequence[np.ndarray], recall_bias: float = 0.0) -> list[list[ByteSpan]]:
        """The spans of each stretch.

        Args:
            stretches: float32 `(bytes, tags)` each, log probabilities, which need not add up to 1.
            recall_bias: taken from that of O.

        Returns:
            For each its spans in their order, in bytes of the stretch. A score is the probability of a span's least
            probable tag.
        """
        found: list[list[ByteSpan]] = [[] for _ in stretches]
        if not stretches:
            return found
        scores = nn.utils.rnn.pad_sequence([torch.from_numpy(stretch) for stretch in stretches], batch_first=True)
        lengths = torch.tensor([len(stretch) for stretch in stretches])
        mask = torch.arange(scores.shape[1]) < lengths[:, None]
        scores = scores.log_softmax(-1)
        biased = scores.clone()
        biased[..., 0] -= recall_bias
        tags = self._best(biased, mask)
        spans = spans_of_tags(tags, self.tags, SCHEME)
        if not len(spans):
            return found
        chances = scores.gather(2, tags.clamp(min=0)[..., None])[..., 0].exp()
        flat = torch.cat([chances.flatten(), chances.new_ones(1)]).numpy()  # so that an end can lie behind the last
        edges = (spans[:, 1:3] + scores.shape[1] * spans[:, :1]).flatten().numpy()
        least = np.minimum.reduceat(flat, edges)[::2]
        for (row, start, end, label), score in zip(spans.tolist(), least.tolist(), strict=True):
            found[row].append(ByteSpan(start, end, self._ids[label], score))
        return found

    def _best(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The best legal tags `(stretches, bytes)`, -100 at padding: each byte's best where these are legal."""
        tags = scores.argmax(-1).masked_fill(~mask, 0)  # O, which any stretch may end before
        chain = self._chain
        legal = chain.legal_transitions[tags[:, :-1], tags[:, 1:]].all(1)
        legal &= chain.legal_start[tags[:, 0]] & chain.legal_end[tags[:, -1]]
        if not legal.all():
            tags[~legal] = chain.decode(scores[~legal], mask[~legal])
        return tags.masked_fill(~mask, -100)

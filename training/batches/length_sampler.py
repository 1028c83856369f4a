"""The order of training sentences: batches of similar length, in an order of its own each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

_POOL = 20  # batches that are sorted by length together


class LengthGroupedSampler(Sampler[int]):
    """Random batches of sentences of similar length, a function of seed and epoch alone.

    A resumed run continues as it would have.

    Sentences are shuffled, sorted by length within pools of 20 batches, cut into batches, and the batches are
    shuffled.

    Args:
        lengths: words of each sentence.
        batch_size: sentences that go through the model together.
        seed: of the order.
        numbered: count sentences on from pass to pass, as `NumberedRows` wants them.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, numbered: bool = False) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = np.asarray(lengths), batch_size, seed, 0
        self.numbered = numbered

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate's data loader calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        pool = np.arange(len(order)) // (self.batch_size * _POOL)
        order = order[np.lexsort((self.lengths[order], pool))]
        full = len(order) // self.batch_size * self.batch_size
        order = order + self.epoch * len(order) * self.numbered
        batches = order[:full].reshape(-1, self.batch_size)
        # A last, smaller batch stays last: in the middle it would shift the bounds of those behind it.
        yield from random.permutation(batches).ravel().tolist()
        yield from order[full:].tolist()

"""The order of joint training: heads in turn, a batch of one head's sentences each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from torch.utils.data import Sampler

from tagsmith.training.batches.length_sampler import LengthGroupedSampler


class HeadBatchSampler(Sampler[list[int]]):
    """Batches of one head each, the heads in turn (Yang et al. 2016, section 4).

    In each turn a head has one batch, or as many as are chosen. An epoch has as many turns as it takes to pass over
    the head that lasts longest, or over another that is chosen. Heads start over, in another order, when they run out;
    a batch then holds the last sentences of one pass and the first of the next, so that all batches are full. A larger
    head than the chosen one continues in the next epoch where it stopped. Within a pass sentences of similar length
    come together, or all in random order. The order is a function of seed and epoch alone, so that a resumed run
    continues as it would have. Several processes divide each batch among them: they are at the same head in each step,
    and together train as one process does with the whole batch.

    Args:
        lengths: words of each sentence of each head; sentences are numbered through all heads.
        batch_size: sentences of a batch, of all processes together.
        seed: of the order.
        num_processes: by how many a batch is divided.
        process_index: which part this sampler gives.
        epoch_head: the number of the head that an epoch passes over once; by default the one that lasts longest.
        head_batches: of each head in a turn; one by default.
        group_by_length: whether sentences of similar length come together.
        numbered: count sentences on from pass to pass, as `NumberedRows` wants them.

    Raises:
        ValueError: a head without sentences or without batches, or a batch that cannot be divided so.
    """

    def __init__(
        self,
        lengths: Sequence[Sequence[int]],
        batch_size: int,
        seed: int,
        num_processes: int = 1,
        process_index: int = 0,
        epoch_head: int | None = None,
        head_batches: Sequence[int] | None = None,
        group_by_length: bool = True,
        numbered: bool = False,
    ) -> None:
        if not all(lengths):
            raise ValueError("Each head needs sentences to be trained on.")
        if batch_size % num_processes:
            raise ValueError(f"A batch of {batch_size} sentences cannot be divided among {num_processes} processes.")
        self.head_batches = [1] * len(lengths) if head_batches is None else list(head_batches)
        if len(self.head_batches) != len(lengths) or min(self.head_batches) < 1:
            raise ValueError(f"Each of {len(lengths)} heads needs at least one batch a turn, not {self.head_batches}.")
        grouped = batch_size if group_by_length else 1  # a sentence by itself, among all others in random order
        self.orders = [LengthGroupedSampler(own, grouped, seed) for own in lengths]
        self.sizes = list(map(len, lengths))
        self.firsts = [sum(self.sizes[:number]) for number in range(len(lengths))]
        self.batch_size, self.epoch, self.numbered = batch_size, 0, numbered
        self.part = slice(process_index, None, num_processes)
        turns = [-(-size // (own * batch_size)) for size, own in zip(self.sizes, self.head_batches, strict=True)]
        self.turns = max(turns) if epoch_head is None else turns[epoch_head]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate's data loader calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches of an epoch, over all heads."""
        return self.turns * sum(self.head_batches)

    def __iter__(self) -> Iterator[list[int]]:
        drawn = [self.epoch * self.turns * own * self.batch_size for own in self.head_batches]  # in earlier epochs
        streams = [self._stream(head, start) for head, start in enumerate(drawn)]
        for _ in range(self.turns):
            for stream, own in zip(streams, self.head_batches, strict=True):
                for _ in range(own):
                    yield list(islice(stream, self.batch_size))[self.part]

    def _stream(self, head: int, start: int) -> Iterator[int]:
        """A head's sentences, pass after pass, from the place `start` on."""
        number, skipped = divmod(start, self.sizes[head])
        order, all_heads = self.orders[head], sum(self.sizes)
        while True:
            order.set_epoch(number)
            first = self.firsts[head] + number * all_heads * self.numbered
            for index in islice(list(order), skipped, None):
                yield first + index
            number, skipped = number + 1, 0

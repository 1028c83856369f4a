"""Training data that are read while training wants them: streams mixed or in turn, each begun again where it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, TypeVar

import datasets
from torch.utils.data import IterableDataset

_Item = TypeVar("_Item")
_BUFFER = 10_000  # sentences of a stream that are shuffled together


class EndlessStream(IterableDataset[Any]):
    """Items without an end, the same each time one iterates.

    A resumed run skips what it has had, and continues as it would have.

    Args:
        begin: gives the items from the first on.
    """

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self.begin = begin

    def __iter__(self) -> Iterator[Any]:
        return self.begin()


def passes(rows: datasets.IterableDataset, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of a stream, pass after pass, each in another order as far as a buffer of 10,000 goes.

    Args:
        rows: at least one, else this never gives any.
        seed: of the order.
    """
    shuffled = rows.shuffle(seed=seed, buffer_size=_BUFFER)
    for number in count():
        shuffled.set_epoch(number)
        yield from shuffled


def mixed(streams: Sequence[Iterator[_Item]], shares: Sequence[float]) -> Iterator[_Item]:
    """Endless streams as one, each item from the one that is furthest behind its share.

    With the sizes of what the streams repeat as shares, all of them end a pass together.

    Args:
        streams: one or more.
        shares: of each, above 0; they need not sum to 1.
    """
    drawn = [0] * len(streams)
    while True:
        chosen = min(range(len(streams)), key=lambda index: (drawn[index] + 0.5) / shares[index])
        drawn[chosen] += 1
        yield next(streams[chosen])


def in_turns(streams: Mapping[str, Iterator[dict[str, Any]]], items: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Endless streams in turn, so many items of each, with its name as `head` in them."""
    while True:
        for name, stream in streams.items():
            for row in islice(stream, items[name]):
                yield {**row, "head": name}

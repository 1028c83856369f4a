"""Training sentences that come otherwise in each pass, by the number of their item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset


class NumberedRows(torch.utils.data.Dataset[dict[str, Any]]):
    """Encoded sentences, each with something drawn for it whenever it comes.

    What is drawn is a function of seed, pass and sentence: sentence n in pass p is the item `p * len(self) + n`, so
    that a resumed run, and several processes, have what one run has.

    Args:
        rows: encoded sentences (see `encode_corpus`), or such as come otherwise already.
        rate: the probability that a sentence, or a part of it, does.
        seed: of what is drawn.
        name: of the option, in messages.

    Attributes:
        rows: the sentences as they stand.

    Raises:
        ValueError: a rate that is no probability; sentences that are not all known beforehand.
    """

    rows: Any

    def __init__(self, rows: Any, rate: float, seed: int, name: str) -> None:
        if not 0 < rate <= 1:
            raise ValueError(f"{name} is {rate}, and must lie between 0 and 1")
        self._within = rows if isinstance(rows, NumberedRows) else None
        self.rows = rows if self._within is None else self._within.rows
        if not isinstance(self.rows, Dataset):
            kind = type(self.rows).__name__
            raise ValueError(f"{name} draws from all training data, a Dataset, and this is a {kind}")
        self.rate, self.seed = rate, seed
        self._apart = [] if self._within is None else [1]  # one around another draws its own

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> dict[str, Any]:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int]) -> list[dict[str, Any]]:
        """Several items at once, as a `DataLoader` wants those of a batch."""
        if self._within is not None:
            rows = self._within.__getitems__(items)
        else:
            columns = self.rows[[item % len(self) for item in items]]
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [
            self._drawn(row, item % len(self), np.random.default_rng([self.seed, item, *self._apart]))
            for row, item in zip(rows, items, strict=True)
        ]

    def _drawn(self, row: dict[str, Any], place: int, chance: np.random.Generator) -> dict[str, Any]:
        """A row, which is not changed, as it comes this time; `place` is its own among all."""
        raise NotImplementedError

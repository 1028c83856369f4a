"""Ragged sequences without padding: the rows of all, step by step, the longest sequence first.

So step `t` is a block of rows next to each other, of those sequences that still run, and nothing is computed for
padding; the same as `Packing` of the models, for numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Packed(NamedTuple):
    """Where the rows of sequences lie once packed.

    Attributes:
        gather: `(rows,)`, each row's place in the sequences one after another.
        mirror: `(rows,)`, the row of the same sequence counted from its other end.
        last: `(sequences,)`, the row of each one's last step, in their given order; -1 for an empty one.
        order: `(sequences,)`, from the longest to the shortest.
        step: `(rows,)`, the time step of each.
        place: `(rows,)`, the sequence of each, counted in that order.
        sizes: how many sequences are still running, for each time step.
    """

    gather: np.ndarray
    mirror: np.ndarray
    last: np.ndarray
    order: np.ndarray
    step: np.ndarray
    place: np.ndarray
    sizes: list[int]

    @classmethod
    def of(cls, lengths: np.ndarray) -> Packed:
        """Pack sequences of these lengths, int64 `(sequences,)`."""
        if len(lengths) == 1:  # as it is
            steps = np.arange(lengths[0])
            zeros, last = np.zeros_like(steps), lengths - 1
            return cls(steps, steps[::-1], last, np.zeros(1, dtype=np.int64), steps, zeros, [1] * int(lengths[0]))
        order = np.argsort(-lengths, kind="stable")
        by_length = lengths[order]
        running = np.arange(by_length[0] if len(order) else 0)[:, None] < by_length
        sizes = running.sum(1)
        first = np.cumsum(sizes) - sizes
        step, place = np.nonzero(running)
        mirror = first[by_length[place] - 1 - step] + place
        gather = (np.cumsum(lengths) - lengths)[order[place]] + step
        last = np.full(len(lengths), -1)
        filled = by_length > 0
        last[order[filled]] = first[by_length[filled] - 1] + np.flatnonzero(filled)
        return cls(gather, mirror, last, order, step, place, sizes.tolist())

    def ways(self, rows: np.ndarray) -> np.ndarray:
        """Packed rows `(rows, ...)` as they are, and from each sequence's end to its beginning: `(2, rows, ...)`."""
        return np.stack([rows, rows[self.mirror]])

    def side_by_side(self, ways: np.ndarray) -> np.ndarray:
        """`(directions, rows, size)`, each in its own order, to `(rows, directions * size)` in that of the steps."""
        return ways[0] if len(ways) == 1 else np.concatenate([ways[0], ways[1][self.mirror]], axis=1)

    def ends(self, ways: np.ndarray) -> np.ndarray:
        """What each direction has at the end of its way, `(sequences, directions * size)`; 0 for an empty one."""
        found = np.concatenate([way[self.last] for way in ways], axis=1)
        found[self.last < 0] = 0
        return found

    def look_up(self, table: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Rows of a table of each direction `(directions, ..., width)` by numbers `(rows,)`, each in its own order."""
        if len(table) == 1:
            return table[:, numbers]
        return np.stack([table[0].take(numbers, 0), table[1].take(numbers[self.mirror], 0)])

    def grid(self, rows: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
        """Packed rows as `(steps, sequences, ...)` in the order of `order`, 0 where a sequence has ended."""
        if len(self.order) == 1:
            return rows[:, None].astype(dtype)
        grid = np.zeros((len(self.sizes), len(self.order), *rows.shape[1:]), dtype)
        grid[self.step, self.place] = rows
        return grid

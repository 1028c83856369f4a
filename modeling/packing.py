"""Right-padded batches without their padding.

A batch is *packed*: one row for each valid step, time-major, the longest sequence first, so that step `t` is a
contiguous block of the sequences still running. The backward direction reads each sequence mirrored within its own
length, which leaves it packed in the same way.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Packing(NamedTuple):
    """Where each valid step of a right-padded `(batch, time)` mask lies once packed.

    Attributes:
        gather: `(steps,)`, positions in the flattened `(batch * time)` grid.
        mirror: `(steps,)`, the row of the same sequence counted from its other end.
        last: `(batch,)`, the row of each sequence's last step; -1 for an empty sequence.
        order: `(batch,)`, the sequences from the longest to the shortest.
        sizes: how many sequences are still running, for each time step.
        shape: `(batch, time)` of the padded grid.
    """

    gather: Tensor
    mirror: Tensor
    last: Tensor
    order: Tensor
    sizes: list[int]
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: Tensor) -> Packing:
        """Pack a bool mask `(batch, time)` of right-padded sequences; the one point where sizes reach the host.

        Raises:
            ValueError: a row has padding before a word.
        """
        batch, time = mask.shape
        if batch == 1 and time and mask.all():
            steps = torch.arange(time, device=mask.device)
            return cls(steps, steps.flip(0), steps[-1:], steps[:1], [1] * time, (1, time))
        lengths = mask.sum(1)
        lengths_sorted, order = lengths.sort(descending=True, stable=True)
        steps = torch.arange(time, device=mask.device)
        running = steps[:, None] < lengths_sorted  # (time, batch), longest first
        sizes = running.sum(1)
        offsets = sizes.cumsum(0) - sizes
        step, place = running.nonzero(as_tuple=True)
        mirror = offsets[lengths_sorted[place] - 1 - step] + place
        rank = torch.empty_like(order).scatter_(0, order, torch.arange(batch, device=mask.device))
        # At the top, by rank, lie the first steps; mirroring leads from them to the last.
        top = nn.functional.pad(mirror, (0, 1))[rank.clamp(max=len(mirror))]
        last = torch.where(lengths > 0, top, -1)
        gather = order[place] * time + step
        holes = (mask[:, 1:] & ~mask[:, :-1]).any(1).sum(0, keepdim=True)
        *host_sizes, rows_with_holes = torch.cat([sizes, holes]).tolist()
        if rows_with_holes:
            raise ValueError(
                f"{rows_with_holes} rows of the mask have padding before a word. Move all padding to the right end."
            )
        return cls(gather, mirror, last, order, [n for n in host_sizes if n], (batch, time))

    def pack(self, padded: Tensor) -> Tensor:
        """`(batch, time, ...)` to `(steps, ...)`."""
        return padded.flatten(0, 1)[self.gather]

    def unpack(self, packed: Tensor) -> Tensor:
        """`(steps, ...)` to `(batch, time, ...)`, zeros at padding."""
        batch, time = self.shape
        if batch == 1 and len(packed) == time:
            return packed.unsqueeze(0)
        padded = packed.new_zeros(batch * time, *packed.shape[1:])
        return padded.index_copy(0, self.gather, packed).unflatten(0, (batch, time))

    def ways(self, packed: Tensor, directions: int) -> Tensor:
        """`(steps, ...)` to `(directions, steps, ...)`: as they are, and from each sequence's end to its beginning."""
        return packed[None] if directions == 1 else torch.stack([packed, packed[self.mirror]])

    def side_by_side(self, ways: Tensor) -> Tensor:
        """`(directions, steps, size)`, each in its own order, to `(steps, directions * size)` in that of the words."""
        return ways[0] if len(ways) == 1 else torch.cat([ways[0], ways[1][self.mirror]], dim=-1)

    def look_up(self, table: Tensor, rows: Tensor) -> Tensor:
        """Rows `(steps,)` of what was made of each for every direction: `(directions, steps, ...)`.

        Args:
            table: `(directions, rows, ...)`.
            rows: their numbers.
        """
        directions, size = table.shape[:2]
        first = size * torch.arange(directions, device=rows.device)
        numbers = self.ways(rows, directions) + first[:, None]
        return nn.functional.embedding(numbers, table.flatten(0, 1))

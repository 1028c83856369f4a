"""An LSTM over the patches of bytes: it reads some twenty words where the layers below have read 120 bytes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .byte_patches import patch_starts
from .dropout import Dropout
from .packing import Packing
from .recurrent import RecurrentStack


def patches_of(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The patches of windows.

    Args:
        codes: long `(windows, bytes)`, bytes, -1 behind the end of a window.

    Returns:
        The patch of each byte, `(windows, bytes)`, 0 at padding; the first and the last byte of each patch,
        `(windows, patches, 2)`, 0 where a window has fewer; how many each window has, `(windows,)`. All long.
    """
    starts, lengths = patch_starts(codes, torch.where), (codes >= 0).sum(1)
    patches, counts = (starts.cumsum(1) - 1).masked_fill(codes < 0, 0), starts.sum(1)
    rows, firsts = starts.nonzero(as_tuple=True)
    follows = torch.cat([rows[1:] == rows[:-1], rows.new_zeros(1, dtype=torch.bool)])[: len(rows)]
    lasts = torch.where(follows, firsts.roll(-1), lengths[rows]) - 1
    edges = codes.new_zeros(len(codes), int(counts.max()) if len(counts) else 0, 2)
    edges[rows, patches[rows, firsts]] = torch.stack([firsts, lasts], -1)
    return patches, edges, counts


def at_edges(states: Tensor, edges: Tensor) -> Tensor:
    """The states `(windows, bytes, width)` of first and last bytes, side by side: `(windows, patches, 2 * width)`."""
    windows, count, _ = edges.shape
    places = edges.flatten(1)[..., None].expand(-1, -1, states.shape[2])
    return states.gather(1, places).view(windows, count, 2 * states.shape[2])


def at_bytes(of_patches: Tensor, patches: Tensor) -> Tensor:
    """What patches have `(windows, patches, width)`, at each of their bytes: `(windows, bytes, width)`."""
    return of_patches.gather(1, patches[..., None].expand(-1, -1, of_patches.shape[2]))


class PatchLayer(nn.Module):
    """Reads each patch as the states of its first and its last byte; its own joins those of all its bytes.

    Args:
        width: of the states of bytes.
        size: of the patches' state, for each direction.
        dropout: on what is read.
    """

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.stack = RecurrentStack("lstm", 2 * width, size, 1)
        self.output_size = width + self.stack.output_size

    def forward(self, states: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Read windows.

        Args:
            states: of their bytes, `(windows, bytes, width)`.
            codes: their bytes, long `(windows, bytes)`, -1 behind the end of a window.

        Returns:
            The states of bytes and patches, `(windows, bytes, output_size)`, zeros at padding; and what the layer ends
            with, as `RecurrentStack` gives it.
        """
        patches, edges, counts = patches_of(codes)
        packing = Packing.of(torch.arange(edges.shape[1], device=edges.device) < counts[:, None])
        outputs, ends = self.stack(self.dropout(packing.pack(at_edges(states, edges))), packing)
        above = at_bytes(packing.unpack(outputs), patches).masked_fill(codes[..., None] < 0, 0)
        return torch.cat([states, above], -1), ends

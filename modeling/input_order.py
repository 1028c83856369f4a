"""The order in which a window's bytes are read."""

from __future__ import annotations

import torch
from torch import Tensor


def turned(rows: Tensor, mask: Tensor) -> Tensor:
    """What each row has, from its last place to its first; padding stays. Turned twice, it is as it was.

    Args:
        rows: `(batch, length)` or `(batch, length, width)`.
        mask: `(batch, length)` bool, padding at the right.
    """
    places = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    places = torch.where(mask, mask.sum(1, keepdim=True) - 1 - places, places)
    return rows.gather(1, places if rows.dim() == 2 else places[..., None].expand_as(rows))

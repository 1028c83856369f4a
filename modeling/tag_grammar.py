"""The grammar of tag schemes as tensors: which tags may stand where."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .tag_rules import legal_steps


def legal_transitions(labels: Sequence[str], scheme: str) -> tuple[Tensor, Tensor, Tensor]:
    """Which tags may begin, follow one another in, and end a sentence; see `legal_steps`.

    Args:
        labels: tag names in the order of the tag ids, such as `"O"` and `"B-PER"`.
        scheme: `"IOB1"`, `"IOB2"`, `"BIOES"`, `"BILOU"`, or `"plain"` (everything is legal).

    Returns:
        Three bool tensors on the CPU: start `(tags,)`, transitions `(tags, tags)` as [from, to], end `(tags,)`.

    Raises:
        ValueError: the scheme is unknown, or a tag is not one of the scheme's.
    """
    start, rows, end = legal_steps(labels, scheme)
    cpu = torch.device("cpu")  # named, because a model may be built under a device context: the meta device, say
    return torch.tensor(start, device=cpu), torch.tensor(rows, device=cpu), torch.tensor(end, device=cpu)

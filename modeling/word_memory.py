"""What a word was at its other places in a passage: the second half of what a tagger with `word_memory` sees of it."""

from __future__ import annotations

import torch
from torch import Tensor

from .packing import Packing


def elsewhere(states: Tensor, words: Tensor, packing: Packing) -> Tensor:
    """The mean of the states that each word has at its other places in its sequence.

    Args:
        states: packed, `(steps, size)`.
        words: packed, `(steps,)` whole numbers from 0, equal where words are.
        packing: of both.

    Returns:
        `(steps, size)`, zeros for a word that its sequence has once.
    """
    if not len(states):
        return states
    sequences = packing.gather // packing.shape[1]
    _, group, counts = torch.unique(words * packing.shape[0] + sequences, return_inverse=True, return_counts=True)
    sums = states.new_zeros(len(counts), states.shape[1]).index_add(0, group, states)
    others = counts[group, None] - 1
    return ((sums[group] - states) / others.clamp(min=1)) * (others > 0)


def elsewhere_padded(states: Tensor, words: Tensor, mask: Tensor) -> Tensor:
    """The same of padded sequences, as a trace takes it: by which places have the same word.

    Args:
        states: `(batch, time, size)`.
        words: `(batch, time)`.
        mask: `(batch, time)` bool, padding at the right.
    """
    alike = (words[:, :, None] == words[:, None, :]) & mask[:, None, :] & mask[:, :, None]
    others = alike & ~torch.eye(words.shape[1], dtype=torch.bool, device=words.device)
    there = states.masked_fill(~mask[..., None], 0)
    return (others.to(states) @ there) / others.sum(2, keepdim=True).clamp(min=1)

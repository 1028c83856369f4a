"""What a word was at its other places in a passage, for numpy; the same as `word_memory` of the models."""

from __future__ import annotations

import numpy as np

from .packed_rows import Packed


def elsewhere(states: np.ndarray, words: np.ndarray, packed: Packed) -> np.ndarray:
    """The mean of the states that each word has at its other places in its sequence.

    Args:
        states: packed, `(rows, size)`.
        words: packed, `(rows,)` whole numbers from 0, equal where words are.
        packed: where rows lie.

    Returns:
        `(rows, size)`, zeros for a word that its sequence has once.
    """
    found = np.zeros_like(states)
    _, group, counts = np.unique(words * len(packed.order) + packed.place, return_inverse=True, return_counts=True)
    again = np.flatnonzero(counts[group] > 1)
    if not len(again):
        return found
    again = again[np.argsort(group[again], kind="stable")]
    first = np.flatnonzero(np.diff(group[again], prepend=-1))
    sums, sizes = np.add.reduceat(states[again], first), np.diff(first, append=len(again))
    own = np.repeat(np.arange(len(first)), sizes)
    found[again] = (sums[own] - states[again]) / (sizes[own, None] - 1).astype(states.dtype)
    return found

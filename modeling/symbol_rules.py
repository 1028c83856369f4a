"""Which symbols of a byte-to-span model may follow each other, on tensors and arrays alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FIRST_START = 259  # the id of start 0; then the other starts, the lengths from 0 on, STOP and the labels
IMPOSSIBLE = -1e4  # the score of a symbol or a class that cannot come, where it must stay finite


def legal_symbols(window_size: int, ids: Any, previous: Any, lengths: Any, where: Callable[..., Any]) -> Any:
    """Which ids may come next: a start or STOP, then a length that ends within the window, then a label.

    Args:
        window_size: k, in bytes.
        ids: long `(ids,)`, those that are asked about.
        previous: long `(...)`, the ids before, GO first.
        lengths: long, of a shape that fits: the bytes of the window that each writes of.
        where: of the library that has made these, `torch.where` or `np.where`.

    Returns:
        Bool `(..., ids)`.
    """
    first_length = FIRST_START + window_size
    stop = first_length + window_size + 1
    previous, lengths = previous[..., None], lengths[..., None]
    was_start = (previous >= FIRST_START) & (previous < first_length)
    was_length = (previous >= first_length) & (previous < stop)
    start = (ids >= FIRST_START) & (ids < FIRST_START + lengths) & (previous != stop)
    size = ids - first_length
    length = (size >= 1) & (ids < stop) & (size <= lengths - (previous - FIRST_START))
    return where(was_start, length, where(was_length, ids > stop, start | (ids == stop)))

"""Patches of a window's bytes, which are part of the file format, on tensors and arrays alike.

A patch is a run of letters and digits, in whatever script, or one other character, with the spaces behind it. What a
character is shows in its first byte: of those beyond ASCII, Latin-1's signs (C2), general punctuation (E2), Chinese
and Japanese (E3 to E9), and what begins with EF or more are by themselves, and all others count as letters. A window
that begins within a character, or with spaces, begins with a patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIGNS = ((0xC2, 0xC2), (0xE2, 0xE9), (0xEF, 0xFF))  # first bytes, from and to, of characters that are by themselves


def patch_starts(codes: Any, where: Callable[..., Any]) -> Any:
    """Where patches begin.

    Args:
        codes: long `(windows, bytes)`, bytes, -1 behind the end of a window.
        where: of the library that has made the codes, `torch.where` or `np.where`.

    Returns:
        Bool, of the same shape.
    """
    lower = codes | 32
    joins = ((codes >= 48) & (codes <= 57)) | ((lower >= 97) & (lower <= 122)) | (codes >= 0x80)
    for first, last in SIGNS:
        joins &= (codes < first) | (codes > last)
    continues = (codes >= 0x80) & (codes < 0xC0)
    for _ in range(3):  # the bytes behind a character's first, three at most, are of its kind
        joins[:, 1:] = where(continues[:, 1:], joins[:, :-1], joins[:, 1:])
    spaces = codes <= 32
    starts = ~(spaces | continues)
    starts[:, 1:] &= spaces[:, :-1] | ~(joins[:, 1:] & joins[:, :-1])
    starts[:, :1] = codes[:, :1] >= 0
    return starts

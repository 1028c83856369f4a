"""Patches of a window's bytes, which are part of the file format, on tensors and arrays alike.

A patch is a run of letters and digits, in whatever script, or one other character, with the spaces behind it. What a
character is shows in its first byte: Latin-1's signs (C2), general punctuation (E2), those of Chinese and Japanese
(E3 to E9) and what begins with EF or more are by themselves; all else from C3 on counts as letters. A window that
begins within a character begins with a patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def patch_starts(codes: Any, where: Callable[..., Any]) -> Any:
    """Where patches begin.

    Args:
        codes: long `(windows, bytes)`, bytes, -1 behind the end of a window.
        where: of the library that has made the codes, `torch.where` or `np.where`.

    Returns:
        Bool, of the same shape.
    """
    lower = codes | 32
    signs = (codes == 0xC2) | ((codes >= 0xE2) & (codes <= 0xE9)) | (codes >= 0xEF)
    joins = ((codes >= 48) & (codes <= 57)) | ((lower >= 97) & (lower <= 122)) | ((codes >= 0x80) & ~signs)
    continues = (codes >= 0x80) & (codes < 0xC0)
    for _ in range(3):  # the bytes behind a character's first, three at most, are of its kind
        joins[:, 1:] = where(continues[:, 1:], joins[:, :-1], joins[:, 1:])
    spaces = codes <= 32
    starts = ~(spaces | continues)
    starts[:, 1:] &= spaces[:, :-1] | ~(joins[:, 1:] & joins[:, :-1])
    starts[:, :1] = codes[:, :1] >= 0
    return starts

"""The hashes of n-grams, which are part of the file format (see `ngram_embedding.py`), on tensors and arrays alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

BASE, PRIME = 1_000_003, 2**31 - 1
BOUNDARY = 0x110000  # stands before and behind a word; behind the last code point


def hash_ngrams(codes: Any, sizes: Sequence[int], where: Callable[..., Any]) -> Iterator[tuple[int, Any]]:
    """The hashes of all n-grams of sequences.

    Args:
        codes: long `(..., length)`, from 0 to `BOUNDARY`; -1 where there is nothing, or nothing known.
        sizes: of the n-grams.
        where: of the library that has made the codes, `torch.where` or `np.where`.

    Yields:
        For each size up to the length, the smallest first, the size and long `(..., length - size + 1)`: the hash of
        the n-gram that begins at each place, -1 where it holds a code below 0.
    """
    known, hashes = codes >= 0, codes + 1
    for size in range(1, min(max(sizes, default=0), codes.shape[-1]) + 1):
        if size > 1:
            known = known[..., :-1] & (codes[..., size - 1 :] >= 0)
            hashes = (hashes[..., :-1] * BASE + codes[..., size - 1 :] + 1) % PRIME
        if size in sizes:
            yield size, where(known, hashes, -1)

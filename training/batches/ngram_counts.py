"""Which n-grams training data has often enough for a row of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tagsmith.modeling.ngram_embedding import word_codes
from tagsmith.modeling.ngram_hashes import hash_ngrams

_WORDS = 4096  # that are counted at a time
_BYTES = 1 << 20


def frequent_ngrams(blocks: Iterable[Iterable[tuple[int, Tensor]]], least: int, most: int) -> Tensor:
    """The hashes that occur often enough.

    Memory grows with the number of different n-grams, not with the data.

    Args:
        blocks: what `hash_ngrams` gives of each part of the data.
        least: how often one must occur.
        most: how many are taken, the most frequent first.

    Returns:
        Long `(n,)`, in order.
    """
    totals: dict[int, tuple[Tensor, Tensor]] = {}
    for block in blocks:
        for size, hashes in block:
            found, counts = torch.unique(hashes[hashes >= 0], return_counts=True)
            if size in totals:
                before, sums = totals[size]
                found, places = torch.unique(torch.cat([before, found]), return_inverse=True)
                counts = torch.zeros_like(found).index_add_(0, places, torch.cat([sums, counts]))
            totals[size] = found, counts
    empty = torch.empty(0, dtype=torch.long)
    hashes = torch.cat([empty, *(found[counts >= least] for found, counts in totals.values())])
    counts = torch.cat([empty, *(counts[counts >= least] for _, counts in totals.values())])
    kept = torch.unique(hashes[counts.argsort(descending=True, stable=True)[:most]])
    return kept


def ngrams_of_words(words: Collection[str], sizes: Sequence[int], least: int, most: int) -> Tensor:
    """The n-grams, with word boundaries, that at least so many different words have; see `frequent_ngrams`."""

    def blocks() -> Iterator[Iterator[tuple[int, Tensor]]]:
        ordered = sorted(words, key=lambda word: (len(word), word))
        for first in range(0, len(ordered), _WORDS):
            codes = _codes(ordered[first : first + _WORDS])
            yield ((size, _once(hashes)) for size, hashes in hash_ngrams(codes, sizes, torch.where))

    return frequent_ngrams(blocks(), least, most)


def _codes(words: Sequence[str]) -> Tensor:
    """Words of similar length as `hash_ngrams` takes them."""
    lengths = np.array([len(word) for word in words])
    points = np.full((len(words), int(lengths.max(initial=0))), -1, dtype=np.int64)
    text = "".join(words).encode("utf-32-le", errors="surrogatepass")
    points[np.arange(points.shape[1]) < lengths[:, None]] = np.frombuffer(text, dtype="<u4")
    return word_codes(torch.from_numpy(points), torch.from_numpy(lengths))


def _once(hashes: Tensor) -> Tensor:
    """Each word's n-grams `(words, places)`, -1 where one comes again."""
    ordered = hashes.sort(dim=1).values
    again = torch.nn.functional.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
    return ordered.masked_fill(again, -1)


def ngrams_of_bytes(texts: Iterable[np.ndarray], sizes: Sequence[int], least: int, most: int) -> Tensor:
    """The n-grams that texts, uint8 `(bytes,)` each, have at least so many times; see `frequent_ngrams`."""

    def blocks() -> Iterator[Iterator[tuple[int, Tensor]]]:
        beyond = max(sizes, default=1) - 1
        for text in texts:
            for first in range(0, len(text), _BYTES):
                codes = torch.from_numpy(text[first : first + _BYTES + beyond].astype(np.int64))
                yield ((size, hashes[:_BYTES]) for size, hashes in hash_ngrams(codes, sizes, torch.where))

    return frequent_ngrams(blocks(), least, most)

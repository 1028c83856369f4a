"""Embeddings of n-grams, short stretches of characters or bytes: those that training data often has have a row each.

An n-gram is known by its hash, and the hashes that have a row are saved with the weights, in order: row i + 1 of the
table is that of the i-th, row 0 that of all others, and stays zero. Hash and order are part of the file format. The
codes of an n-gram are the digits of a number to the base `BASE`, 1 added to each, and the hash is its remainder by
`PRIME`. No product on the way comes to 2**53, so that floating-point numbers of 64 bits compute it exactly too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .ngram_hashes import BOUNDARY, PRIME, hash_ngrams


def check_ngrams(sizes: Sequence[int] | None, rows: int) -> None:
    """See that n-grams have the sizes and the number that there can be.

    Raises:
        ValueError: they do not.
    """
    if any(size < 1 for size in sizes or ()) or len(set(sizes or ())) < len(sizes or ()):
        raise ValueError(f"ngram_sizes are {sizes}; each must be at least 1, and be there once.")
    if rows < 0:
        raise ValueError(f"ngram_rows is {rows}; it cannot be negative.")


def word_codes(points: Tensor, lengths: Tensor) -> Tensor:
    """Words between their boundaries.

    Args:
        points: long `(words, characters)`, code points, -1 for one that is not known and where a word is shorter.
        lengths: long `(words,)`.

    Returns:
        Long `(words, characters + 2)`, as `hash_ngrams` takes them.
    """
    codes = nn.functional.pad(points, (1, 1), value=-1)
    places = torch.arange(codes.shape[1], device=codes.device)
    bounds = (places == 0) | (places == lengths[:, None] + 1)
    return torch.where(bounds, BOUNDARY, codes)


class NgramEmbedding(nn.Module):
    """The table, and what it has of the n-grams of sequences.

    Args:
        sizes: of the n-grams.
        rows: how many of them have one.
        width: of a row.
        dropout: how often an n-gram of a word, or all of a window, are left out while training.
        ways: rows that each has, one after all others' in its place: of an n-gram that begins at a byte, and of one
            that ends at it.
    """

    hashes: Tensor

    def __init__(self, sizes: Sequence[int], rows: int, width: int, dropout: float, ways: int = 1) -> None:
        super().__init__()
        self.sizes, self.dropout, self.ways = sorted(sizes), dropout, ways
        self.register_buffer("hashes", torch.full((rows,), PRIME, dtype=torch.int32))  # in order
        self.embedding = nn.Embedding(1 + ways * rows, width, padding_idx=0)

    @torch.no_grad()
    def know(self, hashes: Tensor) -> None:
        """Have the rows be those of these n-grams: long `(rows,)`, each once."""
        self.hashes.copy_(hashes.sort().values)

    @torch.no_grad()
    def take_over(self, earlier: NgramEmbedding) -> None:
        """Put the rows of an earlier table where their n-grams are in this one, which has them all."""
        places = self.find(earlier.hashes.long())
        for way in range(self.ways):
            rows = earlier.embedding.weight[1 + way * len(places) : 1 + (way + 1) * len(places)]
            self.embedding.weight[places + way * len(self.hashes)] = rows

    def find(self, hashes: Tensor) -> Tensor:
        """The rows of n-grams by their hashes, of any shape: long, 0 for those that have none."""
        if not len(self.hashes):
            return torch.zeros_like(hashes)
        places = torch.searchsorted(self.hashes, hashes.to(self.hashes.dtype)).clamp(max=len(self.hashes) - 1)
        return torch.where(self.hashes[places] == hashes, places + 1, 0)

    def word_rows(self, codes: Tensor) -> Tensor:
        """The rows of all n-grams of words `(words, length)`, from `word_codes`: long `(words, n)`, 0 for none."""
        hashes = [found for _, found in hash_ngrams(codes, self.sizes, torch.where)]
        return self.find(torch.cat(hashes or [codes.new_full((len(codes), 1), -1)], dim=1))

    def of_words(self, codes: Tensor) -> Tensor:
        """Words `(words, length)`, from `word_codes`, to `(words, width)`: the sum of n rows divided by sqrt(n)."""
        rows = self.word_rows(codes)
        if self.training and self.dropout:
            rows = rows.masked_fill(torch.rand(rows.shape, device=rows.device) < self.dropout, 0)
        summed = self._sum(rows)
        return summed / (rows > 0).sum(1, keepdim=True).clamp(min=1).sqrt().to(summed)

    def byte_rows(self, codes: Tensor) -> Tensor:
        """The rows of the n-grams of windows `(windows, bytes)`: long `(windows, bytes, n)`, 0 for none.

        Of each size, the smallest first, the n-gram that begins at a byte, and the one that ends there.
        """
        rows, length, by_size = [], codes.shape[1], dict(hash_ngrams(codes, self.sizes, torch.where))
        for size in self.sizes:
            found = self.find(by_size[size]) if size in by_size else codes.new_zeros(len(codes), 0)
            beyond = length - found.shape[1]
            ending = torch.where(found > 0, found + len(self.hashes), 0)
            rows += [nn.functional.pad(found, (0, beyond)), nn.functional.pad(ending, (beyond, 0))]
        return torch.stack(rows, dim=2)

    def of_bytes(self, codes: Tensor) -> Tensor:
        """Windows `(windows, bytes)` to `(windows, bytes, width)`: of n-grams that begin and that end at each byte."""
        rows = self.byte_rows(codes)
        if self.training and self.dropout:
            dropped = torch.rand(len(codes), 1, 1, device=codes.device) < self.dropout
            rows = rows.masked_fill(dropped, 0)
        return self._sum(rows.flatten(0, 1)).unflatten(0, codes.shape)

    def _sum(self, rows: Tensor) -> Tensor:
        """Rows `(places, n)` to the sums of what stands in them, `(places, width)`."""
        weight = self.embedding.weight
        return nn.functional.embedding_bag(rows, weight, mode="sum", padding_idx=0)

"""The n-grams of words, as `modeling/ngram_embedding.py` has them, in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..modeling.ngram_hashes import BOUNDARY, hash_ngrams


class Ngrams:
    """The table, and what it has of the n-grams of sequences.

    Args:
        sizes: of the n-grams.
        weights: `hashes`, `embedding.weight` and, of words, `points`, the code point of each character's id.
    """

    def __init__(self, sizes: Sequence[int], weights: Mapping[str, np.ndarray]) -> None:
        self.sizes = sorted(sizes)
        self.hashes = weights["hashes"].astype(np.int64)
        self.table = weights["embedding.weight"].astype(np.float32)
        self.table[0] = 0  # of n-grams that are not known
        self.points = weights["points"].astype(np.int64) if "points" in weights else None

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The rows of n-grams by their hashes, of any shape; 0 for those that have none."""
        if not len(self.hashes):
            return np.zeros_like(hashes)
        places = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return np.where(self.hashes[places] == hashes, places + 1, 0)

    def of_words(self, character_ids: np.ndarray) -> np.ndarray:
        """Words `(words, characters)`, 0 where one is shorter, to float32 `(words, width)`."""
        codes = self._word_codes(character_ids)
        summed = np.zeros((len(codes), self.table.shape[1]), dtype=np.float32)
        count = np.zeros(len(codes), dtype=np.int64)
        for _, hashes in hash_ngrams(codes, self.sizes, np.where):
            word, place = np.nonzero((rows := self.find(hashes)) > 0)
            if len(word):
                first = np.flatnonzero(np.diff(word, prepend=-1))  # sums of rows next to each other
                summed[word[first]] += np.add.reduceat(self.table[rows[word, place]], first, axis=0)
                count += np.bincount(word, minlength=len(codes))
        summed /= np.sqrt(count.clip(min=1), dtype=np.float32)[:, None]
        return summed

    def rows_of_words(self, character_ids: np.ndarray) -> np.ndarray:
        """The rows of all n-grams of words: int64 `(words, n)`, 0 for those that have none."""
        hashes = [found for _, found in hash_ngrams(self._word_codes(character_ids), self.sizes, np.where)]
        return self.find(np.concatenate(hashes, axis=1)) if hashes else np.zeros((len(character_ids), 0), np.int64)

    def _word_codes(self, character_ids: np.ndarray) -> np.ndarray:
        """The code points of words between their boundaries: int64 `(words, characters + 2)`, -1 elsewhere."""
        assert self.points is not None
        codes = np.full((len(character_ids), character_ids.shape[1] + 2), -1)
        codes[:, 1:-1] = self.points[character_ids]
        codes[:, 0] = BOUNDARY
        codes[np.arange(len(codes)), 1 + (character_ids > 0).sum(1)] = BOUNDARY
        return codes

    def of_bytes(self, codes: np.ndarray) -> np.ndarray:
        """Windows `(windows, bytes)` to `(windows, bytes, width)`: of n-grams that begin and that end at each byte."""
        summed = np.zeros((*codes.shape, self.table.shape[1]), dtype=np.float32)
        for rows in self.rows_of_bytes(codes):
            summed += self.table[rows]
        return summed

    def rows_of_bytes(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """The rows of n-grams, `(windows, bytes)`: of each size those that begin at a byte; and that end there."""
        length, by_size = codes.shape[1], dict(hash_ngrams(codes, self.sizes, np.where))
        for size in self.sizes:
            if size not in by_size:
                yield from np.zeros((2, *codes.shape), dtype=np.int64)
                continue
            found = self.find(by_size[size])
            beyond = length - found.shape[1]
            yield np.pad(found, ((0, 0), (0, beyond)))
            yield np.pad(np.where(found > 0, found + len(self.hashes), 0), ((0, 0), (beyond, 0)))

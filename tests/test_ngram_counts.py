"""Counts of n-grams against plain Python, however the data are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ngram_embedding import codes_of, grams

from tagsmith.training.batches import ngram_counts
from tagsmith.training.batches.ngram_counts import ngrams_of_bytes, ngrams_of_words

SIZES = [1, 2, 4]


def frequent(counts: Counter[int], least: int) -> list[int]:
    return sorted(number for number, count in counts.items() if count >= least)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.text("abé", min_size=1, max_size=6), max_size=8), st.integers(1, 3))
def test_of_words_counts_different_words(words: set[str], least: int) -> None:
    counts: Counter[int] = Counter()
    for word in words:
        counts.update({number for _, number in grams(codes_of(word), SIZES)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "_WORDS", 3)
        assert ngrams_of_words(words, SIZES, least, 1000).tolist() == frequent(counts, least)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=12).map(bytes), max_size=4), st.integers(1, 3))
def test_of_bytes_counts_every_place(texts: Sequence[bytes], least: int) -> None:
    counts: Counter[int] = Counter(number for text in texts for _, number in grams(list(text), SIZES))
    arrays = [np.frombuffer(text, dtype=np.uint8) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "_BYTES", 5)
        assert ngrams_of_bytes(arrays, SIZES, least, 1000).tolist() == frequent(counts, least)


def test_the_most_frequent_where_there_are_too_many() -> None:
    text = np.frombuffer(b"aaaabbbcc", dtype=np.uint8)
    assert ngrams_of_bytes([text], [1], 1, 2).tolist() == [ord("a") + 1, ord("b") + 1]
    assert ngrams_of_bytes([text], [1], 3, 9).tolist() == [ord("a") + 1, ord("b") + 1]
    assert ngrams_of_bytes([text], [1], 1, 0).tolist() == []

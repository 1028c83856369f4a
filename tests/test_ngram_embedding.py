"""N-grams and their rows: against plain Python, the frozen hash, gradients, dropping, and what is saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from tagsmith.modeling.ngram_embedding import NgramEmbedding, word_codes
from tagsmith.modeling.ngram_hashes import BASE, BOUNDARY, PRIME, hash_ngrams

SIZES = [2, 3, 5]


def plain_hash(codes: Sequence[int]) -> int:
    number = 0
    for code in codes:
        number = (number * BASE + code + 1) % PRIME
    return number


def codes_of(word: str) -> list[int]:
    return [BOUNDARY, *map(ord, word), BOUNDARY]


def grams(codes: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Each n-gram's place and hash."""
    return [
        (first, plain_hash(codes[first : first + size]))
        for size in sizes
        for first in range(len(codes) - size + 1)
        if min(codes[first : first + size]) >= 0
    ]


def padded(words: Sequence[str]) -> Tensor:
    """Words as `of_words` takes them."""
    points = torch.full((len(words), max(map(len, words), default=0)), -1)
    for row, word in enumerate(words):
        points[row, : len(word)] = torch.tensor(list(map(ord, word)), dtype=torch.long)
    return word_codes(points, torch.tensor(list(map(len, words))))


def table(hashes: Sequence[int], width: int = 4, ways: int = 1, dropout: float = 0.0) -> NgramEmbedding:
    torch.manual_seed(1)
    made = NgramEmbedding(SIZES, len(hashes), width, dropout, ways).double()
    made.know(torch.tensor(list(hashes), dtype=torch.long))
    return made


class TestHash:
    # Of saved taggers: it stays as it is.
    @pytest.mark.parametrize(
        ("codes", "value"),
        [
            ([0], 1),
            ([97], 98),
            ([97, 98], 98000393),
            ([BOUNDARY, 68], 1719813262),
            ([100, 101, 114], 257115626),
            ([BOUNDARY, 252, 98, 101, 114], 1277688789),
            ([255] * 7, 333281989),
            ([0x1F600, BOUNDARY], 1812964479),
        ],
    )
    def test_it_is_frozen(self, codes: list[int], value: int) -> None:
        assert plain_hash(codes) == value
        ((size, hashes),) = hash_ngrams(torch.tensor(codes), [len(codes)], torch.where)
        assert (size, hashes.tolist()) == (len(codes), [value])

    def test_floating_point_numbers_are_enough(self) -> None:
        assert (PRIME - 1) * BASE + BOUNDARY + 1 < 2**53

    @given(st.lists(st.integers(-1, BOUNDARY), max_size=9), st.sets(st.integers(1, 6), max_size=4))
    def test_as_in_plain_python(self, codes: list[int], sizes: set[int]) -> None:
        found = list(hash_ngrams(torch.tensor([codes], dtype=torch.long), sorted(sizes), torch.where))
        assert [size for size, _ in found] == [size for size in sorted(sizes) if size <= len(codes)]
        for size, hashes in found:
            stretches = [codes[first : first + size] for first in range(len(codes) - size + 1)]
            assert hashes[0].tolist() == [plain_hash(part) if min(part) >= 0 else -1 for part in stretches]

    @given(st.lists(st.text("aé漢", max_size=4), min_size=1, max_size=4))
    def test_words_have_boundaries(self, words: list[str]) -> None:
        for codes, word in zip(padded(words).tolist(), words, strict=True):
            assert codes[: len(word) + 2] == codes_of(word)
            assert set(codes[len(word) + 2 :]) <= {-1}


class TestRows:
    @settings(deadline=None)
    @given(st.sets(st.integers(0, PRIME - 1), max_size=40), st.lists(st.integers(-1, PRIME - 1), max_size=20))
    def test_found_by_halves(self, known: set[int], others: list[int]) -> None:
        made, wanted = table(list(known)), [*known, *others]
        places = {number: row for row, number in enumerate(sorted(known), 1)}
        found = made.find(torch.tensor([wanted], dtype=torch.long))
        assert found.tolist() == [[places.get(number, 0) for number in wanted]]

    def test_a_table_that_knows_nothing_yet_finds_nothing(self) -> None:
        assert NgramEmbedding([2], 3, 4, 0.0).find(torch.tensor([-1, 0, 5, PRIME - 1])).tolist() == [0] * 4

    def test_an_earlier_table_is_taken_over(self) -> None:
        earlier, later = table([5, 9, 40], ways=2), table([3, 9, 5, 50, 40], ways=2)
        later.take_over(earlier)
        for way in range(2):
            for number in (5, 9, 40):
                before = int(earlier.find(torch.tensor(number))) + way * 3
                after = int(later.find(torch.tensor(number))) + way * 5
                assert torch.equal(earlier.embedding.weight[before], later.embedding.weight[after])


class TestWords:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.text("abé", max_size=6), min_size=1, max_size=4), st.data())
    def test_a_sum_over_the_root_of_their_number(self, words: list[str], data: st.DataObject) -> None:
        there = sorted({number for word in words for _, number in grams(codes_of(word), SIZES)})
        made = table(data.draw(st.lists(st.sampled_from(there), unique=True)) if there else [])
        known = {number: row for row, number in enumerate(made.hashes.tolist(), 1)}
        for vector, word in zip(made.of_words(padded(words)), words, strict=True):
            rows = [known[number] for _, number in grams(codes_of(word), SIZES) if number in known]
            expected = sum((made.embedding.weight[row] for row in rows), torch.zeros(4).double())
            torch.testing.assert_close(vector, expected / math.sqrt(max(len(rows), 1)))

    def test_words_shorter_than_any(self) -> None:
        made = NgramEmbedding([4, 6], 3, 5, 0.0)
        assert torch.equal(made.of_words(padded(["a", ""])), torch.zeros(2, 5))

    def test_padding_changes_nothing(self) -> None:
        words = ["ab", "abba", "a", ""]
        made = table([number for word in words for _, number in set(grams(codes_of(word), SIZES))][:8])
        together = made.of_words(padded(words))
        for vector, word in zip(together, words, strict=True):
            torch.testing.assert_close(vector, made.of_words(padded([word]))[0])

    def test_gradients(self) -> None:
        words = padded(["abba", "ab"])
        made = table([number for _, number in set(grams(codes_of("abba"), SIZES))])

        def of(weight: Tensor) -> Any:
            return torch.func.functional_call(made, {"embedding.weight": weight}, (words,))

        made.forward = made.of_words  # type: ignore[method-assign]
        assert torch.autograd.gradcheck(of, made.embedding.weight.detach().clone().requires_grad_())
        made.of_words(words).sum().backward()
        assert made.embedding.weight.grad is not None
        assert not made.embedding.weight.grad[0].any()  # what has no row stays zero

    def test_dropping_leaves_out_some_while_training_only(self) -> None:
        words = padded(["abcabcabc"] * 300)
        made = table(sorted({number for _, number in grams(codes_of("abcabcabc"), SIZES)}), dropout=0.5)
        one = made.eval().of_words(words[:1])
        torch.testing.assert_close(made.of_words(words), one.expand(300, -1))
        dropped = made.train().of_words(words)
        assert len(dropped.unique(dim=0)) > 100
        assert made.dropout == 0.5

    def test_half_precision(self) -> None:
        made = table([number for _, number in set(grams(codes_of("abba"), SIZES))])
        expected = made.of_words(padded(["abba"]))
        found = made.to(torch.bfloat16).of_words(padded(["abba"]))
        assert found.dtype == torch.bfloat16 and made.hashes.dtype == torch.int32
        torch.testing.assert_close(found.double(), expected, atol=0.05, rtol=0.05)


class TestBytes:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(-1, 2), min_size=1, max_size=9), st.data())
    def test_what_begins_and_what_ends_at_each(self, codes: list[int], data: st.DataObject) -> None:
        there = sorted({number for _, number in grams(codes, SIZES)})
        made = table(data.draw(st.lists(st.sampled_from(there), unique=True)) if there else [], ways=2)
        weight, count = made.embedding.weight, len(made.hashes)
        known = {number: row for row, number in enumerate(made.hashes.tolist(), 1)}
        expected = torch.zeros(len(codes), 4, dtype=torch.double)
        for size in SIZES:
            for first, number in grams(codes, [size]):
                if number in known:
                    expected[first] += weight[known[number]].detach()
                    expected[first + size - 1] += weight[known[number] + count].detach()
        torch.testing.assert_close(made.of_bytes(torch.tensor([codes]))[0].detach(), expected)

    def test_windows_shorter_than_any(self) -> None:
        assert table([1], ways=2).of_bytes(torch.tensor([[7]])).tolist() == [[[0.0] * 4]]
        assert table([1], ways=2).of_bytes(torch.empty(0, 5, dtype=torch.long)).shape == (0, 5, 4)

    def test_dropping_takes_all_of_a_window(self) -> None:
        codes = torch.arange(8).expand(400, -1)
        made = table([number for _, number in grams(list(range(8)), SIZES)], ways=2, dropout=0.25).train()
        whole = made.eval().of_bytes(codes[:1])[0]
        found = made.train().of_bytes(codes)
        kept = [bool(torch.equal(window, whole)) for window in found]
        assert all(keeps or not window.any() for keeps, window in zip(kept, found, strict=True))
        assert 240 < sum(kept) < 360


def test_saved_and_loaded(tmp_path: Path) -> None:
    made = table([PRIME - 1, 4, 77])
    save_file(made.state_dict(), tmp_path / "table.safetensors")
    again = NgramEmbedding(SIZES, 3, 4, 0.0).double()
    again.load_state_dict(load_file(tmp_path / "table.safetensors"))
    assert again.hashes.tolist() == [4, 77, PRIME - 1]
    assert torch.equal(again.embedding.weight, made.embedding.weight)

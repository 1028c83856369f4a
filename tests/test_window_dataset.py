from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tagsmith.modeling.tag_average import byte_tags
from tagsmith.tokenization.byte_windows import window_tags
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import PAD_ID, SpanCodec, SymbolLayout
from tagsmith.tokenization.spans import Span
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset, WindowSampler, permuted

LABELS = ("LOC", "PER")


def make_corpus(*texts: str, spans: tuple[tuple[int, int, str], ...] = ()) -> ByteCorpus:
    """A document for each text; the spans are the first one's."""
    rows = [
        {
            "document": number,
            "text": text,
            "starts": [],
            "spans": [{"start": s, "end": e, "label": n} for s, e, n in (spans if number == 0 else ())],
        }
        for number, text in enumerate(texts)
    ]
    return ByteCorpus.of(rows, LABELS)


def text_of(window: dict[str, np.ndarray]) -> str:
    return bytes(window["input_ids"].astype(np.uint8)).decode()


def test_a_window_begins_at_every_byte_and_is_whole() -> None:
    dataset = WindowDataset([make_corpus("abcdefgh", "xyz")], SymbolLayout(4, LABELS))
    assert len(dataset) == 11
    found = [text_of(dataset[number]) for number in range(11)]
    assert found == ["abcd", "bcde", "cdef", "defg", "efgh", "efgh", "efgh", "efgh", "xyz", "xyz", "xyz"]


def test_labels_are_the_spans_wholly_inside() -> None:
    layout = SymbolLayout(8, LABELS)
    corpus = make_corpus("In Lund Ada sat", spans=((3, 7, "LOC"), (8, 11, "PER")))
    dataset, codec = WindowDataset([corpus], layout), SpanCodec(layout)
    spans = [codec.decode(dataset[number]["labels"]).spans for number in range(6)]
    assert spans[0] == [Span(3, 7, "LOC")]
    assert spans[3] == [Span(5, 8, "PER"), Span(0, 4, "LOC")]
    assert spans[4] == [Span(4, 7, "PER")]
    assert all(dataset[number]["labels"][-1] == layout.stop for number in range(6))
    first_first = WindowDataset([corpus], layout, span_order="first_first")
    assert codec.decode(first_first[3]["labels"]).spans == [Span(0, 4, "LOC"), Span(5, 8, "PER")]
    with pytest.raises(ValueError, match="The order of spans is 'rising'"):
        WindowDataset([corpus], layout, span_order="rising")  # type: ignore[arg-type]


def test_tags_of_bytes() -> None:
    corpus = make_corpus("Ada S x Lund", spans=((0, 3, "PER"), (4, 5, "PER"), (8, 12, "LOC")))
    windows = WindowDataset([corpus], SymbolLayout(6, corpus.names), tags=True)
    names = byte_tags(list(corpus.names))
    read = [[names[tag] for tag in window["tag_labels"]] for window in windows.__getitems__([0, 2, 6])]
    assert read[0] == ["B-PER", "I-PER", "E-PER", "O", "S-PER", "O"]
    assert read[1] == ["E-PER", "O", "S-PER", "O", "O", "O"]
    assert read[2] == ["O", "O", "B-LOC", "I-LOC", "I-LOC", "E-LOC"]
    batch = WindowCollator()([windows[0], {**windows[0], "tag_labels": np.array([1]), "input_ids": np.array([65])}])
    assert batch["tag_labels"][1].tolist() == [1, *[-100] * 5]


@given(
    spans=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(0, 1)), max_size=4),
    first=st.integers(0, 20),
    size=st.integers(0, 20),
)
def test_tags_write_the_spans(spans: list[tuple[int, int, int]], first: int, size: int) -> None:
    starts, ends, labels, place = [], [], [], 0
    for gap, length, label in spans:
        starts.append(place + gap)
        ends.append(place := starts[-1] + length)
        labels.append(label)
    gold = ["O"] * 60
    for start, end, label in zip(starts, ends, labels, strict=True):
        kinds = "S" if end - start == 1 else "B" + "I" * (end - start - 2) + "E"
        gold[start:end] = [f"{kind}-{'AB'[label]}" for kind in kinds]
    arrays = (np.array(part, dtype=np.int64) for part in (starts, ends, labels))
    tags = window_tags(np.array([first, 0]), np.array([first + size, 60]), *arrays)
    names = byte_tags(["A", "B"])
    assert [names[tag] for tag in tags[0, :size]] == gold[first : first + size]
    assert [names[tag] for tag in tags[1]] == gold
    assert (tags[0, size:] == -100).all()


def test_windows_that_see_their_line_alone() -> None:
    corpus = make_corpus("ab Lund cdef\n\nghi", "jk", spans=((3, 7, "LOC"),))
    layout = SymbolLayout(8, LABELS)
    dataset = WindowDataset([corpus], layout, line_share=1.0)
    found = [text_of(dataset[number]) for number in range(len(dataset))]
    assert found[:13] == ["ab Lund ", "b Lund c", " Lund cd", "Lund cde", *["und cdef"] * 9]
    assert found[14:17] == ["ghi"] * 3
    assert found[17:] == ["jk"] * 2
    assert SpanCodec(layout).decode(dataset[0]["labels"]).spans == [Span(3, 7, "LOC")]


@given(st.lists(st.sampled_from(["ab", "c d e f", "", "ghijklmnop"]), min_size=1, max_size=6), st.floats(0, 1))
def test_each_window_sees_its_line_or_its_document(lines: list[str], share: float) -> None:
    text = "\n".join(lines) or "x"
    corpus, layout = make_corpus(text), SymbolLayout(4, LABELS)
    whole, alone, some = (WindowDataset([corpus], layout, part) for part in (0.0, 1.0, share))
    for number in range(len(some)):
        assert text_of(some[number]) in (text_of(whole[number]), text_of(alone[number]))
        if text[number] != "\n":
            assert "\n" not in text_of(alone[number])


def test_the_share_of_lines() -> None:
    corpus = make_corpus("a b c\n" * 3000)
    dataset = WindowDataset([corpus], SymbolLayout(12, LABELS), line_share=0.3)
    alone = sum("\n" not in text_of(window) for window in dataset.__getitems__(range(len(dataset))))
    assert 0.27 < alone / len(dataset) < 0.33
    with pytest.raises(ValueError, match="line_share"):
        WindowDataset([corpus], SymbolLayout(12, LABELS), line_share=2)


def test_windows_of_several_corpora_come_in_the_order_asked_for() -> None:
    dataset = WindowDataset([make_corpus("aaaa"), make_corpus("bbbbbb"), make_corpus("c")], SymbolLayout(2, LABELS))
    assert len(dataset) == 11
    assert [text_of(window) for window in dataset.__getitems__([10, 0, 4, 9, 3])] == ["c", "aa", "bb", "bb", "aa"]


def test_a_corpus_without_text_or_with_other_labels_is_an_error() -> None:
    with pytest.raises(InputError, match="corpus 2 of 2 has no text"):
        WindowDataset([make_corpus("a"), make_corpus()], SymbolLayout(4, LABELS))
    with pytest.raises(ValueError, match="has the labels"):
        WindowDataset([make_corpus("a")], SymbolLayout(4, ["LOC"]))


def test_the_collator_pads() -> None:
    dataset = WindowDataset([make_corpus("In Lund", "x", spans=((3, 7, "LOC"),))], SymbolLayout(8, LABELS))
    batch = next(iter(DataLoader(dataset, batch_size=8, collate_fn=WindowCollator())))
    assert batch["input_ids"].shape == (8, 7)
    assert torch.equal(batch["attention_mask"].bool(), batch["input_ids"] != PAD_ID)
    assert batch["attention_mask"].sum(1).tolist() == [7] * 7 + [1]
    assert (batch["labels"][-1] != -100).tolist() == [True, False, False, False]
    assert batch["labels"].dtype == batch["input_ids"].dtype == torch.int64
    assert "labels" not in WindowCollator()([{"input_ids": np.array([1, 2])}])


@given(st.integers(1, 700), st.lists(st.integers(0, 2**32), min_size=1, max_size=3))
def test_a_permutation_holds_every_number_once(size: int, key: list[int]) -> None:
    numbers = np.arange(size)
    order = permuted(numbers, size, key)
    assert sorted(order.tolist()) == numbers.tolist()
    assert np.array_equal(permuted(numbers[size // 2 :], size, key), order[size // 2 :])


def test_permutations_look_random() -> None:
    size = 100_000
    order, other = permuted(np.arange(size), size, [1, 0]), permuted(np.arange(size), size, [1, 1])
    for drawn in (order, other):
        assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02
        assert abs(np.corrcoef(drawn, np.arange(size))[0, 1]) < 0.02
        assert abs(drawn[:1000].mean() / size - 0.5) < 0.05
    assert abs(np.corrcoef(order, other)[0, 1]) < 0.02


def test_twenty_five_million_windows_cost_nothing() -> None:
    sampler = WindowSampler([20_000_000, 5_000_000], seed=1)
    first = list(islice(sampler, 1000))
    assert len(sampler) == 25_000_000
    assert len(set(first)) == 1000
    assert 0.7 < np.mean(np.array(first) < 20_000_000) < 0.9


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = WindowSampler([50, 30], seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert sorted(order(1, 3)) == list(range(80))
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_balanced_corpora_count_alike() -> None:
    sampler = WindowSampler([9000, 700], seed=1, balance=True)
    drawn = np.array(list(sampler))
    assert len(drawn) == 9700
    small = drawn[drawn >= 9000]
    assert len(small) == 4850
    counts = np.bincount(small - 9000, minlength=700)
    assert counts.min() >= 6
    assert counts.max() <= 7
    assert len(set(drawn[drawn < 9000].tolist())) == 4850
    assert small[:700].tolist() != small[700:1400].tolist()


def test_what_balance_leaves_out_comes_in_the_next_epoch() -> None:
    sampler = WindowSampler([30, 10], seed=1, balance=True)
    drawn: list[int] = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    large = [number for number in drawn if number < 30]
    assert sorted(large[:30]) == list(range(30))
    assert sorted(large[30:]) == list(range(30))

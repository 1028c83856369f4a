"""Streams that are begun again where they end: mixed, in turn, and as windows of bytes."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle, islice
from typing import Any

import numpy as np
import pytest
from datasets import IterableDataset
from hypothesis import given
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches import byte_stream
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.byte_stream import ByteStream, window_stream
from tagsmith.training.batches.endless import EndlessStream, in_turns, mixed, passes

LAYOUT = ByteToSpanTokenizer(8, ["LOC"]).layout


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 3))
def test_streams_end_a_pass_together(sizes: list[int], rounds: int) -> None:
    streams = [cycle([(index, item) for item in range(size)]) for index, size in enumerate(sizes)]
    drawn = Counter(islice(mixed(streams, sizes), rounds * sum(sizes)))
    assert drawn == {(index, item): rounds for index, size in enumerate(sizes) for item in range(size)}


def test_streams_are_mixed_evenly() -> None:
    drawn = list(islice(mixed([cycle("a"), cycle("b")], [3, 1]), 40))
    assert all(drawn[first : first + 4].count("b") == 1 for first in range(0, 40, 4))


def test_heads_come_in_turn() -> None:
    streams: dict[str, Iterator[dict[str, Any]]] = {name: ({"n": number} for number in count()) for name in "ab"}
    drawn = [(row["head"], row["n"]) for row in islice(in_turns(streams, {"a": 2, "b": 1}), 6)]
    assert drawn == [("a", 0), ("a", 1), ("b", 0), ("a", 2), ("a", 3), ("b", 1)]


def test_each_pass_has_another_order() -> None:
    rows = IterableDataset.from_generator(lambda: ({"n": number} for number in range(20)))
    drawn = [row["n"] for row in islice(passes(rows, 1), 60)]
    orders = [drawn[first : first + 20] for first in (0, 20, 40)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert drawn == [row["n"] for row in islice(passes(rows, 1), 60)]


def rows_of(sentences: int, name: str = "Lund", document: int = 0) -> list[dict[str, Any]]:
    spans = [{"start": 3, "end": 3 + len(name), "label": "LOC"}]
    return [
        {"document": document, "text": f"In {name} {number:04}", "after": "\n", "spans": spans, "starts": []}
        for number in range(sentences)
    ]


def test_blocks_are_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "_BLOCK", 100)
    rows = [*rows_of(30), *rows_of(30, "Umea", 1)]
    stream, whole = ByteStream(rows, ["LOC"]), ByteCorpus.of(rows, ["LOC"])
    blocks = list(stream.blocks())
    assert len(blocks) > 5 and all(len(block) < 120 for block in blocks)
    cut = len(blocks) - 1 - (len(whole.bounds) - 2)  # within a document, where a line feed is left out
    assert len(stream) == sum(map(len, blocks)) in (len(whole) - cut, len(whole) - cut - 1)
    assert sum(len(block.starts) for block in blocks) == len(whole.starts)
    assert stream.count_too_long(3) == 60 and stream.count_too_long(4) == 0


def test_no_span_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "_BLOCK", 10)
    rows = rows_of(4)
    rows[1]["spans"] = [{"start": 3, "end": len(rows[1]["text"]) + 4, "label": "LOC"}]  # up to the middle of the next
    rows[2]["spans"] = []
    assert [len(block.starts) for block in ByteStream(rows, ["LOC"]).blocks()] == [1, 1, 1]


def drawn_of(stream: EndlessStream, windows: int) -> list[bytes]:
    return [bytes(row["input_ids"].astype(np.uint8)) for row in islice(stream, windows)]


def test_a_run_reads_all_of_a_corpus_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "_BLOCK", 100)
    stream = ByteStream(rows_of(60), ["LOC"])
    few = drawn_of(window_stream([stream], 1, len(stream) // 10, layout=LAYOUT), len(stream) // 10)
    seen = b" ".join(few)
    assert sum(b"0%d" % first in seen for first in range(10)) and len(few) < len(stream) / 5
    many = Counter(drawn_of(window_stream([stream], 1, 2 * len(stream), layout=LAYOUT), 2 * len(stream)))
    assert sum(many.values()) == 2 * len(stream) and min(many.values()) == 2


def test_corpora_count_alike() -> None:
    corpora = [ByteStream(rows_of(50), ["LOC"]), ByteStream(rows_of(5, "Umea"), ["LOC"])]
    for balance, share in ((True, 0.5), (False, 1 / 11)):
        drawn = drawn_of(window_stream(corpora, 1, 400, balance, layout=LAYOUT), 400)
        umea = sum(b"U" in window or b"mea" in window or b"ea " in window for window in drawn)
        lund = sum(b"L" in window or b"und" in window or b"nd " in window for window in drawn)
        assert umea / (umea + lund) == pytest.approx(share, abs=0.05)


def test_a_corpus_without_text() -> None:
    with pytest.raises(InputError, match="corpus 2 of 2 has no text"):
        window_stream([ByteStream(rows_of(2), ["LOC"]), ByteStream([], ["LOC"])], 1, 10, layout=LAYOUT)


def test_memory_does_not_grow_with_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "_BLOCK", 5_000)

    class Rows:
        def __init__(self, times: int) -> None:
            self.times = times

        def __iter__(self) -> Iterator[dict[str, Any]]:
            for number in range(self.times):
                yield from rows_of(200, document=number)

    def peak(times: int) -> int:
        tracemalloc.start()
        stream = window_stream([ByteStream(Rows(times), ["LOC"])], 1, 500, layout=LAYOUT)
        for _ in islice(stream, 500):
            pass
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is imported and kept
    small, large = peak(4), peak(20)
    assert large < small * 1.1

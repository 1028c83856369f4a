from __future__ import annotations

import itertools

import numpy as np
import pytest
from byte_references import legal_after, spans_to_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import (
    DROP_ID,
    GO_ID,
    PAD_ID,
    ByteText,
    SpanCodec,
    SpanOrder,
    SymbolLayout,
    check_spans,
)
from tagsmith.tokenization.spans import Span

LABELS = ("PER", "LOC", "ORG")


def make_codec(window_size: int = 60, labels: tuple[str, ...] = LABELS) -> SpanCodec:
    return SpanCodec(SymbolLayout(window_size, labels))


@st.composite
def windows(draw: st.DrawFn) -> tuple[SpanCodec, list[Span]]:
    """A codec and spans of one of its windows."""
    codec = make_codec(draw(st.sampled_from([1, 8, 60, 512])))
    bounds = sorted(draw(st.sets(st.integers(0, codec.layout.window_size), max_size=12)))
    pairs = list(itertools.pairwise(bounds))
    kept = [pair for pair in pairs if draw(st.booleans())]
    return codec, [Span(start, end, draw(st.sampled_from(LABELS))) for start, end in kept]


# Layout


def test_ids_stand_where_the_layout_says() -> None:
    layout = SymbolLayout(60, LABELS)
    assert (GO_ID, DROP_ID, PAD_ID) == (256, 257, 258)
    assert (layout.first_start, layout.first_length, layout.stop) == (259, 319, 380)
    assert (layout.first_label, layout.vocab_size) == (381, 384)


def test_a_new_label_moves_no_other_id() -> None:
    before, after = SymbolLayout(60, ["PER"]), SymbolLayout(60, ["PER", "LOC"])
    assert (before.stop, before.label_ids["PER"]) == (after.stop, after.label_ids["PER"])
    assert after.vocab_size == before.vocab_size + 1
    assert before.labels == ("PER",)


@pytest.mark.parametrize(
    ("window_size", "labels", "message"),
    [
        (0, ["A"], "at least 1 byte"),
        (60, ["A", "A"], "'A' is given twice"),
        (60, [""], "Label 0"),
        (60, "PER", "list"),
    ],
)
def test_a_bad_layout_is_refused(window_size: int, labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SymbolLayout(window_size, labels)


# Spans to symbols and back


def test_spans_are_written_last_first_and_then_stop() -> None:
    codec = make_codec()
    start, length, label = codec.layout.first_start, codec.layout.first_length, codec.layout.first_label
    symbols = codec.encode([(0, 3, "PER"), (10, 14, "ORG")])
    assert symbols == [start + 10, length + 4, label + 2, start, length + 3, label, codec.layout.stop]
    assert make_codec().encode([]) == [codec.layout.stop]
    symbols = codec.encode([(10, 14, "ORG"), (0, 3, "PER")], "first_first")
    assert symbols == [start, length + 3, label, start + 10, length + 4, label + 2, codec.layout.stop]
    with pytest.raises(ValueError, match="The order of spans is 'first'; it is 'last_first' or 'first_first'"):
        codec.encode([], "first")  # type: ignore[arg-type]


@given(windows(), st.sampled_from(["last_first", "first_first"]))
@settings(max_examples=150)
def test_spans_survive_the_codec(window: tuple[SpanCodec, list[Span]], order: SpanOrder) -> None:
    codec, spans = window
    decoded = codec.decode(codec.encode(spans, order))
    assert decoded.spans == (spans[::-1] if order == "last_first" else spans)
    assert decoded.skipped == 0
    assert decoded.positions == list(range(0, 3 * len(spans), 3))


@given(windows())
@settings(max_examples=150)
def test_what_the_codec_writes_is_legal(window: tuple[SpanCodec, list[Span]]) -> None:
    codec, spans = window
    symbols = codec.encode(spans)
    assert all(
        legal_after(codec.layout, previous)[symbol] for previous, symbol in itertools.pairwise([GO_ID, *symbols])
    )


@given(st.data(), st.sampled_from([1, 2, 5]))
@settings(max_examples=150)
def test_whatever_is_legal_decodes_without_a_skip(data: st.DataObject, window_size: int) -> None:
    codec = make_codec(window_size)
    length = data.draw(st.integers(0, window_size))
    symbols = [GO_ID]
    while symbols[-1] != codec.layout.stop and len(symbols) < 10:
        legal = legal_after(codec.layout, symbols[-1], length)
        symbols.append(data.draw(st.sampled_from(np.flatnonzero(legal).tolist())))
    whole = symbols[1 : 1 + (len(symbols) - 1) // 3 * 3]
    assert codec.decode(whole, length).skipped == 0
    assert all(span.end <= length for span in codec.decode(whole, length).spans)


def read_one_by_one(codec: SpanCodec, symbols: list[int], limit: int) -> tuple[list[Span], list[int], int]:
    """The reading as the paper tells it: where a triple does not fit, continue by one symbol."""
    layout, spans, positions, skipped, i = codec.layout, [], [], 0, 0
    while i < len(symbols) and symbols[i] != layout.stop:
        start, length, label = ([*symbols[i : i + 3], -1, -1])[:3]
        start, length, label = start - layout.first_start, length - layout.first_length, label - layout.first_label
        known = 0 <= label < len(layout.labels)
        if known and 0 <= start < layout.window_size and length >= 1 and start + length <= limit:
            spans.append(Span(start, start + length, layout.labels[label]))
            positions.append(i)
            i += 3
        else:
            skipped += 1
            i += 1
    return spans, positions, skipped


@given(st.data())
@settings(max_examples=300)
def test_any_symbols_decode(data: st.DataObject) -> None:
    codec = make_codec(3, ("A", "B"))
    likely = st.integers(codec.layout.first_start, codec.layout.vocab_size - 1)
    anything = st.one_of(likely, likely, st.integers(-(2**63), 2**63 - 1), st.integers(0, 300))
    symbols = data.draw(st.lists(anything, max_size=15))
    limit = data.draw(st.integers(0, 3))
    assert codec.decode(symbols, limit) == read_one_by_one(codec, symbols, limit)


def test_a_malformed_triple_costs_no_good_one() -> None:
    codec = make_codec()
    start, length, label = codec.layout.first_start, codec.layout.first_length, codec.layout.first_label
    good = [start + 2, length + 4, label]
    decoded = codec.decode(
        [start + 9, length, label, start + 50, length + 11, label, start, *good, codec.layout.stop, 7]
    )
    assert decoded.spans == [Span(2, 6, "PER")]
    assert (decoded.positions, decoded.skipped) == ([7], 7)


def test_a_batch_decodes_as_its_rows() -> None:
    codec = make_codec()
    rows = [codec.encode([(0, 3, "PER"), (10, 14, "ORG")]), codec.encode([]), codec.encode([(50, 60, "LOC")])]
    symbols = np.full((3, 7), PAD_ID)
    for row, values in enumerate(rows):
        symbols[row, : len(values)] = values
    batch = codec.decode_batch(symbols, np.array([60, 60, 55]))
    assert batch.rows.tolist() == [0, 0]
    assert batch.starts.tolist() == [10, 0]
    assert batch.ends.tolist() == [14, 3]
    assert [LABELS[label] for label in batch.labels] == ["ORG", "PER"]
    assert batch.skipped.tolist() == [0, 0, 3]  # the last runs past a window of 55 bytes


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(3, 3, "PER")], r"span \[3, 3\) 'PER' has no length"),
        ([(5, 3, "PER")], "ends before it starts"),
        ([(55, 61, "PER")], r"\[55, 61\) 'PER' runs past the 60 bytes of the window"),
        ([(-1, 2, "PER")], "runs past"),
        ([(4, 8, "LOC"), (0, 5, "PER")], r"\[0, 5\) 'PER' and span \[4, 8\) 'LOC' overlap"),
        ([(0, 5, "CITY")], r"'CITY' has a label that is none of the 3 known ones \(PER, LOC, ORG\)"),
    ],
)
def test_bad_spans_are_refused_by_name(spans: list[tuple[int, int, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_codec().encode(spans)


def test_spans_that_touch_do_not_overlap() -> None:
    assert check_spans([(3, 5, "B"), (0, 3, "A")], 5, "bytes") == [Span(0, 3, "A"), Span(3, 5, "B")]


def test_300_labels() -> None:
    labels = tuple(f"label {index}" for index in range(300))
    codec = make_codec(512, labels)
    spans = [Span(index, index + 1, label) for index, label in enumerate(labels)]
    assert codec.decode(codec.encode(spans)).spans == spans[::-1]
    with pytest.raises(InputError, match=r"none of the 300 known ones \(.*, \.\.\.\)"):
        codec.encode([(0, 1, "other")])


# Characters and bytes


@given(st.text(max_size=30), st.data())
@settings(max_examples=150)
def test_offsets_are_exact_for_any_unicode(text: str, data: st.DataObject) -> None:
    whole = ByteText(text)
    assert whole.data.tobytes() == text.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    first, last = whole.to_bytes(np.array([start, end]))
    assert whole.data[first:last].tobytes().decode() == text[start:end]
    if start < end:
        back = whole.to_characters(np.array([first]), np.array([last]))
        assert (back[0].tolist(), back[1].tolist(), back[2]) == ([start], [end], 0)


@given(st.text(min_size=1, max_size=12), st.data())
@settings(max_examples=150)
def test_a_span_that_cuts_a_character_is_widened(text: str, data: st.DataObject) -> None:
    whole = ByteText(text)
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start + 1, len(whole)))
    owner = [index for index, character in enumerate(text) for _ in character.encode()]
    first, last, snapped = whole.to_characters(np.array([start]), np.array([end]))
    assert (first[0], last[0]) == (owner[start], owner[end - 1] + 1)
    assert snapped == (len(text[first[0] : last[0]].encode()) != end - start)


def test_character_spans_become_byte_spans() -> None:
    text = ByteText("né à Łódź 😀")
    assert spans_to_bytes(text, [(10, 11, "X"), (5, 9, "LOC")]) == [Span(7, 14, "LOC"), Span(15, 19, "X")]
    assert spans_to_bytes(text, []) == []
    with pytest.raises(InputError, match="overlap"):
        spans_to_bytes(text, [(0, 3, "A"), (2, 4, "B")])
    with pytest.raises(InputError, match="11 characters of the text"):
        spans_to_bytes(text, [(5, 12, "A")])


def test_bytes_that_are_not_utf8_are_named_by_their_offset() -> None:
    with pytest.raises(InputError, match=r"byte 0xff at offset 3 .*errors='replace'"):
        ByteText(b"abc\xff")
    replaced = ByteText("é\ufffd".encode() + b"\xff\xc3", errors="replace")
    assert (replaced.text, replaced.replaced) == ("é\ufffd\ufffd\ufffd", 2)
    assert replaced.data.tobytes() == replaced.text.encode()


def test_a_lone_surrogate_is_named_by_its_offset() -> None:
    text = "a😀\ud83db"
    with pytest.raises(InputError, match=r"lone surrogate \(U\+D83D\) at character 2"):
        ByteText(text)
    replaced = ByteText(text, errors="replace")
    assert (replaced.text, replaced.replaced) == (text, 1)
    assert replaced.data.tobytes().decode() == "a😀\ufffdb"


def test_other_ways_to_handle_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="'strict' or 'replace'"):
        ByteText("a", errors="ignore")


@pytest.mark.parametrize("text", ["", "a", "😀", b"", bytearray(b"a"), memoryview("😀".encode())])
def test_the_shortest_texts(text: str | bytes) -> None:
    whole = ByteText(text)
    assert whole.bounds.tolist() == sorted({0, len(whole)})
    assert len(whole.text) == (len(whole) > 0)

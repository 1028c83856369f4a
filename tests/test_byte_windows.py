from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from byte_references import window_starts
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.byte_windows import (
    Merge,
    ScoredSpan,
    SpanMerger,
    iterate_windows,
    window_bytes,
    window_targets,
)
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import PAD_ID, SpanCodec, SpanOrder, SymbolLayout
from tagsmith.tokenization.spans import Span, TextSpan
from tagsmith.tokenization.text_stream import TextStream

LABELS = ("A", "B", "C")
Spans = list[tuple[int, int, str]]


@st.composite
def gold(draw: st.DrawFn, max_length: int = 80) -> tuple[int, Spans]:
    """The length of a text in bytes and spans of it, sorted, which do not overlap."""
    length = draw(st.integers(1, max_length))
    bounds = sorted(draw(st.sets(st.integers(0, length), max_size=16)))
    pairs = itertools.pairwise(bounds)
    return length, [(start, end, draw(st.sampled_from(LABELS))) for start, end in pairs if draw(st.booleans())]


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, int]:
    """A window size and an overlap."""
    size = draw(st.integers(1, 20))
    return size, draw(st.one_of(st.just(size // 2), st.integers(0, size - 1)))


def inside(spans: Spans, offset: int, size: int) -> Spans:
    """The spans wholly in a window, in its own offsets."""
    return [(s - offset, e - offset, label) for s, e, label in spans if offset <= s and e <= offset + size]


# Windows at inference


@given(st.integers(0, 200), shapes())
@settings(max_examples=150)
def test_windows_cover_everything(length: int, shape: tuple[int, int]) -> None:
    size, overlap = shape
    starts = window_starts(length, size, overlap).tolist()
    covered = {byte for start in starts for byte in range(start, min(start + size, length))}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))
    if length > size:
        assert starts[-1] == length - size
        assert set(np.diff(starts[:-1]).tolist()) <= {size - overlap}


def test_windows_of_short_texts() -> None:
    assert window_starts(0, 60).tolist() == []
    assert window_starts(1, 60).tolist() == window_starts(60, 60).tolist() == [0]
    assert window_starts(61, 60).tolist() == [0, 1]
    assert window_starts(120, 60).tolist() == [0, 30, 60]
    assert window_starts(121, 60).tolist() == [0, 30, 60, 61]
    assert window_starts(10, 8).tolist() == [0, 2]
    assert window_starts(1000, 512).tolist() == [0, 256, 488]


@given(st.binary(max_size=200), shapes(), st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=150)
def test_windows_of_a_stream_are_those_of_the_whole(data: bytes, shape: tuple[int, int], cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(bounds)]
    expected = [(start, data[start : start + shape[0]]) for start in window_starts(len(data), *shape).tolist()]
    for source in (data, iter(pieces), np.frombuffer(data, dtype=np.uint8)):
        assert [(start, window.tobytes()) for start, window in iterate_windows(source, *shape)] == expected


def test_windows_across_blocks() -> None:
    data = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    starts = window_starts(len(data), 60).tolist()
    windows = dict(iterate_windows(data, 60))
    assert list(windows) == starts
    assert all(windows[start].tobytes() == data[start : start + 60] for start in starts)


@pytest.mark.parametrize(("size", "overlap"), [(60, 60), (60, -1), (0, None)])
def test_windows_that_do_not_go_forward_are_refused(size: int, overlap: int | None) -> None:
    with pytest.raises(ValueError, match="at least"):
        window_starts(100, size, overlap)


# Merging


both_rules = pytest.mark.parametrize("rule", ["middle", "paper"])


@both_rules
@given(gold(), shapes())
@settings(max_examples=200)
def test_right_windows_merge_to_gold(rule: Merge, text: tuple[int, Spans], shape: tuple[int, int]) -> None:
    """All spans that some window holds wholly, and no other."""
    (length, spans), (size, overlap) = text, shape
    windows = window_starts(length, size, overlap).tolist()
    predictions = [(w, [(*span, 0.5) for span in inside(spans, w, size)]) for w in windows]
    merged = [tuple(span[:3]) for span in merge(*predictions, size=size, rule=rule)]
    assert merged == [span for span in spans if any(w <= span[0] and span[1] <= w + size for w in windows)]
    assert set(merged) >= {span for span in spans if span[1] - span[0] <= overlap + 1}


@st.composite
def any_predictions(draw: st.DrawFn) -> tuple[int, list[tuple[int, list[tuple[int, int, str, float]]]]]:
    """Windows of a text, with whatever spans a model may have thought of."""
    size, overlap = draw(shapes())
    offsets = window_starts(draw(st.integers(size, 80)), size, overlap).tolist()
    span = st.tuples(st.integers(0, 79), st.integers(1, size), st.sampled_from(LABELS), st.sampled_from([0.2, 0.5]))
    predictions: list[tuple[int, list[tuple[int, int, str, float]]]] = [(offset, []) for offset in offsets]
    for start, length, label, score in draw(st.lists(span, max_size=25)):
        _offset, spans = predictions[draw(st.integers(0, len(offsets) - 1))]
        start %= size
        spans.append((start, min(start + length, size), label, score))
    return size, predictions


@both_rules
@given(any_predictions())
@settings(max_examples=100)
def test_merged_spans_never_overlap(
    rule: Merge,
    case: tuple[int, list[tuple[int, list[tuple[int, int, str, float]]]]],
) -> None:
    size, predictions = case
    merger, merged = SpanMerger(size, rule), []
    for offset, spans in predictions:
        merged += merger.add(offset, spans)
        assert merger.settled <= offset
        assert len(merger._pending) <= 2 * size
    merged += merger.finish()
    assert all(before.end <= after.start for before, after in itertools.pairwise(merged))
    given_ = {(w + start, w + end, label, score) for w, spans in predictions for start, end, label, score in spans}
    assert {tuple(span) for span in merged} <= given_
    assert len(merged) + merger.repeated + merger.outdone == sum(len(spans) for _, spans in predictions)


def merge(
    *predictions: tuple[int, list[tuple[int, int, str, float]]], size: int = 60, rule: Merge = "middle"
) -> list[ScoredSpan]:
    merger = SpanMerger(size, rule)
    return [span for prediction in predictions for span in merger.add(*prediction)] + merger.finish()


def test_the_window_that_sees_on_is_believed() -> None:
    """A window that ends inside a name yields to the next, which sees the whole of it."""
    assert merge((0, [(52, 60, "A", 0.9)]), (30, [(22, 35, "B", 0.4)])) == [(52, 65, "B", 0.4)]


def test_the_start_of_a_window_does_not_contend_with_one_that_saw_more() -> None:
    """Only the earlier window saw where the name begins."""
    assert merge((0, [(25, 38, "A", 0.4)]), (30, [(0, 8, "B", 0.9)])) == [(25, 38, "A", 0.4)]


def test_a_span_of_two_windows_is_the_one_s_with_the_more_around_it() -> None:
    for offset, winner in ((42, 0.3), (43, 0.3), (44, 0.8), (45, 0.8)):  # the middles are 30 and 60
        predictions = (0, [(offset, offset + 3, "A", 0.3)]), (30, [(offset - 30, offset - 27, "A", 0.8)])
        assert merge(*predictions) == [(offset, offset + 3, "A", winner)]
    merger = SpanMerger(60)
    for window, spans in (0, [(43, 47, "A", 0.3)]), (30, [(13, 17, "A", 0.8)]):
        merger.add(window, spans)
    merger.finish()
    assert (merger.repeated, merger.outdone) == (1, 0)


def test_what_only_the_farther_of_two_windows_found_is_not_reported() -> None:
    assert merge((0, []), (30, [(10, 15, "A", 0.8)])) == []
    assert merge((0, [(50, 55, "A", 0.8)]), (30, [])) == []
    assert merge((0, [(50, 55, "A", 0.8)])) == [(50, 55, "A", 0.8)]


def test_of_three_windows_the_middle_one_reports() -> None:
    predictions = [(start, [(45 - start, 50 - start, "A", 0.1 + start / 100)]) for start in (0, 15, 30, 45)]
    assert merge(*predictions) == [(45, 50, "A", 0.25)]


def test_a_draw_goes_to_the_score_then_to_the_earlier_window_then_to_the_first() -> None:
    assert merge((0, [(28, 32, "A", 0.3), (29, 31, "B", 0.4)])) == [(29, 31, "B", 0.4)]
    assert merge((0, [(28, 32, "A", 0.3), (29, 31, "B", 0.3)])) == [(28, 32, "A", 0.3)]
    assert merge((0, [(26, 30, "A", 0.9), (29, 31, "B", 0.3)])) == [(29, 31, "B", 0.3)]
    for first, second, winner in ((0.3, 0.4, 31), (0.4, 0.3, 29), (0.3, 0.3, 29)):
        merged = merge((0, [(29, 59, "A", first)]), (30, [(1, 31, "B", second)]))
        assert [span.start for span in merged] == [winner]


def by_paper(*predictions: tuple[int, list[tuple[int, int, str, float]]], size: int = 60) -> list[ScoredSpan]:
    return merge(*predictions, size=size, rule="paper")


def test_the_paper_drops_what_a_window_says_of_its_last_bytes() -> None:
    """Those that the next window holds too: 30 of windows that overlap by 30, whether that one finds any or not."""
    assert by_paper((0, [(30, 35, "A", 0.9), (52, 60, "A", 0.9)]), (30, [])) == []
    assert by_paper((0, [(30, 35, "A", 0.9)]), (30, [(0, 8, "B", 0.1)])) == [(30, 38, "B", 0.1)]
    assert by_paper((0, [(50, 55, "A", 0.8)])) == [(50, 55, "A", 0.8)]  # no next window
    assert by_paper((0, [(50, 55, "A", 0.8)]), (60, [])) == [(50, 55, "A", 0.8)]  # nor one that overlaps
    last_two = (0, [(8, 12, "A", 0.9), (11, 14, "A", 0.9)]), (10, [])  # the last window overlaps by 50
    assert by_paper(*last_two) == [(8, 12, "A", 0.9)]


def test_by_the_paper_a_straddling_span_is_of_the_byte_that_it_starts_at() -> None:
    """It starts before the window's last 30 bytes and ends in them."""
    assert by_paper((0, [(29, 60, "A", 0.1)]), (30, [])) == [(29, 60, "A", 0.1)]
    assert by_paper((0, [(25, 38, "A", 0.4)]), (30, [(0, 8, "B", 0.9)])) == [(30, 38, "B", 0.9)]  # 0 is before 25
    assert by_paper((0, [(2, 38, "A", 0.4)]), (30, [(3, 8, "B", 0.9)])) == [(2, 38, "A", 0.4)]


def test_by_the_paper_the_earliest_in_its_own_window_stays() -> None:
    assert by_paper((0, [(20, 40, "A", 0.9)]), (30, [(9, 12, "B", 0.1)])) == [(39, 42, "B", 0.1)]
    assert by_paper((0, [(3, 9, "A", 0.1), (5, 8, "B", 0.9)])) == [(3, 9, "A", 0.1)]
    for first, second, winner in ((0.3, 0.4, 35), (0.4, 0.3, 5), (0.3, 0.3, 5)):  # a draw: score, then window
        merged = by_paper((0, [(5, 36, "A", first)]), (30, [(5, 9, "B", second)]))
        assert [span.start for span in merged] == [winner]


def test_other_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="merge is 'first'; it is 'middle' or 'paper'"):
        SpanMerger(60, "first")  # type: ignore[arg-type]


def test_spans_come_as_soon_as_they_are_final() -> None:
    merger = SpanMerger(60)
    assert merger.add(0, [(0, 5, "A", 0.5), (25, 31, "B", 0.5)]) == []
    assert merger.settled == 0
    assert merger.add(30, []) == [(0, 5, "A", 0.5)]
    assert merger.settled == 25
    assert merger.add(60, []) == [(25, 31, "B", 0.5)]
    assert (merger.settled, merger.finish()) == (60, [])


def test_windows_out_of_order_are_refused() -> None:
    merger = SpanMerger(60)
    merger.add(30, [])
    with pytest.raises(ValueError, match="not in order"):
        merger.add(0, [])


# Training


@given(gold(), st.sampled_from([1, 8, 60, 512]), st.sampled_from(["last_first", "first_first"]), st.data())
@settings(max_examples=150)
def test_targets_are_what_the_codec_writes(
    text: tuple[int, Spans], size: int, order: SpanOrder, data: st.DataObject
) -> None:
    length, spans = text
    layout = SymbolLayout(size, LABELS)
    offsets = np.array(data.draw(st.lists(st.integers(0, length - 1), max_size=5)), dtype=np.int64)
    starts, ends = (np.array([span[side] for span in spans], dtype=np.int64) for side in (0, 1))
    labels = np.array([LABELS.index(span[2]) for span in spans], dtype=np.int64)
    stops = np.minimum(offsets + size, length)
    targets, lengths = window_targets(offsets, stops, starts, ends, labels, layout, order)
    expected = [SpanCodec(layout).encode(inside(spans, offset, size), order) for offset in offsets.tolist()]
    assert [row[:n].tolist() for row, n in zip(targets, lengths, strict=True)] == expected
    assert (targets == PAD_ID).sum() == targets.size - lengths.sum()


def test_a_window_stops_at_the_end_of_its_document() -> None:
    layout = SymbolLayout(8, LABELS)
    starts, ends, labels = np.array([1, 6]), np.array([3, 8]), np.array([0, 1])  # the second document begins at 5
    targets, lengths = window_targets(np.array([0, 0]), np.array([5, 8]), starts, ends, labels, layout)
    assert lengths.tolist() == [4, 7]
    assert SpanCodec(layout).decode(targets[0]).spans == [Span(1, 3, "A")]
    data = np.frombuffer(b"abcdefgh", dtype=np.uint8)
    ids = window_bytes(data, np.array([0, 5, 8]), np.array([5, 8, 8]))
    assert ids.tolist() == [[*b"abcde"], [*b"fgh", PAD_ID, PAD_ID], [PAD_ID] * 5]
    assert window_bytes(data[:0], np.array([0]), np.array([0])).shape == (1, 0)


# Texts as streams


def tag(stream: TextStream, find: Callable[[bytes], Spans]) -> Iterator[TextSpan]:
    for offset, window in stream.windows():
        yield from stream.add(offset, [(*span, 0.5) for span in find(window.tobytes())])
    yield from stream.finish()


@given(st.text(max_size=60), st.data(), shapes())
@settings(max_examples=150)
def test_a_streamed_text_gives_exact_words(text: str, data: st.DataObject, shape: tuple[int, int]) -> None:
    """Whatever bytes a model takes for spans, their characters do not overlap and read as the text does there."""
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3))), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(cuts)]
    every_other = st.lists(st.booleans(), min_size=20, max_size=20)
    chosen = data.draw(every_other)

    def find(window: bytes) -> Spans:
        return [(i, min(i + 2, len(window)), "A") for i in range(len(window)) if chosen[i]]

    streams = [TextStream(source, *shape) for source in (text, text.encode(), iter(pieces))]
    tagged = [list(tag(stream, find)) for stream in streams]
    assert tagged[0] == tagged[1] == tagged[2]
    assert all(text[span.start : span.end] == span.word != "" for span in tagged[0])
    assert all(a.end <= b.start for a, b in zip(tagged[0], tagged[0][1:], strict=False))


def test_a_span_inside_an_emoji_is_widened_and_counted() -> None:
    stream = TextStream("😀", 60)
    assert list(tag(stream, lambda _: [(1, 2, "A")])) == [TextSpan(0, 1, "A", 0.5, "😀")]
    assert (stream.snapped, stream.dropped) == (1, 0)
    stream = TextStream("😀a", 60)
    assert list(tag(stream, lambda _: [(0, 2, "A"), (2, 4, "B"), (4, 5, "C")])) == [
        TextSpan(0, 1, "A", 0.5, "😀"),
        TextSpan(1, 2, "C", 0.5, "a"),
    ]
    assert (stream.snapped, stream.dropped) == (2, 1)


def test_the_shortest_texts() -> None:
    for text in ("", b"", [], [""], iter(["", ""])):
        assert list(TextStream(text, 60).windows()) == []
    (offset, window), *rest = TextStream("a", 60).windows()
    assert (offset, window.tolist(), rest) == (0, [97], [])


def words(window: bytes) -> Spans:
    """The runs of bytes that are not x; those at a window's end may be cut, as a model cannot know either."""
    found, start = [], None
    for position, byte in enumerate(window + b"x"):
        if byte != ord("x"):
            start = position if start is None else start
        elif start is not None:
            found.append((start, position, "A"))
            start = None
    return [span for span in found if span[0] > 0]


def test_a_long_text_across_blocks() -> None:
    text = ("x" * 97 + "Łódź" + "x" * 60 + "😀é") * 3_000 + "x"
    expected = [
        (start, "Łódź" if start % 163 == 97 else "😀é") for start in range(len(text)) if start % 163 in (97, 161)
    ]
    for source in (text, text.encode(), (text[i : i + 7_001] for i in range(0, len(text), 7_001))):
        stream = TextStream(source, 60)
        assert [(span.start, span.word) for span in tag(stream, words)] == expected
        assert stream.snapped == 0


@pytest.mark.parametrize("found", [True, False])
def test_memory_does_not_grow_with_the_text(found: bool) -> None:
    def peak(pieces: int) -> int:
        stream = TextStream(("x" * 5_000 + "é" + "x" * 5_000 for _ in range(pieces)), 512, 0)
        tracemalloc.start()
        tagged = sum(1 for _ in tag(stream, lambda w: [(5, 6, "A")] if found else []))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert bool(tagged) == found
        return top

    assert peak(400) < 1.2 * peak(50)


def test_what_is_not_utf8_is_named_by_its_offset_in_the_whole() -> None:
    data = "é".encode() * 50_000
    with pytest.raises(InputError, match="0xff at offset 100000"):
        list(TextStream(data + b"\xff" + data, 60).windows())
    with pytest.raises(InputError, match="offset 100000"):
        list(TextStream(iter([data, b"\xff", data]), 60).windows())
    with pytest.raises(InputError, match="offset 100000"):
        list(TextStream(data + b"\xc3", 60).windows())
    with pytest.raises(InputError, match="at character 70000"):
        list(TextStream("a" * 70_000 + "\udc00", 60).windows())
    stream = TextStream(data + b"\xff" + data, 60, errors="replace")
    assert max(offset for offset, _ in stream.windows()) == 200_003 - 60
    assert stream.replaced == 1


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=5))
@settings(max_examples=100)
def test_broken_bytes_read_alike_in_pieces_and_whole(data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = (data[start:end] for start, end in itertools.pairwise(bounds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagsmith.tokenization.text_stream.BLOCK", 3)
        patch.setattr("tagsmith.tokenization.byte_windows.BLOCK", 3)
        stream = TextStream(pieces, 1, 0, errors="replace")
        read = b"".join(window.tobytes() for _, window in stream.windows())
    assert read.decode() == data.decode(errors="replace")


@pytest.mark.parametrize("text", [["a", b"b"], [1], [None]])
def test_other_things_than_texts_are_refused(text: list[object]) -> None:
    with pytest.raises(TypeError, match="str or bytes"):
        list(TextStream(text, 60).windows())  # type: ignore[arg-type]


def test_10_mb_without_a_space() -> None:
    stream = TextStream("a" * 10_000_000, 512)
    assert sum(1 for _ in stream.windows()) == len(window_starts(10_000_000, 512))

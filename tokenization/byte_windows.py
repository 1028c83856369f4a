"""Windows of bytes: which a text is read in, what each should answer in training, and how their answers are merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from .span_codec import PAD_ID, SpanOrder, SymbolLayout
from .spans import ScoredSpan

BLOCK = 65_536  # characters or bytes of a text that are read at a time
Bytes = bytes | bytearray | memoryview
Merge = Literal["middle", "paper"]


def iterate_windows(
    data: Bytes | np.ndarray | Iterable[Bytes | np.ndarray], window_size: int, overlap: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of data of any length, in constant memory: every `window_size - overlap` bytes, the last at the end.

    So every window is full, unless the data are shorter than one, and the last two may overlap by more. A span of up
    to `overlap + 1` bytes lies wholly in at least one window.

    Args:
        data: bytes, or an iterator of pieces of any size. No bytes give no window.
        window_size: k, in bytes.
        overlap: of two windows, in bytes; None for half a window, as in the paper.

    Yields:
        The offset of a window and its bytes, uint8 `(k,)`, fewer only where the whole is shorter than a window.
    """
    stride = window_size - check_overlap(window_size, overlap)
    buffer = np.empty(0, dtype=np.uint8)
    base, following = 0, 0  # offsets of the buffer and of the next window
    pieces = [data] if isinstance(data, Bytes | np.ndarray) else data
    for piece in pieces:
        whole = np.frombuffer(piece, dtype=np.uint8)
        for first in range(0, len(whole), BLOCK):
            buffer = np.concatenate([buffer, whole[first : first + BLOCK]])
            end = base + len(buffer)
            while following + window_size < end:  # not yet the last
                yield following, buffer[following - base : following - base + window_size]
                following += stride
            kept = max(end - window_size, 0)
            buffer, base = buffer[kept - base :], kept
    if len(buffer):
        yield base, buffer


def check_overlap(window_size: int, overlap: int | None) -> int:
    """The overlap, half a window if none is given.

    Raises:
        ValueError: windows would not go forward, or would leave bytes out.
    """
    if window_size < 1:
        raise ValueError(f"window_size is {window_size}; a window holds at least 1 byte.")
    if overlap is None:
        return window_size // 2
    if not 0 <= overlap < window_size:
        raise ValueError(f"overlap is {overlap}; it is at least 0 and less than the window of {window_size} bytes.")
    return overlap


def window_bytes(data: np.ndarray, window_starts: np.ndarray, window_ends: np.ndarray) -> np.ndarray:
    """A batch of windows as ids, right-padded by PAD.

    Args:
        data: uint8 `(bytes,)`, of one document or many.
        window_starts: `(batch,)` offsets.
        window_ends: `(batch,)` ends, exclusive: of the window or, where that comes first, of its document.

    Returns:
        int64 `(batch, longest window)`.
    """
    lengths = np.asarray(window_ends) - window_starts
    columns = np.arange(int(lengths.max(initial=0)))
    inside = columns < lengths[:, None]
    ids = np.full(inside.shape, PAD_ID, dtype=np.int64)
    ids[inside] = data[(np.asarray(window_starts)[:, None] + columns)[inside]]
    return ids


def window_targets(
    window_starts: np.ndarray,
    window_ends: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    labels: np.ndarray,
    layout: SymbolLayout,
    order: SpanOrder = "last_first",
) -> tuple[np.ndarray, np.ndarray]:
    """What a model should emit for each window of a batch: the spans wholly inside it, then STOP.

    Section 3 of the paper, in which the last span comes first. A window may begin and end inside a word or character.

    Args:
        window_starts: `(batch,)` offsets.
        window_ends: `(batch,)` ends, exclusive: of the window or, where that comes first, of its document.
        starts: `(spans,)` first bytes of the data's spans, in order; they do not overlap and none is empty.
        ends: `(spans,)` ends, exclusive.
        labels: `(spans,)` indices into the layout's labels.
        layout: of the symbols.
        order: of a window's spans.

    Returns:
        int64 symbols `(batch, time)`, right-padded by PAD, and the length of each row `(batch,)`, STOP included.
    """
    first = np.searchsorted(starts, window_starts, side="left")
    after = np.searchsorted(ends, window_ends, side="right")
    counts = np.maximum(after - first, 0)
    lengths = 3 * counts + 1
    targets = np.full((len(lengths), int(lengths.max(initial=1))), PAD_ID, dtype=np.int64)
    rows = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)  # 0, 1, ... in each window
    spans = after[rows] - 1 - turn if order == "last_first" else first[rows] + turn
    columns = 3 * turn
    targets[rows, columns] = layout.first_start + starts[spans] - np.asarray(window_starts)[rows]
    targets[rows, columns + 1] = layout.first_length + ends[spans] - starts[spans]
    targets[rows, columns + 2] = layout.first_label + labels[spans]
    targets[np.arange(len(counts)), lengths - 1] = layout.stop
    return targets, lengths


def window_tags(
    window_starts: np.ndarray, window_ends: np.ndarray, starts: np.ndarray, ends: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """The tag of each byte of a batch of windows: 0 for O, then for each label B, I, E and S.

    Spans count where they reach into a window, too.

    Args:
        window_starts: as in `window_targets`.
        window_ends: as in `window_targets`.
        starts: as in `window_targets`.
        ends: as in `window_targets`.
        labels: `(spans,)` indices.

    Returns:
        int64 `(batch, longest window)`, -100 at padding.
    """
    lengths = np.asarray(window_ends) - window_starts
    columns = np.arange(int(lengths.max(initial=0)))
    places = np.asarray(window_starts)[:, None] + columns
    tags = np.zeros(places.shape, dtype=np.int64)
    if len(starts):
        span = np.maximum(np.searchsorted(starts, places, side="right") - 1, 0)
        first, last = places == starts[span], places == ends[span] - 1
        inside = (starts[span] <= places) & (places < ends[span])
        kinds = np.where(first, np.where(last, 3, 0), np.where(last, 2, 1))
        tags[inside] = (1 + 4 * labels[span].astype(np.int64) + kinds)[inside]
    tags[columns >= lengths[:, None]] = -100
    return tags


class _Candidate(NamedTuple):
    rank: tuple[int, float, int]  # the smaller wins: place in the window, as the rule has it, -score, window
    span: ScoredSpan


class SpanMerger:
    """Merges what overlapping windows predict into spans that do not overlap, window by window.

    By the rule "middle", since a window's edge misleads (what lies beside it is seen without what goes before or
    after), a span is reported by the window that holds it nearest to its middle (the earlier one of two), and by no
    other that holds it wholly. Of spans that overlap nevertheless, the one nearest to its window's middle stays.

    By the rule "paper" (section 5), what a window says of the bytes that the next one holds too, 30 where windows
    overlap by 30, is dropped. The paper does not say of which bytes a span is that begins before them and ends in
    them. Here it is of the byte that it starts at, so it stays: the next window cannot hold it. Of overlapping spans
    the one that starts earliest in its own window stays (the authors in correspondence, as a replication reports:
    github.com/davidandym/multilingual-NER).

    By either, a draw goes to the higher score, then to the earlier window, then to what starts or was emitted first.

    Contests are settled as windows arrive: what has lost does not come back should its winner lose to a later one.
    Thus memory is constant, and a span is final once a window begins at its end or behind it.

    If every window predicts exactly the gold spans wholly inside it, the result is exactly the gold spans that lie
    wholly in some window, among them all of up to `overlap + 1` bytes.

    Args:
        window_size: k, in bytes.
        rule: "middle" or "paper".

    Attributes:
        repeated: predictions left to another window that holds them: nearer to its middle, or the next one.
        outdone: predictions that lost against one that overlaps.

    Raises:
        ValueError: another rule.
    """

    def __init__(self, window_size: int, rule: Merge = "middle") -> None:
        if rule not in get_args(Merge):
            raise ValueError(f"merge is {rule!r}; it is {' or '.join(map(repr, get_args(Merge)))}.")
        self.window_size, self.rule = window_size, rule
        self.repeated = self.outdone = 0
        self._window_start: int | None = None
        self._recent: list[_Candidate] = []  # of the last window, which the next one may hold nearer to its middle
        self._pending: list[_Candidate] = []  # in order, not overlapping

    def add(self, window_start: int, spans: Iterable[tuple[int, int, Any, float]]) -> list[ScoredSpan]:
        """Take the next window's predictions.

        Args:
            window_start: offset of the window; windows come in order.
            spans: start and end (exclusive) in bytes of the window, label, score; they may overlap.

        Returns:
            The spans, in bytes of the text and in its order, that no later window can touch.
        """
        before = self._window_start
        if before is not None and window_start < before:
            raise ValueError(f"The window at {window_start} comes after that at {before}: not in order.")
        self._contend(window_start)
        final = [candidate.span for candidate in self._pending if candidate.span.end <= window_start]
        self._pending = self._pending[len(final) :]
        for start, end, label, score in sorted(spans, key=lambda span: (span[0], -span[3])):
            span = ScoredSpan(window_start + start, window_start + end, label, score)
            place = self._place(window_start, span)
            held = before is not None and span.end <= before + self.window_size
            if held and self._place(before, span) <= place:
                self.repeated += 1
            else:
                self._recent.append(_Candidate((place, -score, window_start), span))
        self._window_start = window_start
        return final

    def _place(self, window_start: Any, span: ScoredSpan) -> int:
        """The smaller, the better: twice the bytes between the middles of window and span, or the span's start."""
        if self.rule == "paper":
            return span.start - int(window_start)
        return abs(2 * window_start + self.window_size - span.start - span.end)

    def _contend(self, window_start: int | None) -> None:
        """Let the last window's spans contend, except for those that the next one is to report."""
        for candidate in self._recent:
            held = window_start is not None and candidate.span.start >= window_start
            if held and self._place(window_start, candidate.span) < candidate.rank[0]:
                self.repeated += 1
                continue
            start, end = candidate.span[:2]
            rivals = [other for other in self._pending if other.span.start < end and start < other.span.end]
            if any(rival.rank <= candidate.rank for rival in rivals):
                self.outdone += 1
                continue
            self.outdone += len(rivals)
            self._pending = [other for other in self._pending if other not in rivals]
            self._pending.append(candidate)
            self._pending.sort(key=lambda other: other.span.start)
        self._recent = []

    def finish(self) -> list[ScoredSpan]:
        """The spans left, after the last window."""
        self._contend(None)
        final = [candidate.span for candidate in self._pending]
        self._pending = []
        return final

    @property
    def settled(self) -> int:
        """The offset before which no span is pending."""
        starts = [candidate.span.start for candidate in (*self._pending, *self._recent)]
        return min([self._window_start or 0, *starts])

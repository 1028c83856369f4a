"""Symbols of the byte-to-span family: spans of a window as a sequence of symbols and back, and bytes as characters.

Gillick, Brunk, Vinyals and Subramanya, "Multilingual Language Processing From Bytes" (2016), section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np

from .input_error import InputError
from .spans import Span

GO_ID, DROP_ID, PAD_ID = 256, 257, 258
_FIRST_START = 259
SpanOrder = Literal["last_first", "first_first"]


@dataclass(frozen=True)
class SymbolLayout:
    """Which id stands for what, one table for input and output, since an emitted symbol is the next input.

    Bytes are 0 to 255, then GO, DROP and PAD, the starts `0..k-1`, the lengths `0..k`, STOP and the labels. Labels
    come last, so that a label can be added and no other id moves.

    Args:
        window_size: k, in bytes.
        labels: in the order of their ids; held as a tuple.

    Raises:
        ValueError: the window holds no byte, or a label is empty, no string, or given twice.
    """

    window_size: int
    labels: Sequence[str]

    def __post_init__(self) -> None:
        """Check, and hold the labels as a tuple whatever sequence they came in."""
        if isinstance(self.labels, str):
            raise ValueError(f"The labels are the string {self.labels!r}. Pass a list of labels.")
        object.__setattr__(self, "labels", tuple(self.labels))
        if self.window_size < 1:
            raise ValueError(f"window_size is {self.window_size}; a window holds at least 1 byte.")
        for index, label in enumerate(self.labels):
            if not isinstance(label, str) or not label:
                raise ValueError(f"Label {index} is {label!r}; a label is a string that is not empty.")
            if label in self.labels[:index]:
                raise ValueError(f"The label {label!r} is given twice.")

    @property
    def first_start(self) -> int:
        """The id of start 0."""
        return _FIRST_START

    @property
    def first_length(self) -> int:
        """The id of length 0."""
        return self.first_start + self.window_size

    @property
    def stop(self) -> int:
        """The id of STOP."""
        return self.first_length + self.window_size + 1

    @property
    def first_label(self) -> int:
        """The id of the first label."""
        return self.stop + 1

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return self.first_label + len(self.labels)

    @cached_property
    def label_ids(self) -> dict[str, int]:
        """The id of each label."""
        return {label: self.first_label + index for index, label in enumerate(self.labels)}


def check_spans(spans: Iterable[tuple[int, int, str]], length: int, unit: str) -> list[Span]:
    """Sort spans by position, after checking that each has a length and a place, and that none overlap.

    Args:
        spans: start, end (exclusive) and label.
        length: of what the spans lie in.
        unit: for the errors, as in "characters of the text".

    Raises:
        InputError: a span of no length or outside; two spans that overlap (both are named).
    """
    ordered = sorted(Span(*span) for span in spans)
    for span in ordered:
        if span.end <= span.start:
            found = "has no length" if span.end == span.start else "ends before it starts"
            raise InputError(f"{_name(span)} {found}", fix="Fix its offsets (the end is exclusive), or leave it out.")
        if span.start < 0 or span.end > length:
            raise InputError(f"{_name(span)} runs past the {length:,} {unit}", fix="Check what its offsets count.")
    for before, after in pairwise(ordered):
        if after.start < before.end:
            raise InputError(f"{_name(before)} and {_name(after)} overlap", fix="Keep one of them.")
    return ordered


def check_span_order(order: SpanOrder) -> SpanOrder:
    """The order, where it is one."""
    if order not in get_args(SpanOrder):
        raise ValueError(f"The order of spans is {order!r}; it is {' or '.join(map(repr, get_args(SpanOrder)))}.")
    return order


def _name(span: Span) -> str:
    return f"span [{span.start}, {span.end}) {span.label!r}"


class Decoded(NamedTuple):
    """What a sequence of symbols says: spans as emitted, in bytes of the window.

    `symbols[position : position + 3]` are the start, length and label of the span, whose probabilities make its score.
    """

    spans: list[Span]
    positions: list[int]
    skipped: int


class DecodedBatch(NamedTuple):
    """The spans of a batch, each array `(spans,)`, by row and then as emitted; `skipped` is `(batch,)`."""

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray  # indices into the layout's labels
    positions: np.ndarray
    skipped: np.ndarray


class SpanCodec:
    """Spans of a window to symbols and back, and the grammar that the symbols follow.

    A span is three symbols: start, length, label. STOP ends them. Spans are written the last first, as in section 3 of
    the paper, or the first first, and read in any order.
    """

    def __init__(self, layout: SymbolLayout) -> None:
        self.layout = layout

    def encode(self, spans: Iterable[tuple[int, int, str]], order: SpanOrder = "last_first") -> list[int]:
        """Spans that lie wholly in a window, as symbols.

        Args:
            spans: start, end (exclusive) in bytes of the window, and label, in any order.
            order: in which they are written; a model's is its configuration's `span_order`.

        Raises:
            InputError: a span of no length, past the window or of an unknown label; spans that overlap.
            ValueError: another order.
        """
        layout = self.layout
        symbols: list[int] = []
        ordered = check_spans(spans, layout.window_size, "bytes of the window")
        for span in reversed(ordered) if check_span_order(order) == "last_first" else ordered:
            if span.label not in layout.label_ids:
                known = ", ".join(layout.labels[:10]) + (", ..." if len(layout.labels) > 10 else "")
                raise InputError(
                    f"{_name(span)} has a label that is none of the {len(layout.labels)} known ones ({known})",
                    fix="Correct the label, or give the model a label set that holds it.",
                )
            symbols.append(layout.first_start + span.start)
            symbols.append(layout.first_length + span.end - span.start)
            symbols.append(layout.label_ids[span.label])
        return [*symbols, layout.stop]

    def decode(self, symbols: Sequence[int] | np.ndarray, window_length: int | None = None) -> Decoded:
        """Symbols to spans, whatever the symbols; see `decode_batch`."""
        lengths = None if window_length is None else np.array([window_length])
        batch = self.decode_batch(np.asarray(symbols, dtype=np.int64).reshape(1, -1), lengths)
        labels = [self.layout.labels[label] for label in batch.labels.tolist()]
        spans = list(map(Span, batch.starts.tolist(), batch.ends.tolist(), labels))
        return Decoded(spans, batch.positions.tolist(), int(batch.skipped[0]))

    def decode_batch(self, symbols: np.ndarray, window_lengths: np.ndarray | None = None) -> DecodedBatch:
        """A batch of symbol sequences to spans. Never fails: what does not fit the grammar is skipped and counted.

        A sequence is read up to its first STOP, or its end. Where start, length, label do not follow each other, or
        the length is 0 or runs past the window, one symbol is skipped and the reading continues at the next. Since a
        symbol has one kind, two triples that fit never share a symbol: all positions are read at once to the same end.

        Args:
            symbols: `(batch, time)`.
            window_lengths: `(batch,)` bytes of each window, where a text is shorter than k.
        """
        layout, k = self.layout, self.layout.window_size
        symbols = np.asarray(symbols, dtype=np.int64)
        limits = np.full(len(symbols), k) if window_lengths is None else np.asarray(window_lengths)
        read = np.cumsum(symbols == layout.stop, axis=1) == 0
        starts = symbols[:, :-2] - layout.first_start
        lengths = symbols[:, 1:-1] - layout.first_length
        labels = symbols[:, 2:] - layout.first_label
        fits = (starts >= 0) & (starts < k) & (lengths >= 1) & (lengths <= k)
        fits &= (labels >= 0) & (labels < len(layout.labels))
        fits &= (starts + lengths <= limits[:, None]) & read[:, 2:]
        rows, positions = np.nonzero(fits)
        first = starts[fits]
        skipped = read.sum(axis=1) - 3 * fits.sum(axis=1)
        return DecodedBatch(rows, first, first + lengths[fits], labels[fits], positions, skipped)


_SURROGATE = re.compile("[\ud800-\udfff]")


class ByteText:
    """A text, its UTF-8 bytes, and offsets from either into the other, exact for any unicode.

    Attributes:
        text: the text as given, or as decoded from the bytes given.
        data: its bytes, uint8 `(bytes,)`.
        replaced: how often U+FFFD stands for what could not be read.

    Args:
        text: a text, or the bytes of one.
        errors: what is done about bytes that are not UTF-8, and lone surrogates: "strict" raises, "replace" reads
            U+FFFD in their place.
        offset: where it stands in what it is a piece of, in its own unit, for the errors.

    Raises:
        InputError: with "strict", naming the offset of the first byte or character that is wrong.
    """

    def __init__(self, text: str | bytes | bytearray | memoryview, errors: str = "strict", offset: int = 0) -> None:
        if errors not in ("strict", "replace"):
            raise ValueError(f"errors is {errors!r}; it is 'strict' or 'replace'.")
        self.replaced = 0
        if isinstance(text, str):
            self.text = text
            data = self._encode(text, errors, offset)
        else:
            data = bytes(text)
            try:
                self.text = data.decode("utf-8", errors)
            except UnicodeDecodeError as error:
                raise _not_utf8(error, offset) from error
            if errors == "replace":
                self.replaced = self.text.count("\ufffd") - data.count("\ufffd".encode())
                data = self.text.encode()
        self.data = np.frombuffer(data, dtype=np.uint8)

    def _encode(self, text: str, errors: str, offset: int) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            if errors == "replace":
                whole, self.replaced = _SURROGATE.subn("\ufffd", text)
                return whole.encode()
            raise _lone_surrogate(error, offset) from error

    def __len__(self) -> int:
        """How many bytes it has."""
        return len(self.data)

    @cached_property
    def bounds(self) -> np.ndarray:
        """The offset of each character's first byte, and the end: `(characters + 1,)`. Bytes 10xxxxxx continue one."""
        return np.append(np.flatnonzero((self.data & 0xC0) != 0x80), len(self.data))

    def to_bytes(self, characters: np.ndarray) -> np.ndarray:
        """Character offsets, 0 to the text's length, as byte offsets."""
        return self.bounds[characters]

    def to_characters(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Byte spans as character spans.

        Args:
            starts: `(spans,)` first bytes.
            ends: `(spans,)` ends, exclusive.

        Returns:
            Starts and ends in characters, and how many spans cut a character and were widened to hold it whole.
        """
        first = self.bounds.searchsorted(starts, side="right") - 1
        last = self.bounds.searchsorted(ends, side="left")
        snapped = (self.bounds[first] != starts) | (self.bounds[last] != ends)
        return first, last, int(snapped.sum())


def _not_utf8(error: UnicodeDecodeError, offset: int) -> InputError:
    return InputError(
        f"the bytes are not UTF-8: byte 0x{error.object[error.start]:02x} at offset {offset + error.start} "
        f"({error.reason})",
        fix="Convert them to UTF-8, or pass errors='replace' to read U+FFFD there.",
    )


def _lone_surrogate(error: UnicodeEncodeError, offset: int) -> InputError:
    return InputError(
        f"the text holds a lone surrogate (U+{ord(error.object[error.start]):04X}) at character "
        f"{offset + error.start}, which no UTF-8 can carry",
        fix="Decode the bytes it came from again, or pass errors='replace' to read U+FFFD there.",
    )

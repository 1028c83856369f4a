"""A text of any length, as windows of bytes, and the spans that are found in these, as spans of the text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from .byte_windows import BLOCK, Bytes, Merge, SpanMerger, check_overlap, iterate_windows
from .span_codec import ByteText
from .spans import ScoredSpan, TextSpan


class TextStream:
    """A text of any length, as windows of bytes; and their predictions, as spans of characters. Constant memory.

    Read `windows`, and hand each window's predictions back to `add`, in order; `finish` gives what is left.

    Args:
        text: a text, its bytes, or an iterator of pieces of either.
        window_size: k, in bytes.
        overlap: as in `iterate_windows`.
        errors: as in `ByteText`.
        merge: the rule, as in `SpanMerger`.

    Attributes:
        merger: the `SpanMerger`, with its counts.
        replaced: how often U+FFFD stands for what could not be read.
        snapped: spans that cut a character, and were widened to hold it whole.
        dropped: of these, spans of nothing but a part of a character that the span before holds.
    """

    def __init__(
        self,
        text: str | Bytes | Iterable[str] | Iterable[Bytes],
        window_size: int,
        overlap: int | None = None,
        errors: str = "strict",
        merge: Merge = "middle",
    ) -> None:
        self.window_size, self.overlap, self.errors = window_size, check_overlap(window_size, overlap), errors
        self.merger = SpanMerger(window_size, merge)
        self.replaced = self.snapped = self.dropped = 0
        self._text = text
        self._blocks: deque[tuple[int, int, ByteText]] = deque()  # offset in bytes, in characters
        self._last_end = 0

    def windows(self) -> Iterator[tuple[int, np.ndarray]]:
        """The offsets and bytes of the windows (see `iterate_windows`).

        Raises:
            InputError: once the reading comes to what is not UTF-8, with its offset.
            TypeError: the text or a piece of it is neither text nor bytes.
        """
        return iterate_windows(self._read(), self.window_size, self.overlap)

    def _read(self) -> Iterator[np.ndarray]:
        byte, character = 0, 0
        for offset, piece in _pieces(self._text):
            block = ByteText(piece, self.errors, offset)
            self.replaced += block.replaced
            self._blocks.append((byte, character, block))
            byte, character = byte + len(block), character + len(block.text)
            yield block.data

    def add(self, window_start: int, spans: Iterable[tuple[int, int, Any, float]]) -> list[TextSpan]:
        """Take the next window's predictions, give the spans that are final (see `SpanMerger.add`)."""
        return self.locate(self.merger.add(window_start, spans), self.merger.settled)

    def finish(self) -> list[TextSpan]:
        """The spans left, after the last window."""
        return self.locate(self.merger.finish())

    def locate(self, spans: Iterable[tuple[int, int, Any, float]], settled: int = 0) -> list[TextSpan]:
        """Spans of the text's bytes as spans of characters, with their words.

        Args:
            spans: start, end (exclusive), label and score, as `ScoredSpan`, in the order of the text, also from call
                to call; they do not overlap.
            settled: the offset before which no later call has a span.
        """
        located = []
        for span in map(ScoredSpan._make, spans):
            while self._blocks[0][0] + len(self._blocks[0][2]) <= span.start:
                self._blocks.popleft()  # spans come in order
            start, cut_start = self._character(span.start, "right")
            end, cut_end = self._character(span.end, "left")
            self.snapped += cut_start or cut_end
            start = max(start, self._last_end)
            if start >= end:
                self.dropped += 1
                continue
            self._last_end = end
            located.append(TextSpan(start, end, span.label, span.score, self._slice(start, end)))
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][2]) <= settled:
            self._blocks.popleft()
        return located

    def _character(self, offset: int, side: Literal["left", "right"]) -> tuple[int, bool]:
        """A byte's character, or that behind it ("left"), and whether the byte is inside one."""
        byte, character, block = next(b for b in self._blocks if offset <= b[0] + len(b[2]))
        index = int(block.bounds.searchsorted(offset - byte, side)) - (side == "right")
        return character + index, bool(block.bounds[index] != offset - byte)

    def _slice(self, start: int, end: int) -> str:
        _, character, block = self._blocks[0]
        if end <= character + len(block.text):
            return block.text[start - character : end - character]
        return "".join(b.text[max(start - c, 0) : max(end - c, 0)] for _, c, b in self._blocks)


def _pieces(text: Any) -> Iterator[tuple[int, Any]]:
    """A text in pieces of about a block, with their offsets; bytes are never parted inside a character."""
    parts: Iterable[Any] = [text] if isinstance(text, str | Bytes) else text
    held: Any = None
    offset = 0
    for part in parts:
        if not isinstance(part, str | Bytes) or (held is not None and isinstance(part, str) != isinstance(held, str)):
            raise TypeError(f"A text is str or bytes, or an iterator of one of them; this has {type(part).__name__}.")
        for first in range(0, len(part), BLOCK):
            piece = part[first : first + BLOCK]
            piece = piece if isinstance(piece, str) else bytes(piece)
            held = piece if held is None else held + piece
            if len(held) >= BLOCK:
                cut = len(held) if isinstance(held, str) else _whole(held)
                yield offset, held[:cut]
                held, offset = held[cut:], offset + cut
    if held:
        yield offset, held


def _whole(data: bytes) -> int:
    """Where to cut bytes so that no character is parted: before the last that begins one of several bytes."""
    for back in range(1, min(4, len(data)) + 1):
        if data[-back] >= 0xC0:
            return len(data) - back
        if data[-back] < 0x80:
            break
    return len(data)

"""What the parts of byte-to-span must equal, written as plainly as they can be."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tagsmith.tokenization.byte_windows import check_overlap
from tagsmith.tokenization.span_codec import ByteText, SymbolLayout, check_spans
from tagsmith.tokenization.spans import Span


def window_starts(length: int, window_size: int, overlap: int | None = None) -> np.ndarray:
    """Where the windows of a text begin: every `window_size - overlap` bytes; the last one ends with the text.

    So every window is full, unless the text is shorter than one, and the last two may overlap by more. A span of up to
    `overlap + 1` bytes lies wholly in at least one window.

    Args:
        length: of the text, in bytes; 0 gives no window.
        window_size: k, in bytes.
        overlap: of two windows, in bytes; None for half a window, as in the paper.
    """
    stride = window_size - check_overlap(window_size, overlap)
    if length == 0:
        return np.empty(0, dtype=np.int64)
    last = max(length - window_size, 0)
    return np.append(np.arange(0, last, stride), last)


def legal_after(layout: SymbolLayout, previous: int, window_length: int | None = None) -> np.ndarray:
    """Which symbols may follow one: bool `(vocabulary,)`.

    After a start comes a length that ends within the window, after a length a label, after STOP only STOP, after a
    label or anything else (GO) a start or STOP.
    """
    limit = layout.window_size if window_length is None else window_length
    legal = np.zeros(layout.vocab_size, dtype=bool)
    if layout.first_start <= previous < layout.first_length:
        longest = max(limit - (previous - layout.first_start), 0)
        legal[layout.first_length + 1 : layout.first_length + 1 + longest] = True
    elif layout.first_length <= previous < layout.stop:
        legal[layout.first_label :] = True
    else:
        legal[layout.stop] = True
        if previous != layout.stop and layout.labels:
            legal[layout.first_start : layout.first_start + limit] = True
    return legal


def spans_to_bytes(text: ByteText, spans: Iterable[tuple[int, int, str]]) -> list[Span]:
    """Spans of characters as spans of bytes, sorted."""
    ordered = check_spans(spans, len(text.text), "characters of the text")
    return [Span(*text.to_bytes(np.array([start, end])).tolist(), label) for start, end, label in ordered]

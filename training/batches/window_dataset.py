"""Training windows: one at every byte of a corpus, drawn in a random order that is computed, never stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from tagsmith.tokenization.byte_windows import window_bytes, window_tags, window_targets
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import PAD_ID, SpanOrder, SymbolLayout, check_span_order
from tagsmith.training.batches.byte_corpus import ByteCorpus

_CHUNK = 4096  # windows whose order is computed at a time
_ROUNDS = 6
_LINE_FEED = 10


class WindowDataset(Dataset[dict[str, np.ndarray]]):
    """The windows of one corpus or several, numbered by the byte that they begin at.

    A window is whole wherever its document has as many bytes: one that would run past the end begins earlier, as the
    last window does in tagging. A share of the windows, chosen at random once and for all, take their line for the
    document: texts are often tagged line by line. Windows are cut out when asked for.

    Args:
        corpora: the corpora, in the order of their windows' numbers; all with the layout's labels.
        layout: of the symbols.
        line_share: of the windows that see nothing but their line, 0 to 1.
        tags: give the tag of each byte too.
        span_order: in which a window's spans are written; that of the model's configuration.

    Raises:
        InputError: a corpus without a byte.
        ValueError: a corpus of other labels, a share out of its range, another order.
    """

    def __init__(
        self,
        corpora: Sequence[ByteCorpus],
        layout: SymbolLayout,
        line_share: float = 0.0,
        tags: bool = False,
        span_order: SpanOrder = "last_first",
    ) -> None:
        if not 0 <= line_share <= 1:
            raise ValueError(f"line_share is {line_share}; it must lie between 0 and 1.")
        for number, corpus in enumerate(corpora):
            if not len(corpus):
                raise InputError(f"corpus {number + 1} of {len(corpora)} has no text")
            if tuple(corpus.names) != tuple(layout.labels):
                raise ValueError(
                    f"A corpus has the labels {list(corpus.names)}, and the layout {list(layout.labels)}."
                )
        self.corpora, self.layout, self.line_share, self.tags = list(corpora), layout, line_share, tags
        self.span_order = check_span_order(span_order)
        self.line_feeds = [np.flatnonzero(corpus.data == _LINE_FEED) for corpus in corpora]
        self.firsts = np.cumsum([0, *map(len, corpora)])

    def __len__(self) -> int:
        """How many windows there are: as many as bytes."""
        return int(self.firsts[-1])

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """One window: `input_ids` `(bytes,)`, `labels` `(symbols,)`, and with tags `tag_labels` `(bytes,)`."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Several windows at once, as a `DataLoader` asks for them."""
        numbers = np.asarray(indices, dtype=np.int64)
        which = np.searchsorted(self.firsts, numbers, side="right") - 1
        items: list[dict[str, np.ndarray]] = [{}] * len(numbers)
        for index in np.unique(which):
            chosen = np.flatnonzero(which == index)
            cut = self._cut(int(index), numbers[chosen] - self.firsts[index])
            for place, item in zip(chosen, cut, strict=True):
                items[place] = item
        return items

    def _cut(self, index: int, offsets: np.ndarray) -> list[dict[str, np.ndarray]]:
        """The windows of one corpus."""
        corpus = self.corpora[index]
        document = np.searchsorted(corpus.bounds, offsets, side="right") - 1
        begin, end = corpus.bounds[document], corpus.bounds[document + 1]
        if self.line_share:
            begin, end = self._narrow(self.line_feeds[index], offsets, begin, end)
        starts = np.maximum(np.minimum(offsets, end - self.layout.window_size), begin)
        ends = np.minimum(starts + self.layout.window_size, end)
        ids = window_bytes(corpus.data, starts, ends)
        spans = corpus.starts, corpus.ends, corpus.labels
        symbols, lengths = window_targets(starts, ends, *spans, self.layout, self.span_order)
        sizes = ends - starts
        items = [
            {"input_ids": row[:size], "labels": target[:length]}
            for row, size, target, length in zip(ids, sizes, symbols, lengths, strict=True)
        ]
        if self.tags:
            tags = window_tags(starts, ends, *spans)
            for item, row, size in zip(items, tags, sizes, strict=True):
                item["tag_labels"] = row[:size]
        return items

    def _narrow(
        self, line_feeds: np.ndarray, offsets: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The bounds of documents, and for the share of windows that see their line alone, of these lines."""
        bounds = np.concatenate([[-1], line_feeds, [end.max(initial=0)]])
        line = np.searchsorted(line_feeds, offsets)  # a line feed is of the line that it ends
        first, last = np.maximum(begin, bounds[line] + 1), np.minimum(end, bounds[line + 1])
        alone = _mixed(offsets.astype(np.uint64)) < np.uint64(self.line_share * (2**64 - 2**12))
        alone &= first < last
        return np.where(alone, first, begin), np.where(alone, last, end)


class WindowCollator:
    """Right-pads windows to tensors, for the Trainer or any `DataLoader`.

    Gives `input_ids` and `attention_mask` `(batch, bytes)`, `labels` `(batch, symbols)`, -100 at padding, and, where
    the windows have them, `tag_labels` `(batch, bytes)`, padded in the same way.
    """

    def __call__(self, windows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Pad a list of windows."""
        input_ids = _pad([window["input_ids"] for window in windows], PAD_ID)
        batch = {"input_ids": input_ids, "attention_mask": (input_ids != PAD_ID).long()}
        for name in ("labels", "tag_labels"):
            if name in windows[0]:
                batch[name] = _pad([window[name] for window in windows], -100)
        return batch


def _pad(rows: Sequence[Any], value: int) -> Tensor:
    lengths = np.array([len(row) for row in rows])
    inside = np.arange(lengths.max(initial=0)) < lengths[:, None]
    padded = np.full(inside.shape, value, dtype=np.int64)
    padded[inside] = np.concatenate(rows)
    return torch.from_numpy(padded)


class WindowSampler(Sampler[int]):
    """Every window once an epoch, in a random order that is a function of seed and epoch alone.

    So a resumed run continues as it would have, and 25 million windows cost no memory. With `balance`, windows of each
    corpus come equally often: those of a small one again and again, each time in another order, those of a large one
    in part.

    Args:
        sizes: the windows of each corpus.
        seed: of the order.
        balance: whether corpora count alike, whatever their size.
    """

    def __init__(self, sizes: Sequence[int], seed: int, balance: bool = False) -> None:
        self.sizes, self.seed, self.balance, self.epoch = list(sizes), seed, balance, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate's data loader calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(self.sizes)

    def __iter__(self) -> Iterator[int]:
        total = len(self)
        for first in range(0, total, _CHUNK):
            numbers = np.arange(first, min(first + _CHUNK, total))
            yield from (self._balanced(numbers) if self.balance else self._shuffled(numbers)).tolist()

    def _shuffled(self, numbers: np.ndarray) -> np.ndarray:
        return permuted(numbers, len(self), [self.seed, self.epoch])

    def _balanced(self, numbers: np.ndarray) -> np.ndarray:
        count = len(self.sizes)
        drawn, firsts = np.empty_like(numbers), np.cumsum([0, *self.sizes])
        places = numbers + self.epoch * len(self)  # of all epochs: what one left out comes in the next
        for index, size in enumerate(self.sizes):
            mine = np.flatnonzero(places % count == index)
            rounds, inner = np.divmod(places[mine] // count, size)
            for turn in np.unique(rounds):
                now = rounds == turn
                drawn[mine[now]] = firsts[index] + permuted(inner[now], size, [self.seed, index, int(turn)])
        return drawn


def permuted(numbers: np.ndarray, size: int, key: Sequence[int]) -> np.ndarray:
    """Where a random order of `0..size-1` puts numbers, computed for each by itself: no list of the order is made.

    A Feistel network over the next even number of bits (Luby and Rackoff 1988), walked on until it comes back into
    the range (Black and Rogaway 2002).

    Args:
        numbers: int64 `(n,)` within `0..size-1`.
        size: of the range.
        key: which order; non-negative integers.
    """
    half = max((int(size - 1).bit_length() + 1) // 2, 1)
    mask = np.uint64((1 << half) - 1)
    keys = np.random.SeedSequence(list(key)).generate_state(_ROUNDS, np.uint64)
    result = np.asarray(numbers, dtype=np.uint64).copy()
    outside = np.ones(len(result), dtype=bool)
    while outside.any():
        left, right = result[outside] >> np.uint64(half), result[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (_mixed(right + round_key) & mask)
        result[outside] = (left << np.uint64(half)) | right
        outside = result >= size
    return result.astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """A hash of 64-bit numbers: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))

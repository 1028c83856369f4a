"""Training windows of corpora that are read block by block, in memory that does not grow with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.endless import EndlessStream, mixed
from tagsmith.training.batches.window_dataset import WindowDataset, permuted

_BLOCK = 1 << 20  # characters of text that are held together
_UNUSED = {"tokens", "raw"}  # columns that rows need not hold
_CHUNK = 1024  # windows that are cut out together


class ByteStream:
    """A corpus as bytes, block by block, each time from its rows; it is read once for what is counted of it.

    A block has a million characters, and ends with a sentence: a longer document is cut, but for where a span crosses.

    Args:
        rows: corpus rows (see `load_corpus`), that can be iterated over again and again.
        names: the labels, in the order of their ids.
        plain: whether each word bears a plain tag.

    Attributes:
        shared: words left out (see `byte_corpus.documents`).

    Raises:
        InputError: as of `ByteCorpus.of`.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], names: Sequence[str], plain: bool = False) -> None:
        self.rows, self.names, self.plain = rows, names, plain
        self.shared = self._bytes = 0
        self._lengths: Counter[int] = Counter()
        self._letters: Counter[str] = Counter()
        for block in self.blocks():
            self.shared += block.shared
            self._bytes += len(block)
            self._letters += block.letters()
            self._lengths.update((block.ends - block.starts).tolist())

    def __len__(self) -> int:
        """How many bytes there are."""
        return self._bytes

    def count_too_long(self, window_size: int) -> int:
        """How many spans no window of that size holds."""
        return sum(spans for length, spans in self._lengths.items() if length > window_size)

    def letters(self) -> Counter[str]:
        """How many letters of each script the text has."""
        return self._letters

    def blocks(self) -> Iterator[ByteCorpus]:
        """The corpus in its order; blocks without a byte are left out."""
        for rows in _cut(self.rows):
            block = ByteCorpus.of(rows, self.names, self.plain)
            if len(block):
                yield block


def _cut(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows by blocks."""
    block: list[Mapping[str, Any]] = []
    size = reach = 0  # of the block's text, and where its furthest span ends
    for row in rows:
        if size >= _BLOCK and reach <= size:
            yield block
            block, size, reach = [], 0, 0
        block.append({name: value for name, value in row.items() if name not in _UNUSED})
        reach = max([reach, *(size + span["end"] for span in row["spans"])])
        size += len(row["text"]) + len(row.get("after", "\n"))
    if block:
        yield block


def window_stream(
    corpora: Sequence[ByteStream], seed: int, wanted: int, balance: bool = False, **options: Any
) -> EndlessStream:
    """The windows at all bytes of corpora, in random order within each block, for a run of so many windows.

    A run that wants fewer windows than there are takes a like share of each block, so that it reads all of the corpora
    once; one that wants more takes so much of each in a pass that it ends with one.

    Args:
        corpora: of the layout's labels.
        seed: of the order.
        wanted: how many windows the run will draw.
        balance: whether corpora count alike, whatever their size; else each has as many windows as bytes.
        **options: what `WindowDataset` takes beside corpora.

    Raises:
        InputError: a corpus without a byte.
    """
    if empty := [number for number, corpus in enumerate(corpora, 1) if not len(corpus)]:
        raise InputError(f"corpus {empty[0]} of {len(corpora)} has no text")
    shares = [1.0 if balance else float(len(corpus)) for corpus in corpora]

    def begin() -> Iterator[dict[str, np.ndarray]]:
        streams = []
        for index, corpus in enumerate(corpora):
            times = wanted * shares[index] / sum(shares) / len(corpus)
            streams.append(_windows(corpus, options, times / ceil(times), [seed, index]))
        return mixed(streams, shares)

    return EndlessStream(begin)


def _windows(
    corpus: ByteStream, options: Mapping[str, Any], rate: float, key: Sequence[int]
) -> Iterator[dict[str, np.ndarray]]:
    """A share of each block's windows, pass after pass."""
    for number in count():
        for place, block in enumerate(corpus.blocks()):
            windows = WindowDataset([block], **options)
            chosen = ceil(len(windows) * rate)
            for first in range(0, chosen, _CHUNK):
                places = np.arange(first, min(first + _CHUNK, chosen))
                order = permuted(places, len(windows), [*key, number, place])
                yield from windows.__getitems__(order.tolist())

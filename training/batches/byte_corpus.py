"""Corpora as bytes: documents end to end, with their spans in bytes, for the byte-to-span family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from sys import maxsize
from typing import Any

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import ByteText, check_spans
from tagsmith.tokenization.spans import Span
from tagsmith.training.batches.passages import joined_text, offsets
from tagsmith.training.batches.script_counts import letters_by_script


@dataclass
class Document:
    """A document: its text, its spans in characters, and the places of its words where the corpus gives any."""

    text: str
    spans: list[Span]
    starts: list[int]
    plain: bool = False  # whether each word is a span
    shared: int = 0  # words left out, since they share their place with the word before


def documents(rows: Iterable[Mapping[str, Any]], plain: bool = False, by_line: bool = False) -> Iterator[Document]:
    """The documents of a corpus: the texts of consecutive rows of one document, joined by what stood between them.

    Args:
        rows: corpus rows (see `load_corpus`).
        plain: whether each word bears a plain tag. The words of a multiword token ("du" as "de" and "le") share their
            place; no span can lie there twice, and the first one's tag stands.
        by_line: give each row as a document of its own; spans that cross a line end lie partly outside of it.

    Raises:
        InputError: spans that overlap, in other corpora.
    """
    numbers = count()
    for _, group in groupby(rows, key=lambda row: next(numbers) if by_line else row["document"]):
        own = list(group)
        spans: list[Span] = []
        starts: list[int] = []
        shared = 0
        for offset, row in zip(offsets(own), own, strict=False):
            found = sorted(Span(span["start"], span["end"], span["label"]) for span in row["spans"])
            if plain:
                kept = _first_of_each_place(row)
                shared += len(found) - len(kept)
                found = kept
            spans += [Span(start + offset, end + offset, label) for start, end, label in found]
            starts += [start + offset for start in row["starts"]]
        text = joined_text(own)
        if not plain:
            _check(spans, text, maxsize if by_line else len(text))
        yield Document(text, spans, starts, plain, shared)


def _first_of_each_place(row: Mapping[str, Any]) -> list[Span]:
    kept: list[Span] = []
    for start, end, tag in zip(row["starts"], row["ends"], row["tags"], strict=True):
        if not kept or start >= kept[-1].end:
            kept.append(Span(start, end, tag))
    return kept


def _check(spans: list[Span], text: str, length: int) -> None:
    try:
        check_spans(spans, length, "characters of the text")
    except InputError as error:
        raise InputError(f"{error}, in the text {text[:60]!r}") from error


@dataclass
class ByteCorpus:
    """Documents end to end as bytes: a byte of text costs a byte, and a span 18.

    Attributes:
        data: uint8 `(bytes,)`, the documents without anything between them.
        bounds: int64 `(documents + 1,)`, where each begins, and the end.
        starts: int64 `(spans,)`, first bytes, in order.
        ends: int64 `(spans,)`, ends, exclusive.
        labels: uint16 `(spans,)`, indices into `names`.
        names: the labels.
        shared: words left out (see `documents`).
    """

    data: np.ndarray
    bounds: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    shared: int = 0

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], names: Sequence[str], plain: bool = False) -> ByteCorpus:
        """Encode the documents of corpus rows.

        Args:
            rows: corpus rows (see `load_corpus`).
            names: the labels, in the order of their ids.
            plain: as in `documents`.

        Raises:
            InputError: a span of a label that is not among `names`; spans that overlap; a lone surrogate.
        """
        ids = {name: index for index, name in enumerate(names)}
        data: list[np.ndarray] = []
        places: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        bounds, shared = [0], 0
        for document in documents(rows, plain):
            if unknown := {span.label for span in document.spans} - ids.keys():
                raise InputError(f"the corpus has the label {min(unknown)!r}, which the tagger does not know")
            text = ByteText(document.text)
            characters = np.array([span[:2] for span in document.spans], dtype=np.int64).reshape(-1, 2)
            places.append(text.to_bytes(characters) + bounds[-1])
            labels.append(np.array([ids[span.label] for span in document.spans], dtype=np.uint16))
            data.append(text.data)
            bounds.append(bounds[-1] + len(text))
            shared += document.shared
        joined = np.concatenate([np.empty((0, 2), dtype=np.int64), *places])
        return cls(
            np.concatenate([np.empty(0, dtype=np.uint8), *data]),
            np.array(bounds, dtype=np.int64),
            np.ascontiguousarray(joined[:, 0]),
            np.ascontiguousarray(joined[:, 1]),
            np.concatenate([np.empty(0, dtype=np.uint16), *labels]),
            tuple(names),
            shared,
        )

    def __len__(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def letters(self) -> Counter[str]:
        """How many letters of each script the text has."""
        return letters_by_script(self.data)

    def blocks(self) -> Iterator[ByteCorpus]:
        """The whole, as the only block; see `ByteStream`."""
        yield self

    def count_too_long(self, window_size: int) -> int:
        """How many spans no window of that size holds; a tagger can neither learn nor find them."""
        return int((self.ends - self.starts > window_size).sum())

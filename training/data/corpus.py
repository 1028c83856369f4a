"""A corpus: a data set for each split, what reading them found, and whether their tags are plain or spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

from tagsmith.training.data.reading_report import Report

Kind = Literal["plain", "spans"]
_LOOKED_AT = 1000  # rows of a stream


class _Reading:
    """What is known of a corpus beside its rows.

    Args:
        splits: data sets by the names of their splits.
        reports: what reading each split found.
        kind: of all splits, where it is known.

    Attributes:
        reports: what reading each split found: file, format, scheme, sizes and all that was irregular. Splits that
            were not read here have none, nor have those of a stream.
    """

    reports: dict[str, Report]

    def __init__(
        self, splits: Mapping[str, Any] = {}, reports: Mapping[str, Report] = {}, kind: Kind | None = None
    ) -> None:
        super().__init__(splits)  # type: ignore[call-arg]  # of the dictionary beside which this is a base
        self.reports = {split: reports[split] for split in splits if split in reports}
        self._kind = kind

    def scheme(self, split: str = "train") -> str | None:
        """The tag scheme that a split was written in ("plain" for one tag a word); None where it was not read here."""
        return self.reports[split].scheme if split in self.reports else None

    def kind(self, split: str = "train") -> Kind:
        """Whether the split has a plain tag for each word, as parts of speech, or spans."""
        if self._kind is not None:
            return self._kind
        if split in self.reports:
            return "plain" if self.reports[split].scheme == "plain" else "spans"
        return "plain" if is_plain(self[split]) else "spans"  # type: ignore[index]

    def is_plain(self, split: str = "train") -> bool:
        """Whether each word of the split has a tag of its own, which is then its span's label, without a prefix."""
        return self.kind(split) == "plain"

    def renamed(self, names: Mapping[str, str]) -> Any:
        """The same corpus with other names of some splits."""
        splits = {names.get(split, split): rows for split, rows in self.items()}  # type: ignore[attr-defined]
        reports = {names.get(split, split): report for split, report in self.reports.items()}
        return type(self)(splits, reports, self._kind)


class Corpus(_Reading, DatasetDict):
    """A corpus in memory-mapped Arrow files: a `datasets.DatasetDict` that also knows how it was read.

    A row is a sentence; `load_corpus` tells its columns. What the methods of `DatasetDict` give, as `map` and
    `filter`, is a plain `DatasetDict` again, and everything here takes that as well.
    """

    @classmethod
    def of(cls, splits: Mapping[str, Dataset]) -> Corpus:
        """Splits as a corpus; one that is a corpus already stays as it is."""
        return splits if isinstance(splits, Corpus) else cls(splits)

    def replaced(self, split: str, rows: Dataset) -> Corpus:
        """The corpus with other rows, of the same file, for a split."""
        return Corpus({**self, split: rows}, self.reports, self._kind)


class StreamedCorpus(_Reading, IterableDatasetDict):
    """A corpus that is read while one iterates: a `datasets.IterableDatasetDict` that knows the kind of its tags."""


def texts(dataset: Dataset) -> Iterator[str]:
    """The text of each row."""
    for array in _arrays(dataset, "text"):
        yield from array.to_pylist()


def label_names(dataset: Dataset | IterableDataset) -> list[str]:
    """The distinct labels of a corpus' spans, sorted."""
    if isinstance(dataset, IterableDataset):
        return sorted({span["label"] for row in dataset for span in row["spans"]})
    labels: set[str] = set()
    for spans in _arrays(dataset, "spans"):
        labels.update(pc.unique(pc.struct_field(pc.list_flatten(spans), "label")).to_pylist())
    return sorted(labels)


def is_plain(dataset: Dataset | IterableDataset) -> bool:
    """Whether rows have one plain tag a word, judged by what they hold: tags are then the spans' labels.

    For rows that come without their corpus; `Corpus.is_plain` knows. A stream is judged by its first rows.
    """
    if isinstance(dataset, IterableDataset):
        rows = list(dataset.take(_LOOKED_AT))
        tags = {tag for row in rows for tag in row["tags"]}
        return bool(tags) and tags == {span["label"] for row in rows for span in row["spans"]}
    tags = set()
    for array in _arrays(dataset, "tags"):
        tags.update(pc.unique(pc.list_flatten(array)).to_pylist())
    return bool(tags) and tags == set(label_names(dataset))


def _arrays(dataset: Dataset, column: str) -> Iterator[pa.ChunkedArray]:
    for table in dataset.select_columns([column]).with_format("arrow").iter(batch_size=1000):
        yield table.column(column)

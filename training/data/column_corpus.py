"""The `datasets` builder of corpora from files.

It stands in a module of its own because `datasets` replaces `open`, `Path` and the like in a builder's module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import datasets
import pyarrow as pa
from datasets import Features, List, Value

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.offsets import check_borders
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

FEATURES = Features(
    {
        "document": Value("int64"),
        "text": Value("string"),
        "after": Value("string"),
        "raw": Value("bool"),
        "tokens": List(Value("string")),
        "starts": List(Value("int32")),
        "ends": List(Value("int32")),
        "tags": List(Value("string")),
        "spans": List({"start": Value("int32"), "end": Value("int32"), "label": Value("string")}),
    }
)

# A table ends after so many sentences, or characters, so that one of whole documents takes no more memory.
_SENTENCES, _CHARACTERS = 1_000, 1_000_000


def sentence_row(sentence: Sentence) -> dict[str, Any]:
    """A sentence as a row of a corpus, the columns of `FEATURES`."""
    row = sentence._asdict()
    del row["line"], row["scores"], row["lines"]
    row["spans"] = [{"start": start, "end": end, "label": label} for start, end, label in sentence.spans]
    return row


def sentence_tables(sentences: Iterable[Sentence]) -> Iterator[pa.Table]:
    """The same of many sentences: tables of some rows each, several times as fast as row by row."""
    rows: list[Sentence] = []
    characters = 0
    for sentence in sentences:
        rows.append(sentence)
        characters += len(sentence.text)
        if len(rows) == _SENTENCES or characters >= _CHARACTERS:
            yield _table(rows)
            rows, characters = [], 0
    if rows:
        yield _table(rows)


def _table(rows: list[Sentence]) -> pa.Table:
    columns = dict(zip(Sentence._fields, zip(*rows, strict=True), strict=True))
    return pa.Table.from_pydict({name: columns[name] for name in FEATURES}, schema=FEATURES.arrow_schema)


@dataclass
class ColumnCorpusConfig(datasets.BuilderConfig):
    """How to read a corpus' files."""

    options: ReadingOptions = field(default_factory=ReadingOptions)


class ColumnCorpus(datasets.ArrowBasedBuilder):
    """Builds a corpus from column files or JSON lines, one file a split: `data_files={"train": path}`."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = ColumnCorpusConfig

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        self._reports: dict[str, dict[str, Any]] = {}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"split": str(split), "paths": list(paths)})
            for split, paths in self.config.data_files.items()
        ]

    def _generate_tables(self, split: str, paths: list[str]) -> Iterator[tuple[int, pa.Table]]:
        if len(paths) != 1:
            raise InputError(f"{len(paths)} files for the split {split!r}", fix="Give one file a split.")
        report = Report()
        sentences = open_sentences(paths[0], self.config.options, report)
        yield from enumerate(sentence_tables(sentences))
        if not self.config.options.inside_words:
            check_borders(report)
        # The description is what the cache of `datasets` keeps beside the rows; `cached_reports` reads it.
        self._reports[split] = report.to_dict()
        self.info.description = json.dumps(self._reports)


def cached_reports(builder: ColumnCorpus) -> dict[str, Report]:
    """What reading the files of a prepared builder found, by split, also where the rows come from the cache."""
    return {split: Report.from_dict(values) for split, values in json.loads(builder.info.description).items()}

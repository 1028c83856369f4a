"""Annotated files of any kind that is read here: column files and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.json_lines import read_json_lines
from tagsmith.training.data.label_map import map_labels
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

_DEFAULT = ReadingOptions()


def open_sentences(
    path: str | Path, options: ReadingOptions = _DEFAULT, report: Report | None = None
) -> Iterator[Sentence]:
    """The sentences of a file: JSON lines if its name ends in `.jsonl`, else columns; see `read_sentences`."""
    report = Report() if report is None else report
    read = read_json_lines if Path(path).suffix.lower() in (".jsonl", ".ndjson") else read_sentences
    sentences = read(path, options, report)
    return map_labels(sentences, options.names, report) if options.names else sentences

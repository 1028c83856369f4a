"""Annotated files of any kind that is read here: column files and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.foreign_formats import is_json_lines
from tagsmith.training.data.json_lines import read_json_lines
from tagsmith.training.data.label_map import map_labels
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

_DEFAULT = ReadingOptions()


def open_sentences(
    path: str | Path, options: ReadingOptions = _DEFAULT, report: Report | None = None
) -> Iterator[Sentence]:
    """The sentences of a file: JSON lines if its name ends in `.jsonl`, or it looks like that, else columns.

    See `read_sentences`.
    """
    report = Report() if report is None else report
    named = Path(path).suffix.lower() in (".jsonl", ".ndjson")
    json_lines = named or is_json_lines(Path(path), options.encoding)
    if json_lines and not named:
        report.add_note("read as JSON lines, by what the file holds", 1, f"its name ends in {Path(path).suffix!r}")
    sentences = (read_json_lines if json_lines else read_sentences)(path, options, report)
    return map_labels(sentences, options.names, report) if options.names else sentences

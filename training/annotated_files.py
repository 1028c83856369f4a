"""Annotated files of any kind that is read here: column files and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .column_reader import read_sentences
from .json_lines import read_json_lines
from .reading_report import Report, Sentence


def open_sentences(
    path: str | Path,
    *,
    tag_column: int | str | None = None,
    encoding: str = "utf-8",
    scheme: str = "auto",
    on_error: str = "convert",
    separator: str = "auto",
    report: Report | None = None,
) -> Iterator[Sentence]:
    """The sentences of a file: JSON lines if its name ends in `.jsonl`, else columns; see `read_sentences`."""
    if Path(path).suffix.lower() in (".jsonl", ".ndjson"):
        return read_json_lines(path, encoding=encoding, scheme=scheme, on_error=on_error, report=report)
    return read_sentences(
        path,
        tag_column=tag_column,
        encoding=encoding,
        scheme=scheme,
        on_error=on_error,
        separator=separator,
        report=report,
    )

"""Which format a file has: by its name where that says so, else by how it begins."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.foreign_formats import begins_as, is_json, is_json_lines
from tagsmith.training.data.formats.brat import brat_files
from tagsmith.training.data.formats.tables import is_csv_table
from tagsmith.training.data.json_rows import json_rows
from tagsmith.training.data.reading_options import ReadingOptions

_LOOKED_AT = 1000  # rows of JSON that may say what they are
_JSON_FIX = (
    'Write JSON lines, one object a line: {"text": …, "spans": [{"start": 0, "end": 3, "label": "LOC"}]} or '
    '{"tokens": […], "tags": […]}; or name the format with --file-format.'
)
_PRODIGY = {"answer", "_input_hash", "_task_hash", "_view_id"}


def file_format(path: Path, options: ReadingOptions) -> str:
    """The format of a file, or of a folder of brat's files; one of `FORMATS`.

    Raises:
        InputError: a folder of nothing that is read here, JSON of none of the formats, or a file that cannot be read.
    """
    if options.file_format != "auto":
        return options.file_format
    if path.is_dir():
        return _of_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".spacy":
        return "spacy"
    if suffix == ".ann" or (suffix == ".txt" and path.with_suffix(".ann").is_file()):
        return "brat"
    begin = begins_as(path, options.encoding)
    if begin:
        return begin
    if suffix == ".csv" and options.separator == "auto" and is_csv_table(path, options.encoding):
        return "csv"
    lines = suffix in (".jsonl", ".ndjson") or is_json_lines(path, options.encoding)
    if not lines and not is_json(path, options.encoding):
        return "columns"
    found = _of_rows(row for _, row in islice(json_rows(path, options.encoding, _JSON_FIX), _LOOKED_AT))
    if found is None and not lines:
        raise InputError("this file is JSON in none of the formats that are read here", path=path, fix=_JSON_FIX)
    return found or "jsonl"  # whose reader says what is wrong


def _of_folder(path: Path) -> str:
    if any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return "arrow"
    for pattern, found in (("*.parquet", "parquet"), ("**/*.ann", "brat")):
        if next(path.glob(pattern), None) is not None:
            return found
    fix = "Give a file; or a folder of brat's .txt and .ann files, of Parquet files, or that save_to_disk has written."
    raise InputError("not a file", path=path, fix=fix)


def files_of(path: Path, options: ReadingOptions) -> list[Path]:
    """The files that a path stands for: itself, brat's texts and annotations, or all that a folder has."""
    if path.is_dir() and file_format(path, options) != "brat":
        return sorted(file for file in path.rglob("*") if file.is_file())
    if (path.is_dir() or path.suffix.lower() in (".ann", ".txt")) and file_format(path, options) == "brat":
        return [file for pair in brat_files(path) for file in pair]
    return [path]


def _of_rows(rows: Iterable[Any]) -> str | None:
    """The format of rows, by the first that tells."""
    undecided: str | None = None
    for row in rows:
        found = _of_row(row)
        if found == "doccano" and row.get("label") == []:
            undecided = undecided or found  # Label Studio's shorter export has this key too
            continue
        return found
    return undecided


def _of_row(row: Any) -> str | None:
    if isinstance(row, list):
        return "spacy-json" if len(row) == 2 and isinstance(row[1], dict) and "entities" in row[1] else None
    if not isinstance(row, dict):
        return None
    if "tokenized_text" in row:
        return "gliner"
    if "paragraphs" in row or "ents" in row or ("annotations" in row and "text" not in row and "data" not in row):
        return "spacy-json"
    if isinstance(row.get("data"), dict):
        return "label-studio"
    first = {key: value[0] for key, value in row.items() if isinstance(value, list) and value}
    if row.keys() & _PRODIGY or isinstance(first.get("tokens"), dict):
        return "prodigy"
    if any(isinstance(value, dict) and "labels" in value for value in first.values()):
        return "label-studio"
    if "label" in row or "labels" in row or "start_offset" in json.dumps(first.get("entities", "")):
        return "doccano"
    if row.keys() & {"text", "tokens"}:
        return "jsonl"
    return None

"""doccano's JSON lines for sequence labelling, in all three shapes that its versions have exported.

`{"text": …, "label": [[0, 5, "PER"]]}`, the same with `labels`, and with relations
`{"text": …, "entities": [{"start_offset": 0, "end_offset": 5, "label": "PER"}], "relations": []}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.formats.annotated_text import AnnotatedText
from tagsmith.training.data.json_rows import objects
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, sentences_of

_FIX = 'Each row is {"text": …, "label": [[0, 5, "PER"]]}, as doccano exports sequence labels in JSONL.'
_LABELS = ("label", "labels", "entities")


def read_doccano(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read an export; a document each row.

    Raises:
        InputError: a row without text or labels, or of another kind of project.
    """
    report.format = "doccano"
    yield from sentences_of(_records(Path(path), options, report), options, report)


def _records(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    for line, row in objects(path, options.encoding, _FIX):
        text_key = "text" if "text" in row else "data"
        text, given = row.get(text_key), [key for key in _LABELS if row.get(key) is not None]
        if not isinstance(text, str):
            raise InputError("no text", path=path, line=line, fix=_FIX)
        if len(given) != 1 or not isinstance(row[given[0]], list):
            found = f"{' and '.join(given)} are given" if len(given) > 1 else "no list of labels"
            raise InputError(found, path=path, line=line, fix=_FIX)
        for key in row.keys() - {text_key, *_LABELS}:
            if row[key] not in ([], {}, None):
                report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
        yield Record(text, [_mark(mark, path, line, report) for mark in row[given[0]]], line)


def _mark(value: Any, path: Path, line: int, report: Report) -> Mark:
    if isinstance(value, dict):
        start, end, label = (value.get(key) for key in ("start_offset", "end_offset", "label"))
        for key in value.keys() - {"start_offset", "end_offset", "label", "id"}:
            report.add_note(f"key {key!r} of spans left aside", line, str(value[key])[:40])
    elif isinstance(value, list) and len(value) == 3:
        start, end, label = value
    else:
        raise InputError(f"a label that is no span: {value!r:.60}", path=path, line=line, fix=_FIX)
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise InputError(f"a label that is no span: {value!r:.60}", path=path, line=line, fix=_FIX)
    return Mark(start, end, label)


def write_doccano(texts: Iterable[AnnotatedText], out: TextIO) -> None:
    """Write rows to import; scores go beside the labels, where doccano keeps them as metadata."""
    for text in texts:
        row: dict[str, Any] = {"text": text.text, "label": [list(span) for span in text.spans]}
        if any(score is not None for score in text.scores):
            row["scores"] = text.scores
        out.write(json.dumps(row, ensure_ascii=False) + "\n")

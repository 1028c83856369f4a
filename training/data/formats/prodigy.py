"""Prodigy's JSON lines: `text`, `spans`, and the annotator's `answer`, of which only `accept` is data."""

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

_FIX = 'Each row is {"text": …, "spans": [{"start": 0, "end": 5, "label": "PER"}], "answer": "accept"}.'
_ANSWERS = ("accept", "reject", "ignore")
# What its tasks have beside the text, that says nothing of spans.
_USUAL = {"text", "spans", "answer", "tokens", "meta", "accept", "config", "flagged"}


def read_prodigy(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a data set as `prodigy db-out` writes it; a document each row. Rejected and ignored rows are counted.

    Raises:
        InputError: a row without text, an answer that is none, spans that cannot be.
    """
    report.format = "Prodigy"
    yield from sentences_of(_records(Path(path), options, report), options, report)


def _records(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    for line, row in objects(path, options.encoding, _FIX):
        text, answer, spans = row.get("text"), row.get("answer"), row.get("spans")
        if not isinstance(text, str):
            raise InputError("no text", path=path, line=line, fix=_FIX)
        if answer is not None and answer not in _ANSWERS:
            raise InputError(
                f"the answer {answer!r}", path=path, line=line, fix=f"It is one of {', '.join(_ANSWERS)}."
            )
        if answer != "accept":
            kind = "rows without answer" if answer is None else f"rows with the answer {answer!r}"
            report.add_note(f"{kind}, left aside", line, text[:40])
            continue
        if not isinstance(spans, list | None):
            raise InputError("'spans' is no list", path=path, line=line, fix=_FIX)
        for key in row.keys() - _USUAL:
            if not key.startswith("_"):
                report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
        if spans is None:
            report.add_note("accepted rows without the key 'spans', read as texts without spans", line, text[:40])
        yield Record(text, [_mark(span, path, line) for span in spans or []], line)


def _mark(span: Any, path: Path, line: int) -> Mark:
    values = [span.get(key) for key in ("start", "end", "label")] if isinstance(span, dict) else [None] * 3
    start, end, label = values
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise InputError(f"no span: {span!r:.60}", path=path, line=line, fix=_FIX)
    quote, score = span.get("text"), span.get("score")
    return Mark(
        start, end, label, quote if isinstance(quote, str) else None, score if isinstance(score, float) else None
    )


def write_prodigy(texts: Iterable[AnnotatedText], out: TextIO) -> None:
    """Write tasks without answer; a task's lowest score is in its `meta`, which Prodigy shows."""
    for text in texts:
        spans: list[dict[str, Any]] = []
        for number, (start, end, label) in enumerate(text.spans):
            score = text.score(number)
            spans.append({"start": start, "end": end, "label": label, **({} if score is None else {"score": score})})
        known = [score for score in text.scores if score is not None]
        meta = {"meta": {"score": round(min(known), 4)}} if known else {}
        out.write(json.dumps({"text": text.text, "spans": spans, **meta}, ensure_ascii=False) + "\n")

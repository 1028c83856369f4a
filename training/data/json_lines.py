"""A strict reader for JSON lines: one object a line, with a text and character spans, or tokens and tags, or all four.

`{"text": "Ada Lovelace", "spans": [{"start": 0, "end": 12, "label": "PER"}]}` and
`{"tokens": ["Ada", "Lovelace"], "tags": ["B-PER", "I-PER"]}` say the same. Lines with equal `document` values that
follow each other are one document; without that key each line is its own. A text of several lines is a sentence a
line, as it is when it is tagged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import parse_json
from tagsmith.training.data.line_sentences import split_lines
from tagsmith.training.data.offsets import CHARACTERS, KINDS, BorderCheck, Offsets
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, same_line
from tagsmith.training.data.text_lines import read_lines
from tagsmith.training.data.word_alignment import align_words, join_units

_DEFAULT = ReadingOptions()
_KEYS = frozenset({"text", "spans", "tokens", "tags", "document"})
_SPAN_KEYS = frozenset({"start", "end", "label"})
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_FIX = 'Each line is {"text": …, "spans": [{"start": 0, "end": 3, "label": "LOC"}]} or {"tokens": […], "tags": […]}.'


def read_json_lines(
    path: str | Path, options: ReadingOptions = _DEFAULT, report: Report | None = None
) -> Iterator[Sentence]:
    """Read a file of JSON lines; the arguments are those of `read_sentences`.

    A row of text and spans has no tokens: the words are the tokenizer's business. Where tokens and spans are both
    given, they must say the same.

    Raises:
        InputError: no JSON, missing or contradicting values, spans outside the text or overlapping, unreadable tags.
    """
    report = Report() if report is None else report
    report.path, report.encoding = str(path), options.encoding
    survey = TagSurvey(path)
    rows = 0
    for number, row in _objects(Path(path), options.encoding):
        rows += 1
        tags = _strings(row, "tags", path, number)
        survey.add(tags, partial(same_line, number, len(tags)))
    if not rows:
        raise InputError("the file is empty", path=path, fix=_FIX)
    spelling = survey.spelling(options) if survey.first else TagSpelling("")
    report.scheme = spelling.scheme
    spelling.report_to(report, options.on_error)
    return _sentences(Path(path), options, spelling, report)


def _objects(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path, encoding), 1):
        if not line.strip():
            continue
        row = parse_json(line, path, number, _FIX)
        if not isinstance(row, dict):
            raise InputError(f"{type(row).__name__}, not an object", path=path, line=number, fix=_FIX)
        if (half := _SURROGATE.search(line)) and not _encodes(row):
            message = f"{half[0]} is half a character, and the other half is missing"
            raise InputError(message, path=path, line=number, column=half.start() + 1, fix="Write the file anew.")
        yield number, row


def _encodes(row: dict[str, Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _strings(row: dict[str, Any], key: str, path: str | Path, line: int) -> list[str]:
    values = row.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise InputError(f"{key!r} is not a list of strings that hold something", path=path, line=line, fix=_FIX)
    return values


def _sentences(path: Path, options: ReadingOptions, spelling: TagSpelling, report: Report) -> Iterator[Sentence]:
    document, name, on_error = -1, None, options.on_error
    borders = BorderCheck(report, options.offsets)
    for line, row in _objects(path, options.encoding):
        if document < 0 or row.get("document") is None or row["document"] != name:
            document, name = document + 1, row.get("document")
        for key in row.keys() - _KEYS:
            report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
        tokens, tags = _strings(row, "tokens", path, line), _strings(row, "tags", path, line)
        given = _spans(row, path, line, report) if row.get("spans") is not None else None
        text = row.get("text")
        if text is not None and not isinstance(text, str):
            raise InputError("'text' is not a string", path=path, line=line, fix=_FIX)
        if (text is None and not tokens) or (given is None and "tags" not in row):
            raise InputError("no text and spans, and no tokens and tags", path=path, line=line, fix=_FIX)
        if len(tokens) != len(tags):
            fix = "Give each token its tag."
            raise InputError(f"{len(tokens)} tokens and {len(tags)} tags", path=path, line=line, fix=fix)
        raw, offsets, as_given = text is not None, Offsets(text or ""), given or []
        if given and text is not None:
            given = _in_characters(given, offsets, options.offsets, path, line)
        starts: list[int] = []
        ends: list[int] = []
        if tokens:
            text, raw, starts, ends = _place(text, tokens, given is not None, line, on_error, report)
            tags, spans = read_tags(spelling.read(tags), starts, ends, [line] * len(tags), None, on_error, report)
            if given is not None and given != spans:
                fix = "Correct one of them, or leave one out."
                raise InputError(f"spans {given} and tags {spans} disagree", path=path, line=line, fix=fix)
        else:
            spans = given or []
        _check_overlaps(spans, path, line)
        if not tokens:
            borders.add(offsets, as_given, spans, line)
        whole = Sentence(document, text or "", raw, tokens, starts, ends, tags, spans, line)
        for sentence in split_lines(whole, report):
            report.add_sentence(sentence)
            yield sentence
    borders.finish()


def _place(
    text: str | None, tokens: list[str], exact: bool, line: int, on_error: str, report: Report
) -> tuple[str, bool, list[int], list[int]]:
    """Text and offsets of tokens; `exact` says that spans hang on the text, so that it must fit."""
    if text is not None:
        starts, ends, problem = align_words(text, tokens)
        if not problem:
            return text, True, starts, ends
        if exact or on_error == "raise":
            fix = "Correct the text or the tokens."
            raise InputError(f"the text does not fit the tokens: {problem}", path=report.path, line=line, fix=fix)
        report.add_irregularity("text that does not fit the tokens (tokens joined instead)", line, problem)
    joined, starts, ends = join_units(tokens, None)
    return joined, False, starts, ends


def _spans(row: dict[str, Any], path: Path, line: int, report: Report) -> list[tuple[int, int, str]]:
    try:
        spans = [(span["start"], span["end"], span["label"]) for span in row["spans"]]
    except (TypeError, KeyError):
        raise InputError("'spans' is not a list of start, end and label", path=path, line=line, fix=_FIX) from None
    for span in row["spans"]:
        for key in span.keys() - _SPAN_KEYS:
            report.add_note(f"key {key!r} of spans left aside", line, str(span[key])[:40])
    for start, end, label in spans:
        if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
            found = f"{start!r}, {end!r}, {label!r}"
            raise InputError(f"a span of {found}: not two numbers and a label", path=path, line=line, fix=_FIX)
    return sorted(spans)


def _in_characters(
    spans: list[tuple[int, int, str]], offsets: Offsets, kind: str, path: Path, line: int
) -> list[tuple[int, int, str]]:
    """Spans by what their offsets count, in characters."""
    found = []
    for start, end, label in spans:
        place = offsets.to_characters(start, end, kind)
        if place is None:
            named = f"{str(start)[:20]}-{str(end)[:20]} {label[:40]}"
            message = f"the span {named} is empty or outside a text of {len(offsets.text)} characters"
            if kind != CHARACTERS:
                message = f"the span {named} is empty, outside the text, or cuts a character, as {KINDS[kind]}"
            guess = offsets.guess(start, end)
            fix = f"Offsets count {KINDS[kind]}."
            if guess:
                fix = f"These look like {KINDS[guess]}: read them with --offsets {guess}."
            raise InputError(message, path=path, line=line, fix=fix)
        found.append((*place, label))
    return found


def _check_overlaps(spans: list[tuple[int, int, str]], path: Path, line: int) -> None:
    last = 0
    for start, end, label in spans:
        if start < last:
            message = f"the span {start}-{end} {label} overlaps the one before it, which ends at {last}"
            raise InputError(message, path=path, line=line, fix="Keep one of them.")
        last = end

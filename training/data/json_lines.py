"""A strict reader for JSON lines: one object a line, with a text and character spans, or tokens and tags, or all four.

`{"text": "Ada Lovelace", "spans": [{"start": 0, "end": 12, "label": "PER"}]}` and
`{"tokens": ["Ada", "Lovelace"], "tags": ["B-PER", "I-PER"]}` say the same. Lines with equal `document` values that
follow each other are one document; without that key each line is its own. A text of several lines is a sentence a
line, as it is when it is tagged. What `tagsmith tag --format jsonl` writes is read as it is: `entities` are spans.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.json_rows import objects
from tagsmith.training.data.line_sentences import split_lines
from tagsmith.training.data.offsets import BorderCheck, Offsets
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, in_characters, record_sentences
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, same_line
from tagsmith.training.data.word_alignment import align_words, join_units

_DEFAULT = ReadingOptions()
_KEYS = frozenset({"text", "spans", "entities", "tokens", "tags", "document"})
_SPAN_KEYS = frozenset({"start", "end", "label", "score"})
_ENTITY_KEYS = frozenset({"start", "end", "entity_group", "word", "score"})
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
    for number, row in objects(Path(path), options.encoding, _FIX):
        rows += 1
        tags = _strings(row, "tags", path, number)
        survey.add(tags, partial(same_line, number, len(tags)))
    if not rows:
        raise InputError("the file is empty", path=path, fix=_FIX)
    spelling = survey.spelling(options) if survey.first else TagSpelling("")
    report.scheme = spelling.scheme
    spelling.report_to(report, options.on_error)
    return _sentences(Path(path), options, spelling, report)


def _strings(row: dict[str, Any], key: str, path: str | Path, line: int) -> list[str]:
    values = row.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise InputError(f"{key!r} is not a list of strings that hold something", path=path, line=line, fix=_FIX)
    return values


def _sentences(path: Path, options: ReadingOptions, spelling: TagSpelling, report: Report) -> Iterator[Sentence]:
    document, name, on_error = -1, None, options.on_error
    borders = BorderCheck(report, options.offsets)
    for line, row in objects(path, options.encoding, _FIX):
        if document < 0 or row.get("document") is None or row["document"] != name:
            document, name = document + 1, row.get("document")
        for key in row.keys() - _KEYS:
            report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
        tokens, tags = _strings(row, "tokens", path, line), _strings(row, "tags", path, line)
        given = _marks(row, path, line, report)
        text = row.get("text")
        if text is not None and not isinstance(text, str):
            raise InputError("'text' is not a string", path=path, line=line, fix=_FIX)
        if (text is None and not tokens) or (given is None and "tags" not in row):
            raise InputError("no text and spans, and no tokens and tags", path=path, line=line, fix=_FIX)
        if len(tokens) != len(tags):
            fix = "Give each token its tag."
            raise InputError(f"{len(tokens)} tokens and {len(tags)} tags", path=path, line=line, fix=fix)
        if not tokens:
            record = Record(text or "", given or [], line)
            yield from record_sentences(record, document, borders, options, report)
            continue
        text, raw, starts, ends = _place(text, tokens, given is not None, line, on_error, report)
        tags, spans = read_tags(spelling.read(tags), starts, ends, [line] * len(tags), None, on_error, report)
        if given is not None:
            _check_same(given, spans, Offsets(text), options.offsets, path, line)
        whole = Sentence(document, text, raw, tokens, starts, ends, tags, spans, line)
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


def _marks(row: dict[str, Any], path: Path, line: int, report: Report) -> list[Mark] | None:
    """The spans of a row, as people write them (`spans`) or as `tagsmith tag --format jsonl` does (`entities`)."""
    key = "entities" if row.get("entities") is not None else "spans"
    values = row.get(key)
    if values is None:
        return None
    if key == "entities" and row.get("spans") is not None:
        raise InputError("both 'spans' and 'entities'", path=path, line=line, fix="Keep one of them.")
    if isinstance(values, dict):
        heads = ", ".join(values)
        raise InputError(f"spans of several heads ({heads})", path=path, line=line, fix="Tag with --head NAME.")
    label_key, quote_key, known = ("label", "", _SPAN_KEYS)
    if key == "entities":
        label_key, quote_key, known = ("entity_group", "word", _ENTITY_KEYS)
    try:
        marks = [
            Mark(span["start"], span["end"], span[label_key], span.get(quote_key), span.get("score"))
            for span in values
        ]
    except (TypeError, KeyError, AttributeError):
        message = f"{key!r} is not a list of start, end and {label_key}"
        raise InputError(message, path=path, line=line, fix=_FIX) from None
    for span in values:
        for other in span.keys() - known:
            report.add_note(f"key {other!r} of spans left aside", line, str(span[other])[:40])
    for start, end, label, quote, score in marks:
        if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
            found = f"{start!r}, {end!r}, {label!r}"
            raise InputError(f"a span of {found}: not two numbers and a label", path=path, line=line, fix=_FIX)
        if not isinstance(score, int | float | None) or not isinstance(quote, str | None):
            found = f"{score!r} and {quote!r}"
            raise InputError(f"a span's score and word are {found}", path=path, line=line, fix=_FIX)
    return sorted(marks, key=lambda mark: mark[:3])


def _check_same(
    given: list[Mark], spans: list[tuple[int, int, str]], offsets: Offsets, kind: str, path: Path, line: int
) -> None:
    """See that spans and tags of one row say the same."""
    found = in_characters([mark[:3] for mark in given], offsets, kind, str(path), line)
    if found != spans:
        fix = "Correct one of them, or leave one out."
        raise InputError(f"spans {found} and tags {spans} disagree", path=path, line=line, fix=fix)

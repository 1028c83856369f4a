"""WebAnno TSV 3, as INCEpTION exports it: a sentence with its text, and a row for each token and each part of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.offsets import Offsets
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, sentences_of
from tagsmith.training.data.text_lines import read_lines

_FORMAT = re.compile(r"#FORMAT=WebAnno TSV 3(\.\d+)?\s*")
_ROW = re.compile(r"(\d+-\d+(?:\.\d+)?)\t(\d+)-(\d+)\t([^\t]*)\t?(.*)")
_FIX = "Export it from INCEpTION as WebAnno TSV 3.3."
_ESCAPE = re.compile(r"\\(->|.)")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_STACK = re.compile(r"(?<!\\)(?:\\\\)*\|")
_VALUE = re.compile(r"(.*?)(?<!\\)\[(\d+)\]|(.*)", re.DOTALL)
UNLABELLED = "annotations without value, left aside"
ACROSS = "annotations across sentences, read as one in each"


class _Row(NamedTuple):
    line: int
    id: str
    start: int
    end: int
    form: str
    cells: list[str]


def read_webanno(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a file, one document. The column is that of named entities, or the one that `tag_column` names.

    Raises:
        InputError: no such column, rows that do not fit their text, annotations that overlap.
    """
    report.format = "WebAnno TSV"
    yield from sentences_of(_records(Path(path), options, report), options, report)


def _records(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    columns: list[tuple[str, str]] = []
    chosen: int | None = None
    texts: list[str] = []
    rows: list[_Row] = []
    seen: set[str] = set()
    first = 0
    for number, line in enumerate([*read_lines(path, options.encoding), ""], 1):
        if number == 1 and not _FORMAT.fullmatch(line):
            raise InputError(f"no WebAnno TSV 3: {line[:40]!r}", path=path, line=1, fix=_FIX)
        if line.startswith("#T_"):
            columns += _layer(line)
        elif line.startswith("#Text=") and not rows:
            first = first or number
            texts.append(line.removeprefix("#Text="))
        elif match := _ROW.fullmatch(line):
            rows.append(_Row(number, match[1], int(match[2]), int(match[3]), match[4], match[5].split("\t")))
        elif line.strip() and not line.startswith("#"):
            message = f"no row of an id, offsets and a token: {line[:40]!r}"
            raise InputError(message, path=path, line=number, fix=_FIX)
        elif rows:
            if chosen is None:
                chosen = _choose(columns, options.tag_column, path)
                report.column_name = ".".join(columns[chosen])
            yield _record(texts, rows, columns, chosen, seen, first, path, report)
            texts, rows, first = [], [], 0


def _layer(line: str) -> list[tuple[str, str]]:
    """The columns of a layer: its name, and each feature's."""
    _, _, value = line.partition("=")
    layer, *features = value.strip().split("|")
    name = layer.rpartition(".")[2]
    return [(name, feature) for feature in features if feature] or [(name, "")]


def _choose(columns: Sequence[tuple[str, str]], wanted: int | str | None, path: Path) -> int:
    names = [".".join(part for part in column if part) for column in columns]
    if isinstance(wanted, int):
        found = [wanted - 3] if 3 <= wanted < len(columns) + 3 else []
    elif wanted is not None:
        found = [
            number
            for number, (name, column) in enumerate(zip(names, columns, strict=True))
            if wanted in (name, *column)
        ]
    else:
        found = [number for number, column in enumerate(columns) if column == ("NamedEntity", "value")]
        found = found or ([0] if len(columns) == 1 else [])
    if len(found) == 1:
        return found[0]
    message = f"which column has the labels? There are {', '.join(names) or 'none'}"
    fix = f"Name it: {option('tag_column', names[0])}." if names else _FIX
    raise InputError(message, path=path, fix=fix)


def _record(
    texts: list[str],
    rows: list[_Row],
    columns: Sequence[tuple[str, str]],
    chosen: int,
    seen: set[str],
    first: int,
    path: Path,
    report: Report,
) -> Record:
    text, places = _place("\n".join(texts), rows, path)
    marks: list[Mark] = []
    by_id: dict[str, int] = {}
    joined = report.sentences > 0
    for row, (start, end) in zip(rows, places, strict=True):
        for number, cell in enumerate(row.cells[: len(columns)]):
            if cell not in ("_", "") and number != chosen:
                report.add_note(f"column {'.'.join(columns[number])} left aside", row.line, cell[:40])
        cell = row.cells[chosen] if chosen < len(row.cells) else "_"
        for label, key in _values(cell):
            if label == "*":
                report.add_irregularity(UNLABELLED, row.line, row.form)
            elif key and key in by_id:
                marks[by_id[key]] = marks[by_id[key]]._replace(end=end)
            else:
                if key in seen:
                    report.add_irregularity(ACROSS, row.line, f"{label} {row.form}")
                if key:
                    by_id[key] = len(marks)
                marks.append(Mark(start, end, label))
    seen.update(by_id)
    return Record(text, marks, first or rows[0].line, joined=joined)


def _values(cell: str) -> Iterator[tuple[str, str]]:
    """The labels of a cell, each with the number that annotations of several tokens share."""
    if cell in ("_", ""):
        return
    for value in _STACK.split(cell):
        match = _VALUE.fullmatch(value)
        assert match is not None
        yield _unescaped(match[1] if match[2] else match[3]), match[2] or ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _CONTROLS.get(match[1], match[1]), text)


def _place(raw: str, rows: list[_Row], path: Path) -> tuple[str, list[tuple[int, int]]]:
    """A sentence's text, and where its rows stand in it; offsets are UTF-16 units, or characters where those fit."""
    for text in dict.fromkeys((_unescaped(raw), raw)):
        offsets = Offsets(text)
        for kind in ("utf-16", "characters"):
            before = text[: text.find(_unescaped(rows[0].form))]
            base = (
                rows[0].start - len(before.encode("utf-16-le")) // 2
                if kind == "utf-16"
                else rows[0].start - len(before)
            )
            places = [offsets.to_characters(row.start - base, row.end - base, kind) for row in rows]
            if all(
                place is not None and text[slice(*place)] in (_unescaped(row.form), row.form)
                for place, row in zip(places, rows, strict=True)
            ):
                return text, [place for place in places if place is not None]
    message = f"the tokens are not where their offsets say in the text {raw[:40]!r}"
    raise InputError(message, path=path, line=rows[0].line, fix="Restore the text or the offsets, or export it again.")

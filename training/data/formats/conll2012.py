"""CoNLL-2012 (OntoNotes): the names of its eleventh column, in brackets: `(PERSON)`, `(ORG*`, `*`, `*)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import nothing_annotated, word_sentence
from tagsmith.training.data.text_lines import read_lines

_WORD, _NAME, _FEWEST = 3, 10, 12
_CELL = re.compile(r"(\(([^()*\s]+))?(\*)?(\))?")
_FIX = "A name is written (PERSON) for one word, (PERSON* … *) for several; other words have *."


def read_conll2012(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a file; its parts are documents. Only words and names are read.

    Raises:
        InputError: a row that is too short, brackets that do not close.
    """
    report.format, report.scheme = "CoNLL-2012", "IOB2"
    report.add_note("columns of syntax, senses, speakers and coreference left aside", 1, "columns 4 to 9, and from 11")
    document, words, cells, first = -1, [], [], 0
    for number, line in enumerate([*read_lines(Path(path), options.encoding), ""], 1):
        if line.startswith("#"):
            document += line.startswith("#begin")
            continue
        if line.strip():
            row = line.split()
            if len(row) < _FEWEST:
                message = f"{len(row)} columns, and CoNLL-2012 has {_FEWEST} or more"
                raise InputError(message, path=path, line=number, fix="Restore the row.")
            first = first or number
            words.append(row[_WORD])
            cells.append(row[_NAME])
        elif words:
            spans = list(_spans(cells, Path(path), first))
            yield word_sentence(words, spans, max(document, 0), first, report)
            words, cells, first = [], [], 0
    if not report.sentences:
        raise nothing_annotated(report)


def _spans(cells: list[str], path: Path, first: int) -> Iterator[tuple[int, int, str]]:
    start, label = 0, ""
    for number, cell in enumerate(cells):
        match = _CELL.fullmatch(cell)
        opens, closes = bool(match and match[1]), bool(match and match[4])
        if match is None or (opens and label) or (closes and not (opens or label)):
            message = f"the name {cell!r} nests, or is not written in brackets"
            raise InputError(message, path=path, line=first + number, column=_NAME + 1, fix=_FIX)
        if opens:
            start, label = number, match[2]
        if closes:
            yield start, number + 1, label
            label = ""
    if label:
        message = f"the name {label} is not closed in its sentence"
        raise InputError(message, path=path, line=first + start, column=_NAME + 1, fix=_FIX)

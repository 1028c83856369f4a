"""A strict reader for CoNLL column files, CoNLL-U and its relatives: sentences with text, offsets, tags and spans.

A file is read three times: for its layout, for its tag scheme, and for its sentences; memory is constant. Nothing is
dropped silently: what is not an error is in the `Report`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import SchemeDetector
from tagsmith.training.data.column_layout import Block, Layout, read_blocks, survey_layout
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.word_alignment import Unit, align_units, join_units

_DEFAULT = ReadingOptions()
_RAW_TEXT = re.compile(r"#\s*text\s*=(.*)")
_RANGE = re.compile(r"(\d+)-(\d+)$")
_EMPTY_NODE = re.compile(r"\d+\.\d+$")
_COUNTED = [str(number) for number in range(1, 1000)]


def read_sentences(
    path: str | Path, options: ReadingOptions = _DEFAULT, report: Report | None = None
) -> Iterator[Sentence]:
    """Read a column file sentence by sentence.

    Rows are words; blank lines end sentences; `-DOCSTART-` and `# newdoc` begin documents. A file whose first column
    holds word ids is read as CoNLL-U says: `#` lines are comments, words are in the second column, rows `1-2` are the
    surface of multiword tokens and rows `1.1` empty nodes. Elsewhere words are in the first column and may be `#`.

    Args:
        path: the file.
        options: how to read it.
        report: filled while reading.

    Raises:
        InputError: at once for the file as a whole (missing, empty, binary, no such column), while reading for a row.
    """
    layout = survey_layout(Path(path), options.encoding, options.separator)
    column = _resolve_column(layout, options.tag_column)
    column, found, has_spacing = _survey_tags(layout, column)
    report = Report() if report is None else report
    report.path, report.encoding, report.separator = str(path), options.encoding, layout.separator
    report.columns, report.word_column, report.tag_column = layout.width, layout.word_column, column
    report.column_name = layout.names[column] if layout.names else ""
    report.scheme = found if options.scheme == "auto" else options.scheme
    return _sentences(layout, column, has_spacing, options.on_error, report)


def _resolve_column(layout: Layout, wanted: int | str | None) -> int | None:
    """The tag column's number, or None where it must be found by what the columns hold."""
    if wanted is None:
        if layout.width == 1:
            fix = "Give a file with one word and its tag a line."
            raise InputError("one column only: no tags", path=layout.path, line=layout.first_line, column=1, fix=fix)
        if "upos" in layout.names:
            return layout.names.index("upos")
        return None if layout.has_ids else layout.width - 1
    if isinstance(wanted, str):
        if wanted.lower() not in layout.names:
            known = f"Its columns are {', '.join(layout.names)}" if layout.names else "Its columns have no names"
            fix = f"{known}; numbers 0 to {layout.width - 1} and -1 for the last work always."
            raise InputError(f"no column is called {wanted!r}", path=layout.path, fix=fix)
        wanted = layout.names.index(wanted.lower())
    column = wanted + layout.width if wanted < 0 else wanted
    if not 0 <= column < layout.width:
        message = f"no tag column {wanted}: rows have {layout.width} columns"
        fix = f"Use 0 to {layout.width - 1}, or -1 for the last."
        raise InputError(message, path=layout.path, line=layout.first_line, fix=fix)
    if column == layout.word_column or (layout.has_ids and column == 0):
        what = "words" if column == layout.word_column else "word ids"
        raise InputError(f"column {column} holds the {what}, not tags", path=layout.path, fix="Choose another column.")
    return column


def _survey_tags(layout: Layout, column: int | None) -> tuple[int, str, bool]:
    """Read the file for its tag column, scheme, and whether its MISC column tells where spaces are."""
    columns = range(layout.word_column + 1, layout.width) if column is None else [column]
    detectors = {number: SchemeDetector() for number in columns}
    misc = layout.names.index("misc") if "misc" in layout.names else None
    has_spacing = False
    for block in read_blocks(layout):
        rows = [row for row in block.rows if row[0].isdecimal()] if layout.has_ids else block.rows
        for number, detector in detectors.items():
            detector.add([row[number] for row in rows])
        if misc is not None and not has_spacing:
            has_spacing = any("SpaceAfter=No" in row[misc] for row in block.rows)
    if column is None:
        likely = [number for number, detector in detectors.items() if detector.share_of_tags > 0.5]
        if not likely and len(detectors) > 1:
            message = f"none of the columns {columns[0]} to {columns[-1]} holds span tags (O, B-LOC)"
            raise InputError(message, path=layout.path, line=layout.first_line, fix="Name the tag column.")
        column = likely[0] if likely else columns[0]
    return column, detectors[column].result(), has_spacing


def _sentences(layout: Layout, column: int, has_spacing: bool, on_error: str, report: Report) -> Iterator[Sentence]:
    document = 0
    misc = layout.names.index("misc") if has_spacing else None
    for number, block in enumerate(read_blocks(layout)):
        document += block.new_document and number > 0
        if not layout.has_ids:
            for line, comment in block.comments:
                report.add_note("comment line", line, comment[:40])
        units = _units(layout, block, misc, report) if layout.has_ids else None
        rows = block.rows if units is None else [row for row in block.rows if row[0].isdecimal()]
        words = [row[layout.word_column] for row in rows]
        tags = [row[column] for row in rows]
        lines = _line_numbers(block, rows)
        if "" in words or "" in tags or (layout.is_conllu and "_" in tags):
            raise _missing(layout, column, words, tags, lines)
        text, raw, starts, ends = _place(block, words, units, misc is not None, on_error, report)
        tags, spans = read_tags(tags, starts, ends, lines, column, on_error, report)
        sentence = Sentence(document, text, raw, words, starts, ends, tags, spans, block.first_line)
        report.add_sentence(sentence)
        yield sentence


def _line_numbers(block: Block, rows: Sequence[list[str]]) -> Sequence[int]:
    """The line of each word; rows of a block stand on consecutive lines."""
    if len(rows) == len(block.rows):
        return range(block.first_line, block.first_line + len(rows))
    return [block.first_line + number for number, row in enumerate(block.rows) if row[0].isdecimal()]


def _missing(layout: Layout, column: int, words: list[str], tags: list[str], lines: Sequence[int]) -> InputError:
    if "" in words:
        line, what, column = lines[words.index("")], "an empty word", layout.word_column
        fix = "Write the word; a sentence ends with a blank line."
    else:
        empty = "" if "" in tags else "_"
        line, what = lines[tags.index(empty)], f"no tag for the word {words[tags.index(empty)]!r}"
        fix = "Write a tag, or choose another column."
    return InputError(what, path=layout.path, line=line, column=column + 1, fix=fix)


def _units(layout: Layout, block: Block, misc: int | None, report: Report) -> list[Unit] | None:
    """The surface tokens of a block with ids, or None where each word is one and nothing is known of spaces."""
    ids = [row[0] for row in block.rows]
    if misc is None and ids == _COUNTED[: len(ids)]:
        return None
    units: list[Unit] = []
    last, inside, words = -1, 0, 0
    for number, row in enumerate(block.rows):
        line, form = block.first_line + number, row[layout.word_column]
        spaced = misc is None or "SpaceAfter=No" not in row[misc].split("|")
        if row[0].isdecimal():
            here = int(row[0])
            if here <= last:
                fix = "Put a blank line between sentences; word ids increase."
                raise InputError(f"word id {here} after {last}", path=layout.path, line=line, column=1, fix=fix)
            if here != last + 1 and last >= 0:
                report.add_irregularity("word ids leave a gap", line, f"{here} after {last}")
            last = here
            if here > inside:
                units.append(Unit(form, 1, spaced))
            words += 1
        elif span := _RANGE.match(row[0]):
            first, inside = int(span[1]), int(span[2])
            count = max(inside - first + 1, 0)
            following = (row[0] for row in islice(block.rows, number + 1, None) if row[0].isdecimal())
            ids_inside = list(islice(following, min(count, len(ids))))
            if first <= last or ids_inside != [str(first + i) for i in range(min(count, len(ids)))] or not count:
                fix = f"The rows {first} to {inside} follow the row {row[0]}."
                message = f"multiword token {row[0]} without its words"
                raise InputError(message, path=layout.path, line=line, column=1, fix=fix)
            units.append(Unit(form, count, spaced))
            report.add_note("multiword token", line, f"{row[0]} {form}")
        elif _EMPTY_NODE.match(row[0]):
            report.add_note("empty node left aside", line, f"{row[0]} {form}")
        else:
            fix = "Word ids are 1, 2, 3 …, ranges 1-2, empty nodes 1.1."
            raise InputError(f"{row[0]!r} is no word id", path=layout.path, line=line, column=1, fix=fix)
    if not words:
        fix = "Give every sentence its words."
        raise InputError("a sentence without words", path=layout.path, line=block.first_line, fix=fix)
    return units


def _place(
    block: Block, words: list[str], units: list[Unit] | None, spacing: bool, on_error: str, report: Report
) -> tuple[str, bool, list[int], list[int]]:
    """The sentence's text, whether it is the file's own, and its words' offsets."""
    for number, comment in block.comments:
        match = _RAW_TEXT.match(comment)
        if match is None:
            continue
        text = match[1].strip(" \t")
        starts, ends, problem = align_units(text, words, units)
        if not problem:
            return text, True, starts, ends
        if on_error == "raise":
            fix = "Correct the text or the words, or read them with on_error='convert'."
            raise InputError(f"# text does not fit the words: {problem}", path=report.path, line=number, fix=fix)
        report.add_irregularity("# text that does not fit the words (words joined instead)", number, problem)
        break
    text, starts, ends = join_units(words, units)
    return text, spacing, starts, ends

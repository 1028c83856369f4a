"""A strict reader for CoNLL column files, CoNLL-U and its relatives: sentences with text, offsets, tags and spans.

A file is read three times: for its layout, for the spelling of its tags, and for its sentences; memory is constant.
Nothing is dropped silently: what is not an error is in the `Report`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.column_layout import Block, Layout, read_blocks, survey_layout, word_lines
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.sentence_ends import end_words, note_long_sentences, split_sentence
from tagsmith.training.data.tag_columns import Columns, choose_columns
from tagsmith.training.data.word_alignment import Unit, align_units, join_units
from tagsmith.training.data.word_ids import read_ids

_DEFAULT = ReadingOptions()
_RAW_TEXT = re.compile(r"#\s*text\s*=(.*)")


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
    layout = survey_layout(Path(path), options)
    columns = choose_columns(layout, options)
    layout = columns.layout
    report = Report() if report is None else report
    report.path, report.encoding, report.separator = str(path), options.encoding, layout.separator
    report.columns, report.word_column, report.tag_column = layout.width, layout.word_column, columns.tags
    report.column_name = layout.names[columns.tags] if layout.names else ""
    report.scheme = columns.spelling.scheme
    if layout.header_line:
        report.add_note("header row", layout.header_line, ", ".join(layout.names)[:60])
    if layout.quoted and layout.separator == "tab":
        report.add_note("quotes around every word, left out", layout.first_line, "read as spreadsheets write them")
    for kind, line, found in columns.findings:
        report.add_irregularity(kind, line, repr(found))
    columns.spelling.report_to(report, options.on_error)
    return _sentences(columns, options, report)


def _sentences(columns: Columns, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    layout, on_error = columns.layout, options.on_error
    word, column, document = layout.word_column, columns.tags, 0
    misc = layout.names.index("misc") if columns.has_spacing else None
    ends = end_words(options.sentence_end)
    for number, block in enumerate(read_blocks(layout)):
        document += block.new_document and number > 0
        if block.comments:
            _note_comments(layout, block, report)
        if not block.rows:
            continue
        rows, units = block.rows, None
        if layout.has_ids:
            units = read_ids(block.rows, block.first_line, word, misc, layout.path, report)
        if units is not None:
            rows = [row for row in rows if row[0].isdecimal()]
        lines = word_lines(block, rows)
        words = [row[word] for row in rows]
        tags = [row[column] for row in rows]
        if "" in words or "" in tags or (layout.is_conllu and "_" in tags and "_" not in columns.spelling.known):
            raise _missing(layout, column, words, tags, lines)
        text, raw, starts, stops = _place(block, words, units, misc is not None, on_error, report)
        tags, spans = read_tags(columns.spelling.read(tags), starts, stops, lines, column, on_error, report)
        sentence = Sentence(document, text, raw, words, starts, stops, tags, spans, block.first_line, lines=lines)
        for part in split_sentence(sentence, lines, ends) if ends else [sentence]:
            report.add_sentence(part)
            yield part
    note_long_sentences(report, layout.first_line)


def _note_comments(layout: Layout, block: Block, report: Report) -> None:
    """Comments are what the format allows beside ids; elsewhere, and after all rows, they are noted."""
    for line, comment in block.comments if not layout.has_ids or not block.rows else []:
        report.add_note("comment line", line, comment[:40])


def _missing(layout: Layout, column: int, words: list[str], tags: list[str], lines: Sequence[int]) -> InputError:
    if "" in words:
        line, what, at = lines[words.index("")], "an empty word", layout.word_column
        fix = "Write the word; a sentence ends with a blank line."
    else:
        empty = "" if "" in tags else "_"
        line, what, at = lines[tags.index(empty)], f"no tag for the word {words[tags.index(empty)]!r}", column
        fix = f"Write a tag, or choose another column, as {option('tag_column', column - 1)}."
    return InputError(what, path=layout.path, line=line, column=at + 1, fix=fix)


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
            fix = f"Correct the text or the words, or pass {option('on_error', 'convert')}."
            raise InputError(f"# text does not fit the words: {problem}", path=report.path, line=number, fix=fix)
        report.add_irregularity("# text that does not fit the words (words joined instead)", number, problem)
        break
    text, starts, ends = join_units(words, units)
    return text, spacing, starts, ends

"""How a column file is laid out: encoding, separator, columns, comments, blocks of rows. No tags are read here."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.foreign_formats import refuse_foreign, refuse_running_text
from tagsmith.training.data.header_row import header_names, sentence_name, word_name
from tagsmith.training.data.reading_options import SEPARATORS, ReadingOptions, option
from tagsmith.training.data.text_lines import binary_file, read_lines
from tagsmith.training.data.word_ids import IdEvidence, count_with_marks, in_doubt

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

DOCUMENT_MARK = "-DOCSTART-"

_SPECIAL = frozenset(["", " ", "\t", "#", "-"])  # what a line begins with that may be no row

# Comments that a file without an id column may hold; any other line with `#` may be a row whose word is `#`.
_KNOWN_COMMENT = re.compile(
    r"#\s*(text|sent_id|newdoc|newpar|newdoc id|newpar id|global\.columns)\s*=|# new(doc|par)\s*$|# id "
)
_MARGINAL_COMMENT = re.compile(r"#([ \t]|$|begin |end )")
_INNER_COMMENT = re.compile(r"#\s*[^\s=]+\s*=")
_MANY_ROWS = 5_000  # the first ones with a number, which tell whether it is a word id
_FEW_ROWS = 100  # the first ones, looked at for what a file is


@dataclass(frozen=True)
class Layout:
    """The columns of a file; numbers are 0-based."""

    path: Path
    encoding: str
    separator: str  # a name in `SEPARATORS`
    width: int
    first_line: int
    has_ids: bool
    word_column: int
    names: tuple[str, ...]  # empty unless the file names its columns or is CoNLL-U
    header_line: int = 0  # of the row that names the columns
    sentence_column: int | None = None  # whose value changes where a sentence begins
    quoted: bool = False  # fields stand in double quotes, as spreadsheets write them

    @property
    def is_conllu(self) -> bool:
        """Ten columns with an id first."""
        return self.names == CONLLU_COLUMNS

    @property
    def delimiter(self) -> str:
        """The character between columns."""
        return SEPARATORS[self.separator]


@dataclass
class Block:
    """Rows between two blank lines, and the comments before and between them; a last block may have comments only."""

    first_line: int = 0
    rows: list[list[str]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    new_document: bool = False

    @property
    def lines(self) -> Sequence[int]:
        """The line of each row."""
        if not self.comments or self.comments[-1][0] < self.first_line or not self.rows:
            return range(self.first_line, self.first_line + len(self.rows))
        inner = {line for line, _ in self.comments if line > self.first_line}
        after = range(self.first_line, self.first_line + len(self.rows) + len(inner))
        return [line for line in after if line not in inner]


@dataclass(frozen=True)
class _Lines:
    """What the lines of a file are like."""

    rows: int
    tabs: int
    first_tab: int
    first_space: int
    first: list[tuple[int, str]]  # rows, by their line
    comments: list[str]
    ids: IdEvidence


def survey_layout(path: Path, options: ReadingOptions = ReadingOptions()) -> Layout:  # noqa: B008
    """Read a file once for its layout.

    Args:
        path: a column file.
        options: how to read it.

    Raises:
        InputError: an empty, binary or wrongly encoded file, one in another format, no row, or tabs in some rows only.
    """
    refuse_foreign(path, options.encoding)
    lines = _survey_lines(path, options.encoding)
    separator = options.separator
    if separator == "auto":
        if lines.tabs and lines.tabs < lines.rows:
            raise _mixed(path, lines)
        separator = "tab" if lines.tabs else "whitespace"
        if path.suffix.lower() == ".csv" and separator != "tab" and _is_even(lines, "comma"):
            separator = "comma"  # as the file's name says
        else:
            _refuse_others(path, separator, lines)
    return _columns(path, options, separator, lines)


def _survey_lines(path: Path, encoding: str) -> _Lines:
    ids = IdEvidence()
    first: list[tuple[int, str]] = []
    comments: list[str] = []
    rows, tabs, digits, first_tab, first_space, number = 0, 0, 0, 0, 0, 0
    for number, line in enumerate(read_lines(path, encoding), 1):
        if "\0" in line:
            raise binary_file(path, number, line.index("\0") + 1)
        if "\r" in line:
            fix = "End lines with a line feed."
            at = line.index("\r") + 1
            raise InputError("a carriage return inside a line", path=path, line=number, column=at, fix=fix)
        if line[:1] in _SPECIAL and (line[:1] == "#" or line.startswith(DOCUMENT_MARK) or not line.strip(" \t")):
            if line.startswith("#") and len(comments) < _FEW_ROWS:
                comments.append(line)
            continue
        if rows < _FEW_ROWS:
            first.append((number, line))
        rows += 1
        if "\t" in line:
            tabs += 1
            first_tab = first_tab or number
        else:
            first_space = first_space or number
        begin = line if line[0] > " " else line.lstrip(" \t")  # ids may be set flush right
        if "0" <= begin[0] <= "9":
            digits += 1
            if digits <= _MANY_ROWS:
                ids.add(begin, number)
    if not rows:
        what = "holds no row of words and tags" if number else "is empty"
        raise InputError(f"the file {what}", path=path, fix="Give a file with one word and its tag a line.")
    ids.rows += max(digits - _MANY_ROWS, 0)
    return _Lines(rows, tabs, first_tab, first_space, first, comments, ids)


def _mixed(path: Path, lines: _Lines) -> InputError:
    wish = option("separator", "whitespace")
    spaces = lines.rows - lines.tabs
    if lines.tabs <= spaces:
        message, line = f"a tab, where {spaces:,} other rows have spaces only", lines.first_tab
        fix = f"Replace the tab by a space, or pass {wish} to allow both."
    else:
        message, line = f"no tab, where {lines.tabs:,} other rows have one", lines.first_space
        fix = f"Separate the columns by a tab, or pass {wish} to allow both."
    return InputError(message, path=path, line=line, fix=fix)


def _refuse_others(path: Path, separator: str, lines: _Lines) -> None:
    """See whether commas and the like separate the columns, or nothing does."""
    if separator == "tab":
        return
    rows = [split_row(line, separator) for _, line in lines.first]
    even = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    first_line, first = lines.first[0]
    for name in ("comma", "semicolon", "pipe"):
        mark = SEPARATORS[name]
        if even:  # `Tessa, B-PER`: one such word is a word, but not all of them
            found = len(rows) > 2 and all(len(row[0]) > 1 and row[0].endswith(mark) for row in rows)
        else:
            found = _is_even(lines, name) or all(mark in line for _, line in lines.first)
        if found:
            message = f"this file looks as if {name}s separate its columns: {first[:40]!r}"
            raise InputError(message, path=path, line=first_line, fix=f"Pass {option('separator', name)}.")
    if not even:
        refuse_running_text(path, first_line, rows)


def _is_even(lines: _Lines, separator: str) -> bool:
    """Whether a separator makes equally many columns of the first rows, and more than one."""
    widths = {len(split_row(line, separator)) for _, line in lines.first}
    return len(widths) == 1 and widths != {1}


def _columns(path: Path, options: ReadingOptions, separator: str, lines: _Lines) -> Layout:
    first_line, first_row = lines.first[0]
    first = split_row(first_row, separator)
    width = len(first)
    named = next((line for line in reversed(lines.comments) if line.startswith("# global.columns")), "")
    names = tuple(named.partition("=")[2].lower().split())
    header = () if names else header_names(first)
    rows = [split_row(line, separator) for _, line in lines.first[bool(header) :]]
    rows = [row for row in rows if len(row) == width]
    if header and not rows:
        raise InputError("the file names its columns and has no rows", path=path, line=first_line, fix="Add rows.")
    if named and len(names) != width:
        message = f"{width} columns, and '# global.columns' names {len(names)}"
        raise InputError(message, path=path, line=first_line, fix="Name every column.")
    has_ids = names[0] == "id" if names else _has_ids(path, options, lines, rows, bool(header))
    if has_ids and not names and not header and width == len(CONLLU_COLUMNS):
        names = CONLLU_COLUMNS
    names = names or header
    word = names.index("form") if "form" in names else word_name(names) if header else int(has_ids)
    column = int(has_ids) if word is None else word
    quoted = separator not in ("tab", "whitespace") or (separator == "tab" and _are_quoted(rows, column))
    layout = Layout(
        path,
        options.encoding,
        separator,
        width,
        lines.first[1][0] if header else first_line,
        has_ids,
        column,
        names,
        first_line if header else 0,
        sentence_name(header) if header else None,
        quoted,
    )
    _refuse_brackets(layout, options, lines)
    return layout


def _are_quoted(rows: list[list[str]], column: int) -> bool:
    """Whether all words stand in double quotes; a word that is a quote itself has another beside it then."""
    words = [row[column] for row in rows]
    return bool(words) and all(len(word) > 2 and word[0] == word[-1] == '"' for word in words)


def _has_ids(path: Path, options: ReadingOptions, lines: _Lines, rows: list[list[str]], header: bool) -> bool:
    """Whether the first column holds word ids; a column of words that is named decides what is in doubt."""
    if not rows or len(rows[0]) < 3 or options.word_column == 0:
        return False
    if count_with_marks([row[0] for row in rows]):
        if options.word_column is None and not header:
            raise in_doubt(path, *lines.first[0])
        return False
    commented = any(_KNOWN_COMMENT.match(line) for line in lines.comments)
    ids = lines.ids.holds_ids(lines.rows - header, rows, commented)
    if ids is None:
        if options.word_column is None and not header:
            raise in_doubt(path, *lines.first[0])
        return lines.ids.rows > 0.8 * lines.rows
    return ids


def _refuse_brackets(layout: Layout, options: ReadingOptions, lines: _Lines) -> None:
    """CoNLL-2012 has words in its fourth column, and names in brackets over several."""
    if (
        layout.width > 7
        and options.word_column is None
        and any(line.startswith("#begin doc") for line in lines.comments)
    ):
        message = "this file looks like CoNLL-2012 (OntoNotes): '#begin document'"
        fix = (
            "Write its names as B-PERSON, I-PERSON and O instead of brackets; then pass "
            f"{option('word_column', 3)} and {option('tag_column', 'N')} for the column N of the names."
        )
        raise InputError(message, path=layout.path, line=1, fix=fix)


def split_row(line: str, separator: str, quoted: bool = False) -> list[str]:
    """The fields of a row. Of white space only spaces and tabs separate: a no-break space may be part of a word.

    Fields between commas, semicolons or pipes, and others where `quoted` says so, may stand in double quotes.
    """
    if quoted or separator not in ("tab", "whitespace"):
        try:
            begun = line.lstrip(" \t") if separator != "tab" else line
            return next(csv.reader([begun], delimiter=SEPARATORS[separator], skipinitialspace=True))
        except csv.Error:
            return [line]
    if separator == "tab":
        return line.split("\t")
    return [part for part in line.replace("\t", " ").split(" ") if part]


def read_blocks(layout: Layout) -> Iterator[Block]:
    """The blocks of a file: its sentences, as rows of fields.

    A document mark and a `# newdoc` comment begin a document. Comments after the last row are a block without rows.

    Raises:
        InputError: a row with more or fewer columns than the first, or a comment between two rows.
    """
    width, tab, quoted = layout.width, layout.separator == "tab", layout.quoted
    blank, blanks = layout.delimiter, " \t" if tab else " \t" + layout.delimiter
    marks, header_line = layout.sentence_column, layout.header_line
    special = _SPECIAL.union(blanks)
    block, sentence = Block(), ""
    for number, line in enumerate(read_lines(layout.path, layout.encoding), 1):
        first = line[:1]
        if first in special:
            if not line.strip(blanks):
                if block.rows:
                    yield block
                    block = Block()
                continue
            if first == "#" and _is_comment(line, layout, block, number):
                block.comments.append((number, line))
                block.new_document = block.new_document or line[1:].lstrip().startswith("newdoc")
                continue
            if line.startswith(DOCUMENT_MARK) and line[len(DOCUMENT_MARK) :][:1] in ("", " ", "\t"):
                if block.rows:
                    yield block
                    block = Block()
                block.new_document = True
                continue
        if number == header_line:
            continue
        fields = line.split(blank)
        if len(fields) != width or quoted or (not tab and ("" in fields or "\t" in line)):
            fields = split_row(line, layout.separator, quoted)
            if len(fields) != width:
                raise _ragged(layout, number, fields)
        if not block.rows:
            block.first_line = number
            sentence = "" if marks is None else fields[marks]
        elif marks is not None and fields[marks] not in ("", sentence):
            yield block
            block = Block(first_line=number)
            sentence = fields[marks]
        block.rows.append(fields)
    if block.rows or block.comments:
        yield block


def word_lines(block: Block, rows: Sequence[list[str]]) -> Sequence[int]:
    """The lines of the rows that are words: all of a block's, or those with the ids of words."""
    if len(rows) == len(block.rows):
        return block.lines
    return [line for line, row in zip(block.lines, block.rows, strict=True) if row[0].isdecimal()]


def _is_comment(line: str, layout: Layout, block: Block, number: int) -> bool:
    """Whether a line with `#` first is a comment: always beside ids, else where it can be no row of the word `#`."""
    if layout.has_ids:
        if block.rows:
            fix = "Put a blank line between sentences; comments stand before a sentence's rows."
            raise InputError("a comment inside a sentence", path=layout.path, line=number, fix=fix)
        return True
    fields = split_row(line, layout.separator)
    if len(fields) != layout.width:
        if not block.rows and (_KNOWN_COMMENT.match(line) or _MARGINAL_COMMENT.match(line)):
            return True
        return _INNER_COMMENT.match(line) is not None or (layout.separator == "tab" and line.startswith("# "))
    if not block.rows and (_KNOWN_COMMENT.match(line) or header_names([fields[0].lstrip("# "), *fields[1:]])):
        return True
    return fields[0] == "#" and (("=" in fields[-1] and not block.rows) or any("://" in field for field in fields))


def _ragged(layout: Layout, number: int, fields: list[str]) -> InputError:
    count = f"{len(fields)} column{'s' * (len(fields) != 1)}"
    message = f"{count}, where line {layout.first_line} has {layout.width}; found {' | '.join(fields)[:80]!r}"
    fix = "Give every row the same columns, and every word its tag."
    if layout.separator == "whitespace" and len(fields) > layout.width:
        fix = "Give every row the same columns; words that hold spaces need tabs between the columns."
    elif layout.separator not in ("tab", "whitespace"):
        fix = "Give every row the same columns; a word that holds the separator or a quote needs double quotes."
    return InputError(message, path=layout.path, line=number, column=min(len(fields), layout.width) + 1, fix=fix)

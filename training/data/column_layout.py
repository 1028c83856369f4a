"""How a column file is laid out: encoding, separator, columns, comments, blocks of rows. No tags are read here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tagsmith.tokenization.input_error import InputError

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

DOCUMENT_MARK = "-DOCSTART-"

# Comments that a file without an id column may hold; any other line with `#` may be a row whose word is `#`.
_KNOWN_COMMENT = re.compile(
    r"#\s*(text|sent_id|newdoc|newpar|newdoc id|newpar id|global\.columns)\s*=|# new(doc|par)\s*$|# id "
)
_MARGINAL_COMMENT = re.compile(r"#( |$|begin |end )")
_FIRST_ID = re.compile(r"[01](-\d+|\.\d+)?$")


@dataclass(frozen=True)
class Layout:
    """The columns of a file; numbers are 0-based."""

    path: Path
    encoding: str
    separator: str  # "tab" or "whitespace"
    width: int
    first_line: int
    has_ids: bool
    word_column: int
    names: tuple[str, ...]  # empty unless the file names its columns or is CoNLL-U

    @property
    def is_conllu(self) -> bool:
        """Ten columns with an id first."""
        return self.names == CONLLU_COLUMNS


@dataclass
class Block:
    """Rows between two blank lines, on consecutive lines from `first_line` on, and the comments before them."""

    first_line: int = 0
    rows: list[list[str]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    new_document: bool = False


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file without their ends (LF or CR LF); a byte order mark is dropped.

    Raises:
        InputError: no such file, no such encoding, or bytes that the encoding does not know.
    """
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        with path.open(encoding=codec, newline="\n") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except UnicodeError as error:
        raise _encoding_error(path, codec, error) from None
    except LookupError:
        raise InputError(f"no encoding is called {encoding!r}", path=path, fix="Try 'utf-8' or 'latin-1'.") from None
    except FileNotFoundError:
        raise InputError("no such file", path=path, fix="Check the path.") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, fix="Give a readable file.") from None


def _encoding_error(path: Path, codec: str, error: UnicodeError) -> InputError:
    """Find the line and the byte of a decoding error, which a text file reports within its own buffer only."""
    offset = 0
    fix = "Convert the file to UTF-8, or name its encoding, such as encoding='latin-1'."
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if b"\0" in line:
                return _binary(path, number, line.index(b"\0") + 1)
            try:
                line.decode(codec)
            except UnicodeDecodeError as inner:
                byte = f"byte 0x{line[inner.start]:02x} at offset {offset + inner.start}"
                name = codec.removesuffix("-sig")
                return InputError(f"{byte} is not {name}", path=path, line=number, column=inner.start + 1, fix=fix)
            except UnicodeError:
                break
            offset += len(line)
    return InputError(f"is not {codec}: {error}", path=path, fix=fix)


def _binary(path: Path, line: int, column: int) -> InputError:
    fix = "Give a text file, or name its encoding if it is UTF-16."
    return InputError("a NUL character: a binary file", path=path, line=line, column=column, fix=fix)


def survey_layout(path: Path, encoding: str, separator: str) -> Layout:
    """Read a file once for its layout.

    Args:
        path: a column file.
        encoding: its encoding.
        separator: `tab`, `whitespace`, or `auto`: tab if every row has one, whitespace if none has.

    Raises:
        InputError: an empty, binary or wrongly encoded file, no row, or tabs in some rows only.
    """
    tabs, spaces, first_tab, first_space, digits = 0, 0, 0, 0, 0
    first_row, first_line, named, number = "", 0, "", 0
    for number, line in enumerate(read_lines(path, encoding), 1):
        if "\0" in line:
            raise _binary(path, number, line.index("\0") + 1)
        if "\r" in line:
            fix = "End lines with a line feed."
            raise InputError(
                "a carriage return inside a line", path=path, line=number, column=line.index("\r") + 1, fix=fix
            )
        if not line or line[0] == "#" or line.startswith(DOCUMENT_MARK) or not line.strip(" \t"):
            if line.startswith("# global.columns"):
                named = line
            continue
        if "\t" in line:
            tabs += 1
            first_tab = first_tab or number
        else:
            spaces += 1
            first_space = first_space or number
        digits += "0" <= line[0] <= "9"
        if not first_line:
            first_row, first_line = line, number
    if not first_line:
        what = "holds no row of words and tags" if number else "is empty"
        raise InputError(f"the file {what}", path=path, fix="Give a file with one word and its tag a line.")
    if separator == "auto":
        if tabs and spaces:
            raise _mixed(path, tabs, spaces, first_tab, first_space)
        separator = "tab" if tabs else "whitespace"
    return _columns(path, encoding, separator, first_row, first_line, named, digits / (tabs + spaces))


def _mixed(path: Path, tabs: int, spaces: int, first_tab: int, first_space: int) -> InputError:
    if tabs <= spaces:
        message, line = f"a tab, where {spaces:,} other rows have spaces only", first_tab
        fix = "Replace the tab by a space, or give separator='whitespace' to allow both."
    else:
        message, line = f"no tab, where {tabs:,} other rows have one", first_space
        fix = "Separate the columns by a tab, or give separator='whitespace' to allow both."
    return InputError(message, path=path, line=line, fix=fix)


def _columns(
    path: Path, encoding: str, separator: str, first_row: str, first_line: int, named: str, digits: float
) -> Layout:
    first = split_row(first_row, separator)
    width = len(first)
    names = tuple(named.partition("=")[2].lower().split())
    has_ids = width > 2 and digits > 0.5 and _FIRST_ID.match(first[0]) is not None
    if names:
        if len(names) != width:
            message = f"{width} columns, and '# global.columns' names {len(names)}"
            raise InputError(message, path=path, line=first_line, fix="Name every column.")
        has_ids = names[0] == "id"
    elif has_ids and width == len(CONLLU_COLUMNS):
        names = CONLLU_COLUMNS
    word = names.index("form") if "form" in names else int(has_ids)
    return Layout(path, encoding, separator, width, first_line, has_ids, word, names)


def split_row(line: str, separator: str) -> list[str]:
    """The fields of a row. Only spaces and tabs separate: a no-break space may be part of a word."""
    if separator == "tab":
        return line.split("\t")
    return [part for part in line.replace("\t", " ").split(" ") if part]


def read_blocks(layout: Layout) -> Iterator[Block]:
    """The blocks of a file: its sentences, as rows of fields.

    A document mark and a `# newdoc` comment begin a document. Comments with no rows after them are not yielded.

    Raises:
        InputError: a row with more or fewer columns than the first, or a comment between two rows.
    """
    width, tab = layout.width, layout.separator == "tab"
    blank = "\t" if tab else " "
    block = Block()
    for number, line in enumerate(read_lines(layout.path, layout.encoding), 1):
        if not line or not line.strip(" \t"):
            if block.rows:
                yield block
                block = Block()
            continue
        if line[0] == "#" and _is_comment(line, layout, block, number):
            block.comments.append((number, line))
            block.new_document = block.new_document or line[1:].lstrip().startswith("newdoc")
            continue
        if line[0] == "-" and line.startswith(DOCUMENT_MARK) and line[len(DOCUMENT_MARK) :][:1] in ("", " ", "\t"):
            if block.rows:
                yield block
                block = Block()
            block.new_document = True
            continue
        fields = line.split(blank)
        if len(fields) != width or (not tab and ("" in fields or "\t" in line)):
            fields = split_row(line, layout.separator)
            if len(fields) != width:
                raise _ragged(layout, number, fields)
        if not block.rows:
            block.first_line = number
        block.rows.append(fields)
    if block.rows:
        yield block


def _is_comment(line: str, layout: Layout, block: Block, number: int) -> bool:
    """Whether a line with `#` first is a comment: always beside ids, else where it can be no row of the word `#`."""
    if layout.has_ids:
        if block.rows:
            fix = "Put a blank line between sentences; comments stand before a sentence's rows."
            raise InputError("a comment inside a sentence", path=layout.path, line=number, fix=fix)
        return True
    if block.rows:
        return False
    if _KNOWN_COMMENT.match(line):
        return True
    fields = split_row(line, layout.separator)
    if len(fields) != layout.width:
        return _MARGINAL_COMMENT.match(line) is not None
    return "=" in fields[-1] and fields[0] == "#"


def _ragged(layout: Layout, number: int, fields: list[str]) -> InputError:
    count = f"{len(fields)} column{'s' * (len(fields) != 1)}"
    message = f"{count}, where line {layout.first_line} has {layout.width}; found {' | '.join(fields)[:80]!r}"
    fix = "Give every row the same columns, and every word its tag."
    if layout.separator == "whitespace" and len(fields) > layout.width:
        fix = "Give every row the same columns; words that hold spaces need tabs between the columns."
    return InputError(message, path=layout.path, line=number, column=min(len(fields), layout.width) + 1, fix=fix)

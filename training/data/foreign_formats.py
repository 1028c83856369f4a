"""How files begin: those in formats that are not read are refused by name, with what to do."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.rereadable import rereadable
from tagsmith.training.data.text_lines import read_lines

_TEXT_FIX = "Save it as text: one word and its tag a line, with a tab between them, or as JSON lines."
_PARQUET, _ARROW = b"PAR1", (b"ARROW1", b"\xff\xff\xff\xff")

# How files begin that are no text, what they are, and what to do.
_BINARY: list[tuple[bytes, str, str]] = [
    (b"PK\x03\x04", "a spreadsheet, a document or another zip archive", _TEXT_FIX),
    (_PARQUET, "Parquet", "Read it with --file-format parquet."),
    *((magic, "Arrow", "Read it with --file-format arrow.") for magic in _ARROW),
    (b"\x1f\x8b", "compressed by gzip", "Unpack it first: gunzip FILE; or give <(zcat FILE) on the command line."),
    (b"BZh", "compressed by bzip2", "Unpack it first: bunzip2 FILE; or give <(bzcat FILE) on the command line."),
    (b"\xfd7zXZ", "compressed by xz", "Unpack it first: unxz FILE; or give <(xzcat FILE) on the command line."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it first: unzstd FILE."),
    (b"%PDF-", "PDF", _TEXT_FIX),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document of Microsoft Office", _TEXT_FIX),
    (b"{\\rtf", "rich text (RTF)", _TEXT_FIX),
    (b"SQLite format 3", "a SQLite database", _TEXT_FIX),
    (b"\x93NUMPY", "a NumPy array", _TEXT_FIX),
    (b"\x89HDF", "HDF5", _TEXT_FIX),
    (b"\x89PNG", "a picture", _TEXT_FIX),
    (b"\xff\xd8\xff", "a picture", _TEXT_FIX),
]

_MARKUP = re.compile(
    r"<(\?xml|!DOCTYPE|!--|html\b)|<[A-Za-z][\w:.-]*(\s[^<>]*)?/?>(<.*)?$|<([A-Za-z][\w:.-]*)(\s[^<>]*)?>.*</\4>$",
    re.IGNORECASE,
)
_STANDOFF = re.compile(
    r"T\d+\t\S+ \d+ \d+|R\d+\t\S+ \w+:T\d+|E\d+\t\S+:T\d+|[AM]\d+\t\S+ [TREAM]\d+|#\d+\t\S+ [TREAM]\d+"
)
_JSON = re.compile(r"[\[{]\s*$|\[\s?[\[{]|[\[{] ?\"[^\"\t]*\"? ?[:,\]]")
_LONG_LINE = 10_000_000  # characters; such a line is not parsed to see what it is
_INLINE_TAG = re.compile(r"\S+[/|_](O|[BIESLU]-\S+|[A-Z]{1,5})$")


def refuse_foreign(path: Path, encoding: str) -> None:
    """Look at how a file begins, before it is read as columns.

    Raises:
        InputError: it is in another format that is known here; or it cannot be read.
    """
    begin = _first_bytes(path)
    for magic, what, fix in _BINARY:
        if begin.startswith(magic):
            raise InputError(f"this file is {what}, not text", path=path, fix=fix)
    for number, line in _first_lines(path, encoding):
        _refuse_line(path, number, line)


def is_json_lines(path: Path, encoding: str) -> bool:
    """Whether the first line that holds something is a JSON object, whatever the file is called."""
    if _first_bytes(path).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] != b"{":
        return False
    for _, line in _first_lines(path, encoding):
        return isinstance(_parsed(line), dict)
    return False


def refuse_running_text(path: Path, line: int, rows: list[list[str]]) -> None:
    """See whether rows of unequal length, or of one field, are sentences as one reads them.

    Raises:
        InputError: they are.
    """
    inline = [all(_INLINE_TAG.match(field) for field in row) for row in rows]
    if sum(inline) > len(rows) / 2:
        message = f"words with their tags behind them, such as {rows[0][0]!r}, not columns"
        raise InputError(
            message, path=path, line=line, fix="Write one word and its tag a line, with a tab between them."
        )
    ends = [bool(re.search(r"\w[.!?]$", row[-1])) for row in rows]
    if len(rows[0]) > 1 and (len({len(row) for row in rows}) > 2 or all(ends)) and sum(ends) > len(rows) / 2:
        message = f"this looks like running text, not columns of words and tags: {' '.join(rows[0])[:40]!r}"
        fix = "Annotate it first: one word and its tag a line; a text without tags is for tagsmith tag."
        raise InputError(message, path=path, line=line, fix=fix)


def _first_bytes(path: Path) -> bytes:
    try:
        with rereadable(path).open("rb") as file:
            return file.read(64)
    except OSError:
        return b""  # what reads the lines says it


def _first_lines(path: Path, encoding: str) -> list[tuple[int, str]]:
    lines = ((number, line) for number, line in enumerate(read_lines(path, encoding), 1) if line.strip())
    return list(islice(lines, 2))


def _parsed(line: str) -> object:
    try:
        return json.loads(line) if len(line) < _LONG_LINE else None
    except (ValueError, RecursionError):
        return None


def begins_as(path: Path, encoding: str) -> str | None:
    """The format of a file that says so in its first bytes: `parquet`, `arrow`, `webanno` or `conll-2012`."""
    begin = _first_bytes(path)
    if begin.startswith((_PARQUET, *_ARROW)):
        return "parquet" if begin.startswith(_PARQUET) else "arrow"
    if b"\0" in begin or any(begin.startswith(magic) for magic, _, _ in _BINARY):
        return None
    for _, line in _first_lines(path, encoding):
        if line.startswith("#FORMAT=WebAnno TSV"):
            return "webanno"
        return "conll-2012" if line.startswith("#begin document") else None
    return None


def is_json(path: Path, encoding: str) -> bool:
    """Whether a file begins as a JSON document does, and not as columns whose first word is a bracket."""
    if _first_bytes(path).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] not in (b"{", b"["):
        return False
    for _, line in _first_lines(path, encoding):
        text = line.strip()
        return isinstance(_parsed(text), dict | list) or ("\t" not in text and _JSON.match(text) is not None)
    return False


def _refuse_line(path: Path, number: int, line: str) -> None:
    text = line.strip()
    if _MARKUP.match(text) and "\t" not in text:
        raise InputError(f"this file looks like XML or HTML: {text[:40]!r}", path=path, line=number, fix=_TEXT_FIX)
    if _STANDOFF.match(line):
        message = f"this file looks like brat's standoff annotation: {text[:40]!r}"
        fix = "Name it NAME.ann, with its text in NAME.txt beside it; tagsmith convert and --train read the pair."
        raise InputError(message, path=path, line=number, fix=fix)

"""What a mutated file says, by tiny readers that share no code with the package.

They know how the file was made (`Mutant`), so that they need not guess what its columns are; and they are strict only
where the file cannot be read at all. What the package accepts must say the same, or its report must say what was
changed.
"""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from typing import Any, NamedTuple

from mutants import Mutant

Spans = list[tuple[int, int, str]]

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“"}
_OUTSIDE = {"0", "_", "-", "--", "none", "null", "nil", "nan", "na", "n/a", "o", "out", "outside", "о", "ο"}


class Unreadable(Exception):
    """The file cannot be read: the package must refuse it."""


class Row(NamedTuple):
    """A line that is a word, or may be one."""

    line: int
    word: str
    tag: str
    certain: bool  # else it may be a comment


class JsonRow(NamedTuple):
    """A line of JSON lines."""

    line: int
    text: str | None
    spans: Spans | None
    tokens: list[str]
    tags: list[str]
    strange_keys: list[str]


def decoded(mutant: Mutant) -> str:
    """The text of a file."""
    encoding = mutant.options.get("encoding", "utf-8")
    try:
        text = mutant.content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError as error:
        raise Unreadable(f"not {encoding}") from error
    return text


def read_rows(mutant: Mutant, quoted: bool, header: bool) -> list[list[Row]]:
    """The sentences of a column file; those without rows are left out.

    Args:
        mutant: with its file.
        quoted: read double quotes around cells as spreadsheets write them.
        header: leave out the first row, which names the columns.
    """
    text = decoded(mutant)
    if "\0" in text:
        raise Unreadable("NUL")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if any("\r" in line for line in lines):
        raise Unreadable("a carriage return in a line")
    mark = mutant.separator if mutant.separator not in "\t " else _separator(lines)
    if mark == "\t" and all(line.startswith("\t") for line in lines if line.strip(" \t")):
        lines = [line[1:] for line in lines]  # an empty first column
    sentences: list[list[Row]] = [[]]
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t" + mark) or re.match(r"-DOCSTART-([ \t]|$)", line):
            sentences.append([])
            continue
        comment = line.startswith("#")
        if comment and mutant.ids:
            continue
        if header and not comment:
            header = False
            continue
        cells = _cells(line, mark, quoted)
        if mutant.ids and re.fullmatch(r"\d+[-.]\d+", cells[0]):
            continue
        if comment:  # which a row without enough cells may be
            cells += [""] * (max(mutant.word, mutant.tag) + 1 - len(cells))
        if len(cells) <= max(mutant.word, mutant.tag):
            raise Unreadable(f"no tag in line {number}")
        sentences[-1].append(Row(number, cells[mutant.word], cells[mutant.tag], not comment))
    return [rows for rows in sentences if rows]


def _separator(lines: list[str]) -> str:
    rows = [line for line in lines if line.strip(" \t") and not line.startswith(("#", "-DOCSTART-"))]
    return "\t" if rows and "\t" in rows[0] else " "


def _cells(line: str, mark: str, quoted: bool) -> list[str]:
    if mark == " ":
        return re.split("[ \t]+", line.strip(" \t"))
    if mark == "\t" and not quoted:
        return line.split("\t")
    return next(csv.reader([line if quoted else line.lstrip(" \t")], delimiter=mark, skipinitialspace=True))


def canonical(tag: str, mutant: Mutant) -> tuple[str, bool]:
    """A tag as `B-LABEL` or `O`, and whether that had to be read out of another spelling."""
    bare = _stripped(tag)
    if len(bare) > 2 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = _stripped(bare[1:-1]) or bare
    if mutant.plain or bare == "O":
        return bare, bare != tag
    if bare == mutant.options.get("outside"):
        return "O", False  # as the option says
    if bare.casefold() in _OUTSIDE:
        return "O", True
    if mutant.label_first and (match := re.fullmatch(r"(.+)[\W_]{1,2}([BIESLUbieslu])", bare, re.DOTALL)):
        return f"{match[2].upper()}-{match[1].strip()}", True
    match = re.fullmatch(r"([BIESLUMWbieslumw])[\W_]{1,2}(.+)", bare, re.DOTALL)
    if bare[:1] in set("BIESLU") and bare[1:2] == "-":
        return bare, bare != tag
    if match is None:
        raise Unreadable(f"{tag!r} is no tag")
    prefix = match[1].upper()
    return f"{ {'M': 'I', 'W': 'S'}.get(prefix, prefix) }-{match[2].strip()}".replace(" ", "", 2), True


def is_tag(tag: str, mutant: Mutant) -> bool:
    """Whether a cell can be a tag."""
    try:
        return bool(canonical(tag, mutant)[0])
    except Unreadable:
        return False


def _stripped(tag: str) -> str:
    before = ""
    while tag != before:
        before, tag = tag, tag.strip().strip(_INVISIBLE)
    return tag


def decode(tags: list[str]) -> Spans:
    """The spans of words that tags say, in whichever scheme: as the scorer of the CoNLL tasks reads them."""
    spans: Spans = []
    open_at, label = -1, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, here = ("O", "") if tag == "O" else (tag[0], tag[2:])
        if open_at >= 0 and (prefix in "OBSU" or here != label):
            spans.append((open_at, place, label))
            open_at = -1
        if prefix != "O" and open_at < 0:
            open_at, label = place, here
        if prefix in "ELSU":
            spans.append((open_at, place + 1, label))
            open_at = -1
    return spans


def openers(tags: list[str]) -> int:
    """How many spans an `I-` opens, which IOB2 forbids."""
    return sum(
        tag[0] == "I" and (before == "O" or before[2:] != tag[2:])
        for before, tag in zip(["O", *tags], tags, strict=False)
    )


def read_json(mutant: Mutant) -> list[JsonRow]:
    """The rows of a file of JSON lines."""
    rows = []
    for number, line in enumerate(decoded(mutant).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.rstrip("\r"), object_pairs_hook=_pairs, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"line {number} is no JSON") from error
        if not isinstance(row, dict):
            raise Unreadable(f"line {number} is no object")
        rows.append(_json_row(number, row))
    return rows


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Unreadable("a key twice")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise Unreadable(name)


def _json_row(number: int, row: dict[str, Any]) -> JsonRow:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("half a character") from error
    text, spans = row.get("text"), row.get("spans", row.get("entities"))
    tokens, tags = ([] if row.get(key) is None else row[key] for key in ("tokens", "tags"))
    for values in (tokens, tags):
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            raise Unreadable("no list of strings")
    if len(tokens) != len(tags) or not isinstance(text, str | None):
        raise Unreadable("values that do not fit")
    if (text is None and not tokens) or (spans is None and "tags" not in row):
        raise Unreadable("nothing said")
    keys = [key for key in row if key not in ("text", "spans", "entities", "tokens", "tags", "document")]
    found: Spans | None = None
    if spans is not None:
        if not isinstance(spans, list):
            raise Unreadable("no list of spans")
        found = sorted(_span(span, text) for span in spans)
        if any(before[1] > after[0] for before, after in pairwise(found)):
            raise Unreadable("spans overlap")
        keys += [key for span in spans for key in span if key not in ("start", "end", "label", "score")]
    return JsonRow(number, text, found, tokens, tags, keys)


def _span(span: Any, text: str | None) -> tuple[int, int, str]:
    if not isinstance(span, dict) or not {"start", "end", "label"} <= span.keys():
        raise Unreadable("a span without its keys")
    start, end, label = span["start"], span["end"], span["label"]
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise Unreadable("a span of other values")
    if not 0 <= start < end or (text is not None and end > len(text)):
        raise Unreadable("a span outside its text")
    return start, end, label


def read_text(mutant: Mutant) -> list[str]:
    """The lines of a text file."""
    content = mutant.content
    if content[:2] == b"\x1f\x8b":
        import gzip
        import zlib

        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable("gzip") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeError as error:
        raise Unreadable("not utf-8") from error
    lines = text.split("\n")
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


def read_values(mutant: Mutant) -> dict[tuple[str, str], str]:
    """What those lines of a recipe say that are a key and a plain value, by section."""
    values: dict[tuple[str, str], str] = {}
    section = ""
    for line in decoded(mutant).splitlines():
        if match := re.fullmatch(r"(|  )([a-z_]+): *([^\s#'\"&*!%@\[\]{}<>|,:]*)( #.*)?", line):
            indent, key, value, _ = match.groups()
            if not indent and not value:
                section = key
            elif value:
                values[section if indent else "", key] = value
    return values

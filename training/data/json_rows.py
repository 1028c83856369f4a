"""The rows of a JSON file: its lines, each an object, or the items of one list over any number of lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.foreign_formats import is_json_lines
from tagsmith.training.data.strict_parsing import parse_json
from tagsmith.training.data.text_lines import read_lines

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BETWEEN = re.compile(r"[\s,]*")


def json_rows(path: Path, encoding: str, fix: str) -> Iterator[tuple[int, Any]]:
    """Each row with the line where it begins; a single object is one row.

    Args:
        path: the file.
        encoding: of the file.
        fix: for errors: what a row is.

    Raises:
        InputError: no JSON, or half a character.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson") or is_json_lines(path, encoding):
        for number, line in enumerate(read_lines(path, encoding), 1):
            if line.strip():
                row = parse_json(line, path, number, fix)
                _check_surrogates(row, line, path, number)
                yield number, row
        return
    text = "\n".join(read_lines(path, encoding))
    content = parse_json(text, path, fix=fix)
    _check_surrogates(content, text, path, None)
    yield from (
        zip(_item_lines(text, len(content)), content, strict=True) if isinstance(content, list) else [(1, content)]
    )


def objects(path: Path, encoding: str, fix: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file in which each is an object.

    Raises:
        InputError: one is not, or as `json_rows` says.
    """
    for line, row in json_rows(path, encoding, fix):
        if not isinstance(row, dict):
            raise InputError(f"{type(row).__name__}, not an object", path=path, line=line, fix=fix)
        yield line, row


def _item_lines(text: str, count: int) -> Iterator[int]:
    """The line on which each item of a list begins."""
    decoder = json.JSONDecoder()
    at, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    for _ in range(count):
        begin = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        line += text.count("\n", at, begin)
        yield line
        _, at = decoder.raw_decode(text, begin)
        line += text.count("\n", begin, at)


def _check_surrogates(value: Any, source: str, path: Path, line: int | None) -> None:
    half = _SURROGATE.search(source)
    if half is None:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = f"{half[0]} is half a character, and the other half is missing"
        column = half.start() + 1 if line is not None else None
        raise InputError(message, path=path, line=line, column=column, fix="Write the file again.") from None

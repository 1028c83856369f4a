"""JSON of people, read strictly: no key is taken twice, and a number is what it looks like."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .input_error import InputError


def parse_json(text: str, path: str | Path | None = None, line: int | None = None, fix: str | None = None) -> Any:
    """Read JSON.

    Args:
        text: the JSON.
        path: of the file, for errors.
        line: the text's line there, where it has but one.
        fix: for errors.

    Raises:
        InputError: no JSON; a key given twice; NaN or Infinity; a number of thousands of digits; deep nesting.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        line = error.lineno if line is None else line
        raise InputError(f"no JSON: {error.msg}", path=path, line=line, column=error.colno, fix=fix) from None
    except RecursionError:
        raise InputError("no JSON: it is nested too deeply", path=path, line=line, fix=fix) from None
    except InputError as error:
        raise InputError(error.message, path=path, line=line, fix=error.fix) from None
    except ValueError:  # of int()
        found = f"no JSON: a number of more than {sys.get_int_max_str_digits():,} digits"
        raise InputError(found, path=path, line=line, fix=fix) from None


def read_json(path: str | Path, fix: str | None = None) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises:
        InputError: as `parse_json`; no object; not UTF-8.
        OSError: it cannot be read.
    """
    try:
        content = parse_json(Path(path).read_text(encoding="utf-8"), path, fix=fix)
    except UnicodeDecodeError as error:
        raise InputError(f"byte 0x{error.object[error.start]:02X} is not UTF-8", path=path, fix=fix) from None
    if not isinstance(content, dict):
        raise InputError("this is no JSON object", path=path, fix=fix)
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise InputError(f"the key {twice[:80]!r} is given twice", fix="Keep one of them.")
    return content


def _no_number(name: str) -> None:
    raise InputError(f"no JSON: {name} is not a number in JSON", fix="Write a number, a string or null.")

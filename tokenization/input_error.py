"""The one error that bad input raises, whatever the file: where, what was found, and how to fix it."""

from __future__ import annotations

import re
from pathlib import Path

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LONG = re.compile(r"(\S{100})\S{200,}")


class InputError(ValueError):
    """Bad input from a person: a file, a column, a value.

    Args:
        message: what was found and what was expected, in one sentence without a final stop.
        path: the file; left out for input that is not a file.
        line: 1-based line number.
        column: 1-based column number (a field of a column file, or a character of a line; the message says which).
        fix: what to do about it, an imperative sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        fix: str | None = None,
    ) -> None:
        message = printable(message)
        self.message, self.path, self.line, self.column, self.fix = message, path, line, column, fix
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text}. {fix}" if fix else text)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive worker processes: an exception with keyword arguments does not pickle by itself."""
        return (_rebuild, (self.message, self.path, self.line, self.column, self.fix))


def printable(text: str) -> str:
    r"""Text for a message that may quote a file: control characters, which a terminal would obey, as `\x1b`.

    What is longer than a screen's lines and has no blanks is shortened.
    """
    text = _LONG.sub(lambda match: f"{match[1]}…", text)
    return _CONTROLS.sub(lambda match: repr(match[0])[1:-1], text)


def _rebuild(
    message: str, path: str | Path | None, line: int | None, column: int | None, fix: str | None
) -> InputError:
    return InputError(message, path=path, line=line, column=column, fix=fix)

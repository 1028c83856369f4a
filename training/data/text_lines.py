"""The lines of a text file, read strictly: no byte is replaced, and an error says where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import TextIO

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.reading_options import option
from tagsmith.training.data.rereadable import rereadable


def read_text(path: Path, encoding: str) -> str:
    """A text file as it is, line ends and all; a byte order mark is dropped.

    Raises:
        InputError: as `read_lines` does.
    """
    with _opened(path, encoding) as file:
        return file.read()


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file without their ends (LF or CR LF); a byte order mark is dropped.

    Raises:
        InputError: no such file, no such encoding, or bytes that the encoding does not know.
    """
    with _opened(path, encoding) as file:
        yield from map(methodcaller("rstrip", "\r\n"), file)


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    """A text file whose lines end at LF alone; what reading it raises inside becomes an `InputError`."""
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        with rereadable(path).open(encoding=codec, newline="\n") as file:
            yield file
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
    fix = f"Convert the file to UTF-8, or name its encoding, such as {option('encoding', 'latin-1')}."
    with rereadable(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if b"\0" in line:
                return binary_file(path, number, line.index(b"\0") + 1)
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


def binary_file(path: Path, line: int, column: int) -> InputError:
    """The error for a NUL character, which no text has."""
    fix = f"Give a text file, or name its encoding if it is UTF-16: {option('encoding', 'utf-16')}."
    return InputError("a NUL character: a binary file", path=path, line=line, column=column, fix=fix)

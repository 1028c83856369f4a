"""Files that are written whole or not at all: a part beside them, and a rename once it is complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tagsmith.tokenization.input_error import InputError


@contextmanager
def whole_file(path: str | Path, mode: int | None = None) -> Iterator[TextIO]:
    """A text file to write, in UTF-8, that has its name only once it is whole.

    Until then it has a name of its own in the same folder, which ends in `.part`; if the block fails it is removed. A
    file that is there keeps its permissions, and a link stays a link.

    Raises:
        InputError: the path is a link that leads nowhere.
        OSError: the folder cannot be written.
    """
    target = _target(Path(path))
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or 0o666)
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            if target.exists() and mode is None:
                os.chmod(part, target.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a machine that goes down may keep the name and lose the content
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file as `whole_file` does."""
    with whole_file(path) as file:
        file.write(text)


def _target(path: Path) -> Path:
    """The file that a path leads to.

    Raises:
        InputError: it leads round in a circle, or to a folder that is not there.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # a circle of links
        raise InputError("this link leads to itself", path=path, fix="Remove it, or name another file.") from error
    if path.is_symlink() and (target.is_symlink() or not target.parent.is_dir()):
        where = os.readlink(path)
        raise InputError(f"this link leads nowhere ({where})", path=path, fix="Remove it, or name another file.")
    return target

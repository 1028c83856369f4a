"""Files that are written whole or not at all: a part beside them, and a rename once it is complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.full_disks import writing

PART = ".part-"  # how the names of folders begin that hold files until they are whole


def check_new(path: Path, fix: str = "Remove it, or name another file.") -> None:
    """See that a file can be written where there is none.

    Raises:
        InputError: something is there already, or there is no folder for it.
    """
    if path.exists() or path.is_symlink():
        raise InputError("there is such a file already", path=path, fix=fix)
    if not path.resolve().parent.is_dir():
        raise InputError("there is no folder for this file", path=path)


@contextmanager
def whole_path(path: str | Path, mode: int | None = None) -> Iterator[Path]:
    """A path where a library writes a file, which has its own name only once it is whole.

    Until then it has a name in the same folder that ends in `.part`; if the block fails it is removed. A file that is
    there keeps its permissions, which its part has from the start, and a link stays a link.

    Args:
        path: the file.
        mode: its permissions, whatever those of a file that is there.

    Raises:
        InputError: the path is a link that leads nowhere; the folder cannot be written, or the disk is full.
    """
    target = _target(Path(path))
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    known = target.stat().st_mode & 0o777 | 0o600 if target.exists() else 0o666
    try:
        with writing(target.parent):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, known if mode is None else mode))
            yield part
            _settle(part, target, mode)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_file(path: str | Path, mode: int | None = None) -> Iterator[TextIO]:
    """A text file to write, in UTF-8, as `whole_path` has it."""
    with whole_path(path, mode) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        yield file


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file as `whole_file` does."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def staged_files(folder: str | Path, key: str) -> Iterator[Path]:
    """An empty folder inside another, from which files move there once the block ends; none do if it fails.

    Args:
        folder: made where it is missing.
        key: as `move_files` has it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=PART) as name:
        yield Path(name)
        move_files(Path(name), Path(folder), key)


def move_files(staged: Path, folder: Path, key: str, stale: Iterable[str] = ()) -> None:
    """Put files in place, each by a rename.

    Args:
        staged: where they are, on the same disk.
        folder: where they belong.
        key: the file without which the folder does not pass for what it is. It goes first and comes last, so that a
            move that is cut short leaves no mixture of old and new files that could be taken for a whole.
        stale: names of files in `folder` to remove.
    """
    parts = sorted(staged.iterdir(), key=lambda path: (path.name == key, path.name))
    for part in parts:
        _settle(part, folder / part.name)
    if (staged / key).exists():
        (folder / key).unlink(missing_ok=True)
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    for part in parts:
        part.replace(folder / part.name)


def put_in_place(part: Path, target: Path) -> None:
    """Give a complete file its name, with the permissions of the file that has it now."""
    _settle(part, target)
    part.replace(target)


def _settle(part: Path, target: Path, mode: int | None = None) -> None:
    """Wait until a file is on the disk, and give it the permissions of the one that it replaces."""
    sync(part)
    if target.exists() and mode is None:
        os.chmod(part, target.stat().st_mode & 0o777)


def sync(path: Path) -> None:
    """Wait until a file is on the disk: else a machine that goes down may keep the name and lose the content."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


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

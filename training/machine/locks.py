"""A lock that one process has at a time, and that nothing keeps once that process has ended, however it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tagsmith.tokenization.input_error import InputError


@contextmanager
def locked(path: Path, found: str, fix: str) -> Iterator[None]:
    """Hold the lock of a folder until the block ends, or refuse at once.

    Args:
        path: the lock's file, in the folder; there while the lock is held.
        found: what it means that another process has it.
        fix: what to do then.

    Raises:
        InputError: another process has it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(found, path=path.parent, fix=fix) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()

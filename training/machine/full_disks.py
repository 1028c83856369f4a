"""What libraries raise where a file cannot be written, as one clear error."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagsmith.tokenization.input_error import InputError

# What the writers of PyTorch, safetensors and Arrow say in errors of their own kinds.
_FULL = re.compile(
    r"PytorchStreamWriter|unexpected pos \d+ vs|No space left|StorageFull|File ?too ?large|QuotaExceeded", re.I
)

# How another place for what comes from the Hub, and for copies of corpora, is named.
MOVE_CACHE = "Set HF_HOME to a folder that can be written, as HF_HOME=/path/to/folder"

_SIZES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


@contextmanager
def writing(place: str | Path, fix: str = "Name a folder that can be written") -> Iterator[None]:
    """Inside, files are written at a place: where the disk is full or may not be written, one error says so.

    Args:
        place: a folder, for the message.
        fix: how another place is named.

    Raises:
        InputError: why nothing can be written.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if (found := _reason(error, Path(place).absolute())) is None:
            raise
        message, full = found
        advice = f"Free some space, or {fix[0].lower()}{fix[1:]}." if full else f"{fix}."
        raise InputError(f"this cannot be written: {message}", path=place, fix=advice) from error


def _reason(error: Exception, place: Path) -> tuple[str, bool] | None:
    """What is wrong with the disk, and whether it is full; None where the error is of something else."""
    for cause in _chain(error):
        if not isinstance(cause, OSError):
            if found := _FULL.search(str(cause)):
                return _said(found[0]), True
        elif cause.errno in _SIZES:
            return os.strerror(cause.errno), True
        elif cause.errno in _RIGHTS and cause.filename is not None:
            at = Path(os.fsdecode(cause.filename)).absolute()
            if at.is_relative_to(place) or place.is_relative_to(at):
                return f"{os.strerror(cause.errno)} ({at})", False
    return None


def _said(found: str) -> str:
    if "large" in found.lower():
        return os.strerror(errno.EFBIG)
    known = found.startswith(("No space", "StorageFull"))
    return os.strerror(errno.ENOSPC) if known else "the disk is full, or a limit on the size of files is reached"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

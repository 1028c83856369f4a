"""Files that can be read once only (pipes, `/dev/stdin`, process substitutions), made readable again and again.

Readers go over a file several times. What is no regular file is copied into a private temporary file the first time,
read from there ever after, and removed when the process ends; messages keep the name that was given.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from pathlib import Path

_copies: dict[tuple[str, int, int], Path] = {}
_folders: list[tempfile.TemporaryDirectory[str]] = []  # each is removed with its last reference, at exit


def rereadable(path: Path) -> Path:
    """A path with the same content that can be opened any number of times: of a regular file its own.

    A pipe is read to its end at the first call; later calls in this process give the same copy.

    Raises:
        OSError: no such file, or one that cannot be read.
    """
    status = path.stat()
    if not stat.S_ISFIFO(status.st_mode) and not stat.S_ISCHR(status.st_mode):
        return path
    key = (str(path), status.st_dev, status.st_ino)
    if key not in _copies:
        folder = tempfile.TemporaryDirectory(prefix="tagsmith-")
        copy = Path(folder.name) / "content"
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        _folders.append(folder)
        _copies[key] = copy
    return _copies[key]

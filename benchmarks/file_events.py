"""File events of a process in some folders: counted, and the process killed at one of them.

For processes that are forked for the purpose: what writes files is replaced for good. Events are a file opened for
writing, half of its content written, closed, synced; a rename, a removal, a new folder, a change of rights. What
native code writes (weights, the optimizer's state) counts as begun, half written and written. Linux only.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class FileEvents:
    """Counts events, notes them in a log, and kills the process at one.

    Args:
        folders: whose events count.
        log: a file that gets a line an event, outside the folders.
        kill_at: the number of the event before which the process is killed, from 1; 0 for none.
    """

    def __init__(self, folders: Sequence[Path], log: Path, kill_at: int = 0) -> None:
        self.folders = [str(folder.resolve()) + os.sep for folder in folders]
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.kill_at, self.count = kill_at, 0

    def watch(self) -> None:
        """Replace what writes files."""
        for name in (
            "replace",
            "rename",
            "unlink",
            "remove",
            "rmdir",
            "mkdir",
            "fsync",
            "chmod",
            "truncate",
            "symlink",
        ):
            setattr(os, name, self._before(getattr(os, name), name))
        builtins.open = io.open = self._opening(io.open)  # type: ignore[assignment]
        for module, name in (("safetensors.torch", "serialize_file"), ("torch", "save")):
            if loaded := sys.modules.get(module):
                setattr(loaded, name, self._writing(getattr(loaded, name), 1))

    def event(self, name: str, path: str, before_death: Callable[[], Any] | None = None) -> None:
        """Something happens to a file: the process may end here."""
        if not path.startswith(tuple(self.folders)):
            return
        self.count += 1
        os.write(self.log, f"{name} {os.path.basename(path)}\n".encode())
        if self.count == self.kill_at:
            if before_death is not None:
                before_death()
            os.kill(os.getpid(), signal.SIGKILL)

    def _path(self, given: Any, folder: int | None = None) -> str:
        """The whole path of what a function was given: a name, a name in an open folder, or an open file."""
        if isinstance(given, int):
            return os.readlink(f"/proc/self/fd/{given}")
        path = os.fsdecode(os.fspath(given))
        return (
            os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path) if folder is not None else os.path.abspath(path)
        )

    def _before(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(path: Any, *args: Any, **kwargs: Any) -> Any:
            self.event(name, self._path(path, kwargs.get("dir_fd")))
            return function(path, *args, **kwargs)

        return watched

    def _opening(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            opened = function(file, mode, *args, **kwargs)
            if set(mode) & set("wxa+"):
                path = self._path(opened.fileno())
                self.event("open", path)
                opened.close = self._closing(opened, path)
            return opened

        return watched

    def _closing(self, file: Any, path: str) -> Callable[[], None]:
        close = file.close

        def watched() -> None:
            if not file.closed:
                file.flush()
                self.event("half", path, lambda: _halve(path))
                self.event("close", path)
            close()

        return watched

    def _writing(self, function: Callable[..., Any], place: int) -> Callable[..., Any]:
        """A function that writes a file by native code, whose name is its argument at a place."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            target = args[place] if len(args) > place else kwargs.get("f", kwargs.get("filename"))
            if not isinstance(target, str | os.PathLike):
                return function(*args, **kwargs)
            path = self._path(target)
            self.event("begin", path)
            result = function(*args, **kwargs)
            self.event("half", path, lambda: _halve(path))
            self.event("end", path)
            return result

        return watched


def _halve(path: str) -> None:
    file = os.open(path, os.O_WRONLY)
    os.ftruncate(file, os.fstat(file).st_size // 2)
    os.close(file)

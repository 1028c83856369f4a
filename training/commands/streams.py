"""The streams of a command, and how it ends: errors as one line, and quietly where its reader has left.

Nothing heavy is imported unless there is something to say.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.processes import end_launched_process

READER_LEFT = 141  # as a shell says it of a tool that SIGPIPE has ended


def run(command: Callable[[], Any]) -> None:
    """Run what this process was called for: bad input ends as one line and exit code 2."""
    _prepare_streams()
    try:
        command()
    except InputError as error:
        from tagsmith.training.commands.command_options import messages

        if messages.verbose:
            traceback.print_exc()
        _fail(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of an interrupt
            say_interrupted()
        if not stop.code:
            end_launched_process()
        raise


def say_interrupted() -> None:
    """Say that a command was interrupted, and how to continue."""
    from tagsmith.training.commands.command_options import say

    hint = "; with --resume it continues from the last checkpoint" if sys.argv[1:2] == ["train"] else ""
    if "--shards" in sys.argv:
        hint = "; the same command continues"
    say(f"interrupted{hint}")


def end_quietly() -> None:
    """End as tools do whose output nobody reads any more; what Python still holds of it goes nowhere."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # no file of the system
        pass
    raise SystemExit(READER_LEFT)


@contextmanager
def quiet_end() -> Iterator[None]:
    """Inside, the reader of standard output may leave early (`| head`); what is left is written at the end."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()
    except SystemExit as stop:  # rich raises it where a pipe is broken; commands end by typer.Exit
        if stop.code != 1:
            raise
        end_quietly()


class _Closed(io.TextIOBase):
    """Standard output where the shell has closed it."""

    def write(self, text: str) -> int:
        raise InputError("standard output is closed", fix="Redirect it to a file, or give --output.")


def _prepare_streams() -> None:
    """Data goes out as UTF-8 whatever the locale is, and no message fails for a character that it does not have."""
    if sys.stdout is None:  # as after `>&-`
        sys.stdout = _Closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def _fail(message: str) -> None:
    from tagsmith.training.commands.command_options import say_error

    say_error(" ".join(message.split()))
    sys.exit(2)

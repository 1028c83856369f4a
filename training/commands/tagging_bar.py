"""The bar that shows how far `tagsmith tag` is in its files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tagsmith.training.commands.command_options import messages


@contextmanager
def tagging_bar(files: Sequence[str], output: Path | None) -> Iterator[Callable[[int], Any]]:
    """A bar on standard error while files are tagged, and what it is told: how many of their bytes have been read.

    There is none where standard error is no terminal, where tagged text goes to the terminal too, or where the end is
    not known: of pipes and standard input.
    """
    to_terminal = output is None and sys.stdout is not None and sys.stdout.isatty()
    if to_terminal or not messages.is_terminal or messages.quiet or not all(Path(name).is_file() for name in files):
        yield int
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("tagging"), BarColumn(), DownloadColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task("tagging", total=sum(Path(name).stat().st_size for name in files))
        yield lambda size: bar.update(task, completed=size)

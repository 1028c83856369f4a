"""What commands share: options, messages on standard error, and the state of torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

messages = Console(stderr=True)

ModelArgument = Annotated[str, typer.Argument(help="Folder of a trained tagger, or its name on the Hub.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        envvar="OMP_NUM_THREADS",
        help="Threads of the CPU. More than one can be much slower on a busy machine.",
    ),
]


def say(message: str, style: str | None = None) -> None:
    """A line on standard error, as it stands: paths may hold brackets, and are copied."""
    messages.print(message, markup=False, highlight=False, soft_wrap=True, style=style)


def prepare_torch(threads: int) -> None:
    """So many threads; no bars for files of a few megabytes, no warnings that only developers can act on."""
    # Products of bfloat16 keep a kernel for each shape, some megabytes each: 1,024 of them were 5 GB in a long run.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

    import torch
    from transformers.utils import logging

    _keep_freed_memory()
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _keep_freed_memory() -> None:
    """Let the C library keep what is freed: a step takes and gives back hundreds of megabytes in large pieces.

    By default glibc hands these to the system at once, and the next step waits for fresh pages: a sixth of its time.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    trim_threshold, mmap_threshold = -1, -3
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_threshold, 2**30)


def named_file(argument: str) -> tuple[str, Path]:
    """The name and the path of an argument like `en=train.conll`; no name where none is given, or is such a file."""
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).exists():
        return "", Path(argument)
    return name, Path(path)

"""The command `tagsmith cache`: where copies of corpora are, how large they are, and their removal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tagsmith.training.commands.command_options import say


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove them; files are read again where needed.")] = False,
) -> None:
    """List the copies of annotated data that reading it has left in the cache, with their sizes."""
    from tagsmith.training.data.corpus_cache import cache_folder, cached_corpora, clear_cache, size_of

    folders = cached_corpora()
    for folder in folders:
        sys.stdout.write(f"{size_of(folder) / 1e6:,.1f} MB  {folder}\n")
    if not folders:
        say(f"there are no copies of corpora in {cache_folder().parent}")
    elif clear:
        clear_cache()
        say("removed")
    else:
        say("tagsmith cache --clear removes them; HF_HOME says where they are")

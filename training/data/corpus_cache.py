"""The cache of corpora: their Arrow files, which nobody but the user can read, and which can be listed and removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import datasets

from tagsmith.training.machine.full_disks import MOVE_CACHE, writing

BUILDER = "tagsmith_corpus"  # names the folders of `datasets`


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where the Arrow files of this user's corpora go: a folder of its own in the cache of `datasets`.

    Args:
        cache_dir: in place of that cache.
    """
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""  # several users may share a cache
    return Path(cache_dir or datasets.config.HF_DATASETS_CACHE, f"tagsmith{user}")


@contextmanager
def private_cache(cache_dir: str | Path | None = None) -> Iterator[Path]:
    """The folder of `cache_folder`, for the user alone; inside, what is written anywhere is for the user alone too.

    Raises:
        InputError: it cannot be written, or the disk is full.
    """
    folder = cache_folder(cache_dir)
    mask = os.umask(0o077)
    try:
        with writing(folder, MOVE_CACHE):
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
    finally:
        os.umask(mask)


def cached_corpora() -> list[Path]:
    """The folders of the cache that hold corpora, those of earlier versions of this package among them."""
    return [path for path in (cache_folder(), cache_folder().parent / BUILDER) if path.is_dir()]


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def clear_cache() -> None:
    """Remove all cached corpora; they are read from their files again where they are needed.

    Raises:
        OSError: a file cannot be removed.
    """
    for folder in cached_corpora():
        rmtree(folder)

"""Taggers loaded for the runtime that does without torch."""

from __future__ import annotations

import gc
import os
from typing import Any


def load_without_torch(folder: str, threads: int = 1, runtime: str = "numpy") -> Any:
    """A tagger of `tagsmith.runtime`, with so many threads where numpy was not imported before.

    Raises:
        InputError: what is wrong with the folder.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)  # numpy's libraries read it when they are loaded
    gc.disable()  # nothing of a tagger is garbage
    try:
        from tagsmith.runtime.loading import load

        return load(folder, runtime, threads)
    finally:
        gc.freeze()
        gc.enable()

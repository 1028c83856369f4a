"""Which of its implementations tags: torch, or the runtime that does without."""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec
from typing import Any, Literal

from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

RuntimeName = Literal["torch", "numpy", "onnx"]


def usual_runtime(model: str) -> RuntimeName:
    """What tags where nobody chooses: numpy the tagger that comes with tagsmith, ONNX Runtime an exported one.

    Where ONNX Runtime is not installed, or an earlier tagsmith has exported it, numpy takes its place.
    """
    if os.path.realpath(model) == os.path.realpath(DEFAULT_TAGGER):
        return "numpy"
    path = os.path.join(model, "manifest.json")
    if not os.path.isfile(path):
        return "torch"
    manifest = read_json(path)
    earlier = manifest.get("version") == 1 and "sentences" in manifest.get("graphs", ())
    return "onnx" if find_spec("onnxruntime") and not earlier else "numpy"


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

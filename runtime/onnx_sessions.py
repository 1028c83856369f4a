"""Graphs of an exported tagger, opened with ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..tokenization.input_error import InputError


def open_sessions(folder: str, graphs: Mapping[str, str], threads: int) -> dict[str, Any]:
    """Sessions of graphs by their names.

    Args:
        folder: where the graphs are, with the weights that they point into.
        graphs: their files by their names.
        threads: of each.

    Raises:
        InputError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        fix = "Install it: pip install onnxruntime; or tag with numpy."
        raise InputError("ONNX Runtime is not installed", path=folder, fix=fix) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return {
        name: onnxruntime.InferenceSession(os.path.join(folder, file), options, providers=["CPUExecutionProvider"])
        for name, file in graphs.items()
    }


def input_names(session: Any) -> set[str]:
    """What goes into a graph."""
    return {item.name for item in session.get_inputs()}

"""Taggers that write themselves as graphs of ONNX."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from .remote_code import IS_REMOTE


class Exportable:
    """A model with `export_onnx`.

    Attributes:
        graphs_from: the file beside this one that makes its graphs.
    """

    graphs_from: ClassVar[str]

    def export_onnx(self, folder: str | os.PathLike[str], version: str = "") -> dict[str, Path]:
        """Write the tagger as graphs of ONNX (`onnx_graph.py`, `onnx_bytes.py`), with weights of 16 bits.

        Args:
            folder: an existing one, for the graphs and the `model.safetensors` that they point into.
            version: of who makes it.

        Returns:
            The paths of the graphs by their names, checked by onnx. Of a hierarchical tagger "model", and the same cut
            in two, "spelling" and "sentences"; of a byte-to-span tagger "bytes" and, where it writes spans, "writer".

        Raises:
            ModuleNotFoundError: onnx is not installed; or the tagger was loaded with its own code, without tagsmith.
        """
        if IS_REMOTE:
            raise ModuleNotFoundError(
                "A tagger that runs its own code has no exporter. Install tagsmith, and load it by that."
            )
        # By its name, since it does not travel with taggers: those who load one need not have onnx.
        graphs: dict[str, Path] = import_module(".onnx_files", __package__).write_graphs(self, Path(folder), version)
        return graphs

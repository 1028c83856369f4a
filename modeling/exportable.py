"""Taggers in forms that other tools take: as graphs of ONNX, and for `torch.export`."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from .remote_code import IS_REMOTE

_TWINS_FROM = "2.8"  # the first torch that traces their loops


class Exportable:
    """A model with `export_onnx` and `export_twin`.

    Attributes:
        graphs_from: the file beside this one that makes its graphs.
        twin_from: the file beside this one, and the class in it, of its twin.
    """

    graphs_from: ClassVar[str]
    twin_from: ClassVar[tuple[str, str]]

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
        graphs: dict[str, Path] = _exporter("onnx_files").write_graphs(self, Path(folder), version)
        return graphs

    def export_twin(self) -> Any:
        """A module that gives what the tagger does up to the CRF, for `torch.export` and `torch.compile`.

        It shares the tagger's weights, is for inference, and takes and gives tensors by their names, those of the
        graphs of ONNX. `twin.inputs(**batch)` makes its inputs of what the tokenizer gives; `twin.example()` and
        `twin.dynamic_shapes()` are what `torch.export.export` asks for.

        Returns:
            Of a hierarchical tagger a `WordTwin` (`twin_words.py`), of a byte-to-span tagger with a layer of tags a
            `ByteTwin` (`twin_bytes.py`).

        Raises:
            ModuleNotFoundError: the tagger was loaded with its own code, without tagsmith.
            RuntimeError: this torch is too old.
            ValueError: it tags with 8-bit weights, or is a byte-to-span tagger that has no layer of tags.
        """
        file, name = self.twin_from
        if torch.__version__ < _TWINS_FROM:
            raise RuntimeError(f"A twin needs torch {_TWINS_FROM}, and this is {torch.__version__}. Upgrade it.")
        assert isinstance(self, nn.Module)
        if any(getattr(module, "products", None) is not None for module in self.modules()):
            raise ValueError("This tagger has 8-bit weights (int8), which its twin cannot read. Load it without int8.")
        return getattr(_exporter(file), name)(self)


def _exporter(file: str) -> Any:
    """A file beside this one that makes other forms of taggers, by its name: it does not travel with them."""
    if IS_REMOTE:
        raise ModuleNotFoundError(
            "A tagger that runs its own code has no exporter. Install tagsmith, and load it by that."
        )
    return import_module(f".{file}", __package__)

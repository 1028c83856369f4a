"""Taggers as files of ONNX: the weights in 16 bits, and the graphs that point into them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from .onnx_builder import stored_tensors


def write_graphs(model: Any, folder: Path, version: str) -> dict[str, Path]:
    """As `export_onnx` of a model, which calls this."""
    import onnx
    from safetensors.torch import save_file

    weights = folder / "model.safetensors"
    save_file({name: _halved(name, tensor) for name, tensor in model.state_dict().items()}, weights)
    make = import_module(f".{model.graphs_from}", __package__).make_graphs
    graphs = make(model.config, stored_tensors(weights), weights.name, version)
    paths = {name: folder / f"{name}.onnx" for name in graphs}
    for name, path in paths.items():
        path.write_bytes(graphs[name].SerializeToString())
        onnx.checker.check_model(str(path), full_check=True)
    return paths


def _halved(name: str, tensor: Any) -> Any:
    """A tensor in 16 bits, except for a CRF's scores, what would not fit, and what is no floating-point number."""
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point() or ".crf." in name:
        return tensor
    short = tensor.half()
    return short if short.isfinite().all() else tensor.float()

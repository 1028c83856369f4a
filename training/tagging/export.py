"""A tagger as files for machines without torch: graphs of ONNX, its weights in 16 bits, and a manifest.

The runtime reads the folder on numpy or ONNX Runtime; the manifest says all that another implementation needs.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedConfig

import tagsmith
from tagsmith.modeling.onnx_names import SENTENCE
from tagsmith.runtime.byte_config import BeamRules
from tagsmith.runtime.loading import MANIFEST
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.whole_files import staged_files
from tagsmith.training.tagging.manifest import manifest, written


def export_tagger(pipeline: Any, folder: Path, place: str, int8: bool = False) -> dict[str, int]:
    """Write a tagger for the runtime: config, vocabulary, weights, graphs and manifest, all or none.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        folder: a new or an empty one.
        place: the tagger's folder or name, for errors.
        int8: have the graphs multiply by 8-bit weights where ONNX Runtime can: not in GRUs and RNNs of characters.

    Returns:
        The files and their sizes in bytes.

    Raises:
        InputError: what cannot be exported; files in the folder; onnx is not installed.
    """
    model = pipeline.model
    check_exportable(model, folder, place, int8)
    with staged_files(folder, MANIFEST) as staged:
        with TemporaryDirectory(dir=staged) as apart:
            PreTrainedConfig.save_pretrained(model.config, apart)
            if model.can_generate():
                model.generation_config.save_pretrained(apart)
            pipeline.tokenizer.save_pretrained(apart)
            for path in Path(apart).glob("*.json"):  # not its code
                shutil.copy(path, staged / path.name)
        graphs = model.export_onnx(staged, tagsmith.__version__)
        if int8:
            for name in [name for name in graphs if name.split(".")[0] == SENTENCE]:
                graphs.pop(name).unlink()  # its weights are sentences, of which there is nothing to be stored
            graphs = {name: _with_int8(path) for name, path in graphs.items()}
        names = {name: path.name for name, path in graphs.items()}
        content = manifest(model, pipeline.tokenizer, names, int8)
        (staged / MANIFEST).write_text(written(content), encoding="utf-8")
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def check_exportable(model: Any, folder: Path, place: str, int8: bool) -> None:
    """See that a tagger can be exported, there, and by what is installed.

    Raises:
        InputError: why not.
    """
    if model.can_generate():
        BeamRules.of_settings(model.generation_config.to_diff_dict(), place)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("there is something already", path=folder, fix="Name a new folder with --output.")
    wanted = ["onnx", *(["onnxruntime"] if int8 else [])]
    for name in wanted:
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            raise InputError(f"{name} is not installed", fix="Install it: pip install 'tagsmith[onnx]'.") from error


def _with_int8(graph: Path) -> Path:
    """The graph with 8-bit weights, which it then holds itself, in place of the one given."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folded, target = graph.with_name("folded.onnx"), graph.with_name(f"{graph.stem}.int8.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)  # what is done to weights is done once, so that they are weights
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    how: dict[str, Any] = {"weight_type": QuantType.QInt8, "per_channel": False}
    how["extra_options"] = {"EnableSubgraph": True}  # the steps of loops
    with _without_advice():
        quantize_dynamic(folded, target, op_types_to_quantize=["LSTM", "MatMul"], **how)
    folded.unlink()
    graph.unlink()
    return target


@contextmanager
def _without_advice() -> Iterator[None]:
    """Inside, ONNX Runtime does not advise to prepare a graph, which has been done."""

    def wanted(record: logging.LogRecord) -> bool:
        return "pre-processing before quantization" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        yield
    finally:
        root.removeFilter(wanted)

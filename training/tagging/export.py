"""A tagger as files for machines without torch: a graph of ONNX, its weights in 16 bits, and a manifest.

The runtime reads the folder on numpy or ONNX Runtime; the manifest says all that another implementation needs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedConfig

import tagsmith
from tagsmith.modeling.ngram_hashes import BASE, BOUNDARY, PRIME
from tagsmith.modeling.onnx_graph import OPSET, emissions_of, unsupported, words_of
from tagsmith.runtime.loading import MANIFEST, MANIFEST_VERSION
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.families import FAMILIES
from tagsmith.training.machine.whole_files import staged_files


def export_tagger(pipeline: Any, folder: Path, place: str, int8: bool = False) -> dict[str, int]:
    """Write a hierarchical tagger for the runtime: config, vocabulary, weights, graph and manifest, all or none.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        folder: a new or an empty one.
        place: the tagger's folder or name, for errors.
        int8: have the graph multiply by 8-bit weights where ONNX Runtime can: in LSTMs and products, not in GRUs.

    Returns:
        The files and their sizes in bytes.

    Raises:
        InputError: what cannot be exported; files in the folder; onnx is not installed.
    """
    config = pipeline.model.config
    check_exportable(config, folder, place, int8)
    with staged_files(folder, MANIFEST) as staged:
        with TemporaryDirectory(dir=staged) as apart:
            PreTrainedConfig.save_pretrained(config, apart)
            pipeline.tokenizer.save_pretrained(apart)
            for path in Path(apart).glob("*.json"):  # not its code
                shutil.copy(path, staged / path.name)
        graphs = pipeline.model.export_onnx(staged, tagsmith.__version__)
        if int8:
            graphs = {name: _with_int8(path) for name, path in graphs.items()}
        names = {name: path.name for name, path in graphs.items()}
        content = manifest(pipeline.model, pipeline.tokenizer, names, int8)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (staged / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def check_exportable(config: Any, folder: Path, place: str, int8: bool) -> None:
    """See that a tagger can be exported, and where.

    Raises:
        InputError: why not.
    """
    if FAMILIES[config.model_type].reads_bytes:
        found = "only hierarchical taggers are exported as graphs"
        fix = "The runtime reads a byte-to-span tagger with decode: tags as it is: tagsmith.runtime.load."
        raise InputError(found, path=place, fix=fix)
    if part := unsupported(config):
        fix = "The runtime on numpy reads the tagger's folder as it is: tagsmith.runtime.load."
        raise InputError(f"ONNX has no operator for {part}", path=place, fix=fix)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("there is something already", path=folder, fix="Name a new folder with --output.")
    wanted = ["onnx", *(["onnxruntime"] if int8 else [])]
    for name in wanted:
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            raise InputError(f"{name} is not installed", fix="Install it: pip install 'tagsmith[onnx]'.") from error


def manifest(model: Any, tokenizer: Any, graphs: dict[str, str], int8: bool) -> dict[str, Any]:
    """All that tagging takes beside graph and vocabulary, as JSON holds it."""
    config = model.config
    names = config.head_names[:1] if config.sharing == "all" else config.head_names
    ngrams = None
    if config.ngram_sizes:
        table = model.encoder.ngrams
        hashing = {"base": BASE, "prime": PRIME, "boundary": BOUNDARY}
        ngrams = {**hashing, "sizes": table.sizes, "hashes": table.hashes.tolist(), "points": table.points.tolist()}
    return {
        "format": "tagsmith-export",
        "version": MANIFEST_VERSION,
        "producer": f"tagsmith {tagsmith.__version__}",
        "family": config.model_type,
        "graphs": graphs,
        "opset": OPSET,
        "weights": "model.safetensors",
        "int8": int8,
        "words": {
            "splitter": tokenizer.splitter,
            "lowercase": tokenizer.lowercase,
            "case_fallback": tokenizer.case_fallback,
            "zero_digits": tokenizer.zero_digits,
            "zero_character_digits": tokenizer.zero_character_digits,
            "normalization": tokenizer.normalization,
            "max_word_characters": tokenizer.max_word_characters,
            "max_words": 500,
            "vocabulary": "vocab.json",
            "first_id": 2,
            "unknown_id": 1,
            "inputs": {words_of(language): language for language in config.vocabularies},
        },
        "ngrams": ngrams,
        "gazetteer": "gazetteer.json" if config.gazetteer_size else None,
        "heads": [_head(model, name) for name in names],
        "head_names": config.head_names,
        "calibration": config.calibration,
    }


def _head(model: Any, name: str | None) -> dict[str, Any]:
    head = model.head(name)
    scores: Mapping[str, Any] = {} if head.crf is None else dict(head.crf.named_parameters())
    return {
        "name": name,
        "output": emissions_of("shared" if model.config.sharing in (None, "all") else str(name)),
        "language": model.config.head(name).language,
        "tags": list(head.tags),
        "scheme": head.tag_scheme,
        "labels": list(head.span_labels),
        "chain": "softmax" if head.crf is None else model.config.transitions,
        **{part: tensor.tolist() for part, tensor in scores.items()},
    }


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
    quantize_dynamic(folded, target, op_types_to_quantize=["LSTM", "MatMul"], **how)
    folded.unlink()
    graph.unlink()
    return target

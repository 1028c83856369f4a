"""What an exported tagger says of itself: all that tagging takes beside graphs and vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tagsmith
from tagsmith.modeling.byte_patches import SIGNS
from tagsmith.modeling.ngram_hashes import BASE, BOUNDARY, PRIME
from tagsmith.modeling.onnx_builder import OPSET
from tagsmith.modeling.onnx_names import emissions_of, words_of
from tagsmith.runtime.byte_config import BeamRules
from tagsmith.runtime.loading import MANIFEST, MANIFEST_VERSION
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.families import FAMILIES
from tagsmith.training.machine.whole_files import write_whole

_SETTINGS = ("calibration", "recall_bias", "min_score")  # what is set after training, as `tagsmith evaluate` does


def manifest(model: Any, tokenizer: Any, graphs: dict[str, str], int8: bool) -> dict[str, Any]:
    """The content of manifest.json, as JSON holds it.

    Args:
        model: the tagger's.
        tokenizer: the same's.
        graphs: the files of its graphs, by their names.
        int8: whether these multiply by 8-bit weights.
    """
    own = _of_bytes if FAMILIES[model.config.model_type].reads_bytes else _of_words
    return {
        "format": "tagsmith-export",
        "version": MANIFEST_VERSION,
        "producer": f"tagsmith {tagsmith.__version__}",
        "family": model.config.model_type,
        "graphs": graphs,
        "opset": OPSET,
        "weights": "model.safetensors",
        "int8": int8,
        **own(model, tokenizer),
        "calibration": model.config.calibration,
    }


def written(content: Mapping[str, Any]) -> str:
    """The text of manifest.json."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def renew_manifest(config: Any, folder: Path) -> None:
    """Write a configuration's settings into the manifest of a folder, where this is an exported tagger's."""
    path = folder / MANIFEST
    if path.is_file():
        content = read_json(path)
        content.update({name: getattr(config, name) for name in _SETTINGS if name in content})
        write_whole(path, written(content))


def _of_words(model: Any, tokenizer: Any) -> dict[str, Any]:
    config = model.config
    names = config.head_names[:1] if config.sharing == "all" else config.head_names
    ngrams = None
    if config.ngram_sizes:
        table = model.encoder.ngrams
        ngrams = {**_hashing(table), "boundary": BOUNDARY, "points": table.points.tolist()}
    return {
        "words": {
            "splitter": tokenizer.splitter,
            "lowercase": tokenizer.lowercase,
            "case_fallback": tokenizer.case_fallback,
            "zero_digits": tokenizer.zero_digits,
            "zero_character_digits": tokenizer.zero_character_digits,
            "normalization": tokenizer.normalization,
            "max_word_characters": tokenizer.max_word_characters,
            "max_words": 500,
            "lower_capitals": tokenizer.lower_capitals,
            "passage_words": tokenizer.passage_words,
            "vocabulary": "vocab.json",
            "first_id": 2,
            "unknown_id": 1,
            "inputs": {words_of(language): language for language in config.vocabularies},
        },
        "ngrams": ngrams,
        "word_memory": config.word_memory,
        "gazetteer": "gazetteer.json" if config.gazetteer_size else None,
        "heads": [_head(model, name) for name in names],
        "head_names": config.head_names,
    }


def _of_bytes(model: Any, tokenizer: Any) -> dict[str, Any]:
    config, layout = model.config, tokenizer.layout
    found: dict[str, Any] = {
        "bytes": {
            "window_size": config.window_size,
            "overlap": config.window_size // 2,
            "pad_id": config.pad_token_id,
        },
        "ngrams": _hashing(model.model.ngrams) if config.ngram_sizes else None,
        "patches": {"signs": SIGNS} if config.patch_hidden_size else None,
        "labels": config.span_labels,
        "decode": config.decode,
        "recall_bias": config.recall_bias,
        "min_score": config.min_score,
    }
    if config.decode == "tags":
        return {**found, "tags": config.byte_tags}
    rules = BeamRules.of_settings(model.generation_config.to_diff_dict(), "the tagger")
    symbols = {
        "go_id": config.decoder_start_token_id,
        "first_start_id": layout.first_start,
        "first_length_id": layout.first_length,
        "stop_id": layout.stop,
        "first_label_id": layout.first_label,
        "most": 3 * config.window_size,
        "grammar": config.span_grammar,
    }
    return {**found, "symbols": symbols, "merge": config.merge, "beams": rules._asdict()}


def _hashing(table: Any) -> dict[str, Any]:
    """How n-grams are known, by their sizes and hashes; see `ngram_hashes.py`."""
    return {"base": BASE, "prime": PRIME, "sizes": table.sizes, "hashes": table.hashes.tolist()}


def _head(model: Any, name: str | None) -> dict[str, Any]:
    head = model.head(name)
    scores: Mapping[str, Any] = {} if head.crf is None else dict(head.crf.named_parameters())
    return {
        "name": name,
        "output": emissions_of("shared" if model.config.sharing in (None, "all") else str(name)),
        "language": model.config.language(name),
        "tags": list(head.tags),
        "scheme": head.tag_scheme,
        "labels": list(head.span_labels),
        "chain": "softmax" if head.crf is None else model.config.transitions,
        **{part: tensor.tolist() for part, tensor in scores.items()},
    }

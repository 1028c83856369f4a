"""A tagger out of its folder, with a clear error for whatever is wrong with it."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

from ..modeling.onnx_names import SENTENCES, WORDS, graph_of
from ..tokenization.byte_tagger_checks import check_tokenizer as check_byte_tokenizer
from ..tokenization.input_error import InputError
from ..tokenization.strict_json import read_json
from ..tokenization.word_tagger_checks import check_tokenizer
from .byte_config import BYTE_TRAINING, BeamRules, ByteConfig
from .byte_network import ByteTagNetwork
from .byte_tagger import ByteTagger, ByteTokens
from .byte_writer import ByteSpanNetwork
from .weights_file import check_shapes, read_weights
from .word_config import TRAINING, WordConfig
from .word_network import WordNetwork
from .word_tagger import WordTagger
from .word_tokens import WordTokens

# What transformers and its Trainer write into every config.json, and what concerns no tagger.
BESIDE = {
    *("architectures", "auto_map", "custom_pipelines", "dtype", "torch_dtype", "transformers_version", "use_cache"),
    *("pad_token_id", "unk_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "is_encoder_decoder"),
    *("chunk_size_feed_forward", "output_attentions", "output_hidden_states", "problem_type", "return_dict"),
    *("_name_or_path",),
}
_UPGRADE = "If a newer tagsmith has made it, upgrade: pip install --upgrade tagsmith."
RUNTIMES = ("numpy", "onnx")
MANIFEST, MANIFEST_VERSION = "manifest.json", 2  # of version 1 the graphs of words are others
_FILES = ("config.json", "tokenizer_config.json", "model.safetensors")


def load(folder: str | os.PathLike[str], runtime: str = "numpy", threads: int = 1) -> WordTagger | ByteTagger:
    """A tagger, from the folder where `save_pretrained` or a run has put it, or from one of `tagsmith export`.

    What it gives is called like `tagsmith.pipeline`: with a text, a list or an iterator of texts, and the same options
    as of the tagger's family; `pipe(texts)` gives a generator.

    Args:
        folder: of the tagger.
        runtime: what computes: "numpy", or "onnx" for ONNX Runtime, which must be installed, of an exported tagger.
        threads: of ONNX Runtime; numpy's are set by `OMP_NUM_THREADS` before it is imported.

    Raises:
        InputError: what is wrong with the folder, or what the runtime does not have.
        ValueError: there is no such runtime.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime is {runtime!r}; choose one of {', '.join(RUNTIMES)}.")
    folder = os.fspath(folder)
    for name in _FILES:
        if not os.path.isfile(os.path.join(folder, name)):
            found = "there is no such folder" if not os.path.isdir(folder) else f"{name} is missing"
            raise InputError(f"this is not the folder of a tagger: {found}", path=folder)
    content = read_json(os.path.join(folder, "config.json"))
    kind = content.get("model_type")
    if kind == "hierarchical-tagger":
        return _load_word_tagger(folder, content, runtime, threads)
    if kind == "byte-to-span":
        return _load_byte_tagger(folder, content, runtime, threads)
    raise InputError(f"this is no tagger, but a model of type {kind!r}", path=folder, fix=_UPGRADE)


def _load_word_tagger(folder: str, content: dict[str, Any], runtime: str, threads: int) -> WordTagger:
    check_fields(content, {field.name for field in fields(WordConfig)} | TRAINING, folder)
    config = WordConfig.of(content)
    tokens = WordTokens(folder)
    check_tokenizer(tokens, config, folder)
    weights = read_weights(os.path.join(folder, "model.safetensors"))
    check_shapes(weights, config.shapes(), folder)
    if runtime == "numpy":
        return WordTagger(WordNetwork(config, weights), tokens)
    from .onnx_word_network import OnnxWordNetwork

    wanted = [graph_of(part, language) for part in (WORDS, SENTENCES) for language in config.vocabularies]
    graphs = read_graphs(folder, *wanted)
    return WordTagger(OnnxWordNetwork(folder, graphs, config, weights, threads), tokens)


def is_exported(folder: str) -> bool:
    """Whether a folder is one of `tagsmith export`."""
    return os.path.isfile(os.path.join(folder, MANIFEST))


def read_graphs(folder: str, *wanted: str) -> dict[str, str]:
    """The files of an exported tagger's graphs, by their names.

    Args:
        folder: of the tagger.
        *wanted: those that there must be.

    Raises:
        InputError: it is not exported, or by a newer tagsmith.
    """
    if not is_exported(folder):
        fix = f"Export it: tagsmith export {folder} --output DIR."
        raise InputError(f"this tagger is not exported ({MANIFEST} is missing)", path=folder, fix=fix)
    content = read_json(os.path.join(folder, MANIFEST))
    if content.get("version") not in range(1, MANIFEST_VERSION + 1):
        version = content.get("version")
        found = f"{MANIFEST} is of version {version!r}, and this runtime reads {MANIFEST_VERSION} and before"
        raise InputError(found, path=folder, fix=_UPGRADE)
    graphs = content.get("graphs")
    named = {str(name): str(file) for name, file in graphs.items()} if isinstance(graphs, dict) else {}
    files = [os.path.join(folder, file) for file in named.values()]
    if content["version"] == 1 and not set(wanted) <= set(named):
        found = "an earlier tagsmith has exported this tagger, into graphs that ONNX Runtime takes no more"
        raise InputError(
            found, path=folder, fix=f"Tag with numpy, or export it: tagsmith export {folder} --output DIR."
        )
    if not set(wanted) <= set(named) or not all(map(os.path.isfile, files)):
        raise InputError(f"a graph that {MANIFEST} names is missing", path=folder, fix="Export the tagger again.")
    return named


def _load_byte_tagger(folder: str, content: dict[str, Any], runtime: str, threads: int) -> ByteTagger:
    check_fields(content, {field.name for field in fields(ByteConfig)} | BYTE_TRAINING, folder)
    config = ByteConfig.of(content)
    tokens = ByteTokens(folder)
    check_byte_tokenizer(tokens, config, folder)
    rules = BeamRules.of(folder)
    weights = read_weights(os.path.join(folder, "model.safetensors"))
    check_shapes(weights, config.shapes(), folder)
    writes = config.decode == "spans"
    if runtime == "numpy":
        return ByteTagger((ByteSpanNetwork if writes else ByteTagNetwork)(config, weights), tokens, rules)
    from .onnx_byte_network import OnnxByteNetwork

    graphs = read_graphs(folder, "bytes", *(["writer"] if writes else []))
    return ByteTagger(OnnxByteNetwork(folder, graphs, config, weights, threads), tokens, rules)


def check_fields(content: dict[str, Any], known: set[str], folder: str) -> None:
    """See that this version knows all that a configuration says.

    Raises:
        InputError: it does not.
    """
    if unknown := sorted(set(content) - known - BESIDE):
        found = f"config.json has what this runtime does not know: {', '.join(unknown)}"
        raise InputError(found, path=folder, fix=_UPGRADE)

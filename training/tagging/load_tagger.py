"""A tagger out of a folder or from the Hub, with a clear error for whatever is wrong with it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from safetensors import SafetensorError
from transformers import AutoModelForTokenClassification, AutoTokenizer

import tagsmith
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.data.strict_parsing import parse_json
from tagsmith.training.tagging.hub_errors import hub_error

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name; what else does not exist needs no network to say so
_CONFIGS: dict[str, Any] = {config.model_type: config for config in (HierarchicalTaggerConfig, ByteToSpanConfig)}
# Written by transformers and its Trainer beside the fields of a configuration.
_BESIDE = re.compile(r"auto_map|custom_pipelines|torch_dtype|use_cache|\w+_token_id")
_UPGRADE = "If a newer tagsmith has made it, upgrade: pip install --upgrade tagsmith."


def load_tagger(model: str, int8: bool = False) -> Any:
    """The pipeline of a tagger, of either family.

    Args:
        model: a folder, or a name on the Hub. Code that comes with it is not run.
        int8: tag with 8-bit weights, on the CPU.

    Raises:
        InputError: what is wrong with the folder or the repository, or why the Hub does not give it.
    """
    try:
        _check_config(_config_file(model), model)
        # transformers fills what is missing or has another shape with random numbers, and only warns.
        tagger, loading = AutoModelForTokenClassification.from_pretrained(
            model, output_loading_info=True, ignore_mismatched_sizes=True, use_safetensors=True
        )
        if wrong := sorted([*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])]):
            raise InputError(f"the weights do not fit config.json: {', '.join(wrong[:3])}", path=model)
        tokenizer = AutoTokenizer.from_pretrained(model)
        if (found := _word_ids(tokenizer)) != (wanted := _word_ids(tagger.config)):
            sizes = f"{_listed(found)} ids, and config.json {_listed(wanted)}"
            raise InputError(f"the files are of two taggers: the tokenizer's have {sizes}", path=model)
        if getattr(tagger.config, "gazetteer_size", 0) and tokenizer.gazetteer is None:
            raise InputError("this is not the whole folder of a tagger: gazetteer.json is missing", path=model)
        return tagsmith.pipeline(tagger, tokenizer=tokenizer, **({"int8": True, "device": "cpu"} if int8 else {}))
    except InputError:
        raise
    except SafetensorError as error:
        message = f"the tagger cannot be loaded: its weights are damaged ({error})"
        raise InputError(message, path=model, fix="Fetch it again.") from error
    except Exception as error:  # whatever a broken folder makes the libraries raise
        reason = " ".join(str(error).split())
        unclear = InputError(f"the tagger cannot be loaded: {reason or type(error).__name__}", path=model)
        raise hub_error(error, model) or unclear from error


def _config_file(model: str) -> str:
    """The path of a tagger's config.json, after a look whether its other files are there."""
    if os.path.exists(model):
        tagsmith.check_folder(model)
        return os.path.join(model, "config.json")
    if not _HUB_NAME.fullmatch(model):
        fix = "Name the folder of a tagger, or one on the Hub as owner/name."
        raise InputError("there is no such folder", path=model, fix=fix)
    path = hf_hub_download(model, "config.json")
    for name in ("tokenizer_config.json", "model.safetensors"):
        hf_hub_download(model, name)
    return path


def _check_config(path: str, model: str) -> None:
    """See that this version knows the kind of model and all that its configuration says."""
    try:
        content = dict(parse_json(Path(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"config.json cannot be read: {error}", path=model) from error
    kind = content.get("model_type")
    if kind not in _CONFIGS:
        raise InputError(f"this is no tagger, but a model of type {kind!r}", path=model, fix=_UPGRADE)
    unknown = sorted(set(content) - _CONFIGS[kind]().to_dict().keys())
    if unknown := [name for name in unknown if not _BESIDE.fullmatch(name)]:
        found = f"config.json has what tagsmith {tagsmith.__version__} does not know: {', '.join(unknown)}"
        raise InputError(found, path=model, fix=_UPGRADE)


def _word_ids(part: Any) -> dict[str | None, int]:
    """How many ids a tokenizer gives, or a configuration expects, by language where each has its own words."""
    if isinstance(part, HierarchicalTaggerConfig):
        return {name: size for name, (size, _) in part.vocabularies.items()}
    if isinstance(part, HierarchicalTaggerTokenizer):
        return {name: len(words) + 2 for name, words in part.vocabularies.items()}
    return {None: part.vocab_size}


def _listed(sizes: dict[str | None, int]) -> str:
    return ", ".join(f"{name} {size:,}" if name else f"{size:,}" for name, size in sizes.items())

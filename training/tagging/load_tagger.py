"""A tagger out of a folder or from the Hub, with a clear error for whatever is wrong with it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_CACHE
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel
from transformers import pipeline as transformers_pipeline

import tagsmith
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import parse_json
from tagsmith.training.data.hub_names import may_be_on_hub, say_shadowed
from tagsmith.training.families import FAMILIES, TASK, register
from tagsmith.training.machine.full_disks import MOVE_CACHE, writing
from tagsmith.training.tagging.hub_errors import hub_error
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER, check_folder

# Written by transformers and its Trainer beside the fields of a configuration.
_BESIDE = re.compile(r"auto_map|custom_pipelines|torch_dtype|use_cache|\w+_token_id")
_UPGRADE = "If a newer tagsmith has made it, upgrade: pip install --upgrade tagsmith."
_SOURCE = ("revision", "token")  # which files of a repository, and by whose right
_WEIGHTS = ("dtype", "torch_dtype", "device_map", "config")  # of `transformers.pipeline`, for the model it loads
_LAYERS, _WIDTH = 100, 100_000  # what may stand in a configuration however small the weights are: fields not in use


def pipeline(model: str | os.PathLike[str] | PreTrainedModel = DEFAULT_TAGGER, **kwargs: Any) -> SpanTaggingPipeline:
    """The span-tagging pipeline of a tagger.

    Args:
        model: a folder, a name on the Hub, or a model (then give its `tokenizer` too); by default the tagger that
            comes with the package (`DEFAULT_TAGGER`).
        **kwargs: what `transformers.pipeline` takes, and the pipeline's own parameters.

    Raises:
        InputError: what is wrong with the folder or the repository, or why the Hub does not give it.
    """
    if isinstance(model, str | os.PathLike):
        return load_tagger(model, **kwargs)
    register()
    return cast(SpanTaggingPipeline, transformers_pipeline(TASK, model=model, **kwargs))


def load_tagger(model: str | os.PathLike[str], int8: bool = False, **kwargs: Any) -> SpanTaggingPipeline:
    """The pipeline of a tagger, of either family.

    Args:
        model: a folder, or a name on the Hub. Code that comes with it is not run.
        int8: tag with 8-bit weights, on the CPU.
        **kwargs: what `transformers.pipeline` takes.

    Raises:
        InputError: what is wrong with the folder or the repository, or why the Hub does not give it.
    """
    register()
    model = os.fspath(model)
    source = {name: kwargs.pop(name) for name in _SOURCE if kwargs.get(name) is not None}
    loading = {name: kwargs.pop(name) for name in _WEIGHTS if kwargs.get(name) is not None}
    loading.update(kwargs.pop("model_kwargs", None) or {})
    kwargs.pop("trust_remote_code", None)  # the code is here
    given = kwargs.pop("tokenizer", None)
    try:
        with writing(HF_HUB_CACHE, MOVE_CACHE):
            _check_config(_config_file(model, **source), model)
            if "config" not in loading:
                _check_shapes(AutoConfig.from_pretrained(model, **source), model)
            tagger = _load_weights(model, **source, **loading)
            tokenizer = given
            if given is None or isinstance(given, str):
                tokenizer = AutoTokenizer.from_pretrained(given or model, **source)
            FAMILIES[tagger.config.model_type].check_tokenizer.load()(tokenizer, tagger.config, model)
            if int8:
                kwargs = {"device": "cpu", **kwargs, "int8": True}
            return cast(SpanTaggingPipeline, transformers_pipeline(TASK, model=tagger, tokenizer=tokenizer, **kwargs))
    except InputError:
        raise
    except SafetensorError as error:
        message = f"the tagger cannot be loaded: its weights are damaged ({error})"
        raise InputError(message, path=model, fix="Fetch it again.") from error
    except TypeError as error:
        if " parameter " in str(error) and str(error).startswith(TASK):  # the caller's mistake
            raise
        raise _unclear(error, model) from error
    except Exception as error:  # whatever a broken folder makes the libraries raise
        raise hub_error(error, model, "there is no such folder here, and ") or _unclear(error, model) from error


def _unclear(error: Exception, model: str) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"the tagger cannot be loaded: {reason or type(error).__name__}", path=model)


def _config_file(model: str, **source: Any) -> str:
    """The path of a tagger's config.json, after a look whether its other files are there."""
    if os.path.exists(model):
        check_folder(model)
        say_shadowed(model)
        return os.path.join(model, "config.json")
    if not may_be_on_hub(model):
        fix = "Name the folder of a tagger, or one on the Hub as owner/name."
        raise InputError("there is no such folder", path=model, fix=fix)
    if not isinstance(try_to_load_from_cache(model, "config.json", revision=source.get("revision")), str):
        # Fails at once where the Hub cannot be reached: `hf_hub_download` keeps trying for half a minute.
        get_hf_file_metadata(
            hf_hub_url(model, "config.json", revision=source.get("revision")), token=source.get("token")
        )
    path = hf_hub_download(model, "config.json", **source)
    for name in ("tokenizer_config.json", "model.safetensors"):
        hf_hub_download(model, name, **source)
    return path


def _check_config(path: str, model: str) -> None:
    """See that this version knows the kind of model and all that its configuration says."""
    try:
        content = dict(parse_json(Path(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"config.json cannot be read: {error}", path=model) from error
    kind = content.get("model_type")
    if kind not in FAMILIES:
        raise InputError(f"this is no tagger, but a model of type {kind!r}", path=model, fix=_UPGRADE)
    unknown = sorted(set(content) - FAMILIES[kind].config.load()().to_dict().keys())
    if unknown := [name for name in unknown if not _BESIDE.fullmatch(name)]:
        found = f"config.json has what tagsmith {tagsmith.__version__} does not know: {', '.join(unknown)}"
        raise InputError(found, path=model, fix=_UPGRADE)
    weights = os.path.join(os.path.dirname(path), "model.safetensors")
    if os.path.isfile(weights):
        _check_sizes(content, stored_shapes(weights), model)


def stored_shapes(weights: str) -> dict[str, list[int]]:
    """The tensors of a file of weights with their shapes, without reading these."""
    with safe_open(weights, framework="pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (it is no dict)


def _check_sizes(content: dict[str, Any], stored: dict[str, list[int]], model: str) -> None:
    """Refuse sizes that the weights cannot have: to build such a network could take all memory, or years."""
    numbers = sum(torch.Size(shape).numel() for shape in stored.values())
    for name, value in content.items():
        if not isinstance(value, int | float) or not name.endswith(("size", "layers", "filters", "window")):
            continue
        if value > (max(len(stored), _LAYERS) if name.endswith("layers") else max(numbers, _WIDTH)):
            found = f"config.json has {name} {value:,}, and the weights have {numbers:,} numbers in all"
            raise InputError(f"the weights do not fit config.json: {found}", path=model)


def _check_shapes(config: Any, model: str) -> None:
    """Compare the tensors that the configuration calls for with those of the folder, before memory is taken."""
    weights = os.path.join(model, "model.safetensors")
    if not os.path.isfile(weights):
        return
    stored = stored_shapes(weights)
    with torch.device("meta"):
        wanted = AutoModelForTokenClassification.from_config(config).state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in wanted.items()}
    wrong = sorted(name for name in {*shapes, *stored} if shapes.get(name) != stored.get(name))
    if wrong:
        raise InputError(f"the weights do not fit config.json: {', '.join(wrong[:3])}", path=model)


def _load_weights(model: str, **options: Any) -> Any:
    """The model, where its weights are all there, of the right shape, and numbers."""
    # transformers fills what is missing or has another shape with random numbers, and only warns.
    tagger, loading = AutoModelForTokenClassification.from_pretrained(
        model, output_loading_info=True, ignore_mismatched_sizes=True, use_safetensors=True, **options
    )
    wrong = [*loading["missing_keys"], *loading["unexpected_keys"], *(key for key, *_ in loading["mismatched_keys"])]
    if wrong:
        raise InputError(f"the weights do not fit config.json: {', '.join(sorted(wrong)[:3])}", path=model)
    for name, tensor in tagger.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"the weights are damaged: {name} holds what is no finite number", path=model)
    return tagger

"""A tagger out of a folder or from the Hub, with a clear error for whatever is wrong with it."""

from __future__ import annotations

import os
import re
from typing import Any

from transformers import AutoModelForTokenClassification, AutoTokenizer

import tagsmith
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.tokenization.input_error import InputError

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name; what else does not exist needs no network to say so


def load_tagger(model: str) -> Any:
    """The pipeline of a tagger, of either family.

    Args:
        model: a folder, or a name on the Hub.

    Raises:
        InputError: what is wrong with the folder.
    """
    if os.path.exists(model):
        tagsmith.check_folder(model)
    elif not _HUB_NAME.fullmatch(model):
        raise InputError("there is no such folder", path=model)
    try:
        # transformers fills what is missing or has another shape with random numbers, and only warns.
        tagger, loading = AutoModelForTokenClassification.from_pretrained(
            model, output_loading_info=True, ignore_mismatched_sizes=True
        )
        if not isinstance(tagger.config, HierarchicalTaggerConfig | ByteToSpanConfig):
            raise InputError(f"this is no tagger, but a model of type {tagger.config.model_type!r}", path=model)
        if wrong := sorted([*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])]):
            raise InputError(f"the weights do not fit config.json: {', '.join(wrong[:3])}", path=model)
        tokenizer = AutoTokenizer.from_pretrained(model)
        if tokenizer.vocab_size != tagger.config.vocab_size:
            sizes = f"{tokenizer.vocab_size:,} ids, and config.json {tagger.config.vocab_size:,}"
            raise InputError(f"the files are of two taggers: the tokenizer's have {sizes}", path=model)
        if getattr(tagger.config, "gazetteer_size", 0) and tokenizer.gazetteer is None:
            raise InputError("this is not the whole folder of a tagger: gazetteer.json is missing", path=model)
        return tagsmith.pipeline(tagger, tokenizer=tokenizer)
    except InputError:
        raise
    except Exception as error:  # whatever a broken folder makes the libraries raise
        reason = " ".join(str(error).split())
        raise InputError(f"the tagger cannot be loaded: {reason or type(error).__name__}", path=model) from error

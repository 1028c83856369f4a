"""What `pipeline("token-classification")`, alias "ner", makes: our pipeline for our taggers, theirs for others."""

from __future__ import annotations

from typing import Any

from transformers import TokenClassificationPipeline

from .pipeline_span_tagging import SpanTaggingPipeline
from .remote_code import MODEL_TYPES


class TokenClassificationByFamily(TokenClassificationPipeline):
    """Gives a pipeline of the model's kind, and is never one itself.

    transformers' own asks for a tag of each token. A tagger of ours finds whole spans, with offsets, by an output that
    is no tag of a token, or by the best legal tags together.
    """

    def __new__(cls, *args: Any, model: Any = None, **kwargs: Any) -> Any:
        """The pipeline, made."""
        ours = getattr(getattr(model, "config", None), "model_type", None) in MODEL_TYPES
        made = SpanTaggingPipeline if ours else TokenClassificationPipeline
        return made(*args, model=model, **kwargs)  # no instance of this class: its own `__init__` is not called

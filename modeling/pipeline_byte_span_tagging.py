"""The pipeline `span-tagging` of the byte-to-span family: text or its bytes in, spans with exact offsets out."""

from __future__ import annotations

from typing import Any

import torch

from .byte_span_tagging import ByteSpanTagging
from .byte_tags import ByteTagDecoder
from .pipeline_span_tagging import SpanTaggingPipeline


class ByteSpanTaggingPipeline(ByteSpanTagging, SpanTaggingPipeline):
    """Finds the spans of a text with a byte-to-span model: of any length, in any script, without splitting it.

    Call it with a text, a list of texts, or an iterator or generator of texts (then it gives a generator, and holds
    only some texts and windows at a time); a text is a str, or the bytes of one in UTF-8. Each text gives a list of
    `{"entity_group", "score", "word", "start", "end"}` in the order of the text, offsets in characters,
    `text[start:end] == word`, for bytes those of the text they spell. A score is the product of the probabilities of
    the span's start, length and label.

    Windows of k bytes overlap, those of several texts go through the model together, and each is merged with the one
    before it as soon as it is tagged. A text that cannot be read raises when its turn comes.

    With `decode: tags` in the configuration, what windows say of each byte is averaged, the best tags of the bytes
    write the spans, and a score is the probability of a span's least probable tag.

    Args (of the constructor as defaults, or of a call):
        batch_size: windows that go through the model together (128).
        overlap: of two windows, in bytes (half a window); a span of up to `overlap + 1` bytes lies wholly in one.
        merge: which of the spans that overlapping windows write is kept, "middle" or "paper" (the configuration's).
        errors: what is done about what is not UTF-8: "strict" raises, "replace" reads U+FFFD.
        recall_bias: taken from STOP's score; above 0 more spans are found, below 0 fewer (the configuration's).
        num_beams: write windows by beam search, following so many ways at a time; slower (1: greedily).
        aggregation_strategy: as of transformers' pipeline for token classification; whole spans are all there is, so
            "simple", "first", "average" and "max" give the same, and "none" is refused.
        ignore_labels: labels whose spans are left out (none).
        min_score: leave out spans that score below (the configuration's). It is applied to the merged spans: so a
            higher one gives a part of what a lower one does, and one run with 0 gives every point of the
            precision-recall curve.

    Args (of the constructor alone):
        int8: tag with 8-bit weights on a CPU, as `SpanTaggingPipeline` does.

    Raises:
        ValueError: the tokenizer's windows or labels are not the model's.
    """

    def __init__(self, model: Any, tokenizer: Any = None, *args: Any, **kwargs: Any) -> None:
        config, layout = model.config, getattr(tokenizer, "layout", None)
        if layout is None:
            found = "no tokenizer" if tokenizer is None else f"a {type(tokenizer).__name__}"
            raise ValueError(f"A byte-to-span model needs its ByteToSpanTokenizer, and this has {found}. Pass it.")
        if (layout.window_size, list(layout.labels)) != (config.window_size, config.span_labels):
            raise ValueError(
                f"The model has windows of {config.window_size} bytes and the labels {config.span_labels}, the "
                f"tokenizer {layout.window_size} bytes and {list(layout.labels)}. Load both from one folder, or pass "
                "a ByteToSpanTokenizer(model.config.window_size, model.config.span_labels)."
            )
        super().__init__(model, tokenizer, *args, **kwargs)

    def _make_decoder(self) -> ByteTagDecoder:
        return ByteTagDecoder(list(self.tokenizer.labels))

    def _forward(  # type: ignore[override]  # the parameters are those of the family
        self, input_tensors: dict[str, Any], recall_bias: float | None = None, num_beams: int = 1
    ) -> dict[str, Any]:
        """Windows to symbols and their log probabilities, both `(windows, symbols)`; or to those of bytes' tags."""
        arrays = input_tensors["input_ids"], input_tensors["attention_mask"]
        ids, mask = (torch.from_numpy(array).to(self.device) for array in arrays)
        if self.model.config.decode == "tags":
            return {"windows": input_tensors["windows"], "tags": self.model.score_tags(ids, mask).cpu().numpy()}
        symbols, log_chances = self.model.decode_spans(ids, mask, recall_bias, num_beams)
        found = {"symbols": symbols.cpu().numpy(), "log_chances": log_chances.cpu().numpy()}
        return {"windows": input_tensors["windows"], **found}

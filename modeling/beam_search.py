"""The spans of windows by beam search, in place of the greedy decoding of a byte-to-span model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from .configuration_byte_to_span import GO_ID


class _StopBias(LogitsProcessor):
    """Takes a bias from the score of STOP."""

    def __init__(self, stop_id: int, bias: float) -> None:
        self.stop_id, self.bias = stop_id, bias

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores = scores.clone()
        scores[:, self.stop_id] -= self.bias
        return scores


@torch.no_grad()
def beam_spans(
    model: Any, input_ids: Tensor, attention_mask: Tensor, recall_bias: float, num_beams: int
) -> tuple[Tensor, Tensor]:
    """Write each window's spans by beam search within the grammar.

    Args:
        model: a `ByteToSpanForSpanTagging`.
        input_ids: `(batch, bytes)`, padded by PAD.
        attention_mask: `(batch, bytes)`.
        recall_bias: taken from STOP's score.
        num_beams: how many ways to write a window are followed at a time; at least 2.

    Returns:
        As `decode_spans`: symbols, STOP to the end, and the log probability of each, both `(batch, symbols)`.
    """
    stop = model.config.stop_id
    processors = [_StopBias(stop, recall_bias)] if recall_bias else []
    written = model.generate(
        input_ids, attention_mask=attention_mask, num_beams=num_beams, logits_processor=processors
    )[:, 1:]
    after = (written == stop).cumsum(1) - (written == stop).long() > 0
    symbols = written.masked_fill(after, stop)
    before = torch.cat([symbols.new_full((len(symbols), 1), GO_ID), symbols[:, :-1]], dim=1)
    logits = model(input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=before).logits
    chances = logits.float().log_softmax(-1).gather(-1, symbols[..., None])[..., 0]
    return symbols, chances.masked_fill(after, 0.0)

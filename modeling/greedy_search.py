"""The spans of windows written greedily, a symbol at a time, by a byte-to-span model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .byte_states import BytesRead
from .configuration_byte_to_span import GO_ID
from .span_grammar import SpanGrammar


@torch.no_grad()
def greedy_spans(model: Any, input_ids: Tensor, attention_mask: Tensor, recall_bias: float) -> tuple[Tensor, Tensor]:
    """Write each window's spans; windows that have stopped leave the batch.

    Args:
        model: a `ByteToSpanForSpanTagging`.
        input_ids: `(batch, bytes)`, padded by PAD.
        attention_mask: `(batch, bytes)`.
        recall_bias: taken from STOP's score.

    Returns:
        As `decode_spans`: symbols, STOP to the end, and the log probability of each, both `(batch, symbols)`.
    """
    read = model.model(input_ids, attention_mask)
    grammar, lengths = SpanGrammar(model.config), read.mask.sum(1)
    rows = torch.arange(len(input_ids), device=input_ids.device)
    last, states, table = torch.full_like(rows, GO_ID), read.states, None
    symbol_rows = model.model.embedding.weight
    if len(rows) > len(symbol_rows) and rows.device == symbol_rows.device:
        table = model.model.writer.project(symbol_rows)
    symbols: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(3 * model.config.window_size):
        if not len(rows):
            break
        one = torch.ones_like(last, dtype=torch.bool)[:, None]
        hidden, states = model.model.write(last[:, None], one, states, table)
        scores = model.score_next(hidden, read)[:, 0].float()
        chosen = scores.clone()
        chosen[:, model.config.stop_id] -= recall_bias
        if model.config.span_grammar:
            chosen = chosen.masked_fill(~grammar.legal(last, lengths), float("-inf"))
        last = chosen.argmax(-1)
        symbols.append((rows, last, scores.log_softmax(-1).gather(1, last[:, None])[:, 0]))
        going = (last != model.config.stop_id).nonzero()[:, 0]
        if len(going) < len(rows):
            rows, last, states, lengths = rows[going], last[going], states[going], lengths[going]
            read = BytesRead(read.last_hidden_state[going], read.mask[going], read.states)
    written = torch.full((len(input_ids), len(symbols)), model.config.stop_id, device=input_ids.device)
    chances = torch.zeros(written.shape, device=input_ids.device)
    for step, (which, symbol, chance) in enumerate(symbols):
        written[which, step], chances[which, step] = symbol, chance
    return written, chances

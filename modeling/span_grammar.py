"""The grammar of the symbols that a byte-to-span model writes, for `generate` and for its own decoding."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LogitsProcessor

from .configuration_byte_to_span import ByteToSpanConfig
from .symbol_rules import legal_symbols


class SpanGrammar(LogitsProcessor):
    """Lets through only what may come next: a start or STOP, then a length that ends within the window, then a label.

    Args:
        config: the model's.
        lengths: `(batch,)`, the bytes of each window; None for whole windows.
    """

    def __init__(self, config: ByteToSpanConfig, lengths: Tensor | None = None) -> None:
        self.config, self.lengths = config, lengths

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Mask `scores` `(rows, vocabulary)` after the ids written so far, GO first, `(rows, symbols)`."""
        rows = len(scores)
        lengths = torch.full((rows,), self.config.window_size, device=scores.device)
        if self.lengths is not None:
            lengths = self.lengths.repeat_interleave(rows // len(self.lengths))
        return scores.masked_fill(~self.legal(input_ids[:, -1], lengths), float("-inf"))

    def legal(self, previous: Tensor, lengths: Tensor) -> Tensor:
        """Which ids may follow the previous ones `(rows,)`, in windows of `lengths` bytes: bool `(rows, ids)`."""
        ids = torch.arange(self.config.vocab_size, device=previous.device)
        legal: Tensor = legal_symbols(self.config.window_size, ids, previous, lengths, torch.where)
        return legal

"""Encoded sentences into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer


@dataclass
class TaggerCollator:
    """Right-pads encoded sentences to tensors, for the Trainer or any `DataLoader`.

    Gives `input_ids` (batch, words), `character_ids` (batch, words, characters), `attention_mask` (batch, words) and,
    where the sentences have them, `labels` (batch, words; -100 at padding) and `gazetteer_features`.
    """

    tokenizer: HierarchicalTaggerTokenizer

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Pad a list of encoded sentences."""
        return {key: torch.from_numpy(value) for key, value in self.tokenizer.pad_sentences(features).items()}

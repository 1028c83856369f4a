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
    where the sentences have them, `labels` (batch, words; -100 at padding), `gazetteer_features` and `head`, the name
    of the head that all of them are of.
    """

    tokenizer: HierarchicalTaggerTokenizer

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Tensor | str]:
        """Pad a list of encoded sentences.

        Raises:
            ValueError: sentences of several heads.
        """
        batch: dict[str, Tensor | str] = {
            key: torch.from_numpy(value) for key, value in self.tokenizer.pad_sentences(features).items()
        }
        heads = {feature["head"] for feature in features if "head" in feature}
        if len(heads) > 1:
            raise ValueError(f"A batch is of one head, and this one of {', '.join(sorted(heads))}.")
        return {**batch, "head": heads.pop()} if heads else batch

"""What a byte-to-span model has read, and where it is in writing."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.modeling_outputs import ModelOutput


@dataclass
class BytesRead(ModelOutput):
    """What the writer starts from.

    Attributes:
        last_hidden_state: the bytes' top states, `(batch, bytes, width)`, zeros at padding.
        mask: `(batch, bytes)` bool.
        states: `(batch, layers, 2, hidden_size)`, each layer's hidden state and cell before GO.
    """

    last_hidden_state: Tensor
    mask: Tensor = None  # type: ignore[assignment]
    states: Tensor = None  # type: ignore[assignment]


class RecurrentState:
    """The writer's state between two symbols, in the place that `generate` has for a cache."""

    is_compileable = False

    def __init__(self, states: Tensor, length: int = 0) -> None:
        self.states, self.length = states, length

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many symbols have been written."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Follow the beams that were kept."""
        self.states = self.states.index_select(0, beam_idx)

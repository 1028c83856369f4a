"""The reading half of a byte-to-span model in numpy: bytes into states, and these into the tags of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..modeling.tag_average import byte_tags
from ..tokenization.span_codec import GO_ID
from .ngram_rows import Ngrams
from .packed_rows import Packed
from .stacks import stack_shapes
from .word_network import Stack, beneath

_SPECIAL = 3  # ids between bytes and positions: GO, DROP and PAD

# Fields of the configuration that matter to training alone.
BYTE_TRAINING = {
    *("embedding_dropout", "hidden_dropout", "byte_dropout", "ngram_dropout", "ngram_min_count"),
    *("output_dropout", "initializer_range", "label2id", "tag_loss"),
    *("span_grammar", "span_order"),  # of symbols, which nothing writes here
}


@dataclass(frozen=True)
class ByteConfig:
    """The fields of `ByteToSpanConfig` that matter to tagging, with their defaults."""

    window_size: int = 60
    embedding_size: int = 320
    hidden_size: int = 320
    num_hidden_layers: int = 4
    encoder: str = "shared"
    encoder_hidden_size: int = 128
    encoder_num_layers: int = 2
    attention: bool = False
    ngram_sizes: list[int] | None = None
    ngram_rows: int = 0
    decode: str = "spans"
    recall_bias: float = 0.0
    min_score: float = 0.0
    merge: str = "middle"
    input_order: str = "forward"
    calibration: dict[str, dict[str, Any]] | None = None
    pad_token_id: int = GO_ID + 2
    id2label: dict[str, str] | None = None
    model_type: str = "byte-to-span"

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> ByteConfig:
        """Out of what config.json holds."""
        return cls(**{field.name: content[field.name] for field in fields(cls) if field.name in content})

    @property
    def span_labels(self) -> list[str]:
        """The labels of spans, in the order of their ids."""
        names = self.id2label or {}
        return [names[str(index)] for index in range(len(names))]

    @property
    def vocab_size(self) -> int:
        """How many ids there are: bytes, special ones, starts, lengths, STOP and labels."""
        return GO_ID + _SPECIAL + self._positions + len(self.span_labels)

    @property
    def _positions(self) -> int:
        return 2 * self.window_size + 2

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights that a model of this shape has, those that write among them, by their names."""
        width, size, layers = self.embedding_size, self.hidden_size, self.num_hidden_layers
        shapes: dict[str, tuple[int, ...]] = {"model.embedding.weight": (self.vocab_size, width)}
        if self.ngram_sizes:
            shapes["model.ngrams.hashes"] = (self.ngram_rows,)
            shapes["model.ngrams.embedding.weight"] = (1 + 2 * self.ngram_rows, width)
        shapes |= stack_shapes("model.writer", "lstm", width, size, layers, 1)
        memory = size
        if self.encoder == "separate":
            shapes |= stack_shapes("model.reader", "lstm", width, size, layers, 1)
        elif self.encoder == "bidirectional":
            shapes |= stack_shapes("model.reader", "lstm", width, self.encoder_hidden_size, self.encoder_num_layers, 2)
            memory = 2 * self.encoder_hidden_size
            shapes |= {"model.bridge.weight": (2 * layers * size, memory), "model.bridge.bias": (2 * layers * size,)}
        if self.attention:
            shapes["query.weight"] = (memory, size)
            size += memory
        outputs = {"positions": self._positions, "label_scores": len(self.span_labels)}
        for name, count in outputs.items():
            shapes |= {f"{name}.weight": (count, size), f"{name}.bias": (count,)}
        tags = len(byte_tags(self.span_labels))
        return {**shapes, "tag_scores.weight": (tags, memory), "tag_scores.bias": (tags,)}


class ByteNetwork:
    """What reads windows and scores the tags of their bytes.

    Args:
        config: its shape.
        weights: as its folder has them, by their names.
    """

    def __init__(self, config: ByteConfig, weights: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self.embedding = weights["model.embedding.weight"].astype(np.float32)
        self.ngrams = Ngrams(config.ngram_sizes, beneath(weights, "model.ngrams")) if config.ngram_sizes else None
        reads = beneath(weights, "model.writer" if config.encoder == "shared" else "model.reader")
        both = config.encoder == "bidirectional"
        self.stack = Stack("lstm", reads, config.encoder_num_layers if both else config.num_hidden_layers)
        self.directions = 2 if both else 1
        self.weight = np.ascontiguousarray(weights["tag_scores.weight"].astype(np.float32).T)
        self.bias = weights["tag_scores.bias"].astype(np.float32)

    def score_tags(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The log probabilities of bytes' tags, `(windows, bytes, tags)` in float32, 0 at padding.

        Args:
            ids: int64 `(windows, bytes)`, PAD where a window is shorter.
            mask: bool, of the same shape.
        """
        packed = Packed.of(mask.sum(1))
        flat = ids[mask][packed.gather]
        if self.ngrams is None:
            projected = self.stack.project(self.embedding)
            numbers = packed.look_up(projected, flat)
        else:
            around = self.ngrams.of_bytes(np.where(mask & (ids < GO_ID), ids, -1))[mask][packed.gather]
            inputs = self.embedding[flat] + around
            numbers = self.stack.project(inputs[None] if self.directions == 1 else packed.ways(inputs))
        scores = packed.side_by_side(self.stack.run(numbers, packed)) @ self.weight + self.bias
        scores -= scores.max(1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(1, keepdims=True))
        ordered = np.empty_like(scores)
        ordered[packed.gather] = scores
        result = np.zeros((*ids.shape, scores.shape[1]), dtype=np.float32)
        result[mask] = ordered
        return result

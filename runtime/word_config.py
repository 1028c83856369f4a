"""The shape of a hierarchical tagger out of its config.json, and the weights that it calls for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..modeling.tagger_shape import TaggerShape
from .stacks import stack_shapes

SHARED = "shared"  # the name of a module that all heads have in common
LANGUAGE_READERS = "encoder.readers"

# Fields of the configuration that matter to training alone.
TRAINING = {
    *("cost", "embedding_dropout", "character_dropout", "hidden_dropout", "ngram_dropout", "ngram_min_count"),
    *("rare_word_id", "rare_character_id", "rare_word_dropout", "recurrent_initializer", "label2id"),
}


@dataclass(frozen=True)
class WordConfig(TaggerShape):
    """The fields of `HierarchicalTaggerConfig` that matter to tagging, with their defaults."""

    sharing: str | None = None
    heads: dict[str, dict[str, Any]] | None = None
    languages: dict[str, dict[str, int | None]] | None = None
    id2label: dict[str, str] | None = None
    vocab_size: int = 2
    character_vocab_size: int = 2
    word_embedding_size: int = 50
    character_embedding_size: int = 25
    character_encoder: str = "gru"
    character_hidden_size: int = 80
    character_num_layers: int = 2
    character_filters: int = 30
    character_window: int = 3
    ngram_sizes: list[int] | None = None
    ngram_rows: int = 0
    ngram_embedding_size: int = 50
    word_encoder: str = "gru"
    hidden_size: int = 300
    num_hidden_layers: int = 2
    word_memory: bool = False
    gru_reset: str = "after"
    sru_gates: str = "words"
    linear_rnn: str = "gated"
    gazetteer_size: int = 0
    output: str = "crf"
    transitions: str = "static"
    tag_scheme: str = "BIOES"
    frozen_word_id: int | None = None
    calibration: dict[str, dict[str, Any]] | None = None
    model_type: str = "hierarchical-tagger"

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> WordConfig:
        """Out of what config.json holds."""
        return cls(**{field.name: content[field.name] for field in fields(cls) if field.name in content})

    @property
    def tags(self) -> list[str]:
        """The tags in the order of their ids, of a tagger of one head."""
        names = self.id2label or {}
        return [names[str(index)] for index in range(len(names))]

    def head_key(self, name: str | None) -> str:
        """The name of a head's module."""
        return SHARED if name is None or self.sharing == "all" else name

    @property
    def vocabularies(self) -> dict[str | None, tuple[int, int]]:
        """By language how many word ids there are, and the first of those that are not trained (past the last)."""
        if self.languages is None:
            found: dict[str | None, dict[str, int | None]] = {
                None: {"vocab_size": self.vocab_size, "frozen_word_id": self.frozen_word_id}
            }
        else:
            found = {name: self.languages[name] for name in sorted(self.languages)}
        sizes = {name: part["vocab_size"] or 0 for name, part in found.items()}
        frozen = {name: part.get("frozen_word_id") for name, part in found.items()}
        return {name: (size, size if (first := frozen[name]) is None else first) for name, size in sizes.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights that a tagger of this shape has, by their names."""
        shapes: dict[str, tuple[int, ...]] = {}
        width = self._add_characters(shapes) + self._add_ngrams(shapes)
        for language, (size, frozen) in self.vocabularies.items():
            place, inputs = f"{LANGUAGE_READERS}.{language or SHARED}", width
            if self.word_embedding_size:
                shapes[f"{place}.words.weight"] = (frozen, self.word_embedding_size)
                if frozen < size:
                    shapes[f"{place}.frozen_vectors"] = (size - frozen, self.word_embedding_size)
                inputs += self.word_embedding_size
            layers = self.num_hidden_layers
            shapes |= stack_shapes(
                f"{place}.recurrent", self.cell(self.word_encoder), inputs, self.hidden_size, layers
            )
        for name in self.head_names[:1] if self.sharing == "all" else self.head_names:
            place, tags = f"heads.{self.head_key(name)}", len(self.head(name).tags)
            outputs = tags
            if self.output == "crf" and self.transitions == "static":
                shapes |= {f"{place}.crf.start": (tags,), f"{place}.crf.transitions": (tags, tags)}
            elif self.output == "crf":
                outputs = (1 + tags) * tags
            width = 2 * self.hidden_size * (2 if self.word_memory else 1)
            shapes[f"{place}.output.weight"] = (outputs, width + self.gazetteer_size)
            shapes[f"{place}.output.bias"] = (outputs,)
        return shapes

    def _add_characters(self, shapes: dict[str, tuple[int, ...]]) -> int:
        place, width = "encoder.characters", self.character_embedding_size
        if self.character_encoder == "none":
            return 0
        shapes[f"{place}.embedding.weight"] = (self.character_vocab_size, width)
        if self.character_encoder == "cnn":
            shapes[f"{place}.convolution.weight"] = (self.character_filters, width, self.character_window)
            shapes[f"{place}.convolution.bias"] = (self.character_filters,)
            return self.character_filters
        cell, size = self.cell(self.character_encoder), self.character_hidden_size
        shapes |= stack_shapes(f"{place}.recurrent", cell, width, size, self.character_num_layers)
        return 2 * size

    def _add_ngrams(self, shapes: dict[str, tuple[int, ...]]) -> int:
        if not self.ngram_sizes:
            return 0
        shapes["encoder.ngrams.embedding.weight"] = (1 + self.ngram_rows, self.ngram_embedding_size)
        shapes["encoder.ngrams.hashes"] = (self.ngram_rows,)
        shapes["encoder.ngrams.points"] = (self.character_vocab_size,)
        return self.ngram_embedding_size

"""The shape of a byte-to-span tagger out of its config.json, and the weights that it calls for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from ..modeling.tag_average import byte_tags
from ..tokenization.input_error import InputError
from ..tokenization.span_codec import GO_ID
from ..tokenization.strict_json import read_json
from .stacks import stack_shapes

_SPECIAL = 3  # ids between bytes and positions: GO, DROP and PAD

# Fields of the configuration that matter to training alone.
BYTE_TRAINING = {
    *("embedding_dropout", "hidden_dropout", "byte_dropout", "ngram_dropout", "ngram_min_count"),
    *("output_dropout", "initializer_range", "label2id", "span_order"),
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
    patch_hidden_size: int = 0
    attention: bool = False
    ngram_sizes: list[int] | None = None
    ngram_rows: int = 0
    tag_loss: float = 0.0
    decode: str = "spans"
    span_grammar: bool = True
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
        """The weights that a model of this shape has by their names, also of a half that it does not tag by."""
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
            memory = ends = 2 * self.encoder_hidden_size
            if self.patch_hidden_size:
                shapes |= stack_shapes("model.patches.stack", "lstm", 2 * memory, self.patch_hidden_size, 1, 2)
                ends = 2 * self.patch_hidden_size
                memory += ends
            shapes |= {"model.bridge.weight": (2 * layers * size, ends), "model.bridge.bias": (2 * layers * size,)}
        if self.attention:
            shapes["query.weight"] = (memory, size)
            size += memory
        outputs = {"positions": (self._positions, size), "label_scores": (len(self.span_labels), size)}
        if self.tag_loss:
            outputs["tag_scores"] = (len(byte_tags(self.span_labels)), memory)
        for name, shape in outputs.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return shapes


class BeamRules(NamedTuple):
    """How beams are compared, as `generate` of transformers has it.

    Attributes:
        length_penalty: a beam's score is divided by its number of symbols to this power.
        early_stopping: True stops a window at its first `num_beams` whole beams; "never" and False go on as long as a
            better one is possible, by the longest or by the present number of symbols.
    """

    length_penalty: float = 0.0
    early_stopping: bool | str = False

    @classmethod
    def of(cls, folder: str) -> BeamRules:
        """Out of generation_config.json, where a tagger has one.

        Raises:
            InputError: it has what would have windows written otherwise, and is not among these.
        """
        path = os.path.join(folder, "generation_config.json")
        return cls.of_settings(read_json(path) if os.path.isfile(path) else {}, path)

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any], place: str) -> BeamRules:
        """Out of what `generate` is set to; None, and a penalty of 1, transformers' default, are nothing set.

        Args:
            settings: by their names.
            place: where they are from, for errors.

        Raises:
            InputError: as `of` does.
        """
        given = {name for name, value in settings.items() if value is not None}
        if other := sorted(given - _BESIDE - set(cls._fields)):
            found = f"the runtime writes without what generate is set to: {', '.join(other)}"
            raise InputError(found, path=place, fix="Take it out, or tag with torch: --runtime torch.")
        penalty = settings.get("length_penalty")
        return cls(0.0 if penalty in (None, 1) else float(penalty or 0), settings.get("early_stopping") or False)


# What of generation_config.json does not change what a tagger writes: whoever calls it gives beams and bounds.
_BESIDE = {
    *("_from_model_config", "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id"),
    *("decoder_start_token_id", "output_attentions", "output_hidden_states", "output_scores", "use_cache"),
    *("return_dict_in_generate", "num_beams", "max_length", "max_new_tokens"),
}

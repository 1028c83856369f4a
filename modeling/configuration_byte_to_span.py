"""The byte-to-span model's shape."""

# ruff: noqa: I002 (`strict` checks fields by their types, which `from __future__ import annotations` makes mere text)

import os
from collections.abc import Sequence
from typing import Any, Literal, Self

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .ngram_embedding import check_ngrams
from .remote_code import Pushed, known_fields, save_with_code
from .score_calibration import check_calibration
from .symbol_rules import FIRST_START
from .tag_average import byte_tags

GO_ID, DROP_ID, PAD_ID = 256, 257, 258


@strict
class ByteToSpanConfig(Pushed, PreTrainedConfig):
    """Every choice that makes one byte-to-span model differ from another (Gillick et al. 2015, and options beside it).

    The defaults are the paper's shape. One table of ids serves input and output, since an emitted symbol is the next
    input: bytes 0 to 255, GO, DROP, PAD, starts 0..k-1, lengths 0..k, STOP, labels. Labels are those of spans, in
    `id2label`; they come last, so that a model can be given more.

    Args:
        window_size: k, the bytes that are read at a time.
        embedding_size: width of a byte's or symbol's embedding.
        hidden_size: state of the LSTM that writes.
        num_hidden_layers: its layers.
        encoder: "shared", the LSTM that writes also reads, as in the paper; "separate", one of its own with the same
            shape; "bidirectional", one that reads both ways, from whose end states the writing one starts.
        encoder_hidden_size: state of a bidirectional encoder, for each direction.
        encoder_num_layers: its layers.
        patch_hidden_size: state, for each direction, of an LSTM above a bidirectional encoder, which reads patches of
            bytes (runs of letters and digits, and other characters by themselves; see `byte_patches.py`) and whose
            states join those of their bytes; 0 for none.
        attention: look back at the states of the bytes at each step; the scores also point at start positions.
        ngram_sizes: of the byte n-grams whose embeddings are added to those of the bytes that they begin and end at;
            None or an empty list for a model without.
        ngram_rows: how many n-grams have embeddings; in a recipe, how many at most, the most frequent first.
        ngram_min_count: how often the training data must have an n-gram for it to have them.
        ngram_dropout: how often all n-grams of a window are left out while training.
        tag_loss: weight, beside the loss of spans, of that of the bytes' own tags (BIOES), by a layer upon the states
            of the bytes; 0 for a model without that layer.
        decode: how spans are found in a text. "spans", windows write them, as in the paper; "tags", the best tags of
            all bytes, by what overlapping windows say of each, which needs `tag_loss`.
        merge: which of the spans that overlapping windows write is kept. "middle", what lies nearest to the middle of
            its window; "paper", what starts earliest in its own window, and nothing that starts where the next window
            has begun. It is not used with `decode: tags`.
        span_grammar: while tagging, only symbols that make a span may follow each other. Without, as in the paper, the
            most probable symbol is written, and what is no span is passed over.
        span_order: in which a window's spans are written: "last_first", as in the paper, or "first_first". It is what
            training teaches; tagging reads spans in any order.
        input_order: in which a window's bytes are read, from the first or from the last. Offsets count from the first.
        embedding_dropout: on embeddings.
        hidden_dropout: between layers, and before the output where `output_dropout` is None.
        output_dropout: before the output; None for the rate of `hidden_dropout`.
        byte_dropout: how often a byte is read as DROP while training.
        recall_bias: taken from STOP's score while tagging, or from that of the tag O; above 0 more spans are found,
            below 0 fewer.
        min_score: spans that score below are left out while tagging.
        calibration: of scores, under "" the fields of `ScoreCalibration`, which `tagsmith evaluate --calibrate` finds.
            None for scores as they are.
        initializer_range: weights start uniform within plus and minus this.
    """

    model_type = "byte-to-span"
    keys_to_ignore_at_inference = ["past_key_values", "encoder_last_hidden_state"]  # noqa: RUF012

    window_size: int = 60
    embedding_size: int = 320
    hidden_size: int = 320
    num_hidden_layers: int = 4
    encoder: Literal["shared", "separate", "bidirectional"] = "shared"
    encoder_hidden_size: int = 128
    encoder_num_layers: int = 2
    patch_hidden_size: int = 0
    attention: bool = False
    ngram_sizes: list[int] | None = None
    ngram_rows: int = 0
    ngram_min_count: int = 20
    ngram_dropout: float | int = 0.0
    tag_loss: float | int = 0.0
    decode: Literal["spans", "tags"] = "spans"
    merge: Literal["middle", "paper"] = "middle"
    span_grammar: bool = True
    span_order: Literal["last_first", "first_first"] = "last_first"
    input_order: Literal["forward", "reversed"] = "forward"
    embedding_dropout: float | int = 0.0
    hidden_dropout: float | int = 0.0
    output_dropout: float | int | None = None
    byte_dropout: float | int = 0.0
    recall_bias: float | int = 0.0
    min_score: float | int = 0.0
    calibration: dict[str, dict[str, Any]] | None = None
    initializer_range: float | int = 0.08
    is_encoder_decoder: bool = True
    pad_token_id: int | None = PAD_ID
    decoder_start_token_id: int | None = GO_ID

    def __post_init__(self, **kwargs: Any) -> None:
        kwargs["eos_token_id"] = None  # always of the window size, whatever a file says
        super().__post_init__(**known_fields(kwargs))
        self.eos_token_id = self.stop_id

    @classmethod
    def for_tags(cls, labels: Sequence[str], **fields: Any) -> Self:
        """A configuration of a tagger with these labels, in the order of their ids.

        Args:
            labels: the labels.
            **fields: all other fields.
        """
        names = dict(enumerate(labels))
        return cls(id2label=names, label2id={name: index for index, name in names.items()}, **fields)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save config.json, and the code of model and pipeline with it."""
        from .modeling_byte_to_span import ByteToSpanForSpanTagging, ByteToSpanModel
        from .pipeline_span_tagging import SpanTaggingPipeline

        classes = {
            "AutoConfig": type(self),
            "AutoModel": ByteToSpanModel,
            "AutoModelForSeq2SeqLM": ByteToSpanForSpanTagging,
            "AutoModelForTokenClassification": ByteToSpanForSpanTagging,
        }
        save_with_code(self, save_directory, classes, SpanTaggingPipeline, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field; STOP moves with the window size, as when one is given to `from_pretrained`.

        A property would not do: transformers sets what it is given by `setattr`, and writes `__dict__`.
        """
        super().__setattr__(name, value)
        if name == "window_size":
            super().__setattr__("eos_token_id", self.stop_id)

    def validate_sizes(self) -> None:
        """Widths, depths and windows that a network can have."""
        names = ("window_size", "embedding_size", "hidden_size", "num_hidden_layers")
        for name in (*names, "encoder_hidden_size", "encoder_num_layers", "ngram_min_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.patch_hidden_size < 0:
            raise ValueError(f"patch_hidden_size is {self.patch_hidden_size}; it cannot be negative.")
        if self.patch_hidden_size and self.encoder != "bidirectional":
            raise ValueError(
                f"patch_hidden_size is {self.patch_hidden_size}, and the encoder {self.encoder!r}. Patches are read "
                'above a bidirectional one: set patch_hidden_size to 0, or encoder to "bidirectional".'
            )
        check_ngrams(self.ngram_sizes, self.ngram_rows)

    def validate_rates(self) -> None:
        """Dropout within [0, 1), scores within [0, 1]."""
        for name in ("embedding_dropout", "hidden_dropout", "output_dropout", "byte_dropout", "ngram_dropout"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        if self.tag_loss < 0:
            raise ValueError(f"tag_loss is {self.tag_loss}; it cannot be negative.")
        if self.decode == "tags" and not self.tag_loss:
            raise ValueError('This model has no layer of tags to decode by. Give tag_loss above 0, or decode "spans".')
        check_calibration(self.calibration)
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score is {self.min_score}; it must lie between 0 and 1.")

    def validate_ids(self) -> None:
        """GO and PAD where the tokenizer has them, and labels without a gap in their ids."""
        if (self.pad_token_id, self.decoder_start_token_id) != (PAD_ID, GO_ID):
            found = f"{self.pad_token_id} and {self.decoder_start_token_id}"
            raise ValueError(f"PAD is {PAD_ID} and GO {GO_ID} for this model, not {found}.")
        if self.id2label is not None and not self.id2label:
            raise ValueError("id2label is empty; a span needs a label.")
        if self.id2label is not None and sorted(self.id2label) != list(range(len(self.id2label))):
            raise ValueError(f"id2label has the ids {sorted(self.id2label)}; they must run from 0 without a gap.")

    @property
    def span_labels(self) -> list[str]:
        """The labels of spans, in the order of their ids."""
        return [self.id2label[index] for index in range(len(self.id2label))]

    @property
    def byte_tags(self) -> list[str]:
        """The tags of bytes, in the order of their ids."""
        return byte_tags(self.span_labels)

    @property
    def first_length_id(self) -> int:
        """The id of length 0."""
        return FIRST_START + self.window_size

    @property
    def stop_id(self) -> int:
        """The id of STOP."""
        return self.first_length_id + self.window_size + 1

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return self.stop_id + 1 + len(self.id2label)


ByteToSpanConfig.register_for_auto_class()

"""The hierarchical tagger's shape."""

# ruff: noqa: I002 (`strict` checks fields by their types, which `from __future__ import annotations` makes mere text)

import os
import re
from collections.abc import Sequence
from typing import Any, Literal, Self

from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import PreTrainedConfig

from .ngram_embedding import check_ngrams
from .remote_code import Pushed, known_fields, save_with_code
from .score_calibration import check_calibration
from .tagger_shape import TaggerShape

_NAME = re.compile(r"[\w-]+")  # of a head or a language


@strict
class HierarchicalTaggerConfig(Pushed, TaggerShape, PreTrainedConfig):
    """Every choice that makes one hierarchical tagger differ from another (Yang et al. 2016, and options beside it).

    The defaults are the paper's shape. Labels are the tags themselves ("O", "B-LOC", ...), in `id2label`; where the
    tagger has several heads, in `heads`, and `id2label` is empty.

    Args:
        sharing: what the heads of a tagger have in common: "characters", the characters' embeddings and encoder
            alone, words and word encoder being each language's own; "encoder", everything below the output; "all",
            the output too, so that they differ in nothing but their training data. None for a tagger of one head.
        heads: with `sharing`, by name `{"tags": [...], "tag_scheme": ...}` and, where characters alone are shared,
            the head's "language".
        languages: where characters alone are shared, by name `{"vocab_size": ..., "rare_word_id": ...}` and, where it
            has one, "frozen_word_id".
        vocab_size: word ids, PAD (0) and UNK (1) among them.
        character_vocab_size: character ids, PAD and UNK among them.
        word_embedding_size: width of a word's embedding; 0 for a tagger that reads characters alone.
        character_embedding_size: width of a character's embedding.
        character_encoder: "gru" or "lstm", read both ways; "cnn", filters and a maximum over the word (Ma and Hovy
            2016); "none", words alone.
        character_hidden_size: state of a recurrent character encoder, for each direction.
        character_num_layers: its layers.
        character_filters: filters of the convolution.
        character_window: characters that a filter sees.
        ngram_sizes: of the character n-grams, word boundaries among them, whose embeddings join what the character
            encoder gives; None or an empty list for a tagger without.
        ngram_rows: how many n-grams have an embedding; in a recipe, how many at most, the most frequent first.
        ngram_embedding_size: its width.
        ngram_min_count: in how many different words of the training data an n-gram must be to have one.
        ngram_dropout: how often each n-gram of a word is left out while training.
        word_encoder: "gru", "lstm", "rnn", "sru" or "linear-rnn", read both ways; the last two compute all words at
            once except for a recurrence without matrices.
        hidden_size: state of the word encoder, for each direction.
        num_hidden_layers: its layers.
        word_memory: whether the mean of the states that a word has at its other places in a sentence or passage joins
            its own.
        gru_reset: where a GRU, of words or characters, applies its reset gate: "after" the product with the state, as
            cuDNN and PyTorch do, or "before" it, `U (r * h)`, as Cho et al. (2014) and Yang et al. write it.
        sru_gates: what the gates of SRU look at: "words" alone, so that the state runs in blocks, or the "state"
            before too, as Lei et al. (2018) write them, step by step.
        linear_rnn: "gated", with a gate between past and present word, or "plain", without.
        gazetteer_size: width of the gazetteer features that join the top of the word encoder; 0 for none.
        output: "crf", or "softmax" for each word by itself.
        transitions: of the CRF. "static", a score for each pair of tags, beside an emission for each tag (Yang et al.
            2016); "state", a score for each pair that depends on the word's state, `W[y', y] · h + b[y', y]` (Ma and
            Hovy 2016).
        tag_scheme: how tags spell spans: "BIOES", "BILOU", "IOB1", "IOB2", or "plain" for one tag a word.
        cost: of a wrong tag, added in the CRF's partition while training (softmax-margin, Gimpel and Smith 2010).
        rare_word_id: the first id of words that are rare in the training data; ids are in order of frequency.
        frozen_word_id: the first id of words that the training data do not have: their vectors are a table apart, of
            16 bits, that is never trained. None where there are no such words.
        rare_character_id: the first id of rare characters.
        rare_word_dropout: how often such a word or character is read as UNK while training, so that UNK is trained
            too.
        embedding_dropout: on words as they enter the word encoder.
        character_dropout: on character embeddings.
        hidden_dropout: between the word encoder's layers and before the output.
        recurrent_initializer: of GRU, LSTM and RNN. "uniform", every recurrent weight within ±sqrt(1 / state);
            "orthogonal", orthogonal recurrent matrices, Glorot input matrices, biases 0 and the LSTM's forget bias 1;
            "glorot", Glorot matrices, biases 0 and the LSTM's forget bias 1 (Ma and Hovy 2016, section 3.1); "normal",
            N(0, 0.1) and biases 0, as the authors of the paper have it.
        calibration: of scores, by head (one of a tagger that has but one is under ""): the fields of
            `ScoreCalibration`, which `tagsmith evaluate --calibrate` finds. None for scores as they are.
    """

    model_type = "hierarchical-tagger"
    keys_to_ignore_at_inference = ["logits", "hidden_states"]  # noqa: RUF012

    sharing: Literal["characters", "encoder", "all"] | None = None
    heads: dict[str, dict[str, Any]] | None = None
    languages: dict[str, dict[str, int | None]] | None = None
    vocab_size: int = 2
    character_vocab_size: int = 2
    word_embedding_size: int = 50
    character_embedding_size: int = 25
    character_encoder: Literal["gru", "lstm", "cnn", "none"] = "gru"
    character_hidden_size: int = 80
    character_num_layers: int = 2
    character_filters: int = 30
    character_window: int = 3
    ngram_sizes: list[int] | None = None
    ngram_rows: int = 0
    ngram_embedding_size: int = 50
    ngram_min_count: int = 5
    ngram_dropout: float | int = 0.0
    word_encoder: Literal["gru", "lstm", "rnn", "sru", "linear-rnn"] = "gru"
    hidden_size: int = 300
    num_hidden_layers: int = 2
    word_memory: bool = False
    gru_reset: Literal["before", "after"] = "after"
    sru_gates: Literal["words", "state"] = "words"
    linear_rnn: Literal["gated", "plain"] = "gated"
    gazetteer_size: int = 0
    output: Literal["crf", "softmax"] = "crf"
    transitions: Literal["static", "state"] = "static"
    tag_scheme: Literal["BIOES", "BILOU", "IOB1", "IOB2", "plain"] = "BIOES"
    cost: float | int = 0.0
    rare_word_id: int | None = None
    frozen_word_id: int | None = None
    rare_character_id: int | None = None
    rare_word_dropout: float | int = 0.0
    embedding_dropout: float | int = 0.0
    character_dropout: float | int = 0.0
    hidden_dropout: float | int = 0.0
    recurrent_initializer: Literal["uniform", "orthogonal", "glorot", "normal"] = "uniform"
    calibration: dict[str, dict[str, Any]] | None = None
    pad_token_id: int | None = 0
    unk_token_id: int = 1

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**known_fields(kwargs))

    @classmethod
    def for_tags(cls, tags: Sequence[str], **fields: Any) -> Self:
        """A configuration of a tagger with these tags, in the order of their ids; none if it has heads.

        Args:
            tags: the tags.
            **fields: all other fields.
        """
        names = dict(enumerate(tags))
        return cls(id2label=names, label2id={name: index for index, name in names.items()}, **fields)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save config.json, and the code of model and pipeline with it."""
        from .modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification, HierarchicalTaggerModel
        from .pipeline_span_tagging import SpanTaggingPipeline

        classes = {
            "AutoConfig": type(self),
            "AutoModel": HierarchicalTaggerModel,
            "AutoModelForTokenClassification": HierarchicalTaggerForTokenClassification,
        }
        save_with_code(self, save_directory, classes, SpanTaggingPipeline, **kwargs)

    def validate_sizes(self) -> None:
        """Widths and depths that a network can have."""
        parts = ("embedding_size", "hidden_size", "num_layers", "filters", "window", "vocab_size")
        names = [*(f"character_{part}" for part in parts), "ngram_embedding_size", "ngram_min_count"]
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", *names):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.word_embedding_size < 0 or self.gazetteer_size < 0:
            raise ValueError("word_embedding_size and gazetteer_size cannot be negative; 0 leaves the part out.")
        check_ngrams(self.ngram_sizes, self.ngram_rows)
        if self.character_window % 2 == 0:
            raise ValueError(f"character_window is {self.character_window}; it must be odd, to centre on a character.")
        if self.output == "softmax" and self.transitions == "state":
            raise ValueError('A softmax has no transitions: leave transitions "static", or set output to "crf".')
        if self.word_embedding_size == 0 and self.character_encoder == "none" and not self.ngram_sizes:
            raise ValueError("The tagger reads nothing: give word_embedding_size, character_encoder or ngram_sizes.")
        if self.word_memory and self.character_encoder == "none" and not self.ngram_sizes:
            raise ValueError("word_memory tells words by their characters: give character_encoder or ngram_sizes.")

    def validate_rates(self) -> None:
        """Dropout within [0, 1), costs not negative."""
        parts = ("rare_word", "embedding", "character", "ngram", "hidden")
        for name in (f"{part}_dropout" for part in parts):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        if self.cost < 0:
            raise ValueError(f"cost is {self.cost}; it cannot be negative.")
        check_calibration(self.calibration)

    def validate_ids(self) -> None:
        """The ids that the tokenizer gives, and tags without a gap in theirs."""
        if (self.pad_token_id, self.unk_token_id) != (0, 1):
            raise ValueError(f"PAD is 0 and UNK 1 for this tagger, not {self.pad_token_id} and {self.unk_token_id}.")
        if self.languages is None:
            self._check_frozen(self.frozen_word_id, self.vocab_size)
        if self.id2label is not None and sorted(self.id2label) != list(range(len(self.id2label))):
            raise ValueError(f"id2label has the ids {sorted(self.id2label)}; they must run from 0 without a gap.")

    def validate_heads(self) -> None:
        """Heads that fit what is shared, with tags of their own."""
        if (self.sharing is None) != (self.heads is None) or self.heads == {}:
            raise ValueError(f"sharing is {self.sharing} and heads {self.heads}; give both, or neither.")
        by_language = self.sharing == "characters"
        if by_language != (self.languages is not None):
            raise ValueError("languages are for heads that share their characters alone, and those need them.")
        if self.heads is None:
            return
        if self.id2label:
            raise ValueError("A tagger with heads has their tags in heads; its id2label and label2id must be {}.")
        for name in [*self.heads, *(self.languages or {})]:
            if not _NAME.fullmatch(name) or hasattr(nn.ModuleDict(), name):
                raise ValueError(f"The name {name!r} cannot be a module's: use another, of letters, digits, - and _.")
        for name, head in self.heads.items():
            if set(head) != {"tags", "tag_scheme", *(["language"] if by_language else [])}:
                raise ValueError(f"The head {name!r} has {', '.join(head)}; see what heads are to have.")
            if by_language and head["language"] not in (self.languages or {}):
                raise ValueError(f"The head {name!r} is in {head['language']!r}, which is not among languages.")
        for name, part in (self.languages or {}).items():
            if set(part) - {"frozen_word_id"} != {"vocab_size", "rare_word_id"} or (part["vocab_size"] or 0) < 1:
                raise ValueError(f"The language {name!r} has {part}; it needs vocab_size, above 0, and rare_word_id.")
            self._check_frozen(part.get("frozen_word_id"), part["vocab_size"] or 0)
        first = next(iter(self.heads.values()))
        if self.sharing == "all" and any(head != first for head in self.heads.values()):
            raise ValueError('Heads that share all must have the same tags; let them share "encoder".')

    def _check_frozen(self, first: int | None, size: int) -> None:
        """Words that are not trained come after PAD and UNK, and need a width."""
        if first is None:
            return
        if not 2 <= first <= size:
            raise ValueError(f"frozen_word_id is {first}; it must lie between 2 and vocab_size, {size}.")
        if not self.word_embedding_size:
            raise ValueError("Words that are not trained need vectors: give word_embedding_size above 0.")

    @property
    def tags(self) -> list[str]:
        """The tags in the order of their ids, of a tagger of one head."""
        names = self.id2label  # once: a configuration takes its time over each field
        return [names[index] for index in range(len(names))]

    @property
    def vocabularies(self) -> dict[str | None, tuple[int, int | None]]:
        """By language `vocab_size` and `rare_word_id`; under None where all heads read the same words."""
        if self.languages is None:
            return {None: (self.vocab_size, self.rare_word_id)}
        return {name: (part["vocab_size"] or 0, part["rare_word_id"]) for name, part in sorted(self.languages.items())}

    @property
    def frozen_word_ids(self) -> dict[str | None, int]:
        """By language, as in `vocabularies`, the first id of words that are not trained: past the last, if none is."""
        found = {}
        for name, (size, _) in self.vocabularies.items():
            first = self.frozen_word_id if name is None else (self.languages or {})[name].get("frozen_word_id")
            found[name] = size if first is None else first
        return found


HierarchicalTaggerConfig.register_for_auto_class()

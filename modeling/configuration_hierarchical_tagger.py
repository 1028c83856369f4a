"""The hierarchical tagger's shape."""

# ruff: noqa: I002 (`strict` checks fields by their types, which `from __future__ import annotations` makes mere text)

from typing import Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class HierarchicalTaggerConfig(PreTrainedConfig):
    """Every choice that makes one hierarchical tagger differ from another (Yang et al. 2016, and options beside it).

    The defaults are the paper's shape. Labels are the tags themselves ("O", "B-LOC", ...), in `id2label`.

    Args:
        vocab_size: word ids, PAD (0) and UNK (1) among them.
        character_vocab_size: character ids, likewise.
        word_embedding_size: width of a word's embedding; 0 for a tagger that reads characters alone.
        character_embedding_size: width of a character's embedding.
        character_encoder: "gru" or "lstm", read both ways; "cnn", filters and a maximum over the word (Ma and Hovy
            2016); "none", words alone.
        character_hidden_size: state of a recurrent character encoder, for each direction.
        character_num_layers: its layers.
        character_filters: filters of the convolution.
        character_window: characters that a filter sees.
        word_encoder: "gru", "lstm", "rnn", "sru" or "linear-rnn", read both ways; the last two compute all words at
            once but for a recurrence without matrices.
        hidden_size: state of the word encoder, for each direction.
        num_hidden_layers: its layers.
        gazetteer_size: width of the gazetteer features that join the top of the word encoder; 0 for none.
        output: "crf", or "softmax" for each word by itself.
        tag_scheme: how tags spell spans: "BIOES", "BILOU", "IOB1", "IOB2", or "plain" for one tag a word.
        cost: of a wrong tag, added in the CRF's partition while training (softmax-margin, Gimpel and Smith 2010).
        rare_word_id: the first id of words that occur once in the training data; ids are in order of frequency.
        rare_word_dropout: how often such a word is read as UNK while training, so that UNK is trained too.
        embedding_dropout: on words as they enter the word encoder.
        character_dropout: on character embeddings.
        hidden_dropout: between the word encoder's layers and before the output.
        recurrent_initializer: of GRU, LSTM and RNN. "uniform", every recurrent weight within ±sqrt(1 / state);
            "orthogonal", orthogonal recurrent matrices, Glorot input matrices, biases 0 and the LSTM's forget bias 1;
            "normal", N(0, 0.1) and biases 0, as the paper's authors have it.
    """

    model_type = "hierarchical-tagger"
    keys_to_ignore_at_inference = ["logits", "hidden_states"]  # noqa: RUF012

    vocab_size: int = 2
    character_vocab_size: int = 2
    word_embedding_size: int = 50
    character_embedding_size: int = 25
    character_encoder: Literal["gru", "lstm", "cnn", "none"] = "gru"
    character_hidden_size: int = 80
    character_num_layers: int = 2
    character_filters: int = 30
    character_window: int = 3
    word_encoder: Literal["gru", "lstm", "rnn", "sru", "linear-rnn"] = "gru"
    hidden_size: int = 300
    num_hidden_layers: int = 2
    gazetteer_size: int = 0
    output: Literal["crf", "softmax"] = "crf"
    tag_scheme: Literal["BIOES", "BILOU", "IOB1", "IOB2", "plain"] = "BIOES"
    cost: float | int = 0.0
    rare_word_id: int | None = None
    rare_word_dropout: float | int = 0.0
    embedding_dropout: float | int = 0.0
    character_dropout: float | int = 0.0
    hidden_dropout: float | int = 0.0
    recurrent_initializer: Literal["uniform", "orthogonal", "normal"] = "uniform"
    pad_token_id: int | None = 0
    unk_token_id: int = 1

    def validate_sizes(self) -> None:
        """Widths and depths that a network can have."""
        parts = ("embedding_size", "hidden_size", "num_layers", "filters", "window", "vocab_size")
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", *(f"character_{part}" for part in parts)):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.word_embedding_size < 0 or self.gazetteer_size < 0:
            raise ValueError("word_embedding_size and gazetteer_size cannot be negative; 0 leaves the part out.")
        if self.character_window % 2 == 0:
            raise ValueError(f"character_window is {self.character_window}; it must be odd, to centre on a character.")
        if self.word_embedding_size == 0 and self.character_encoder == "none":
            raise ValueError("The tagger reads nothing: give word_embedding_size above 0, or a character_encoder.")

    def validate_rates(self) -> None:
        """Dropout within [0, 1), costs not negative."""
        for name in ("rare_word_dropout", "embedding_dropout", "character_dropout", "hidden_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        if self.cost < 0:
            raise ValueError(f"cost is {self.cost}; it cannot be negative.")

    def validate_ids(self) -> None:
        """The ids that the tokenizer gives, and tags without a gap in theirs."""
        if (self.pad_token_id, self.unk_token_id) != (0, 1):
            raise ValueError(f"PAD is 0 and UNK 1 for this tagger, not {self.pad_token_id} and {self.unk_token_id}.")
        if self.id2label is not None and sorted(self.id2label) != list(range(len(self.id2label))):
            raise ValueError(f"id2label has the ids {sorted(self.id2label)}; they must run from 0 without a gap.")

    @property
    def tags(self) -> list[str]:
        """The tags in the order of their ids."""
        return [self.id2label[index] for index in range(len(self.id2label))]

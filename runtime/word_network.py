"""The network of a hierarchical tagger in numpy: characters into words, words in their sentence into emissions."""

from __future__ import annotations

import numpy as np

from ..modeling.tag_chain import TagChain
from .ngram_rows import Ngrams
from .packed_rows import Packed
from .stacks import Stack, Weights, beneath
from .word_config import LANGUAGE_READERS, SHARED, WordConfig


class Characters:
    """The spelling of words by a recurrent encoder or filters: `(words, size)`, 0 for a word without any."""

    def __init__(self, config: WordConfig, weights: Weights) -> None:
        self.embedding = weights["embedding.weight"].astype(np.float32)
        self.filters: np.ndarray | None = None
        if config.character_encoder == "cnn":
            kernel = weights["convolution.weight"].astype(np.float32)  # (filters, width, window)
            self.window = kernel.shape[2]
            self.filters = kernel.transpose(2, 1, 0).reshape(-1, len(kernel))
            self.bias = weights["convolution.bias"].astype(np.float32)
        else:
            cell, layers = config.cell(config.character_encoder), config.character_num_layers
            self.stack = Stack(cell, beneath(weights, "recurrent"), layers)

    def __call__(self, ids: np.ndarray, lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Words by their characters: one word's after another's `(characters,)`; padded `(words, characters)`."""
        if self.filters is not None:
            return self._filtered(rows)
        packed = Packed.of(lengths)
        ids = ids[packed.gather]
        if len(self.embedding) < len(ids):
            projected = packed.look_up(self.stack.project(self.embedding), ids)
        else:
            projected = self.stack.project(packed.ways(self.embedding[ids]))
        return packed.ends(self.stack.run(projected, packed))

    def _filtered(self, rows: np.ndarray) -> np.ndarray:
        assert self.filters is not None
        if not rows.size:
            return np.zeros((len(rows), self.filters.shape[1]), dtype=np.float32)
        half = self.window // 2
        around = np.pad(self.embedding[rows], ((0, 0), (half, half), (0, 0)))
        seen = np.concatenate([around[:, place : place + rows.shape[1]] for place in range(self.window)], axis=2)
        features = seen @ self.filters + self.bias
        features[rows == 0] = np.finfo(np.float32).min
        return features.max(1) * np.any(rows > 0, axis=1, keepdims=True)


class Words:
    """The words of a language and the encoder that reads them in their sentence."""

    def __init__(self, config: WordConfig, weights: Weights) -> None:
        self.trained, self.frozen = weights.get("words.weight"), weights.get("frozen_vectors")
        cell = config.cell(config.word_encoder)
        self.stack = Stack(cell, beneath(weights, "recurrent"), config.num_hidden_layers)

    def look_up(self, ids: np.ndarray) -> list[np.ndarray]:
        """The vectors of words `(words, size)`, of a tagger that has any."""
        if self.trained is None:
            return []
        if self.frozen is None:
            return [self.trained[ids].astype(np.float32)]
        rows = ids - len(self.trained)
        trained = self.trained[np.where(rows < 0, ids, 0)].astype(np.float32)
        return [np.where((rows < 0)[:, None], trained, self.frozen[rows.clip(min=0)].astype(np.float32))]


class HeadNetwork:
    """States to emissions, and to spans by their chain.

    Attributes:
        span_labels: what the spans count.
    """

    def __init__(self, config: WordConfig, name: str | None, weights: Weights) -> None:
        shape = config.head(name)
        self.weight = np.ascontiguousarray(weights["output.weight"].astype(np.float32).T)
        self.bias = weights["output.bias"].astype(np.float32)
        kind = "softmax" if config.output == "softmax" else config.transitions
        self.chain = TagChain(kind, shape.tags, shape.tag_scheme, beneath(weights, "crf"))
        self.tag_scheme, self.span_labels = shape.tag_scheme, self.chain.span_labels

    def emissions(self, states: np.ndarray) -> np.ndarray:
        """Packed states `(rows, size)` to emissions, or scores of pairs `(rows, (1 + tags) * tags)`."""
        emissions: np.ndarray = states @ self.weight
        emissions += self.bias
        return emissions

    def spans(self, emissions: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
        """The spans of the best tags of packed sentences and how probable each is.

        Returns:
            int64 `(spans, 4)`: sentence, first word, end word (exclusive), index into `span_labels`; and `(spans,)`
            float32 scores in [0, 1].
        """
        if not packed.sizes:
            return np.empty((0, 4), dtype=np.int64), np.empty(0, dtype=np.float32)
        scores = packed.grid(emissions, np.float32 if self.chain.kind == "softmax" else np.float64)
        if self.chain.kind == "state":
            scores = scores.reshape(*scores.shape[:2], 1 + self.chain.num_tags, self.chain.num_tags)
        lengths = np.bincount(packed.place, minlength=len(packed.order))
        spans, chances = self.chain.spans(scores, lengths)
        spans[:, 0] = packed.order[spans[:, 0]]
        return spans, chances.astype(np.float32)


class Heads:
    """What of a tagger comes after its emissions, and its n-grams, which are found outside of a graph.

    Args:
        config: its shape.
        weights: as its folder has them, by their names.
    """

    def __init__(self, config: WordConfig, weights: Weights) -> None:
        self.config = config
        ngrams = beneath(weights, "encoder.ngrams")
        self.ngrams = Ngrams(config.ngram_sizes, ngrams) if config.ngram_sizes else None
        self._keys = {name: config.head_key(name) for name in config.head_names}
        heads = {key: name for name, key in self._keys.items()}
        self.heads = {key: HeadNetwork(config, name, beneath(weights, f"heads.{key}")) for key, name in heads.items()}

    def head(self, name: str | None = None) -> HeadNetwork:
        """A head by its name; None for that of a tagger that has but one.

        Raises:
            ValueError: there is no such head; the message has those that are.
        """
        if name not in self._keys:
            self.config.head(name)  # says why
        return self.heads[self._keys[name]]

    @property
    def reads_characters(self) -> bool:
        """Whether anything is made of words' characters."""
        return self.config.character_encoder != "none" or self.ngrams is not None


class WordNetwork(Heads):
    """All of a tagger that has weights."""

    def __init__(self, config: WordConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        characters = beneath(weights, "encoder.characters")
        self.characters = Characters(config, characters) if characters else None
        readers = beneath(weights, LANGUAGE_READERS)
        self.readers = {name: Words(config, beneath(readers, name or SHARED)) for name in config.vocabularies}

    def word_table(
        self, ids: np.ndarray, characters: np.ndarray, lengths: np.ndarray, rows: np.ndarray, language: str | None
    ) -> np.ndarray:
        """What is made of words apart from their sentence: `(2, words, width)`, for `encode`.

        Args:
            ids: `(words,)`.
            characters: the character ids of one word after another.
            lengths: how many each has, `(words,)`.
            rows: the same ids padded, `(words, characters)`.
            language: whose words they are.
        """
        reader = self.readers[language]
        parts = reader.look_up(ids)
        if self.characters is not None:
            parts.append(self.characters(characters, lengths, rows))
        if self.ngrams is not None:
            parts.append(self.ngrams.of_words(rows))
        return reader.stack.project(np.concatenate(parts, axis=1))

    def encode(self, table: np.ndarray, rows: np.ndarray, packed: Packed, language: str | None) -> np.ndarray:
        """Packed words, as rows of a table, to the word encoder's states `(rows, 2 * hidden_size)`."""
        stack = self.readers[language].stack
        return packed.side_by_side(stack.run(packed.look_up(table, rows), packed))

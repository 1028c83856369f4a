"""How the hierarchical tagger reads words: their characters one by one, and the words in their sentence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .configuration_hierarchical_tagger import HierarchicalTaggerConfig
from .dropout import Dropout
from .linear_recurrence import LINEAR_LAYERS, LinearRecurrentStack
from .ngram_embedding import NgramEmbedding, word_codes
from .packing import Packing
from .recurrent import RecurrentStack

PAD_ID, UNK_ID = 0, 1


def forget_rare(ids: Tensor, rare_id: int | None, rate: float) -> Tensor:
    """Ids with some of the rare ones (from `rare_id` on) as UNK; drawn as dropout is, so a resumed run draws alike."""
    if not rate or rare_id is None:
        return ids
    return ids.masked_fill((ids >= rare_id) & (torch.rand(ids.shape, device=ids.device) < rate), UNK_ID)


class CharacterEncoder(nn.Module):
    """The spelling of words: `(words, characters)` ids to `(words, output_size)`, zeros for a word without any."""

    def __init__(self, config: HierarchicalTaggerConfig) -> None:
        super().__init__()
        width = config.character_embedding_size
        self.embedding = nn.Embedding(config.character_vocab_size, width, padding_idx=0)
        self.dropout = Dropout(config.character_dropout)
        self.rare_id, self.rare_dropout = config.rare_character_id, config.rare_word_dropout
        self.convolution, self.recurrent = None, None
        if config.character_encoder == "cnn":
            window, self.output_size = config.character_window, config.character_filters
            self.convolution = nn.Conv1d(width, self.output_size, window, padding=window // 2)
        else:
            self.recurrent = RecurrentStack(
                config.cell(config.character_encoder),
                width,
                config.character_hidden_size,
                config.character_num_layers,
            )
            self.output_size = self.recurrent.output_size

    def forward(self, character_ids: Tensor) -> Tensor:
        mask = character_ids > 0
        if self.training:
            character_ids = forget_rare(character_ids, self.rare_id, self.rare_dropout)
        if self.recurrent is not None:
            packing = Packing.of(mask)
            _, last = self.recurrent.read(self.embedding, self.dropout, packing.pack(character_ids), packing)
            return last[:, -1, 0]  # the top layer's: forward at the word's end, backward at its beginning
        assert self.convolution is not None
        if not character_ids.numel():
            return self.convolution.weight.new_zeros(len(character_ids), self.output_size)
        return self.filtered(self.dropout(self.embedding(character_ids)), mask)

    def filtered(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Embeddings `(words, characters, width)` to the most that each filter finds in a word, `(words, filters)`."""
        assert self.convolution is not None
        features = self.convolution(embedded.transpose(1, 2))
        highest = features.masked_fill(~mask[:, None], torch.finfo(features.dtype).min).amax(2)
        return highest * mask.any(1, keepdim=True)


class WordNgrams(NgramEmbedding):
    """The n-grams of words: `(words, characters)` ids to `(words, output_size)`, zeros for a word without any.

    Attributes:
        points: the code point of each character by its id, -1 for PAD, UNK, and what is no single one.
    """

    points: Tensor

    def __init__(self, config: HierarchicalTaggerConfig) -> None:
        assert config.ngram_sizes
        super().__init__(config.ngram_sizes, config.ngram_rows, config.ngram_embedding_size, config.ngram_dropout)
        self.output_size = config.ngram_embedding_size
        self.register_buffer("points", torch.full((config.character_vocab_size,), -1, dtype=torch.int32))

    @torch.no_grad()
    def spelt_by(self, characters: Sequence[str]) -> None:
        """Take the characters of a tokenizer, in the order of their ids."""
        points = [ord(character) if len(character) == 1 else -1 for character in characters]
        self.points[2:] = torch.tensor(points, dtype=torch.int32)

    def forward(self, character_ids: Tensor) -> Tensor:
        return self.of_words(word_codes(self.points[character_ids].long(), (character_ids > 0).sum(1)))


class WordReader(nn.Module):
    """The words of a language and the encoder that reads them in their sentence.

    Args:
        config: of the tagger.
        language: whose words; None for those of all heads.
        spelling_size: width of the characters' features.

    Attributes:
        words: the embedding of words that are trained; None for a tagger that reads characters alone.
        frozen_vectors: `(words, word_embedding_size)` of 16 bits, of the words after them; no parameter, so that a
            step of training costs the same however many there are. None where there are no such words.
    """

    frozen_vectors: Tensor | None

    def __init__(self, config: HierarchicalTaggerConfig, language: str | None, spelling_size: int) -> None:
        super().__init__()
        self.words, width = None, spelling_size
        vocab_size, self.rare_id = config.vocabularies[language]
        self.rare_dropout = config.rare_word_dropout
        self.register_buffer("frozen_vectors", None)
        if config.word_embedding_size:
            trained = config.frozen_word_ids[language]
            self.words = nn.Embedding(trained, config.word_embedding_size, padding_idx=config.pad_token_id)
            if trained < vocab_size:
                shape = (vocab_size - trained, config.word_embedding_size)
                self.frozen_vectors = torch.zeros(shape, dtype=torch.float16)
            width += config.word_embedding_size
        self.dropout = Dropout(config.embedding_dropout)
        cell = config.cell(config.word_encoder)
        stack = LinearRecurrentStack if cell in LINEAR_LAYERS else RecurrentStack
        self.recurrent = stack(
            cell,
            width,
            config.hidden_size,
            config.num_hidden_layers,
            dropout=config.hidden_dropout,
        )

    def look_up(self, ids: Tensor) -> Tensor:
        """Word ids of any shape to their vectors, of another axis `word_embedding_size`.

        Raises:
            NotImplementedError: the tagger reads characters alone.
        """
        if self.words is None:
            raise NotImplementedError("This tagger has no word embeddings (word_embedding_size is 0).")
        if self.frozen_vectors is None:
            vectors: Tensor = self.words(ids)
            return vectors
        rows = ids - self.words.num_embeddings
        frozen = rows >= 0
        vectors = self.words(ids.masked_fill(frozen, PAD_ID))
        return torch.where(frozen[..., None], self.frozen_vectors[rows.clamp(min=0)].to(vectors), vectors)

    @torch.no_grad()
    def set_vectors(self, ids: Tensor, vectors: Tensor) -> None:
        """Put vectors `(n, word_embedding_size)` in the places of words `(n,)`, whether they are trained or not.

        Raises:
            NotImplementedError: the tagger reads characters alone.
            ValueError: a vector of a word that is not trained holds a number too large for 16 bits.
        """
        if self.words is None:
            raise NotImplementedError("This tagger has no word embeddings (word_embedding_size is 0).")
        if self.frozen_vectors is None:
            self.words.weight[ids] = vectors.to(self.words.weight)
            return
        rows = ids - self.words.num_embeddings
        trained = rows < 0
        stored = vectors[~trained].to(self.frozen_vectors)
        if not stored.isfinite().all():
            largest = torch.finfo(stored.dtype).max
            raise ValueError(f"vectors of words that are not trained are stored in 16 bits, up to {largest:,.0f}")
        self.words.weight[ids[trained]] = vectors[trained].to(self.words.weight)
        self.frozen_vectors[rows[~trained]] = stored

    def features(self, ids: Tensor, spelling: Tensor | None) -> Tensor:
        """Word ids `(rows,)` and what was made of their characters to `(rows, features)`."""
        if self.training:
            ids = forget_rare(ids, self.rare_id, self.rare_dropout)
        parts = [] if self.words is None else [self.look_up(ids)]
        if spelling is not None:
            parts.append(spelling)
        features: Tensor = self.dropout(torch.cat(parts, dim=-1))
        return features

    def forward(self, ids: Tensor, spelling: Tensor | None, packing: Packing) -> Tensor:
        """Packed word ids `(steps,)` and their characters' features to states `(steps, 2 * hidden_size)`."""
        states: Tensor = self.recurrent.outputs(self.features(ids, spelling), packing)
        return states

"""How the hierarchical tagger reads words: their characters one by one, and the words in their sentence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .configuration_hierarchical_tagger import HierarchicalTaggerConfig
from .dropout import Dropout
from .linear_recurrence import LINEAR_LAYERS, LinearRecurrentStack
from .recurrent import Packing, RecurrentStack

UNK_ID = 1


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
        features = self.convolution(self.dropout(self.embedding(character_ids)).transpose(1, 2))
        highest = features.masked_fill(~mask[:, None], torch.finfo(features.dtype).min).amax(2)
        return highest * mask.any(1, keepdim=True)


class WordReader(nn.Module):
    """The words of a language and the encoder that reads them in their sentence.

    Args:
        config: of the tagger.
        language: whose words; None for those of all heads.
        spelling_size: width of the characters' features.
    """

    def __init__(self, config: HierarchicalTaggerConfig, language: str | None, spelling_size: int) -> None:
        super().__init__()
        self.words, width = None, spelling_size
        vocab_size, self.rare_id = config.vocabularies[language]
        self.rare_dropout = config.rare_word_dropout
        if config.word_embedding_size:
            self.words = nn.Embedding(vocab_size, config.word_embedding_size, padding_idx=config.pad_token_id)
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

    def features(self, ids: Tensor, spelling: Tensor | None) -> Tensor:
        """Word ids `(rows,)` and what was made of their characters to `(rows, features)`."""
        if self.training:
            ids = forget_rare(ids, self.rare_id, self.rare_dropout)
        parts = [] if self.words is None else [self.words(ids)]
        if spelling is not None:
            parts.append(spelling)
        features: Tensor = self.dropout(torch.cat(parts, dim=-1))
        return features

    def forward(self, ids: Tensor, spelling: Tensor | None, packing: Packing) -> Tensor:
        """Packed word ids `(steps,)` and their characters' features to states `(steps, 2 * hidden_size)`."""
        states, _ = self.recurrent(self.features(ids, spelling), packing)
        return states

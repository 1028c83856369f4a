"""What a tagger makes of words wherever they stand, kept from one group of sentences to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from .unchanged import Unchanged
from .word_kinds import WordKinds

_ROWS = 10_000  # words that are kept; where more are wanted at a time, so many
_CELLS = 30_000  # character ids that are read at a time, padding included


class WordCache:
    """The words of a language, each read once: its characters, its embedding, and the first product of these.

    When another word has no place, those that are wanted now stay and the others go, so that memory is bounded.

    Args:
        encoder: a `HierarchicalTaggerModel` in evaluation mode.
        tokenizer: of the tagger.
        language: whose words; None where all heads have the same.

    Attributes:
        rows: each word's row of the table.
        table: `(directions, rows, ...)`, of `encoder.word_table`, as `predict_heads` takes it.
        kinds: of the rows' words, for a tagger with `word_memory`; else None.
    """

    table: Tensor

    def __init__(self, encoder: Any, tokenizer: Any, language: str | None) -> None:
        self.encoder, self.tokenizer, self.language = encoder, tokenizer, language
        self.rows: dict[str, int] = {}
        self.kinds = WordKinds(tokenizer) if encoder.config.word_memory else None
        self._unchanged = Unchanged(encoder)

    @property
    def outdated(self) -> bool:
        """Whether the encoder has changed since the first words were read."""
        return not self._unchanged()

    @torch.no_grad()
    def read(self, words: Iterable[str]) -> None:
        """Have a row for each of these words.

        Raises:
            ValueError: a word is empty.
        """
        wanted = dict.fromkeys(words)
        new = sorted((word for word in wanted if word not in self.rows), key=len)  # a very long one pads few others
        if self.rows and len(self.rows) + len(new) > self.table.shape[1]:
            self._make_room([word for word in wanted if word in self.rows], len(new))
        for chunk in _chunks(new):
            made = self._read(chunk)
            if not self.rows:
                self.table = made.new_empty(len(made), max(_ROWS, len(new)), *made.shape[2:])
            first = len(self.rows)
            self.table[:, first : first + len(chunk)] = made
            self.rows.update(zip(chunk, range(first, first + len(chunk)), strict=True))
            if self.kinds is not None:
                self.kinds.add(chunk)

    def _make_room(self, known: list[str], new: int) -> None:
        kept = self.table[:, [self.rows[word] for word in known]]
        if len(known) + new > self.table.shape[1]:
            self.table = self.table.new_empty(len(kept), len(known) + new, *kept.shape[2:])
        self.table[:, : len(known)] = kept
        self.rows = {word: row for row, word in enumerate(known)}
        if self.kinds is not None:
            self.kinds = WordKinds(self.tokenizer)
            self.kinds.add(known)

    def _read(self, words: list[str]) -> Tensor:
        device = self.encoder.device
        spelling = self.encoder.spell(torch.from_numpy(self.tokenizer.spell(words)).to(device))
        ids = torch.tensor(self.tokenizer.encode(words, self.language), device=device)
        table: Tensor = self.encoder.word_table(ids, spelling, self.language)
        return table


def _chunks(words: list[str]) -> Iterator[list[str]]:
    """Words in the order of their lengths, so many at a time as `_CELLS` allows."""
    chunk: list[str] = []
    for word in words:
        if chunk and (len(chunk) + 1) * len(word) > _CELLS:
            yield chunk
            chunk = []
        chunk.append(word)
    if chunk:
        yield chunk

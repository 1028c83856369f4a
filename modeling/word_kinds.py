"""Which words of a table a tagger cannot tell apart by their characters, for `word_memory`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class WordKinds:
    """The kind of each word of a table: the number of the first one there with the same character ids.

    Args:
        tokenizer: of the tagger.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._first: dict[tuple[int, ...], int] = {}
        self._kinds: list[int] = []

    def add(self, words: Iterable[str]) -> None:
        """Words as they are read, whose rows are the next ones."""
        for word in words:
            ids = tuple(self._tokenizer.character_ids(word))
            self._kinds.append(self._first.setdefault(ids, len(self._kinds)))

    def of(self, rows: Iterable[int]) -> list[int]:
        """The kinds of words by their rows."""
        return [self._kinds[row] for row in rows]

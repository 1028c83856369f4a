"""Texts into words and ids, out of the files that a hierarchical tagger's tokenizer saves."""

from __future__ import annotations

import os
from typing import Any

from ..tokenization.input_error import InputError
from ..tokenization.strict_json import read_json
from ..tokenization.word_lookup import (
    MAX_WORD_CHARACTERS,
    WordReading,
    read_gazetteer,
    read_vocabulary,
)


class WordTokens(WordReading):
    """What splits a tagger's texts and gives words their ids.

    Args:
        folder: of the tagger, with tokenizer_config.json, vocab.json and, of some, gazetteer.json.

    Raises:
        InputError: a file that is not what a tokenizer wrote.
    """

    def __init__(self, folder: str) -> None:
        content: dict[str, Any] = read_json(os.path.join(folder, "tokenizer_config.json"))
        self.lowercase, self.zero_digits = content.get("lowercase", True), content.get("zero_digits", True)
        self.case_fallback = content.get("case_fallback", False)
        self.zero_character_digits = content.get("zero_character_digits", False)
        self.normalization, self.splitter = content.get("normalization"), content.get("splitter", "words")
        self.max_word_characters = content.get("max_word_characters", MAX_WORD_CHARACTERS)
        self.passage_words = content.get("passage_words", 0)
        self.lower_capitals = content.get("lower_capitals", False)
        try:
            self._check_reading()
        except ValueError as error:
            raise InputError(str(error).rstrip("."), path=os.path.join(folder, "tokenizer_config.json")) from error
        words, self.characters = read_vocabulary(os.path.join(folder, "vocab.json"))
        self.vocabularies = {**words} if isinstance(words, dict) else {None: list(words)}
        path = os.path.join(folder, "gazetteer.json")
        self.gazetteer = read_gazetteer(path) if os.path.isfile(path) else None
        self._index()

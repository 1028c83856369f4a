"""Training sentences of which some come in lower case, as people write in chats and searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.word_lookup import FIRST_ID, UNK_ID
from tagsmith.training.batches.numbered_rows import NumberedRows


class LoweredSentences(NumberedRows):
    """Encoded sentences, each of which is, with a probability, all in lower case.

    Args:
        rows: encoded sentences (see `encode_corpus`), with the name of their `head` where there are several; or such
            as come otherwise already.
        tokenizer: by which they were encoded.
        languages: whose words a head reads, by its name; under None those of the only one.
        rate: the probability.
        seed: of what is drawn.

    Raises:
        ValueError: a rate that is no probability; sentences that are not all known beforehand; a gazetteer that keeps
            case.
    """

    def __init__(
        self,
        rows: Any,
        tokenizer: HierarchicalTaggerTokenizer,
        languages: Mapping[str | None, str | None],
        rate: float,
        seed: int,
    ) -> None:
        super().__init__(rows, rate, seed, "lowercase_share")
        if tokenizer.gazetteer is not None and tokenizer.gazetteer.case_sensitive:
            raise ValueError("lowercase_share does not go with a gazetteer that keeps case, which would match nothing")
        self._characters = lowered_characters(tokenizer)
        of_language = {language: lowered_words(tokenizer, language) for language in set(languages.values())}
        self._words = {name: of_language[language] for name, language in languages.items()}

    def _drawn(self, row: dict[str, Any], place: int, chance: np.random.Generator) -> dict[str, Any]:
        if chance.random() >= self.rate:
            return row
        lengths = list(map(len, row["character_ids"]))
        ids = self._characters[np.concatenate([np.empty(0, dtype=np.int64), *map(np.array, row["character_ids"])])]
        words = self._words[row.get("head")]
        return {
            **row,
            "input_ids": row["input_ids"] if words is None else words[np.array(row["input_ids"])].tolist(),
            "character_ids": [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])],
        }


def lowered_characters(tokenizer: HierarchicalTaggerTokenizer) -> np.ndarray:
    """The id of each character in lower case, by its id: int64 `(character_vocab_size,)`.

    A character of which lower case makes several is the first of these.
    """
    ids = {character: index for index, character in enumerate(tokenizer.characters, FIRST_ID)}
    lowered = (ids.get(character.lower()[:1], UNK_ID) for character in tokenizer.characters)
    return np.array([*range(FIRST_ID), *lowered], dtype=np.int64)


def lowered_words(tokenizer: HierarchicalTaggerTokenizer, language: str | None) -> np.ndarray | None:
    """The id of each word in lower case, by its id: int64 `(words,)`; None where case is folded anyway."""
    if tokenizer.lowercase:
        return None
    own = tokenizer.vocabularies[language]
    ids = {word: index for index, word in enumerate(own, FIRST_ID)}
    return np.array([*range(FIRST_ID), *(ids.get(word.lower(), UNK_ID) for word in own)], dtype=np.int64)

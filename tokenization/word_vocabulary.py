"""The words and characters of training data, counted, as vocabularies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

from .words import shorten_words


class Earlier(Protocol):
    """A tokenizer whose words and characters are to stay."""

    vocabularies: dict[Any, list[str]]
    characters: list[str]

    def split_vocabulary(self, language: Any) -> tuple[list[str], list[str], list[str]]:
        """A language's words: frequent, rare and extra."""


class CountedWords(NamedTuple):
    """Vocabularies by language; under None where all texts have the same words. Ids begin at 2.

    Attributes:
        words: frequent words and, from `rare_word_id` on, rare ones.
        rare_word_id: the first id of a rare word.
        frozen: words that the training data did not have, to come after all others.
        characters: of all languages, most frequent first.
        rare_character_id: the first id of a character that occurs once.
    """

    words: dict[Any, list[str]]
    rare_word_id: dict[Any, int]
    frozen: dict[Any, list[str]]
    characters: list[str]
    rare_character_id: int


def count_words(
    sentences: Mapping[Any, Iterable[Sequence[str]]],
    normalize: Callable[[str], str],
    spell: Callable[[str], str],
    max_word_characters: int,
    min_count: int,
    rare_count: int,
    earlier: Earlier | None = None,
) -> CountedWords:
    """Count the words of each language, and the characters of all.

    Args:
        sentences: words, by language.
        normalize: a word as it is looked up.
        spell: the characters of a word as they are looked up.
        max_word_characters: longer words are shortened to so many.
        min_count: how often a word must occur to get an id.
        rare_count: how often a word may occur and still be rare.
        earlier: a tokenizer whose words come first; its characters alone where it has one vocabulary and this one has
            languages, or the other way round.
    """
    characters = Counter(dict.fromkeys(earlier.characters if earlier else (), 1 << 60))  # these come first
    kept = earlier.vocabularies if earlier and (None in earlier.vocabularies) == (None in sentences) else ()
    words, rare_word_id, frozen = {}, {}, {}
    for language in dict.fromkeys([*kept, *sentences]):
        found = Counter(chain.from_iterable(sentences.get(language, ())))
        shortened, _ = shorten_words(list(found), max_word_characters)
        counts: Counter[str] = Counter()
        for word, count in zip(shortened, found.values(), strict=True):
            counts[normalize(word)] += count
            for character in spell(word):
                characters[character] += count
        frequent, rare, frozen[language] = earlier.split_vocabulary(language) if earlier else ([], [], [])
        known = {*frequent, *rare}
        new = [item for item in counts.most_common() if item[1] >= min_count and item[0] not in known]
        frequent += [word for word, count in new if count > rare_count]
        rare += [word for word, count in new if count <= rare_count]
        words[language], rare_word_id[language] = [*frequent, *rare], 2 + len(frequent)
    return CountedWords(
        words,
        rare_word_id,
        frozen,
        [character for character, _ in characters.most_common()],
        2 + sum(count > 1 for count in characters.values()),
    )

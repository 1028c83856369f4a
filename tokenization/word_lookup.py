"""Words and characters to ids, without a tokenizer around it: what a vocabulary holds, and how it is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from .composed import check_normalization, composed
from .gazetteers import Gazetteer
from .input_error import InputError
from .strict_json import read_json
from .words import (
    SPLITTERS,
    Word,
    check_words,
    cut_sentence,
    iterate_sentences,
    join_lines,
    shorten_words,
    split_words,
)

PAD_ID, UNK_ID = 0, 1
FIRST_ID = 2  # of words, and of characters
MAX_WORD_CHARACTERS = 128  # of taggers that were saved without this number
Words = Sequence[str] | Mapping[str, Sequence[str]]  # a vocabulary, or one for each language


def spelled(word: str, normalization: str | None, zero_digits: bool) -> str:
    """A word's characters, in one Unicode form, and with 0 for each digit."""
    word = composed(word, normalization)
    return _DIGIT.sub("0", word) if zero_digits else word


def normalize(word: str, lowercase: bool, zero_digits: bool, normalization: str | None = None) -> str:
    """A word's form in the vocabulary."""
    word = spelled(word, normalization, zero_digits)
    return word.lower() if lowercase else word


def in_capitals(words: Sequence[str]) -> bool:
    """Whether a sentence is written in capitals: every letter is one, and two words or more have two of them."""
    text = "".join(words)
    if not text.isupper() or any(character.isalpha() and not character.isupper() for character in text):
        return False  # the second for letters that have no case
    return sum(sum(map(str.isalpha, word)) > 1 for word in words) > 1


class CharacterIds:
    """The ids of characters, of many words at a time.

    Args:
        characters: in the order of their ids, which begin at 2; PAD and UNK are not looked up.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        points = sorted((ord(text), index) for index, text in enumerate(characters, FIRST_ID) if len(text) == 1)
        self._points, self._ids = np.array([*points, (-1, UNK_ID)], dtype=np.int64).T

    def spell(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Words as they are read to their character ids: int64 `(characters,)`, and how many each has, `(words,)`."""
        text = "".join(words).encode("utf-32-le", errors="surrogatepass")
        points = np.frombuffer(text, dtype="<u4").astype(np.int64)
        places = np.searchsorted(self._points[:-1], points)
        ids = np.where(self._points[places] == points, self._ids[places], UNK_ID)
        return ids, np.fromiter(map(len, words), dtype=np.int64, count=len(words))


class WordReading:
    """How a tagger reads texts: into words with exact offsets, and these as ids.

    Attributes:
        vocabularies: words in the order of their ids, by language; under None where all texts have the same.
        characters: in the order of their ids.
        gazetteer: None for a tagger without.
        lowercase: whether words are looked up with their case folded; and so on, as the tokenizer's arguments say.
    """

    vocabularies: dict[str | None, list[str]]
    characters: list[str]
    gazetteer: Gazetteer | None
    lowercase: bool
    case_fallback: bool
    zero_digits: bool
    zero_character_digits: bool
    normalization: str | None
    splitter: str
    max_word_characters: int
    passage_words: int
    lower_capitals: bool

    def _check_reading(self) -> None:
        """See that words can be read in this way.

        Raises:
            ValueError: an unknown splitter or normalization, `max_word_characters` below 2, `passage_words` below 0,
                or above it beside `lower_capitals`.
        """
        longest, passage = self.max_word_characters, self.passage_words
        if self.splitter not in SPLITTERS:
            raise ValueError(f"Unknown splitter {self.splitter!r}; choose one of {', '.join(SPLITTERS)}.")
        check_normalization(self.normalization)
        if not isinstance(longest, int) or longest < 2:
            raise ValueError(f"max_word_characters is {longest!r}; it must be a whole number of at least 2.")
        if type(passage) is not int or passage < 0:
            raise ValueError(f"passage_words is {passage!r}; it must be a whole number, 0 for lines by themselves.")
        if not isinstance(self.lower_capitals, bool):
            raise ValueError(f"lower_capitals is {self.lower_capitals!r}; it must be true or false.")
        if self.lower_capitals and passage:
            raise ValueError("lower_capitals looks at lines by themselves, and passage_words joins them; choose one.")

    def _index(self) -> None:
        """Be ready to look up, once vocabularies and characters are there."""
        # PAD and UNK are not looked up, so that a text which spells them is only text.
        self._word_ids = {
            name: {word: index for index, word in enumerate(own, FIRST_ID)} for name, own in self.vocabularies.items()
        }
        self._character_ids = {character: index for index, character in enumerate(self.characters, FIRST_ID)}
        self._spelling = CharacterIds(self.characters)

    @property
    def character_vocab_size(self) -> int:
        """How many character ids there are, PAD and UNK among them."""
        return len(self.characters) + FIRST_ID

    @property
    def languages(self) -> list[str]:
        """The languages that have words of their own; none where all have the same."""
        return [name for name in self.vocabularies if name is not None]

    def normalize(self, word: str) -> str:
        """The form under which a word is looked up."""
        (word,), _ = self.shorten([word])
        return normalize(word, self.lowercase, self.zero_digits, self.normalization)

    def spelled(self, word: str) -> str:
        """A word's characters, as they are looked up."""
        return spelled(word, self.normalization, self.zero_character_digits)

    def character_ids(self, word: str) -> list[int]:
        """The ids of the characters of a word as it is read."""
        return [self._character_ids.get(character, UNK_ID) for character in self.spelled(word)]

    def split(self, text: str) -> list[Word]:
        """Split a text into words with character offsets."""
        if not isinstance(text, str):
            raise TypeError(
                f"A text is a str, and this one is {type(text).__name__}. For words already split, pass "
                "is_split_into_words=True."
            )
        return split_words(text, self.splitter)

    def sentences(self, text: str, max_words: int) -> Iterator[list[Word]]:
        """A text's words as they are read together: lines, or passages of them; constant memory.

        A line of more than `max_words` words comes in stretches of at most so many. Lines that have no more than
        `passage_words` words together are a passage.
        """
        lines = iterate_sentences(text, self.splitter, max_words)
        passage = min(self.passage_words, max_words)
        return join_lines(lines, passage) if passage else lines

    def cut(self, words: Sequence[str], max_words: int) -> int:
        """Where to end a stretch of at most `max_words` of a sentence given as words."""
        return cut_sentence(words, max_words)

    def check(self, words: Sequence[str]) -> None:
        """See that the words of a sentence can be read: see `check_words`."""
        check_words(words)

    def read(self, words: Sequence[str]) -> tuple[Sequence[str], int]:
        """A sentence's words as they are read, and how many of them have more than `max_word_characters`.

        With `lower_capitals` a sentence in capitals is read in lower case (see `in_capitals`); then each word is
        shortened, as `shorten` says.
        """
        if self.lower_capitals and in_capitals(words):
            words = list(map(str.lower, words))
        return self.shorten(words)

    def shorten(self, words: Sequence[str]) -> tuple[Sequence[str], int]:
        """Words as they are read, and how many of them have more than `max_word_characters`: see `shorten_words`."""
        return shorten_words(words, self.max_word_characters)

    def describe_shortened(self, count: int) -> str:
        """A line that says how many words were shortened."""
        limit = self.max_word_characters
        return (
            f"words of more than {limit} characters: {count:,}; of each, the first {limit - limit // 2} and the last "
            f"{limit // 2} characters were read"
        )

    def _check_language(self, language: str | None) -> None:
        if language in self.vocabularies:
            return
        if None in self.vocabularies:
            raise ValueError(f"All languages have the same words in this tokenizer; leave out language={language!r}.")
        found = "Each language has" if language is None else f"There is no language {language!r}, and each has"
        raise ValueError(
            f"{found} its own words in this tokenizer. Choose one of {', '.join(map(str, self.languages))}."
        )

    def look_up(self, words: Sequence[str], language: str | None) -> list[int]:
        """The ids of words as they are read."""
        self._check_language(language)
        known = self._word_ids[language]
        forms = [normalize(word, self.lowercase, self.zero_digits, self.normalization) for word in words]
        if self.case_fallback:
            return [known.get(form) or known.get(form.lower(), UNK_ID) for form in forms]
        return [known.get(form, UNK_ID) for form in forms]

    def spell(self, words: Sequence[str]) -> np.ndarray:
        """Words to their character ids alone: int64 `(words, characters)`, 0 where a word is shorter."""
        return padded(*self.spell_out(words))

    def spell_out(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same without padding: the ids of one word after another, and how many each has."""
        words, _ = self.shorten(words)
        return self._spelling.spell(list(map(self.spelled, words)))


def padded(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Ids of rows after each other as int64 `(rows, longest)`, PAD where a row is shorter."""
    inside = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    rows = np.full(inside.shape, PAD_ID, dtype=np.int64)
    rows[inside] = ids
    return rows


def read_vocabulary(path: str) -> tuple[Words, list[str]]:
    """The words and the characters of vocab.json.

    Raises:
        InputError: it is not what a tokenizer wrote.
    """
    try:
        content = read_json(path, SAVE_AGAIN)
        words, characters = content["words"], content["characters"]
    except InputError as error:
        message = f"not a vocabulary of words and characters ({error.message})"
        raise InputError(message, path=path, line=error.line, column=error.column, fix=SAVE_AGAIN) from error
    except (OSError, KeyError) as error:
        raise InputError(f"not a vocabulary of words and characters ({error!r})", path=path, fix=SAVE_AGAIN) from error
    by_language = {f"words of {name}": own for name, own in words.items()} if isinstance(words, dict) else None
    for kind, entries in {**(by_language or {"words": words}), "characters": characters}.items():
        if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
            raise InputError(f"the {kind} are not a list of strings", path=path, fix=SAVE_AGAIN)
        if len(set(entries)) < len(entries):
            repeated = Counter(entries).most_common(1)[0][0]
            raise InputError(f"the {kind} hold {repeated!r} twice", path=path, fix=SAVE_AGAIN)
    return words, characters


def read_gazetteer(path: str) -> Gazetteer:
    """The gazetteer of gazetteer.json.

    Raises:
        InputError: it is not what a tokenizer wrote.
    """
    try:
        return Gazetteer.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"not a gazetteer ({error})", path=path, fix=SAVE_AGAIN) from error


SAVE_AGAIN = "Save the tokenizer again, or fetch its folder again."
_DIGIT = re.compile(r"\d")

"""What a tagger knows of the texts that it is given: it says so once where their script or language is new to it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

_WORDS_OF_A_SCRIPT = 100  # in the vocabulary of a tagger that knows the script; of a small one, one in a hundred
_LETTERS_OF_A_SCRIPT = 1000  # in the training data of a tagger of bytes; of small data, one in a hundred
_LETTERS = 8  # of an unknown script in a line, that say anything
_SHARE = 0.3  # of a line's letters: half of Japanese is written in kana, the rest in characters that Chinese has too
WINDOW, _LAST_WINDOW = 200, 10  # words without capitals that a language is judged by, and at the end of the input
_MARGIN = 0.6  # over the root of their number: few words must say more
_WORD = re.compile(r"[^\W\d_]+")


def judged_words(text: str) -> list[str]:
    """The words of a text by which its language is judged: of two letters or more, none of them a capital."""
    return [word for word in _WORD.findall(text) if word.islower() and len(word) > 1]


class Familiarity:
    """Looks at texts on their way to a tagger.

    A script is known where the vocabulary has words of it, or, of a tagger that reads bytes, the training data had
    letters of it. A language is known where few of the words written without
    capitals are missing from the vocabulary; names and first words of sentences, which often are, do not count.

    Args:
        tokenizer: of the tagger.
        most_unknown: the share of unknown words above which a language is unknown, from 0 to 1; None to look at
            scripts alone.
        warn: is told, at most once.
        letters: of the training data by script, for a tokenizer without a vocabulary; where there are none, all is
            taken as known.
    """

    def __init__(
        self,
        tokenizer: Any,
        most_unknown: float | None,
        warn: Callable[[str], Any],
        letters: Mapping[str, int] | None = None,
    ) -> None:
        self._vocabularies: list[list[str]] = [*getattr(tokenizer, "vocabularies", {}).values()]
        self._most_unknown, self._warn = most_unknown if self._vocabularies else None, warn
        self._words: set[str] | None = None
        self._scripts: Counter[str] = Counter() if self._vocabularies else Counter(letters or {})
        self._enough = _WORDS_OF_A_SCRIPT if self._vocabularies else _LETTERS_OF_A_SCRIPT
        self._known_characters: set[str] = set()
        self._seen = self._missing = 0
        self._said = not self._vocabularies and not self._scripts

    def watch(self, texts: Iterable[str | None]) -> Iterator[str | None]:
        """The same texts, looked at one by one until something was said."""
        for text in texts:
            if text and not self._said:
                self._look(text)
            yield text
        if not self._said:
            self._judge(_LAST_WINDOW)

    def _look(self, text: str) -> None:
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
            self._look_at_script(text)
        if self._most_unknown is None or self._said:
            return
        if self._words is None:
            self._words = set().union(*self._vocabularies)
        words = judged_words(text)
        self._seen += len(words)
        self._missing += sum(word not in self._words for word in words)
        if self._seen >= WINDOW:
            self._judge(WINDOW)

    def _look_at_script(self, text: str) -> None:
        new = {character for character in set(text) - self._known_characters if not self._knows(character)}
        self._known_characters.update(set(text) - new)
        if not new:
            return
        counts = Counter(script for character in text if (script := script_of(character)))
        unknown = Counter({script_of(character): counts[script_of(character)] for character in new})
        script, most = unknown.most_common(1)[0]
        if most >= _LETTERS and most >= _SHARE * counts.total():
            self._say(f"part of the text is written in {script.title()}, which this tagger was not trained on")

    def _knows(self, character: str) -> bool:
        script = script_of(character)
        if not script or script == "LATIN":
            return True
        if not self._scripts:
            self._scripts.update(script_of(word[0]) for words in self._vocabularies for word in words if word)
        return self._scripts[script] >= min(self._enough, self._scripts.total() // 100 + 1)

    def _judge(self, least: int) -> None:
        """Say whether the language is unknown, by the words since it was last asked."""
        if self._most_unknown is not None and self._seen >= least:
            share = self._missing / self._seen
            if share > min(self._most_unknown + _MARGIN / self._seen**0.5, 0.99):
                self._say(f"{share:.0%} of the words are unknown to this tagger, as of a language not trained on")
        self._seen = self._missing = 0

    def _say(self, found: str) -> None:
        self._said = True
        self._warn(f"{found}: expect names to be missed and others to be wrong")


@lru_cache(maxsize=2**16)
def script_of(character: str) -> str:
    """The script of a letter, as Unicode names it (LATIN, CYRILLIC, CJK); empty for all that is no letter."""
    plain = unicodedata.normalize("NFKC", character)[:1]
    return unicodedata.name(plain, "").split(" ")[0] if plain.isalpha() else ""

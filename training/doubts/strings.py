"""How a corpus annotates the same string, and the same word, everywhere else: consistency as evidence of its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.planting import surface

LONGEST = 8  # words of a string that is looked for


@dataclass
class WordCounts:
    """How often a word stands anywhere, inside a span, first in one, and last in one."""

    anywhere: int = 0
    inside: int = 0
    first: int = 0
    last: int = 0


_NEVER = WordCounts()


@dataclass
class Strings:
    """Counts over a corpus, and over what is evidence beside it.

    Attributes:
        labels: of each string that is annotated somewhere, how often by label.
        occurrences: of these strings, how often they stand anywhere.
        words: of each word.
    """

    labels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    occurrences: Counter[str] = field(default_factory=Counter)
    words: dict[str, WordCounts] = field(default_factory=lambda: defaultdict(WordCounts))

    @classmethod
    def of(cls, sentences: Sequence[Audited]) -> Strings:
        """Count sentences."""
        counts = cls()
        for sentence in sentences:
            for word in sentence.words:
                counts.words[word].anywhere += 1
            for span in sentence.spans:
                counts.labels[surface(sentence, span)][span.label] += 1
                counts.words[sentence.words[span.start]].first += 1
                counts.words[sentence.words[span.end - 1]].last += 1
                for word in sentence.words[span.start : span.end]:
                    counts.words[word].inside += 1
        for sentence in sentences:
            counts.occurrences.update(name for name, _, _ in counts.places(sentence))
        return counts

    def places(self, sentence: Audited) -> Iterator[tuple[str, int, int]]:
        """Where a sentence has strings that are annotated somewhere: the string, its first word, and the end."""
        words = sentence.words
        for start in range(len(words)):
            name = ""
            for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
                name = f"{name} {words[end - 1]}" if name else words[end - 1]
                if name in self.labels:
                    yield name, start, end

    def elsewhere(self, sentence: Audited, start: int, end: int) -> tuple[Mapping[str, int], int]:
        """How a place's string is annotated elsewhere, by label, and how often it stands elsewhere without a span.

        Args:
            sentence: as it was when it was counted; what it says of the place itself is left out.
            start: of the place, in words.
            end: of the place, in words, exclusive.
        """
        name = " ".join(sentence.words[start:end])
        if name not in self.labels:
            return {}, 0
        labels = Counter(self.labels[name])
        for span in sentence.spans:
            if (span.start, span.end) == (start, end):
                labels[span.label] -= 1
        # Of longer strings than are looked for only spans are known.
        around = 1 if end - start <= LONGEST else 0
        without = max(self.occurrences[name] - around - labels.total(), 0) if around else 0
        return +labels, without

    def word(self, word: str) -> WordCounts:
        """The counts of a word."""
        return self.words.get(word, _NEVER)


def usual(labels: Mapping[str, int], without: int) -> tuple[str | None, float]:
    """What a string mostly is elsewhere, a label or None for no span, and how sure that is, from 0 to 1."""
    choices: dict[str | None, int] = {None: without}
    choices.update(labels)
    best = max(choices, key=lambda choice: choices[choice])
    total = sum(choices.values())
    return best, (choices[best] / (total + 1) if total else 0.0)


def same_place(span: Span, start: int, end: int) -> bool:
    """Whether a span shares a word with a place."""
    return span.start < end and start < span.end

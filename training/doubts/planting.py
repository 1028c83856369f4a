"""Errors of annotation that are planted on purpose, so that what finds errors can learn and be measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited

KINDS = ("missing", "superfluous", "border", "label", "inconsistent")
_LONGEST = 3  # words of a span that is annotated though nothing is there


class Planted(NamedTuple):
    """An error: in which sentence, of which kind, what stood there before and what stands there now."""

    sentence: int
    kind: str
    before: Span | None
    after: Span | None

    @property
    def place(self) -> tuple[int, int]:
        """The first word that is concerned, and the end."""
        spans = [span for span in (self.before, self.after) if span is not None]
        return min(span.start for span in spans), max(span.end for span in spans)


def plant_errors(
    sentences: Sequence[Audited], share: float, seed: int, kinds: Sequence[str] = KINDS
) -> tuple[list[Audited], list[Planted]]:
    """Spoil a share of a corpus's spans, as many by each kind as there is room for.

    Args:
        sentences: of the corpus.
        share: of its spans.
        seed: of what is chosen.
        kinds: some of `KINDS`.

    Returns:
        The sentences with errors, and these; no two lie in one sentence's same words.
    """
    planter = _Planter(sentences, seed)
    count = round(share * sum(len(sentence.spans) for sentence in sentences))
    for number in range(count):
        planter.plant(kinds[number % len(kinds)])
    spoiled = [
        sentence.with_spans(planter.spans[number]) if number in planter.touched else sentence
        for number, sentence in enumerate(sentences)
    ]
    return spoiled, planter.planted


class _Planter:
    def __init__(self, sentences: Sequence[Audited], seed: int) -> None:
        self.sentences, self.chance = sentences, np.random.default_rng(seed)
        self.spans = [list(sentence.spans) for sentence in sentences]
        self.places = [(number, span) for number, own in enumerate(self.spans) for span in own]
        self.labels = sorted({span.label for _, span in self.places})
        self.touched: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self.planted: list[Planted] = []
        strings = Counter((surface(sentences[n], span), span.label) for n, span in self.places)
        self.often = [(n, s) for n, s in self.places if strings[surface(sentences[n], s), s.label] >= 3]
        self.lengths = np.array([len(sentence.words) for sentence in sentences], dtype=float)

    def plant(self, kind: str) -> None:
        """One error of a kind, if a place for it turns up."""
        ways: dict[str, Callable[[], Planted | None]] = {
            "missing": lambda: self._removed("missing", self.places),
            "superfluous": self._added,
            "border": self._moved,
            "label": lambda: self._renamed("label", self.places),
            "inconsistent": self._other,
        }
        for _ in range(200):
            error = ways[kind]()
            if error is not None and self._is_free(error):
                self._apply(error)
                return

    def _apply(self, error: Planted) -> None:
        own = self.spans[error.sentence]
        if error.before is not None:
            own.remove(error.before)
        if error.after is not None:
            own.append(error.after)
        self.touched[error.sentence].append(error.place)
        self.planted.append(error)

    def _is_free(self, error: Planted) -> bool:
        start, end = error.place
        if any(one < end and start < two for one, two in self.touched.get(error.sentence, ())):
            return False
        others = (span for span in self.spans[error.sentence] if span != error.before)
        return not any(span.start < end and start < span.end for span in others)

    def _any(self, places: Sequence[tuple[int, Span]]) -> tuple[int, Span] | None:
        return places[int(self.chance.integers(len(places)))] if places else None

    def _removed(self, kind: str, places: Sequence[tuple[int, Span]]) -> Planted | None:
        place = self._any(places)
        return None if place is None else Planted(place[0], kind, place[1], None)

    def _renamed(self, kind: str, places: Sequence[tuple[int, Span]]) -> Planted | None:
        place = self._any(places)
        if place is None or len(self.labels) < 2:
            return None
        number, span = place
        others = [label for label in self.labels if label != span.label]
        return Planted(number, kind, span, span._replace(label=others[int(self.chance.integers(len(others)))]))

    def _other(self) -> Planted | None:
        renamed = self.chance.random() < 0.5 and len(self.labels) > 1
        return (self._renamed if renamed else self._removed)("inconsistent", self.often)

    def _moved(self) -> Planted | None:
        place = self._any(self.places)
        if place is None:
            return None
        number, span = place
        start, end, label = span
        moves = [(start - 1, end), (start, end + 1), (start + 1, end), (start, end - 1)]
        length = len(self.sentences[number].words)
        moves = [(a, b) for a, b in moves if 0 <= a < b <= length]
        if not moves:
            return None
        a, b = moves[int(self.chance.integers(len(moves)))]
        return Planted(number, "border", span, Span(a, b, label))

    def _added(self) -> Planted | None:
        """A run of words with letters; half of them in capitals, where the script has any, as an annotator errs."""
        if not self.labels:
            return None
        number = int(self.chance.choice(len(self.lengths), p=self.lengths / self.lengths.sum()))
        words = self.sentences[number].words
        size = int(self.chance.integers(1, _LONGEST + 1))
        start = int(self.chance.integers(len(words)))
        chosen = words[start : start + size]
        if len(chosen) < size or not all(any(c.isalpha() for c in word) for word in chosen):
            return None
        wants_capital = len(self.planted) % 2 == 0
        if wants_capital and not chosen[0][:1].isupper() and self.chance.random() < 0.9:
            return None
        label = self.labels[int(self.chance.integers(len(self.labels)))]
        return Planted(number, "superfluous", None, Span(start, start + size, label))


def surface(sentence: Audited, span: Span) -> str:
    """The words of a span, by which its string is known elsewhere."""
    return " ".join(sentence.words[span.start : span.end])

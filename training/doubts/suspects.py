"""Annotations that may be wrong, each with what speaks for and against it as numbers.

A suspect is a span that stands in the corpus, or a place where one may be missing. What taggers that have not seen the
sentence say of it, what the corpus does with the same string elsewhere, and what it looks like become features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.opinions import Opinion, posteriors
from tagsmith.training.doubts.strings import Strings, same_place, usual

_FEW = 1e-4  # a probability below this says no more


@dataclass
class Suspect:
    """An annotation that may be wrong.

    Attributes:
        sentence: its number.
        present: the span that stands there; None where one may be missing.
        kind: how it would be wrong.
        expected: the spans that should stand there instead.
        features: what speaks for and against it.
        learnt: what a tagger makes of it that has learnt it.
        choices: what should stand there by other kinds.
        score: how probable it is that it is wrong, once it has been judged.
    """

    sentence: int
    present: Span | None
    kind: str
    expected: tuple[Span, ...]
    features: np.ndarray
    learnt: np.ndarray
    choices: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    score: float = 0.0

    def decide(self, kind: str) -> None:
        """Be of another kind, if that is one of the choices and nothing better is known."""
        if kind in self.choices and self.kind != "inconsistent":
            self.kind, self.expected = kind, self.choices[kind]

    @property
    def place(self) -> tuple[int, int]:
        """The first word that is concerned, and the end."""
        spans = [*self.expected, *([self.present] if self.present else [])]
        return min(span.start for span in spans), max(span.end for span in spans)


class Witness:
    """What is known of a corpus apart from its own annotation of a place.

    Args:
        sentences: as they stand in the corpus.
        opinions: of each tagger on each sentence.
        strings: counts over the corpus and its evidence.
    """

    def __init__(self, sentences: Sequence[Audited], opinions: Sequence[Sequence[Opinion]], strings: Strings) -> None:
        self.sentences, self.opinions, self.strings = sentences, opinions, strings
        self.labels = sorted({span.label for sentence in sentences for span in sentence.spans})

    def suspects(
        self, numbers: Sequence[int], spans: Sequence[Sequence[Span]], learnt: Sequence[Opinion] | None = None
    ) -> list[Suspect]:
        """The suspects of sentences.

        Args:
            numbers: of the sentences.
            spans: that are to be judged in each; the corpus's own, or others that were put there.
            learnt: what a tagger that was trained on these spans says of every sentence, if there is one.
        """
        said = self.opinions[0] if learnt is None else learnt
        cases = [_Case(self, number, own, said[number]) for number, own in zip(numbers, spans, strict=True)]
        asked = [case.asked for case in cases]
        chances = [posteriors([own[n] for n in numbers], asked) for own in [*self.opinions, said]]
        found: list[Suspect] = []
        for place, case in enumerate(cases):
            found += case.suspects(np.array([own[place] for own in chances]).reshape(len(chances), -1))
        return found


class _Case:
    """One sentence with spans to be judged."""

    def __init__(self, witness: Witness, number: int, spans: Sequence[Span], learnt: Opinion) -> None:
        self.witness, self.number = witness, number
        self.sentence = witness.sentences[number]
        self.spans, self.learnt = sorted(spans), learnt
        self.found = [own[number].spans for own in witness.opinions]
        self.anywhere = sorted(set().union(*self.found))
        self.absent = self._absent()
        wanted = {span for present in self.spans for span in self._around(present)}
        self.asked = sorted({*self.spans, *wanted, *self.absent})

    def _around(self, span: Span) -> list[Span]:
        """What may stand in the place of a span: other labels, other borders, what taggers found there."""
        start, end, label = span
        others = [Span(start, end, other) for other in self.witness.labels if other != label]
        moves = [(start - 1, end), (start, end + 1), (start + 1, end), (start, end - 1)]
        others += [Span(a, b, label) for a, b in moves if 0 <= a < b <= len(self.sentence.words)]
        return others + [other for other in self.anywhere if other != span and same_place(other, start, end)]

    def _absent(self) -> list[Span]:
        """Spans that may be missing: found by a tagger, or annotated elsewhere; where no span stands."""
        candidates = set(self.anywhere)
        for _, start, end in self.witness.strings.places(self.sentence):
            labels, without = self.witness.strings.elsewhere(self.sentence, start, end)
            best, _ = usual(labels, 0)
            if best is not None and labels[best] > 0 and labels[best] * 4 >= without:
                candidates.add(Span(start, end, best))
        return sorted(
            span for span in candidates if not any(same_place(own, span.start, span.end) for own in self.spans)
        )

    def suspects(self, chances: np.ndarray) -> Iterator[Suspect]:
        """The suspects, by the posteriors of what was asked, `(taggers, asked)`, last of the one that learnt it."""
        of = {span: chances[:, place] for place, span in enumerate(self.asked)}
        for span in self.spans:
            yield self._present(span, of)
        for span in self.absent:
            yield self._missing(span, of)

    def _nothing(self, start: int, end: int) -> np.ndarray:
        return np.array([own[self.number].outside[start:end].min() for own in self.witness.opinions])

    def _present(self, span: Span, of: Mapping[Span, np.ndarray]) -> Suspect:
        own, around = of[span][:-1], self._around(span)
        groups: dict[str, tuple[float, tuple[Span, ...]]] = {"label": (0.0, ()), "border": (0.0, ())}
        for other in around:
            kind = "label" if other[:2] == span[:2] else "border"
            groups[kind] = max(groups[kind], (float(of[other][:-1].mean()), (other,)))
        nothing = self._nothing(span.start, span.end)
        groups["superfluous"] = (float(nothing.mean()), ())
        kind, (chance, expected) = max(groups.items(), key=lambda item: item[1][0])
        labels, without = self.witness.strings.elsewhere(self.sentence, span.start, span.end)
        best, sure = usual(labels, without)
        if chance < own.mean() and best != span.label and sure > 0.5:
            kind, expected = "inconsistent", (() if best is None else (span._replace(label=best),))
        agree = [span in found for found in self.found]
        evidence = [groups["label"][0], groups["border"][0], float(nothing.mean())]
        free = float(self.learnt.outside[span.start : span.end].min())
        besides = [
            max((of[other][-1] for other in around if (other[:2] == span[:2]) == same), default=0.0)
            for same in (True, False)
        ]
        learnt = [*(_logit(value) for value in (of[span][-1], *besides, free)), float(of[span][-1]), free]
        features = self._features(span, own, agree, evidence, labels, without)
        choices = {name: spans for name, (_, spans) in groups.items() if spans or name == "superfluous"}
        return Suspect(self.number, span, kind, expected, features, np.array(learnt), choices)

    def _missing(self, span: Span, of: Mapping[Span, np.ndarray]) -> Suspect:
        labels, without = self.witness.strings.elsewhere(self.sentence, span.start, span.end)
        agree = [span in found for found in self.found]
        touched = np.mean([any(same_place(o, span.start, span.end) for o in found) for found in self.found])
        evidence = [float(touched), float(self._nothing(span.start, span.end).mean()), 0.0]
        free = float(self.learnt.outside[span.start : span.end].min())
        learnt = [_logit(of[span][-1]), float(span in self.learnt.found), _logit(free), float(of[span][-1]), free]
        features = self._features(span, of[span][:-1], agree, evidence, labels, without)
        return Suspect(
            self.number, None, "missing" if any(agree) else "inconsistent", (span,), features, np.array(learnt)
        )

    def _features(
        self,
        span: Span,
        own: np.ndarray,
        agree: Sequence[bool],
        evidence: Sequence[float],
        labels: Mapping[str, int],
        without: int,
    ) -> np.ndarray:
        """Of the taggers, of the string elsewhere, and of how the span looks; then products with being seen."""
        mean, low, high = _logit(own.mean()), _logit(own.min()), _logit(own.max())
        others = [_logit(value) for value in evidence]
        share = float(np.mean(agree))
        same = labels.get(span.label, 0)
        different = sum(labels.values()) - same
        total = same + different + without
        ratio = _logit((same + 0.5) / (total + 1.0))
        seen = float(same + different > 0)
        often = float(total > 2)
        taggers = [mean, low, high, share, share * (1 - share), *others, max(mean, 0.0), max(others[0], others[1])]
        strings = [ratio, seen, np.log1p(same), np.log1p(different), np.log1p(without), often * ratio]
        products = [seen * mean, often * mean, seen * share, ratio * mean]
        looks = self._looks(span)
        longer = min(span.end - span.start, 5) - 1
        return np.array([*taggers, *strings, *products, *looks, longer, longer * mean, (longer > 0) * mean])

    def _looks(self, span: Span) -> list[float]:
        """Capitals, the place in the sentence, and whether the words at the borders are usual there."""
        words, last = self.sentence.words, span.end - 1
        capital, opening = float(words[span.start][:1].isupper()), float(span.start == 0)
        return [
            capital,
            float(words[last][:1].isupper()),
            opening,
            capital * opening,
            float(all(word.isupper() for word in words)),
            self._rate(span.start, "first", "inside"),
            self._rate(last, "last", "inside"),
            self._rate(span.start, "inside", "anywhere"),
            self._rate(last, "inside", "anywhere"),
            self._rate(span.start - 1, "inside", "anywhere"),
            self._rate(span.end, "inside", "anywhere"),
            self._often(span.start),
            self._often(last),
        ]

    def _own(self, at: int) -> dict[str, int]:
        """What the corpus's annotation of a word here adds to the word's counts."""
        over = next((span for span in self.sentence.spans if span.start <= at < span.end), None)
        if over is None:
            return {"anywhere": 1, "inside": 0, "first": 0, "last": 0}
        return {"anywhere": 1, "inside": 1, "first": int(at == over.start), "last": int(at == over.end - 1)}

    def _rate(self, at: int, part: str, whole: str) -> float:
        """Which share of a word's places elsewhere are of a kind; 0 beyond the sentence."""
        if not 0 <= at < len(self.sentence.words):
            return 0.0
        counts, own = self.witness.strings.word(self.sentence.words[at]), self._own(at)
        return (getattr(counts, part) - own[part]) / max(getattr(counts, whole) - own[whole], 1)

    def _often(self, at: int) -> float:
        return float(np.log1p(self.witness.strings.word(self.sentence.words[at]).anywhere))


def _logit(chance: float) -> float:
    chance = min(max(float(chance), _FEW), 1 - _FEW)
    return float(np.log(chance / (1 - chance)))

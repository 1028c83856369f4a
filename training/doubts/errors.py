"""What a tagger gets wrong: the types of errors of MUC-5 and SemEval-2013, and where they gather.

| scheme | a found span is correct where | half a point |
|---|---|---|
| strict | borders and label are the gold span's | |
| exact | borders are, whatever the label | |
| partial | borders are, whatever the label | borders overlap |
| type | it overlaps and the label is right | |
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import count, pairwise
from typing import Any, NamedTuple

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.words import split_words
from tagsmith.training.evaluation.span_alignment import align_spans
from tagsmith.training.evaluation.tagged_texts import TaggedText

KINDS = ("exact", "label", "border", "label and border", "missed", "spurious")
SCHEMES = ("strict", "exact", "partial", "type")
_LENGTHS = (1, 2, 3, 4, 5)  # words of a span; the last stands for more too
_SENTENCES = (10, 20, 40)  # words of a sentence, up to which a group goes


class Error(NamedTuple):
    """A place where a tagger is wrong.

    Attributes:
        number: of the row of the corpus, from 0.
        text: of the row.
        kind: one of `KINDS` but the first.
        gold: the span that should be there, or None.
        found: the span that was found, or None.
        score: of the found span; None where there is none.
    """

    number: int
    text: str
    kind: str
    gold: Span | None
    found: Span | None
    score: float | None


class Tally:
    """Kinds of errors in a group of spans: `counts` by kind; scores follow."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def result(self) -> dict[str, Any]:
        """Each kind's count, gold and found spans, and exact precision, recall and F1."""
        gold = self.counts.total() - self.counts["spurious"]
        found = self.counts.total() - self.counts["missed"]
        return {**{kind: self.counts[kind] for kind in KINDS}, **_scores(self.counts["exact"], 0, found, gold)}


class ErrorAnalysis:
    """Counts a tagger's errors as texts come; memory does not grow with them.

    Args:
        known: names of the training data (`names_in`), for spans that were seen and those that were not.
        examples: how many errors of each kind are kept, the ones of which the tagger is most sure first.
    """

    def __init__(self, known: Collection[str] | None = None, examples: int = 10) -> None:
        self.known, self.kept = known, examples
        self.all = Tally()
        self.groups: dict[str, defaultdict[str, Tally]] = {
            name: defaultdict(Tally) for name in ("labels", "lengths", "names", "sentences")
        }
        self.confusions: Counter[tuple[str | None, str | None]] = Counter()
        self.texts = 0
        self._worst: dict[str, list[tuple[float, int, Error]]] = {kind: [] for kind in KINDS[1:]}
        self._order = count()

    def add(self, text: TaggedText) -> None:
        """Count a text."""
        self.texts += 1
        scores = dict(text.found)
        words = len(split_words(text.text))
        for gold, found in align_spans(text.gold, text.spans):
            kind = kind_of(gold, found)
            span = gold or found
            assert span is not None
            self.all.counts[kind] += 1
            self.confusions[gold and gold.label, found and found.label] += 1
            for name, group in self._groups(text.text, span, words):
                self.groups[name][group].counts[kind] += 1
            if kind != "exact":
                score = None if found is None else float(scores[found])
                self._keep(Error(text.number, text.text, kind, gold, found, score))

    def _groups(self, text: str, span: Span, words: int) -> Iterator[tuple[str, str]]:
        own = text[span.start : span.end]
        length = min(max(len(split_words(own)), 1), _LENGTHS[-1])
        yield "labels", span.label
        yield "lengths", f"{length} or more" if length == _LENGTHS[-1] else str(length)
        if self.known is not None:
            yield "names", "seen" if "".join(own.split()) in self.known else "unseen"
        place = next((n for n, most in enumerate(_SENTENCES) if words <= most), len(_SENTENCES))
        names = [f"1 to {_SENTENCES[0]}", *(f"{a + 1} to {b}" for a, b in pairwise(_SENTENCES))]
        yield "sentences", [*names, f"over {_SENTENCES[-1]}"][place]

    def _keep(self, error: Error) -> None:
        """Keep the errors of which the tagger is most sure; of what it missed the first ones."""
        heap, entry = self._worst[error.kind], (error.score or 0.0, -next(self._order), error)
        if len(heap) < self.kept:
            heapq.heappush(heap, entry)
        elif heap and entry > heap[0]:
            heapq.heapreplace(heap, entry)

    def examples(self) -> list[Error]:
        """The worst errors of each kind, kind by kind, those of the highest scores first."""
        return [error for kind in KINDS[1:] for _, _, error in sorted(self._worst[kind], reverse=True)]

    def result(self) -> dict[str, Any]:
        """All counts and scores, as `tagsmith errors --json` has them, without the examples."""
        groups = {
            name: {key: self.groups[name][key].result() for key in sorted(self.groups[name], key=_in_order)}
            for name in self.groups
            if name != "names" or self.known is not None
        }
        confusions = [
            {"gold": gold, "found": found, "count": number}
            for (gold, found), number in self.confusions.most_common()
            if gold != found
        ]
        schemes = {scheme: scheme_scores(self.all.counts, scheme) for scheme in SCHEMES}
        return {"texts": self.texts, "all": self.all.result(), "schemes": schemes, **groups, "confusions": confusions}


def kind_of(gold: Span | None, found: Span | None) -> str:
    """What a pair of `align_spans` is, one of `KINDS`."""
    if gold is None or found is None:
        return "spurious" if gold is None else "missed"
    borders = (gold.start, gold.end) == (found.start, found.end)
    if borders:
        return "exact" if gold.label == found.label else "label"
    return "border" if gold.label == found.label else "label and border"


def scheme_scores(counts: Mapping[str, int], scheme: str) -> dict[str, Any]:
    """Counts and scores by one of `SCHEMES`: correct, incorrect, partial, missed and spurious.

    Of the spans that overlap a gold span one is compared with it, and the others are spurious; nervaluate before its
    version 1 compared each of them.

    Args:
        counts: by kind.
        scheme: one of `SCHEMES`.
    """
    exact, label, border, both = (counts[kind] for kind in KINDS[:4])
    correct, incorrect, partial = {
        "strict": (exact, label + border + both, 0),
        "exact": (exact + label, border + both, 0),
        "partial": (exact + label, 0, border + both),
        "type": (exact + border, label + both, 0),
    }[scheme]
    missed, spurious = counts["missed"], counts["spurious"]
    matched = correct + incorrect + partial
    numbers = {"correct": correct, "incorrect": incorrect, "partial": partial, "missed": missed, "spurious": spurious}
    return {**numbers, **_scores(correct, partial, matched + spurious, matched + missed)}


def _scores(correct: int, partial: int, found: int, gold: int) -> dict[str, Any]:
    points = correct + partial / 2
    precision, recall = (points / whole if whole else 0.0 for whole in (found, gold))
    f1 = 2 * points / (found + gold) if found + gold else 0.0
    return {"gold": gold, "found": found, "precision": precision, "recall": recall, "f1": f1}


def _in_order(name: str) -> tuple[bool, int, str]:
    """A key for groups: those of numbers by these, "over 40" last."""
    first = name.split(" ")[0]
    return name.startswith("over "), int(first) if first.isdecimal() else 0, name

"""Span precision, recall and F1: counted in one place, in plain Python.

A predicted span is correct where a gold span has the same start, end and label. Precision and recall are
micro-averaged: over all spans of all sentences, as the scorer of the CoNLL shared tasks (conlleval) has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import tags_to_spans


class SpanCounts:
    """Gold, predicted and correct spans by label, summed over sentences or documents as they come."""

    def __init__(self) -> None:
        self.gold: Counter[str] = Counter()
        self.predicted: Counter[str] = Counter()
        self.correct: Counter[str] = Counter()

    def add(self, gold: Collection[Span], predicted: Collection[Span]) -> None:
        """Count one sentence or document; a span that is given twice counts once."""
        expected, found = set(gold), set(predicted)
        self.gold.update(span.label for span in expected)
        self.predicted.update(span.label for span in found)
        self.correct.update(span.label for span in expected & found)

    def __add__(self, other: SpanCounts) -> SpanCounts:
        both = SpanCounts()
        both.gold = self.gold + other.gold
        both.predicted = self.predicted + other.predicted
        both.correct = self.correct + other.correct
        return both

    def result(self) -> dict[str, Any]:
        """`{"precision", "recall", "f1", "labels": {label: {"precision", "recall", "f1", "support"}}}`.

        Scores are floats from 0 to 1, and 0 where there is nothing to divide by. `labels` holds every label seen, gold
        or predicted, in alphabetical order; `support` is the number of its gold spans.
        """
        labels = {
            label: {
                **_scores(self.correct[label], self.predicted[label], self.gold[label]),
                "support": self.gold[label],
            }
            for label in sorted(self.gold.keys() | self.predicted.keys())
        }
        overall = _scores(self.correct.total(), self.predicted.total(), self.gold.total())
        return {**overall, "labels": labels}


def score_tags(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]], scheme: str = "IOB2"
) -> dict[str, Any]:
    """Span precision, recall and F1 of predicted tags, and their accuracy.

    >>> score_tags([["B-LOC", "O"]], [["B-LOC", "B-PER"]])["recall"]
    0.5

    Tags are read as conlleval reads them: any sequence of tags with known prefixes has spans, whether or not its
    scheme allows it. With the scheme "plain" (parts of speech) every word is a span, so precision, recall and F1 are
    all equal to the accuracy. Accuracy is the share of words whose tag is right, prefix included.

    Args:
        predictions: the predicted tags of each sentence.
        references: the gold tags of each sentence.
        scheme: how tags spell spans: "IOB2", "IOB1", "BIOES", "BILOU" or "plain".

    Returns:
        As `SpanCounts.result`, with "accuracy".

    Raises:
        ValueError: predictions and references differ in the number of sentences, or of tags in a sentence.
        InputError: a tag without a known prefix, or an unknown scheme.
    """
    counts = SpanCounts()
    right = words = 0
    for number, (found, expected) in enumerate(zip(predictions, references, strict=True), 1):
        if len(found) != len(expected):
            raise ValueError(f"sentence {number} has {len(expected)} gold tags, but {len(found)} predicted ones")
        counts.add(tags_to_spans(expected, scheme), tags_to_spans(found, scheme))
        right += sum(map(str.__eq__, expected, found))
        words += len(expected)
    scores = counts.result()
    labels = scores.pop("labels")
    return {**scores, "accuracy": _ratio(right, words), "labels": labels}


def _scores(correct: int, predicted: int, gold: int) -> dict[str, float]:
    return {
        "precision": _ratio(correct, predicted),
        "recall": _ratio(correct, gold),
        "f1": _ratio(2 * correct, predicted + gold),
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

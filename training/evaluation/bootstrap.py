"""How sure a score is: confidence intervals by resampling documents, and whether one tagger beats another.

Sentences of one document are not independent, so documents are drawn, not sentences (Koehn 2004 draws sentences).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tagsmith.tokenization.input_error import InputError

DRAWS = 1000  # resamples of a corpus
FEWEST_DOCUMENTS = 20  # with fewer, stretches of sentences are drawn
STRETCH = 10  # sentences of one
_LEVEL = 0.95
_HELD = 5_000_000  # numbers of drawn units that are held together


class Interval(NamedTuple):
    """A score, and between which two 95 of 100 resampled corpora score; all from 0 to 1."""

    value: float
    low: float
    high: float


class Units(NamedTuple):
    """What is drawn: the number of each sentence's unit, how many there are, and what they are called."""

    numbers: np.ndarray
    size: int
    said: str


def resampled_units(documents: Sequence[int]) -> Units:
    """The documents of a corpus, or stretches of sentences where there are fewer than `FEWEST_DOCUMENTS`.

    Args:
        documents: of each sentence, its document's number.

    Raises:
        InputError: there is only one unit, from which nothing follows.
    """
    _, numbers = np.unique(np.asarray(documents), return_inverse=True)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    said = "documents"
    if count < FEWEST_DOCUMENTS:
        numbers, said = np.arange(len(numbers)) // STRETCH, f"stretches of {STRETCH} sentences"
        if len(numbers) < FEWEST_DOCUMENTS * STRETCH:
            numbers, said = np.arange(len(numbers)), "sentences"
        count = int(numbers.max()) + 1 if len(numbers) else 0
    if count < 2:
        found = f"{count} sentence{'s' * (count != 1)}: nothing can be drawn from so few"
        raise InputError(found, fix="Give more data, or leave out --bootstrap.")
    return Units(numbers, count, said)


def summed(counts: np.ndarray, units: Units) -> np.ndarray:
    """Counts of sentences `(sentences, n)`, summed over units `(units, n)`."""
    sums = np.zeros((units.size, counts.shape[1]))
    np.add.at(sums, units.numbers, counts)
    return sums


def scores_of(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 `(..., 3)` of correct, found and gold spans `(..., 3)`; 0 where there are none."""
    correct, found, gold = np.moveaxis(counts.astype(float), -1, 0)
    parts = [(correct, found), (correct, gold), (2 * correct, found + gold)]
    return np.stack([part / np.maximum(whole, 1e-12) for part, whole in parts], -1)


def resampled(counts: np.ndarray, number: int = DRAWS, seed: int = 1) -> np.ndarray:
    """The sums `(draws, n)` of counts `(units, n)` over the units of each resample, which are as many as there are."""
    size = len(counts)
    chance, at_a_time = np.random.default_rng(seed), max(1, _HELD // size)
    parts = []
    for start in range(0, number, at_a_time):
        drawn = chance.multinomial(size, np.full(size, 1 / size), min(at_a_time, number - start))
        parts.append(drawn @ counts)
    return np.concatenate(parts)


def intervals(counts: np.ndarray, number: int = DRAWS, seed: int = 1) -> dict[str, Interval]:
    """Precision, recall and F1 with their intervals.

    Args:
        counts: correct, found and gold spans of each unit, `(units, 3)`.
        number: of resamples.
        seed: of the draws.
    """
    sampled = scores_of(resampled(counts, number, seed))
    low, high = np.quantile(sampled, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    values = scores_of(counts.sum(0))
    names = ("precision", "recall", "f1")
    return {name: Interval(*map(float, (values[n], low[n], high[n]))) for n, name in enumerate(names)}


class Comparison(NamedTuple):
    """Two taggers on the same data.

    Attributes:
        f1: of the first and of the second.
        difference: of the first less the second, with its interval.
        first_better: share of the resamples in which the first scores higher; draws count a half.
        p: how often chance would give a difference like this, two-sided.
    """

    f1: tuple[float, float]
    difference: Interval
    first_better: float
    p: float


def compare(first: np.ndarray, second: np.ndarray, number: int = DRAWS, seed: int = 1) -> Comparison:
    """Which of two taggers is better, by a paired bootstrap: each resample has the same units for both.

    Args:
        first: correct, found and gold spans of each unit, `(units, 3)`.
        second: the same of the other tagger.
        number: of resamples.
        seed: of the draws.
    """
    drawn = resampled(np.concatenate([first, second], 1), number, seed)
    sampled = (scores_of(drawn[:, :3]) - scores_of(drawn[:, 3:]))[:, 2]
    low, high = np.quantile(sampled, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    one, two = (float(scores_of(counts.sum(0))[2]) for counts in (first, second))
    better = float((sampled > 0).mean() + (sampled == 0).mean() / 2)
    beyond = min((sampled <= 0).sum(), (sampled >= 0).sum())
    p = min(1.0, 2 * (beyond + 1) / (number + 1))
    return Comparison((one, two), Interval(one - two, float(low), float(high)), better, float(p))

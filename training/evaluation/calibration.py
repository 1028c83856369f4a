"""Whether scores mean what they say: reliability, expected calibration error, and the temperature that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from tagsmith.modeling.score_calibration import ScoreCalibration
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.bootstrap import resampled_units
from tagsmith.training.evaluation.tagged_texts import TaggedText

BINS = 10
_SMALLEST = 1e-6
_FEWEST = 20  # spans that a temperature or a threshold needs


class Bin(NamedTuple):
    """Spans of like scores: between which two, how many, their mean score, and which share of them is right."""

    low: float
    high: float
    spans: int
    score: float
    right: float


@dataclass
class ScoredSpans:
    """Found spans: their labels and scores, whether each is right, and the document of each."""

    labels: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, texts: Iterable[TaggedText]) -> ScoredSpans:
        """Those of tagged texts."""
        found = cls()
        for text in texts:
            gold = set(text.gold)
            for span, score in text.found:
                found.labels.append(span.label)
                found.scores.append(float(score))
                found.right.append(span in gold)
                found.documents.append(text.document)
        return found


def reliability(scores: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Spans by their scores, in bins of the same width; empty ones are left out.

    Args:
        scores: `(spans,)`, from 0 to 1.
        right: `(spans,)`.
        bins: how many.
    """
    places = np.minimum((scores * bins).astype(int), bins - 1)
    found = []
    for place in range(bins):
        own = places == place
        if own.any():
            means = float(scores[own].mean()), float(right[own].mean())
            found.append(Bin(place / bins, (place + 1) / bins, int(own.sum()), *means))
    return found


def expected_error(bins: Iterable[Bin]) -> float:
    """The expected calibration error (Naeini et al. 2015), from 0 to 1: how far scores are from shares."""
    bins = list(bins)
    total = sum(own.spans for own in bins)
    return sum(own.spans * abs(own.score - own.right) for own in bins) / total if total else 0.0


def fit_calibration(scores: np.ndarray, right: np.ndarray) -> ScoreCalibration:
    """The temperature and the shift that make scores most likely.

    Args:
        scores: `(spans,)`, as they are.
        right: `(spans,)`.

    Raises:
        InputError: too few spans, or all of them right or wrong.
    """
    if len(scores) < _FEWEST or right.all() or not right.any():
        found = f"{len(scores)} spans were found, {int(right.sum())} of them right"
        raise InputError(f"{found}: too little to calibrate scores by", fix="Give more data.")
    inside = torch.from_numpy(np.clip(scores, _SMALLEST, 1 - _SMALLEST))
    logits, target = torch.logit(inside), torch.from_numpy(right.astype(float))
    theta = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        z = logits * theta[0] + theta[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, target) + 1e-4 * (theta[0] - 1).square()
        loss.backward()
        return loss

    optimizer.step(closure)
    slope, shift = theta.tolist()
    return ScoreCalibration(round(1 / max(slope, 0.01), 4), round(shift, 4))


class Calibrated(NamedTuple):
    """What scaling does: errors before and after, each on documents that it was not fitted on, and the fit on all."""

    before: float
    after: float
    calibration: ScoreCalibration


def calibrate(spans: ScoredSpans) -> Calibrated:
    """Fit on all spans; and for the error afterwards on one half of the documents for the other, both ways.

    Args:
        spans: with scores as they are.

    Raises:
        InputError: too few spans or texts.
    """
    scores, right = np.array(spans.scores), np.array(spans.right, dtype=bool)
    chosen = fit_calibration(scores, right)
    halves = resampled_units(spans.documents).numbers % 2
    scaled = scores.copy()
    for half in (0, 1):
        own, other = halves == half, halves != half
        try:
            fitted = fit_calibration(scores[other], right[other])
        except InputError:  # nothing to learn from a half: the fit on all is as good as any
            fitted = chosen
        scaled[own] = [fitted(score) for score in scores[own]]
    before, after = (expected_error(reliability(values, right)) for values in (scores, scaled))
    return Calibrated(before, after, chosen)


class Threshold(NamedTuple):
    """The lowest score of a label from which spans are right often enough.

    Attributes:
        score: the threshold.
        precision: of the spans that reach it.
        recall: the share of the right spans that reach it.
        reached: whether the precision is the one that was wanted; else the threshold is that of the best.
    """

    score: float
    precision: float
    recall: float
    reached: bool


def thresholds(spans: ScoredSpans, precision: float) -> dict[str, Threshold]:
    """A threshold for each label.

    Args:
        spans: with the scores that the tagger gives.
        precision: that is wanted, above 0 and up to 1.

    Raises:
        InputError: no spans were found.
    """
    if not spans.scores:
        raise InputError("no spans were found: there is nothing to choose thresholds by", fix="Give more data.")
    found = {}
    for label in sorted(set(spans.labels)):
        own = [number for number, name in enumerate(spans.labels) if name == label]
        found[label] = _threshold(
            np.array([spans.scores[n] for n in own]), np.array([spans.right[n] for n in own]), precision
        )
    return found


def _threshold(scores: np.ndarray, right: np.ndarray, wanted: float) -> Threshold:
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    hits = np.cumsum(right)
    precisions = hits / np.arange(1, len(right) + 1)
    last = np.append(scores[1:] != scores[:-1], True)  # spans of one score stand or fall together
    enough = np.flatnonzero(last & (precisions >= wanted))
    reached = len(enough) > 0
    candidates = np.flatnonzero(last)
    place = int(enough[-1]) if reached else int(candidates[np.argmax(precisions[candidates])])
    if place == len(scores) - 1 and reached:
        return Threshold(0.0, float(precisions[place]), 1.0, True)
    below = float(scores[place + 1]) if place + 1 < len(scores) else 0.0
    score = (float(scores[place]) + below) / 2 if reached else float(scores[place])
    return Threshold(score, float(precisions[place]), float(hits[place] / max(hits[-1], 1)), reached)


def settings(calibration: ScoreCalibration, least: Mapping[str, float]) -> dict[str, Any]:
    """A calibration as a configuration has it."""
    return {"temperature": calibration.temperature, "shift": calibration.shift, "min_scores": dict(least)}

"""Precision against recall of a byte-to-span tagger, over its two knobs: `min_score` and `recall_bias`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.scoring import tagged_documents

RECALL_BIASES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
MIN_SCORES = (*(step / 20 for step in range(20)), 0.97, 0.98, 0.99, 0.995, 0.999)


class Setting(NamedTuple):
    """What a tagger scores with its knobs set so; floats from 0 to 1, except for the bias."""

    recall_bias: float
    min_score: float
    precision: float
    recall: float
    f1: float


def precision_recall(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    recall_biases: Sequence[float] = RECALL_BIASES,
    min_scores: Sequence[float] = MIN_SCORES,
    batch_size: int = 128,
) -> list[Setting]:
    """Score every pair of settings: a tagging for each bias, whose spans are then sifted by their scores.

    Args:
        pipeline: a `ByteSpanTaggingPipeline`.
        rows: corpus rows, which are gone over once for each bias.
        recall_biases: see `ByteToSpanConfig`.
        min_scores: see there.
        batch_size: windows that go through the model together.

    Raises:
        InputError: the corpus has no spans.
    """
    settings: list[Setting] = []
    for bias in recall_biases:
        scores: list[float] = []
        right: list[bool] = []
        gold = 0
        for document, found in tagged_documents(pipeline, rows, batch_size, recall_bias=bias, min_score=0.0):
            expected = set(document.spans)
            gold += len(expected)
            scores += [score for _, score in found]
            right += [span in expected for span, _ in found]
        if not gold:
            raise InputError("the data has no spans: there is no recall")
        settings += _sift(bias, np.array(scores), np.array(right, dtype=bool), gold, min_scores)
    return settings


def _sift(
    bias: float, scores: np.ndarray, right: np.ndarray, gold: int, min_scores: Sequence[float]
) -> Iterable[Setting]:
    order = np.argsort(scores)
    firsts = np.searchsorted(scores[order], min_scores)  # of the spans in order, those of that score and above
    correct_from = np.append(np.cumsum(right[order][::-1])[::-1], 0)
    for minimum, first in zip(min_scores, firsts.tolist(), strict=True):
        correct, predicted = int(correct_from[first]), len(scores) - first
        precision = correct / predicted if predicted else 0.0
        yield Setting(bias, minimum, precision, correct / gold, 2 * correct / (predicted + gold))


def best_setting(settings: Iterable[Setting]) -> Setting:
    """That of the highest F1; of equal ones that whose knobs are turned least."""
    return max(settings, key=lambda setting: (setting.f1, -abs(setting.recall_bias), -setting.min_score))

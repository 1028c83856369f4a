"""The scores of spans as a `compute_metrics` of transformers: of all predictions, or batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from transformers import EvalPrediction

from tagsmith.training.evaluation.span_counts import score_tags

Scores = Callable[..., dict[str, float]]


def span_scores(tags: list[str], scheme: str) -> Scores:
    """A `compute_metrics` for predicted tag ids: precision, recall, F1 of spans and accuracy of words.

    With `batch_eval_metrics` it is called with each batch, and gives the scores of all when `compute_result` says
    that this one was the last.

    Args:
        tags: the tags in the order of their ids.
        scheme: "BIOES", "BILOU", "IOB1", "IOB2" or "plain".
    """
    names = np.array(tags, dtype=object)
    pending: list[tuple[list[str], list[str]]] = []

    def compute(prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        for found, gold in zip(_batches(prediction.predictions), _batches(prediction.label_ids), strict=True):
            valid = gold != -100
            pending.extend(
                (names[row[keep]].tolist(), names[expected[keep]].tolist())
                for row, expected, keep in zip(found, gold, valid, strict=True)
            )
        if not compute_result:
            return {}
        predictions, references = [pair[0] for pair in pending], [pair[1] for pair in pending]
        pending.clear()
        scores = score_tags(predictions, references, scheme)
        return {name: scores[name] for name in ("precision", "recall", "f1", "accuracy")}

    return compute


def scores_of_each(data: Any, names: list[str]) -> list[str]:
    """The names of scores, of each data set where there are several by name."""
    return [f"{key}_{name}" for key in data for name in names] if isinstance(data, Mapping) else names


def _batches(ids: Any) -> list[np.ndarray]:
    """Ids `(sentences, words)` of all batches or of one, or (`eval_do_concat_batches=False`) a list of batches."""
    batches = ids if isinstance(ids, list) else [ids]
    return [batch.cpu().numpy() if isinstance(batch, torch.Tensor) else np.asarray(batch) for batch in batches]

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from tagsmith.training.trainers.span_scores import span_scores

TAGS = ["O", "B-X", "I-X"]
PREDICTED = np.array([[1, 2, 0], [1, 0, -100]])
GOLD = np.array([[1, 2, 1], [1, 2, -100]])


def test_batch_by_batch_is_the_same_as_all_at_once() -> None:
    whole = span_scores(TAGS, "IOB2")(EvalPrediction(PREDICTED, GOLD))
    assert whole == {"precision": 0.5, "recall": pytest.approx(1 / 3), "f1": 0.4, "accuracy": 0.6}
    compute = span_scores(TAGS, "IOB2")
    for _ in range(2):  # the second time nothing of the first is left
        for row in range(2):
            found, gold = torch.tensor(PREDICTED[row : row + 1]), torch.tensor(GOLD[row : row + 1])
            scores = compute(EvalPrediction(found, gold), compute_result=row == 1)
        assert scores == whole


def test_batches_of_other_widths_in_a_list() -> None:
    found, gold = [PREDICTED[:1], PREDICTED[1:, :2]], [GOLD[:1], GOLD[1:, :2]]
    whole = span_scores(TAGS, "IOB2")(EvalPrediction(PREDICTED, GOLD))
    assert span_scores(TAGS, "IOB2")(EvalPrediction(found, gold)) == whole

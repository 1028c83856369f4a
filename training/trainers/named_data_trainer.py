"""Trainers whose evaluation scores several data sets by name: heads, or languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from transformers import TrainerControl
from transformers.trainer_utils import PredictionOutput

from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


class NamedDataTrainer(TaggerTrainer):
    """`TaggerTrainer` with an evaluation of its own, by name."""

    control: TrainerControl

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Score the data, those of the constructor or others like them, with the averaged weights.

        Raises:
            ValueError: the data are not of the kind that this trainer scores.
        """
        data = self.eval_dataset if eval_dataset is None else eval_dataset
        metrics = self._predictions(data, ignore_keys, metric_key_prefix, keep=False).metrics or {}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def predict(
        self, test_dataset: Any, ignore_keys: list[str] | None = None, metric_key_prefix: str = "test"
    ) -> PredictionOutput:
        """As `evaluate`, with what was found and what stands there: `predictions` and `label_ids`, by name.

        Raises:
            ValueError: the data are not of the kind that this trainer scores.
        """
        output = self._predictions(test_dataset, ignore_keys, metric_key_prefix, keep=True)
        self.control = self.callback_handler.on_predict(self.args, self.state, self.control, output.metrics)
        return output

    def _predictions(self, data: Any, ignore_keys: list[str] | None, prefix: str, keep: bool) -> PredictionOutput:
        """The metrics of the data and, where they are to be kept, the predictions."""
        raise NotImplementedError


def named_metrics(scores: Mapping[str, Mapping[str, Any]], prefix: str) -> dict[str, Any]:
    """The scores of several data sets as metrics: `PREFIX_NAME_f1` of each, and `PREFIX_f1`, their mean.

    Args:
        scores: of each data set, by the score's name.
        prefix: "eval" or the like.
    """
    metrics = {f"{prefix}_{name}_{key}": value for name, own in scores.items() for key, value in own.items()}
    for key in next(iter(scores.values())):
        values: list[Any] = [own.get(key) for own in scores.values()]
        if all(isinstance(value, int | float) for value in values):
            metrics[f"{prefix}_{key}"] = float(np.mean(values))
    return metrics

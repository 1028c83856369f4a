"""The trainer of a tagger that learns from others: their distribution over tag sequences, beside the given tags."""

from __future__ import annotations

from typing import Any

import torch

from tagsmith.training.trainers.divergence import cross_entropy
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


class DistillingTrainer(TaggerTrainer):
    """Trains a tagger on what its teachers find, and on the tags of the sentences that have some.

    The objective of a sentence is `(1 - w) * own + w * cross_entropy`, where its own is the CRF's; of one without
    tags, whose labels are all -100, it is the cross entropy alone. A step follows the mean over sentences.

    Args:
        *args: what `TaggerTrainer` takes.
        teacher_weight: w, above 0 and at most 1.
        **kwargs: what `TaggerTrainer` takes. `data_collator` gives `teacher_tags` and `teacher_pairs` to training
            batches, as `LessonCollator` does for the column `lesson`.
    """

    def __init__(self, *args: Any, teacher_weight: float = 0.5, **kwargs: Any) -> None:
        if not 0 < teacher_weight <= 1:
            raise ValueError(f"teacher_weight is {teacher_weight}; it must be above 0 and at most 1.")
        self.teacher_weight = teacher_weight
        super().__init__(*args, **kwargs)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "lesson" not in self._signature_columns:
            self._signature_columns.append("lesson")

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As `TaggerTrainer`; of a batch with lessons the objective of the class."""
        if "teacher_tags" not in inputs:
            return super().compute_loss(model, inputs, *args, **kwargs)
        inputs = dict(inputs)
        tags, pairs = inputs.pop("teacher_tags"), inputs.pop("teacher_pairs")
        outputs = model(**inputs)
        crf = self.accelerator.unwrap_model(model).head().crf
        taught = cross_entropy(crf, outputs.logits, tags, pairs, inputs["attention_mask"].bool())
        given = inputs["labels"][:, 0] != -100
        weight = self.teacher_weight
        own = (1 - weight) * outputs.loss * given.sum()  # the model's loss is the mean over those that have tags
        return (own + (taught * torch.where(given, weight, 1.0)).sum()) / len(taught)

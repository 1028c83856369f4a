"""Span precision, recall and F1 as a metric of `evaluate`, around `score_tags`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate
from datasets import Features, Value
from datasets import Sequence as SequenceFeature

from tagsmith.training.evaluation.span_counts import score_tags

_DESCRIPTION = "Exact-match span precision, recall and F1, and tag accuracy, over tags as conlleval reads them."

_INPUTS = """
Args:
    predictions: the predicted tags, one sequence of strings a sentence.
    references: the gold tags, as many a sentence.
    scheme: how tags spell spans: "IOB2" (the default), "IOB1", "BIOES", "BILOU", or "plain".
Returns:
    precision, recall, f1, accuracy: floats from 0 to 1.
    labels: for each label its precision, recall, f1 and support (gold spans, an integer).
"""

_CITATION = """@inproceedings{tjong-kim-sang-de-meulder-2003,
    title = "Introduction to the {C}o{NLL}-2003 Shared Task: Language-Independent Named Entity Recognition",
    author = "Tjong Kim Sang, Erik F. and De Meulder, Fien",
    booktitle = "Proceedings of {C}o{NLL}-2003",
    year = "2003",
}"""


class SpanScore(evaluate.Metric):
    """Span precision, recall and F1 of predicted tags, and their accuracy, as an `evaluate` metric without a network.

    >>> metric = SpanScore(keep_in_memory=True)
    >>> metric.compute(predictions=[["B-LOC", "O"]], references=[["B-LOC", "B-PER"]], scheme="IOB2")["recall"]
    0.5

    Tags are read, and counted, by `score_tags`, which needs neither `evaluate` nor a cache.

    Raises:
        ValueError: predictions and references differ in the number of sentences, or of tags in a sentence.
        InputError: a tag without a known prefix (from `compute`), or an unknown scheme.
    """

    def _info(self) -> evaluate.MetricInfo:
        tags = SequenceFeature(Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": tags, "references": tags}),
        )

    def _compute(
        self, predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]], scheme: str = "IOB2"
    ) -> dict[str, Any]:
        return score_tags(predictions, references, scheme)

"""The spans that a hierarchical tagger predicts, and how probable they are."""

from __future__ import annotations

import itertools

import pytest
import torch
from test_modeling_hierarchical_tagger import LENGTHS, batch_of, model_of, without_labels
from torch import Tensor

from tagsmith.modeling.modeling_hierarchical_tagger import (
    HierarchicalTaggerForTokenClassification,
)
from tagsmith.modeling.tag_grammar import legal_transitions


def posteriors_by_enumeration(
    model: HierarchicalTaggerForTokenClassification, logits: Tensor
) -> dict[tuple[int, int, str], float]:
    """P(span) of one sentence `(words, tags)`: the legal tag sequences that write it, over all legal ones."""
    crf, tags = model.head().crf, model.config.tags
    assert crf is not None
    start, transitions, end = legal_transitions(tags, model.config.tag_scheme)
    masses: dict[tuple[int, int, str], float] = {}
    total = 0.0
    for ids in itertools.product(range(len(tags)), repeat=len(logits)):
        pairs = list(itertools.pairwise(ids))
        if not (start[ids[0]] and end[ids[-1]] and all(transitions[a, b] for a, b in pairs)):
            continue
        score = crf.start[ids[0]] + sum(crf.transitions[a, b] for a, b in pairs)
        mass = (score + sum(logits[word, tag] for word, tag in enumerate(ids))).exp().item()
        total += mass
        opened = 0
        for word, tag in enumerate(ids):
            prefix, _, label = tags[tag].partition("-")
            opened = word if prefix in "BS" else opened
            if prefix in ("E", "S"):
                masses[opened, word + 1, label] = masses.get((opened, word + 1, label), 0.0) + mass
    return {span: mass / total for span, mass in masses.items()}


class TestPredictSpans:
    def test_scores_are_exact_posteriors(self) -> None:
        found = 0
        for seed in range(4):
            model = model_of(seed, num_hidden_layers=1).double()
            batch = without_labels(batch_of(model.config, [4, 1, 3], seed))
            with torch.no_grad():
                model.head().output.weight.mul_(8)
                model.head().output.bias[1:].add_(0.5)
            spans, scores = model.predict_spans(**batch)
            logits = model(**batch).logits.detach()
            for row, length in enumerate([4, 1, 3]):
                expected = posteriors_by_enumeration(model, logits[row, :length])
                for (_, start, end, label), score in zip(
                    spans[spans[:, 0] == row].tolist(), scores[spans[:, 0] == row].tolist(), strict=True
                ):
                    assert score == pytest.approx(expected[start, end, model.head().span_labels[label]], rel=1e-6)
                    found += 1
        assert found > 5

    def test_scores_of_a_softmax_are_products(self) -> None:
        model = model_of(output="softmax", tag_scheme="IOB2")
        batch = without_labels(batch_of(model.config))
        spans, scores = model.predict_spans(**batch)
        outputs = model(**batch)
        chances = outputs.logits.softmax(-1).amax(-1)
        assert len(spans)
        for (row, start, end, _), score in zip(spans.tolist(), scores.tolist(), strict=True):
            assert score == pytest.approx(chances[row, start:end].prod().item(), rel=1e-5)

    def test_plain_tags_are_a_span_each(self) -> None:
        for output in ("crf", "softmax"):
            model = model_of(output=output, tag_scheme="plain")
            batch = without_labels(batch_of(model.config))
            spans, scores = model.predict_spans(**batch)
            assert [(r, s, e) for r, s, e, _ in spans.tolist()] == [
                (row, word, word + 1) for row, length in enumerate(LENGTHS) for word in range(length)
            ]
            assert spans[:, 3].tolist() == [tag for row in model(**batch).tags.tolist() for tag in row if tag >= 0]
            assert ((scores > 0) & (scores <= 1)).all()

    def test_the_mask_may_be_left_out(self) -> None:
        model = model_of()
        batch = without_labels(batch_of(model.config))
        spans, scores = model.predict_spans(**batch)
        del batch["attention_mask"]
        again, same = model.predict_spans(**batch)
        assert torch.equal(spans, again) and torch.equal(scores, same)

    def test_is_not_for_training(self) -> None:
        model = model_of().train()
        with pytest.raises(RuntimeError, match=r"Call eval\(\) first"):
            model.predict_spans(**without_labels(batch_of(model.config)))

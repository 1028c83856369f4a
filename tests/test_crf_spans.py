"""The posteriors of a conditional random field, of tags and of spans, against enumeration."""

from __future__ import annotations

import math

import pytest
import torch
from test_crf import LENGTHS, SCHEMES, TAGS, all_posteriors, batch, legal_sequences, log_sum, make, score
from torch import Tensor

from tagsmith.modeling.crf import ConditionalRandomField


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


class TestMarginals:
    @pytest.mark.parametrize(("spread", "scale"), [(1.0, 2.0), (1.0, 500.0), (500.0, 2.0)])
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_equal_enumeration_of_the_legal_sequences(self, scheme: str, spread: float, scale: float) -> None:
        crf = make(scheme, spread=spread)
        emissions, _, mask = batch(crf.num_tags, scale=scale)
        expected = torch.zeros_like(emissions)
        for row, length in enumerate(LENGTHS):
            for ids, chance in legal_distribution(crf, emissions[row], length).items():
                for word, tag in enumerate(ids):
                    expected[row, word, tag] += chance
        torch.testing.assert_close(crf.marginals(emissions, mask), expected)

    def test_of_a_scheme_without_rules_are_the_gradient_of_the_partition(self) -> None:
        crf = make("plain")
        emissions, _, mask = batch(3)
        emissions.requires_grad_()
        (gradient,) = torch.autograd.grad(crf.log_partition(emissions, mask).sum(), emissions)
        torch.testing.assert_close(crf.marginals(emissions, mask), gradient)


def legal_distribution(crf: ConditionalRandomField, row: Tensor, length: int) -> dict[tuple[int, ...], float]:
    """Probability of each legal sequence of a row with emissions `(time, tags)`."""
    scores = {ids: score(crf, row, ids) for ids in legal_sequences(crf.labels, crf.scheme, length)}
    if not scores:
        return {}
    total = log_sum(list(scores.values()))
    return {ids: math.exp(value - total) for ids, value in scores.items()}


class TestSpanPosteriors:
    @pytest.mark.parametrize(
        ("scheme", "tags"),
        [
            *TAGS.items(),
            ("IOB2", ["O", "B-P", "I-P", "B-Q"]),
            ("IOB1", ["O", "I-P", "I-Q", "B-Q"]),
            ("IOB1", ["I-P", "B-P"]),
            ("BIOES", ["O", "B-P", "E-P", "S-Q"]),
            ("BIOES", ["S-P", "B-P", "I-P", "E-P"]),
            ("BILOU", ["O", "U-P", "B-Q", "I-Q"]),
        ],
    )
    @pytest.mark.parametrize("scale", [2.0, 500.0])  # the second beyond what products of probabilities hold
    def test_equal_enumeration_of_the_legal_sequences(self, scheme: str, tags: list[str], scale: float) -> None:
        crf = make(scheme, tags)
        emissions, _, mask = batch(crf.num_tags, scale=scale)
        spans, posteriors = all_posteriors(crf, emissions, mask)
        expected: dict[tuple[int, int, int, str], float] = {}
        for row, length in enumerate(LENGTHS):
            written = legal_sequences(tags, scheme, length)
            for ids, chance in legal_distribution(crf, emissions[row], length).items():
                for start, end, label in written[ids]:
                    key = (row, start, end, label)
                    expected[key] = expected.get(key, 0.0) + chance
        found = [expected.pop((r, s, e, crf.span_labels[x]), 0.0) for r, s, e, x in spans.tolist()]
        assert not expected
        torch.testing.assert_close(posteriors, torch.tensor(found, dtype=torch.float64))

    @pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
    def test_and_the_outside_tag_share_each_word(self, scheme: str) -> None:
        crf = make(scheme)
        lengths = [9, 5, 1]
        emissions, _, mask = batch(crf.num_tags, lengths)
        spans, posteriors = all_posteriors(crf, emissions, mask)
        covered = crf.marginals(emissions, mask)[:, :, TAGS[scheme].index("O")]
        for (row, start, end, _), posterior in zip(spans.tolist(), posteriors, strict=True):
            covered[row, start:end] += posterior
        torch.testing.assert_close(covered, mask.double())

    def test_name_their_labels_in_order(self) -> None:
        assert make("BIOES", ["O", "S-Z", "S-A", "B-Z", "E-Z"]).span_labels == ("A", "Z")
        assert make("plain", ["VERB", "NOUN"]).span_labels == ("VERB", "NOUN")
        assert ConditionalRandomField(2).span_labels == ("0", "1")

    @pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
    def test_of_a_long_sentence_are_probabilities(self, scheme: str) -> None:
        crf = make(scheme).float()
        emissions = torch.randn(1, 5000, crf.num_tags) * 8
        starts = torch.arange(0, 4990, 7)
        ends = starts + 1 + starts % 5
        ends[0] = 5000
        spans = torch.stack([torch.zeros_like(starts), starts, ends, torch.zeros_like(starts)], 1)
        posteriors = crf.span_posteriors(emissions, None, spans)
        assert ((posteriors >= 0) & (posteriors <= 1)).all()
        assert posteriors.max() > 0.1
        torch.testing.assert_close(crf.marginals(emissions).sum(2), torch.ones(1, 5000))

    @pytest.mark.parametrize(
        "span", [(0, 2, 2, 0), (0, 3, 2, 0), (2, 0, 1, 0), (-1, 0, 1, 0), (0, -1, 1, 0), (1, 0, 3, 0), (0, 0, 1, 2)]
    )
    def test_refuse_spans_that_do_not_exist(self, span: tuple[int, ...]) -> None:
        crf = make("IOB2")
        emissions, _, mask = batch(5, [4, 2])
        with pytest.raises(ValueError, match=r"Span 1 is .*Pass rows below 2 and labels below 2"):
            crf.span_posteriors(emissions, mask, torch.tensor([(0, 0, 1, 0), span]))
        with pytest.raises(ValueError, match=r"\(spans, 4\)"):
            crf.span_posteriors(emissions, mask, torch.zeros(2, 3, dtype=torch.long))

"""The conditional random field over pairs of tags: by enumeration, and against the one with fixed transitions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from test_crf import LENGTHS, SCHEMES, TAGS, legal_sequences, log_sum, make
from torch import Tensor

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.state_crf import StateConditionalRandomField


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


def make_state(scheme: str, cost: float = 0.0) -> StateConditionalRandomField:
    return StateConditionalRandomField(len(TAGS[scheme]), TAGS[scheme], scheme, cost)


def batch(tags: int, scale: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of pairs, tags and mask; scores at padding are wild, to show that nobody looks."""
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    scores = torch.randn(*mask.shape, tags + 1, tags, dtype=torch.float64) * scale
    scores[~mask] = 1e8
    return scores, torch.randint(tags, mask.shape).masked_fill(~mask, -100), mask


def score(scores: Tensor, ids: tuple[int, ...]) -> float:
    """Of one sequence: from START to its first tag, and from each tag to the next."""
    befores = [0, *(tag + 1 for tag in ids)]  # row 0 is START
    return sum(float(scores[word, befores[word], tag]) for word, tag in enumerate(ids))


def pairs_of(crf: ConditionalRandomField, emissions: Tensor) -> Tensor:
    """Fixed transitions as scores of pairs."""
    steps = torch.cat([crf.start[None], crf.transitions])
    return steps + emissions[:, :, None]


class TestEnumeration:
    @pytest.mark.parametrize("cost", [0.0, 2.5])
    def test_loss(self, cost: float) -> None:
        crf = make_state("IOB2", cost)
        scores, tags, mask = batch(5)
        expected = []
        for row, gold in zip(scores, tags.tolist(), strict=True):
            gold = tuple(tag for tag in gold if tag != -100)
            every = [
                score(row, ids) + cost * sum(a != b for a, b in zip(ids, gold, strict=True))
                for ids in itertools.product(range(5), repeat=len(gold))
            ]
            expected.append(log_sum(every) - score(row, gold))
        wanted = torch.tensor(expected, dtype=torch.float64)
        torch.testing.assert_close(crf(scores, tags, mask, reduction="none"), wanted)
        torch.testing.assert_close(crf(scores, tags), wanted.sum() / 4)

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_decoding_and_posteriors(self, scheme: str) -> None:
        crf = make_state(scheme)
        scores, _, mask = batch(crf.num_tags)
        best, marginals = crf.decode(scores, mask), crf.marginals(scores, mask)
        labels = list(crf.span_labels)
        for row, length in enumerate(LENGTHS):
            legal = legal_sequences(TAGS[scheme], scheme, length)
            values = {ids: score(scores[row], ids) for ids in legal}
            assert tuple(best[row, :length].tolist()) == max(values, key=values.__getitem__)
            assert (best[row, length:] == -100).all() and not marginals[row, length:].any()
            whole = log_sum(list(values.values()))
            chances = {ids: math.exp(value - whole) for ids, value in values.items()}
            for word, tag in itertools.product(range(length), range(crf.num_tags)):
                expected = sum(chance for ids, chance in chances.items() if ids[word] == tag)
                assert marginals[row, word, tag].item() == pytest.approx(expected, abs=1e-9)
            for start, end in itertools.combinations(range(length + 1), 2):
                for index, label in enumerate(labels):
                    expected = sum(chance for ids, chance in chances.items() if (start, end, label) in legal[ids])
                    found = crf.span_posteriors(scores, mask, torch.tensor([[row, start, end, index]]))
                    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fixed_transitions_are_a_special_case(scheme: str) -> None:
    static, state = make(scheme, cost=1.5), make_state(scheme, 1.5)
    mask = torch.arange(9) < torch.tensor([[9], [4], [0]])
    emissions = torch.randn(3, 9, static.num_tags, dtype=torch.float64, requires_grad=True)
    tags = torch.randint(static.num_tags, mask.shape).masked_fill(~mask, -100)
    pairs = pairs_of(static, emissions)
    leaves = [emissions, static.start, static.transitions]
    for ours, theirs in zip(
        torch.autograd.grad(state(pairs, tags), leaves),
        torch.autograd.grad(static(emissions, tags), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(state.log_partition(pairs, mask), static.log_partition(emissions, mask))
    assert torch.equal(state.decode(pairs, mask), static.decode(emissions, mask))
    torch.testing.assert_close(state.marginals(pairs, mask), static.marginals(emissions, mask))
    spans = torch.tensor([[0, 2, 5, 0], [0, 0, 1, 0], [1, 3, 4, 0]])
    found = state.span_posteriors(pairs, mask, spans)
    torch.testing.assert_close(found, static.span_posteriors(emissions, mask, spans))


def test_gradient_passes_gradcheck() -> None:
    crf = make_state("plain", 1.5)
    scores, tags, mask = batch(3)
    scores[~mask] = 0.5
    assert torch.autograd.gradcheck(lambda scores: crf(scores, tags), scores.requires_grad_())


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0)])
def test_no_words_give_no_loss(shape: tuple[int, int]) -> None:
    crf = make_state("plain", 1.0)
    scores = torch.randn(*shape, 4, 3, requires_grad=True)
    loss = crf(scores, torch.full(shape, -100))
    loss.backward()
    assert loss.item() == 0 and scores.grad is not None and not scores.grad.any()
    assert crf.decode(scores, torch.zeros(shape, dtype=torch.bool)).shape == shape


def test_no_legal_sequence_gives_few_illegal_steps_and_no_mass() -> None:
    crf = StateConditionalRandomField(1, ["B-X"], "BIOES")
    scores = torch.randn(1, 3, 2, 1)
    assert crf.decode(scores).tolist() == [[0, 0, 0]] and not crf.marginals(scores).any()


def test_scores_far_apart_stay_finite() -> None:
    crf = make_state("BIOES")
    scores = torch.randn(2, 300, 7, 6) * 1000
    assert crf.log_partition(scores).isfinite().all() and crf.marginals(scores).sum(2).allclose(torch.ones(2, 300))


def test_emissions_are_refused_with_the_shape_that_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"not \(batch, time, 4, 3 tags\)"):
        make_state("plain").decode(torch.randn(2, 3, 3))


def test_there_is_nothing_to_save() -> None:
    assert make_state("BIOES").state_dict() == {}

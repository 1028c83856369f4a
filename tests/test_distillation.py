"""The objective of a student: exact, against enumeration of all sequences and finite differences."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.state_crf import StateConditionalRandomField
from tagsmith.training.trainers.divergence import cross_entropy

LABELS = ["O", "B-X", "I-X", "B-Y"]
LENGTHS = [4, 1, 3, 2]


def chain(seed: int) -> ConditionalRandomField:
    torch.manual_seed(seed)
    crf = ConditionalRandomField(len(LABELS), LABELS, "IOB2").double()
    for weight in crf.parameters():
        torch.nn.init.normal_(weight)
    return crf


def sentences(seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    return torch.randn(*mask.shape, len(LABELS), dtype=torch.float64) * mask.unsqueeze(2), mask


def score(crf: ConditionalRandomField, emissions: Tensor, tags: tuple[int, ...]) -> Tensor:
    if isinstance(crf, StateConditionalRandomField):
        steps = [emissions[place, before, tag] for place, (before, tag) in enumerate(steps_of(tags))]
        return torch.stack(steps).sum()
    total = crf.start[tags[0]] + sum(emissions[place, tag] for place, tag in enumerate(tags))
    return total + sum(crf.transitions[a, b] for a, b in pairwise(tags))


def steps_of(tags: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip([0, *(tag + 1 for tag in tags)], tags, strict=False))


def distribution(
    crf: ConditionalRandomField, emissions: Tensor, length: int, legal: bool
) -> dict[tuple[int, ...], Tensor]:
    """Log probability of each sequence of tags, of legal ones alone or of all."""

    def allowed(tags: tuple[int, ...]) -> bool:
        steps = all(crf.legal_transitions[a, b] for a, b in pairwise(tags))
        return bool(steps and crf.legal_start[tags[0]] and crf.legal_end[tags[-1]])

    every = [tags for tags in product(range(len(LABELS)), repeat=length) if not legal or allowed(tags)]
    logs = torch.stack([score(crf, emissions, tags) for tags in every]).log_softmax(0)
    return dict(zip(every, logs, strict=True))


@pytest.mark.parametrize("kind", [ConditionalRandomField, StateConditionalRandomField])
def test_expectations_are_those_of_all_legal_sequences(kind: type[ConditionalRandomField]) -> None:
    crf, (emissions, mask) = chain(1), sentences(2)
    if kind is StateConditionalRandomField:
        crf = StateConditionalRandomField(len(LABELS), LABELS, "IOB2")
        emissions = torch.randn(*mask.shape, 1 + len(LABELS), len(LABELS), dtype=torch.float64)
    tags, pairs = crf.expectations(emissions, mask)
    assert torch.equal(tags, crf.marginals(emissions, mask))
    for row, length in enumerate(LENGTHS):
        wanted = torch.zeros(len(LABELS), len(LABELS), dtype=torch.float64)
        for sequence, log in distribution(crf, emissions[row], length, legal=True).items():
            for before, after in pairwise(sequence):
                wanted[before, after] += log.exp().detach()
        torch.testing.assert_close(pairs[row], wanted)
    torch.testing.assert_close(pairs.sum((1, 2)), torch.tensor(LENGTHS, dtype=torch.float64) - 1)


def mixture() -> tuple[Tensor, Tensor, list[dict[tuple[int, ...], float]]]:
    """The mean of two teachers' marginals, and their mixture by enumeration, of each sentence."""
    teachers, (one, mask), (other, _) = [chain(3), chain(4)], sentences(5), sentences(6)
    found = [crf.expectations(own, mask) for crf, own in zip(teachers, (one, other), strict=True)]
    tags, pairs = ((a + b) / 2 for a, b in zip(*found, strict=True))
    mixed = []
    for row, length in enumerate(LENGTHS):
        parts = [
            distribution(crf, own[row], length, legal=True) for crf, own in zip(teachers, (one, other), strict=True)
        ]
        mixed.append({key: sum(float(part[key].detach().exp()) for part in parts) / 2 for key in parts[0]})
    return tags, pairs, mixed


def test_cross_entropy_is_that_of_the_mixture_over_all_sequences() -> None:
    student, (emissions, mask) = chain(7), sentences(8)
    tags, pairs, mixed = mixture()
    losses = cross_entropy(student, emissions, tags, pairs, mask)
    for row, length in enumerate(LENGTHS):
        own = distribution(student, emissions[row], length, legal=False)
        wanted = -sum(chance * own[sequence] for sequence, chance in mixed[row].items())
        torch.testing.assert_close(losses[row], wanted)


def test_gradients() -> None:
    student, (emissions, mask) = chain(9), sentences(10)
    tags, pairs, _ = mixture()

    def loss(emissions: Tensor, start: Tensor, transitions: Tensor) -> Tensor:
        weights = {"start": start, "transitions": transitions}
        return torch.func.functional_call(
            _Loss(student), {f"crf.{name}": own for name, own in weights.items()}, emissions
        )

    class _Loss(torch.nn.Module):
        def __init__(self, crf: ConditionalRandomField) -> None:
            super().__init__()
            self.crf = crf

        def forward(self, emissions: Tensor) -> Tensor:
            return cross_entropy(self.crf, emissions, tags, pairs, mask)

    inputs = [emissions, student.start.detach(), student.transitions.detach()]
    assert torch.autograd.gradcheck(loss, [own.clone().requires_grad_() for own in inputs])


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    """Where all is legal the cross entropy is least at the teacher itself."""
    torch.manual_seed(11)
    crf, (emissions, mask) = ConditionalRandomField(len(LABELS)).double(), sentences(12)
    tags, pairs = crf.expectations(emissions, mask)
    emissions.requires_grad_()
    cross_entropy(crf, emissions, tags, pairs, mask).sum().backward()
    for gradient in (emissions.grad, crf.start.grad, crf.transitions.grad):
        assert gradient is not None
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_no_words() -> None:
    crf = chain(13)
    empty = torch.zeros(1, 2, len(LABELS), dtype=torch.float64)
    losses = cross_entropy(crf, empty, empty, torch.zeros(1, 4, 4), torch.zeros(1, 2, dtype=torch.bool))
    assert losses.tolist() == [0.0]

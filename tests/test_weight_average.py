from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tagsmith.training.trainers.weight_average import WeightAverage


def make_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def weights_of(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def assert_same(left: list[torch.Tensor], right: list[torch.Tensor]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert torch.equal(a, b)


@given(decay=st.floats(0.01, 0.999), steps=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_equals_a_naive_loop(decay: float, steps: int) -> None:
    model = make_model().double()
    average = WeightAverage(model, decay)
    naive = weights_of(model)
    for step in range(1, steps + 1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update()
        held = min(decay, (1 + step) / (10 + step))
        naive = [held * old + (1 - held) * new for old, new in zip(naive, weights_of(model), strict=True)]
    for expected, found in zip(naive, average.average, strict=True):
        torch.testing.assert_close(found, expected)


def test_swap_twice_changes_nothing() -> None:
    model = make_model()
    average = WeightAverage(model, 0.9)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    weights, averaged = weights_of(model), [tensor.clone() for tensor in average.average]
    average.swap()
    assert_same(weights_of(model), averaged)
    assert_same(average.average, weights)
    average.swap()
    assert_same(weights_of(model), weights)
    assert_same(average.average, averaged)


def test_applied_puts_the_weights_back_after_an_exception() -> None:
    model = make_model()
    average = WeightAverage(model, 0.9)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    weights, averaged = weights_of(model), [tensor.clone() for tensor in average.average]
    with pytest.raises(KeyboardInterrupt), average.applied():
        assert_same(weights_of(model), averaged)
        raise KeyboardInterrupt
    assert_same(weights_of(model), weights)
    assert_same(average.average, averaged)


def test_the_model_keeps_its_own_tensors() -> None:
    # An optimizer holds the parameters themselves: a swap must change their values, not replace them.
    model = make_model()
    before = [parameter.data_ptr() for parameter in model.parameters()]
    average = WeightAverage(model, 0.9)
    average.update()
    average.swap()
    assert [parameter.data_ptr() for parameter in model.parameters()] == before


def test_frozen_weights_are_left_alone() -> None:
    model = make_model()
    frozen = next(model.parameters())
    frozen.requires_grad_(False)
    average = WeightAverage(model, 0.9)
    assert len(average.average) == len(list(model.parameters())) - 1
    assert all(weight is not frozen for weight in average.weights)


def test_a_saved_state_goes_on_alike() -> None:
    model = make_model()
    first = WeightAverage(model, 0.9)
    for _ in range(3):
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        first.update()
    second = WeightAverage(model, 0.9)
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    first.update()
    second.update()
    assert second.steps == first.steps == 4
    assert_same(second.average, first.average)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1, 2.0])
def test_a_decay_outside_its_range_is_an_error(decay: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        WeightAverage(make_model(), decay)

"""Dropout by 16 bits a number is PyTorch's dropout."""

from __future__ import annotations

import pytest
import torch

from tagsmith.modeling.dropout import Dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_drops_at_its_rate_and_keeps_the_mean(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    ones = torch.ones(301, 997, dtype=dtype)
    dropped = Dropout(rate)(ones)
    assert dropped.dtype == dtype and dropped.shape == ones.shape
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert dropped[dropped > 0].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=0.01)
    assert dropped.double().mean().item() == pytest.approx(1.0, abs=0.02)
    by_row, by_column = (dropped == 0).double().mean(0), (dropped == 0).double().mean(1)
    assert by_row.std() < 1.2 * (rate * (1 - rate) / 301) ** 0.5  # as chance has it
    assert by_column.std() < 1.2 * (rate * (1 - rate) / 997) ** 0.5


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7])
def test_any_size(size: int) -> None:
    for rate in (0.0, 0.5, 1.0):
        found = Dropout(rate)(torch.ones(size))
        assert set(found.tolist()) <= {0.0, 1.0 / (1 - rate) if rate < 1 else 0.0}


def test_drops_nothing_when_not_training() -> None:
    ones = torch.ones(100)
    assert torch.equal(Dropout(0.5).eval()(ones), ones)


def test_a_seed_repeats_it() -> None:
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(Dropout(0.5)(torch.ones(1000)))
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


def test_gradient_is_the_mask() -> None:
    x = torch.randn(50, 3, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y / x).detach())
    with torch.no_grad():
        assert not Dropout(0.3)(x).requires_grad


def test_what_is_not_contiguous() -> None:
    x = torch.arange(1.0, 13.0).view(3, 4).t()
    y = Dropout(0.5)(x)
    assert set((y / x).flatten().tolist()) <= {0.0, 2.0}

"""The plain versions that ideas.py puts in an idea's place give the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toys import script

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.recurrent import CELLS, scan

SIZES = [4, 4, 2, 1]


@pytest.fixture(scope="module")
def ideas() -> Any:
    return script("ideas")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("name", ["scan_apart", "scan_by_autograd"])
def test_recurrences(ideas: Any, name: str, cell: str) -> None:
    torch.manual_seed(1)
    gates, size = CELLS[cell].gates, 3
    shapes = [(2, sum(SIZES), gates * size), (2, size, gates * size), (2, 1, gates * size)]
    values = []
    for function in (scan, getattr(ideas, name)):
        torch.manual_seed(2)
        inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        hidden, final = function(*inputs, SIZES, cell, None)
        (hidden.sin().sum() + sum(state.cos().sum() for state in final)).backward()
        values.append([hidden, *final, *(tensor.grad for tensor in inputs)])
    for ours, plain in zip(*values, strict=True):
        torch.testing.assert_close(plain, ours)


def test_partition(ideas: Any) -> None:
    torch.manual_seed(1)
    layer = ConditionalRandomField(5)
    emissions = torch.randn(3, 6, 5)
    mask = torch.arange(6) < torch.tensor([[6], [1], [4]])
    torch.testing.assert_close(
        ideas.partition_by_logarithms(layer, emissions, mask), layer.log_partition(emissions, mask)
    )


def test_a_patch_ends(ideas: Any) -> None:
    before = ConditionalRandomField.__dict__["_partition"]
    with ideas.patched(ConditionalRandomField, "_partition", None):
        assert ConditionalRandomField._partition is None
    assert ConditionalRandomField.__dict__["_partition"] is before


@pytest.mark.slow
def test_an_idea_is_measured(ideas: Any) -> None:
    idea = next(idea for idea in ideas.ideas() if "distinct" in idea.name)
    small = ideas.replace(idea.case, settings=("model.hidden_size=8",), batch_size=4)
    assert all(ratio > 0 for ratio in ideas.measured(ideas.replace(idea, case=small), 2, 1))

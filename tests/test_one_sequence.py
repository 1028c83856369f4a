"""One sequence by itself in numpy, against the loop over packed steps, and which sequences are read so."""

from __future__ import annotations

import pytest
import torch

from tagsmith.modeling import recurrent
from tagsmith.modeling.one_sequence import fits_one
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.recurrent_cells import CELLS

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("mask", [[[1] * 7], [[1]], [[1, 1, 1, 0, 0]], [[0, 0], [1, 1]]])
@pytest.mark.parametrize("from_table", [False, True])
def test_a_stack_is_the_loop(
    mask: list[list[int]],
    cell: str,
    directions: int,
    dtype: torch.dtype,
    from_table: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    stack = recurrent.RecurrentStack(cell, 4, 3, 2, directions).to(dtype).eval()
    packing = Packing.of(torch.tensor(mask).bool())
    inputs = torch.randn(len(packing.gather), 4, dtype=dtype)
    wanted = stack(inputs, packing)[0].detach()
    monkeypatch.setattr(recurrent, "scan", None)
    with torch.no_grad():
        table = stack.project(inputs) if from_table else None
        found = stack.outputs(torch.arange(len(inputs)) if from_table else inputs, packing, table)
    torch.testing.assert_close(found, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_which_sequences_are_read_so() -> None:
    like = torch.empty(0)
    assert not fits_one(like, [1, 1])  # with gradients
    with torch.no_grad():
        assert fits_one(like, [1, 1])
        assert fits_one(like.double(), [1])
        assert not fits_one(like, [2, 1])
        assert not fits_one(like, [])
        assert not fits_one(like.bfloat16(), [1])
        assert not fits_one(like.to("meta"), [1])
        with torch.autocast("cpu", torch.bfloat16):
            assert not fits_one(like, [1])

"""PyTorch's own recurrent operators against the loop over packed steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tagsmith.modeling import recurrent
from tagsmith.modeling.fused_lstm import fits_fused, fits_small, run_fused
from tagsmith.modeling.int8 import quantize
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.recurrent import CELLS, RecurrentLayer, RecurrentStack

EQUAL, NEARLY = [5, 5, 5], [4, 6, 5, 6, 6]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def packing_of(lengths: list[int], extra: int = 0) -> Packing:
    return Packing.of(torch.arange(max(lengths) + extra) < torch.tensor(lengths)[:, None])


def close(found: Tensor | None, wanted: Tensor | None, dtype: torch.dtype) -> None:
    assert found is not None and wanted is not None
    torch.testing.assert_close(found, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each layer that the kernel reads."""
    seen: list[int] = []

    def counted(packed: Tensor, *rest: Any) -> Any:
        seen.append(len(packed))
        return run_fused(packed, *rest)

    monkeypatch.setattr(recurrent, "run_fused", counted)
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(
    ("lengths", "extra"), [(EQUAL, 0), (EQUAL, 2), (NEARLY, 0), (NEARLY, 3), ([7], 0), ([1, 1], 0)]
)
def test_a_layer_is_the_loop(lengths: list[int], extra: int, directions: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = RecurrentLayer("lstm", 4, 3, directions).to(dtype)
    packing = packing_of(lengths, extra)
    inputs = torch.randn(sum(lengths), 4, dtype=dtype, requires_grad=True)
    initial = [torch.randn(directions, len(lengths), 3, dtype=dtype, requires_grad=True) for _ in range(2)]
    weights = layer.input_weight, layer.recurrent_weight, layer.input_bias, layer.recurrent_bias
    found = []
    for outputs, final in (
        run_fused(inputs, packing, weights, initial),
        _loop(layer, inputs, packing, initial),
    ):
        results = [outputs, *(final if len(set(lengths)) == 1 else [])]
        loss = sum((result.sin() * torch.arange(result.numel()).view_as(result)).sum() for result in results)
        found.append([*results, *torch.autograd.grad(loss, [inputs, *initial, *layer.parameters()])])
    for fused, plain in zip(*found, strict=True):
        close(fused, plain, dtype)


def _loop(layer: RecurrentLayer, inputs: Tensor, packing: Packing, initial: list[Tensor]) -> Any:
    projected = layer.project(packing.ways(inputs, layer.directions))
    hidden, final = recurrent.scan(projected, layer.recurrent_weight, None, packing.sizes, "lstm", initial)
    return packing.side_by_side(hidden), final


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("lengths", [EQUAL, NEARLY])
def test_a_stack_is_the_loop(
    lengths: list[int], training: bool, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("lstm", 4, 3, 2, dropout=0.5).train(training)
    packing, inputs = packing_of(lengths), torch.randn(sum(lengths), 4)
    found = []
    for fused in (True, False):
        if not fused:
            monkeypatch.setattr(RecurrentLayer, "fits_fused", lambda *_: False)
        torch.manual_seed(1)  # of dropout between the layers
        outputs = stack.outputs(inputs, packing)
        found.append([outputs, *torch.autograd.grad(outputs.sin().sum(), [*stack.parameters()])])
    for fused_result, plain in zip(*found, strict=True):
        close(fused_result, plain, torch.float32)
    assert calls == [sum(lengths)] * 2


@pytest.mark.parametrize(("lengths", "layers"), [(EQUAL, 2), (NEARLY, 0)])
def test_last_states_of_unequal_lengths_are_the_loops(lengths: list[int], layers: int, calls: list[int]) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("lstm", 4, 3, 2)
    packing, inputs = packing_of(lengths), torch.randn(sum(lengths), 4)
    initial = torch.randn(len(lengths), 2, 2, 6)
    outputs, last = stack(inputs, packing, initial)
    assert len(calls) == layers
    wanted, wanted_last = stack.double()(inputs.double(), packing, initial.double())
    assert len(calls) == layers
    close(outputs.double(), wanted, torch.float32)
    close(last.double(), wanted_last, torch.float32)


def test_no_table_is_made_for_the_kernel(calls: list[int]) -> None:
    torch.manual_seed(0)
    stack, embedding = RecurrentStack("lstm", 4, 3, 2), nn.Embedding(2, 4)
    ids, packing = torch.randint(2, (15,)), packing_of(EQUAL)
    outputs, _ = stack.read(embedding, nn.Dropout(0.0), ids, packing)
    assert calls == [15, 15]
    table = stack.project(embedding.weight)
    close(outputs, stack(ids, packing, table=table)[0], torch.float32)
    assert calls == [15, 15, 15]  # the second layer alone


@pytest.mark.parametrize(
    ("lengths", "ends", "fits"),
    [
        (EQUAL, True, True),
        (EQUAL, False, True),
        (NEARLY, False, True),
        (NEARLY, True, False),
        ([9, 1, 1], False, False),  # mostly padding
        ([5, 5, 0], False, False),
        ([0, 0], True, False),
    ],
)
def test_which_batches_fit(lengths: list[int], ends: bool, fits: bool) -> None:
    packing = Packing.of(torch.arange(9) < torch.tensor(lengths)[:, None])
    assert fits_fused(torch.empty(0), packing, ends) is fits


def test_what_stays_with_the_loop(calls: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    packing, inputs = packing_of(EQUAL), torch.randn(15, 4)
    for cell in set(CELLS) - {"lstm"}:
        RecurrentStack(cell, 4, 3, 1)(inputs, packing)
    stack = RecurrentStack("lstm", 4, 3, 1)
    with torch.autocast("cpu", torch.bfloat16):
        stack(inputs, packing)
    with torch.no_grad():
        quantize(nn.Sequential(stack))
        stack(inputs, packing)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        RecurrentStack("lstm", 4, 3, 1).to(dtype)(inputs.to(dtype), packing)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    RecurrentStack("lstm", 4, 3, 1)(inputs, packing)
    assert not calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("lengths", [EQUAL, NEARLY, [9, 1, 4], [1], [3, 0, 5]])
def test_few_steps_are_the_loop(
    lengths: list[int], cell: str, directions: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 4, 3, 2, directions).to(dtype).eval()
    packing, inputs = packing_of(lengths), torch.randn(sum(lengths), 4, dtype=dtype)
    initial = torch.randn(len(lengths), 2, CELLS[cell].states, 3 * directions, dtype=dtype)
    fits = cell != "gru-reset-before" and 0 not in lengths
    with torch.no_grad():
        assert fits_small(cell, inputs, packing) is fits
        found = stack(inputs, packing, initial)
    assert not fits_small(cell, inputs, packing)  # with gradients
    monkeypatch.setattr(RecurrentLayer, "fits_fused", lambda *_: False)
    for few, plain in zip(found, stack(inputs, packing, initial), strict=True):
        close(few, plain, dtype)


def test_many_steps_are_not_few() -> None:
    with torch.no_grad():
        assert fits_small("lstm", torch.empty(0), packing_of([256, 256]))
        assert not fits_small("lstm", torch.empty(0), packing_of([256, 257]))
        assert not fits_small("lstm", torch.empty(0, dtype=torch.float16), packing_of([2]))
        with torch.autocast("cpu", torch.bfloat16):
            assert not fits_small("lstm", torch.empty(0), packing_of([2]))

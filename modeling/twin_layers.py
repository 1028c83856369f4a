"""Recurrent layers as `torch.export` and `torch.compile` take them: over padded tensors, of any length.

A trace unrolls PyTorch's own operators (`torch.lstm`, `torch.gru`, `torch.rnn_tanh`) into as many steps as its example
has. Here the steps of a layer are the body of one `scan`, which stays a loop, whatever the cell.

In each direction padding comes last, since the backward one reads each row mirrored within its length: it enters no
state that is kept. Weights are detached: a loop that could have a gradient would be traced for that, too. The formulas
stand in `recurrent_cells.py` and `linear_recurrence.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .input_order import turned
from .linear_recurrence import LinearRNNLayer, SRULayer
from .recurrent import RecurrentLayer
from .recurrent_cells import CELLS

State = tuple[Tensor, ...]
Step = Callable[[State, Tensor], tuple[State, Tensor]]
"""A state and what enters, to the state after it and what comes out; no two of them share memory."""


def check_inputs(found: Iterable[str], wanted: Iterable[str]) -> None:
    """See that a twin gets its inputs, by their names.

    Raises:
        ValueError: some are missing, or it has no use for some.
    """
    if sorted(found) != sorted(wanted):
        raise ValueError(f"The inputs are {', '.join(found)}. This tagger takes {', '.join(wanted)}.")


def mask_of(lengths: Tensor, longest: int) -> Tensor:
    """Where rows of these lengths `(rows,)` have something: `(rows, longest)` bool."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def read_stack(stack: Any, x: Tensor, mask: Tensor) -> Tensor:
    """The states of the top layer, `(batch, time, directions * size)`; at padding they mean nothing.

    Args:
        stack: a `RecurrentStack` or a `LinearRecurrentStack`.
        x: `(batch, time, width)`.
        mask: `(batch, time)`, padding at the right.
    """
    for layer in stack.layers:
        ways = x[None] if stack.directions == 1 else torch.stack([x, turned(x, mask)])
        projected = layer.project(ways.flatten(1, 2)).unflatten(1, x.shape[:2])
        found = _read(layer, projected.detach().permute(2, 0, 1, 3)).permute(1, 2, 0, 3)
        x = found[0] if stack.directions == 1 else torch.cat([found[0], turned(found[1], mask)], -1)
    return x


def ends_of_words(states: Tensor, mask: Tensor) -> Tensor:
    """The states that two directions end with, `(words, 2 * size)`, of `read_stack`; zeros for an empty word."""
    last = (mask.sum(1) - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
    forward, backward = states.gather(1, last)[:, 0], states[:, 0]
    size = states.shape[2] // 2
    return torch.cat([forward[:, :size], backward[:, size:]], -1) * mask.any(1, keepdim=True)


def sum_of_rows(table: nn.Embedding, rows: Tensor) -> Tensor:
    """Rows `(..., n)` to the sums of what stands in them, `(..., width)`; row 0 is of none."""
    found: Tensor = table(rows)
    return (found * (rows > 0)[..., None]).sum(-2)


def _read(layer: Any, projected: Tensor) -> Tensor:
    """Of what enters, `(time, directions, batch, width)`, the outputs, `(time, directions, batch, size)`."""
    if isinstance(layer, RecurrentLayer):
        return _read_cells(layer, projected)
    read: Callable[[Any, Tensor], Tensor] = _read_sru if isinstance(layer, SRULayer) else _read_linear_rnn
    return read(layer, projected.to(torch.promote_types(projected.dtype, torch.float32))).to(projected.dtype)


def _run(step: Step, entering: Tensor, shapes: Sequence[Sequence[int]]) -> Tensor:
    """What comes out of the steps of `(time, directions, batch, width)`, from states of zeros.

    Args:
        step: of a layer.
        entering: what enters.
        shapes: of the states of a sequence.
    """
    state = tuple(entering.new_zeros(*entering.shape[1:3], *shape) for shape in shapes)
    if torch.compiler.is_compiling():
        out: Tensor = torch._higher_order_ops.scan(step, state, entering)[1]
        return out
    found = []
    for x in entering:
        state, output = step(state, x)
        found.append(output)
    return torch.stack(found)


def _read_cells(layer: RecurrentLayer, projected: Tensor) -> Tensor:
    weights = [weight.detach() for weight in layer.state_weights]
    bias, after = None if layer.state_bias is None else layer.state_bias.detach(), _CELLS[layer.cell]

    def step(state: State, x: Tensor) -> tuple[State, Tensor]:
        state = after(weights, bias, state, x)
        return state, state[0].clone()

    return _run(step, projected, [weights[0].shape[1:2]] * CELLS[layer.cell].states)


def _gru(weights: Sequence[Tensor], bias: Tensor, state: State, x: Tensor) -> State:
    size = state[0].shape[-1]
    of_state = torch.baddbmm(bias, state[0], weights[0])
    reset, update = (x[..., : 2 * size] + of_state[..., : 2 * size]).sigmoid().chunk(2, -1)
    candidate = torch.addcmul(x[..., 2 * size :], reset, of_state[..., 2 * size :]).tanh()
    return (torch.lerp(candidate, state[0], update),)


def _gru_reset_before(weights: Sequence[Tensor], bias: None, state: State, x: Tensor) -> State:
    size = state[0].shape[-1]
    reset, update = torch.baddbmm(x[..., : 2 * size], state[0], weights[0]).sigmoid().chunk(2, -1)
    candidate = torch.baddbmm(x[..., 2 * size :], reset * state[0], weights[1]).tanh()
    return (torch.lerp(candidate, state[0], update),)


def _lstm(weights: Sequence[Tensor], bias: None, state: State, x: Tensor) -> State:
    enter, forget, candidate, leave = torch.baddbmm(x, state[0], weights[0]).chunk(4, -1)
    cell = forget.sigmoid() * state[1] + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def _rnn(weights: Sequence[Tensor], bias: None, state: State, x: Tensor) -> State:
    return (torch.baddbmm(x, state[0], weights[0]).tanh(),)


_CELLS: dict[str, Callable[..., State]] = {
    "gru": _gru,
    "gru-reset-before": _gru_reset_before,
    "lstm": _lstm,
    "rnn": _rnn,
}


def _read_sru(layer: SRULayer, projected: Tensor) -> Tensor:
    size = layer.hidden_size
    of_state = None if layer.state_weight is None else layer.state_weight.detach().to(projected.dtype)
    chosen, skip = projected.split([3 * size, size], -1)

    def step(state: State, x: Tensor) -> tuple[State, Tensor]:
        candidate, gates, skip = x.split([size, 2 * size, size], -1)
        if of_state is not None:
            gates = torch.addcmul(gates, of_state, torch.cat([state[0], state[0]], -1))
        forget, highway = gates.sigmoid().chunk(2, -1)
        after = torch.lerp(candidate, state[0], forget)
        return (after,), torch.lerp(skip, after, highway)

    return _run(step, torch.cat([chosen, layer.alpha * skip], -1), [[size]])


def _read_linear_rnn(layer: LinearRNNLayer, projected: Tensor) -> Tensor:
    numbers = layer.decay_logit, layer.state_input, layer.state_output
    logit, before, behind = (number.detach().to(projected.dtype)[:, None] for number in numbers)
    decay, weight = logit.sigmoid(), before * behind

    def step(state: State, x: Tensor) -> tuple[State, Tensor]:
        dense, *gate = x.chunk(1 + layer.gated, -1)
        after = torch.addcmul(dense[..., None], decay, state[0])
        past = (weight * after).sum(-1)
        return (after,), torch.lerp(dense, past, gate[0].sigmoid()) if gate else past

    return _run(step, projected, [layer.decay_logit.shape[1:]])

"""One sequence by itself, without gradients: the steps of recurrent layers in numpy, on the memory of the weights.

A step of one sequence is so little arithmetic that each operation costs more than what it computes, and numpy's cost
least. Several sequences stay with `recurrent` and `fused_lstm`: their products numpy would share out to threads of its
own. All results are those of the loop in `recurrent`, up to rounding.

The logistic function is `0.5 + 0.5 tanh(x / 2)`, so that one call of tanh serves all gates of an LSTM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .recurrent_cells import CELLS

# From a state `(1, size)` to its share of some gates, written into `out`; `int8.py` has another.
StateProduct = Callable[[np.ndarray, np.ndarray], None]

# From the inputs' share of the gates `(steps, 1, gates * size)`, of one direction in its own order, the products of
# the states, one for each block of the cell, the bias of these and the states' size, to states `(steps, 1, size)`.
_Loop = Callable[[np.ndarray, list[StateProduct], np.ndarray | None, int], np.ndarray]


def _start(x: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for the states, and the one to start from."""
    return np.empty((*x.shape[:2], size), x.dtype), np.zeros((x.shape[1], size), x.dtype)


def _lstm(x: np.ndarray, products: list[StateProduct], bias: np.ndarray | None, size: int) -> np.ndarray:
    (multiply,) = products
    out, state = _start(x, size)
    cell = state.copy()
    gates = np.empty_like(x[0])
    enters, keeps, candidate, leaves = (gates[..., place * size : (place + 1) * size] for place in range(4))
    halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], x.dtype), size)
    rest = 1 - halves
    for entering, now in zip(x, out, strict=True):
        multiply(state, gates)
        gates += entering
        gates *= halves
        np.tanh(gates, out=gates)
        gates *= halves
        gates += rest
        cell *= keeps
        candidate *= enters
        cell += candidate
        np.tanh(cell, out=now)
        now *= leaves
        state = now
    return out


def _gru(x: np.ndarray, products: list[StateProduct], bias: np.ndarray | None, size: int) -> np.ndarray:
    (multiply,) = products
    out, state = _start(x, size)
    share, both = np.empty_like(x[0]), 2 * size
    gates, candidate = share[..., :both], share[..., both:]
    reset, update = gates[..., :size], gates[..., size:]
    for entering, now in zip(x, out, strict=True):
        multiply(state, share)
        share += bias
        gates += entering[..., :both]
        _logistic(gates)
        candidate *= reset
        candidate += entering[..., both:]
        _step_towards(candidate, state, update, now)
        state = now
    return out


def _gru_reset_before(x: np.ndarray, products: list[StateProduct], bias: np.ndarray | None, size: int) -> np.ndarray:
    of_gates, of_candidate = products
    out, state = _start(x, size)
    gates, candidate = np.empty_like(x[0, ..., : 2 * size]), np.empty_like(out[0])
    reset, update = gates[..., :size], gates[..., size:]
    for entering, now in zip(x, out, strict=True):
        of_gates(state, gates)
        gates += entering[..., : 2 * size]
        _logistic(gates)
        reset *= state
        of_candidate(reset, candidate)
        candidate += entering[..., 2 * size :]
        _step_towards(candidate, state, update, now)
        state = now
    return out


def _rnn(x: np.ndarray, products: list[StateProduct], bias: np.ndarray | None, size: int) -> np.ndarray:
    (multiply,) = products
    out, state = _start(x, size)
    for entering, now in zip(x, out, strict=True):
        multiply(state, now)
        now += entering
        np.tanh(now, out=now)
        state = now
    return out


def _logistic(gates: np.ndarray) -> None:
    gates *= 0.5
    np.tanh(gates, out=gates)
    gates += 1
    gates *= 0.5


def _step_towards(candidate: np.ndarray, state: np.ndarray, update: np.ndarray, now: np.ndarray) -> None:
    """A GRU's new state: tanh of the candidate where the update gate is 0, the state before where it is 1."""
    np.tanh(candidate, out=candidate)
    np.subtract(state, candidate, out=now)
    now *= update
    now += candidate


_LOOPS: dict[str, _Loop] = {"gru": _gru, "gru-reset-before": _gru_reset_before, "lstm": _lstm, "rnn": _rnn}


def fits_one(like: Tensor, sizes: Sequence[int]) -> bool:
    """Whether the steps are taken here.

    Args:
        like: what enters, or of the same type and device.
        sizes: sequences that are running, for each time step.
    """
    plain = like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64)
    return plain and sizes[:1] == [1] and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def run_one(layer: Any, packed: Tensor, table: Tensor | None) -> Tensor:
    """Read one sequence by a `RecurrentLayer`: the states that its `forward` gives where it starts from zeros.

    Args:
        layer: the layer.
        packed: `(steps, input_size)`; with a table `(steps,)` ids, rows of it.
        table: of `project`.
    """
    if table is None:
        ways = layer.project(packed.expand(layer.directions, -1, -1)).numpy()
        entering = [way[::-1] if number else way for number, way in enumerate(ways)]
    else:
        rows = packed.numpy()
        entering = [way[rows[::-1] if number else rows] for number, way in enumerate(table.numpy())]
    bias, size = layer.state_bias, layer.recurrent_weight.shape[1]
    of_states = [None] * layer.directions if bias is None else bias.detach().numpy()
    loop = _LOOPS[layer.cell]
    # One way after another: a core's own cache then holds its weights from step to step.
    states = [
        loop(way[:, None], _products(layer, number), of_states[number], size) for number, way in enumerate(entering)
    ]
    return torch.from_numpy(np.concatenate([way[:: -1 if n else 1, 0] for n, way in enumerate(states)], axis=1))


def _products(layer: Any, direction: int) -> list[StateProduct]:
    if layer.products is not None:
        return [product.of_one(direction) for product in layer.products[1]]
    weight, blocks = layer.recurrent_weight.detach()[direction].numpy(), CELLS[layer.cell].blocks
    parts = [weight] if len(blocks) == 1 else np.split(weight, np.cumsum(blocks[:-1]) * len(weight), axis=1)
    return [partial(_multiply, part) for part in parts]  # views: the weights are not copied


def _multiply(weight: np.ndarray, state: np.ndarray, out: np.ndarray) -> None:
    np.matmul(state, weight, out=out)

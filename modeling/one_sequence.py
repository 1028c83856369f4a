"""One sequence by itself, without gradients: the steps of recurrent layers in numpy, on the memory of the weights.

A step of one sequence is so little arithmetic that each operation costs more than what it computes, and numpy's cost
least. Several sequences stay with `recurrent` and `fused_lstm`: their products numpy would share out to threads of its
own. All results are those of the loop in `recurrent`, up to rounding.

The logistic function is `0.5 + 0.5 tanh(x / 2)`, so that one call of tanh serves all gates of an LSTM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

# From the inputs' share of the gates `(steps, 1, gates * size)`, of one direction in its own order, and the weight
# `(size, gates * size)` and bias of the states' share, to states `(steps, 1, size)`.
_Loop = Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]


def _start(x: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for the states, and the one to start from."""
    return np.empty((*x.shape[:2], size), x.dtype), np.zeros((x.shape[1], size), x.dtype)


def _lstm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    size = weight.shape[0]
    out, state = _start(x, size)
    cell = state.copy()
    gates = np.empty_like(x[0])
    enters, keeps, candidate, leaves = (gates[..., place * size : (place + 1) * size] for place in range(4))
    halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], x.dtype), size)
    rest = 1 - halves
    for entering, now in zip(x, out, strict=True):
        np.matmul(state, weight, out=gates)
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


def _gru(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    size = weight.shape[0]
    out, state = _start(x, size)
    share, both = np.empty_like(x[0]), 2 * size
    gates, candidate = share[..., :both], share[..., both:]
    reset, update = gates[..., :size], gates[..., size:]
    for entering, now in zip(x, out, strict=True):
        np.matmul(state, weight, out=share)
        share += bias
        gates += entering[..., :both]
        _logistic(gates)
        candidate *= reset
        candidate += entering[..., both:]
        _step_towards(candidate, state, update, now)
        state = now
    return out


def _gru_reset_before(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    size = weight.shape[0]
    out, state = _start(x, size)
    gates, candidate = np.empty_like(x[0, ..., : 2 * size]), np.empty_like(out[0])
    of_gates, of_candidate = weight[..., : 2 * size], weight[..., 2 * size :]
    reset, update = gates[..., :size], gates[..., size:]
    for entering, now in zip(x, out, strict=True):
        np.matmul(state, of_gates, out=gates)
        gates += entering[..., : 2 * size]
        _logistic(gates)
        reset *= state
        np.matmul(reset, of_candidate, out=candidate)
        candidate += entering[..., 2 * size :]
        _step_towards(candidate, state, update, now)
        state = now
    return out


def _rnn(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    out, state = _start(x, weight.shape[0])
    for entering, now in zip(x, out, strict=True):
        np.matmul(state, weight, out=now)
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
    bias = layer.state_bias
    of_states = [None] * layer.directions if bias is None else bias.detach().numpy()
    weights, loop = layer.recurrent_weight.detach().numpy(), _LOOPS[layer.cell]
    # One way after another: a core's own cache then holds its weights from step to step.
    states = [loop(way[:, None], *own) for way, *own in zip(entering, weights, of_states, strict=True)]
    return torch.from_numpy(np.concatenate([way[:: -1 if n else 1, 0] for n, way in enumerate(states)], axis=1))

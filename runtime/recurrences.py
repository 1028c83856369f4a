"""Recurrent layers in numpy: GRU, LSTM and the plain RNN, with the weights that `modeling/recurrent.py` saves.

A loop over time steps; each is a product of all running sequences in both directions, and operations in place. The
logistic function is `0.5 + 0.5 tanh(x / 2)`, its half taken into the weights once (exactly: it is a power of two), so
that one call of tanh serves all gates. So that no time is spent on the halves, states may be kept at twice their size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from .packed_rows import Packed

GATES = {"gru": 3, "gru-reset-before": 3, "lstm": 4, "rnn": 1}


class Layer(Protocol):
    """One recurrent layer, read one way or both ways."""

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs `(rows, size)`, or of each direction, to what enters the steps: `(directions, rows, width)`."""

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """The steps: `(directions, rows, width)`, which is written over, to states `(directions, rows, size)`."""


def recurrent_shapes(cell: str, width: int, size: int, directions: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a layer's weights by their names."""
    gates = GATES[cell] * size
    return {
        "input_weight": (directions, width, gates),
        "input_bias": (directions, 1, gates),
        "recurrent_weight": (directions, size, gates),
        "recurrent_bias": (directions, 1, gates),
    }


class _RecurrentLayer:
    """What the cells have in common: weights as float32, those of the logistic gates halved."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        own = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
        self.directions, self.size = own["recurrent_weight"].shape[:2]
        for tensor in own.values():
            self._halve(tensor)
        self.input_weight, self.recurrent_weight = own["input_weight"], own["recurrent_weight"]
        self.input_bias, self.recurrent_bias = own["input_bias"], own["recurrent_bias"]
        self._settle()

    def _halve(self, tensor: np.ndarray) -> None:
        """Halve the columns of gates that are logistic, `(directions, rows, gates * size)`, in place."""

    def _settle(self) -> None:
        self.input_bias = self.input_bias + self.recurrent_bias

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """As `Layer` says."""
        projected = np.matmul(inputs, self.input_weight)
        projected += self.input_bias
        return projected

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        raise NotImplementedError


class LSTM(_RecurrentLayer):
    """Long short-term memory; gates in the order input, forget, cell, output. States are kept doubled."""

    def _halve(self, tensor: np.ndarray) -> None:
        tensor[..., : 2 * self.size] *= 0.5
        tensor[..., 3 * self.size :] *= 0.5

    def _settle(self) -> None:
        super()._settle()
        self.recurrent_weight = self.recurrent_weight * np.float32(0.5)  # of doubled states

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        return self.read(projected, packed)[0]

    def read(self, projected: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
        """As `run`; and the cell that each sequence ends with, `(directions, sequences, size)`, in their order."""
        size, most = self.size, packed.sizes[0] if packed.sizes else 0
        out = np.empty((*projected.shape[:2], size), dtype=np.float32)
        memory = np.zeros((self.directions, most, size), dtype=np.float32)
        product = np.empty((self.directions, most, 4 * size), dtype=np.float32)
        state, start = out[:, :0], 0
        for running in packed.sizes:
            gates, now = projected[:, start : start + running], out[:, start : start + running]
            if start:
                gates += np.matmul(state[:, :running], self.recurrent_weight, out=product[:, :running])
            self._pass(gates, memory[:, :running], now)
            state, start = now, start + running
        out *= 0.5
        return out, memory

    def step(self, gates: np.ndarray, hidden: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step of a layer that is read one way.

        Args:
            gates: projected rows `(rows, 4 * size)`, which are written over.
            hidden: `(rows, size)`.
            cell: the same.

        Returns:
            Hidden state and cell after it.
        """
        gates += (2 * hidden) @ self.recurrent_weight[0]
        cell, now = cell.copy(), np.empty_like(hidden)
        self._pass(gates, cell, now)
        now *= 0.5
        return now, cell

    def _pass(self, gates: np.ndarray, cell: np.ndarray, now: np.ndarray) -> None:
        """From what enters the gates to the next cell, in its place, and the doubled state into `now`."""
        size = self.size
        np.tanh(gates, out=gates)
        enters, keeps = gates[..., :size], gates[..., size : 2 * size]
        candidate, leaves = gates[..., 2 * size : 3 * size], gates[..., 3 * size :]
        gates[..., : 2 * size] += 1
        leaves += 1
        cell *= keeps
        candidate *= enters
        cell += candidate
        cell *= 0.5
        np.tanh(cell, out=now)
        now *= leaves


class GRU(_RecurrentLayer):
    """Gated recurrent unit, reset gate after the product; gates in the order reset, update, candidate."""

    def _halve(self, tensor: np.ndarray) -> None:
        tensor[..., : 2 * self.size] *= 0.5

    def _settle(self) -> None:
        both = 2 * self.size
        self.input_bias[..., :both] += self.recurrent_bias[..., :both]
        self.candidate_bias = self.recurrent_bias[..., both:]

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        size, most = self.size, packed.sizes[0] if packed.sizes else 0
        out = np.empty((*projected.shape[:2], size), dtype=np.float32)
        product = np.empty((self.directions, most, 3 * size), dtype=np.float32)
        state, start = np.zeros((self.directions, most, size), dtype=np.float32), 0
        for running in packed.sizes:
            step, now = projected[:, start : start + running], out[:, start : start + running]
            before = state[:, :running]
            share = np.matmul(before, self.recurrent_weight, out=product[:, :running])
            gates, candidate, hidden = step[..., : 2 * size], step[..., 2 * size :], share[..., 2 * size :]
            gates += share[..., : 2 * size]
            _logistic(gates)
            hidden += self.candidate_bias
            hidden *= gates[..., :size]
            candidate += hidden
            np.tanh(candidate, out=candidate)
            _towards(before, candidate, gates[..., size:], out=now)
            state, start = now, start + running
        return out


class GRUResetBefore(_RecurrentLayer):
    """Gated recurrent unit, reset gate before the product: `tanh(W x + U (r * h) + b)`."""

    def _halve(self, tensor: np.ndarray) -> None:
        tensor[..., : 2 * self.size] *= 0.5

    def _settle(self) -> None:
        super()._settle()
        self.gates_weight = np.ascontiguousarray(self.recurrent_weight[..., : 2 * self.size])
        self.candidate_weight = np.ascontiguousarray(self.recurrent_weight[..., 2 * self.size :])

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        size, most = self.size, packed.sizes[0] if packed.sizes else 0
        out = np.empty((*projected.shape[:2], size), dtype=np.float32)
        state, start = np.zeros((self.directions, most, size), dtype=np.float32), 0
        for running in packed.sizes:
            step, now = projected[:, start : start + running], out[:, start : start + running]
            before = state[:, :running]
            gates, candidate = step[..., : 2 * size], step[..., 2 * size :]
            gates += np.matmul(before, self.gates_weight)
            _logistic(gates)
            candidate += np.matmul(gates[..., :size] * before, self.candidate_weight)
            np.tanh(candidate, out=candidate)
            _towards(before, candidate, gates[..., size:], out=now)
            state, start = now, start + running
        return out


class RNN(_RecurrentLayer):
    """The plain recurrence `h_t = tanh(W x_t + U h_{t-1} + b)`."""

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        out = np.empty((*projected.shape[:2], self.size), dtype=np.float32)
        state, start = out[:, :0], 0
        for running in packed.sizes:
            step, now = projected[:, start : start + running], out[:, start : start + running]
            if start:
                step += np.matmul(state[:, :running], self.recurrent_weight)
            state, start = np.tanh(step, out=now), start + running
        return out


def _logistic(halves: np.ndarray) -> None:
    """The logistic function of twice what is given, in place."""
    np.tanh(halves, out=halves)
    halves += 1
    halves *= 0.5


def _towards(state: np.ndarray, candidate: np.ndarray, update: np.ndarray, out: np.ndarray) -> None:
    """A GRU's new state: the candidate where the update gate is 0, the state before where it is 1."""
    np.subtract(state, candidate, out=out)
    out *= update
    out += candidate


RECURRENT: dict[str, type[_RecurrentLayer]] = {
    "gru": GRU,
    "gru-reset-before": GRUResetBefore,
    "lstm": LSTM,
    "rnn": RNN,
}

"""Recurrent layers in numpy: GRU, LSTM and the plain RNN, with the weights that `modeling/recurrent.py` saves.

A loop over time steps; each is a product of all running sequences, and operations in place. One direction is read
after another, so that a core's own cache holds its weights from step to step: of 256 units a megabyte. The logistic
function is `0.5 + 0.5 tanh(x / 2)`, its half taken into the weights once (exactly: it is a power of two), so that one
call of tanh serves all gates. So that no time is spent on the halves, states may be kept at twice their size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

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
        out = np.empty((*projected.shape[:2], self.size), dtype=np.float32)
        for way, (entering, states) in enumerate(zip(projected, out, strict=True)):
            self._read(way, entering, states, packed.sizes)
        return out

    def _read(self, way: int, entering: np.ndarray, out: np.ndarray, sizes: list[int]) -> Any:
        """The steps of one direction: from what enters them `(rows, gates * size)` to states `(rows, size)`, `out`."""
        raise NotImplementedError


class LSTM(_RecurrentLayer):
    """Long short-term memory; gates in the order input, forget, cell, output. States are kept doubled."""

    def _halve(self, tensor: np.ndarray) -> None:
        tensor[..., : 2 * self.size] *= 0.5
        tensor[..., 3 * self.size :] *= 0.5

    def _settle(self) -> None:
        super()._settle()
        self.recurrent_weight = self.recurrent_weight * np.float32(0.5)  # of doubled states

    def read(self, projected: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
        """As `run`; and the cell that each sequence ends with, `(directions, sequences, size)`, in their order."""
        out = np.empty((*projected.shape[:2], self.size), dtype=np.float32)
        ways = enumerate(zip(projected, out, strict=True))
        cells = [self._read(way, entering, states, packed.sizes) for way, (entering, states) in ways]
        return out, np.stack(cells)

    def _read(self, way: int, entering: np.ndarray, out: np.ndarray, sizes: list[int]) -> np.ndarray:
        weight, start = self.recurrent_weight[way], 0
        room, cells = _room(sizes, 4 * self.size), np.zeros((max(sizes, default=0), self.size), dtype=np.float32)
        state = out
        for running in sizes:
            rows = slice(start, start + running)
            if running < len(room) or not start:
                room, cell = room[:running], cells[:running]
                parts = self._parts(room)
            if start:
                np.matmul(state[:running], weight, out=room)
                room += entering[rows]
            else:
                room[:] = entering[rows]
            state, start = out[rows], start + running
            self._pass(room, parts, cell, state)
        out *= 0.5
        return cells

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
        self._pass(gates, self._parts(gates), cell, now)
        now *= 0.5
        return now, cell

    def _parts(self, gates: np.ndarray) -> list[np.ndarray]:
        """Views of gates: input, forget, the candidate, output, and the first two together."""
        size = self.size
        return [*(gates[:, at : at + size] for at in range(0, 4 * size, size)), gates[:, : 2 * size]]

    def _pass(self, gates: np.ndarray, parts: list[np.ndarray], cell: np.ndarray, now: np.ndarray) -> None:
        """From what enters the gates to the next cell, in its place, and the doubled state into `now`."""
        enters, keeps, candidate, leaves, first = parts
        np.tanh(gates, out=gates)
        first += 1
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

    def _read(self, way: int, entering: np.ndarray, out: np.ndarray, sizes: list[int]) -> None:
        size, weight, bias, start = self.size, self.recurrent_weight[way], self.candidate_bias[way], 0
        room = _room(sizes, 3 * size)
        state = np.zeros((len(room), size), dtype=np.float32)
        for running in sizes:
            rows = slice(start, start + running)
            if running < len(room) or not start:
                room = room[:running]
                gates, candidate = room[:, : 2 * size], room[:, 2 * size :]
                reset, update = gates[:, :size], gates[:, size:]
            before, step = state[:running], entering[rows]
            np.matmul(before, weight, out=room)
            gates += step[:, : 2 * size]
            _logistic(gates)
            candidate += bias
            candidate *= reset
            candidate += step[:, 2 * size :]
            np.tanh(candidate, out=candidate)
            state, start = out[rows], start + running
            _towards(before, candidate, update, out=state)


class GRUResetBefore(_RecurrentLayer):
    """Gated recurrent unit, reset gate before the product: `tanh(W x + U (r * h) + b)`."""

    def _halve(self, tensor: np.ndarray) -> None:
        tensor[..., : 2 * self.size] *= 0.5

    def _settle(self) -> None:
        super()._settle()
        self.gates_weight = np.ascontiguousarray(self.recurrent_weight[..., : 2 * self.size])
        self.candidate_weight = np.ascontiguousarray(self.recurrent_weight[..., 2 * self.size :])

    def _read(self, way: int, entering: np.ndarray, out: np.ndarray, sizes: list[int]) -> None:
        size, of_gates, of_candidate, start = self.size, self.gates_weight[way], self.candidate_weight[way], 0
        room, candidate = _room(sizes, 2 * size), _room(sizes, size)
        state = np.zeros((len(room), size), dtype=np.float32)
        for running in sizes:
            rows = slice(start, start + running)
            if running < len(room) or not start:
                room, candidate = room[:running], candidate[:running]
                reset, update = room[:, :size], room[:, size:]
            before, step = state[:running], entering[rows]
            np.matmul(before, of_gates, out=room)
            room += step[:, : 2 * size]
            _logistic(room)
            reset *= before
            np.matmul(reset, of_candidate, out=candidate)
            candidate += step[:, 2 * size :]
            np.tanh(candidate, out=candidate)
            state, start = out[rows], start + running
            _towards(before, candidate, update, out=state)


class RNN(_RecurrentLayer):
    """The plain recurrence `h_t = tanh(W x_t + U h_{t-1} + b)`."""

    def _read(self, way: int, entering: np.ndarray, out: np.ndarray, sizes: list[int]) -> None:
        state, weight, start = out, self.recurrent_weight[way], 0
        for running in sizes:
            rows = slice(start, start + running)
            before, state = state[:running], out[rows]
            if start:
                np.matmul(before, weight, out=state)
                state += entering[rows]
                np.tanh(state, out=state)
            else:
                np.tanh(entering[rows], out=state)
            start += running


def _room(sizes: list[int], width: int) -> np.ndarray:
    """What a step of all sequences fills, `(sequences, width)`."""
    return np.empty((max(sizes, default=0), width), dtype=np.float32)


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

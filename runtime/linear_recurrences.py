"""Layers whose state enters its own recurrence element by element, SRU and the linear RNN, in numpy.

The formulas stand in `modeling/linear_recurrence.py`, whose weights these are. Products are over all steps at once;
the recurrence is a loop over time of a few operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .packed_rows import Packed

LINEAR = ("sru", "sru-state-gates", "linear-rnn", "linear-rnn-plain")
_STATES = 8  # numbers of the linear RNN's state, of each dimension


def linear_shapes(cell: str, width: int, size: int, directions: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a layer's weights by their names."""
    if cell.startswith("sru"):
        projects = width != directions * size
        shapes: dict[str, tuple[int, ...]] = {
            "input_weight": (directions, width, (3 + projects) * size),
            "gate_bias": (directions, 1, 2 * size),
        }
        return {**shapes, "state_weight": (directions, 1, 2 * size)} if cell == "sru-state-gates" else shapes
    gates = (1 + (cell == "linear-rnn")) * size
    states = dict.fromkeys(("decay_logit", "state_input", "state_output"), (directions, size, _STATES))
    return {"input_weight": (directions, width, gates), "input_bias": (directions, 1, gates), **states}


class SRU:
    """One layer of simple recurrent units."""

    alpha = np.float32(math.sqrt(3))

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        own = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
        self.input_weight, self.gate_bias = own["input_weight"], own["gate_bias"]
        self.state_weight = own.get("state_weight")
        self.directions, self.size = len(self.input_weight), self.gate_bias.shape[-1] // 2
        self.projects = self.input_weight.shape[-1] == 4 * self.size

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """As `Layer` says."""
        size = self.size
        projected = np.matmul(inputs, self.input_weight)
        projected[..., size : 3 * size] += self.gate_bias
        if self.projects:
            return projected
        by_way = np.broadcast_to(inputs, (self.directions, *inputs.shape[-2:]))
        own = [by_way[way][:, way * size : (way + 1) * size] for way in range(self.directions)]
        return np.concatenate([projected, np.stack(own)], axis=-1)

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        size = self.size
        candidate, forget = projected[..., :size], projected[..., size : 2 * size]
        highway, skip = projected[..., 2 * size : 3 * size], projected[..., 3 * size :]
        out = np.empty((*projected.shape[:2], size), dtype=np.float32)
        most = packed.sizes[0] if packed.sizes else 0
        state, start = np.zeros((self.directions, most, size), dtype=np.float32), 0
        for running in packed.sizes:
            rows = slice(start, start + running)
            before, now, keeps = state[:, :running], out[:, rows], forget[:, rows]
            if self.state_weight is not None:
                keeps += self.state_weight[..., :size] * before
                highway[:, rows] += self.state_weight[..., size:] * before
            keeps[:] = logistic(keeps)
            np.subtract(before, candidate[:, rows], out=now)
            now *= keeps
            now += candidate[:, rows]
            state, start = now, start + running
        skip *= self.alpha
        out -= skip
        out *= logistic(highway)
        out += skip
        return out


class LinearRNN:
    """One linear recurrent layer, with its gate or without."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        own = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
        self.input_weight, self.input_bias = own["input_weight"], own["input_bias"]
        self.decay = logistic(own["decay_logit"])[:, None]
        self.weight = (own["state_input"] * own["state_output"])[:, None]
        self.directions, self.size = own["decay_logit"].shape[:2]

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """As `Layer` says."""
        projected = np.matmul(inputs, self.input_weight)
        projected += self.input_bias
        return projected

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """As `Layer` says."""
        dense, gate = projected[..., : self.size], projected[..., self.size :]
        past = np.empty((*projected.shape[:2], self.size), dtype=np.float32)
        most = packed.sizes[0] if packed.sizes else 0
        state, start = np.zeros((self.directions, most, self.size, _STATES), dtype=np.float32), 0
        for running in packed.sizes:
            rows = slice(start, start + running)
            state = state[:, :running]
            state *= self.decay
            state += dense[:, rows, :, None]
            np.sum(state * self.weight, axis=-1, out=past[:, rows])
            start += running
        if not gate.shape[-1]:
            return past
        past -= dense
        past *= logistic(gate)
        past += dense
        return past


def logistic(x: np.ndarray) -> np.ndarray:
    """The logistic function, whatever the size of its argument."""
    result: np.ndarray = np.tanh(x * np.float32(0.5))
    result += 1
    result *= 0.5
    return result

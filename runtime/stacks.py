"""Layers upon each other, and the weights that they have, by their names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .linear_recurrences import LINEAR, SRU, LinearRNN, linear_shapes
from .packed_rows import Packed
from .recurrences import LSTM, RECURRENT, Layer, recurrent_shapes

Weights = Mapping[str, np.ndarray]


def stack_shapes(
    place: str, cell: str, width: int, size: int, layers: int, directions: int = 2
) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a stack.

    Args:
        place: its name, before theirs.
        cell: of the layers.
        width: of what the first reads.
        size: of the state of each direction.
        layers: their number.
        directions: 1 or 2.
    """
    of_layer = linear_shapes if cell in LINEAR else recurrent_shapes
    found: dict[str, tuple[int, ...]] = {}
    for index in range(layers):
        own = of_layer(cell, directions * size if index else width, size, directions)
        found |= {f"{place}.layers.{index}.{name}": shape for name, shape in own.items()}
    return found


def beneath(weights: Weights, place: str) -> dict[str, np.ndarray]:
    """The weights of a module, by their names within it."""
    return {name[len(place) + 1 :]: tensor for name, tensor in weights.items() if name.startswith(f"{place}.")}


def make_layer(cell: str, weights: Weights) -> Layer:
    """A layer of a cell."""
    if cell in LINEAR:
        return (SRU if cell.startswith("sru") else LinearRNN)(weights)
    return RECURRENT[cell](weights)


class Stack:
    """Layers upon each other."""

    def __init__(self, cell: str, weights: Weights, count: int) -> None:
        self.layers = [make_layer(cell, beneath(weights, f"layers.{index}")) for index in range(count)]

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """What the first layer makes of inputs `(rows, size)` wherever they stand: `(directions, rows, width)`."""
        return self.layers[0].project(inputs)

    def run(self, projected: np.ndarray, packed: Packed) -> np.ndarray:
        """Projected steps, each direction in its own order, to the top layer's states in the same form."""
        states = self.layers[0].run(projected, packed)
        for layer in self.layers[1:]:
            below = packed.side_by_side(states)
            states = layer.run(layer.project(below[None] if len(states) == 1 else packed.ways(below)), packed)
        return states


class LSTMStack:
    """Layers of LSTMs whose states are wanted, between the steps too.

    Args:
        weights: of the layers, by their names within the stack.
        count: of the layers.
    """

    def __init__(self, weights: Weights, count: int) -> None:
        self.layers = [LSTM(beneath(weights, f"layers.{index}")) for index in range(count)]

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """As of `Stack`."""
        return self.layers[0].project(inputs)

    def read(self, projected: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
        """The top layer's states as `Stack.run` gives them, and what each layer ends with.

        Returns:
            `(directions, rows, size)` and `(sequences, layers, 2, directions * size)`, hidden state and cell.
        """
        ends = []
        for place, layer in enumerate(self.layers):
            states, cells = layer.read(projected, packed)
            if place + 1 < len(self.layers):
                below = packed.side_by_side(states)
                projected = self.layers[place + 1].project(below[None] if len(states) == 1 else packed.ways(below))
            last = np.empty((len(packed.order), cells.shape[0] * cells.shape[2]), dtype=np.float32)
            last[packed.order] = np.concatenate(list(cells), axis=1)
            ends.append(np.stack([packed.ends(states), last], axis=1))
        return states, np.stack(ends, axis=1)

    def step(self, projected: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step of each row, read one way.

        Args:
            projected: `(rows, 4 * size)`, which is written over.
            states: `(rows, layers, 2, size)`.

        Returns:
            The top layer's hidden states `(rows, size)`, and the states of all.
        """
        after = np.empty_like(states)
        for index, layer in enumerate(self.layers):
            if index:
                projected = layer.project(after[:, index - 1, 0])[0]
            after[:, index, 0], after[:, index, 1] = layer.step(projected, states[:, index, 0], states[:, index, 1])
        return after[:, -1, 0], after

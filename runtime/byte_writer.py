"""The writing half of a byte-to-span model in numpy: from the states of bytes, one symbol after another."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from ..modeling.symbol_rules import IMPOSSIBLE
from .byte_config import ByteConfig
from .byte_network import ByteReader, unpacked
from .stacks import LSTMStack, beneath

_OUTPUTS = ("model.bridge.", "query.", "positions.", "label_scores.")


class Writing(NamedTuple):
    """Where windows are in being written, each in one way or several.

    Attributes:
        states: of the writing LSTM, `(windows, ways, layers, 2, hidden_size)`.
        memory: the states of the bytes, `(windows, bytes, width)`, 0 at padding; of no bytes without attention.
        lengths: the bytes of each window, int64 `(windows,)`.
    """

    states: np.ndarray
    memory: np.ndarray
    lengths: np.ndarray

    def take(self, windows: np.ndarray) -> Self:
        """Of some windows, by their numbers."""
        return type(self)(self.states[windows], self.memory[windows], self.lengths[windows])

    def follow(self, ways: np.ndarray) -> Self:
        """Each window by some of its ways, `(windows, ways)`."""
        return self._replace(states=self.states[np.arange(len(ways))[:, None], ways])


class ByteSpanNetwork:
    """What reads windows and scores the symbols that it may write of them.

    Args:
        config: its shape.
        weights: as its folder has them, by their names.
    """

    def __init__(self, config: ByteConfig, weights: Mapping[str, np.ndarray]) -> None:
        own = {name: weights[name].astype(np.float32) for name in weights if name.startswith(_OUTPUTS)}
        self.config, self.reader = config, ByteReader(config, weights)
        self.writer = LSTMStack(beneath(weights, "model.writer"), config.num_hidden_layers)
        bridged = config.encoder == "bidirectional"
        self.bridge = (own["model.bridge.weight"].T, own["model.bridge.bias"]) if bridged else None
        self.query = own.get("query.weight")
        self.weight = np.concatenate([own["positions.weight"], own["label_scores.weight"]]).T.copy()
        self.bias = np.concatenate([own["positions.bias"], own["label_scores.bias"]])

    @cached_property
    def table(self) -> np.ndarray:
        """What the writer's first layer makes of each id, `(ids, gates)`."""
        shared = self.config.encoder == "shared" and self.reader.ngrams is None
        found: np.ndarray = (self.reader.table if shared else self.writer.project(self.reader.embedding))[0]
        return found

    def read(self, ids: np.ndarray, mask: np.ndarray) -> Writing:
        """Read windows `(windows, bytes)`, PAD where one is shorter, and be ready to write in one way."""
        rows, packed, states = self.reader(ids, mask)
        if self.bridge is not None:
            weight, bias = self.bridge
            states = np.tanh(states[:, -1, 0] @ weight + bias)
            states = states.reshape(len(ids), self.config.num_hidden_layers, 2, self.config.hidden_size)
        memory = unpacked(rows, packed, mask) if self.query is not None else rows[:0].reshape(len(ids), 0, 0)
        return Writing(states[:, None], memory, mask.sum(1))

    def step(self, symbols: np.ndarray, writing: Writing) -> tuple[np.ndarray, Writing]:
        """Write a symbol.

        Args:
            symbols: ids `(windows, ways)`, GO first.
            writing: where it stands.

        Returns:
            The scores of what may come next, float32 `(windows, ways, ids from FIRST_START on)`, and where it stands
            then.
        """
        before = writing.states
        hidden, states = self.writer.step(self.table[symbols.ravel()], before.reshape(-1, *before.shape[2:]))
        after = writing._replace(states=states.reshape(before.shape))
        features = hidden.reshape(*symbols.shape, -1)
        if self.query is None:
            scores: np.ndarray = features @ self.weight
            return scores + self.bias, after
        memory = writing.memory
        pointing = (features @ self.query.T) @ memory.transpose(0, 2, 1)
        inside = np.arange(memory.shape[1]) < writing.lengths[:, None, None]
        pointing = np.where(inside, pointing, np.float32(IMPOSSIBLE))
        chances = np.exp(pointing - pointing.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        scores = np.concatenate([features, chances @ memory], axis=-1) @ self.weight + self.bias
        scores[..., : memory.shape[1]] += pointing
        scores[..., memory.shape[1] : self.config.window_size] += np.float32(IMPOSSIBLE)
        return scores, after

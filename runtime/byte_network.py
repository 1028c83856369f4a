"""The reading half of a byte-to-span model in numpy: bytes into states, and these into the tags of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ..modeling.byte_patches import patch_starts
from ..tokenization.span_codec import GO_ID
from .byte_config import ByteConfig
from .ngram_rows import Ngrams
from .packed_rows import Packed
from .stacks import LSTMStack, beneath


class ByteReader:
    """What reads windows.

    Args:
        config: its shape.
        weights: as its folder has them, by their names.
    """

    def __init__(self, config: ByteConfig, weights: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self.embedding = weights["model.embedding.weight"].astype(np.float32)
        self.ngrams = Ngrams(config.ngram_sizes, beneath(weights, "model.ngrams")) if config.ngram_sizes else None
        both = config.encoder == "bidirectional"
        layers = config.encoder_num_layers if both else config.num_hidden_layers
        place = "model.writer" if config.encoder == "shared" else "model.reader"
        self.stack = LSTMStack(beneath(weights, place), layers)
        self.directions = 2 if both else 1
        patched = config.patch_hidden_size
        self.patches = LSTMStack(beneath(weights, "model.patches.stack"), 1) if patched else None

    @cached_property
    def table(self) -> np.ndarray:
        """What the first layer makes of each id, `(directions, ids, gates)`."""
        return self.stack.project(self.embedding)

    def __call__(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, Packed, np.ndarray]:
        """Read windows of bytes.

        Args:
            ids: int64 `(windows, bytes)`, PAD where a window is shorter.
            mask: bool, of the same shape.

        Returns:
            The states of the bytes, packed, `(rows, width)`; how they are packed; and what each window ends with,
            `(windows, layers, 2, width)`, with patches that of their layer alone.
        """
        packed = Packed.of(mask.sum(1))
        backwards = self.config.input_order == "reversed"
        turn = packed.mirror if backwards else slice(None)
        flat = ids[mask][packed.gather][turn]
        if self.ngrams is None:
            projected = packed.look_up(self.table, flat)
        else:
            around = self.ngrams.of_bytes(np.where(mask & (ids < GO_ID), ids, -1))[mask][packed.gather][turn]
            inputs = self.embedding[flat] + around
            projected = self.stack.project(inputs[None] if self.directions == 1 else packed.ways(inputs))
        states, ends = self.stack.read(projected, packed)
        rows = packed.side_by_side(states)[turn]
        if self.patches is None:
            return rows, packed, ends
        above, ends = _read_patches(self.patches, rows, packed, patches_of(np.where(mask, ids, -1)), mask)
        return np.concatenate([rows, above], axis=1), packed, ends


def patches_of(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The patches of windows, as `patches_of` of the models gives them, from bytes, -1 behind the end of a window."""
    starts = patch_starts(codes, np.where)
    counts = starts.sum(1)
    patches = np.where(codes < 0, 0, starts.cumsum(1) - 1)
    windows, firsts = starts.nonzero()
    lasts = np.append(firsts[1:], 0) - 1
    lasts[np.append(windows[1:] != windows[:-1], True)[: len(windows)]] = (codes >= 0).sum(1)[counts > 0] - 1
    edges = np.zeros((len(codes), int(counts.max(initial=0)), 2), dtype=np.int64)
    edges[windows, patches[windows, firsts]] = np.stack([firsts, lasts[: len(firsts)]], axis=-1)
    return patches, edges, counts


def _read_patches(
    stack: LSTMStack,
    rows: np.ndarray,
    packed: Packed,
    patches: tuple[np.ndarray, np.ndarray, np.ndarray],
    mask: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The states of patches at the packed bytes, `(rows, width)`, and what their layer ends with."""
    of_bytes, edges, counts = patches
    states = unpacked(rows, packed, mask)
    inside = np.arange(edges.shape[1]) < counts[:, None]
    windows = np.nonzero(inside)[0]
    order = Packed.of(counts)
    read = states[windows[:, None], edges[inside]].reshape(len(windows), -1)[order.gather]
    found, ends = stack.read(stack.project(order.ways(read)), order)
    above = unpacked(order.side_by_side(found), order, inside)
    return above[np.nonzero(mask)[0], of_bytes[mask]][packed.gather], ends


def unpacked(rows: np.ndarray, packed: Packed, mask: np.ndarray) -> np.ndarray:
    """Packed rows `(rows, width)` as `(windows, bytes, width)`, 0 at padding."""
    ordered = np.empty_like(rows)
    ordered[packed.gather] = rows
    result = np.zeros((*mask.shape, rows.shape[1]), dtype=np.float32)
    result[mask] = ordered
    return result


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Scores `(..., classes)` to log probabilities."""
    scores = scores - scores.max(-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    return scores


class ByteTagNetwork:
    """What scores the tags of the bytes that it reads."""

    def __init__(self, config: ByteConfig, weights: Mapping[str, np.ndarray]) -> None:
        self.config, self.reader = config, ByteReader(config, weights)
        self.weight = np.ascontiguousarray(weights["tag_scores.weight"].astype(np.float32).T)
        self.bias = weights["tag_scores.bias"].astype(np.float32)

    def score_tags(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The log probabilities of bytes' tags, `(windows, bytes, tags)` in float32, 0 at padding.

        Args:
            ids: int64 `(windows, bytes)`, PAD where a window is shorter.
            mask: bool, of the same shape.
        """
        states, packed, _ = self.reader(ids, mask)
        return unpacked(log_softmax(states @ self.weight + self.bias), packed, mask)

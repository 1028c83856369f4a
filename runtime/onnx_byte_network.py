"""An exported byte-to-span tagger: ONNX Runtime reads windows, and writes a symbol of each at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..tokenization.span_codec import GO_ID
from .byte_config import ByteConfig
from .byte_network import patches_of
from .byte_writer import Writing
from .ngram_rows import Ngrams
from .onnx_sessions import input_names, open_sessions
from .stacks import beneath


class OnnxByteNetwork:
    """What scores the tags of bytes as `ByteTagNetwork` does, or writes as `ByteSpanNetwork`.

    Inputs and outputs of the graphs stand in `modeling/onnx_bytes.py`.

    Args:
        folder: where the graphs are, with the weights that they point into.
        graphs: their files, "bytes" and, of a tagger that writes, "writer".
        config: the tagger's shape.
        weights: as its folder has them, for n-grams, which are found outside of a graph.
        threads: of the graphs.
    """

    def __init__(
        self,
        folder: str,
        graphs: Mapping[str, str],
        config: ByteConfig,
        weights: Mapping[str, np.ndarray],
        threads: int = 1,
    ) -> None:
        self.config = config
        self.sessions = open_sessions(folder, graphs, threads)
        self.inputs = {name: input_names(session) for name, session in self.sessions.items()}
        self.ngrams = Ngrams(config.ngram_sizes, beneath(weights, "model.ngrams")) if config.ngram_sizes else None

    def score_tags(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """As of `ByteTagNetwork`; at padding they mean nothing."""
        return self._read(["tags"], ids, mask)[0]

    def read(self, ids: np.ndarray, mask: np.ndarray) -> Writing:
        """As of `ByteSpanNetwork`."""
        states, *memory = self._read(["states", *(["memory"] if self.config.attention else [])], ids, mask)
        nothing = np.empty((len(ids), 0, 0), dtype=np.float32)
        return Writing(states[:, None], memory[0] if memory else nothing, mask.sum(1))

    def step(self, symbols: np.ndarray, writing: Writing) -> tuple[np.ndarray, Writing]:
        """As of `ByteSpanNetwork`."""
        feed = {"symbols": symbols, "states": writing.states, "memory": writing.memory}
        feed["lengths"] = writing.lengths.astype(np.int32)
        scores, states = self._run("writer", ["scores", "next_states"], feed)
        return scores, writing._replace(states=states)

    def _read(self, outputs: list[str], ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        feed = {"bytes": ids, "lengths": mask.sum(1).astype(np.int32)}
        if self.ngrams is not None:
            codes = np.where(mask & (ids < GO_ID), ids, -1)
            feed["ngrams"] = np.stack(list(self.ngrams.rows_of_bytes(codes)), axis=2)
        if self.config.patch_hidden_size:
            feed["patches"], feed["edges"], counts = patches_of(np.where(mask, ids, -1))
            feed["patch_counts"] = counts.astype(np.int32)
        return self._run("bytes", outputs, feed)

    def _run(self, graph: str, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        taken = {name: array for name, array in feed.items() if name in self.inputs[graph]}
        found: list[np.ndarray] = self.sessions[graph].run(outputs, taken)
        return found

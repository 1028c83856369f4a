"""An exported hierarchical tagger: ONNX Runtime reads words and sentences, the rest is as in the runtime on numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..modeling.onnx_names import SENTENCE, SENTENCES, WORDS, graph_of
from .onnx_sessions import input_names, open_sessions
from .packed_rows import Packed
from .stacks import Weights
from .word_config import WordConfig
from .word_network import Heads


class OnnxWordNetwork(Heads):
    """All of a tagger that has weights, as `WordNetwork`.

    Inputs and outputs of the graphs stand in `modeling/onnx_graph.py`.

    Args:
        folder: where the graphs are, with the weights that they point into.
        graphs: their files by their names; that of a single sentence need not be among them.
        config: the tagger's shape.
        weights: as its folder has them, for heads, and for n-grams, which are found outside of a graph.
        threads: of the graphs.
    """

    def __init__(
        self, folder: str, graphs: Mapping[str, str], config: WordConfig, weights: Weights, threads: int = 1
    ) -> None:
        super().__init__(config, weights)
        wanted = {
            graph_of(part, language) for part in (WORDS, SENTENCES, SENTENCE) for language in config.vocabularies
        }
        self.sessions = open_sessions(folder, {name: graphs[name] for name in wanted & set(graphs)}, threads)
        self.inputs = {name: input_names(session) for name, session in self.sessions.items()}

    def word_table(
        self, ids: np.ndarray, characters: np.ndarray, lengths: np.ndarray, rows: np.ndarray, language: str | None
    ) -> np.ndarray:
        """As of `WordNetwork`."""
        feed = {"words": ids, "characters": rows, "character_lengths": lengths.astype(np.int32)}
        if self.ngrams is not None:
            feed["ngrams"] = self.ngrams.rows_of_words(rows)
        return self._run(graph_of(WORDS, language), "products", feed)

    def encode(self, table: np.ndarray, rows: np.ndarray, packed: Packed, language: str | None) -> np.ndarray:
        """As of `WordNetwork`."""
        feed = {"forward": table[0], "backward": table[1], "rows": packed.grid(rows, np.int64)}
        one, count = graph_of(SENTENCE, language), len(packed.order)
        if count == 1 and one in self.sessions:
            return self._run(one, "states", feed)[:, 0]
        feed["lengths"] = np.bincount(packed.place, minlength=count).astype(np.int32)
        states = self._run(graph_of(SENTENCES, language), "states", feed)
        return states.reshape(-1, states.shape[2])[packed.step * count + packed.place]

    def _run(self, graph: str, output: str, feed: dict[str, np.ndarray]) -> np.ndarray:
        taken = {name: array for name, array in feed.items() if name in self.inputs[graph]}
        found: np.ndarray = self.sessions[graph].run([output], taken)[0]
        return found

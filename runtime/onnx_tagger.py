"""An exported hierarchical tagger: ONNX Runtime computes emissions, and the rest is as in the runtime on numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modeling.onnx_names import SPELLED, emissions_of, words_of
from ..modeling.span_tagging import Sentence
from ..tokenization.word_lookup import padded
from .onnx_sessions import input_names, open_sessions
from .packed_rows import Packed
from .word_network import Heads
from .word_tagger import WordTable, WordTagger
from .word_tokens import WordTokens


class _Spellings(WordTable):
    """What the graph of spelling makes of words' characters, each word read once."""

    def __init__(self, session: Any, network: Heads, tokens: WordTokens) -> None:
        super().__init__(network, tokens, None)
        self.session = session
        self.inputs = input_names(session)

    def _make(self, words: list[str]) -> np.ndarray:
        characters, sizes = self.tokens.spell_out(words)
        spelled = padded(characters, sizes)
        feed = {"characters": spelled, "character_lengths": sizes.astype(np.int32)}
        if self.network.ngrams is not None:
            feed["ngrams"] = self.network.ngrams.rows_of_words(spelled)
        made: np.ndarray = self.session.run([SPELLED], {name: feed[name] for name in self.inputs})[0]
        return made[None]


class _Nothing:
    """In its place, of a tagger that does not read characters."""

    def read(self, words: Any) -> None:
        """Nothing to read."""


class OnnxTagger(WordTagger):
    """Finds the spans of texts, as `WordTagger`, by a graph.

    Args:
        folder: where the graph is, with the weights that it points into.
        graphs: their files, "spelling" and "sentences".
        network: of the tagger, for what comes after emissions.
        tokens: of the tagger.
        threads: of the graph.
    """

    def __init__(
        self, folder: str, graphs: dict[str, str], network: Heads, tokens: WordTokens, threads: int = 1
    ) -> None:
        super().__init__(network, tokens)
        sessions = open_sessions(folder, {name: file for name, file in graphs.items() if name != "model"}, threads)
        self.session = sessions["sentences"]
        self.inputs = input_names(self.session)
        self.spellings = _Spellings(sessions["spelling"], network, tokens) if "spelling" in sessions else None

    def _word_cache(self, language: str | None) -> Any:
        return self.spellings or _Nothing()

    def forward(self, batch: dict[str, Any], head: str | None = None) -> dict[str, Any]:
        """As `WordTagger.forward`."""
        sentences: list[Sentence] = batch["sentences"]
        lengths = np.array([len(part.words) for part in sentences], dtype=np.int64)
        packed = Packed.of(lengths)
        names = self._names(head)
        outputs = {self.network.config.head_key(name): name for name in names}
        run = self.session.run(list(map(emissions_of, outputs)), self._feed(sentences, lengths))
        found = dict(zip(outputs, run, strict=True))
        rows = packed.order[packed.place] * lengths.max() + packed.step
        result = {}
        for name in names:
            emissions = found[self.network.config.head_key(name)]
            packed_emissions = emissions.reshape(-1, emissions.shape[2])[rows]
            result[name] = self.network.head(name).spans(packed_emissions, packed)
        return {**batch, "found": result}

    def _feed(self, sentences: list[Sentence], lengths: np.ndarray) -> dict[str, np.ndarray]:
        """What goes into the graph; see `modeling/onnx_graph.py`."""
        tokens, words = self.tokenizer, [word for part in sentences for word in part.words]
        distinct = {word: row for row, word in enumerate(dict.fromkeys(words))}
        rows = np.fromiter(map(distinct.__getitem__, words), dtype=np.int64, count=len(words))
        inside = np.arange(lengths.max()) < lengths[:, None]
        feed: dict[str, np.ndarray] = {"lengths": lengths.astype(np.int32)}

        def placed(ids: np.ndarray) -> np.ndarray:
            grid = np.zeros(inside.shape, dtype=np.int64)
            grid[inside] = ids
            return grid

        for language in self.network.config.vocabularies:
            ids = np.array(tokens.look_up(list(distinct), language), dtype=np.int64)
            feed[words_of(language)] = placed(ids[rows])
        if self.spellings is not None:
            known = np.array([self.spellings.rows[word] for word in distinct], dtype=np.int64)
            feed |= {"spelling": placed(rows), SPELLED: self.spellings.table[0][known]}
        if self.tokenizer.gazetteer is not None:
            matched = np.concatenate([tokens.gazetteer.match(part.words) for part in sentences])
            features = np.zeros((*inside.shape, matched.shape[1]), dtype=np.float32)
            features[inside] = matched
            feed["gazetteer"] = features
        return {name: array for name, array in feed.items() if name in self.inputs}

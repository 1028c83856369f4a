"""A hierarchical tagger without torch: texts in, spans out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ..modeling.span_tagging import Entity, Sentence, SpanTagging
from ..modeling.word_kinds import WordKinds
from ..tokenization.word_lookup import padded
from .packed_rows import Packed
from .recurring_words import elsewhere
from .word_tokens import WordTokens

_ROWS = 10_000  # words that are kept; where more are wanted at a time, so many
_CHARACTERS = 60_000  # that are read at a time


class WordTable:
    """The words of a language, each read once: its characters, its embedding, and the first product of these.

    When another word has no place, those that are wanted now stay and the others go, so that memory is bounded.

    Attributes:
        rows: each word's row of the table.
        table: float32 `(2, rows, width)`.
        kinds: of the rows' words, for a tagger with `word_memory`; else None.
    """

    def __init__(self, network: Any, tokens: WordTokens, language: str | None) -> None:
        self.network, self.tokens, self.language = network, tokens, language
        self.rows: dict[str, int] = {}
        self.table = np.empty((2, 0, 0), dtype=np.float32)  # until the first words
        self.kinds = WordKinds(tokens) if network.config.word_memory else None

    def read(self, words: Iterable[str]) -> None:
        """Have a row for each of these words."""
        wanted = dict.fromkeys(words)
        new = sorted((word for word in wanted if word not in self.rows), key=len)
        if not new:
            return
        if len(self.rows) + len(new) > self.table.shape[1]:
            self._make_room([word for word in wanted if word in self.rows], len(new))
        for part in _parts(new):
            made, first = self._make(part), len(self.rows)
            if not self.table.shape[2]:
                self.table = np.empty((len(made), max(_ROWS, len(new)), made.shape[2]), dtype=np.float32)
            self.table[:, first : first + len(part)] = made
            self.rows.update(zip(part, range(first, first + len(part)), strict=True))
            if self.kinds is not None:
                self.kinds.add(part)

    def _make_room(self, known: list[str], new: int) -> None:
        kept = self.table[:, [self.rows[word] for word in known]]
        if len(known) + new > self.table.shape[1] and self.table.shape[2]:
            self.table = np.empty((len(kept), len(known) + new, kept.shape[2]), dtype=np.float32)
        self.table[:, : len(known)] = kept
        self.rows = {word: row for row, word in enumerate(known)}
        if self.kinds is not None:
            self.kinds = WordKinds(self.tokens)
            self.kinds.add(known)

    def _make(self, words: list[str]) -> np.ndarray:
        ids = np.array(self.tokens.look_up(words, self.language), dtype=np.int64)
        characters, lengths = self.tokens.spell_out(words)
        return self.network.word_table(ids, characters, lengths, padded(characters, lengths), self.language)


class _Model(NamedTuple):
    """A network under the names by which `SpanTagging` asks for it."""

    network: Any

    @property
    def config(self) -> Any:
        return self.network.config

    def head(self, name: str | None = None) -> Any:
        return self.network.head(name)


class WordTagger(SpanTagging):
    """Finds the spans of texts, as `tagsmith.pipeline` does; see `load`.

    Calls of several threads go through it one after another. What is made of words is kept from call to call.
    """

    def __init__(self, network: Any, tokens: WordTokens) -> None:
        self.model, self.tokenizer = _Model(network), tokens
        self.network = network
        self.shortened, self.says_shortened = 0, True
        self._batch_size = None
        self._preprocess_params, self._forward_params, self._postprocess_params = {}, {}, {}
        self._words: dict[str | None, WordTable] = {}
        self._lock = Lock()

    def pipe(self, texts: Iterable[Any], **options: Any) -> Iterator[list[Entity]]:
        """Tag texts as they come, some batches at a time.

        Args:
            texts: any number of them.
            **options: what a call takes.
        """
        tagged: Any = self(iter(texts), **options)
        yield from tagged

    def _tag(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            super()._tag(*args, **kwargs)

    def _word_cache(self, language: str | None) -> WordTable:
        return self._words.setdefault(language, WordTable(self.network, self.tokenizer, language))

    def forward(self, batch: dict[str, Any], head: str | None = None) -> dict[str, Any]:
        """Sentences to each head's spans `(spans, 4)` (row, first word, end word, label) and scores `(spans,)`."""
        sentences: list[Sentence] = batch["sentences"]
        packed = Packed.of(np.array([len(part.words) for part in sentences], dtype=np.int64))
        features = self._gazetteer_features(sentences, packed)
        by_language: defaultdict[str | None, list[str | None]] = defaultdict(list)
        for name in self._names(head):
            by_language[self.network.config.language(name)].append(name)
        found = {}
        for language, names in by_language.items():
            words: WordTable = batch["caches"][language]
            rows = np.array([words.rows[word] for part in sentences for word in part.words], dtype=np.int64)
            states = self.network.encode(words.table, rows[packed.gather], packed, language)
            parts = [states]
            if words.kinds is not None:
                kinds = np.array(words.kinds.of(rows.tolist()), dtype=np.int64)
                parts.append(elsewhere(states, kinds[packed.gather], packed))
            if features is not None:
                parts.append(features)
            top = np.concatenate(parts, axis=1) if len(parts) > 1 else states
            for name in names:
                chosen = self.network.head(name)
                found[name] = chosen.spans(chosen.emissions(top), packed)
        return {**batch, "found": found}

    def _gazetteer_features(self, sentences: list[Sentence], packed: Packed) -> np.ndarray | None:
        gazetteer = self.tokenizer.gazetteer
        if gazetteer is None or not self.network.config.gazetteer_size:
            return None
        matched = np.concatenate([gazetteer.match(part.words) for part in sentences])
        return matched[packed.gather].astype(np.float32)


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Words in the order of their lengths, of so many characters at a time, padding included."""
    part: list[str] = []
    for word in words:
        if part and (len(part) + 1) * len(word) > _CHARACTERS:
            yield part
            part = []
        part.append(word)
    if part:
        yield part

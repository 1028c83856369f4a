"""The symbols of windows by what scores one after another: greedily, or by beams, as `generate` of transformers does.

Loops run over symbols; each step is of all windows that still write, and of all their beams.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from ..modeling.symbol_rules import FIRST_START, legal_symbols
from ..tokenization.span_codec import GO_ID
from .byte_config import BeamRules
from .byte_network import log_softmax

_NEVER = np.float32(-1e9)  # the score of a beam that is none


def write_spans(
    network: Any, ids: np.ndarray, mask: np.ndarray, recall_bias: float, num_beams: int, rules: BeamRules
) -> tuple[np.ndarray, np.ndarray]:
    """Write each window's spans.

    Args:
        network: with `config`, and `read` and `step` as of `ByteSpanNetwork`.
        ids: int64 `(windows, bytes)`, PAD where a window is shorter.
        mask: bool, of the same shape.
        recall_bias: taken from STOP's score.
        num_beams: how many ways to write a window are followed at a time; 1 for the most probable symbol each time.
        rules: by which beams are compared.

    Returns:
        Symbols `(windows, symbols)`, STOP to the end, and the log probability of each, 0 behind the first STOP.
    """
    grammar = Grammar(network.config, recall_bias)
    if num_beams == 1:
        return _greedy(network, ids, mask, grammar)
    return _by_beams(network, ids, mask, grammar, num_beams, rules)


class Grammar:
    """Scores of symbols as they are chosen by: without those that cannot come, and with the recall bias.

    Attributes:
        stop: the id of STOP.
        most: symbols that a window comes to.
    """

    def __init__(self, config: Any, recall_bias: float) -> None:
        self.window_size, self.span_grammar = config.window_size, config.span_grammar
        self.ids = np.arange(FIRST_START, config.vocab_size)
        self.stop, self.most = FIRST_START + 2 * config.window_size + 1, 3 * config.window_size
        self.bias = np.float32(recall_bias)

    def weigh(self, scores: np.ndarray, previous: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Weigh scores.

        Args:
            scores: `(windows, ways, ids from FIRST_START on)`.
            previous: the ids before, `(windows, ways)`.
            lengths: the bytes of each window, `(windows,)`.
        """
        weighed = scores.copy()
        weighed[..., self.stop - FIRST_START] -= self.bias
        if self.span_grammar:
            weighed[~legal_symbols(self.window_size, self.ids, previous, lengths[:, None], np.where)] = -np.inf
        return weighed


def _greedy(network: Any, ids: np.ndarray, mask: np.ndarray, grammar: Grammar) -> tuple[np.ndarray, np.ndarray]:
    writing, rows = network.read(ids, mask), np.arange(len(ids))
    last = np.full((len(ids), 1), GO_ID)
    written: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while len(rows) and len(written) < grammar.most:
        scores, writing = network.step(last, writing)
        chosen = grammar.weigh(scores, last, writing.lengths).argmax(-1)
        chances = np.take_along_axis(log_softmax(scores), chosen[..., None], 2)
        last = chosen + FIRST_START
        written.append((rows, last[:, 0], chances[:, 0, 0]))
        going = np.flatnonzero(last[:, 0] != grammar.stop)
        if len(going) < len(rows):
            rows, last, writing = rows[going], last[going], writing.take(going)
    symbols = np.full((len(ids), len(written)), grammar.stop)
    log_chances = np.zeros(symbols.shape, dtype=np.float32)
    for step, (which, symbol, chance) in enumerate(written):
        symbols[which, step], log_chances[which, step] = symbol, chance
    return symbols, log_chances


@dataclass
class _Beams:
    """Ways to write windows, the best first: running ones, or whole ones.

    Attributes:
        symbols: `(windows, ways, symbols)`, STOP to the end.
        chances: the log probability of each.
        scores: `(windows, ways)`.
        whole: bool `(windows, ways)`.
    """

    symbols: np.ndarray
    chances: np.ndarray
    scores: np.ndarray
    whole: np.ndarray

    @classmethod
    def none(cls, windows: int, ways: int, grammar: Grammar) -> Self:
        """So many that are none."""
        symbols = np.full((windows, ways, grammar.most), grammar.stop)
        scores = np.full((windows, ways), _NEVER)
        return cls(symbols, np.zeros(symbols.shape, np.float32), scores, np.zeros((windows, ways), bool))

    def take(self, windows: np.ndarray) -> Self:
        """Of some windows, by their numbers."""
        return type(self)(*(getattr(self, field.name)[windows] for field in fields(self)))

    def put(self, windows: np.ndarray, others: Self) -> None:
        """Have some windows written in the first ways of others."""
        for field in fields(self):
            own = getattr(self, field.name)
            own[windows] = getattr(others, field.name)[:, : own.shape[1]]

    def pick(self, ways: np.ndarray) -> Self:
        """Of each window some of its ways `(windows, ways)`."""
        rows = np.arange(len(ways))[:, None]
        return type(self)(*(getattr(self, field.name)[rows, ways] for field in fields(self)))

    def beside(self, other: Self) -> Self:
        """These, and others of the same windows."""
        names = [field.name for field in fields(self)]
        return type(self)(*(np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in names))

    def best(self, count: int) -> Self:
        """The best ones."""
        return self.pick(np.argsort(-self.scores, axis=1, kind="stable")[:, :count])


def _by_beams(
    network: Any, ids: np.ndarray, mask: np.ndarray, grammar: Grammar, count: int, rules: BeamRules
) -> tuple[np.ndarray, np.ndarray]:
    writing, rows = network.read(ids, mask), np.arange(len(ids))
    running, whole = (_Beams.none(len(ids), count, grammar) for _ in range(2))
    running.scores[:, 0] = 0  # at first there is but one way
    found = _Beams.none(len(ids), 1, grammar)
    writing, last = writing.follow(np.zeros((len(ids), count), dtype=np.int64)), np.full((len(ids), count), GO_ID)
    for step in range(grammar.most):
        scores, writing = network.step(last, writing)
        nexts, ways = _continued(running, scores, grammar.weigh(log_softmax(scores), last, writing.lengths), step)
        ended = (nexts.symbols[..., step] == grammar.stop) | (step + 1 == grammar.most)
        whole = whole.beside(_ended(nexts, ended, count, step + 1, rules)).best(count)
        nexts.scores = nexts.scores + _NEVER * ended
        kept = np.argsort(-nexts.scores, axis=1, kind="stable")[:, :count]
        running, writing = nexts.pick(kept), writing.follow(np.take_along_axis(ways, kept, 1))
        going = _can_improve(running, whole, step + 1, grammar.most, rules) & (step + 1 < grammar.most)
        if not going.all():
            found.put(rows[~going], whole.take(~going))
            rows, running, whole, writing = rows[going], running.take(going), whole.take(going), writing.take(going)
        if not len(rows):
            break
        last = running.symbols[..., step]
    width = int((found.symbols != grammar.stop).sum(2).max(initial=-1)) + 1
    return found.symbols[:, 0, :width], found.chances[:, 0, :width]


def _continued(running: _Beams, scores: np.ndarray, weighed: np.ndarray, step: int) -> tuple[_Beams, np.ndarray]:
    """The best continuations of beams, twice as many, so that enough are left when some end; and of which each is."""
    windows, ways, size = scores.shape
    total = (weighed + running.scores[..., None]).reshape(windows, -1)
    top = np.argpartition(-total, 2 * ways - 1, axis=1)[:, : 2 * ways]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(total, top, 1), axis=1, kind="stable"), 1)
    of, symbol = top // size, top % size
    found = running.pick(of)
    found.scores = np.take_along_axis(total, top, 1)
    found.symbols[..., step] = symbol + FIRST_START
    found.chances[..., step] = log_softmax(scores)[np.arange(windows)[:, None], of, symbol]
    return found, of


def _ended(nexts: _Beams, ended: np.ndarray, count: int, length: int, rules: BeamRules) -> _Beams:
    """Continuations as whole beams: those of the best that have ended; the others are none."""
    whole = ended & (np.arange(ended.shape[1]) < count)
    scores = nexts.scores / np.float32(length**rules.length_penalty)
    return _Beams(nexts.symbols, nexts.chances, np.where(whole, scores, scores + _NEVER), whole)


def _can_improve(running: _Beams, whole: _Beams, length: int, most: int, rules: BeamRules) -> np.ndarray:
    """Whether a running beam can still become better than the worst whole one: bool `(windows,)`."""
    if rules.early_stopping == "never" and rules.length_penalty > 0:
        length = most
    possible = running.scores[:, :1] / np.float32(length**rules.length_penalty)
    worst = np.where(whole.whole, whole.scores.min(1, keepdims=True), _NEVER)
    better: np.ndarray = possible > worst
    if rules.early_stopping is True:
        better &= ~whole.whole.all(axis=1, keepdims=True)
    return np.asarray(better.any(axis=1))

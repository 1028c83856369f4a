"""From emissions to spans: the best legal tags, and how probable each of their spans is; in float64, in numpy.

What `modeling/crf.py` and `modeling/state_crf.py` compute. Arrays are time-major, `(time, batch, tags)`, in the order
of `Packed.order`; steps are over time alone. A softmax is a chain of nothing but emissions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..modeling.tag_rules import Spelling, legal_steps, span_edges, span_labels, span_spellings, split_tags
from .packed_rows import Packed

ILLEGAL = -1e30  # for Viterbi: outweighs any sum of scores, and stays finite however often it is added
_SMALLEST = np.finfo(np.float64).tiny * 1024  # what divisors are held above
_FLOOR = math.log(np.finfo(np.float64).tiny) / 2  # a tag far below the best keeps some mass


class _Posterior(NamedTuple):
    """The distribution over legal tag sequences, as a chain from right to left."""

    filtered: np.ndarray | None
    arrivals: np.ndarray | None
    transitions: np.ndarray
    marginals: np.ndarray

    def before(self, word: np.ndarray, row: np.ndarray, previous: np.ndarray, tag: np.ndarray) -> np.ndarray:
        """P(word - 1 has the tag `previous` | word has `tag`); the arguments broadcast."""
        if self.filtered is None or self.arrivals is None:
            chance: np.ndarray = self.transitions[word, row, previous, tag]
            return chance
        mass = self.filtered[word - 1, row, previous] * self.transitions[previous, tag]
        return mass / np.maximum(self.arrivals[word, row, tag], _SMALLEST)


class TagChain:
    """The output of a head.

    Args:
        kind: "static" for a CRF with one score for each pair of tags, "state" for one whose scores of pairs come with
            each word, "softmax" for words by themselves.
        tags: in the order of their ids.
        scheme: how they spell spans.
        weights: `start` and `transitions` of a static CRF.
    """

    def __init__(self, kind: str, tags: Sequence[str], scheme: str, weights: Mapping[str, np.ndarray]) -> None:
        self.kind, self.scheme, self.num_tags = kind, scheme, len(tags)
        self.span_labels = span_labels(tags, scheme)
        self.legal_start, self.legal_transitions, self.legal_end = map(np.array, legal_steps(tags, scheme))
        self.spellings = [(way, np.array(ids).reshape(-1, 4)) for way, ids in span_spellings(tags, scheme)]
        self.opens, self.closes, self.labels = map(np.array, span_edges(tags, scheme))
        names = [name for _, name in split_tags(tags, scheme)]
        self.others = np.array([[name != own for name in names] for own in self.span_labels])
        if kind == "static":
            start, transitions = (weights[name].astype(np.float64) for name in ("start", "transitions"))
            self.start = np.where(self.legal_start, start, ILLEGAL)
            self.transitions = np.where(self.legal_transitions, transitions, ILLEGAL)
            self.start_mass = np.exp(start - start.max()) * self.legal_start
            self.step_mass = np.exp(transitions - transitions.max()) * self.legal_transitions
        self.end = np.where(self.legal_end, 0.0, ILLEGAL)

    def spans(self, emissions: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
        """The spans of the best tags and how probable each is.

        Args:
            emissions: packed, `(rows, tags)`, or scores of pairs `(rows, (1 + tags) * tags)`.
            packed: of the sentences.

        Returns:
            int64 `(spans, 4)`: sentence, first word, end word (exclusive), index into `span_labels`; and `(spans,)`
            float32 scores in [0, 1].
        """
        if not packed.sizes:
            return np.empty((0, 4), dtype=np.int64), np.empty(0, dtype=np.float32)
        lengths = np.bincount(packed.place, minlength=len(packed.order))
        scores = packed.grid(emissions, np.float32 if self.kind == "softmax" else np.float64)
        if self.kind == "state":
            scores = scores.reshape(*scores.shape[:2], 1 + self.num_tags, self.num_tags)
        tags = self.decode(scores, lengths)
        spans = self.read_spans(tags, lengths)
        found = spans.copy()
        found[:, 0] = packed.order[spans[:, 0]]
        if self.kind == "softmax":
            return found, _products(scores, tags, spans).astype(np.float32)
        return found, self.posteriors(scores, lengths, spans).astype(np.float32)

    def decode(self, scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The best tags `(time, batch)`, meaningless at padding: Viterbi over legal paths, or each word's best.

        Args:
            scores: `(time, batch, tags)` or `(time, batch, 1 + tags, tags)`.
            lengths: `(batch,)`, never rising.
        """
        if self.kind == "softmax":
            best_tags: np.ndarray = scores.argmax(2)
            return best_tags
        if self.kind == "state":
            allowed = np.concatenate([self.legal_start[None], self.legal_transitions])
            scores = np.where(allowed, scores, ILLEGAL)
            best = np.empty_like(scores[:, :, 0])
            best[0] = scores[0, :, 0]
            for step in range(1, len(scores)):
                np.maximum.reduce(best[step - 1][:, :, None] + scores[step, :, 1:], axis=1, out=best[step])
        else:
            best = np.empty_like(scores)
            np.add(scores[0], self.start, out=best[0])
            onward = self.transitions[:, None]
            for step in range(1, len(scores)):
                pairs = best[step - 1].T[:, :, None] + onward  # the maximum runs over the outer axis, which is faster
                np.maximum.reduce(pairs, axis=0, out=best[step])
                best[step] += scores[step]
        paths = (best + self.end).argmax(2)
        columns = np.ascontiguousarray(self.transitions.T) if self.kind == "static" else None
        for step in range(len(scores) - 2, -1, -1):
            going = int(np.searchsorted(-lengths, -(step + 1), side="left"))  # those that have a word after this one
            after = paths[step + 1, :going]
            if columns is None:
                scored = np.take_along_axis(scores[step + 1, :going, 1:], after[:, None, None], 2)[:, :, 0]
            else:
                scored = columns[after]
            paths[step, :going] = (scored + best[step, :going]).argmax(1)
        return paths

    def read_spans(self, tags: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The spans that tags `(time, batch)` write, as `spans` gives them, of rows in this order."""
        ids = np.full((len(lengths), len(tags) + 2), self.num_tags)
        inside = np.arange(len(tags)) < lengths[:, None]
        ids[:, 1:-1][inside] = tags.T[inside]
        here = ids[:, 1:-1]
        row, first = np.nonzero(self.opens[ids[:, :-2], here])
        _, last = np.nonzero(self.closes[here, ids[:, 2:]])
        return np.stack([row, first, last + 1, self.labels[here[row, first]]], axis=1)

    def posteriors(self, scores: np.ndarray, lengths: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """P(the words [first, end) are exactly one span of a label) among the legal sequences, of spans of a CRF."""
        total = np.zeros(len(spans))
        if not len(spans):
            return total
        used, row = np.unique(spans[:, 0], return_inverse=True)  # what has no spans needs no chain
        lengths = lengths[used]
        scores = scores[: lengths[0], used]
        spans = np.concatenate([row[:, None], spans[:, 1:]], axis=1)
        chain = self._state_chain(scores, lengths) if self.kind == "state" else self._chain(scores, lengths)
        for spelling, ids in self.spellings:
            total += self._spelled_posteriors(chain, lengths, spans, spelling, ids[spans[:, 3]])
        return total.clip(0, 1)

    def _chain(self, scores: np.ndarray, lengths: np.ndarray) -> _Posterior:
        potentials = np.exp(np.maximum(scores - scores.max(2, keepdims=True), _FLOOR))
        filtered, arrivals = np.empty_like(potentials), np.empty_like(potentials)
        arrivals[0] = self.start_mass
        for step in range(len(scores)):
            here = filtered[step]
            if step:
                np.matmul(filtered[step - 1], self.step_mass, out=arrivals[step])
            np.multiply(arrivals[step], potentials[step], out=here)
            here /= np.maximum(np.add.reduce(here, axis=1, keepdims=True), _SMALLEST)
        marginals = np.zeros_like(filtered)
        rows = np.arange(len(lengths))
        ends = filtered[lengths - 1, rows] * self.legal_end
        marginals[lengths - 1, rows] = ends / np.maximum(ends.sum(1, keepdims=True), _SMALLEST)
        divisors, backwards = np.maximum(arrivals, _SMALLEST), np.ascontiguousarray(self.step_mass.T)
        for step in range(len(scores) - 1, 0, -1):
            message = np.matmul(marginals[step] / divisors[step], backwards)
            message *= filtered[step - 1]
            marginals[step - 1] += message
        return _Posterior(filtered, arrivals, self.step_mass, marginals)

    def _state_chain(self, scores: np.ndarray, lengths: np.ndarray) -> _Posterior:
        allowed = np.concatenate([self.legal_start[None], self.legal_transitions])
        scores = np.where(allowed, scores, -np.inf)
        prefixes, backward = scores[:, :, 0].copy(), np.zeros_like(scores[:, :, 1:])
        for step in range(1, len(scores)):
            pairs = prefixes[step - 1][:, :, None] + scores[step, :, 1:]
            highest = np.maximum(pairs.max(1), ILLEGAL)
            with np.errstate(divide="ignore"):
                prefixes[step] = np.log(np.exp(pairs - highest[:, None]).sum(1)) + highest
            np.exp(pairs - np.maximum(prefixes[step], ILLEGAL)[:, None], out=backward[step])
        marginals, rows = np.zeros_like(prefixes), np.arange(len(lengths))
        ends = np.where(self.legal_end, prefixes[lengths - 1, rows], -np.inf)
        ends = np.exp(ends - np.maximum(ends.max(1, keepdims=True), ILLEGAL))
        marginals[lengths - 1, rows] = ends / np.maximum(ends.sum(1, keepdims=True), _SMALLEST)
        for step in range(len(scores) - 1, 0, -1):
            marginals[step - 1] += (backward[step] * marginals[step][:, None]).sum(2)
        return _Posterior(None, None, backward, marginals)

    def _spelled_posteriors(
        self, chain: _Posterior, lengths: np.ndarray, spans: np.ndarray, spelling: Spelling, tags: np.ndarray
    ) -> np.ndarray:
        """P(a span is there, written in this way), by the chain from its last word back to its first."""
        row, first, end, label = spans.T
        begin, inner, last, only = tags.T
        size, own_lengths = end - first, lengths[row]
        written = np.where(size == 1, only >= 0, (begin >= 0) & (last >= 0) & ((size == 2) | (inner >= 0)))
        last = np.where(size == 1, only, last).clip(min=0)
        result = chain.marginals[end - 1, row, last]
        every = np.arange(self.num_tags)
        if spelling.open_end:
            word = end.clip(max=len(chain.marginals) - 1)
            chance = chain.before(word[:, None], row[:, None], last[:, None], every)
            chance = chance * chain.marginals[word, row] * (every != inner[:, None])
            result = np.where(end < own_lengths, chance.sum(1), result)
        begin, inner = begin.clip(min=0), inner.clip(min=0)
        for back in range(1, int(size.max())):
            word = (end - back).clip(min=1)
            previous = np.where(word - 1 == first, begin, inner)
            chance = chain.before(word, row, previous, last if back == 1 else inner)
            result = np.where(back < size, result * chance, result)
        if spelling.open_start:
            chance = chain.before(first[:, None], row[:, None], every, begin[:, None])
            result = np.where(first > 0, result * (chance * self.others[label]).sum(1), result)
        return result * written


def _products(scores: np.ndarray, tags: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The product of the probabilities of a span's tags, of words by themselves."""
    shifted = scores - scores.max(2, keepdims=True)
    chosen = np.take_along_axis(shifted, tags[:, :, None], 2)[:, :, 0] - np.log(np.exp(shifted).sum(2))
    total = np.concatenate([np.zeros((1, tags.shape[1])), chosen.astype(np.float64).cumsum(0)])
    row, first, end = spans[:, 0], spans[:, 1], spans[:, 2]
    return np.exp(total[end, row] - total[first, row])

"""From emissions to spans: the best legal tags, and how probable each of their spans is; in float64, in numpy.

What `crf.py` and `state_crf.py` compute, for the runtime without torch, and for one sentence at a time, of which
numpy's operations cost less. Arrays are time-major, `(time, batch, tags)`, the longest sentence first; steps are over
time alone. A softmax is a chain of nothing but emissions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .tag_rules import Spelling, legal_steps, span_edges, span_labels, span_spellings, split_tags

ILLEGAL = -1e30  # for Viterbi: outweighs any sum of scores, and stays finite however often it is added
_SMALLEST = np.finfo(np.float64).tiny * 1024  # what divisors are held above
_RANGE = 1e-100  # products of tiny numbers that are above it have not lost digits
_FLOOR = math.log(np.finfo(np.float64).tiny) / 2  # tags that are further below the best are beyond such products


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


class ChainRules(NamedTuple):
    """What a tag scheme says of a head's tags, as arrays.

    Attributes:
        start: bool `(tags,)`, which may begin a sentence.
        transitions: bool `(tags, tags)`, which may follow, [from, to].
        end: bool `(tags,)`, which may end one.
        spellings: the ways to write a span, each with int64 `(labels, 4)`, as `span_spellings` has them.
        opens: bool `(tags + 1, tags + 1)`, as `span_edges` has it.
        closes: the same of ends.
        labels: int64 `(tags,)`, the span label of each tag.
        others: bool `(labels, tags)`, whether a tag is not of a label.
        span_labels: what the spans count.
    """

    start: np.ndarray
    transitions: np.ndarray
    end: np.ndarray
    spellings: list[tuple[Spelling, np.ndarray]]
    opens: np.ndarray
    closes: np.ndarray
    labels: np.ndarray
    others: np.ndarray
    span_labels: tuple[str, ...]


@lru_cache
def chain_rules(tags: tuple[str, ...], scheme: str) -> ChainRules:
    """The rules of tags, in the order of their ids, and of the scheme by which they spell spans."""
    names, labels = [name for _, name in split_tags(tags, scheme)], span_labels(tags, scheme)
    start, transitions, end = map(np.array, legal_steps(tags, scheme))
    opens, closes, ids_of_labels = map(np.array, span_edges(tags, scheme))
    return ChainRules(
        start,
        transitions,
        end,
        [(way, np.array(ids).reshape(-1, 4)) for way, ids in span_spellings(tags, scheme)],
        opens,
        closes,
        ids_of_labels,
        np.array([[name != own for name in names] for own in labels]),
        labels,
    )


class TagChain:
    """The output of a head.

    Args:
        kind: "static" for a CRF with one score for each pair of tags, "state" for one whose scores of pairs come with
            each word, "softmax" for words by themselves.
        tags: in the order of their ids.
        scheme: how they spell spans.
        weights: `start` and `transitions` of a static CRF.

    Attributes:
        span_labels: what the spans count.
    """

    def __init__(self, kind: str, tags: Sequence[str], scheme: str, weights: Mapping[str, np.ndarray]) -> None:
        self.kind, self.num_tags = kind, len(tags)
        self.rules = rules = chain_rules(tuple(tags), scheme)
        self.span_labels = rules.span_labels
        self._weights = {name: weight.astype(np.float64) for name, weight in weights.items()}
        if kind == "static":
            start, transitions = self._weights["start"], self._weights["transitions"]
            self.start = np.where(rules.start, start, ILLEGAL)
            self.transitions = np.where(rules.transitions, transitions, ILLEGAL)
            self.columns = np.ascontiguousarray(self.transitions.T)
            self.tops = start.max(), transitions.max()
            self._narrow = min(start.min() - self.tops[0], transitions.min() - self.tops[1]) >= _FLOOR
            self.start_mass = np.exp(start - self.tops[0]) * rules.start
            self.step_mass = np.exp(transitions - self.tops[1]) * rules.transitions
            nothing = np.zeros_like(self.step_mass)
            self.both_ways = np.block([[self.step_mass, nothing], [nothing, self.step_mass.T]])
        self.end = np.where(rules.end, 0.0, ILLEGAL)

    def is_of(self, weights: Mapping[str, np.ndarray]) -> bool:
        """Whether these weights are what it was made of."""
        return all(np.array_equal(self._weights[name], weight) for name, weight in weights.items())

    def spans(self, scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The spans of the best tags and how probable each is.

        Args:
            scores: emissions `(time, batch, tags)`, or scores of pairs `(time, batch, 1 + tags, tags)`.
            lengths: `(batch,)`, never rising, the first one above 0.

        Returns:
            int64 `(spans, 4)`: sentence, first word, end word (exclusive), index into the span labels; and `(spans,)`
            scores in [0, 1].
        """
        if self.kind == "static" and len(lengths) == 1:
            return self._spans_of_one(scores[: lengths[0], 0])
        tags = self.decode(scores, lengths)
        spans = self.read_spans(tags, lengths)
        if self.kind == "softmax":
            return spans, _products(scores, tags, spans)
        return spans, self.posteriors(scores, lengths, spans)

    def decode(self, scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The best tags `(time, batch)`, meaningless at padding: Viterbi over legal paths, or each word's best.

        Args:
            scores: `(time, batch, tags)` or `(time, batch, 1 + tags, tags)`.
            lengths: `(batch,)`, never rising.
        """
        if self.kind == "softmax":
            best_tags: np.ndarray = scores.argmax(2)
            return best_tags
        if self.kind == "static" and scores.shape[1] == 1:
            return self._way_back(self._best_of_one(scores[:, 0]))[:, None]
        if self.kind == "state":
            allowed = np.concatenate([self.rules.start[None], self.rules.transitions])
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
        going_on = np.searchsorted(-lengths, -np.arange(1, len(scores))).tolist()  # that have a word after this one
        for step in range(len(scores) - 2, -1, -1):
            going = going_on[step]
            after = paths[step + 1, :going]
            if self.kind == "state":
                scored = np.take_along_axis(scores[step + 1, :going, 1:], after[:, None, None], 2)[:, :, 0]
            else:
                scored = self.columns[after]
            paths[step, :going] = (scored + best[step, :going]).argmax(1)
        return paths

    def _spans_of_one(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `spans` of one sentence `(time, tags)` and a static CRF, by fewer operations."""
        best = self._best_of_one(scores)
        spans = self._spans_of_row(self._way_back(best))
        if not len(spans):
            return spans, np.zeros(0)
        length = np.array([len(scores)])
        chain = self._chain_of_one(scores, best) or self._chain(scores[:, None], length)
        chances: np.ndarray = span_posteriors(chain, length[spans[:, 0]], spans, self.rules)
        return spans, chances

    def _best_of_one(self, scores: np.ndarray) -> np.ndarray:
        """The highest sum of a legal path from the start to each tag of one row, `(time, tags)`."""
        best, pairs = np.empty_like(scores), np.empty_like(self.transitions)
        np.add(scores[0], self.start, out=best[0])
        for here, now, before in zip(scores[1:], best[1:], best[:-1, :, None], strict=True):
            np.add(before, self.transitions, out=pairs)
            np.maximum.reduce(pairs, axis=0, out=now)
            now += here
        return best

    def _way_back(self, best: np.ndarray) -> np.ndarray:
        """The best tags `(time,)` of one row."""
        path = [int((best[-1] + self.end).argmax())]
        for before in best[-2::-1]:
            path.append(int((before + self.columns[path[-1]]).argmax()))
        return np.array(path[::-1])

    def read_spans(self, tags: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The spans that tags `(time, batch)` write, as `spans` gives them, of rows in this order."""
        ids = np.full((len(lengths), len(tags) + 2), self.num_tags)
        inside = np.arange(len(tags)) < lengths[:, None]
        ids[:, 1:-1][inside] = tags.T[inside]
        here = ids[:, 1:-1]
        row, first = np.nonzero(self.rules.opens[ids[:, :-2], here])
        _, last = np.nonzero(self.rules.closes[here, ids[:, 2:]])
        return np.stack([row, first, last + 1, self.rules.labels[here[row, first]]], axis=1)

    def _spans_of_row(self, tags: np.ndarray) -> np.ndarray:
        """As `read_spans` of one row `(time,)`."""
        ids = np.full(len(tags) + 2, self.num_tags)
        ids[1:-1] = tags
        first = self.rules.opens[ids[:-2], tags].nonzero()[0]
        spans = np.zeros((len(first), 4), dtype=np.int64)
        if len(first):
            spans[:, 1], spans[:, 3] = first, self.rules.labels[tags[first]]
            np.add(self.rules.closes[tags, ids[2:]].nonzero()[0], 1, out=spans[:, 2])
        return spans

    def posteriors(self, scores: np.ndarray, lengths: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """P(the words [first, end) are exactly one span of a label) among the legal sequences, of spans of a CRF."""
        total = np.zeros(len(spans))
        if not len(spans):
            return total
        if len(lengths) > 1:
            used, row = np.unique(spans[:, 0], return_inverse=True)  # what has no spans needs no chain
            lengths = lengths[used]
            scores = scores[: lengths[0], used]
            spans = np.concatenate([row[:, None], spans[:, 1:]], axis=1)
        chain = self._state_chain(scores, lengths) if self.kind == "state" else self._chain(scores, lengths)
        total += span_posteriors(chain, lengths[spans[:, 0]], spans, self.rules)
        return total

    def _chain(self, scores: np.ndarray, lengths: np.ndarray) -> _Posterior:
        below = scores - scores.max(2, keepdims=True)
        if not self._narrow or below.min() < _FLOOR:
            steps = np.concatenate([self.start[None], self.transitions])
            return self._state_chain(scores[:, :, None] + steps, lengths)
        potentials = np.exp(below)
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
        ends = filtered[lengths - 1, rows] * self.rules.end
        marginals[lengths - 1, rows] = ends / np.maximum(ends.sum(1, keepdims=True), _SMALLEST)
        divisors, backwards = np.maximum(arrivals, _SMALLEST), np.ascontiguousarray(self.step_mass.T)
        for step in range(len(scores) - 1, 0, -1):
            message = np.matmul(marginals[step] / divisors[step], backwards)
            message *= filtered[step - 1]
            marginals[step - 1] += message
        return _Posterior(filtered, arrivals, self.step_mass, marginals)

    def _chain_of_one(self, scores: np.ndarray, best: np.ndarray) -> _Posterior | None:
        """As `_chain` of one row `(time, tags)`, from both its ends at a time; None where that has not the range.

        Each word's scores lose what it adds to the best legal path, so that sums need no scaling on their way.
        """
        if not self._narrow:
            return None
        tags, added = self.num_tags, np.diff(best.max(1), prepend=0.0) - self.tops[1]
        added[0] += self.tops[1] - self.tops[0]
        with np.errstate(over="ignore", invalid="ignore"):
            potentials = np.exp(scores - added[:, None])
            both = np.concatenate([potentials, potentials[::-1]], axis=1)
            both[0] *= np.concatenate([self.start_mass, self.rules.end])
            total = np.empty(2 * tags)
            for here, before in zip(both[1:], both[:-1], strict=True):
                here *= np.dot(before, self.both_ways, out=total)
            filtered, ahead = both[:, :tags], both[::-1, tags:]
            arrivals, marginals = np.empty_like(potentials), filtered.copy()
            arrivals[0] = self.start_mass
            np.matmul(filtered[:-1], self.step_mass, out=arrivals[1:])
            marginals[:-1] *= ahead[1:] @ self.step_mass.T
            marginals[-1] *= self.rules.end
            mass = marginals.sum(1, keepdims=True)
            if not (mass.min() > _RANGE and mass.max() < 1 / _RANGE):
                return None
        marginals /= mass
        return _Posterior(filtered[:, None], arrivals[:, None], self.step_mass, marginals[:, None])

    def _state_chain(self, scores: np.ndarray, lengths: np.ndarray) -> _Posterior:
        allowed = np.concatenate([self.rules.start[None], self.rules.transitions])
        scores = np.where(allowed, scores, -np.inf)
        prefixes, backward = scores[:, :, 0].copy(), np.zeros_like(scores[:, :, 1:])
        for step in range(1, len(scores)):
            pairs = prefixes[step - 1][:, :, None] + scores[step, :, 1:]
            highest = np.maximum(pairs.max(1), ILLEGAL)
            with np.errstate(divide="ignore"):
                prefixes[step] = np.log(np.exp(pairs - highest[:, None]).sum(1)) + highest
            np.exp(pairs - np.maximum(prefixes[step], ILLEGAL)[:, None], out=backward[step])
        marginals, rows = np.zeros_like(prefixes), np.arange(len(lengths))
        ends = np.where(self.rules.end, prefixes[lengths - 1, rows], -np.inf)
        ends = np.exp(ends - np.maximum(ends.max(1, keepdims=True), ILLEGAL))
        marginals[lengths - 1, rows] = ends / np.maximum(ends.sum(1, keepdims=True), _SMALLEST)
        for step in range(len(scores) - 1, 0, -1):
            marginals[step - 1] += (backward[step] * marginals[step][:, None]).sum(2)
        return _Posterior(None, None, backward, marginals)


def span_posteriors(
    chain: Any,
    lengths: Any,
    spans: Any,
    rules: ChainRules,
    where: Callable[..., Any] = np.where,
    array: Callable[..., Any] = np.asarray,
) -> Any:
    """P(the words [first, end) are exactly one span of a label) among the legal sequences.

    It computes with what it is given: arrays here, tensors in `crf.py`.

    Args:
        chain: the distribution over legal tag sequences, with the attribute `marginals` and the method `before` of
            `_Posterior`.
        lengths: `(spans,)`, how many words a span's sentence has.
        spans: int64 `(spans, 4)`, at least one: sentence, first word, end word (exclusive), index of the label.
        rules: of the tags.
        where: the library's own.
        array: what makes one of the library's arrays of one of numpy's.

    Returns:
        `(spans,)` in [0, 1], of the type of the marginals.
    """
    ways = [_written(chain, lengths, spans, way, ids, rules.others, where, array) for way, ids in rules.spellings]
    return sum(ways).clip(0, 1)


def _written(
    chain: Any,
    lengths: Any,
    spans: Any,
    spelling: Spelling,
    ids: np.ndarray,
    others: np.ndarray,
    where: Callable[..., Any],
    array: Callable[..., Any],
) -> Any:
    """P(a span is there, written in this way), by the chain from its last word back to its first."""
    row, first, end, label = spans.T
    begin, inner, last, only = array(ids)[label].T
    size = end - first
    written = where(size == 1, only >= 0, (begin >= 0) & (last >= 0) & ((size == 2) | (inner >= 0)))
    last = where(size == 1, only, last).clip(min=0)
    result = chain.marginals[end - 1, row, last]
    every = array(np.arange(others.shape[1]))
    if spelling.open_end:
        word = end.clip(max=len(chain.marginals) - 1)
        chance = chain.before(word[:, None], row[:, None], last[:, None], every)
        chance = chance * chain.marginals[word, row] * (every != inner[:, None])
        result = where(end < lengths, chance.sum(1), result)
    begin, inner = begin.clip(min=0), inner.clip(min=0)
    for back in range(1, int(size.max())):
        word = (end - back).clip(min=1)
        previous = where(word - 1 == first, begin, inner)
        chance = chain.before(word, row, previous, last if back == 1 else inner)
        result = where(back < size, result * chance, result)
    if spelling.open_start:
        chance = chain.before(first[:, None], row[:, None], every, begin[:, None])
        result = where(first > 0, result * (chance * array(others)[label]).sum(1), result)
    return result * written


def _products(scores: np.ndarray, tags: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The product of the probabilities of a span's tags, of words by themselves."""
    shifted = scores - scores.max(2, keepdims=True)
    chosen = np.take_along_axis(shifted, tags[:, :, None], 2)[:, :, 0] - np.log(np.exp(shifted).sum(2))
    total = np.concatenate([np.zeros((1, tags.shape[1])), chosen.astype(np.float64).cumsum(0)])
    row, first, end = spans[:, 0], spans[:, 1], spans[:, 2]
    return np.exp(total[end, row] - total[first, row])

"""A linear-chain conditional random field over tags: loss, Viterbi decoding, exact token and span posteriors.

The model (Lafferty, McCallum and Pereira 2001) has the form that Yang, Salakhutdinov and Cohen (2016) give it: a START
vector and a transition matrix, no END vector. The loss is the softmax-margin of Gimpel and Smith (2010).

All sums are in float64, as scaled probabilities (Rabiner 1989, section V.A): a step is then one small matrix product,
and a sentence may have any length. The price is a bound: emissions of one word that lie more than some 350 apart (40
in float32) count as that far apart in the loss. Posteriors go by logarithms then, and Viterbi adds scores as they are.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .chain_recursions import (
    LogPartition,
    backward_recursion,
    ends_of,
    forward_recursion,
    potential_floor,
    potentials_of,
    result_type,
    smallest_divisor,
)
from .log_chain import ILLEGAL, LegalPairs
from .tag_chain import chain_rules, span_posteriors
from .tag_grammar import legal_transitions
from .tag_rules import span_labels

PADDING = -100
REDUCTIONS = ("none", "sum", "mean", "token_mean")


def _best_path(emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor) -> Tensor:
    """Viterbi: the tags `(batch, time)` with the highest score, meaningless at padding."""
    emissions = emissions.transpose(0, 1).contiguous()
    time, batch, tags = emissions.shape
    scores, pairs = torch.empty_like(emissions), emissions.new_empty(tags, batch, tags)
    scores[:1] = emissions[:1] + start
    best, outer, onward = scores.unbind(), scores.transpose(1, 2).unsqueeze(3).unbind(), transitions.unsqueeze(1)
    for before, now, emission in zip(outer, best[1:], emissions[1:], strict=False):
        # The maximum runs over the outer axis: several times faster than over a short inner one.
        torch.add(before, onward, out=pairs)
        torch.amax(pairs, 0, out=now).add_(emission)
    paths = (scores + end).argmax(2)
    ends, columns = ends_of(mask).squeeze(2), transitions.t().contiguous()
    tag, ended, some_end = paths.unbind(), ends.unbind(), ends.any(1).tolist()
    # Only the path's own back-pointers are wanted: each is the best tag before one known tag.
    for step in range(time - 2, -1, -1):
        scored = columns.index_select(0, tag[step + 1]).add_(best[step])
        if some_end[step]:
            torch.where(ended[step], tag[step], scored.argmax(1), out=tag[step])
        else:
            torch.argmax(scored, 1, out=tag[step])
    return paths.t()


class LegalChain(NamedTuple):
    """The distribution over legal tag sequences, as a chain from right to left."""

    filtered: Tensor  # these, except for the transitions, (time, batch, tags)
    arrivals: Tensor
    transitions: Tensor
    marginals: Tensor

    def before(self, word: Tensor, row: Tensor, previous: Tensor, tag: Tensor) -> Tensor:
        """P(word - 1 has the tag `previous` | word has `tag`); the arguments broadcast."""
        mass = self.filtered[word - 1, row, previous] * self.transitions[previous, tag]
        return mass / self.arrivals[word, row, tag].clamp(min=smallest_divisor(mass.dtype))

    def pairs(self) -> Tensor:
        """Expected number of each pair of neighbouring tags in each row: `(batch, tags, tags)`, [from, to]."""
        ratios = self.marginals[1:] / self.arrivals[1:].clamp(min=smallest_divisor(self.arrivals.dtype))
        return torch.einsum("tbi,tbj->bij", self.filtered[:-1], ratios) * self.transitions


class ConditionalRandomField(nn.Module):
    """Scores of tag sequences: start + emissions + transitions.

    Every mask is bool `(batch, time)`, True at words, padding at the right of a row; a row may be empty. Left out, all
    positions are words. Emissions may be of any floating type; results are in float32, or in float64 for float64.
    A mask with padding before a word, and shapes that disagree, raise ValueError.

    The loss sums over all sequences, legal or not. Decoding and posteriors know only the legal ones. Where the tags
    allow no legal sequence of a sentence's length (say `B-X` alone in BIOES), posteriors are 0, and decoding returns a
    sequence with as few illegal steps as can be.

    Args:
        num_tags: number of tags.
        labels: tag names in the order of the tag ids; may be left out in the plain scheme.
        scheme: tag scheme of the labels, as for `legal_transitions`.
        cost: softmax-margin cost of a wrong tag; 0 gives the negative log likelihood.

    Raises:
        ValueError: the labels are not `num_tags` distinct names, or not of the scheme.
    """

    legal_start: Tensor
    legal_transitions: Tensor
    legal_end: Tensor

    def __init__(
        self, num_tags: int, labels: list[str] | None = None, scheme: str = "plain", cost: float = 0.0
    ) -> None:
        super().__init__()
        if labels is None and scheme != "plain":
            raise ValueError(f"The scheme {scheme!r} is about tag names. Pass labels, or the scheme 'plain'.")
        self.labels = [str(tag) for tag in range(num_tags)] if labels is None else list(labels)
        distinct = len(set(self.labels))
        if not 1 <= num_tags == len(self.labels) == distinct:
            raise ValueError(f"{num_tags} tags, {len(self.labels)} labels, {distinct} distinct: pass one for each.")
        self.num_tags, self.scheme, self.cost = num_tags, scheme, cost
        self.span_labels = span_labels(self.labels, scheme)
        self._add_parameters()
        for name, shape in (("start", 1), ("transitions", 2), ("end", 1)):
            self.register_buffer(f"legal_{name}", torch.empty([num_tags] * shape, dtype=torch.bool), persistent=False)
        self.reset_parameters()

    @property
    def word_shape(self) -> tuple[int, ...]:
        """Of the scores of a word."""
        return (self.num_tags,)

    def _add_parameters(self) -> None:
        self.start = nn.Parameter(torch.empty(self.num_tags))
        self.transitions = nn.Parameter(torch.empty(self.num_tags, self.num_tags))

    def _reset_scores(self) -> None:
        bound = math.sqrt(6 / (1 + self.num_tags))  # Glorot's for a matrix of one row
        init.uniform_(self.start, -bound, bound)
        init.xavier_uniform_(self.transitions)

    def reset_parameters(self) -> None:
        """Draw the parameters that no checkpoint filled (Glorot and Bengio 2010), and fill the masks of legality.

        The masks are not saved, and `from_pretrained` leaves such buffers as raw memory: `_init_weights` calls this.
        """
        self._reset_scores()
        buffers = (self.legal_start, self.legal_transitions, self.legal_end)
        for buffer, legal in zip(buffers, legal_transitions(self.labels, self.scheme), strict=True):
            init.copy_(buffer, legal)

    def extra_repr(self) -> str:
        return f"num_tags={self.num_tags}, scheme={self.scheme!r}, cost={self.cost}"

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor | None = None, reduction: str = "mean") -> Tensor:
        """The softmax-margin loss: log partition, with `cost` on each wrong tag, less the score of the given tags.

        Args:
            emissions: `(batch, time, tags)`.
            tags: `(batch, time)` ids, -100 at padding.
            mask: `(batch, time)`; a word is where it is True and the tag is not -100.
            reduction: `"none"` for a loss a row `(batch,)`, 0 for an empty one; `"sum"`; `"mean"` over the rows that
                have words; `"token_mean"`, the sum over the number of words. The means of nothing are 0.

        Raises:
            ValueError: an unknown reduction, a tag id out of range, or what the class says of masks and shapes.
        """
        if reduction not in REDUCTIONS:
            raise ValueError(f"Unknown reduction {reduction!r}. Use one of {', '.join(REDUCTIONS)}.")
        scores, words = self._prepare(emissions, mask, tags)
        gold = tags.long().masked_fill(~words, 0)
        charged = scores
        if self.cost:
            given = gold.view(*gold.shape, *[1] * len(self.word_shape))
            charged = scores + self.cost * (given != torch.arange(self.num_tags, device=gold.device))
        losses = self._partition(charged, words) - self._score(scores, gold, words)
        if reduction != "none":
            losses = losses.sum()
        if reduction in ("mean", "token_mean"):
            losses = losses / (words[:, :1] if reduction == "mean" else words).sum().clamp(min=1)
        return losses.to(result_type(emissions))

    def log_partition(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log of the summed exponentiated scores of all sequences, legal or not: `(batch,)`, 0 for an empty row.

        Differentiable once, by the emissions `(batch, time, tags)` and by the parameters.
        """
        return self._partition(*self._prepare(emissions, mask)).to(result_type(emissions))

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """The best legal tag sequences (Viterbi): ids `(batch, time)`, -100 at padding.

        Of equally good sequences it takes the one whose last tag has the lowest id, then the tag before, and so on.
        """
        scores, mask = self._prepare(emissions, mask)
        start = self.start.to(scores.dtype).masked_fill(~self.legal_start, ILLEGAL)
        transitions = self.transitions.to(scores.dtype).masked_fill(~self.legal_transitions, ILLEGAL)
        end = torch.zeros_like(start).masked_fill(~self.legal_end, ILLEGAL)
        return _best_path(scores, start, transitions, end, mask).masked_fill(~mask, PADDING)

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """P(word has tag) among the legal sequences, of the shape of the emissions, 0 at padding."""
        chain = self._legal_chain(*self._prepare(emissions, mask))
        return chain.marginals.transpose(0, 1).to(result_type(emissions))

    @torch.no_grad()
    def expectations(self, emissions: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `marginals`, and how many of each pair of neighbouring tags a row is expected to have, among legal ones.

        Returns:
            Of the shape of the emissions, and `(batch, tags, tags)`, [from, to], which sum to the words less one.
        """
        chain = self._legal_chain(*self._prepare(emissions, mask))
        dtype = result_type(emissions)
        return chain.marginals.transpose(0, 1).to(dtype), chain.pairs().to(dtype)

    @torch.no_grad()
    def span_posteriors(self, emissions: Tensor, mask: Tensor | None, spans: Tensor) -> Tensor:
        """P(the words [start, end) are exactly one span of a label) among the legal sequences.

        Args:
            emissions: `(batch, time, tags)`.
            mask: `(batch, time)`.
            spans: `(spans, 4)` ids: row of the batch, first word, word after the last, index into `span_labels`.

        Returns:
            `(spans,)` in [0, 1]. In the plain scheme every word is a span of its tag, and a longer span has 0.

        Raises:
            ValueError: a span is empty, or its row, words or label do not exist.
        """
        scores, mask = self._prepare(emissions, mask)
        spans = spans.to(scores.device).long()
        self._check_spans(spans, mask)
        if not len(spans):
            return scores.new_zeros(0, dtype=result_type(emissions))
        chain, lengths = self._legal_chain(scores, mask), mask.sum(1)[spans[:, 0]]
        rules, array = chain_rules(tuple(self.labels), self.scheme), partial(torch.as_tensor, device=spans.device)
        found: Tensor = span_posteriors(chain, lengths, spans, rules, torch.where, array)
        return found.to(result_type(emissions))

    def _prepare(self, emissions: Tensor, mask: Tensor | None, tags: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Emissions in the type of the sums, 0 at padding, and a bool mask; checked, at one host transfer."""
        if emissions.dim() < 3 or emissions.shape[2:] != self.word_shape:
            expected = ", ".join(map(str, self.word_shape))
            raise ValueError(f"emissions are {tuple(emissions.shape)}, not (batch, time, {expected} tags).")
        for name, tensor in (("mask", mask), ("tags", tags)):
            if tensor is not None and tensor.shape != emissions.shape[:2]:
                raise ValueError(f"{name}: {tuple(tensor.shape)}, not {tuple(emissions.shape[:2])} as the emissions.")
        # Apple's GPUs have no float64.
        scores = emissions.to(torch.float32 if emissions.device.type == "mps" else torch.float64)
        words = scores.new_ones(scores.shape[:2], dtype=torch.bool) if mask is None else mask.bool()
        if mask is None and tags is None:
            return scores, words
        ids = torch.zeros_like(words, dtype=torch.long) if tags is None else tags
        words = words & (ids != PADDING)
        holes = ~words[:, :-1] & words[:, 1:]
        strange = words & ((ids < 0) | (ids >= self.num_tags))
        if torch.cat([holes, strange], 1).any():
            for row, position in holes.nonzero().tolist():
                raise ValueError(
                    f"Row {row} of the mask (or of the tags, by their -100) has padding at position {position} and a "
                    f"word at position {position + 1}. Move all padding to the right end of the row."
                )
            row, position = strange.nonzero()[0].tolist()
            raise ValueError(
                f"Row {row} of the tags has the id {int(ids[row, position])} at position {position}. "
                f"Use ids from 0 to {self.num_tags - 1}, and -100 for padding."
            )
        return scores.masked_fill(~words.view(*words.shape, *[1] * len(self.word_shape)), 0.0), words

    def _check_spans(self, spans: Tensor, mask: Tensor) -> None:
        if spans.dim() != 2 or spans.shape[1] != 4:
            raise ValueError(f"spans are {tuple(spans.shape)}, not (spans, 4): row, first word, end word, label.")
        row, first, end, label = spans.unbind(1)
        exists = (row >= 0) & (row < len(mask)) & (label >= 0) & (label < len(self.span_labels)) & (first >= 0)
        lengths = nn.functional.pad(mask.sum(1), (0, 1))  # the row that does not exist has no words
        exists &= (first < end) & (end <= lengths[row.where(exists, len(mask))])
        if not exists.all():
            found = int((~exists).nonzero()[0])
            raise ValueError(
                f"Span {found} is {tuple(spans[found].tolist())} (row, first word, end word, label): empty, or not "
                f"inside a row. Pass rows below {len(mask)} and labels below {len(self.span_labels)}."
            )

    def _partition(self, scores: Tensor, mask: Tensor) -> Tensor:
        return LogPartition.apply(scores, self.start.to(scores.dtype), self.transitions.to(scores.dtype), mask)

    def _score(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Score of one tag sequence a row: `(batch,)`."""
        words = scores.gather(2, tags.unsqueeze(2)).squeeze(2) * mask
        steps = self.transitions.flatten()[tags[:, :-1] * self.num_tags + tags[:, 1:]] * mask[:, 1:]
        return (self.start[tags[:, :1]] * mask[:, :1]).sum(1) + words.sum(1) + steps.to(scores.dtype).sum(1)

    def _legal_chain(self, scores: Tensor, mask: Tensor) -> LegalChain | LegalPairs:
        start, transitions = self.start.to(scores.dtype), self.transitions.to(scores.dtype)
        if scores.numel() and any(
            (part.amin(-1) - part.amax(-1)).min() < potential_floor(scores.dtype)
            for part in (start, transitions.flatten(), scores)
        ):
            legal = torch.cat([self.legal_start.unsqueeze(0), self.legal_transitions])
            steps = torch.cat([start.unsqueeze(0), transitions]).masked_fill(~legal, -math.inf)
            return LegalPairs.of(scores.unsqueeze(2) + steps, ends_of(mask) & self.legal_end)
        potentials, _ = potentials_of(scores)
        start = (start - start.max()).exp() * self.legal_start
        transitions = (transitions - transitions.max()).exp() * self.legal_transitions
        filtered, arrivals, _ = forward_recursion(potentials, start, transitions)
        final = filtered * ends_of(mask) * self.legal_end
        final /= final.sum(2, keepdim=True).clamp(min=smallest_divisor(final.dtype))
        marginals, _ = backward_recursion(filtered, arrivals, transitions, final)
        return LegalChain(filtered, arrivals, transitions, marginals)

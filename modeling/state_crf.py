"""A conditional random field whose transitions depend on the state: the score of a pair of tags is `W[y', y] · h`.

So Ma and Hovy (2016, section 2.3) write it, with a bias `b[y', y]`; the linear chain of `crf.py` keeps the bias alone
and adds an emission. Scores come as `(batch, time, 1 + tags, tags)`: at each word from the tag before it to its own.
Row 0 is START, which only the first word has. That is `1 + tags` times what emissions take, and sums are by logarithms
in float64, without a bound.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .chain_recursions import ends_of
from .crf import PADDING, ConditionalRandomField
from .log_chain import ILLEGAL, LegalPairs, LogChain


class _LogPartition(torch.autograd.Function):
    """The log partition of scores `(batch, time, 1 + tags, tags)`, whose gradient is the marginals of pairs."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, mask: Tensor) -> Tensor:
        chain = LogChain.of(scores)
        ctx.save_for_backward(*chain, mask)
        totals = chain.prefixes.logsumexp(2, keepdim=True)
        return (totals * ends_of(mask)).sum((0, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        prefixes, backward, mask = ctx.saved_tensors
        tags, pairs = LogChain(prefixes, backward).marginals(
            prefixes.softmax(2) * (ends_of(mask) * gradient.unsqueeze(1))
        )
        by_word = torch.cat([torch.zeros_like(tags).unsqueeze(2), pairs], 2)
        by_word[:1, :, 0] = tags[:1]
        return by_word.transpose(0, 1), None


class StateConditionalRandomField(ConditionalRandomField):
    """`ConditionalRandomField` over scores of pairs of tags, `(batch, time, 1 + tags, tags)` in place of emissions.

    It has no parameters: the layer that makes the scores has them, start scores and biases among them. All that the
    other class says of masks, legality, types and costs holds; a cost is added to every pair that ends in a wrong tag.
    """

    @property
    def word_shape(self) -> tuple[int, ...]:
        """Of the scores of a word: from START and each tag, to each tag."""
        return self.num_tags + 1, self.num_tags

    def _add_parameters(self) -> None:
        """None."""

    def _reset_scores(self) -> None:
        """Nothing to draw."""

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """The best legal tag sequences (Viterbi): ids `(batch, time)`, -100 at padding; ties as in the other class."""
        scores, mask = self._prepare(emissions, mask)
        steps = self._legal(scores, ILLEGAL).transpose(0, 1)
        start, pairs = steps[:1, :, 0], steps[:, :, 1:]
        best = start.new_empty(len(steps), *start.shape[1:])
        best[:1] = start
        for step in range(1, len(steps)):
            torch.amax(best[step - 1].unsqueeze(2) + pairs[step], 1, out=best[step])
        ends = ends_of(mask)
        paths = (best + torch.zeros_like(best[:1]).masked_fill(~self.legal_end, ILLEGAL) * ends).argmax(2)
        rows = torch.arange(paths.shape[1], device=paths.device)
        for step in range(len(steps) - 2, -1, -1):
            scored = best[step] + pairs[step + 1, rows, :, paths[step + 1]]
            paths[step] = torch.where(ends[step].squeeze(1), paths[step], scored.argmax(1))
        return paths.t().masked_fill(~mask, PADDING)

    def _legal(self, scores: Tensor, illegal: float) -> Tensor:
        """Scores with `illegal` where the scheme allows no step."""
        allowed = torch.cat([self.legal_start.unsqueeze(0), self.legal_transitions])
        return scores.masked_fill(~allowed, illegal)

    def _partition(self, scores: Tensor, mask: Tensor) -> Tensor:
        return _LogPartition.apply(scores, mask)

    def _score(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Score of one tag sequence a row: `(batch,)`."""
        before = torch.nn.functional.pad(tags[:, :-1] + 1, (1, 0)) if tags.shape[1] else tags  # row 0 is START
        cells = scores.flatten(2).gather(2, (before * self.num_tags + tags).unsqueeze(2)).squeeze(2)
        return (cells * mask).sum(1)

    def _legal_chain(self, scores: Tensor, mask: Tensor) -> LegalPairs:
        return LegalPairs.of(self._legal(scores, -math.inf), ends_of(mask) & self.legal_end)

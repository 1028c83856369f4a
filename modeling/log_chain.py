"""Sums over all tag sequences by logarithms, without a bound: what `state_crf.py` is made of, and what `crf.py` takes
where emissions lie too far apart for scaled probabilities.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ILLEGAL = -1e30  # outweighs any sum of scores, and stays finite however often it is added


class LogChain(NamedTuple):
    """The distribution over tag sequences, as a chain from right to left, time-major.

    Attributes:
        prefixes: `(time, batch, tags)`, log of the sum over all prefixes that end in a tag.
        backward: `(time, batch, tags, tags)`, P(tag before | tag), 0 at the first word.
    """

    prefixes: Tensor
    backward: Tensor

    @classmethod
    def of(cls, scores: Tensor) -> LogChain:
        """From scores `(batch, time, 1 + tags, tags)`; -inf is no mass at all."""
        steps = scores.transpose(0, 1)
        prefixes = steps[:, :, 0].clone()
        backward = torch.zeros_like(steps[:, :, 1:])
        for step in range(1, len(steps)):
            pairs = prefixes[step - 1].unsqueeze(2) + steps[step, :, 1:]
            torch.logsumexp(pairs, 1, out=prefixes[step])
            torch.exp(pairs - prefixes[step].clamp(min=ILLEGAL).unsqueeze(1), out=backward[step])
        return cls(prefixes, backward)

    def marginals(self, final: Tensor) -> tuple[Tensor, Tensor]:
        """Of tags `(time, batch, tags)`, and of pairs `(time, batch, tags, tags)`, 0 at the first word.

        Args:
            final: `(time, batch, tags)`, at each row's last word the distribution of its tag, elsewhere 0.
        """
        tags, pairs = final.clone(), torch.zeros_like(self.backward)
        for step in range(len(final) - 1, 0, -1):
            torch.mul(self.backward[step], tags[step].unsqueeze(1), out=pairs[step])
            tags[step - 1] += pairs[step].sum(2)
        return tags, pairs


class LegalPairs(NamedTuple):
    """The distribution over legal sequences, as a chain from right to left, with the interface of `crf.LegalChain`."""

    backward: Tensor
    marginals: Tensor

    def before(self, word: Tensor, row: Tensor, previous: Tensor, tag: Tensor) -> Tensor:
        """P(word - 1 has the tag `previous` | word has `tag`); the arguments broadcast."""
        return self.backward[word, row, previous, tag]

    def pairs(self) -> Tensor:
        """Expected number of each pair of neighbouring tags in each row: `(batch, tags, tags)`, [from, to]."""
        return torch.einsum("tbij,tbj->bij", self.backward, self.marginals)

    @classmethod
    def of(cls, scores: Tensor, ends: Tensor) -> LegalPairs:
        """From scores of pairs and the sequences' last tags.

        Args:
            scores: `(batch, time, 1 + tags, tags)`, from START and each tag to each, -inf where no step is legal.
            ends: bool `(time, batch, tags)`, True at each row's last word for the tags that may end it.
        """
        chain = LogChain.of(scores)
        final = chain.prefixes.masked_fill(~ends, -math.inf).softmax(2).nan_to_num(0.0)
        return cls(chain.backward, chain.marginals(final)[0])

"""How far distributions over tag sequences are apart: what teachers teach a student, and two draws each other."""

from __future__ import annotations

import torch
from torch import Tensor

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.tagger_head import TaggerHead


def cross_entropy(crf: ConditionalRandomField, emissions: Tensor, tags: Tensor, pairs: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy of a distribution over tag sequences under a linear chain, exact from its marginals.

    Scores of a sequence are sums over words and over pairs of neighbours, and so is what is expected of them.

    Args:
        crf: the chain.
        emissions: its emissions, `(batch, words, tags)`.
        tags: the distribution's marginals of each word, `(batch, words, tags)`, 0 at padding.
        pairs: the expected number of each pair of neighbours in each sentence, `(batch, tags, tags)`, [from, to].
        mask: `(batch, words)`, True at words.

    Returns:
        `(batch,)`, 0 for a sentence without words.
    """
    scores = (tags * emissions).sum((1, 2))
    start = (tags[:, :1] * crf.start).sum((1, 2))
    steps = (pairs * crf.transitions).sum((1, 2))
    return crf.log_partition(emissions, mask) - scores - start - steps


def disagreement(head: TaggerHead, one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """How far apart two readings of the same sentences are: each is drawn towards the other as it stands.

    Half of the sum of both Kullback-Leibler divergences, over the tag sequences of a CRF, or over each word's tags of
    a softmax (Ma et al. 2017, *Dropout with Expectation-linear Regularization*; Liang et al. 2021, *R-Drop*). As
    posteriors do, what a CRF is drawn towards knows legal sequences alone: all others lose by it.

    Args:
        head: that has made both, with a CRF of static transitions or a softmax.
        one: its emissions, `(batch, words, tags)`.
        other: as one, by another draw of dropout.
        mask: `(batch, words)`, True at words.

    Returns:
        A scalar, the mean over sentences that have words (over words for a softmax); 0 where both are the same.
    """
    if head.crf is None:
        return _between_words(one, other, mask)
    drawn = one.new_zeros(())
    for towards, from_ in ((one, other), (other, one)):
        tags, pairs = (found.to(one) for found in head.crf.expectations(towards, mask))
        with torch.no_grad():
            least = cross_entropy(head.crf, towards, tags, pairs, mask)
        drawn = drawn + (cross_entropy(head.crf, from_, tags, pairs, mask) - least).sum()
    return drawn / 2 / mask.any(1).sum().clamp(min=1)


def _between_words(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    logs = [emissions.float().log_softmax(-1) for emissions in (one, other)]
    apart = [(towards.detach().exp() * (towards.detach() - from_)).sum(-1) for towards, from_ in (logs, logs[::-1])]
    total: Tensor = (sum(apart) * mask).sum() / 2 / mask.sum().clamp(min=1)
    return total

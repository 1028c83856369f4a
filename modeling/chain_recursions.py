"""Sums over all tag sequences of a linear chain, as scaled probabilities: what `crf.py` is made of.

Rabiner (1989), section V.A: a step is one small matrix product, and a sentence may have any length.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def forward_recursion(potentials: Tensor, start: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sum over all prefixes of the sequences, from left to right.

    Args:
        potentials: exponentiated emissions `(time, batch, tags)`.
        start: exponentiated start scores `(tags,)`.
        transitions: exponentiated transitions `(tags, tags)`, [from, to].

    Returns:
        filtered `(time, batch, tags)`, the distribution of a word's tag given the words up to it; arrivals, of the
        same shape, the mass that comes to a tag before the word's own potential; scales `(time, batch, 1)`, whose
        product up to a word is the sum over the prefixes. Where no sequence has any mass, filtered is 0.
    """
    filtered, arrivals = torch.empty_like(potentials), torch.empty_like(potentials)
    scales = potentials.new_empty(*potentials.shape[:2], 1)
    smallest = smallest_divisor(potentials.dtype)
    arrivals[:1] = start
    previous = None
    for potential, here, arriving, scale in zip(potentials, filtered, arrivals, scales, strict=True):
        if previous is not None:
            torch.mm(previous, transitions, out=arriving)
        torch.mul(arriving, potential, out=here)
        torch.sum(here, 1, keepdim=True, out=scale)
        previous = here.div_(scale.clamp_(min=smallest))
    return filtered, arrivals, scales


def backward_recursion(
    filtered: Tensor, arrivals: Tensor, transitions: Tensor, final: Tensor
) -> tuple[Tensor, Tensor]:
    """Token and pair marginals, from right to left, out of what `forward_recursion` left.

    A step is the chance of the tag before given the tag after: P(i | j) = filtered_i transition_ij / arrival_j.

    Args:
        filtered: `(time, batch, tags)`.
        arrivals: `(time, batch, tags)`.
        transitions: `(tags, tags)`, those of the forward recursion.
        final: `(time, batch, tags)`, at each row's last word the distribution of its tag, elsewhere 0. The result is
            linear in it, so that rows may be weighted.

    Returns:
        Token marginals `(time, batch, tags)`, 0 at padding; pair marginals summed over words and rows, `(tags, tags)`.
    """
    marginals, ratios = final.clone(), torch.zeros_like(final)
    transposed = transitions.t().contiguous()
    divisors, message = arrivals.clamp(min=smallest_divisor(final.dtype)), final.new_empty(final.shape[1:])
    for step in range(len(final) - 1, 0, -1):
        torch.div(marginals[step], divisors[step], out=ratios[step])
        torch.mm(ratios[step], transposed, out=message)
        marginals[step - 1].addcmul_(message, filtered[step - 1])
    pairs = filtered[:-1].flatten(0, 1).t() @ ratios[1:].flatten(0, 1)
    return marginals, pairs * transitions


def smallest_divisor(dtype: torch.dtype) -> float:
    """What divisors are held above: small, but of a reciprocal that may still be summed over tags."""
    return torch.finfo(dtype).tiny * 1024


def result_type(emissions: Tensor) -> torch.dtype:
    """What sums over emissions are given as: at least float32."""
    return torch.promote_types(emissions.dtype, torch.float32)


def potentials_of(emissions: Tensor) -> tuple[Tensor, Tensor]:
    """Exponentials of at most 1 `(time, batch, tags)`, and the highest emissions that they lack `(time, batch)`."""
    highest = emissions.amax(2, keepdim=True)
    scores = (emissions - highest).clamp_(min=potential_floor(emissions.dtype)).exp_()
    return scores.transpose(0, 1).contiguous(), highest.squeeze(2).t()


def potential_floor(dtype: torch.dtype) -> float:
    """How far below a word's best a tag counts: it keeps some mass, as the scheme may leave no other."""
    return math.log(torch.finfo(dtype).tiny) / 2


def ends_of(mask: Tensor) -> Tensor:
    """True at each row's last word: `(batch, time)` to `(time, batch, 1)`."""
    ends = mask.clone()
    ends[:, :-1] &= ~mask[:, 1:]
    return ends.t().unsqueeze(2)


class LogPartition(torch.autograd.Function):
    """The log partition, whose gradient is the marginals: two recursions, and no graph of the steps."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, start: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
        potentials, highest = potentials_of(emissions)
        top_start, top = start.max(), transitions.max()
        weights = (transitions - top).exp()
        filtered, arrivals, scales = forward_recursion(potentials, (start - top_start).exp(), weights)
        ctx.save_for_backward(filtered, arrivals, weights, mask)
        words = (scales.squeeze(2).log() + highest + top) * mask.t()
        return words.sum(0) + (top_start - top) * mask[:, :1].sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        filtered, arrivals, weights, mask = ctx.saved_tensors
        final = filtered * (ends_of(mask) * gradient.unsqueeze(1))
        marginals, pairs = backward_recursion(filtered, arrivals, weights, final)
        return marginals.transpose(0, 1), marginals[:1].sum((0, 1)), pairs, None

"""The CRF layer alone: tagsmith's beside pytorch-crf's, for peers.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchcrf import CRF

from tagsmith.modeling.crf import PADDING, ConditionalRandomField


class Shape(NamedTuple):
    """Of a batch; ragged lengths are spread evenly from 1 to `words`."""

    name: str
    words: int
    tags: int
    ragged: bool = False


BATCH = 32
SHAPES = (
    Shape("50 words, 17 tags, all full", 50, 17),
    Shape("50 words, 17 tags, ragged", 50, 17, True),
    Shape("20 words, 9 tags, all full", 20, 9),
)


def batch_of(shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Emissions `(batch, time, tags)`, tags `(batch, time)` and a mask `(batch, time)`, True at words."""
    generator = torch.Generator().manual_seed(1)
    emissions = torch.randn(BATCH, shape.words, shape.tags, generator=generator)
    tags = torch.randint(shape.tags, (BATCH, shape.words), generator=generator)
    lengths = torch.linspace(1, shape.words, BATCH).long() if shape.ragged else torch.full((BATCH,), shape.words)
    return emissions, tags, torch.arange(shape.words) < lengths[:, None]


def layers(tags: int) -> tuple[ConditionalRandomField, CRF]:
    """Both layers with the same weights; pytorch-crf has scores of the last tag besides, here 0."""
    ours, theirs = ConditionalRandomField(tags), CRF(tags, batch_first=True)
    with torch.no_grad():
        theirs.start_transitions.copy_(ours.start)
        theirs.transitions.copy_(ours.transitions)
        theirs.end_transitions.zero_()
    return ours, theirs


def works(shape: Shape) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """The loss with its gradient, and Viterbi decoding, by tagsmith and by pytorch-crf."""
    ours, theirs = layers(shape.tags)
    emissions, tags, mask = batch_of(shape)
    emissions.requires_grad_()
    padded = tags.masked_fill(~mask, PADDING)

    def our_loss() -> Tensor:
        emissions.grad = None
        loss = ours(emissions, padded, mask)
        loss.backward()
        return loss

    def their_loss() -> Tensor:
        emissions.grad = None
        loss = -theirs(emissions, tags, mask=mask, reduction="mean")
        loss.backward()
        return loss

    given = emissions.detach()

    @torch.no_grad()
    def their_paths() -> list[list[int]]:
        return theirs.decode(given, mask=mask)

    return {"loss and gradient": (our_loss, their_loss), "decoding": (lambda: ours.decode(given, mask), their_paths)}


def milliseconds(work: Callable[[], Any], seconds: float) -> float:
    """Of a call, on average."""
    calls, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds or not calls:
        work()
        calls += 1
    return took / calls * 1e3


def measure(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Rows of `{"shape", "words", "work", "tagsmith", "pytorch-crf"}`; the last two are milliseconds, one a round."""
    rows, calls = [], []
    for shape in SHAPES:
        words = int(batch_of(shape)[2].sum())
        for name, pair in works(shape).items():
            rows.append({"shape": shape.name, "words": words, "work": name, "tagsmith": [], "pytorch-crf": []})
            calls.append(pair)
            for work in pair * 3:  # caches fill
                work()
    for _ in range(rounds):
        for row, (ours, theirs) in zip(rows, calls, strict=True):
            row["tagsmith"].append(milliseconds(ours, seconds))
            row["pytorch-crf"].append(milliseconds(theirs, seconds))
    return rows

"""Folds of a corpus: whole documents, or stretches of sentences where documents are too few."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tagsmith.tokenization.input_error import InputError


class Folds(NamedTuple):
    """Which fold each sentence is in.

    Attributes:
        numbers: `(sentences,)`, from 0.
        by_document: whether no document is in two folds.
    """

    numbers: np.ndarray
    by_document: bool


def cut_folds(documents: Sequence[object], words: Sequence[int], folds: int, shift: float = 0.0) -> Folds:
    """Cut a corpus into folds of about as many words, each a stretch of it (or two, at its ends).

    Where there are fewer documents than folds, or one so long that a fold would be left empty, sentences that follow
    each other are cut apart instead.

    Args:
        documents: of each sentence, anything that tells it from the next one.
        words: how many each sentence has.
        folds: how many.
        shift: by which share of the corpus the borders move on, so that other seeds have other folds.

    Raises:
        InputError: fewer than two folds, or fewer sentences than folds.
    """
    if folds < 2:
        raise InputError(f"{folds} folds: what is held out needs something to be trained on", fix="Use --folds 2.")
    if len(words) < folds:
        found = f"{len(words)} sentences cannot be cut into {folds} folds"
        raise InputError(found, fix=f"Give more data, or --folds {max(2, len(words))}." if len(words) > 1 else None)
    changes = np.array([one != two for one, two in pairwise(documents)], dtype=bool)
    units = np.concatenate([[0], np.cumsum(changes)]).astype(int)
    numbers = _cut(units, words, folds, shift)
    if len(np.unique(numbers)) == folds:
        return Folds(numbers, True)
    return Folds(_cut(np.arange(len(words)), words, folds, shift), False)


def _cut(units: np.ndarray, words: Sequence[int], folds: int, shift: float) -> np.ndarray:
    """The fold of each sentence; a unit goes where its middle lies."""
    sizes = np.bincount(units, weights=np.maximum(words, 1))
    middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    numbers = (((middles + shift) % 1.0) * folds).astype(int).clip(max=folds - 1)
    if len(np.unique(numbers)) < folds <= len(sizes) == len(words):  # sentences of very unlike lengths
        numbers = np.arange(len(sizes)) * folds // len(sizes)
    return numbers[units]

"""Suspects ranked by how probable it is that they are wrong: a small logistic model for each kind of planted error.

The command plants errors into copies of the corpus, trains a tagger on each, and looks how what it planted differs
from what stands there otherwise. So the weights of all evidence are learnt on the corpus itself: what a tagger makes
of an annotation that it has learnt, how far one that has not can be trusted on names that it has never seen, how
consistent the annotation is, which borders it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.opinions import Opinion
from tagsmith.training.doubts.planting import Planted, plant_errors
from tagsmith.training.doubts.suspects import Suspect, Witness

SHARE = 0.03  # of the spans that are thought to be wrong, before anything is known
PLANTED = 0.06  # of the spans that are spoiled in each copy
_EACH = 0.1  # of the spans that one round spoils without training
_ENOUGH = 3000  # errors that are planted so
_ROUNDS = 30
_PENALTY = 1.0
_DOUBTED = 0.5  # a suspect of the corpus itself that scores above is taken neither for right nor for wrong
_SORTS = ((True, ("label", "border", "superfluous")), (False, ("missing",)))


class Copy(NamedTuple):
    """A copy of the corpus with errors, and what a tagger that has learnt it says, if there is one."""

    sentences: Sequence[Audited]
    planted: Sequence[Planted]
    opinions: Sequence[Opinion] | None


class Logistic:
    """Logistic regression with a penalty on squares, over features that it brings to one scale."""

    def fit(self, features: np.ndarray, wrong: np.ndarray, weights: np.ndarray) -> Logistic:
        """Fit by L-BFGS.

        Args:
            features: `(rows, features)`.
            wrong: `(rows,)`, 1 or 0.
            weights: `(rows,)`, of the rows.
        """
        self.middle = np.average(features, axis=0, weights=weights)
        self.scale = features.std(axis=0) + 1e-6
        x = torch.from_numpy((features - self.middle) / self.scale)
        y, w = torch.from_numpy(wrong.astype(float)), torch.from_numpy(weights.astype(float))
        theta = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                x @ theta[1:] + theta[0], y, reduction="none"
            )
            loss = (losses * w).sum() + _PENALTY / 2 * theta[1:].square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        self.theta = theta.detach().numpy()
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """How probable it is that each row is wrong, `(rows,)`."""
        z = (features - self.middle) / self.scale @ self.theta[1:] + self.theta[0]
        return 1 / (1 + np.exp(-np.clip(z, -40, 40)))


def rank(witness: Witness, copies: Sequence[Copy], seed: int = 1) -> list[Suspect]:
    """The suspects of a corpus, the most probable errors first.

    First they are judged by all but what taggers have learnt, which takes no training: errors can be planted by the
    thousand. That score and the opinion of those that have learnt the annotation then make the last one.

    Args:
        witness: of the corpus.
        copies: one at least.
        seed: of the planted errors.
    """
    numbers, spans = range(len(witness.sentences)), [sentence.spans for sentence in witness.sentences]
    views = [witness.suspects(numbers, spans, copy.opinions) for copy in copies]
    touched = [{error.sentence for error in copy.planted} for copy in copies]
    planted, share = _planted(witness, seed)
    learnt: dict[str, list[Suspect]] = {kind: [] for _, kinds in _SORTS for kind in kinds}
    for copy in copies:
        for error, suspect in _of_planted(witness, copy):
            learnt[_kind(error)].append(suspect)
    errors = sum(len(copy.planted) for copy in copies) / max(sum(map(len, spans)), 1)
    for present, kinds in _SORTS:
        own = [suspect for suspect in views[0] if (suspect.present is not None) == present]
        wrong = {kind: [suspect.features for suspect in planted[kind]] for kind in kinds if planted[kind]}
        if not own or not wrong:
            continue
        model = _Kinds(wrong, share)
        model.judge(own)
        others = [learnt[kind] for kind in kinds if learnt[kind]]
        if others:
            fit = [[s for s in view if (s.present is not None) == present] for view in views]
            _join(own, fit, touched, others, model, errors)
    return sorted(views[0], key=lambda suspect: (-suspect.score, suspect.sentence, suspect.place))


class _Kinds:
    """A logistic model for each kind of error of a sort of suspects.

    Args:
        wrong: features of planted errors, by kind.
        share: of the spans, how many were planted.
    """

    def __init__(self, wrong: Mapping[str, Sequence[np.ndarray]], share: float) -> None:
        self.wrong, self.share = {kind: np.stack(rows) for kind, rows in wrong.items()}, share
        self.models: list[Logistic] = []

    def judge(self, own: Sequence[Suspect]) -> None:
        """Fit on the corpus's own suspects, and score them."""
        right = np.stack([suspect.features for suspect in own])
        kept = np.ones(len(own), dtype=bool)
        for _ in range(2):  # once more without those of the corpus's own that look wrong
            self.models = []
            for rows in self.wrong.values():
                labels = np.concatenate([np.zeros(kept.sum()), np.ones(len(rows))])
                weights = np.concatenate([np.ones(kept.sum()), np.full(len(rows), SHARE / self.share)])
                self.models.append(Logistic().fit(np.concatenate([right[kept], rows]), labels, weights))
            chances = np.stack([model.predict(right) for model in self.models])
            kept = chances.max(0) < _DOUBTED
            if not kept.any():
                break
        kinds = list(self.wrong)
        for suspect, score, best in zip(own, self.scores(own).tolist(), chances.argmax(0).tolist(), strict=True):
            suspect.score = score
            suspect.decide(kinds[best])

    def scores(self, suspects: Sequence[Suspect]) -> np.ndarray:
        """How probable it is that suspects are wrong in any way, `(suspects,)`."""
        rows = np.stack([suspect.features for suspect in suspects])
        scores: np.ndarray = 1 - np.stack([1 - model.predict(rows) for model in self.models]).prod(0)
        return scores


def _join(
    own: Sequence[Suspect],
    views: Sequence[Sequence[Suspect]],
    touched: Sequence[set[int]],
    planted: Sequence[Sequence[Suspect]],
    model: _Kinds,
    share: float,
) -> None:
    """Score suspects again, with what the taggers say that have learnt them.

    Args:
        own: of the corpus, with their scores so far.
        views: the same as seen by the tagger of each copy.
        touched: the sentences of each copy that have planted errors, of which its tagger says nothing here.
        planted: in the copies, by kind.
        model: of the scores so far.
        share: of the spans, how many are planted.
    """
    before = _logits(np.array([suspect.score for suspect in own]))
    rows, owners = [], []
    for view, spoiled in zip(views, touched, strict=True):
        chosen = [n for n, suspect in enumerate(view) if suspect.sentence not in spoiled]
        rows += [[before[n], *view[n].learnt] for n in chosen]
        owners += chosen
    if not rows:  # every sentence of every copy has an error
        return
    right, owner = np.array(rows), np.array(owners)
    counts = np.bincount(owner, minlength=len(own))
    fine = np.ones(len(right))
    for suspects in planted:
        scores = _logits(model.scores(suspects))
        wrong = np.array([[score, *suspect.learnt] for score, suspect in zip(scores, suspects, strict=True)])
        labels = np.concatenate([np.zeros(len(right)), np.ones(len(wrong))])
        weights = np.concatenate([1 / counts[owner], np.full(len(wrong), SHARE / share)])
        fine *= 1 - Logistic().fit(np.concatenate([right, wrong]), labels, weights).predict(right)
    sums = np.bincount(owner, _logits(1 - fine), minlength=len(own))
    for number, suspect in enumerate(own):
        if counts[number]:  # else every copy has an error in its sentence, and the score so far stands
            suspect.score = float(1 / (1 + np.exp(-sums[number] / counts[number])))


def _logits(chances: np.ndarray) -> np.ndarray:
    inside = np.clip(chances, 1e-6, 1 - 1e-6)
    logits: np.ndarray = np.log(inside / (1 - inside))
    return logits


def _planted(witness: Witness, seed: int) -> tuple[dict[str, list[Suspect]], float]:
    """The suspects of errors that are planted without training, by kind; and their share of the spans."""
    found: dict[str, list[Suspect]] = {kind: [] for _, kinds in _SORTS for kind in kinds}
    errors = 0
    for number in range(_ROUNDS):
        spoiled, planted = plant_errors(witness.sentences, _EACH, 1_000_000 + seed * 1000 + number)
        errors += len(planted)
        for error, suspect in _of_planted(witness, Copy(spoiled, planted, None)):
            found[_kind(error)].append(suspect)
        if errors >= _ENOUGH or not planted:
            break
    return found, max(errors / max(sum(len(sentence.spans) for sentence in witness.sentences), 1), 1e-9)


def _of_planted(witness: Witness, copy: Copy) -> list[tuple[Planted, Suspect]]:
    """Planted errors, each with the suspect that would be right; those that no suspect meets are left out."""
    by_sentence: dict[int, list[Planted]] = {}
    for error in copy.planted:
        by_sentence.setdefault(error.sentence, []).append(error)
    numbers = sorted(by_sentence)
    spans = [copy.sentences[number].spans for number in numbers]
    found: dict[tuple[int, Planted], Suspect] = {}
    for suspect in witness.suspects(numbers, spans, copy.opinions):
        for error in by_sentence[suspect.sentence]:
            best = found.get((suspect.sentence, error))
            if _meets(suspect, error) and (best is None or best.features[0] < suspect.features[0]):
                found[suspect.sentence, error] = suspect
    return [(error, suspect) for (_, error), suspect in found.items()]


def _kind(error: Planted) -> str:
    """The kind of an error, as a model is made for it."""
    if error.kind == "inconsistent":
        return "missing" if error.after is None else "label"
    return error.kind


def _meets(suspect: Suspect, error: Planted) -> bool:
    if suspect.present is not None:
        return suspect.present == error.after
    if error.after is not None or error.before is None:
        return False
    places = [(span.start, span.end) for span in suspect.expected]
    return places == [(error.before.start, error.before.end)]

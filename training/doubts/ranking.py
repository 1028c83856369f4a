"""Suspects ranked by how probable it is that they are wrong: small logistic models of errors planted on purpose.

The command plants errors into the corpus's own annotation and looks how they differ from what stands there otherwise.
So the weights of each kind of evidence are learnt on the corpus itself: how far its taggers can be trusted on names
that they have never seen, how consistent its annotation is, which borders it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.planting import Planted, plant_errors
from tagsmith.training.doubts.suspects import Suspect, Witness

SHARE = 0.03  # of the spans that are thought to be wrong, before anything is known
_EACH = 0.1  # of the spans that one round spoils
_ENOUGH = 3000  # planted errors
_ROUNDS = 30
_PENALTY = 1.0
_DOUBTED = 0.5  # a suspect of the corpus itself that scores above is taken neither for right nor for wrong


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


def rank(witness: Witness, seed: int = 1) -> list[Suspect]:
    """The suspects of a corpus, the most probable errors first.

    Args:
        witness: of the corpus.
        seed: of the planted errors.
    """
    numbers = range(len(witness.sentences))
    own = list(witness.suspects(numbers, [sentence.spans for sentence in witness.sentences]))
    planted, share = _planted(witness, seed)
    for present in (True, False):
        right, wrong = ([s for s in part if (s.present is not None) == present] for part in (own, planted))
        _judge(right, wrong, share)
    return sorted(own, key=lambda suspect: (-suspect.score, suspect.sentence, suspect.place))


def _judge(own: Sequence[Suspect], planted: Sequence[Suspect], share: float) -> None:
    """Give suspects of one sort their scores; where nothing could be planted, all score the same."""
    if not own:
        return
    if not planted:
        for suspect in own:
            suspect.score = SHARE
        return
    right = np.stack([suspect.features for suspect in own])
    wrong = np.stack([suspect.features for suspect in planted])
    kept = np.ones(len(own), dtype=bool)
    scores = np.zeros(len(own))
    for _ in range(2):  # once more without those of the corpus's own that look wrong
        features = np.concatenate([right[kept], wrong])
        labels = np.concatenate([np.zeros(kept.sum()), np.ones(len(wrong))])
        weights = np.concatenate([np.ones(kept.sum()), np.full(len(wrong), SHARE / share)])
        scores = Logistic().fit(features, labels, weights).predict(right)
        kept = scores < _DOUBTED
        if not kept.any():
            break
    for suspect, score in zip(own, scores, strict=True):
        suspect.score = float(score)


def _planted(witness: Witness, seed: int) -> tuple[list[Suspect], float]:
    """The suspects of planted errors, and the share of the spans that all rounds together have spoiled."""
    found: list[Suspect] = []
    spans = sum(len(sentence.spans) for sentence in witness.sentences)
    errors = 0
    for number in range(_ROUNDS):
        spoiled, planted = plant_errors(witness.sentences, _EACH, seed * 1000 + number)
        errors += len(planted)
        found += _of_planted(witness, spoiled, planted)
        if errors >= _ENOUGH or not planted:
            break
    return found, max(errors / max(spans, 1), 1e-9)


def _of_planted(witness: Witness, spoiled: Sequence[Audited], planted: Iterable[Planted]) -> list[Suspect]:
    by_sentence: dict[int, list[Planted]] = {}
    for error in planted:
        by_sentence.setdefault(error.sentence, []).append(error)
    numbers = sorted(by_sentence)
    spans = [spoiled[number].spans for number in numbers]
    found: dict[tuple[int, Planted], Suspect] = {}
    for suspect in witness.suspects(numbers, spans):
        for error in by_sentence[suspect.sentence]:
            if suspect.present is not None and suspect.present == error.after:
                found[suspect.sentence, error] = suspect
            elif suspect.present is None and error.after is None and error.before is not None:
                (candidate,) = suspect.expected
                if candidate[:2] == error.before[:2]:
                    best = found.get((suspect.sentence, error))
                    if best is None or best.features[0] < suspect.features[0]:
                        found[suspect.sentence, error] = suspect
    return list(found.values())

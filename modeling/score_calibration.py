"""Scores that mean what they say: of spans that score 0.9, nine of ten are right.

Guo et al. (2017), *On Calibration of Modern Neural Networks*, divide logits by a temperature. Here it is the logit of
the span's own score, with a shift beside it (Platt 1999), so that which spans are found does not change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_SMALLEST = 1e-12


class ScoreCalibration(NamedTuple):
    """How a head's scores are read.

    Attributes:
        temperature: by which the logit of a score is divided; above 1 scores become less sure.
        shift: that is added to it then.
        min_scores: by label, spans that score below are left out, unless a call says otherwise.
    """

    temperature: float = 1.0
    shift: float = 0.0
    min_scores: Mapping[str, float] = {}

    @classmethod
    def of(cls, config: Any, head: str | None = None) -> ScoreCalibration:
        """That of a head in a configuration; that of a tagger of one head is under the empty name."""
        return cls(**(config.calibration or {}).get(head or "", {}))

    def __call__(self, score: float) -> float:
        """A score after calibration, from 0 to 1."""
        if self.temperature == 1.0 and self.shift == 0.0:
            return score
        inside = min(max(score, _SMALLEST), 1 - _SMALLEST)
        logit = math.log(inside / (1 - inside)) / self.temperature + self.shift
        return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0

    def keeps(self, label: str, score: float, min_score: float | None, otherwise: float = 0.0) -> bool:
        """Whether a span of a calibrated score is given.

        Args:
            label: of the span.
            score: after calibration.
            min_score: what a call asks for, or None.
            otherwise: of labels that have no threshold here, where a call asks for nothing.
        """
        least = self.min_scores.get(label, otherwise) if min_score is None else min_score
        return score >= least


def check_calibration(calibration: Mapping[str, Mapping[str, Any]] | None) -> None:
    """See that a configuration's calibration can be used.

    Raises:
        ValueError: an unknown field, a temperature that is not above 0, a threshold outside [0, 1].
    """
    for head, fields in (calibration or {}).items():
        if unknown := set(fields) - set(ScoreCalibration._fields):
            raise ValueError(f"calibration of {head!r} has {min(unknown)!r}; it has temperature, shift, min_scores.")
        own = ScoreCalibration(**fields)
        if not (0 < own.temperature < math.inf and math.isfinite(own.shift)):
            raise ValueError(f"calibration of {head!r}: the temperature must be above 0, and both numbers finite.")
        if not all(0 <= least <= 1 for least in own.min_scores.values()):
            raise ValueError(f"calibration of {head!r}: min_scores must lie between 0 and 1.")

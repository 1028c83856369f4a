"""Figures of taggers, for the extra `plots`: learning curves, confusions, states and characters laid out in a plane.

Imports `training.evaluation` and below; only commands import it.
"""

from __future__ import annotations

"""Training runs: recipes, vocabularies, and one run a family that leaves a folder with a finished tagger.

Imports `training.trainers`, `training.cards` and below; only commands import it.
"""

from __future__ import annotations

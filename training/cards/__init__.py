"""What is told of a tagger and sent to the Hub: results, the model card, and the files that are published.

Imports `training.tagging`, `training.data` and below; a training run writes through it.
"""

from __future__ import annotations

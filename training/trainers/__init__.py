"""`transformers.Trainer` for taggers: of one head, of several heads, and of bytes; weight averages and progress.

Imports `training.evaluation` and below; a trainer knows nothing of recipes, folders or commands.
"""

from __future__ import annotations

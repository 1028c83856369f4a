"""`transformers.Trainer` for taggers: of one head, of several heads, and of bytes; weight averages and progress.

Imports `training.evaluation`, `training.cards` (what a push sends) and below; knows nothing of recipes or commands.
"""

from __future__ import annotations

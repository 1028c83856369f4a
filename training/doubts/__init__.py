"""What may be wrong: a tagger's errors, two taggers side by side, annotations that look wrong, what to annotate.

Imports `training.runs`, `training.evaluation` and below; only commands import it.
"""

from __future__ import annotations

"""The runtime: saved taggers on numpy and tokenizers alone, without torch and transformers.

`load(FOLDER)` gives what `tagsmith.pipeline(FOLDER)` gives: the same spans, scores that differ by rounding alone.
Files import their siblings, and of `modeling` and `tokenization` those that do without torch: the distribution
`tagsmith-runtime` holds no more (`tagsmith_runtime/pyproject.toml`).
"""

from __future__ import annotations

from ..tokenization.input_error import InputError as InputError
from .loading import load as load

__all__ = ["InputError", "load"]

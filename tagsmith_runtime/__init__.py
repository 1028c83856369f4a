"""tagsmith's runtime by the name of its own distribution: saved taggers on numpy and tokenizers alone.

Where tagsmith is installed these are the names of `tagsmith.runtime`; the distribution `tagsmith-runtime` brings its
files along.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("tagsmith") is not None:
    from tagsmith.runtime import InputError as InputError
    from tagsmith.runtime import load as load
else:
    from .runtime import InputError as InputError
    from .runtime import load as load

__all__ = ["InputError", "load"]

"""Annotated data: strict readers of files and data sets, the corpora made of them, and what a check finds in them.

Imports `tokenization` and `training.machine`; everything else in `training` may import it.
"""

from __future__ import annotations

"""Taggers inside other people's systems: a component of spaCy, a function over columns.

Imports `training.tagging`; whatever it is made for is imported only where it is used.
"""

from __future__ import annotations

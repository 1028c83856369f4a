"""The numbers by which n-grams are hashed; they are part of the file format (see `ngram_embedding.py`)."""

from __future__ import annotations

BASE, PRIME = 1_000_003, 2**31 - 1
BOUNDARY = 0x110000  # stands before and behind a word; behind the last code point

"""A corpus that has been changed, and what is known of it by its making."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PARTS = ["NOUN", "VERB", "ADP", "PROPN", "PUNCT", "DET", "ADJ", "NUM"]
HUGE = "9" * 5000

Rows = list[list[str]]  # a row without fields is a blank line


@dataclass
class Mutant:
    """A file, and what is known of it by its making."""

    kind: str  # "columns", "json", "text" or "recipe"
    format: str  # for the table of results
    name: str = "corpus.conll"
    content: bytes = b""
    options: dict[str, Any] = field(default_factory=dict)  # of the reader
    separator: str = "\t"
    word: int = 0
    tag: int = 1
    ids: bool = False
    plain: bool = False
    outside: str = ""  # what the file has for O
    label_first: bool = False  # as `PER-B`
    changes: list[str] = field(default_factory=list)

"""How annotated files are read: one record of choices, from the command line down to the readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import canonical_scheme
from tagsmith.training.data.label_map import read_map
from tagsmith.training.data.offsets import CHARACTERS, KINDS

_CHOICES = {"on_error": ("convert", "raise"), "offsets": tuple(KINDS), "separator": ("auto", "tab", "whitespace")}


@dataclass(frozen=True)
class ReadingOptions:
    """The choices of every reader; one that does not concern a file's format is not looked at.

    Attributes:
        tag_column: of a column file: a 0-based number (ids count as a column), negative from the end, or a name: one
            of CoNLL-U's ten, or of those that `# global.columns =` gives. By default the last column; in CoNLL-U
            `upos`; in other files with ids the first column after the words that holds span tags. Of a data set, the
            column's name.
        encoding: of the file; a byte order mark is skipped.
        scheme: the tags' scheme, or `auto`.
        on_error: what to do with slips whose meaning is clear (an `I-` that opens a span, a raw text that does not
            hold the words): `convert` reads and counts them, `raise` makes them errors.
        map: new names of labels: `{"PERSON": "PER", "OTH": ""}`, where an empty one drops a label (see `read_map`);
            the same as text, `PERSON=PER,OTH=`, or as the path of a YAML file.
        offsets: what the spans of JSON lines count: `characters`, `utf-16` (as JavaScript does), `bytes` (of UTF-8),
            `inclusive` (characters, and the end is the last one of the span), `one-based` (the same from 1), or
            `one-based-exclusive`.
        inside_words: read files where more than a tenth of the spans begin or end inside a word.
        separator: of a column file; `auto` is tab if every row has one and whitespace if none has.

    Raises:
        InputError: a value that is not one of the choices.
    """

    tag_column: int | str | None = None
    encoding: str = "utf-8"
    scheme: str = "auto"
    on_error: str = "convert"
    separator: str = "auto"
    map: str | Path | Mapping[str, str | None] | None = field(default=None, hash=False)
    offsets: str = CHARACTERS
    inside_words: bool = False

    @property
    def names(self) -> dict[str, str]:
        """New names by old ones, empty where a label is dropped."""
        return {old: new or "" for old, new in self.map.items()} if isinstance(self.map, Mapping) else {}

    def __post_init__(self) -> None:
        """Check the choices, and take a number for one."""
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise InputError(f"{name}={value!r}", fix=f"Use {' or '.join(map(repr, allowed))}.")
        if self.map is not None:
            object.__setattr__(self, "map", read_map(self.map))
        if self.scheme != "auto":
            object.__setattr__(self, "scheme", canonical_scheme(self.scheme))
        if isinstance(self.tag_column, str) and re.fullmatch(r"-?\d+", self.tag_column):
            object.__setattr__(self, "tag_column", int(self.tag_column))

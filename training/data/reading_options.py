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

SEPARATORS = {"tab": "\t", "whitespace": " ", "comma": ",", "semicolon": ";", "pipe": "|"}

# The formats that are read, by the names that options and reports have for them.
FORMATS = (
    "columns",
    "jsonl",
    "parquet",
    "arrow",
    "csv",
    "brat",
    "conll-2012",
    "doccano",
    "gliner",
    "label-studio",
    "prodigy",
    "spacy",
    "spacy-json",
    "webanno",
)

_CHOICES = {
    "file_format": ("auto", *FORMATS),
    "on_error": ("convert", "raise"),
    "offsets": tuple(KINDS),
    "separator": ("auto", *SEPARATORS),
}


@dataclass(frozen=True)
class ReadingOptions:
    """The choices of every reader; one that does not concern a file's format is not looked at.

    Attributes:
        tag_column: of a column file: a 0-based number (ids count as a column), negative from the end, or a name: one
            of CoNLL-U's ten, or of those that a header row or `# global.columns =` gives. By default the last column;
            in CoNLL-U `upos`; in other files with ids the first column after the words that holds span tags. Of a
            data set, the column's name.
        word_column: of a column file, as `tag_column`; by default the first, or the one after the ids.
        encoding: of the file; a byte order mark is skipped.
        scheme: the tags' scheme, `auto`, or `IO`: bare labels (`PER PER O`), of which equal neighbours are one span.
        on_error: what to do with slips whose meaning is clear (an `I-` that opens a span, a raw text that does not
            hold the words, tags in quotes): `convert` reads and counts them, `raise` makes them errors.
        map: new names of labels: `{"PERSON": "PER", "OTH": ""}`, where an empty one drops a label (see `read_map`);
            the same as text, `PERSON=PER,OTH=`, or as the path of a YAML file.
        offsets: what the spans of JSON lines count: `characters`, `utf-16` (as JavaScript does), `bytes` (of UTF-8),
            `inclusive` (characters, and the end is the last one of the span), `one-based` (the same from 1), or
            `one-based-exclusive`.
        tag_names: a file with the names of tags that are numbers: one a line, a JSON list, or a `config.json`.
        file_format: one of `FORMATS`; `auto` looks at the file.
        inside_words: read files where more than a tenth of the spans begin or end inside a word.
        separator: of a column file: `tab`, `whitespace`, `comma`, `semicolon` or `pipe`; `auto` is tab if every row
            has one and whitespace if none has.
        outside: how words outside spans are tagged, where that is not `O`.
        untyped_label: the label of spans whose tags have none (`B I O`).
        sentence_end: words that end a sentence, with blanks between them, or `auto` for full stops, question and
            exclamation marks of many scripts: for files without blank lines. No span is split.

    Raises:
        InputError: a value that is not one of the choices.
    """

    tag_column: int | str | None = None
    encoding: str = "utf-8"
    scheme: str = "auto"
    on_error: str = "convert"
    separator: str = "auto"
    word_column: int | str | None = None
    outside: str = ""
    untyped_label: str = ""
    sentence_end: str = ""
    map: str | Path | Mapping[str, str | None] | None = field(default=None, hash=False)
    offsets: str = CHARACTERS
    inside_words: bool = False
    tag_names: str | Path | None = None
    file_format: str = "auto"

    @property
    def names(self) -> dict[str, str]:
        """New names by old ones, empty where a label is dropped."""
        return {old: new or "" for old, new in self.map.items()} if isinstance(self.map, Mapping) else {}

    def __post_init__(self) -> None:
        """Check the choices, and take a number for one."""
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise InputError(f"{name}={value!r}", fix=f"Use {' or '.join(map(repr, allowed))}.")
            object.__setattr__(self, name, str(value))  # of the command line's own kind of string
        if self.map is not None:
            object.__setattr__(self, "map", read_map(self.map))
        if re.fullmatch(r"[BIESLU]-.+", self.outside):
            fix = "Name what words outside spans are tagged as, such as O or _, or leave it out."
            raise InputError(f"{option('outside', self.outside)} is the tag of a word in a span", fix=fix)
        if self.scheme.upper() == "IO":
            object.__setattr__(self, "scheme", "IO")
        elif self.scheme != "auto":
            object.__setattr__(self, "scheme", canonical_scheme(self.scheme))
        for name in ("tag_column", "word_column"):
            if isinstance(value := getattr(self, name), str) and re.fullmatch(r"-?\d{1,9}", value):
                object.__setattr__(self, name, int(value))


def option(name: str, value: object) -> str:
    """How a message names a choice, for the command line and for Python: `--tag-column 2` (`tag_column=2`)."""
    shown = f"'{value}'" if value in ("", " ", "_", "-", "*") or " " in str(value) else value
    return f"--{name.replace('_', '-')} {shown} ({name}={value!r})"

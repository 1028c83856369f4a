"""Markdown out of data: labels, words, names of files and commands are text, whatever they are made of."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

# Whatever Markdown or HTML may read as more than itself. As a character's number it never is, also in tables.
_MARKED = {ord(character): f"&#{ord(character)};" for character in set(string.punctuation) - set("-.,;'\"/?%+=^")}
_JOINERS = "\u200c\u200d"  # not printable by themselves, but letters of many scripts need them


def as_text(value: object) -> str:
    """Text that shows as it is, on one line: nothing in it is markup, a link or a control character."""
    shown = "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in str(value))
    escaped = " ".join(shown.split()).translate(_MARKED)
    return re.sub("(?i)(www)\\.", r"\1&#46;", escaped)


def as_code(text: str, language: str = "") -> str:
    """A block of code, fenced by more backticks than there are in it, without the marks of a card's parts
    and without control characters.
    """
    text = "".join(letter if letter.isprintable() or letter in f"\n\t{_JOINERS}" else "\ufffd" for letter in text)
    text = text.replace("<!--", "<!- -")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def as_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table of cells that are Markdown already; the last `numbers` columns are set to the right."""
    texts = len(columns) - numbers
    lines = [columns, ["---"] * texts + ["---:"] * numbers, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

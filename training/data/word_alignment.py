"""Where words stand in a text: by searching the text, or by joining the words into one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import NamedTuple


class Unit(NamedTuple):
    """A surface token: one word, or a multiword token's form and how many of the following words it holds."""

    form: str
    words: int
    space_after: bool


def align_words(text: str, words: Sequence[str]) -> tuple[list[int], list[int], str]:
    """Find words in a text, in order, with nothing but whitespace between and around them.

    Returns:
        starts, ends (characters), and what does not fit: empty if all does.
    """
    starts, ends, here = [], [], 0
    for word in words:
        start = text.find(word, here)
        if start != here and (start < 0 or text[here:start].strip()):
            return [], [], f"{word!r} not found at {text[here : here + 20].strip()!r}"
        here = start + len(word)
        starts.append(start)
        ends.append(here)
    rest = text[here:].strip()
    return starts, ends, f"no words for {rest[:20]!r}" if rest else ""


def align_units(text: str, words: Sequence[str], units: Sequence[Unit] | None) -> tuple[list[int], list[int], str]:
    """`align_words` where some words are parts of multiword tokens (`units` is None where none is)."""
    if units is None:
        return align_words(text, words)
    starts, ends, problem = align_words(text, [unit.form for unit in units])
    if problem:
        return starts, ends, problem
    return *_spread(words, units, starts, ends), ""


def join_units(words: Sequence[str], units: Sequence[Unit] | None) -> tuple[str, list[int], list[int]]:
    """A text of surface tokens, joined by one space save where a unit says otherwise, and the words' offsets."""
    if units is None:
        lengths = list(map(len, words))
        ends = list(accumulate(lengths, lambda end, length: end + 1 + length))
        return " ".join(words), list(map(sub, ends, lengths)), ends
    starts, ends, here = [], [], 0
    for unit in units:
        starts.append(here)
        here += len(unit.form)
        ends.append(here)
        here += unit.space_after
    text = "".join(unit.form + " " * unit.space_after for unit in units).removesuffix(" ")
    return text, *_spread(words, units, starts, ends)


def _spread(
    words: Sequence[str], units: Sequence[Unit], starts: list[int], ends: list[int]
) -> tuple[list[int], list[int]]:
    """Offsets of words from those of surface tokens: words that spell a token share it out, others share it whole."""
    word_starts, word_ends, first = [], [], 0
    for unit, start, end in zip(units, starts, ends, strict=True):
        inside = words[first : first + unit.words]
        first += unit.words
        spelt = "".join(inside) == unit.form
        for word in inside:
            word_starts.append(start)
            word_ends.append(start + len(word) if spelt else end)
            start = word_ends[-1] if spelt else start
    return word_starts, word_ends

"""Writes characters.js: what the tokenizer's regular expressions say of each code point, so that words are the same.

Run it when the library `tokenizers` comes with another version of Unicode: python -m tagsmith.browser.character_table
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

TABLE = Path(__file__).parent / "characters.js"
_POINTS = [point for point in [*range(0x33480), *range(0xE0000, 0xE1000)] if not 0xD800 <= point < 0xE000]
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"


def _matches(pattern: str) -> set[int]:
    """The code points that match a pattern of one."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    text, rest = "".join(map(chr, _POINTS)), set(range(len(_POINTS)))
    for _, (start, end) in split.pre_tokenize_str(text):
        rest.difference_update(range(start, end))
    return {_POINTS[place] for place in rest}


def _joined(before: str, after: str) -> set[int]:
    """The code points that are one grapheme together with what stands around them."""
    split, size, separator = pre_tokenizers.Split(Regex(r"\X"), "isolated"), len(before) + 1 + len(after), "\n"
    text = "".join(f"{before}{chr(point)}{after}{separator}" for point in _POINTS)
    spans = {start for _, (start, end) in split.pre_tokenize_str(text) if end - start == size}
    return {point for place, point in enumerate(_POINTS) if place * (size + 1) in spans}


def _properties() -> dict[int, int]:
    """The property of each code point in Unicode's rules of grapheme clusters, by the numbers of words.js."""
    attached, prepends = _joined("a", ""), _joined("", "a")
    vowel, final, initial = _joined("", "\u1161"), _joined("", "\u11a8"), _joined("\u1100", "")
    between_vowels = _joined("\u1161", "")
    picture = _joined("\u2764\u200d", "") - attached
    extends, joins = _joined("\u2764", "\u200d\u2764") & attached, _joined("\u2764", "\u2764") & attached
    flags = _joined("", "\U0001f1e6") - prepends
    controls = set(_POINTS) - _joined("", "\u0300")
    found: dict[int, int] = {}
    for point in _POINTS:
        if point in (0x0D, 0x0A):
            kind = 1 if point == 0x0D else 2
        elif point in controls:
            kind = 3
        elif point in attached:
            kind = 8 if point in joins else 4 if point in extends else 7
        elif point in prepends:
            kind = 5
        elif point in flags:
            kind = 6
        elif point in vowel and point in initial:
            kind = 9 if point not in final else 10 if point in between_vowels else 12
        elif point in final:
            kind = 13 if point in initial else 11
        else:
            kind = 14 if point in picture else 0
        found[point] = kind
    return found


def character_table() -> str:
    """The text of characters.js."""
    classes = dict.fromkeys(_POINTS, 0)
    unspaced, upper = _matches(_UNSPACED), _matches(r"\p{Lu}")
    for letter, number in (("L", 2), ("M", 3), ("N", 4)):
        for point in _matches(rf"\p{{{letter}}}"):
            classes[point] = number + 4 * (point in unspaced) - (point in upper and point not in unspaced)
    classes |= {ord("_"): 5, 0x200C: 5, 0x200D: 5}
    properties, numbers, last, following = _properties(), [], 0, -1
    rows = [(point, classes[point] * 16 + properties[point]) for point in _POINTS]
    filled = []
    for point, kind in [*rows, (0xE1000, 0)]:
        if point != following + 1:
            filled.append((following + 1, 0))
        filled.append((point, kind))
        following = point
    for kind, group in groupby(filled, key=lambda row: row[1]):
        first = next(group)[0]
        numbers += [first - last, kind]
        last = first
    lines = [",".join(map(str, numbers[place : place + 24])) for place in range(0, len(numbers), 24)]
    return (
        "// Written by character_table.py: how far after the one before a range of code points begins, and its kind.\n"
        "export const RANGES = [\n" + ",\n".join(lines) + ",\n];\n"
    )


if __name__ == "__main__":
    TABLE.write_text(character_table(), encoding="utf-8")

"""The ways in which strangers' files differ, as changes of invented ones: of JSON, of text, of bytes, of recipes."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from typing import Any

from mutant import HUGE

ODD = [
    "\0", "\x01", "\x07", "\b", "\x0b", "\x0c", "\x1b", "\x1c", "\x1f", "\x7f", "\x85", "\u00a0", "\u00ad", "\u200b",
    "\u200e", "\u2028", "\u2029", "\u3000", "\ufeff", "\ufffd",
    "\ue000", "\U0010ffff", "\r", "\t", " ", '"', "'", "\\",
]  # fmt: skip

RECIPE_LINES = [
    "KEY: " + HUGE, "KEY: " + "[" * 10_000, "KEY: " + "{a: " * 3_000, "LINE\nLINE", "\tLINE", "LINE #",
    "# LINE",
    "KEY: .inf", "KEY: 010", "KEY: yes", "KEY: null", "KEY:", "KEY: ''", "KEY: 2026-01-01", "KEY: 1:30",
    "KEY: [1, 2]",
    "KEY: !!python/object:os.system x", "LINE\n---\nLINE", "unknown: 1", "  LINE", "KEY: &a [*a]", "KEY: *a",
    "KEY: <<",
    "<<: {seed: 3}", "KEY: 1e-3", "KEY: 1e999", "KEY: -1", "KEY: 1.0", "KEY: 0x10", "? KEY\n: 1", "KEY: \x07",
    "KEY: '",
    "KEY: \x1b[31m", "KEY: \0", "KEY: \ufeffx", "LINE\u2028", "KEY: @x", "KEY: %x", "%YAML 1.2", "...", "- LINE",
    "KEY 1",
]  # fmt: skip


# Changes of a row of JSON lines, and of its text.


def _some_spans(row: dict[str, Any]) -> list[Any]:
    spans = row.get("spans")
    return [span for span in spans[:1] if isinstance(span, dict)] if isinstance(spans, list) else []


def span_moved(chance: random.Random, row: dict[str, Any]) -> None:
    for span in row["spans"] if isinstance(row.get("spans"), list) else []:
        if not isinstance(span, dict) or any(type(span.get(key)) is not int for key in ("start", "end")):
            continue
        shift = chance.choice([-1, 1, 2, 1000, -1000])
        span["start"] += shift * (chance.random() < 0.7)
        span["end"] += shift


def span_of_odd_values(chance: random.Random, row: dict[str, Any]) -> None:
    odd: list[Any] = [None, True, "3", 1.0, 1.5, -1, 10**30, [], {}, "", "x\ny", "\ud800", " PER", HUGE]
    for span in _some_spans(row):
        span[chance.choice(["start", "end", "label"])] = chance.choice(odd)


def span_without_key(chance: random.Random, row: dict[str, Any]) -> None:
    for span in _some_spans(row):
        span.pop(chance.choice(["start", "end", "label"]), None)


def spans_twice(chance: random.Random, row: dict[str, Any]) -> None:
    row["spans"] = _some_spans(row) * 2


def spans_reversed(chance: random.Random, row: dict[str, Any]) -> None:
    if isinstance(row.get("spans"), list):
        row["spans"].reverse()


def another_key(chance: random.Random, row: dict[str, Any]) -> None:
    row[chance.choice(["id", "meta", "entities", "label", "", "Text"])] = chance.choice(
        [1, None, "x", [1], {"a": "\x1b"}]
    )
    for span in _some_spans(row):
        span[chance.choice(["score", "text", ""])] = chance.choice([1, None, HUGE])


def key_renamed(chance: random.Random, row: dict[str, Any]) -> None:
    key = chance.choice(list(row))
    row[chance.choice([key.upper(), f"{key} ", "entities", "label"])] = row.pop(key)


def value_of_another_kind(chance: random.Random, row: dict[str, Any]) -> None:
    odd: list[Any] = [None, True, 3, "x", [], {}, [1], [None], [[]], [""], {"a": 1}, 10**400, "\ud800", [["O", "O"]]]
    row[chance.choice(list(row))] = chance.choice(odd)


def one_token_more(chance: random.Random, row: dict[str, Any]) -> None:
    for key, values in (("tokens", ["x", "", " ", "\n", "\u2028"]), ("tags", ["O", "B-PER", "I-PER", "", "E-LOC"])):
        if isinstance(row.get(key), list) and chance.random() < 0.8:
            row[key].insert(0, chance.choice(values))


def text_with_odd_character(chance: random.Random, row: dict[str, Any]) -> None:
    if isinstance(row.get("text"), str):
        at = chance.randint(0, len(row["text"]))
        row["text"] = row["text"][:at] + chance.choice([*ODD, "\n", "\r\n", "\n\n", "\ud83d"]) + row["text"][at:]


def tokens_with_odd_character(chance: random.Random, row: dict[str, Any]) -> None:
    if row.get("tokens") and isinstance(row["tokens"], list):
        at = chance.randrange(len(row["tokens"]))
        row["tokens"][at] = str(row["tokens"][at]) + chance.choice([*ODD, "\n", "a b"])


JSON_CHANGES = [
    span_moved, span_of_odd_values, span_without_key, spans_twice, spans_reversed, another_key, key_renamed,
    value_of_another_kind, one_token_more, text_with_odd_character, tokens_with_odd_character,
]  # fmt: skip


def key_twice(chance: random.Random, text: str) -> str:
    key = chance.choice(["text", "spans", "tokens", "tags", "document"])
    return text[:-1] + f', "{key}": ' + chance.choice(['"x"', "[]", "null"]) + "}"


def nested(chance: random.Random, text: str) -> str:
    deep = chance.choice([50, 10_000, 100_000])
    return text[:-1] + f', "deep": {"[" * deep}{"]" * deep}' + "}"


def number_of_many_digits(chance: random.Random, text: str) -> str:
    return text[:-1] + f', "n": {HUGE}' + "}"


def no_number(chance: random.Random, text: str) -> str:
    return text[:-1] + f', "n": {chance.choice(["NaN", "Infinity", "1.", "01", "1e999", "0x1"])}' + "}"


def over_several_lines(chance: random.Random, text: str) -> str:
    return text.replace(", ", ",\n", 1)


def another_value(chance: random.Random, text: str) -> str:
    return chance.choice(["[]", "null", "3", '"x"', "{}", "[1, 2]", "", "#", "{'text': 1}", f"[{text}]", text * 2])


JSON_TEXTS = [key_twice, nested, number_of_many_digits, no_number, over_several_lines, another_value]


# Changes of a text, and of its bytes.


def _lines(change: Callable[[random.Random, list[str]], None]) -> Callable[[random.Random, str], str]:
    def changed(chance: random.Random, text: str) -> str:
        lines = text.split("\n")
        change(chance, lines)
        return "\n".join(lines)

    changed.__name__ = change.__name__
    return changed


@_lines
def line_ends_of_windows(chance: random.Random, lines: list[str]) -> None:
    share = chance.choice([1.0, 1.0, 0.5])
    lines[:-1] = [line + "\r" if chance.random() < share else line for line in lines[:-1]]


def line_ends_of_old(chance: random.Random, text: str) -> str:
    return text.replace("\n", "\r") if chance.random() < 0.5 else text.replace("\n", "\r", 3)


def byte_order_mark(chance: random.Random, text: str) -> str:
    at = chance.choice([0, 0, chance.randint(0, len(text))])
    return text[:at] + "\ufeff" + text[at:]


def end_cut_off(chance: random.Random, text: str) -> str:
    return text.rstrip("\n") if chance.random() < 0.5 else text[: chance.randint(0, len(text))]


def odd_character(chance: random.Random, text: str) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(ODD) + text[at:]


def character_lost(chance: random.Random, text: str) -> str:
    at = chance.randrange(max(len(text), 1))
    return text[:at] + text[at + 1 :]


@_lines
def blanks_at_line_ends(chance: random.Random, lines: list[str]) -> None:
    mark, share = chance.choice([" ", "\t", "\u00a0", " \t "]), chance.choice([1.0, 0.2])
    lines[:] = [line + mark if line and chance.random() < share else line for line in lines]


@_lines
def lines_indented(chance: random.Random, lines: list[str]) -> None:
    mark, share = chance.choice([" ", "\t", "  "]), chance.choice([1.0, 0.1])
    lines[:] = [mark + line if line and chance.random() < share else line for line in lines]


def other_separators(chance: random.Random, text: str) -> str:
    old, new = chance.choice(
        [("\t", " "), (" ", "\t"), ("\t", "\t\t"), (" ", "  "), ("\t", ","), ("\t", " \t"), (",", ";")]
    )
    everywhere = new != "\t\t" and chance.random() < 0.6  # two tabs are a column more
    return text.replace(old, new) if everywhere else text.replace(old, new, chance.choice([1, 3]))


@_lines
def line_lost_or_twice(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    lines[at : at + 1] = chance.choice([[], [lines[at], lines[at]]])


@_lines
def lines_swapped(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    lines[at - 1], lines[at] = lines[at], lines[at - 1]


TEXT_CHANGES = [
    line_ends_of_windows, line_ends_of_old, byte_order_mark, end_cut_off, odd_character, character_lost,
    blanks_at_line_ends, lines_indented, other_separators, line_lost_or_twice, lines_swapped,
]  # fmt: skip


def another_encoding(chance: random.Random, text: str) -> bytes:
    names = [
        "latin-1",
        "cp1252",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1251",
        "shift_jis",
        "gb18030",
        "cp037",
    ]
    return text.encode(chance.choice(names), errors=chance.choice(["ignore", "replace"]))


def byte_changed(chance: random.Random, text: str) -> bytes:
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    if content:
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def bytes_cut_off(chance: random.Random, text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return content[: chance.randint(0, len(content))]


def compressed(chance: random.Random, text: str) -> bytes:
    content = gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)
    return content if chance.random() < 0.5 else content[: chance.randint(2, len(content))]


def block_of_nothing(chance: random.Random, text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    at = chance.randint(0, len(content))
    return content[:at] + b"\0" * chance.choice([1, 512]) + content[at:]


BYTE_CHANGES = [another_encoding, byte_changed, bytes_cut_off, compressed, block_of_nothing]

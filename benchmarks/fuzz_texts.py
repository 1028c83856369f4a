"""Tags random texts of all of Unicode, and holds what the spans say with the texts.

    python benchmarks/fuzz_texts.py [--texts 20000] [--seed 1] [--model FOLDER] [--batch-sizes 32,1,7]

Texts are made of words of many scripts, names, combining marks, emoji, marks of direction, control characters, blanks
of all kinds, line ends and unassigned code points. A failure is an exception; a span whose `word` is not
`text[start:end]`, that is empty, begins or ends with white space, crosses a line end or overlaps another; a score
outside 0 to 1; other spans or labels with another batch size, or scores that differ by more than rounding does. Exit
code 1 where there is one.
"""

from __future__ import annotations

import random
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

import typer

import tagsmith
from tagsmith.training.commands.command_options import load_pipeline

_WORDS = [
    "Angela", "Merkel", "met", "Obama", "in", "the", "White", "House", ".", "København", "i går", ",", "東京", "に",
    "мэр", "Москвы", "في", "القاهرة", "א", "ב", "O'Neil", "U.S.", "Lisboa", "Margrethe",
]  # fmt: skip
_PIECES = [
    *" \t\n\r\u000b\u000c\u001c\u001f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u3000", "\r\n", "\n\n",
    *"\0\u0001\u001b\u007f\u00ad\u200b\u200c\u200d\u200e\u200f\u202e\u2060\ufeff\ufffd\uffff\U000e0001\U0010ffff",
    "e\u0301", "\u0301", "\u0345", "👨\u200d👩\u200d👧", "🇩🇰", "\U0001f3fd", "한", "\u1112\u1161\u11ab", "ﬁ", "ǅ", "İ",
    "ß", "ｱ",
    "क्षि", "ไทย", "ཀྲ", "𝔘", "𐍈", "9" * 50, "x" * 300, "...", "http://x.org/?a=b", "a@b.c", "#x", "''", "-" * 20,
]  # fmt: skip
_SPACE = re.compile(r"[^\S\x1c-\x1f]")  # Unicode's white space; Python counts four separators more
_ROUNDING = 1e-4  # of scores: where other sentences share a batch, sums are rounded otherwise


def make_text(chance: random.Random) -> str:
    """A text of some words and pieces."""
    parts = []
    for _ in range(chance.choice([0, 1, 3, 10, 10, 30])):
        kind = chance.random()
        if kind < 0.5:
            parts.append(chance.choice(_WORDS) + " ")
        elif kind < 0.8:
            parts.append(chance.choice(_PIECES))
        else:
            first = chance.choice([0x20, 0xA0, 0x370, 0x600, 0x900, 0x3040, 0x4E00, 0xAC00, 0x1F300, 0x10000, 0xE0000])
            codes = [first + chance.randrange(0x200) for _ in range(chance.randint(1, 6))]
            parts.append("".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))
    return "".join(parts)


def wrong_spans(text: str, spans: Sequence[dict[str, Any]]) -> str | None:
    """What is wrong with the spans of a text, if anything."""
    last = 0
    for span in spans:
        start, end = span["start"], span["end"]
        surface = text[start:end]
        if not last <= start < end <= len(text):
            return f"{start}-{end} is empty, outside the text, or overlaps the span before it"
        if span["word"] != surface:
            return f"the word is {span['word']!r}, and text[{start}:{end}] {surface!r}"
        if _SPACE.match(surface[0]) or _SPACE.match(surface[-1]) or re.search(r"[\r\n]", surface):
            return f"{surface!r} has white space at an end, or a line end"
        if not 0 <= span["score"] <= 1:
            return f"the score {span['score']}"
        last = end
    return None


def differing(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> bool:
    """Whether two taggings of a text differ by more than rounding."""
    if [(s["start"], s["end"], s["entity_group"]) for s in one] != [
        (s["start"], s["end"], s["entity_group"]) for s in other
    ]:
        return True
    return any(abs(a["score"] - b["score"]) > _ROUNDING for a, b in zip(one, other, strict=True))


def fuzz(
    pipeline: Any, texts: Iterator[str], batch_sizes: Sequence[int], group: int = 500
) -> Iterator[tuple[str, int, str]]:
    """Tag texts, some hundreds together.

    Yields:
        Each text, how many spans it has, and what is wrong with them, empty if nothing is.
    """
    while some := list(islice(texts, group)):
        found = [list(pipeline(iter(some), batch_size=size)) for size in batch_sizes]
        for text, *taggings in zip(some, *found, strict=True):
            wrong = wrong_spans(text, taggings[0]) or ""
            if any(differing(taggings[0], other) for other in taggings[1:]):
                wrong = wrong or f"spans differ between batch sizes: {taggings}"
            yield text, len(taggings[0]), wrong


def main(
    texts: Annotated[int, typer.Option(min=1)] = 20_000,
    seed: int = 1,
    model: str = tagsmith.DEFAULT_TAGGER,
    batch_sizes: str = "32,1,7",
) -> None:
    """Tag random texts."""
    pipeline = load_pipeline(model, threads=1)
    chance, started = random.Random(seed), time.monotonic()
    made = (make_text(chance) for _ in range(texts))
    spans, failed, longest = 0, 0, 0
    for text, found, wrong in fuzz(pipeline, made, [int(size) for size in batch_sizes.split(",")]):
        spans, longest = spans + found, max(longest, len(text))
        if wrong:
            failed += 1
            print(f"failure: {text!a}: {wrong}"[:1000], flush=True)
    minutes = (time.monotonic() - started) / 60
    unicode = unicodedata.unidata_version
    print(f"{texts:,} texts of up to {longest:,} characters, {spans:,} spans: {failed} failures")
    print(f"seed {seed}, batch sizes {batch_sizes}, Unicode {unicode}, {minutes:.1f} minutes")
    raise typer.Exit(int(failed > 0))


if __name__ == "__main__":
    typer.run(main)

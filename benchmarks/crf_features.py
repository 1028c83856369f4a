"""The usual features for a linear tagger: forms, affixes, shapes and cases of a word and its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby


@lru_cache(maxsize=2**18)
def word_shape(word: str) -> str:
    """Characters by class (upper-case X, other letters x, digits d), runs as one: `Xx-d` of `Boeing-747`."""
    classes = ("d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word)
    return "".join(kind for kind, _ in groupby(classes))


@lru_cache(maxsize=2**18)
def word_features(word: str) -> tuple[str, ...]:
    """What a word shows of itself: its form, affixes of one to four letters, shape and case."""
    lower = word.lower()
    lengths = range(1, min(len(word), 4) + 1)
    flags = {
        "title": word.istitle(),
        "upper": word.isupper(),
        "digits": word.isdigit(),
        "digit": any(map(str.isdigit, word)),
        "hyphen": "-" in word,
    }
    return (
        "word=" + word,
        "lower=" + lower,
        "shape=" + word_shape(word),
        *(f"prefix={word[:length]}" for length in lengths),
        *(f"suffix={word[-length:]}" for length in lengths),
        *(name for name, holds in flags.items() if holds),
    )


def sentence_features(tokens: Sequence[str]) -> list[list[str]]:
    """The features of each word: its own, forms and shapes of two neighbours on each side, and pairs of forms."""
    lower = ["<s>", "<s>", *map(str.lower, tokens), "</s>", "</s>"]
    shape = ["", "", *map(word_shape, tokens), "", ""]
    rows = []
    for here, token in enumerate(tokens, 2):
        row = ["bias", *word_features(token)]
        for offset in (-2, -1, 1, 2):
            row += [f"{offset}:lower={lower[here + offset]}", f"{offset}:shape={shape[here + offset]}"]
        row += [f"-1,0={lower[here - 1]} {lower[here]}", f"0,1={lower[here]} {lower[here + 1]}"]
        rows.append(row)
    return rows

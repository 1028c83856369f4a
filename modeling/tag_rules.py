"""The rules of tag schemes, without tensors: which tags may stand where, and how they write a span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Spelling(NamedTuple):
    """A way to write a span."""

    prefixes: str  # of its first, inner and last word, and of the word of a span of one
    open_end: bool = False  # its last tag does not close it: the word after it must not continue it
    open_start: bool = False  # its first tag opens it only where its label does not stand right before it


class Grammar(NamedTuple):
    """A tag scheme's rules by prefix."""

    prefixes: str
    continuing: str  # legal only right after a B or an I of the same label
    unfinished: str  # must be followed by a continuing tag of the same label
    spellings: tuple[Spelling, ...]


GRAMMARS = {
    "IOB1": Grammar(
        "BI", "B", "", (Spelling("BIIB", open_end=True), Spelling("IIII", open_end=True, open_start=True))
    ),
    "IOB2": Grammar("BI", "I", "", (Spelling("BIIB", open_end=True),)),
    "BIOES": Grammar("BIES", "IE", "BI", (Spelling("BIES"),)),
    "BILOU": Grammar("BILU", "IL", "BI", (Spelling("BILU"),)),
}


def split_tags(labels: Sequence[str], scheme: str) -> list[tuple[str, str]]:
    """Prefix and label of each tag; `("O", "")` for the outside tag, `("", tag)` for every tag of the plain scheme."""
    if scheme == "plain":
        return [("", tag) for tag in labels]
    if scheme not in GRAMMARS:
        raise ValueError(f"Unknown tag scheme {scheme!r}. Use one of {', '.join([*GRAMMARS, 'plain'])}.")
    parts = []
    for tag in labels:
        prefix, _, label = tag.partition("-")
        if tag != "O" and not (label and len(prefix) == 1 and prefix in GRAMMARS[scheme].prefixes):
            expected = ", ".join(f"{letter}-LABEL" for letter in GRAMMARS[scheme].prefixes)
            raise ValueError(
                f"The tag {tag!r} does not belong to the scheme {scheme}, whose tags are O, {expected}. "
                "Convert the tags, or name the scheme that they are in ('plain' for tags without spans)."
            )
        parts.append((prefix, label))
    return parts


def span_labels(tags: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The labels of the spans that tags can write, sorted; in the plain scheme the tags themselves, in their order.

    Raises:
        ValueError: the scheme is unknown, or a tag is not one of the scheme's.
    """
    if scheme == "plain":
        return tuple(tags)
    return tuple(sorted({label for _, label in split_tags(tags, scheme) if label}))


def written_tags(length: int, label: str, scheme: str) -> list[str]:
    """The tags of a span of so many words, by itself."""
    if scheme == "plain":
        return [label] * length
    first, inner, last, single = tuple(GRAMMARS[scheme].spellings[0].prefixes)
    prefixes = single if length == 1 else first + inner * (length - 2) + last
    return [f"{prefix}-{label}" for prefix in prefixes]


def legal_steps(labels: Sequence[str], scheme: str) -> tuple[list[bool], list[list[bool]], list[bool]]:
    """Which tags may begin, follow one another in ([from][to]), and end a sentence.

    Args:
        labels: tag names in the order of the tag ids, such as `"O"` and `"B-PER"`.
        scheme: `"IOB1"`, `"IOB2"`, `"BIOES"`, `"BILOU"`, or `"plain"` (everything is legal).

    Raises:
        ValueError: the scheme is unknown, or a tag is not one of the scheme's.
    """
    tags = split_tags(labels, scheme)
    continuing, unfinished = ("", "") if scheme == "plain" else GRAMMARS[scheme][1:3]

    def follows(before: tuple[str, str], after: tuple[str, str]) -> bool:
        if after[0] and after[0] in continuing:
            return before[0] in ("B", "I") and before[1] == after[1]
        return not (before[0] and before[0] in unfinished)

    outside = ("O", "")  # a sentence begins and ends as if an O stood on either side of it
    rows = [[follows(before, after) for after in tags] for before in tags]
    return [follows(outside, tag) for tag in tags], rows, [follows(tag, outside) for tag in tags]


def span_edges(tags: Sequence[str], scheme: str) -> tuple[list[list[bool]], list[list[bool]], list[int]]:
    """Whether a span opens at a tag after another, and closes at a tag before another; and the tags' span labels.

    Two tables of `tags + 1` rows and columns over neighbours [first][second]; the last index is a sentence's edge.
    They read any tagging, legal or not, as conlleval does: a change of label, or a prefix that begins or ends a span.
    Then, of each tag, the index into `span_labels`, -1 for the tag outside.
    """
    parts = [*split_tags(tags, scheme), ("O", "")]
    opens, closes = [], []
    for prefix, label in parts:
        apart = [label != after or prefix in "ESLU" or before in "BSU" for before, after in parts]
        opens.append([cut and before != "O" for cut, (before, _) in zip(apart, parts, strict=True)])
        closes.append([cut and prefix != "O" for cut in apart])
    labels = span_labels(tags, scheme)
    return opens, closes, [-1 if prefix == "O" else labels.index(label) for prefix, label in parts[:-1]]


def span_spellings(tags: Sequence[str], scheme: str) -> list[tuple[Spelling, list[list[int]]]]:
    """The ways to write a span, and by label the ids of its first, inner, last and only tag (-1 for none)."""
    if scheme == "plain":
        return [(Spelling(""), [[-1, -1, -1, tag] for tag in range(len(tags))])]
    ids = {tag: index for index, tag in enumerate(tags)}
    labels = span_labels(tags, scheme)
    spellings = GRAMMARS[scheme].spellings
    return [(way, [[ids.get(f"{p}-{label}", -1) for p in way.prefixes] for label in labels]) for way in spellings]

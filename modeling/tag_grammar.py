"""The grammar of tag schemes: which tags may stand where, and how they write a span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


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


def legal_transitions(labels: Sequence[str], scheme: str) -> tuple[Tensor, Tensor, Tensor]:
    """Which tags may begin, follow one another in, and end a sentence.

    Args:
        labels: tag names in the order of the tag ids, such as `"O"` and `"B-PER"`.
        scheme: `"IOB1"`, `"IOB2"`, `"BIOES"`, `"BILOU"`, or `"plain"` (everything is legal).

    Returns:
        Three bool tensors on the CPU: start `(tags,)`, transitions `(tags, tags)` as [from, to], end `(tags,)`.

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
    start, end = [follows(outside, tag) for tag in tags], [follows(tag, outside) for tag in tags]
    cpu = torch.device("cpu")  # named, because a model may be built under a device context: the meta device, say
    return torch.tensor(start, device=cpu), torch.tensor(rows, device=cpu), torch.tensor(end, device=cpu)

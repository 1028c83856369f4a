"""Columns whose tags are in doubt: what speaks against plain tags, and against tags altogether."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tagsmith.training.data.reading_options import option

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
_QUOTES = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
    "\u201e": "\u201c",
}
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?%?$")
_BRACKET = re.compile(r"\(+[^\s()]+.*|\*?\)+|\*|.*\d\)$")

# What people write for `O`, in lower case; the last two are a Cyrillic and a Greek letter.
OUTSIDE = frozenset(
    ["0", "_", "-", "--", "none", "null", "nil", "nan", "na", "n/a", "o", "out", "outside", "\u043e", "\u03bf"]
)
_WORD_LIKE = 500  # plain tags that no tag set has
_FEW_TAGS = 5  # fewer plain ones are hardly a tag set
_MOST = 0.6  # of the words that one plain tag may cover

OTHER_COLUMN = f"If the tags are in another column, name that: {option('tag_column', 2)}."


class Doubt(Exception):
    """A column whose reading is not sure: what was found, the first tag of the kind, and what to do."""

    def __init__(self, message: str, tag: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.tag, self.fix = message, tag, fix


def bare_tag(tag: str) -> str:
    """A tag without blanks, invisible characters and quotes around it."""
    bare = strip_blanks(tag)
    if len(bare) > 2 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = strip_blanks(bare[1:-1]) or bare
    return bare


def strip_blanks(tag: str) -> str:
    """A tag without blanks and invisible characters around it."""
    before = ""
    while tag != before:
        before, tag = tag, tag.strip().strip(_INVISIBLE)
    return tag


def holds_numbers(tags: Iterable[str]) -> bool:
    """Whether all tags are numbers or missing: scores, or the ids of something."""
    bare = {bare_tag(tag) for tag in tags}
    numbers = {tag for tag in bare if _NUMBER.match(tag)}
    return bare - numbers <= {"", "_", "-"} and (bool(numbers) or bare == {""})


def check_brackets(tags: Sequence[str]) -> None:
    """See that tags are not brackets over several words; raises `Doubt`."""
    brackets = [tag for tag in tags if _BRACKET.match(tag)]
    opening = [tag for tag in brackets if re.match(r"\(+\w", tag)]
    if opening and not {*tags} - {*brackets, "-", "_", "O"}:
        fix = f"Write names as B-PER, I-PER and O. {OTHER_COLUMN}"
        raise Doubt(f"spans in brackets, as in CoNLL-2012: {opening[0]!r}", opening[0], fix)


def check_plain(counts: Counter[str]) -> None:
    """See that plain tags are what is meant; raises `Doubt`."""
    if not counts:
        return
    words, (commonest, most) = counts.total(), counts.most_common(1)[0]
    fix = f"Pass {option('scheme', 'plain')} if each word has its own tag. {OTHER_COLUMN}"
    as_spans = f"Pass {option('scheme', 'IO')} to read them as spans"
    like_spans = next((tag for tag in counts if re.match(r"[BIbi]-.", tag)), None)
    if like_spans is not None:
        raise Doubt(f"{like_spans!r} looks like a span tag among plain ones", like_spans, fix)
    if sum(count for tag, count in counts.items() if _NUMBER.match(tag)) > words / 2:  # some rows may be amiss
        raise Doubt(f"numbers instead of tags: {commonest!r}", commonest, fix)
    outside = next((tag for tag in counts if tag.casefold() in OUTSIDE and counts[tag] > words / 4), None)
    if outside is not None:
        other = next((tag for tag in counts if tag != outside), None)
        message = (
            f"labels without B- and I- ({other!r}) beside {outside!r}, as {counts[outside] / words:.0%} of the words"
        )
        if other is None:
            message = f"no tag but {outside!r}"
        named = "" if outside == "O" else f", with {option('outside', outside)}"
        raise Doubt(message, other or outside, f"{as_spans}{named}. {fix}")
    if len(counts) > _WORD_LIKE or (words >= 20 and len(counts) > words * 0.9):
        raise Doubt(f"{len(counts):,} different tags, such as {commonest!r}: are these words?", commonest, fix)
    found = f"none has B- or I- ({', '.join(list(counts)[:5])})"
    also = f"{as_spans}, with --outside for what is not O. {fix}"
    if len(counts) < _FEW_TAGS:
        raise Doubt(f"only {len(counts)} different tag{'s' * (len(counts) != 1)}, and {found}", commonest, also)
    if most > _MOST * words:
        raise Doubt(f"{most / words:.0%} of the words are {commonest!r}, and {found}", commonest, also)

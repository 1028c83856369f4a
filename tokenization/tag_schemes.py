"""Tag schemes: spans of words written as one tag a word, and read back.

| scheme | a span of three words | one word | two spans of one label side by side |
|---|---|---|---|
| IOB1 | `I I I` | `I` | the second opens with `B` |
| IOB2 | `B I I` | `B` | nothing special |
| BIOES (also called IOBES) | `B I E` | `S` | nothing special |
| BILOU | `B I L` | `U` | nothing special |
| plain | one tag a word, no prefix (parts of speech) | | |

A tag is `O` or prefix, hyphen, label; the label may hold hyphens itself (`B-GPE-LOC`). Offsets here count words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .input_error import InputError
from .spans import Span

SCHEMES = ("IOB1", "IOB2", "BIOES", "BILOU", "plain")

PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}

# BILOU's names for the same two places, so that one table of transitions serves both schemes.
_AS_BIOES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S"}

# Pairs of tags kept by a detector before they are summed up: a column of words instead of tags must not fill memory.
_MAX_PAIRS = 20_000


class Violation(NamedTuple):
    """A tag that its scheme forbids where it stands.

    `readable` says that the spans are clear all the same (conlleval reads them without doubt); `kind` groups
    violations of one sort in a report; `found` describes this one.
    """

    position: int
    readable: bool
    kind: str
    found: str


def canonical_scheme(scheme: str) -> str:
    """The name in `SCHEMES` for a name in any case; `IOBES` is BIOES and `BIO` is IOB2.

    Raises:
        InputError: no such scheme.
    """
    name = scheme.upper()
    name = {"IOBES": "BIOES", "BIO": "IOB2", "IOB": "IOB1", "PLAIN": "plain"}.get(name, name)
    if name not in SCHEMES:
        raise InputError(f"no tag scheme is called {scheme!r}", fix=f"Use one of {', '.join(SCHEMES)}.")
    return name


def split_tag(tag: str) -> tuple[str, str]:
    """`("B", "LOC")` of `B-LOC`, `("O", "")` of `O`.

    Raises:
        InputError: no known prefix, or no label behind it.
    """
    if tag == "O":
        return "O", ""
    if has_prefix(tag):
        return tag[0], tag[2:]
    if len(tag) >= 2 and tag[1] == "-" and tag[0] in _AS_BIOES:
        raise InputError(f"the tag {tag!r} has no label", fix="Write a label behind the hyphen, as in 'B-LOC'.")
    raise InputError(
        f"the tag {tag!r} has no known prefix",
        fix="A tag is 'O' or one of B- I- E- S- L- U- and a label, as in 'B-LOC'; or name the scheme 'plain'.",
    )


def has_prefix(tag: str) -> bool:
    """Whether a tag is a prefix of some span scheme, a hyphen and a label."""
    return len(tag) > 2 and tag[1] == "-" and tag[0] in _AS_BIOES


def tags_to_spans(tags: Sequence[str], scheme: str, strict: bool = False) -> list[Span]:
    """Read one sentence's tags as spans of words.

    The lenient reading is total: any sequence of tags with known prefixes has spans, the same ones that the CoNLL
    shared tasks' scorer (conlleval) finds. A span begins at B and S (U), at any tag whose label differs from the tag
    before it, and at I or E (L) with nothing open; it ends before a beginning, before O, and after E (L) or S (U).
    For plain tags each word is a span of its tag.

    Args:
        tags: one sentence's tags.
        scheme: one of `SCHEMES`.
        strict: refuse what the scheme forbids.

    Raises:
        InputError: a tag without a known prefix; with `strict`, any tag that the scheme forbids where it stands.
    """
    scheme = canonical_scheme(scheme)
    if scheme == "plain":
        return [Span(position, position + 1, tag) for position, tag in enumerate(tags)]
    if strict:
        for violation in find_violations(tags, scheme):
            raise InputError(
                f"word {violation.position + 1}: {violation.found}, which {scheme} forbids",
                fix="Correct the tags, or read them leniently.",
            )
    spans = []
    opened, label, previous = -1, "", "O"
    for position, tag in enumerate(tags):
        if tag != "O" or previous != "O":
            ends, begins = _edges(previous, tag)
            if ends and opened >= 0:
                spans.append(Span(opened, position, label))
                opened = -1
            if begins:
                opened, label = position, tag[2:]
        previous = tag
    if opened >= 0:
        spans.append(Span(opened, len(tags), label))
    return spans


@lru_cache(maxsize=65536)
def _edges(previous: str, tag: str) -> tuple[bool, bool]:
    """Whether a span ends between two neighbouring tags, and whether one begins there."""
    before, before_label = split_tag(previous)
    here, here_label = split_tag(tag)
    before, here = _AS_BIOES.get(before, "O"), _AS_BIOES.get(here, "O")
    inside = before in "BI" and here in "IE" and before_label == here_label
    return before != "O" and not inside, here != "O" and not inside


def find_violations(tags: Sequence[str], scheme: str) -> list[Violation]:
    """Every place where one sentence's tags break their scheme; empty for plain tags.

    Raises:
        InputError: a tag without a known prefix.
    """
    scheme = canonical_scheme(scheme)
    if scheme == "plain":
        return []
    violations = []
    previous = "O"
    for position, tag in enumerate(tags):
        if tag != "O" or previous != "O":
            for at, (readable, kind, found) in _break(previous, tag, scheme):
                violations.append(Violation(position + at, readable, kind, found))
        previous = tag
    if previous != "O" and tags:
        for _, (readable, kind, found) in _break(previous, "", scheme):
            violations.append(Violation(len(tags) - 1, readable, kind, found))
    return violations


_Fault = tuple[bool, str, str]


@lru_cache(maxsize=65536)
def _break(previous: str, tag: str, scheme: str) -> tuple[tuple[int, _Fault], ...]:
    """What a scheme forbids in a pair of neighbours (`tag` is empty at the end of a sentence).

    Returns pairs `(offset, fault)`, the offset -1 for the first of the two tags and 0 for the second.
    """
    before, before_label = split_tag(previous)
    here, here_label = split_tag(tag) if tag else ("O", "")
    if here != "O" and here not in PREFIXES[scheme]:
        return ((0, (False, f"{here}- in {scheme}", f"{tag} has a prefix that {scheme} does not know")),)
    same = before != "O" and before_label == here_label
    after = f"after {previous}" if previous != "O" else "with no span open"
    if scheme == "IOB2":
        bad = here == "I" and not same
        return ((0, (True, "I- that opens a span", f"{tag} {after} opens a span")),) if bad else ()
    if scheme == "IOB1":
        bad = here == "B" and not same
        kind = "B- where IOB1 needs none"
        return ((0, (True, kind, f"{tag} {after} opens a span that I- opens in IOB1")),) if bad else ()
    faults: list[tuple[int, _Fault]] = []
    before, here = _AS_BIOES.get(before, "O"), _AS_BIOES.get(here, "O")
    goes_on = same and here in "IE"
    if before in "BI" and not goes_on:
        what = f"before {tag}" if tag else "at the end of the sentence"
        faults.append((-1, (False, "span left open", f"the span of {previous} is left open {what}")))
    elif here in "IE" and not (goes_on and before in "BI"):
        faults.append((0, (False, "span never opened", f"{tag} {after} continues a span that nothing opened")))
    return tuple(faults)


def spans_to_tags(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Write spans of words as tags: the inverse of `tags_to_spans`.

    Args:
        spans: spans of words in any order; none may overlap another.
        length: words in the sentence.
        scheme: one of `SCHEMES`. For `plain` each word must be covered by exactly one span of one word.

    Raises:
        ValueError: a span outside the sentence or empty, two that overlap, or for plain tags a word without its tag.
    """
    scheme = canonical_scheme(scheme)
    tags = [""] * length if scheme == "plain" else ["O"] * length
    last: Span | None = None
    for span in sorted(spans):
        start, end, label = span
        if not 0 <= start < end <= length:
            raise ValueError(f"{span} is empty or lies outside a sentence of {length} words")
        if last is not None and start < last.end:
            raise ValueError(f"{span} overlaps {last}; tags can hold one of them only")
        if scheme == "plain":
            if end - start != 1:
                raise ValueError(f"{span} covers {end - start} words, and a plain tag one")
            tags[start] = label
        else:
            touches = last is not None and last.end == start and last.label == label
            tags[start:end] = [f"{prefix}-{label}" for prefix in _prefixes(end - start, scheme, touches)]
        last = span
    if "" in tags:
        raise ValueError(f"word {tags.index('') + 1} of {length} has no plain tag")
    return tags


def _prefixes(length: int, scheme: str, touches: bool) -> str:
    """One prefix a word for a span of `length` words; `touches` says that its like ends just before it."""
    if scheme == "IOB1":
        return ("B" if touches else "I") + "I" * (length - 1)
    if scheme == "IOB2":
        return "B" + "I" * (length - 1)
    final, single = PREFIXES[scheme][2], PREFIXES[scheme][3]
    return single if length == 1 else "B" + "I" * (length - 2) + final


def tag_names(labels: Iterable[str], scheme: str) -> list[str]:
    """Every tag that a set of labels needs: `O` first, then the labels sorted, each with the scheme's prefixes.

    `tag_names(["LOC"], "BIOES")` is `["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]`; plain tags are the sorted labels.
    """
    scheme = canonical_scheme(scheme)
    distinct = sorted(set(labels))
    if scheme == "plain":
        return distinct
    return ["O", *(f"{prefix}-{label}" for label in distinct for prefix in PREFIXES[scheme])]


class SchemeDetector:
    """Tells a column's tag scheme from the tags that occur and what follows what; feed it sentence by sentence.

    A column without prefixes is plain, unless it holds nothing but `O`; unknown prefixes beside `O` (`Q-LOC`) do not
    make it plain, so that a reader stumbles over them. IOB1 and IOB2 are told apart by majority: a span opened by `I-`
    speaks for IOB1, a free `B-` for IOB2, so that one slip in a file changes nothing. Spans that nothing ends speak
    against BIOES and BILOU, by majority too. Memory is bounded.
    """

    END = "\n"  # in a pair of tags: the end of a sentence

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()
        self.prefixes: Counter[str] = Counter()
        self.outside = 0
        self.unprefixed = 0
        self._unknown_prefixes = 0
        self._free_b = 0
        self._opening_i = 0
        self._left_open = 0

    def add(self, tags: Sequence[str | None]) -> None:
        """Take in one sentence's tags; `None` stands for a word whose tag is unknown and that is no evidence."""
        self._pairs.update(zip(("O", *tags), (*tags, self.END), strict=True))
        if len(self._pairs) > _MAX_PAIRS:
            self._sum_up()

    def add_pairs(self, pairs: Mapping[tuple[str, str], int]) -> None:
        """Take in pairs of neighbouring tags, counted; each sentence begins after an `O` and is followed by `END`."""
        for pair, count in pairs.items():
            self._pairs[pair] += count
        if len(self._pairs) > _MAX_PAIRS:
            self._sum_up()

    @property
    def words(self) -> int:
        """Words taken in, unknown tags left out."""
        self._sum_up()
        return self.outside + self.prefixes.total() + self.unprefixed

    def result(self) -> str:
        """The scheme, a name in `SCHEMES`."""
        self._sum_up()
        prefixes = self.prefixes
        tagged = self.outside + prefixes.total()
        if not tagged or tagged < self.unprefixed - self._unknown_prefixes:
            return "plain"
        if not prefixes and self.unprefixed > self._unknown_prefixes:
            return "plain"
        as_bioes, as_bilou = prefixes["E"] + prefixes["S"], prefixes["L"] + prefixes["U"]
        if max(as_bioes, as_bilou) > 0 and self._left_open <= max(as_bioes, as_bilou):
            return "BIOES" if as_bioes >= as_bilou else "BILOU"
        return "IOB1" if self._opening_i > self._free_b else "IOB2"

    def _sum_up(self) -> None:
        for (previous, tag), count in self._pairs.items():
            if tag is None:
                continue
            goes_on = previous is not None and has_prefix(tag) and tag[0] in "IEL" and previous[2:] == tag[2:]
            open_before = previous is not None and has_prefix(previous) and previous[0] in "BI"
            self._left_open += count * (open_before and not goes_on)
            if tag == self.END:
                continue
            if tag == "O":
                self.outside += count
            elif not has_prefix(tag):
                self.unprefixed += count
                self._unknown_prefixes += count * (len(tag) > 2 and tag[1] == "-" and tag[0].isalpha())
            else:
                self.prefixes[tag[0]] += count
                free = previous is not None and (not has_prefix(previous) or previous[2:] != tag[2:])
                self._free_b += count * (free and tag[0] == "B")
                self._opening_i += count * (free and tag[0] == "I")
        self._pairs.clear()

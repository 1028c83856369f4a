"""How a file spells its tags: what surrounds them, their case and separators, and what stands for `O`.

`B-PER` is the spelling that the rest of the package knows. From the counts of a column's distinct tags it is decided
once how each of them reads; where that is in doubt, an error asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import SchemeDetector, has_prefix
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report
from tagsmith.training.data.tag_doubts import (
    OTHER_COLUMN,
    OUTSIDE,
    Doubt,
    bare_tag,
    check_brackets,
    check_plain,
    strip_blanks,
)

_BETWEEN = r"[\W_]{1,2}"
_PREFIX_FIRST = re.compile(rf"([BIESLUMWbieslumw]){_BETWEEN}(.+)", re.DOTALL)
_PREFIX_LAST = re.compile(rf"(.+){_BETWEEN}([BIESLUbieslu])", re.DOTALL)
_BARE_PREFIXES = frozenset("BIESLUMWbieslumw")

_LIKE_O = frozenset({"0", "o", "\u043e", "\u03bf"})

_MANY_TAGS = 100_000  # distinct ones; a column with more of them holds no tags


@dataclass(frozen=True)
class TagSpelling:
    """How the tags of a column read: their scheme, and what those become that are spelt otherwise here."""

    scheme: str
    known: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[tuple[str, int, int, str], ...] = ()  # kind, words, line of the first, its tag

    def read(self, tags: list[str]) -> list[str]:
        """Tags as the package spells them; the same list where nothing changes."""
        known = self.known
        return [known.get(tag, tag) for tag in tags] if known else tags

    def report_to(self, report: Report, on_error: str) -> None:
        """Enter the changes into a report, once.

        Raises:
            InputError: there are some, and `on_error` is `raise`.
        """
        for kind, count, line, found in self.changes:
            if on_error == "raise":
                fix = f"Correct the tags, or pass {option('on_error', 'convert')}."
                raise InputError(f"{kind}: {found!r}", path=report.path, line=line, fix=fix)
            report.add_irregularity(kind, line, repr(found), count)


class TagSurvey:
    """Counts the tags of a column, sentence by sentence, and tells how they are spelt. Memory is bounded."""

    def __init__(self, path: str | Path | None = None, column: int | None = None) -> None:
        self.path, self.column = path, column
        self.counts: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self._seen: set[str] = set()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._detector = SchemeDetector()

    def add(self, tags: list[str], lines: Callable[[], Sequence[int]]) -> None:
        """Take in one sentence's tags; the line of each is asked for where one is new."""
        self._pairs.update(zip(("O", *tags), (*tags, SchemeDetector.END), strict=True))
        if not self._seen.issuperset(tags) and len(self._seen) < _MANY_TAGS:
            where = lines()
            for tag in set(tags) - self._seen:
                self.first[tag] = where[tags.index(tag)]
            self._seen.update(tags)
        if len(self._pairs) > _MANY_TAGS:
            self._count()
            self._detector.add_pairs(self._pairs)
            self._pairs.clear()

    def _count(self) -> None:
        for (_, tag), count in self._pairs.items():
            if tag != SchemeDetector.END and (tag in self.counts or len(self.counts) < _MANY_TAGS):
                self.counts[tag] += count

    def spelling(self, options: ReadingOptions, plain: bool = False) -> TagSpelling:
        """How the tags read.

        Args:
            options: the scheme, what stands for `O`, and the label of untyped tags.
            plain: plain tags are expected and need no question.

        Raises:
            InputError: it is in doubt; the error names the options that say it.
        """
        self._count()
        empty = self.counts.pop("", 0)  # the reader stops at the first of them
        reading = _Reading(self.counts, self.first, options)
        try:
            reading.decide()
        except Doubt as doubt:
            raise self._error(doubt) from None
        known = {tag: new for tag, new in reading.known.items() if tag != new}
        pairs: Counter[tuple[str, str]] = Counter()
        for (before, tag), count in self._pairs.items():
            pairs[known.get(before, before), known.get(tag, tag)] += count
        self._detector.add_pairs(pairs)
        scheme = self._detector.result() if options.scheme == "auto" else options.scheme
        scheme = "IOB1" if scheme == "IO" else scheme
        if scheme == "plain" and options.scheme == "auto" and not plain and not empty:
            try:
                check_plain(Counter({known.get(tag, tag): n for tag, n in self.counts.items()}))
            except Doubt as doubt:
                raise self._error(doubt) from None
        return TagSpelling(scheme, known, tuple(reading.changes()))

    def _error(self, doubt: Doubt) -> InputError:
        column = None if self.column is None else self.column + 1
        line = self.first.get(doubt.tag) if self.column is not None else None
        return InputError(doubt.message, path=self.path, line=line, column=column, fix=doubt.fix)


def same_line(line: int, tags: int) -> list[int]:
    """The lines of tags that all stand on one."""
    return [line] * tags


def tag_share(counts: Mapping[str, int]) -> float:
    """The share of words whose tags read as span tags, or as what people write for `O`."""
    outside = sum(n for tag, n in counts.items() if bare_tag(tag).casefold() in OUTSIDE)
    return max(span_share(counts), outside / max(sum(counts.values()), 1))


def reads_as_tag(field: str) -> bool:
    """Whether a field may be a span tag in any spelling; most words are not."""
    tag = bare_tag(field)
    likely = _PREFIX_FIRST.fullmatch(tag) or _PREFIX_LAST.fullmatch(tag)
    return bool(likely) or tag in _BARE_PREFIXES or tag.casefold() in OUTSIDE


def span_share(counts: Mapping[str, int]) -> float:
    """The share of words whose tags read as span tags in any spelling; 0 where none of them has a prefix."""
    cleaned = {tag: bare_tag(tag) for tag in counts}
    inside = sum(n for tag, n in counts.items() if _PREFIX_FIRST.fullmatch(cleaned[tag]))
    last = sum(n for tag, n in counts.items() if _PREFIX_LAST.fullmatch(cleaned[tag]))
    outside = sum(n for tag, n in counts.items() if cleaned[tag].casefold() in OUTSIDE)
    alone = sum(n for tag, n in counts.items() if cleaned[tag] in _BARE_PREFIXES and not inside and not last)
    best = max(inside, last, alone)
    return (best + outside) / max(sum(counts.values()), 1) if best else 0.0


class _Reading:
    """Decides what each distinct tag of a column stands for."""

    def __init__(self, counts: Mapping[str, int], first: Mapping[str, int], options: ReadingOptions) -> None:
        self.counts, self.first, self.options = counts, first, options
        self.known: dict[str, str] = {}  # every tag, as it reads
        self._kinds: dict[str, list[str]] = {}

    def decide(self) -> None:
        """Fill `known`; raises `Doubt`."""
        self._clean()
        if self.options.scheme == "plain":
            return
        check_brackets(sorted(self.known.values(), key=lambda tag: self.first.get(tag, 0)))
        self._read_outside_as_named()
        if self.options.scheme == "IO":
            self._read_bare_labels()
            return
        self._read_untyped()
        if self._read_prefixes():
            self._read_outside()
        self._ask_what_is_outside()

    def _ask_what_is_outside(self) -> None:
        """Where no word is tagged `O` and one tag is left among span tags, that one may stand for it."""
        rest = self._rest()
        if len({self.known[tag] for tag in rest}) != 1 or "O" in self.known.values() or len(rest) == len(self.known):
            return
        found = self.known[rest[0]]
        fix = f"Pass {option('outside', found)} if it does. {OTHER_COLUMN}"
        raise Doubt(f"no tag is O; {found!r} may stand for words outside spans", rest[0], fix)

    def changes(self) -> list[tuple[str, int, int, str]]:
        """What was changed, by kind."""
        found: dict[str, list[str]] = {}
        for tag, kinds in self._kinds.items():
            for kind in kinds:
                found.setdefault(kind, []).append(tag)
        result = []
        for kind, tags in found.items():
            where = min(tags, key=lambda tag: self.first.get(tag, 0))
            result.append((kind, sum(self.counts[tag] for tag in tags), self.first.get(where, 0), where))
        return result

    def _set(self, tag: str, new: str, kind: str = "") -> None:
        self.known[tag] = new
        if kind:
            self._kinds.setdefault(tag, []).append(kind)

    def _clean(self) -> None:
        for tag in self.counts:
            self.known[tag] = tag
            if tag.isascii() and tag.isalnum():
                continue
            if not (stripped := strip_blanks(tag)):
                raise Doubt(f"a tag of blanks alone, {tag!a}", tag, f"Write a tag for each word. {OTHER_COLUMN}")
            if stripped != tag:
                self._set(tag, stripped, "blanks or invisible characters around tags, left out")
            if (bare := bare_tag(tag)) != stripped and bare:
                self._set(tag, bare, "quotes around tags, left out")

    def _read_outside_as_named(self) -> None:
        named = self.options.outside
        if not named:
            return
        if named not in self.known.values():
            tags = ", ".join(sorted(map(repr, list(self.counts)[:8])))
            raise Doubt(
                f"no word is tagged {named!r}, which is named for words outside spans", "", f"Tags are {tags}."
            )
        for tag, now in self.known.items():
            if now == named:
                self._set(tag, "O")

    def _rest(self) -> list[str]:
        """The tags that are not spelt as the package spells them."""
        return [tag for tag, now in self.known.items() if now != "O" and not has_prefix(now)]

    def _read_bare_labels(self) -> None:
        variants = self._variants()
        if "O" not in self.known.values() and len({self.known[tag].casefold() for tag in variants}) == 1:
            self._take_as_outside(variants)
        for tag in self._rest():
            self._set(tag, f"I-{self.known[tag]}")

    def _variants(self) -> list[str]:
        return [tag for tag in self._rest() if self.known[tag].casefold() in OUTSIDE]

    def _take_as_outside(self, tags: list[str]) -> None:
        for tag in tags:
            self._set(tag, "O", f"words outside spans tagged {self.known[tag]!r}, read as O")

    def _read_untyped(self) -> None:
        rest = [tag for tag in self._rest() if self.known[tag].casefold() not in OUTSIDE]
        bare = [tag for tag in rest if self.known[tag] in _BARE_PREFIXES]
        if not bare or not {self.known[tag].upper() for tag in bare} & {"B", "I", "S", "U"}:
            return
        typed = any(has_prefix(now) for now in self.known.values())
        if self.options.untyped_label:
            for tag in bare:
                self._set(tag, f"{self.known[tag].upper()}-{self.options.untyped_label}")
        elif len(bare) == len(rest):
            found = ", ".join(sorted(set(self.known.values()))[:6])
            message = f"{self.known[bare[0]]!r} has no label" if typed else f"tags without a label ({found})"
            wish = option("untyped_label", "ENTITY")
            fix = f"Write B-PER and so on, or pass {wish} to read them as spans of that label."
            raise Doubt(message, bare[0], f"{fix} {OTHER_COLUMN}")

    def _read_prefixes(self) -> bool:
        """Read prefixes in lower case, with other separators, or behind their label; False where some tag is left."""
        rest = [tag for tag in self._rest() if self.known[tag].casefold() not in OUTSIDE]
        labels = {now[2:] for now in self.known.values() if has_prefix(now)}
        if not rest:
            return bool(labels)
        as_first = {tag: _first(self.known[tag]) for tag in rest}
        as_last = {tag: _last(self.known[tag]) for tag in rest}
        if labels:
            known = {label.casefold() for label in labels}
            chosen = {
                tag: next(
                    (pair for pair in (as_first[tag], as_last[tag]) if pair and pair[1].casefold() in known), None
                )
                or as_first[tag]
                for tag in rest
            }
        else:
            chosen = as_first if all(as_first.values()) else as_last
            if not all(chosen.values()) or not self._speaks_for_spans([pair for pair in chosen.values() if pair]):
                return False
        ends = any(now[0] == "E" for now in self.known.values() if has_prefix(now)) or any(
            pair and pair[0].upper() == "E" for pair in chosen.values()
        )
        for tag, pair in chosen.items():
            if pair is None or (pair[0].upper() in "MW" and not ends):
                return False
            self._set(tag, *_as_usual(self.known[tag], *pair, labels))
        return True

    def _speaks_for_spans(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether the tags are those of spans beyond doubt: some are outside, or a label has several prefixes."""
        prefixes: dict[str, set[str]] = {}
        for prefix, label in pairs:
            prefixes.setdefault(label, set()).add(prefix.upper())
        outside = any(now == "O" or now.casefold() in OUTSIDE for now in self.known.values())
        several = any(len(found) > 1 for found in prefixes.values())
        opening = any(found & set("BSUI") for found in prefixes.values())
        return opening and (outside or several)

    def _read_outside(self) -> None:
        variants = self._variants()
        if not variants:
            return
        if "O" in self.known.values():
            like_o = [tag for tag in variants if self.known[tag].casefold() in _LIKE_O]
            self._take_as_outside(like_o)
            variants = [tag for tag in variants if tag not in like_o]
        elif len({self.known[tag].casefold() for tag in variants}) == 1:
            self._take_as_outside(variants)
            return
        if variants:
            other = "'O' and " if "O" in self.known.values() else ""
            found = " and ".join(sorted({repr(self.known[tag]) for tag in variants}))
            wish = option("outside", self.known[variants[0]])
            fix = f"Pass {wish} if that means O, or correct the tags. {OTHER_COLUMN}"
            raise Doubt(f"both {other}{found} may stand for words outside spans", variants[0], fix)


def _first(tag: str) -> tuple[str, str] | None:
    match = _PREFIX_FIRST.fullmatch(tag)
    return (match[1], match[2].strip()) if match else None


def _last(tag: str) -> tuple[str, str] | None:
    match = _PREFIX_LAST.fullmatch(tag)
    return (match[2], match[1].strip()) if match else None


def _as_usual(tag: str, prefix: str, label: str, labels: set[str]) -> tuple[str, str]:
    """A tag as the package spells it, and what was changed."""
    upper = {"M": "I", "W": "S"}.get(prefix.upper(), prefix.upper())
    if prefix.islower() and label not in labels and (label.upper() in labels or label.islower()):
        label = label.upper()
    if prefix.upper() != upper:
        return f"{upper}-{label}", "prefixes M- and W-, read as I- and S-"
    if not tag.startswith(prefix) or tag[1:2].isalnum():
        return f"{upper}-{label}", "labels before prefixes, read as B-LABEL"
    if tag[1] != "-":
        return f"{upper}-{label}", f"{tag[1]!r} between prefix and label, read as a hyphen"
    return f"{upper}-{label}", "tags in lower case, read as capitals"

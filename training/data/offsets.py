"""What the offsets of spans count: characters, or what other tools count; and signs that they count something else.

A span that begins or ends inside a word is such a sign. What is a word is the splitter's own notion, so that a border
between two characters of a script without spaces is none; nor is an end inside a Korean word, where particles follow.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from functools import lru_cache
from itertools import accumulate
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.reading_report import Report

CHARACTERS = "characters"
INSIDE_WORDS = "spans that begin or end inside a word"
_MOST = 0.1  # share of such spans that is taken for natural

# What each kind of offset looks like, for a message; in the order in which they are tried.
KINDS = {
    CHARACTERS: "characters from 0, end exclusive",
    "utf-16": "JavaScript offsets (UTF-16 units)",
    "bytes": "offsets in UTF-8 bytes",
    "inclusive": "offsets whose end is the span's last character",
    "one-based": "offsets from 1 whose end is the span's last character",
    "one-based-exclusive": "offsets from 1, end exclusive",
}
_SHIFTS = {"inclusive": (0, 1), "one-based": (-1, 0), "one-based-exclusive": (-1, -1)}
_LONGER_FROM = {"utf-16": (0x10000,), "bytes": (0x80, 0x800, 0x10000)}  # code points that take a unit more
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7ff]")


class Offsets:
    """Offsets into one text, of any kind, as characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._borders: dict[str, list[int]] = {}

    def to_characters(self, start: int, end: int, kind: str) -> tuple[int, int] | None:
        """A span of that kind in characters, end exclusive; None if it is outside the text or cuts a character."""
        if kind in _LONGER_FROM and not self.text.isascii():
            borders = self._units(kind)
            if not 0 <= start < end <= borders[-1]:
                return None
            first, last = bisect_left(borders, start), bisect_left(borders, end)
            if (borders[first], borders[last]) != (start, end):
                return None
            start, end = first, last
        else:
            before, after = _SHIFTS.get(kind, (0, 0))
            start, end = start + before, end + after
        return (start, end) if 0 <= start < end <= len(self.text) else None

    def _units(self, kind: str) -> list[int]:
        """Where each character begins, and the text ends, in units of a kind."""
        if kind not in self._borders:
            longer = _LONGER_FROM[kind]
            lengths = (1 + sum(ord(character) >= first for first in longer) for character in self.text)
            self._borders[kind] = list(accumulate(lengths, initial=0))
        return self._borders[kind]

    def guess(self, start: int, end: int) -> str | None:
        """The kind by which a span that characters do not fit lies inside the text, at the borders of words."""
        for kind in KINDS:
            found = self.to_characters(start, end, kind)
            if found is not None and not cuts_word(self.text, *found) and not _is_ragged(self.text, *found):
                return kind
        return None


def cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a span of characters begins or ends inside a word."""
    if start > 0 and _is_one(text[start - 1 : start + 1]):
        return True
    return end < len(text) and _is_one(text[end - 1 : end + 1]) and not _HANGUL.match(text[end - 1])


@lru_cache(maxsize=65536)
def _is_one(pair: str) -> bool:
    """Whether two characters stand in one word, marks of punctuation apart, or are one character to a reader."""
    return not pair.isspace() and [word.text for word in split_words(pair, "punctuation")] == [pair]


def _is_ragged(text: str, start: int, end: int) -> bool:
    return text[start].isspace() or text[end - 1].isspace()


class BorderCheck:
    """Spans of a file that begin or end inside words, and what else its offsets might count."""

    def __init__(self, report: Report, kind: str) -> None:
        self.report, self.kind = report, kind
        self._wrong: Counter[str] = Counter()
        self._spans = 0

    def add(self, offsets: Offsets, given: list[Any], spans: list[tuple[int, int, str]], line: int) -> None:
        """Look at the spans of one text.

        Args:
            offsets: of the text.
            given: its spans as the file has them, start and end first.
            spans: the same in characters.
            line: of the file.
        """
        text = offsets.text
        for start, end, label in spans:
            self._spans += 1
            if cuts_word(text, start, end):
                around = text[max(start - 10, 0) : min(end, start + 40) + 10]
                self.report.add_irregularity(INSIDE_WORDS, line, f"{label} {text[start:end][:40]!r} in {around!r}")
        for kind in KINDS:
            if kind == self.kind:
                self._wrong[kind] += sum(cuts_word(text, start, end) for start, end, _ in spans)
                continue
            for start, end, *_ in given:
                found = offsets.to_characters(start, end, kind)
                self._wrong[kind] += found is None or cuts_word(text, *found) or _is_ragged(text, *found)

    def finish(self) -> None:
        """Once all is read: the likely cause, into the report."""
        wrong = self._wrong[self.kind]
        self.report.word_spans = self._spans
        if not wrong:
            return
        likely = [kind for kind in KINDS if self._wrong[kind] * 5 < wrong and kind != self.kind]
        if likely:
            best = min(likely, key=lambda kind: self._wrong[kind])
            hint = f"; these look like {KINDS[best]}: read them with --offsets {best}"
            self.report.irregular[INSIDE_WORDS].found += hint


def check_borders(report: Report) -> None:
    """See that a file's spans keep to words by and large.

    Raises:
        InputError: more than a tenth of them begin or end inside a word.
    """
    finding = report.irregular.get(INSIDE_WORDS)
    if finding is None or finding.count <= _MOST * report.word_spans:
        return
    message = f"{finding.count:,} of {report.word_spans:,} spans begin or end inside a word, the first {finding.found}"
    fix = "Correct the offsets, name what they count with --offsets, or pass --inside-words if they are right."
    raise InputError(message, path=report.path, line=finding.line, fix=fix)

"""Word ids: whether the first column holds them, and which surface tokens the rows of a sentence are by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.reading_options import option
from tagsmith.training.data.reading_report import Report
from tagsmith.training.data.word_alignment import Unit

_NUMBER = re.compile(r"(\d{1,40})([-.]\d{1,40})?(?=[\t ,;|]|$)")
_AFTER = frozenset("\t ,;|")
# The last number of a field, or the first, and what stands around it.
_MARKED = (re.compile(r"(.*?)(\d{1,9})(\D*)"), re.compile(r"(\D*)(\d{1,9})(\D.*)?"))
_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})$")
_EMPTY_NODE = re.compile(r"\d{1,9}\.\d{1,9}$")
_COUNTED = [str(number) for number in range(1, 1000)]
_FIX = "Word ids are 1, 2, 3 … from any number on, ranges 1-2, empty nodes 1.1."


class IdEvidence:
    """What speaks for word ids in a file's first column; fed with each row that begins with a digit."""

    def __init__(self) -> None:
        self.rows = 0  # that begin with a number, a range, or a decimal
        self.decimals = 0
        self._steps = 0  # from a number to the one in the next row
        self._rising = 0  # of these by one
        self._last, self._line = 0, -1
        self._next = "1"

    def add(self, line: str, number: int) -> None:
        """Take in one row, which stands on the line of that number."""
        if number == self._line + 1 and line.startswith(self._next) and line[len(self._next) :][:1] in _AFTER:
            self.rows += 1
            self._steps += 1
            self._rising += 1
            self._last += 1
            self._line, self._next = number, str(self._last + 1)
            return
        match = _NUMBER.match(line)
        if match is None:
            return
        self.rows += 1
        if match[2]:
            self.decimals += match[2][0] == "."
            if number == self._line + 1:
                self._line = number
            return
        here = int(match[1])
        if number == self._line + 1:
            self._steps += 1
            self._rising += here == self._last + 1
        self._last, self._line, self._next = here, number, str(here + 1)

    def holds_ids(self, rows: int, first_rows: Sequence[Sequence[str]], commented: bool) -> bool | None:
        """Whether the column holds ids; None where it may hold words as well.

        Args:
            rows: of the file.
            first_rows: some of them, of three columns or more.
            commented: the file has comments such as ids come with.
        """
        width = len(first_rows[0])
        if not self.rows or self.rows <= rows / 2:
            return False
        if not self._steps:
            only_one = commented or width == 10 or self.decimals == self.rows
            return True if only_one and self.rows > rows * 0.8 else None
        rising = self._rising / self._steps
        same_words = len(first_rows) > 2 and len({row[1] for row in first_rows}) == 1
        if rising < 0.5 or self.rows < rows * 0.8 or (width == 3 and same_words):
            return None
        return True


def count_with_marks(first: Sequence[str]) -> bool:
    """Whether the fields of a first column count rows and are no numbers: `1.` `2.`, `(1)`, `w1`, `3-1` `3-2`.

    Args:
        first: the first rows' fields, in order.
    """
    return len(first) > 1 and any(_counts(first, pattern) for pattern in _MARKED)


def _counts(first: Sequence[str], pattern: re.Pattern[str]) -> bool:
    matches = [match for field in first if (match := pattern.fullmatch(field)) and (match[1] or match[3])]
    counts = [(match[1], int(match[2]), match[3]) for match in matches]
    rising = sum(there == (before, number + 1, after) for (before, number, after), there in pairwise(counts))
    return len(counts) >= 0.8 * len(first) and rising >= 0.5 * (len(counts) - 1)


def in_doubt(path: Path, line: int, found: str) -> InputError:
    """The error for a first column that may hold ids or words."""
    fix = f"Pass {option('word_column', 1)} if they are ids, {option('word_column', 0)} if they are words."
    message = f"the first column counts, and may hold word ids or words: {found[:40]!r}"
    return InputError(message, path=path, line=line, column=1, fix=fix)


def read_ids(
    rows: Sequence[Sequence[str]], first_line: int, word_column: int, misc: int | None, path: Path, report: Report
) -> list[Unit] | None:
    """The surface tokens of a sentence whose rows begin with ids.

    Args:
        rows: on consecutive lines from `first_line` on.
        first_line: of the first row.
        word_column: of the words.
        misc: the column that tells where spaces are.
        path: of the file, for errors.
        report: gaps, multiword tokens and empty nodes are counted in it.

    Returns:
        None where each word is a token and nothing is known of spaces.

    Raises:
        InputError: ids that do not rise, a range without its words, or what is no id.
    """
    ids = [row[0] for row in rows]
    if misc is None and ids == _COUNTED[: len(ids)]:
        return None
    units: list[Unit] = []
    last: int | None = None
    inside, words = -1, 0
    for number, row in enumerate(rows):
        line, form = first_line + number, row[word_column]
        spaced = misc is None or "SpaceAfter=No" not in row[misc].split("|")
        if row[0].isdecimal() and len(row[0]) < 19:
            here = int(row[0])
            _check_step(last, here, path, line, report)
            last = here
            if here > inside:
                units.append(Unit(form, 1, spaced))
            words += 1
        elif span := _RANGE.match(row[0]):
            first, inside = int(span[1]), int(span[2])
            _check_range(row[0], ids[number + 1 :], last, path, line)
            units.append(Unit(form, inside - first + 1, spaced))
            report.add_note("multiword token", line, f"{row[0]} {form}")
        elif _EMPTY_NODE.match(row[0]):
            report.add_note("empty node left aside", line, f"{row[0]} {form}")
        else:
            raise InputError(f"{row[0][:40]!r} is no word id", path=path, line=line, column=1, fix=_FIX)
    if not words:
        what = (
            f"a sentence without words: {ids[0]!r} is an empty node" if "." in ids[0] else "a sentence without words"
        )
        fix = f"Give every sentence its words. {_FIX}"
        raise InputError(what, path=path, line=first_line, column=1, fix=fix)
    return units


def _check_step(last: int | None, here: int, path: Path, line: int, report: Report) -> None:
    if last is None:
        if here != 1:
            report.add_note("word ids that do not begin at 1", line, str(here))
    elif here <= last:
        fix = "Put a blank line between sentences; word ids increase."
        raise InputError(f"word id {here} after {last}", path=path, line=line, column=1, fix=fix)
    elif here != last + 1:
        report.add_irregularity("word ids leave a gap", line, f"{here} after {last}")


def _check_range(field: str, following: Sequence[str], last: int | None, path: Path, line: int) -> None:
    """A range stands before all its words."""
    first, end = map(int, field.split("-"))
    count = min(max(end - first + 1, 0), len(following) + 1)
    inside = list(islice((other for other in following if other.isdecimal()), count))
    if (last is not None and first <= last) or inside != [str(first + i) for i in range(count)] or not count:
        fix = f"The rows {first} to {end} follow the row {field}."
        message = f"multiword token {field} without its words"
        raise InputError(message, path=path, line=line, column=1, fix=fix)

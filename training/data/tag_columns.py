"""Which columns of a file hold words and tags, and how the tags are spelt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.column_layout import Layout, read_blocks, word_lines
from tagsmith.training.data.header_row import is_plain_name, tag_name
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.tag_doubts import holds_numbers
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, reads_as_tag, span_share, tag_share

_NEARLY_ALL = 0.8  # of a column's fields
_SAMPLE = 200  # blocks that are looked at for what the other columns hold


@dataclass(frozen=True)
class Columns:
    """Where a file's words and tags are, and how they read."""

    layout: Layout
    tags: int
    spelling: TagSpelling
    has_spacing: bool  # the MISC column tells where spaces are
    findings: Sequence[tuple[str, int, str]] = field(default=())  # kind, line, what, for the report


def choose_columns(layout: Layout, options: ReadingOptions) -> Columns:
    """Read a file for its columns and the spelling of its tags.

    Raises:
        InputError: no such column, or it is in doubt which one holds the tags or how they read.
    """
    layout = _with_word_column(layout, options)
    column = _named_column(layout, options)
    findings: list[tuple[str, int, str]] = []
    if column is None and layout.has_ids:
        column = _first_of_spans(layout)
    elif column is None:
        column, layout, findings = _last_column(layout, options)
    survey, has_spacing = _survey(layout, column)
    name = layout.names[column] if layout.names else ""
    asked = options.scheme == "auto" and options.tag_column is None and not is_plain_name(name)
    try:
        spelling = survey.spelling(options, plain=is_plain_name(name))
    except InputError:
        if asked:
            _ask_about_others(layout, column)
        raise
    if asked and spelling.scheme == "plain":
        _ask_about_others(layout, column)
    return Columns(layout, column, spelling, has_spacing, findings)


def _with_word_column(layout: Layout, options: ReadingOptions) -> Layout:
    if options.word_column is None:
        return layout
    return replace(layout, word_column=_number(layout, options.word_column, "word_column"))


def _number(layout: Layout, wanted: int | str, choice: str) -> int:
    """The 0-based number of a column by its number or name."""
    what = choice.partition("_")[0]
    if isinstance(wanted, str):
        if wanted.casefold() not in layout.names:
            known = f"Its columns are {', '.join(layout.names)}" if layout.names else "Its columns have no names"
            fix = f"{known}; numbers 0 to {layout.width - 1} and -1 for the last work always, as {option(choice, -1)}."
            raise InputError(f"no column is called {wanted!r}", path=layout.path, fix=fix)
        return layout.names.index(wanted.casefold())
    column = wanted + layout.width if wanted < 0 else wanted
    if not 0 <= column < layout.width:
        message = f"no {what} column {wanted}: rows have {layout.width} columns"
        fix = f"Use 0 to {layout.width - 1}, or -1 for the last, as {option(choice, -1)}."
        raise InputError(message, path=layout.path, line=layout.first_line, fix=fix)
    return column


def _named_column(layout: Layout, options: ReadingOptions) -> int | None:
    """The tag column's number as it was named, by the user or the file; None where what columns hold must tell."""
    if options.tag_column is None:
        if layout.width == 1:
            fix = (
                "Give a file with one word and its tag a line; what stands between them can be named, as "
                f"{option('separator', 'comma')}."
            )
            raise InputError("one column only: no tags", path=layout.path, line=layout.first_line, column=1, fix=fix)
        if "upos" in layout.names and not layout.header_line:
            return layout.names.index("upos")
        named = tag_name(layout.names) if layout.header_line else None
        return named if named != layout.word_column else None
    column = _number(layout, options.tag_column, "tag_column")
    if column == layout.word_column or (layout.has_ids and column == 0):
        what = "words" if column == layout.word_column else "word ids"
        fix = f"Choose another column, or name that of the words: {option('word_column', layout.width - 1)}."
        raise InputError(f"column {column} holds the {what}, not tags", path=layout.path, fix=fix)
    return column


def _survey(layout: Layout, column: int) -> tuple[TagSurvey, bool]:
    """Count a column's tags, and see whether the MISC column tells where spaces are."""
    survey = TagSurvey(layout.path, column)
    misc = layout.names.index("misc") if layout.has_ids and "misc" in layout.names else None
    has_spacing = False
    for block in read_blocks(layout):
        rows = [row for row in block.rows if row[0].isdecimal()] if layout.has_ids else block.rows
        survey.add([row[column] for row in rows], partial(word_lines, block, rows))
        if misc is not None and not has_spacing:
            has_spacing = any("SpaceAfter=No" in row[misc] for row in block.rows)
    return survey, has_spacing


def _counts(layout: Layout, blocks: int | None = None) -> list[Counter[str]]:
    """What each column holds, in all blocks or the first ones."""
    counts: list[Counter[str]] = [Counter() for _ in range(layout.width)]
    for block in islice(read_blocks(layout), blocks):
        rows = [row for row in block.rows if row[0].isdecimal()] if layout.has_ids else block.rows
        for number, values in enumerate(zip(*rows, strict=True)):
            counts[number].update(values)
    return counts


def _first_of_spans(layout: Layout) -> int:
    """In a file with ids: the first column after the words that holds span tags."""
    others = range(layout.word_column + 1, layout.width)
    if len(others) == 1:
        return others[0]
    for blocks in (_SAMPLE, None):
        counts = _counts(layout, blocks)
        likely = [number for number in others if span_share(counts[number]) > 0.5]
        empty = [number for number in others if set(counts[number]) == {"O"}]
        if likely and not any(number < likely[0] for number in empty):
            break  # what the rest of the file holds cannot change it
    likely = likely or empty
    if not likely and len(others):
        message = f"none of the columns {others[0]} to {others[-1]} holds span tags (O, B-LOC)"
        fix = f"Name the tag column, as {option('tag_column', others[0])}."
        raise InputError(message, path=layout.path, line=layout.first_line, fix=fix)
    if not likely:
        fix = f"Name the columns: {option('word_column', 1)} and {option('tag_column', 2)}."
        raise InputError("no column after the words", path=layout.path, line=layout.first_line, fix=fix)
    return likely[0]


def _last_column(layout: Layout, options: ReadingOptions) -> tuple[int, Layout, list[tuple[str, int, str]]]:
    """In a file without ids the last column, unless it holds scores, or the words while the first holds span tags."""
    last = layout.width - 1
    column = last if last != layout.word_column else last - 1
    counts = _counts(layout, _SAMPLE)
    if layout.width == 2 and options.word_column is None and _are_swapped(*counts):
        found = ("tags in the first column and words in the second", layout.first_line, next(iter(counts[0])))
        return 0, replace(layout, word_column=1), [found]
    before = column - 1 if column - 1 != layout.word_column else column - 2
    if before > 0 and holds_numbers(counts[column]) and _is_spans(counts[before]):
        what = "nothing" if not any(counts[column]) or set(counts[column]) == {""} else "numbers"
        kind = f"{what} in the last column; tags are taken from column {before}"
        return before, layout, [(kind, layout.first_line, next(iter(counts[column])))]
    return column, layout, []


def _are_swapped(first: Counter[str], second: Counter[str]) -> bool:
    """Whether of two columns the first holds tags, of both kinds, and the second words."""
    return _is_spans(first) and len(first) > 1 and tag_share(second) < 0.5


def _is_spans(counts: Counter[str]) -> bool:
    """Whether a column holds span tags and nothing else."""
    return all(map(reads_as_tag, counts)) and span_share(counts) == 1.0


def _ask_about_others(layout: Layout, column: int) -> None:
    """See that no other column holds span tags where the chosen one holds plain tags; some rows may be amiss."""
    counts = _counts(layout, _SAMPLE)
    others = [number for number, found in enumerate(counts) if number != column and span_share(found) > _NEARLY_ALL]
    if others:
        message = f"column {column} holds no span tags, but column {others[0]} does"
        first = option("tag_column", others[0])
        if others[0] == layout.word_column:
            first += f" with {option('word_column', column)}"
        fix = f"Name the column that is meant: pass {first}, or {option('tag_column', column)}."
        raise InputError(message, path=layout.path, line=layout.first_line, fix=fix)

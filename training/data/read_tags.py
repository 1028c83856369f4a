"""From a sentence's tags, in the scheme of their file, to IOB2 and character spans, strictly."""

from __future__ import annotations

from collections.abc import Sequence

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import find_violations, spans_to_tags, split_tag, tags_to_spans
from tagsmith.training.data.reading_options import option
from tagsmith.training.data.reading_report import Report


def read_tags(
    tags: list[str],
    starts: Sequence[int],
    ends: Sequence[int],
    lines: Sequence[int],
    column: int | None,
    on_error: str,
    report: Report,
) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Read one sentence's tags.

    Args:
        tags: in the scheme `report.scheme`.
        starts: of the words, in characters.
        ends: of the words, in characters.
        lines: the line of each word, for errors.
        column: the 0-based tag column, for errors.
        on_error: `convert` counts readable violations in the report, `raise` makes them errors.
        report: of the file; violations are counted in it.

    Returns:
        the tags as IOB2 (plain tags as they are), and the spans in characters.

    Raises:
        InputError: an unknown prefix, or a tag that cannot stand where it is.
    """
    scheme = report.scheme
    if scheme == "plain":
        return tags, list(zip(starts, ends, tags, strict=True))
    if tags.count("O") == len(tags):
        return tags, []
    at = None if column is None else column + 1
    try:
        violations = find_violations(tags, scheme)
    except InputError as error:
        position = next(i for i, tag in enumerate(tags) if not _is_known(tag))
        fix = (
            "A tag is O or one of B- I- E- S- L- U- and a label, as in B-LOC. Correct it, or pass "
            f"{option('scheme', 'plain')} for a tag for each word, or {option('tag_column', 2)} for another column."
        )
        raise InputError(error.message, path=report.path, line=lines[position], column=at, fix=fix) from None
    for position, readable, kind, found in violations:
        if readable and on_error == "convert":
            report.add_irregularity(f"{kind} ({scheme})", lines[position], found)
            continue
        others = " or ".join(name for name in ("IOB1", "IOB2", "BIOES", "BILOU") if name != scheme)
        fix = f"The file is read as {scheme}. Correct the tag, or name its scheme with --scheme (scheme=): {others}."
        if readable:
            fix = f"Correct the tag, or pass {option('on_error', 'convert')} to read it as conlleval does."
        raise InputError(f"{found}; {scheme} forbids it", path=report.path, line=lines[position], column=at, fix=fix)
    spans = tags_to_spans(tags, scheme)
    if violations or scheme != "IOB2":
        tags = spans_to_tags(spans, len(tags), "IOB2")
    return tags, [(starts[start], ends[end - 1], label) for start, end, label in spans]


def _is_known(tag: str) -> bool:
    try:
        split_tag(tag)
    except InputError:
        return False
    return True

"""A corrected copy of annotated data, by the rows of an audit that a person accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import SCHEMES, spans_to_tags
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.conversion import write_sentences
from tagsmith.training.data.json_rows import objects
from tagsmith.training.data.reading_options import SEPARATORS, ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.doubts.annotation_audit import as_json
from tagsmith.training.doubts.audited import Audited, read_audited
from tagsmith.training.machine.whole_files import whole_file

_KEYS = ("file", "line", "end_line", "kind", "found", "expected", "score")
_FIX = "Keep the rows that `tagsmith audit --json` printed as they are, and remove those that you do not accept."


@dataclass(frozen=True)
class Correction:
    """An accepted row: in which file and line, and the spans that go and come, as `as_json` gives them."""

    row: int
    file: str
    line: int
    found: Sequence[Mapping[str, Any]]
    expected: Sequence[Mapping[str, Any]]


def read_corrections(path: str | Path) -> list[Correction]:
    """The rows of a file of JSON lines.

    Raises:
        InputError: a row that no audit prints; no rows.
    """
    corrections = []
    for number, row in objects(Path(path), "utf-8", _FIX):
        if missing := [key for key in _KEYS if key not in row]:
            raise InputError(f"a row without {missing[0]!r}", path=path, line=number, fix=_FIX)
        for key in ("found", "expected"):
            if not isinstance(row[key], list) or not all(_is_span(span) for span in row[key]):
                raise InputError(f"{key!r} is no list of spans", path=path, line=number, fix=_FIX)
        if not isinstance(row["file"], str) or type(row["line"]) is not int:
            raise InputError("'file' is no name, or 'line' no number", path=path, line=number, fix=_FIX)
        corrections.append(Correction(number, row["file"], row["line"], row["found"], row["expected"]))
    if not corrections:
        raise InputError("no rows are accepted", path=path, fix=_FIX)
    return corrections


def _is_span(span: Any) -> bool:
    kinds = {"start": int, "end": int, "label": str}
    return isinstance(span, dict) and all(type(span.get(key)) is kind for key, kind in kinds.items())


def correct_file(
    source: Path, output: Path, corrections: Sequence[Correction], rows: Path, options: ReadingOptions
) -> int:
    """Write a copy of a file with corrections.

    In columns only tags that change are written, and everything else stays as it is. Other formats are written as
    `tagsmith convert` writes what the output's name says.

    Args:
        source: the file that was audited.
        output: the copy, which is not there yet.
        corrections: of this file.
        rows: where they come from, for errors.
        options: how the source was read.

    Returns:
        How many corrections were made.

    Raises:
        InputError: the file is not as it was when it was audited, two rows contradict each other, or the output is
            there already.
    """
    report = Report()
    before = read_audited(source, options, report)
    after = _corrected(before, corrections, rows, source)
    if output.exists() or output.is_symlink():
        raise InputError("there is such a file already", path=output, fix="Remove it, or name another --output.")
    if report.columns and report.scheme in SCHEMES and not options.names:
        with whole_file(output) as out:
            out.writelines(_with_tags(source, before, after, report, options))
        _check_copy(output, after, options)
    else:
        write_sentences(_sentences(source, after, options), output)
    return len(corrections)


def _corrected(
    sentences: Sequence[Audited], corrections: Sequence[Correction], rows: Path, source: Path
) -> list[Audited]:
    by_line: dict[int, list[int]] = {}
    for number, sentence in enumerate(sentences):
        for line in dict.fromkeys(sentence.lines):
            by_line.setdefault(line, []).append(number)
    result = list(sentences)
    for correction in corrections:
        for number in by_line.get(correction.line, []):
            spans = _applied(sentences[number], result[number], correction)
            if spans is not None:
                result[number] = result[number].with_spans(spans)
                break
        else:
            found = f"what this row found is not in {source}:{correction.line} any more"
            fix = "Audit the file as it is now; of rows that change the same span accept one."
            raise InputError(found, path=rows, line=correction.row, fix=fix)
    return result


def _applied(before: Audited, now: Audited, correction: Correction) -> list[Span] | None:
    """The spans of a sentence after a correction; None where it is of another sentence, or cannot be made."""
    starts = {before.offset + start: number for number, start in enumerate(before.starts)}
    ends = {before.offset + end: number + 1 for number, end in enumerate(before.ends)}
    sides = []
    for side in (correction.found, correction.expected):
        if any(span["start"] not in starts or span["end"] not in ends for span in side):
            return None
        sides.append([Span(starts[span["start"]], ends[span["end"]], span["label"]) for span in side])
    found, expected = sides
    texts = [(span, as_json(before, own)["text"]) for own, span in zip(found, correction.found, strict=True)]
    if any(span.get("text", text) != text for span, text in texts) or not set(found) <= set(now.spans):
        return None
    spans = [span for span in now.spans if span not in found]
    for span in expected:
        if span.start >= span.end or any(own.start < span.end and span.start < own.end for own in spans):
            return None
        spans.append(span)
    return sorted(spans)


def _with_tags(
    source: Path, before: Sequence[Audited], after: Sequence[Audited], report: Report, options: ReadingOptions
) -> Iterator[str]:
    """The lines of a column file, with other tags where they change."""
    changed: dict[int, str] = {}
    for one, other in zip(before, after, strict=True):
        if one.spans != other.spans:
            tags = [spans_to_tags(list(own.spans), len(own.words), report.scheme) for own in (one, other)]
            changed.update((line, new) for line, old, new in zip(one.lines, *tags, strict=True) if old != new)
    blank = report.separator == "whitespace"
    with open(source, encoding=options.encoding, newline="") as file:
        for number, line in enumerate(file, 1):
            if number not in changed:
                yield line
                continue
            fields = (
                re.split(r"([ \t]+)", line)
                if blank
                else re.split(f"({re.escape(SEPARATORS[report.separator])})", line)
            )
            lead = 2 if blank and fields[0] == "" else 0  # blanks before the first column
            at = lead + 2 * report.tag_column
            ending = re.search(r"[\r\n]*$", fields[at])
            fields[at] = changed[number] + (ending[0] if ending else "")
            yield "".join(fields)


def _check_copy(output: Path, after: Sequence[Audited], options: ReadingOptions) -> None:
    """See that the copy reads as it should: rows may be written in ways that only the reader knows."""
    try:
        same = [one.spans for one in read_audited(output, options)] == [other.spans for other in after]
    except InputError:
        same = False
    if not same:
        output.unlink()
        fix = "Convert it first: tagsmith convert IN OUT.conll; then audit that."
        raise InputError("the corrected tags cannot be written into a file like this", path=output, fix=fix)


def _sentences(source: Path, after: Sequence[Audited], options: ReadingOptions) -> Iterator[Sentence]:
    """The sentences of a file with other spans; those without words come along as they are."""
    corrected = iter(after)
    for sentence in open_sentences(source, options):
        beyond = [span for span in sentence.spans if span[1] > len(sentence.text)]
        if not sentence.tokens and not split_words(sentence.text):
            yield sentence
            continue
        own = next(corrected)
        tags = spans_to_tags(list(own.spans), len(own.words), "IOB2") if sentence.tokens else []
        placed = [(own.starts[span.start], own.ends[span.end - 1], span.label) for span in own.spans]
        yield sentence._replace(tags=tags, spans=sorted({*placed, *beyond}), scores=())

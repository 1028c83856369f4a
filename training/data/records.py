"""What readers of text and spans share: a text with its spans as a file has them, made into sentences of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags
from tagsmith.training.data.line_sentences import split_lines
from tagsmith.training.data.offsets import CHARACTERS, KINDS, BorderCheck, Offsets
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.word_alignment import align_words, join_units


class Mark(NamedTuple):
    """A span as a file has it.

    Attributes:
        start: by what the file counts.
        end: by what the file counts.
        label: of the span.
        quote: the text that the file says it covers, where it does.
        score: of the tagger that made it, where one did.
    """

    start: int
    end: int
    label: str
    quote: str | None = None
    score: float | None = None


class Record(NamedTuple):
    """A text with its spans.

    Attributes:
        text: raw.
        marks: its spans, in any order.
        line: of the file, where it begins.
        path: of the file, where one corpus has several.
        joined: it belongs to the same document as the one before it.
    """

    text: str
    marks: Sequence[Mark]
    line: int
    path: str = ""
    joined: bool = False


def sentences_of(records: Iterable[Record], options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """The sentences of records, one a line of text, with spans in characters.

    Raises:
        InputError: no records; a span that is outside its text, does not cover what it should, or overlaps another.
    """
    borders = BorderCheck(report, options.offsets)
    document = -1
    for record in records:
        document += not record.joined or document < 0
        yield from record_sentences(record, document, borders, options, report)
    if document < 0:
        raise nothing_annotated(report)
    borders.finish()


def nothing_annotated(report: Report) -> InputError:
    """What to raise of a file from which no text came, with the reason if its report has one."""
    reasons = "; ".join(f"{kind}: {found.count:,}" for kind, found in report.notes.items() if "left aside" in kind)
    message = f"no annotated text{f' ({reasons})' if reasons else ''}"
    return InputError(message, path=report.path, fix="Annotate some first, and export it again.")


def record_sentences(
    record: Record, document: int, borders: BorderCheck, options: ReadingOptions, report: Report
) -> Iterator[Sentence]:
    """The sentences of one record; see `sentences_of`."""
    path, line, offsets = record.path or report.path, record.line, Offsets(record.text)
    marks = sorted(record.marks, key=lambda mark: mark[:3])
    for mark in marks:
        if not mark.label:
            raise InputError(
                f"the span {mark.start}-{mark.end} has no label", path=path, line=line, fix="Give it one."
            )
    kind = _kind_by_quotes(marks, offsets, options.offsets, path, line, report)
    spans = in_characters([mark[:3] for mark in marks], offsets, kind, path, line)
    check_overlaps(spans, path, line)
    borders.add(offsets, [mark[:3] for mark in marks], spans, line)
    scores = [mark.score for mark in marks] if any(mark.score is not None for mark in marks) else []
    whole = Sentence(document, record.text, True, [], [], [], [], spans, line, scores=scores)
    for sentence in split_lines(whole, report):
        report.add_sentence(sentence)
        yield sentence


def word_sentence(
    words: list[str],
    spans: Sequence[tuple[int, int, str]],
    document: int,
    line: int,
    report: Report,
    text: str | None = None,
    starts: Sequence[int] = (),
) -> Sentence:
    """A sentence of words, with spans that count words.

    Args:
        words: none of them empty.
        spans: first word, the one after the last, and the label.
        document: its number.
        line: of the file.
        report: of the file; the sentence is counted in it.
        text: the file's own, where it has it.
        starts: of the words in that text; found by searching it where they are not given.

    Raises:
        InputError: an empty word, a span outside the words or over another, words that are not in the text.
    """
    if not all(words):
        raise InputError("an empty word", path=report.path, line=line, fix="Write the word, or leave it out.")
    last = 0
    for start, end, label in sorted(spans):
        if not 0 <= start < end <= len(words):
            message = f"the span {start}-{end} {label} is empty or outside a sentence of {len(words)} words"
            raise InputError(message, path=report.path, line=line, fix="Correct it, or leave it out.")
        if start < last:
            message = f"the span {label} of the words {start + 1} to {end} overlaps another"
            raise InputError(message, path=report.path, line=line, fix="Keep one of them.")
        last = end
    if text is None:
        own, firsts, ends = join_units(words, None)
    elif starts:
        own, firsts, ends = text, list(starts), [start + len(word) for start, word in zip(starts, words, strict=True)]
    else:
        own, (firsts, ends, problem) = text, align_words(text, words)
        if problem:
            message = f"the text does not fit the words: {problem}"
            raise InputError(message, path=report.path, line=line, fix="Correct the text or the words.")
    tags = spans_to_tags([Span(*span) for span in sorted(spans)], len(words), "IOB2")
    placed = [(firsts[start], ends[end - 1], label) for start, end, label in sorted(spans)]
    sentence = Sentence(document, own, text is not None, words, firsts, ends, tags, placed, line)
    report.add_sentence(sentence)
    return sentence


def _kind_by_quotes(marks: Sequence[Mark], offsets: Offsets, wanted: str, path: str, line: int, report: Report) -> str:
    """What a text's offsets count: what was asked for, or what the quoted texts of its spans prove."""
    quoted = [mark for mark in marks if mark.quote is not None]
    if not quoted:
        return wanted
    for same in (str.__eq__, _alike):
        for kind in (wanted, *KINDS):
            covered = [_covered(mark, offsets, kind) for mark in quoted]
            if all(
                text is not None and same(text, str(mark.quote)) for text, mark in zip(covered, quoted, strict=True)
            ):
                if kind != wanted:
                    named = f"{quoted[0].start}-{quoted[0].end} {str(quoted[0].quote)[:40]!r}"
                    report.add_note(f"texts whose spans are {KINDS[kind]}, as their own words show", line, named)
                return kind
    wrong = next(mark for mark in quoted if not _alike(_covered(mark, offsets, wanted) or "", str(mark.quote)))
    found = (_covered(wrong, offsets, wanted) or "")[:40]
    message = f"the span {wrong.start}-{wrong.end} {wrong.label} covers {found!r}, not {str(wrong.quote)[:40]!r}"
    raise InputError(message, path=path, line=line, fix="Correct its offsets, or export the file again.")


def _covered(mark: Mark, offsets: Offsets, kind: str) -> str | None:
    place = offsets.to_characters(mark.start, mark.end, kind)
    return None if place is None else offsets.text[slice(*place)]


def _alike(text: str, quote: str) -> bool:
    """Whether texts differ by white space alone, which tools write in other ways: a line end as a blank."""
    return "".join(text.split()) == "".join(quote.replace("\\n", "\n").split())


def in_characters(
    spans: Sequence[tuple[int, int, str]], offsets: Offsets, kind: str, path: str, line: int
) -> list[tuple[int, int, str]]:
    """Spans by what their offsets count, in characters.

    Raises:
        InputError: one is empty, outside the text, or cuts a character.
    """
    found = []
    for start, end, label in spans:
        place = offsets.to_characters(start, end, kind)
        if place is None:
            named = f"{str(start)[:20]}-{str(end)[:20]} {label[:40]}"
            message = f"the span {named} is empty or outside a text of {len(offsets.text)} characters"
            if kind != CHARACTERS:
                message = f"the span {named} is empty, outside the text, or cuts a character, as {KINDS[kind]}"
            guess = offsets.guess(start, end)
            fix = f"Offsets count {KINDS[kind]}."
            if guess:
                fix = f"These look like {KINDS[guess]}: read them with --offsets {guess}."
            raise InputError(message, path=path, line=line, fix=fix)
        found.append((*place, label))
    return found


def check_overlaps(spans: Sequence[tuple[int, int, str]], path: str, line: int) -> None:
    """See that spans, in order, do not overlap.

    Raises:
        InputError: two do.
    """
    last = 0
    for start, end, label in spans:
        if start < last:
            message = f"the span {start}-{end} {label} overlaps the one before it, which ends at {last}"
            raise InputError(message, path=path, line=line, fix="Keep one of them.")
        last = end

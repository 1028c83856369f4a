"""brat's standoff files: a text in NAME.txt, its spans in NAME.ann; one pair, or a folder of them.

A span that crosses a line end is written as brat does, in a fragment for each line, and read as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.formats.annotated_text import AnnotatedText
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, sentences_of
from tagsmith.training.data.text_lines import read_lines, read_text

_SPAN = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_OTHERS = {
    "R": "relations",
    "*": "equivalences",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalizations",
    "#": "notes of annotators",
}
DISCONTINUOUS = "discontinuous spans, left out"
_FIX = "A line of a span is ID, tab, label and offsets, tab, text, as in T1\tPER 0 5\tTessa."


def read_brat(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a pair of files, named by either, or all of a folder; a document each.

    Raises:
        InputError: a file without its partner, a line that is none of brat's, spans that cannot be.
    """
    report.format = "brat"
    yield from sentences_of(_records(Path(path), options, report), options, report)


def brat_files(path: Path) -> list[tuple[Path, Path]]:
    """The pairs of text and annotation that a path stands for, in order of their names.

    Raises:
        InputError: one is missing.
    """
    annotations = sorted(path.rglob("*.ann")) if path.is_dir() else [path.with_suffix(".ann")]
    pairs = [(annotation.with_suffix(".txt"), annotation) for annotation in annotations]
    for own in (own for pair in pairs for own in pair):
        if not own.is_file():
            fix = "A text is NAME.txt, and its annotation NAME.ann beside it; a folder of them can be given too."
            raise InputError("no such file, which brat's format needs", path=own, fix=fix)
    return pairs


def _records(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    pairs = brat_files(path)
    if path.is_dir():
        for alone in sorted(set(path.rglob("*.txt")) - {text for text, _ in pairs}):
            report.add_note("texts without annotation file, left aside", 1, alone.name)
    for text_path, annotation_path in pairs:
        text = read_text(text_path, options.encoding)
        yield Record(text, list(_marks(annotation_path, text, options, report)), 1, str(annotation_path))


def _marks(path: Path, text: str, options: ReadingOptions, report: Report) -> Iterator[Mark]:
    for number, line in enumerate(read_lines(path, options.encoding), 1):
        if not line.strip():
            continue
        match = _SPAN.fullmatch(line)
        if match is None:
            if line[0] == "T" or line[0] not in _OTHERS:
                message = f"no line of brat's annotation: {line[:60]!r}"
                raise InputError(message, path=path, line=number, fix=_FIX)
            report.add_note(f"{_OTHERS[line[0]]} left aside", number, f"{path.name}: {line[:40]}")
            continue
        _, label, places, quote = match.groups()
        fragments = [(int(start), int(end)) for start, end in (place.split() for place in places.split(";"))]
        gaps = [text[a[1] : b[0]] for a, b in pairwise(fragments)]
        if any(gap.strip("\r\n") or not gap for gap in gaps):
            if options.on_error == "raise":
                fix = "Make it one span, or pass --on-error convert to leave such spans out."
                raise InputError(f"a discontinuous span: {line[:60]!r}", path=path, line=number, fix=fix)
            report.add_irregularity(DISCONTINUOUS, number, f"{path.name}: {line[:60]}")
            continue
        yield Mark(fragments[0][0], fragments[-1][1], label, quote)


def write_brat(texts: Iterable[AnnotatedText], folder: Path) -> None:
    """Write each text as a pair of files into a folder, with the `annotation.conf` that brat needs; scores as notes.

    Raises:
        InputError: a label with white space, which brat does not know.
    """
    labels: set[str] = set()
    for number, annotated in enumerate(texts, 1):
        lines = []
        for index, (start, end, label) in enumerate(annotated.spans, 1):
            if label.split() != [label]:
                fix = f"Read it under another name: --map '{label}={'_'.join(label.split())}'."
                raise InputError(f"brat has no labels with blanks: {label!r}", fix=fix)
            labels.add(label)
            fragments = list(_fragments(annotated.text, start, end))
            places = ";".join(f"{first} {last}" for first, last in fragments)
            quote = " ".join(re.sub(r"[\t\r\n]", " ", annotated.text[first:last]) for first, last in fragments)
            lines.append(f"T{index}\t{label} {places}\t{quote}\n")
            if annotated.score(index - 1) is not None:
                lines.append(f"#{index}\tAnnotatorNotes T{index}\tscore {annotated.score(index - 1):.4f}\n")
        for suffix, content in ((".txt", annotated.text), (".ann", "".join(lines))):
            (folder / f"{number:06d}{suffix}").write_text(content, encoding="utf-8", newline="")
    names = "\n".join(sorted(labels))
    content = f"[entities]\n{names}\n\n[relations]\n\n[events]\n\n[attributes]\n"
    (folder / "annotation.conf").write_text(content, encoding="utf-8", newline="")


def _fragments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span without the line ends inside it; one that begins or ends with a line end stays whole."""
    pieces = [match.span() for match in re.finditer(r"[^\r\n]+", text[start:end])]
    if not pieces or pieces[0][0] or pieces[-1][1] != end - start:
        yield start, end
        return
    for first, last in pieces:
        yield start + first, start + last

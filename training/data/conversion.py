"""Annotated data from one format to another: what any reader gives, as columns, JSON lines or for annotation tools."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.formats.annotated_text import AnnotatedText, whole_texts
from tagsmith.training.data.formats.brat import write_brat
from tagsmith.training.data.formats.doccano import write_doccano
from tagsmith.training.data.formats.label_studio import write_label_studio
from tagsmith.training.data.formats.prodigy import write_prodigy
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.machine.whole_files import check_new, whole_file

TARGETS = ("columns", "jsonl", "label-studio", "doccano", "prodigy", "brat")
_BY_SUFFIX = {
    **dict.fromkeys((".conll", ".conllu", ".tsv", ".iob2", ".iob", ".bio"), "columns"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
}


@dataclass
class Conversion:
    """What a conversion did.

    Attributes:
        report: of the reading.
        target: the format that was written.
        notes: what the format could not hold, and how often.
    """

    report: Report = field(default_factory=Report)
    target: str = ""
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str) -> None:
        """Count something that the format cannot hold."""
        self.notes[kind] = self.notes.get(kind, 0) + 1


def convert_file(
    source: str | Path, output: str | Path, target: str = "auto", options: ReadingOptions | None = None
) -> Conversion:
    """Write annotated data in another format; the output is there once it is whole.

    Args:
        source: a file of any format that is read, or a folder of brat's.
        output: a file that is not there yet; for brat a folder.
        target: one of `TARGETS`, or `auto` for what the output's name says.
        options: how to read the source.

    Raises:
        InputError: what is wrong with the source; an output that is there already, or whose format is not said.
    """
    report = Report()
    output = Path(output)
    target = check_output(output, target)
    sentences = open_sentences(source, options or ReadingOptions(), report)
    return write_sentences(sentences, output, target, report)


def write_sentences(
    sentences: Iterable[Sentence], output: str | Path, target: str = "auto", report: Report | None = None
) -> Conversion:
    """Write sentences in a format; the output is there once it is whole.

    Args:
        sentences: in order.
        output: a file that is not there yet; for brat a folder.
        target: one of `TARGETS`, or `auto` for what the output's name says.
        report: of their reading.

    Raises:
        InputError: an output that is there already, or whose format is not said.
    """
    output, result = Path(output), Conversion(report or Report())
    result.target = check_output(output, target)
    if result.target == "brat":
        _write_folder(whole_texts(sentences), output)
        return result
    with whole_file(output) as out:
        if result.target == "columns":
            _write_columns(sentences, out, result)
        else:
            _WRITERS[result.target](whole_texts(sentences), out)
    return result


def check_output(output: Path, target: str = "auto") -> str:
    """See that an output can be written, and give its format, one of `TARGETS`.

    Raises:
        InputError: it is there already, has no folder, or its format is not said.
    """
    check_new(output, "Remove it, or name another output.")
    return _target(output, target)


def _target(output: Path, target: str) -> str:
    if target == "auto":
        target = _BY_SUFFIX.get(output.suffix.lower(), "")
        if not target:
            fix = f"Name it: --to {', '.join(TARGETS)}."
            raise InputError("the name of the output does not say its format", path=output, fix=fix)
    if target not in TARGETS:
        raise InputError(f"there is no format {target!r} to write", fix=f"Use one of {', '.join(TARGETS)}.")
    return target


def _write_folder(texts: Iterable[AnnotatedText], output: Path) -> None:
    """Write brat's files beside the place where they are to be, and move them there once all are written."""
    folder = Path(tempfile.mkdtemp(dir=output.resolve().parent, prefix=f".{output.name}."))
    try:
        write_brat(texts, folder)
        folder.chmod(0o777 & ~_umask())
        folder.rename(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_json_lines(texts: Iterable[AnnotatedText], out: TextIO) -> None:
    """Rows as `read_json_lines` has them: with words and tags where the source had words, else with spans."""
    for text in texts:
        row: dict[str, Any] = {"document": text.document}
        if text.raw or not text.tokens:
            row["text"] = text.text
        if text.tokens:
            row.update(tokens=text.tokens, tags=text.tags)
        else:
            row["spans"] = [_scored(text, number) for number in range(len(text.spans))]
        out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _scored(text: AnnotatedText, number: int) -> dict[str, Any]:
    start, end, label = text.spans[number]
    score = text.score(number)
    return {"start": start, "end": end, "label": label, **({} if score is None else {"score": score})}


def _write_columns(sentences: Iterable[Sentence], out: TextIO, result: Conversion) -> None:
    """Columns of id, word and tag, with the raw text in a comment before each sentence, as CoNLL-U has it."""
    document = -1
    for sentence in sentences:
        words = list(_words(sentence, result))
        if not words:
            result.note("texts without words, left out")
            continue
        if sentence.document != document:
            document = sentence.document
            out.write(f"# newdoc id = {document}\n")
        if sentence.raw:
            if sentence.text != (kept := sentence.text.strip()):
                result.note("texts with blanks at an end, which columns do not keep")
            out.write(f"# text = {kept}\n")
        out.writelines(f"{number}\t{word}\t{tag}\n" for number, (word, tag) in enumerate(words, 1))
        out.write("\n")


def _words(sentence: Sentence, result: Conversion) -> Iterator[tuple[str, str]]:
    """Words and tags; of a raw text those of the splitter, cut where a span begins or ends inside one."""
    if sentence.tokens:
        pairs: Iterable[tuple[str, str]] = zip(sentence.tokens, sentence.tags, strict=True)
    else:
        inside = [Span(*span) for span in sentence.spans if span[1] <= len(sentence.text)]
        for _ in range(len(sentence.spans) - len(inside)):
            result.note("spans that cross a line end, left out")
        pairs = _split(sentence.text, inside, result)
    for word, tag in pairs:
        if any(mark in word for mark in "\t\r\n"):
            raise InputError(f"the word {word!r:.40} cannot stand in columns", fix="Convert to another format.")
        yield word, tag


def _split(text: str, spans: list[Span], result: Conversion) -> Iterator[tuple[str, str]]:
    borders = sorted({place for span in spans for place in span[:2]})
    pieces: list[tuple[int, int]] = []
    at = 0
    for word in split_words(text):
        start = word.start
        while at < len(borders) and borders[at] <= word.start:
            at += 1
        while at < len(borders) and borders[at] < word.end:
            result.note("words that are cut, because a span begins or ends inside")
            pieces.append((start, borders[at]))
            start, at = borders[at], at + 1
        pieces.append((start, word.end))
    starts, ends = [start for start, _ in pieces], [end for _, end in pieces]
    held: list[Span] = []
    for span in spans:
        numbers = [number for number, (start, end) in enumerate(pieces) if span.start <= start and end <= span.end]
        if numbers:
            held.append(Span(numbers[0], numbers[-1] + 1, span.label))
            if (starts[numbers[0]], ends[numbers[-1]]) != span[:2]:
                result.note("spans with blanks at an end, which columns do not keep")
        else:
            result.note("spans without words, left out")
    words = [text[start:end] for start, end in pieces]
    return zip(words, spans_to_tags(held, len(words), "IOB2"), strict=True)


_WRITERS: dict[str, Callable[[Iterable[AnnotatedText], TextIO], None]] = {
    "jsonl": _write_json_lines,
    "label-studio": write_label_studio,
    "doccano": write_doccano,
    "prodigy": write_prodigy,
}

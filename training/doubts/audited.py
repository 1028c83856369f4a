"""Annotated files as an audit sees them: words, each with its line of the file, and spans of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from datasets import Dataset

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.tokenization.words import project_spans, split_words
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.column_corpus import FEATURES
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report, Sentence


@dataclass(frozen=True)
class Audited:
    """A sentence of a file.

    Attributes:
        path: of the file.
        document: its number in the file.
        words: in order.
        lines: of the file, from 1, one for each word.
        spans: of words, in order.
        text: as the file has it, or its words joined by spaces.
        starts: of the words, in characters of the text.
        ends: of the words, in characters of the text, exclusive.
        offset: of the text in that of its row, where a row holds several lines of text.
    """

    path: str
    document: int
    words: Sequence[str]
    lines: Sequence[int]
    spans: tuple[Span, ...]
    text: str = ""
    starts: Sequence[int] = ()
    ends: Sequence[int] = ()
    offset: int = 0

    def with_spans(self, spans: Iterable[Span]) -> Audited:
        """The same words with other spans."""
        return replace(self, spans=tuple(sorted(spans)))


def read_audited(path: str | Path, options: ReadingOptions, report: Report | None = None) -> list[Audited]:
    """The sentences of a file; those without words are left out.

    Raises:
        InputError: what is wrong with the file; tags that are no spans.
    """
    report = Report() if report is None else report
    sentences, line, offset = [], -1, 0
    for sentence in open_sentences(path, options, report):
        if report.scheme == "plain":
            found = "this file has a plain tag for each word, and spans are wanted"
            raise InputError(found, path=path, fix=f"Name the column of spans, as {option('tag_column', 3)}.")
        offset = offset if sentence.line == line else 0
        line = sentence.line
        audited = _audited(str(path), sentence, offset)
        offset += len(sentence.text) + len(sentence.after)
        if audited.words:
            sentences.append(audited)
    return sentences


def _audited(path: str, sentence: Sentence, offset: int) -> Audited:
    if sentence.tokens:
        words, starts, ends = sentence.tokens, sentence.starts, sentence.ends
        spans = tags_to_spans(sentence.tags, "IOB2")
    else:
        split = split_words(sentence.text)
        words, starts, ends = [w.text for w in split], [w.start for w in split], [w.end for w in split]
        inside = sorted(Span(*span) for span in sentence.spans if span[1] <= len(sentence.text))
        spans, _ = project_spans(inside, starts, ends)
    lines = sentence.lines or [sentence.line] * len(words)
    return Audited(path, sentence.document, words, lines, tuple(spans), sentence.text, starts, ends, offset)


def as_corpus(sentences: Iterable[Audited]) -> Corpus:
    """Sentences as a corpus to train on, in its own words."""
    return Corpus({"train": Dataset.from_list([_row(one) for one in sentences], features=FEATURES)}, kind="spans")


def _row(one: Audited) -> dict[str, Any]:
    ends = [end - 1 for end in accumulate(len(word) + 1 for word in one.words)]
    starts = [end - len(word) for end, word in zip(ends, one.words, strict=True)]
    spans = [{"start": starts[s.start], "end": ends[s.end - 1], "label": s.label} for s in one.spans]
    tags = spans_to_tags(list(one.spans), len(one.words), "IOB2")
    text = " ".join(one.words)
    row = {"document": one.document, "text": text, "after": "\n", "raw": False, "tokens": list(one.words)}
    return {**row, "starts": starts, "ends": ends, "tags": tags, "spans": spans}

"""What a reader found in a file: its format, its sizes, and everything that it had to interpret or leave aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from tagsmith.tokenization.input_error import InputError, printable


class Sentence(NamedTuple):
    """One sentence of a corpus.

    `text[starts[i]:ends[i]] == tokens[i]`, except for the words of a multiword token that do not spell it: they share
    its offsets. A row known only as text and spans has no tokens. A span that crosses a line end
    ends beyond the text (see `split_lines`).
    """

    document: int
    text: str
    raw: bool  # the text is the file's own, not its tokens joined by spaces
    tokens: list[str]
    starts: list[int]  # characters
    ends: list[int]
    tags: list[str]  # IOB2, or plain tags as they are
    spans: list[tuple[int, int, str]]  # characters; for plain tags every word is one
    line: int  # of the file, where the sentence begins
    after: str = "\n"  # what stands between the text and the next one of its document
    scores: Sequence[float | None] = ()  # of the spans, where a tagger made some of them; not a part of corpora
    lines: Sequence[int] = ()  # of the tokens, where each has a line of its own; not a part of corpora


@dataclass
class Finding:
    """Something met once or often: how often, and where and what first."""

    count: int
    line: int
    found: str


@dataclass
class Report:
    """Filled while a file is read; complete when its last sentence has been yielded.

    `irregular` holds what breaks the format or the scheme but could be read without doubt; `notes` what the format
    allows and the reader left aside or had to settle (comments, empty nodes, multiword tokens). Columns are 0-based.
    `labels` are counted as they are read, after `ReadingOptions.map`; `mapped` counts those that it names.
    """

    path: str = ""
    format: str = ""
    encoding: str = ""
    separator: str = ""
    columns: int = 0
    word_column: int = -1
    tag_column: int = -1
    column_name: str = ""
    scheme: str = ""
    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    raw_texts: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    word_spans: int = 0  # of texts without tokens, which were compared with the borders of words
    mapped: dict[str, int] = field(default_factory=dict)
    irregular: dict[str, Finding] = field(default_factory=dict)
    notes: dict[str, Finding] = field(default_factory=dict)

    @property
    def spans(self) -> int:
        """Spans of all labels; for plain tags, the words."""
        return self.labels.total()

    def add_irregularity(self, kind: str, line: int, found: str, count: int = 1) -> None:
        """Count something that breaks the format or scheme and was read all the same."""
        self._add(self.irregular, kind, line, found, count)

    def add_note(self, kind: str, line: int, found: str) -> None:
        """Count something that the format allows and that was left aside or settled."""
        self._add(self.notes, kind, line, found)

    @staticmethod
    def _add(findings: dict[str, Finding], kind: str, line: int, found: str, count: int = 1) -> None:
        if kind in findings:
            findings[kind].count += count
        else:
            findings[kind] = Finding(count, line, found)

    def add_sentence(self, sentence: Sentence) -> None:
        """Count one sentence.

        Raises:
            InputError: its words, offsets and tags are not equally many, a mistake of the reader.
        """
        words = len(sentence.tokens)
        if not words == len(sentence.starts) == len(sentence.ends) == len(sentence.tags):
            message = f"{words} words, {len(sentence.starts)} offsets and {len(sentence.tags)} tags were read"
            raise InputError(message, path=self.path, line=sentence.line, fix="Please report this with the file.")
        self.documents = sentence.document + 1
        self.sentences += 1
        self.tokens += len(sentence.tokens)
        self.raw_texts += sentence.raw
        self.labels.update([span[2] for span in sentence.spans])

    def lines(self) -> list[str]:
        """The report for a person to read, a few short lines."""
        what = "tags" if self.scheme == "plain" else "spans"
        raw = f"; with raw text: {self.raw_texts:,} sentences" if self.raw_texts else "; tokens only, no raw text"
        lines = [
            f"{self.path}: {self._format()}",
            f"  {self.sentences:,} sentences, {self.tokens:,} tokens, {self.spans:,} {what}, "
            f"{self.documents:,} document{'s' * (self.documents != 1)}{raw}",
            "  labels: " + (", ".join(f"{label} {n:,}" for label, n in self.labels.most_common()) or "none"),
        ]
        if self.mapped:
            lines.append("  mapped: " + ", ".join(f"{label} {n:,}" for label, n in self.mapped.items()))
        for findings, manner in ((self.irregular, "irregular"), (self.notes, "note")):
            for kind, finding in findings.items():
                place = f"{self.path}:{finding.line}"
                lines.append(f"  {manner}: {kind}: {finding.count:,}, the first at {place}: {finding.found}")
        return [printable(line.replace("\n", "\\n")) for line in lines]

    def _format(self) -> str:
        if not self.columns:
            return f"{self.format or 'JSON lines'}, {self.scheme or 'character spans'}"
        name = f" ({self.column_name})" if self.column_name else ""
        return (
            f"{self.columns} columns by {self.separator}, words in column {self.word_column}, "
            f"tags in column {self.tag_column}{name}, scheme {self.scheme}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        findings = {
            name: {kind: asdict(finding) for kind, finding in getattr(self, name).items()}
            for name in ("irregular", "notes")
        }
        return {**vars(self), "labels": dict(self.labels), **findings}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        """The inverse of `to_dict`."""
        report = cls(**values)
        report.labels = Counter(report.labels)
        report.irregular = {kind: Finding(**finding) for kind, finding in values["irregular"].items()}
        report.notes = {kind: Finding(**finding) for kind, finding in values["notes"].items()}
        return report

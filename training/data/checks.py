"""Looks annotated files over before training: what a reader accepts may still be a mistake.

Files are streamed; what is kept of the training file are hashes of its sentences and entities.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagsmith.tokenization.input_error import InputError, printable
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.label_map import check_map, similar_labels
from tagsmith.training.data.offsets import INSIDE_WORDS, check_borders
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Finding, Report, Sentence
from tagsmith.training.data.shared_sentences import Sentences

_DEFAULT = ReadingOptions()

# Whitespace and invisible characters that words should not hold. Joiners (U+200C, U+200D) belong to many scripts.
_ODD = re.compile(
    "[\u0000-\u001f\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]"
)

# UTF-8 read as Latin-1 or Windows-1252: the first byte of a two-byte letter, then what a second byte looks like.
_SECOND = (
    "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201e"
    "\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122"
)
_MOJIBAKE = re.compile(f"[\u00c2-\u00c5\u00d0\u00d1][{_SECOND}]|\u00e2\u20ac|\u00ef\u00bf\u00bd")


@dataclass
class CheckResult:
    """What a check found. `errors` spoil a training; `warnings` deserve a look."""

    reports: dict[str, Report] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Everything for a person to read: reports by file, comparisons, warnings, errors, and a summary."""
        lines = [line for report in self.reports.values() for line in report.lines()]
        lines += self.facts
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"error: {error}" for error in self.errors]
        counts = (len(self.errors), "error"), (len(self.warnings), "warning")
        lines = [printable(line.replace("\n", "\\n")) for line in lines]
        return [*lines, ", ".join(f"{number} {name}{'s' * (number != 1)}" for number, name in counts)]


@dataclass
class _Contents:
    """What is kept of one file: its report, hashes, and findings by kind."""

    report: Report = field(default_factory=Report)
    sentences: Sentences = field(default_factory=Sentences)
    repeated: int = 0
    entities: set[int] = field(default_factory=set)
    findings: dict[str, Finding] = field(default_factory=dict)

    def find(self, kind: str, line: int, found: str) -> None:
        finding = self.findings.setdefault(kind, Finding(0, line, found))
        finding.count += 1


def check_files(
    files: Mapping[str, str | Path] | Sequence[str | Path],
    options: ReadingOptions = _DEFAULT,
    *,
    max_span_bytes: int = 60,
    rare: int = 10,
) -> CheckResult:
    """Check annotated files, and later files against the first, the training data (`train` in a mapping).

    Looked at: sizes, schemes and labels; what the reader had to settle; sentences and entities of other files that
    occur in the training file; labels that are rare there or missing; spans longer than a byte window; odd whitespace,
    replacement characters and misread encodings; empty sentences.

    Args:
        files: column files or JSON lines.
        options: how to read them.
        max_span_bytes: longer spans do not fit into a byte window.
        rare: labels with fewer spans in the training file are named.
    """
    named = dict(files) if isinstance(files, Mapping) else _named(files)
    result = CheckResult()
    contents: dict[str, _Contents] = {}
    for name, path in named.items():
        kept = _Contents()
        try:
            for sentence in open_sentences(path, options, kept.report):
                _look_at(sentence, kept, max_span_bytes)
            if not options.inside_words:
                check_borders(kept.report)
        except InputError as error:
            result.errors.append(str(error))
            if INSIDE_WORDS not in kept.report.irregular:
                continue
        contents[name] = kept
        result.reports[name] = kept.report
        _judge(kept, result)
    try:
        check_map(result.reports.values())
    except InputError as error:
        result.errors.append(str(error))
    counts = sum((report.labels for report in result.reports.values()), Counter())
    result.warnings += similar_labels(counts)
    training = "train" if "train" in named else next(iter(named), "")
    if training in contents:
        _judge_labels(contents[training], result, rare)
        for name, kept in contents.items():
            if name != training:
                _compare(contents[training], kept, result)
    return result


def _named(files: Sequence[str | Path]) -> dict[str, str | Path]:
    """Files by their paths; one that is given again is a file of its own."""
    named: dict[str, str | Path] = {}
    for path in files:
        again = sum(Path(path) == Path(other) for other in named.values())
        named[f"{path} ({again + 1})" if again else str(path)] = path
    return named


def _look_at(sentence: Sentence, kept: _Contents, max_span_bytes: int) -> None:
    text, tokens, line = sentence.text, sentence.tokens, sentence.line
    words = " ".join(tokens) if tokens else text.strip("\r\n")
    kept.repeated += kept.sentences.add(words, line)
    if not text.strip():
        kept.find("empty sentences", line, repr(text))
    if "\ufffd" in words:
        kept.find("replacement characters (U+FFFD), left by a broken conversion", line, words[:60])
    if not words.isascii() and (match := _MOJIBAKE.search(words)):
        around = words[max(match.start() - 10, 0) : match.end() + 10]
        kept.find("text that looks like UTF-8 read in another encoding", line, repr(around))
    if _ODD.search(words):
        odd = next((token for token in tokens or [text] if _ODD.search(token)), text)
        kept.find("odd whitespace, control or invisible characters in words", line, ascii(odd[:40]))
    if tokens and words.count(" ") != len(tokens) - 1:
        token = next(token for token in tokens if " " in token)
        kind = "words with a space at an end" if token != token.strip(" ") else "words with a space inside"
        kept.find(kind, line, repr(token[:40]))
    plain = kept.report.scheme == "plain"
    for start, end, label in sentence.spans:
        surface = text[start:end]
        kept.entities.add(hash(surface if plain else (surface, label)))
        if surface != surface.strip() and end <= len(text):
            kept.find("spans with whitespace at an end", line, repr(surface[:40]))
        if (end - start) * 4 > max_span_bytes and len(surface.encode("utf-8", "replace")) > max_span_bytes:
            what = "words" if plain else "spans"
            kept.find(f"{what} longer than {max_span_bytes} bytes", line, f"{label} {surface[:40]!r}…")


def _judge(kept: _Contents, result: CheckResult) -> None:
    """Turn what was found in one file into facts and warnings."""
    report = kept.report
    for kind, finding in {**report.irregular, **kept.findings}.items():
        place = f"{report.path}:{finding.line}"
        result.warnings.append(f"{place}: {kind}: {finding.count:,}, the first {finding.found}")
    if kept.repeated:
        share = kept.repeated / report.sentences
        result.facts.append(f"{report.path}: {share:.1%} of the sentences ({kept.repeated:,}) repeat an earlier one")
    if report.scheme == "plain" and report.labels["O"]:
        share = report.labels["O"] / report.spans
        message = f"{report.path}: {share:.1%} of the plain tags are 'O': are they entity labels without B- and I-?"
        result.warnings.append(message)


def _judge_labels(training: _Contents, result: CheckResult, rare: int) -> None:
    report = training.report
    if not report.spans:
        result.errors.append(f"{report.path}: nothing to learn: no span in {report.sentences:,} sentences")
    few = [f"{label} ({number})" for label, number in sorted(training.report.labels.items()) if number < rare]
    if few:
        result.warnings.append(f"{training.report.path}: labels with fewer than {rare} examples: {', '.join(few)}")


def _compare(training: _Contents, other: _Contents, result: CheckResult) -> None:
    """Compare another file with the training file."""
    path, first = other.report.path, training.report.path
    if (training.report.scheme == "plain") != (other.report.scheme == "plain") and other.report.spans:
        kinds = [f"{'plain tags' if part.report.scheme == 'plain' else 'spans'}" for part in (other, training)]
        result.errors.append(f"{path}: {kinds[0]}, where {first} has {kinds[1]}")
    missing = sorted(other.report.labels.keys() - training.report.labels.keys())
    if not other.report.spans:
        result.warnings.append(f"{path}: no span in {other.report.sentences:,} sentences")
    if missing:
        names = ", ".join(f"{label} ({other.report.labels[label]})" for label in missing)
        result.warnings.append(f"{path}: labels that {first} does not have: {names}")
    sentences = other.sentences.share_in(training.sentences)
    what = "words" if other.report.scheme == "plain" else "entities"
    entities = len(other.entities & training.entities) / max(len(other.entities), 1)
    result.facts.append(
        f"{path}: {sentences:.1%} of its distinct sentences and {entities:.1%} of its distinct {what} are in {first}"
    )
    if overlap := other.sentences.overlap(training.sentences):
        message = f"{path}:{overlap.place}: {overlap} are in {first} too, this one first; scores on it will flatter"
        result.warnings.append(message)

"""Labels under other names: `PERSON=PER,OTH=` reads PERSON as PER and drops OTH."""

from __future__ import annotations

import shlex
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import split_tag
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.strict_parsing import parse_yaml

_FILES = (".yaml", ".yml", ".json")
_FIX = "Write --map OLD=NEW,OLD= (an empty name drops a label), or --map FILE.yaml with OLD: NEW on each line."


def read_map(value: str | Path | Mapping[str, str | None]) -> dict[str, str]:
    """New names by old ones, empty where a label is dropped.

    Args:
        value: `OLD=NEW,OLD=`, the path of a YAML or JSON file with such a mapping, or the mapping itself.

    Raises:
        InputError: not of that form; a label given twice; a name that is itself mapped to another.
    """
    path = None
    if not isinstance(value, Mapping) and Path(str(value)).suffix.lower() in _FILES and "=" not in Path(value).name:
        path = Path(value)
        try:
            content, _ = parse_yaml(path.read_text(encoding="utf-8-sig"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read: {error}", path=path, fix=_FIX) from None
        if not isinstance(content, Mapping):
            raise InputError("not a mapping of labels", path=path, fix=_FIX)
        value = content
    pairs = list(value.items()) if isinstance(value, Mapping) else list(_pairs(str(value)))
    names: dict[str, str] = {}
    for old, new in pairs:
        new = "" if new is None else new
        if not isinstance(old, str) or not isinstance(new, str) or not old:
            raise InputError(f"{old!r}: {new!r} is not a label and its new name", path=path, fix="Quote both as text.")
        if old in names:
            raise InputError(f"the label {old!r} is mapped twice", path=path, fix="Keep one of them.")
        names[old] = new
    for old, new in names.items():
        if names.get(new, new) != new:
            message = f"{old!r} is mapped to {new!r}, and that to {names[new] or 'nothing'!r}"
            raise InputError(message, path=path, fix="Map each label to its final name.")
    return names


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        old, equals, new = part.partition("=")
        if not equals or not old or "=" in new:
            raise InputError(f"{part!r} in the map {text!r} is not OLD=NEW", fix=_FIX)
        yield old, new


def map_labels(sentences: Iterable[Sentence], names: Mapping[str, str], report: Report) -> Iterator[Sentence]:
    """Sentences with their labels under new names; their report is mapped once all are read.

    Raises:
        InputError: a plain tag that is dropped, since each word needs one.
    """
    for sentence in sentences:
        yield map_sentence(sentence, names, report)
    map_report(report, names)


def map_sentence(sentence: Sentence, names: Mapping[str, str], report: Report) -> Sentence:
    """A sentence with its labels under new names.

    Raises:
        InputError: a plain tag that is dropped.
    """
    if not sentence.spans:
        return sentence
    spans = [(start, end, names.get(label, label)) for start, end, label in sentence.spans]
    tags = [_new_tag(tag, names, report, sentence.line) for tag in sentence.tags]
    scores = [score for score, span in zip(sentence.scores, spans, strict=False) if span[2]]
    return sentence._replace(tags=tags, spans=[span for span in spans if span[2]], scores=scores)


def map_report(report: Report, names: Mapping[str, str]) -> None:
    """Count a file's labels under their new names, and those that were mapped."""
    found, report.labels = report.labels, Counter()
    report.mapped = {old: found[old] for old in names}
    for label, count in found.items():
        if new := names.get(label, label):
            report.labels[new] += count


def _new_tag(tag: str, names: Mapping[str, str], report: Report, line: int) -> str:
    if report.scheme == "plain":
        if not (new := names.get(tag, tag)):
            fix = "Map it to another tag."
            raise InputError(f"the plain tag {tag!r} cannot be dropped", path=report.path, line=line, fix=fix)
        return new
    if tag == "O":
        return tag
    prefix, label = split_tag(tag)
    new = names.get(label, label)
    return f"{prefix}-{new}" if new else "O"


def check_map(reports: Iterable[Report]) -> None:
    """See that each label that was to be mapped occurs in one of the files.

    Raises:
        InputError: one does not; close ones are named.
    """
    counts: Counter[str] = Counter()
    known: set[str] = set()
    path = ""
    for report in reports:
        path = path or report.path
        counts.update(report.mapped)
        known.update(report.labels, (label for label, count in report.mapped.items() if count))
    if missing := [label for label, count in counts.items() if not count]:
        close = get_close_matches(missing[0], known, n=3, cutoff=0.5)
        close = close or [label for label in sorted(known) if label.casefold() == missing[0].casefold()]
        fix = (
            f"Did you mean {' or '.join(map(repr, close))}?" if close else f"Labels here: {', '.join(sorted(known))}."
        )
        raise InputError(f"the map names the label {missing[0]!r}, which does not occur", path=path, fix=fix)


def similar_labels(labels: Mapping[str, int]) -> list[str]:
    """What to say of labels that differ only by case, Unicode form or surrounding blanks, and how to join them.

    Args:
        labels: how often each occurs.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).strip()].append(label)
    similar = [sorted(group, key=lambda label: (-labels[label], label)) for group in groups.values() if len(group) > 1]
    if not similar:
        return []
    shown = "; ".join(", ".join(f"{label!a} {labels[label]:,}" for label in group) for group in similar)
    pairs = [(old, group[0]) for group in similar for old in group[1:]]
    if any("," in name or "=" in name for pair in pairs for name in pair):
        lines = ", ".join(f"{old!r}: {new!r}" for old, new in pairs)
        fix = f"a file with {{{lines}}} and --map FILE.yaml reads them as one"
    else:
        fix = f"--map {shlex.quote(','.join(f'{old}={new}' for old, new in pairs))} reads them as one"
    return [f"labels that differ only by case, Unicode form or surrounding blanks: {shown}; {fix}"]

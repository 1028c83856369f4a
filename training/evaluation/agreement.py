"""How far annotators agree over the same texts: F1 of exact spans, kappa over words, and the spans that differ.

Texts are matched by their characters without white space, so that the formats of the files need not be the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.reading_report import Sentence

Spans = list[tuple[int, int, str]]  # characters without white space, end exclusive
ALL = "all"  # the row of all labels together


class Shared(NamedTuple):
    """A text that all annotators have.

    Attributes:
        text: as the first of them has it.
        places: of its characters other than white space, in that text.
        line: of the first annotator's file.
        spans: of each annotator.
    """

    text: str
    places: list[int]
    line: int
    spans: list[Spans]

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """A span in the characters of the text; one that ends in another line ends with this one."""
        return self.places[start], self.places[min(end, len(self.places)) - 1] + 1


class Row(NamedTuple):
    """The agreement of two annotators on a label.

    Attributes:
        f1: of exact spans, 0 to 1; None where neither has one.
        kappa: Cohen's, over words; None where it is not defined, as both leave no choice.
        first: spans of the first annotator.
        second: of the second.
        both: that they share.
    """

    f1: float | None
    kappa: float | None
    first: int
    second: int
    both: int


class Difference(NamedTuple):
    """Spans that lie over each other, and on which not all annotators agree.

    Attributes:
        shared: the text.
        kind: `missing`, `label`, `borders` or `labels and borders`.
        spans: of each annotator, none, one or more.
    """

    shared: Shared
    kind: str
    spans: list[Spans]


@dataclass
class Agreement:
    """What a comparison found.

    Attributes:
        texts: those that all annotators have.
        alone: how many texts each annotator has that others do not.
        pairs: rows by label, and of `ALL`, for each pair of annotators by their numbers.
    """

    texts: list[Shared]
    alone: list[int]
    pairs: dict[tuple[int, int], dict[str, Row]] = field(default_factory=dict)

    def mean(self, name: str) -> float | None:
        """The mean over all pairs of `f1` or `kappa` of all labels, where it is defined."""
        values = [value for rows in self.pairs.values() if (value := getattr(rows[ALL], name)) is not None]
        return sum(values) / len(values) if values else None

    def differences(self) -> Iterator[Difference]:
        """Where they differ, in the order of the first annotator's texts."""
        for shared in self.texts:
            for group in _overlapping(shared.spans):
                if any(spans != group[0] for spans in group):
                    yield Difference(shared, _kind(group), group)


def compare_annotators(annotators: Sequence[Iterable[Sentence]]) -> Agreement:
    """Compare what annotators made of the same texts.

    Args:
        annotators: the sentences of two or more.

    Raises:
        InputError: fewer than two; no text that all of them have; a label that is called `ALL`.
    """
    if len(annotators) < 2:
        raise InputError("one annotator has nobody to agree with", fix="Give two files or more.")
    found = [_by_text(sentences) for sentences in annotators]
    shared_keys = [key for key in found[0] if all(key in other for other in found)]
    if not shared_keys:
        fix = "Give files of the same texts, with their sentences cut in the same way."
        raise InputError("no text is in all of the files", fix=fix)
    texts = []
    for key in shared_keys:
        first = found[0][key]
        places = [place for place, character in enumerate(first.text) if not character.isspace()]
        texts.append(Shared(first.text, places, first.line, [_without_spaces(other[key]) for other in found]))
    agreement = Agreement(texts, [len(own) - len(shared_keys) for own in found])
    for one, two in combinations(range(len(annotators)), 2):
        agreement.pairs[one, two] = _rows(texts, one, two)
    return agreement


def _by_text(sentences: Iterable[Sentence]) -> dict[tuple[str, int], Sentence]:
    """Sentences by their characters, and by which of those with the same characters they are."""
    seen: Counter[str] = Counter()
    found = {}
    for sentence in sentences:
        key = "".join(sentence.text.split())
        if key:
            found[key, seen[key]] = sentence
            seen[key] += 1
    return found


def _without_spaces(sentence: Sentence) -> Spans:
    before = [0]
    for character in sentence.text:
        before.append(before[-1] + (not character.isspace()))
    beyond = len(sentence.text)
    spans = [
        (before[start], before[min(end, beyond)] + max(end - beyond, 0), label) for start, end, label in sentence.spans
    ]
    return sorted(span for span in spans if span[0] < span[1])


def _rows(texts: Sequence[Shared], one: int, two: int) -> dict[str, Row]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    pairs: Counter[tuple[str, str]] = Counter()  # the labels that both give a word, "" for none
    for shared in texts:
        first, second = shared.spans[one], shared.spans[two]
        for name, spans in (("first", first), ("second", second), ("both", list(set(first) & set(second)))):
            counts[name].update(label for _, _, label in spans)
        pairs.update(zip(*_labels_of_words(shared, [first, second]), strict=True))
    labels = sorted(set().union(*counts.values()))
    if ALL in labels:
        raise InputError(f"{ALL!r} is what all labels together are called", fix="Rename the label: --map all=ALL.")
    three = [counts[name] for name in ("first", "second", "both")]
    rows = {label: _row([own[label] for own in three], _one(pairs, label)) for label in labels}
    return {**rows, ALL: _row([own.total() for own in three], pairs)}


def _labels_of_words(shared: Shared, spans: Sequence[Spans]) -> list[list[str]]:
    """The label of each word, by annotator; a span that covers a part of a word counts for it."""
    starts, at = [], 0
    for word in split_words(shared.text):
        starts.append((at, at := at + len("".join(word.text.split()))))
    labels = []
    for own in spans:
        row, number = [], 0
        for start, end in starts:
            while number < len(own) and own[number][1] <= start:
                number += 1
            row.append(own[number][2] if number < len(own) and own[number][0] < end else "")
        labels.append(row)
    return labels


def _one(pairs: Mapping[tuple[str, str], int], label: str) -> Counter[tuple[str, str]]:
    """Pairs where all but one label is none."""
    found: Counter[tuple[str, str]] = Counter()
    for (first, second), count in pairs.items():
        found[first if first == label else "", second if second == label else ""] += count
    return found


def _row(counts: Sequence[int], pairs: Counter[tuple[str, str]]) -> Row:
    first, second, both = counts
    f1 = 2 * both / (first + second) if first + second else None
    return Row(f1, cohens_kappa(pairs), first, second, both)


def cohens_kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa of two annotators; None where chance alone makes them agree.

    Args:
        pairs: how often the first chose the one and the second the other.
    """
    total = sum(pairs.values())
    firsts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for (first, second), count in pairs.items():
        firsts[first] += count
        seconds[second] += count
    observed = sum(count for (first, second), count in pairs.items() if first == second)
    by_chance = sum(count * seconds[label] for label, count in firsts.items())
    if total * total == by_chance:  # also where there are no words
        return None
    return (observed * total - by_chance) / (total * total - by_chance)


def _overlapping(annotators: Sequence[Spans]) -> Iterator[list[Spans]]:
    """Groups of spans that lie over each other, each by annotator."""
    spans = sorted((span, number) for number, own in enumerate(annotators) for span in own)
    group: list[Spans] = []
    end = 0
    for span, number in spans:
        if group and span[0] >= end:
            yield group
            group = []
        if not group:
            group, end = [[] for _ in annotators], span[1]
        group[number].append(span)
        end = max(end, span[1])
    if group:
        yield group


def _kind(group: Sequence[Spans]) -> str:
    if not all(group):
        return "missing"
    borders = {tuple(span[:2] for span in spans) for spans in group}
    labels = {tuple(span[2] for span in spans) for spans in group}
    if len(borders) == 1:
        return "label"
    return "borders" if len(labels) == 1 else "labels and borders"

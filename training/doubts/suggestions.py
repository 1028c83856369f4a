"""Which sentences to annotate next: those in which a tagger doubts most, for their length, and of many kinds.

The doubt of a sentence is the number of errors to be expected in it: what its found spans lack in probability, and
how probable spans are where none was found. Each doubt belongs to a string, and counts half once a sentence
with that string has been chosen. Gains can only shrink so, and a lazy greedy choice is exact (Minoux 1978).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.reading_report import Sentence
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.opinions import Opinion, ask
from tagsmith.training.families import reads_bytes

_AT_A_TIME = 2048  # sentences that are tagged together
_KEPT = 20  # candidates for each sentence that is wanted, from which diversity chooses
_EFFORT = 5  # words that it takes to begin with a sentence
_AGAIN = 0.5  # what a doubt is worth once a sentence with its string is chosen
_LEAST = 0.01  # doubts below this are no reason to read a sentence


@dataclass
class Suggestion:
    """A sentence to annotate.

    Attributes:
        file: where it stands.
        line: from 1.
        text: of the line.
        spans: that the tagger finds, in characters.
        scores: of these.
        doubts: how many errors are to be expected, by the string that they concern.
        words: how many it has.
        gain: errors to be expected for each word of effort; once chosen, without those seen before.
    """

    file: str
    line: int
    text: str
    spans: list[Span]
    scores: list[float]
    doubts: dict[str, float]
    words: int
    gain: float = field(default=0.0)

    def worth(self, seen: Counter[str]) -> float:
        """The gain after others have been chosen, by how often each string was seen in them."""
        return sum(doubt * _AGAIN ** seen[name] for name, doubt in self.doubts.items()) / (self.words + _EFFORT)

    def as_sentence(self, number: int) -> Sentence:
        """The sentence with what the tagger found, as the writers of annotation tools take it."""
        return Sentence(number, self.text, True, [], [], [], [], list(self.spans), self.line, scores=self.scores)


def suggest(
    pipeline: Any,
    lines: Iterable[tuple[str, int, str]],
    number: int,
    known: Iterable[str] = (),
    head: str | None = None,
) -> list[Suggestion]:
    """Choose sentences, the most useful first; memory does not grow with the pool, except for a hash of each sentence.

    Args:
        pipeline: of a tagger of either family.
        lines: the pool: file, line and text of each sentence.
        number: how many to choose.
        known: texts that are annotated already, and not chosen; nor is any sentence twice.
        head: of a tagger that has several.
    """
    candidates: list[tuple[float, int, Suggestion]] = []
    order, seen = count(), {_key(text) for text in known}
    fresh = (line for line in lines if _is_new(line[2], seen))
    while chunk := list(islice(fresh, _AT_A_TIME)):
        for candidate in _judged(pipeline, chunk, head):
            candidate.gain = candidate.worth(Counter())
            heapq.heappush(candidates, (candidate.gain, -next(order), candidate))
            if len(candidates) > _KEPT * number:
                heapq.heappop(candidates)
    return _diverse(candidates, number)


def _key(text: str) -> int:
    """Of sentences that differ in no more than case, digits and white space."""
    return hash("".join("0" if mark.isdigit() else mark for mark in "".join(text.split()).casefold()))


def _is_new(text: str, seen: set[int]) -> bool:
    key = _key(text)
    if not text.strip() or key in seen:
        return False
    seen.add(key)
    return True


def _judged(pipeline: Any, lines: Sequence[tuple[str, int, str]], head: str | None) -> Iterator[Suggestion]:
    split = split_words if reads_bytes(pipeline) else pipeline.tokenizer.split
    sentences, places = [], []
    for file, line, text in lines:
        if words := split(text):
            texts, starts, ends = map(list, zip(*words, strict=True))
            sentences.append(Audited(file, 0, texts, [line] * len(texts), (), text, starts, ends))
            places.append(line)
    for sentence, line, opinion in zip(sentences, places, ask(pipeline, sentences, head), strict=True):
        found = sorted(opinion.found)
        spans = [Span(sentence.starts[s.start], sentence.ends[s.end - 1], s.label) for s in found]
        scores = [float(opinion.found[span]) for span in found]
        doubts = _doubts(sentence, opinion)
        yield Suggestion(sentence.path, line, sentence.text, spans, scores, doubts, len(sentence.words))


def _doubts(sentence: Audited, opinion: Opinion) -> dict[str, float]:
    doubts: defaultdict[str, float] = defaultdict(float)
    covered: set[int] = set()
    for span, score in opinion.found.items():
        doubts[" ".join(sentence.words[span.start : span.end]).casefold()] += 1 - score
        covered.update(range(span.start, span.end))
    for place, free in enumerate(opinion.outside.tolist()):
        if place not in covered:
            doubts[sentence.words[place].casefold()] += 1 - free
    return {name: doubt for name, doubt in doubts.items() if doubt >= _LEAST}


def _diverse(candidates: Sequence[tuple[float, int, Suggestion]], number: int) -> list[Suggestion]:
    """The best of candidates, each by what it has beside those before it."""
    waiting = [(-gain, -order, own) for gain, order, own in candidates]
    heapq.heapify(waiting)
    seen: Counter[str] = Counter()
    chosen: list[Suggestion] = []
    while waiting and len(chosen) < number:
        _, order, own = heapq.heappop(waiting)
        now = own.worth(seen)
        if waiting and -now > waiting[0][0]:  # others may be worth more by now
            heapq.heappush(waiting, (-now, order, own))
            continue
        own.gain = now
        seen.update(own.doubts.keys())
        chosen.append(own)
    return chosen

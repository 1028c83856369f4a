"""A text of several lines as a sentence a line, by the rule of tagging: LF, CR LF and CR end a line."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags
from tagsmith.training.data.reading_report import Report, Sentence

ACROSS_LINES = "spans that cross a line end (only a byte-to-span tagger learns and finds them)"
# White space inside a text that holds a line end; breaks at either end of a text stay with the line beside them.
_BREAKS = re.compile(r"[\r\n]+")


def split_lines(sentence: Sentence, report: Report) -> Iterator[Sentence]:
    """A sentence for each line of a raw text that is not empty; together they hold the text, breaks and all.

    What stands between a line and the next is in `after`. A span that crosses a line end stays with the line where it
    begins, its end beyond that line's text, so that a whole document still has it; the report counts them.

    Args:
        sentence: with the file's own text. Any other one is yielded as it is, since its tokens are tagged as given.
        report: of the file.
    """
    text = sentence.text
    body = text.strip("\r\n")
    if not sentence.raw or not _BREAKS.search(body):
        yield sentence
        return
    first = text.index(body)
    breaks = [match.span() for match in _BREAKS.finditer(text, first, first + len(body))]
    starts = [0, *(end for _, end in breaks)]
    ends = [*(start for start, _ in breaks), len(text)]
    sentence = _without_breaks(sentence, report)
    if any(_BREAKS.search(token) for token in sentence.tokens):
        report.add_note("texts whose tokens hold line ends, read as one sentence", sentence.line, text[:40])
        yield sentence._replace(raw=False)
        return
    span_bounds = _bounds([span[0] for span in sentence.spans], starts)
    token_bounds = _bounds(sentence.starts, starts)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        spans = [Span(s - start, e - start, label) for s, e, label in sentence.spans[slice(*span_bounds[number])]]
        chosen = slice(*token_bounds[number])
        for s, e, label in spans:
            if e > end - start:
                report.add_irregularity(ACROSS_LINES, sentence.line, f"{label} {text[start + s : start + e]!r}"[:80])
        tokens, tags = sentence.tokens[chosen], sentence.tags[chosen]
        token_starts = [place - start for place in sentence.starts[chosen]]
        token_ends = [place - start for place in sentence.ends[chosen]]
        if tags and report.scheme != "plain":
            inside = [span for span in spans if span.end <= end - start]
            tags = _tags(inside, token_starts, token_ends)
        after = text[end : starts[number + 1]] if number + 1 < len(starts) else "\n"
        yield sentence._replace(
            text=text[start:end],
            tokens=tokens,
            starts=token_starts,
            ends=token_ends,
            tags=tags,
            spans=[(span.start, span.end, span.label) for span in spans],
            scores=sentence.scores[slice(*span_bounds[number])],
            after=after,
        )


def _bounds(places: list[int], starts: list[int]) -> list[tuple[int, int]]:
    """Which of some rising places belong to each line, first and end."""
    return list(pairwise([*(bisect_left(places, start) for start in starts), len(places)]))


def _without_breaks(sentence: Sentence, report: Report) -> Sentence:
    """The sentence without tokens of line ends alone, as some tokenizers give them; a plain tag needs its token."""
    kept = [number for number, token in enumerate(sentence.tokens) if token.strip() or not _BREAKS.search(token)]
    if len(kept) == len(sentence.tokens) or report.scheme == "plain":
        return sentence
    for _ in range(len(sentence.tokens) - len(kept)):
        report.add_note("tokens of line ends alone, left aside", sentence.line, sentence.text[:40])
    return sentence._replace(
        tokens=[sentence.tokens[number] for number in kept],
        starts=[sentence.starts[number] for number in kept],
        ends=[sentence.ends[number] for number in kept],
        tags=[sentence.tags[number] for number in kept],
    )


def _tags(spans: list[Span], starts: list[int], ends: list[int]) -> list[str]:
    words = [Span(bisect_left(starts, start), bisect_left(ends, end) + 1, label) for start, end, label in spans]
    return spans_to_tags(words, len(starts), "IOB2")

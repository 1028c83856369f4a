"""Sentences split after words that end one, for files that have no blank lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagsmith.training.data.reading_options import option
from tagsmith.training.data.reading_report import Report, Sentence

# Full stops, question and exclamation marks: Latin, Greek, Arabic, Urdu, Devanagari, Armenian, Ethiopic, Khmer,
# Myanmar, Tibetan, Chinese and Japanese.
_MARKS = frozenset([".", "!", "?", "...", "?!", "!?"]).union(
    "\u2026\u037e\u061f\u06d4\u0964\u0965\u0589\u1362\u1367\u17d4\u104b\u0f0d\u3002\uff01\uff1f\uff0e\uff61\u203c\u2047"
)

_FEW_WORDS = 500  # files with fewer may well be one sentence
_LONG = 150  # words on average that no text's sentences have


def end_words(choice: str) -> frozenset[str]:
    """The words that `ReadingOptions.sentence_end` names."""
    return _MARKS if choice == "auto" else frozenset(choice.split())


def split_sentence(sentence: Sentence, lines: Sequence[int], ends: frozenset[str]) -> Iterator[Sentence]:
    """Split a sentence after each word of `ends`, but never inside a span or a multiword token.

    Args:
        sentence: with tokens.
        lines: of its tokens.
        ends: words that end a sentence.
    """
    tokens, tags = sentence.tokens, sentence.tags
    plain = len(sentence.spans) == len(tags) and all(
        span[2] == tag for span, tag in zip(sentence.spans, tags, strict=True)
    )
    first, span = 0, 0
    for number, token in enumerate(tokens, 1):
        more = number < len(tokens)
        if more and (token not in ends or sentence.starts[number] < sentence.ends[number - 1]):
            continue
        if more and not plain and tags[number].startswith("I-"):
            continue
        start, end = sentence.starts[first], sentence.ends[number - 1]
        spans = []
        while span < len(sentence.spans) and sentence.spans[span][1] <= end:
            here, there, label = sentence.spans[span]
            spans.append((here - start, there - start, label))
            span += 1
        yield sentence._replace(
            text=sentence.text[start:end],
            tokens=tokens[first:number],
            starts=[place - start for place in sentence.starts[first:number]],
            ends=[place - start for place in sentence.ends[first:number]],
            tags=tags[first:number],
            spans=spans,
            line=lines[first],
            lines=lines[first:number],
            after=sentence.text[end : sentence.starts[number]] if more else sentence.after,
        )
        first = number


def note_long_sentences(report: Report, first_line: int) -> None:
    """Enter into a finished report that the file's sentences are longer than any text's."""
    if report.tokens <= _FEW_WORDS or report.tokens <= _LONG * report.sentences:
        return
    kind = f"sentences without end: are blank lines missing? {option('sentence_end', 'auto')} splits at full stops"
    found = f"{report.tokens / report.sentences:,.0f} words in a sentence on average"
    report.add_irregularity(kind, first_line, found, report.sentences)

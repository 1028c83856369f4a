"""Text into words with exact character offsets, and spans of characters onto words."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tokenizers import Regex, pre_tokenizers

from .spans import Span

# Scripts written without spaces: each character, with its marks, is a word, so that any span can be met.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# A letter, mark or digit of any other script; the joiners U+200C and U+200D stand inside words of Persian or Hindi.
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_\x{{200C}}\x{{200D}}]&&[^{_UNSPACED}]]"
_OTHER = r"\X"  # one grapheme: a mark of punctuation, an emoji with its modifiers

SPLITTERS = {
    # Initials and abbreviations (J., U.S.), clitics ('s), inner hyphens and points (well-known, b.com), numbers.
    "words": "|".join(
        [
            rf"(?:(?<!{_LETTER})\p{{Lu}}\.)+(?!{_LETTER})",
            rf"['’]\p{{L}}{{1,2}}(?!{_LETTER})",
            rf"{_LETTER}+(?:[-.&·]{_LETTER}+|(?<=\p{{N}})[,:/]\p{{N}}+)*",
            r"\.{2,}|-{2,}",
            _OTHER,
        ]
    ),
    # Every mark of punctuation by itself: more words, and no span boundary is ever inside one that holds a mark.
    "punctuation": rf"{_LETTER}+|{_OTHER}",
    "whitespace": None,
}


class Word(NamedTuple):
    """A word of a text: `text[start:end] == word.text`, in characters."""

    text: str
    start: int
    end: int


@lru_cache
def _pre_tokenizer(splitter: str) -> pre_tokenizers.PreTokenizer:
    if splitter not in SPLITTERS:
        raise ValueError(f"Unknown splitter {splitter!r}; choose one of {', '.join(SPLITTERS)}.")
    pattern = SPLITTERS[splitter]
    spaces = pre_tokenizers.WhitespaceSplit()
    if pattern is None:
        return spaces
    return pre_tokenizers.Sequence([spaces, pre_tokenizers.Split(Regex(pattern), "isolated")])


def split_words(text: str, splitter: str = "words") -> list[Word]:
    """Split a text into words; white space belongs to none.

    Args:
        text: any unicode text without lone surrogates.
        splitter: "words", "punctuation" (every mark apart) or "whitespace".

    Raises:
        ValueError: the splitter is unknown, or the text holds a lone surrogate, which no encoding can carry.
    """
    try:
        pieces = _pre_tokenizer(splitter).pre_tokenize_str(text)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}, which is "
            "no character. Decode the bytes again with errors='replace'."
        ) from error
    return [Word(piece, start, end) for piece, (start, end) in pieces]


def iterate_sentences(text: str, splitter: str, max_words: int) -> Iterator[list[Word]]:
    """A text's words, a stretch at a time, in constant memory whatever the text's length.

    A line break always ends a stretch, so that the lines of a document are tagged one by one. A line of more than
    `max_words` words is cut by `cut_sentence`. Nothing is dropped.
    """
    for line in _BREAK.finditer(text):
        words: list[Word] = []
        for word in _words_of_line(text, *line.span(), splitter):
            words.append(word)
            if len(words) > max_words:
                cut = cut_sentence([word.text for word in words], max_words)
                yield words[:cut]
                words = words[cut:]
        if words:
            yield words


def _words_of_line(text: str, start: int, end: int, splitter: str) -> Iterator[Word]:
    """The words of `text[start:end]`, read a block at a time; a word that a block may have cut is read again."""
    size = _BLOCK
    while start < end:
        stop = min(start + size, end)
        words = split_words(text[start:stop], splitter)
        if stop < end and words and not text[stop - 1].isspace():
            # The last words may go on behind the block: an abbreviation and its point, a number and its comma.
            words = words[:-4]
            if not words:
                size *= 2
                continue
            stop = start + words[-1].end
        for word in words:
            yield Word(word.text, start + word.start, start + word.end)
        start, size = stop, _BLOCK


def cut_sentence(words: Sequence[str], max_words: int) -> int:
    """Where to end a stretch of at most `max_words` words: after the last that ends a sentence, else at the limit."""
    limit = min(max_words, len(words))
    return next((i for i in range(limit, 0, -1) if words[i - 1][-1] in _SENTENCE_END), limit)


_BREAK = re.compile(r"[^\r\n]+")
_BLOCK = 65_536  # characters
_SENTENCE_END = frozenset(".!?…。！？।॥؟۔։")


def project_spans(spans: Sequence[Span], starts: Sequence[int], ends: Sequence[int]) -> tuple[list[Span], int]:
    """Character spans onto words: the words that each span touches.

    Args:
        spans: character spans, sorted and not overlapping.
        starts: the words' first characters, rising.
        ends: the words' ends, exclusive, rising.

    Returns:
        Word spans, in order, and how many of the given ones did not align: a boundary inside a word widens the span
        to the whole word; a span that touches no word, or only words that an earlier one has taken, is left out.
    """
    projected: list[Span] = []
    misaligned, taken = 0, 0
    for span in spans:
        first = max(bisect_right(ends, span.start), taken)
        last = bisect_left(starts, span.end)
        if first >= last:
            misaligned += 1
            continue
        misaligned += starts[first] != span.start or ends[last - 1] != span.end
        projected.append(Span(first, last, span.label))
        taken = last
    return projected, misaligned

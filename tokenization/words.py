"""Text into words with exact character offsets, and spans of characters onto words."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tokenizers import Regex, pre_tokenizers

from .input_error import InputError
from .spans import Span

# Scripts written without spaces: each character, with its marks, is a word, so that any span can be met.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# A letter, mark or digit of any other script; the joiners U+200C and U+200D stand inside words of Persian or Hindi.
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_\x{{200C}}\x{{200D}}]&&[^{_UNSPACED}]]"
_OTHER = r"\X"  # one grapheme: a mark of punctuation, an emoji with its modifiers

# No pattern looks behind its own match: `_words_of_line` rests on words that do not depend on those before them.
SPLITTERS = {
    # Initials and abbreviations (J., U.S.), clitics ('s), inner hyphens and points (well-known, b.com), numbers.
    "words": "|".join(
        [
            rf"(?:\p{{Lu}}\p{{M}}*\.)+(?!{_LETTER})",
            rf"['’](?:\p{{L}}\p{{M}}*){{1,2}}(?!{_LETTER})",
            rf"{_LETTER}+(?:[-.&·\x{{0387}}]{_LETTER}+|(?<=\p{{N}})[,:/]\p{{N}}+)*",
            r"\.{2,}|-{2,}",
            _OTHER,
        ]
    ),
    # Every mark of punctuation by itself: more words, and no span boundary is ever inside one that holds a mark.
    "punctuation": rf"{_LETTER}+|{_OTHER}",
    "whitespace": None,
}

# A line of nothing else has no words: control characters, Unicode's white space, and what it calls ignorable (soft
# hyphens, joiners, marks of direction, fillers, variation selectors).
_SHOWS = re.compile(
    "[^\\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


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
    """Split a text into words; white space belongs to none, and lines that show nothing have none.

    Args:
        text: any unicode text without lone surrogates.
        splitter: "words", "punctuation" (every mark apart) or "whitespace".

    Raises:
        ValueError: the splitter is unknown.
        InputError: the text holds a lone surrogate, which no encoding can carry.
    """
    spans = (line.span() for line in _LINE.finditer(text))
    return [word for span in spans for word in _words_of_line(text, *span, splitter)]


def _words_between(text: str, start: int, end: int, splitter: str) -> list[Word]:
    """The words of `text[start:end]`, split as if nothing stood around it."""
    try:
        pieces = _pre_tokenizer(splitter).pre_tokenize_str(text[start:end])
    except UnicodeEncodeError as error:
        position = start + error.start
        raise InputError(
            f"the text holds a lone surrogate (U+{ord(text[position]):04X}) at character {position}, which is no "
            "character",
            fix="Decode the bytes again with errors='replace'.",
        ) from error
    return [Word(piece, start + first, start + last) for piece, (first, last) in pieces]


def iterate_sentences(text: str, splitter: str, max_words: int) -> Iterator[list[Word]]:
    """A text's words, a stretch at a time, the same as `split_words` gives; in constant memory for any common text.

    A line break (CR or LF) always ends a stretch, so that the lines of a document are tagged one by one. A line of
    more than `max_words` words is cut by `cut_sentence`. Nothing is dropped.
    """
    for line in _LINE.finditer(text):
        words: list[Word] = []
        for word in _words_of_line(text, *line.span(), splitter):
            words.append(word)
            if len(words) > max_words:
                cut = cut_sentence([word.text for word in words], max_words)
                yield words[:cut]
                words = words[cut:]
        if words:
            yield words


def join_lines(lines: Iterable[list[Word]], most: int) -> Iterator[list[Word]]:
    """Lines of words put together, as they follow each other, as long as they have no more than `most` words."""
    passage: list[Word] = []
    for words in lines:
        if passage and len(passage) + len(words) > most:
            yield passage
            passage = []
        passage = [*passage, *words] if passage else words
    if passage:
        yield passage


def _words_of_line(text: str, start: int, end: int, splitter: str) -> Iterator[Word]:
    """The words of `text[start:end]`, read a block at a time.

    A block ends at white space; where it has none, between two words; where one word fills it, inside that word. Only
    where none of these can be told does it take a longer block, of twice the size.
    """
    if not _SHOWS.search(text, start, end):
        return
    size, begun = _BLOCK, start  # begun: where the word begins that continues at `start`
    while start < end:
        stop, sure = _block_end(text, start, end, size)
        resume, words = stop, _words_between(text, start, stop, splitter)
        if not sure:
            words, resume = _settled(words, splitter)
            if not words:
                size *= 2
                continue
        if begun < start and words:
            words[0] = Word(text[begun : words[0].end], begun, words[0].end)
        begun = resume
        if words and resume < words[-1].end:
            begun = words.pop().start
        yield from words
        start, size = resume, _BLOCK


def _block_end(text: str, start: int, end: int, size: int) -> tuple[int, bool]:
    """Where a block ends, and whether no word continues there: at the line's end or white space."""
    stop = min(start + size, end)
    if size == _BLOCK and (flags := _MANY_FLAGS.search(text, start, stop)):  # each costs a look at all before it
        stop = flags.end()
    if stop == end:
        return end, True
    space = _TO_LAST_SPACE.match(text, start, stop)
    return (space.end(), True) if space else (stop, False)


def _settled(words: list[Word], splitter: str) -> tuple[list[Word], int]:
    """Those words of a block without white space that what follows it cannot change, and where to read on.

    Words are found from left to right, each by what follows it: two may look to the block's end and beyond (`1` and
    `,` may be of `1,5`), and some more are left for good measure. What stands before a word matters only to what
    attaches to it, as marks do and the modifiers of an emoji. A word that may continue is cut where the rest of it,
    read by itself, ends where the word does; the last of those that are given then ends beyond the place to read on.
    """
    for n in range(len(words) - _UNSURE, 0, -1):
        if not _attaches(words[n].text[0]):
            return words[:n], words[n].start
    for n in range(len(words) - 1, -1, -1):
        if cut := _cut_inside(words[n].text, splitter):
            return words[: n + 1], words[n].start + cut
    return [], 0


def _attaches(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or _MODIFIER.match(character) is not None


def _cut_inside(word: str, splitter: str) -> int:
    """How many of a word's characters to read before the rest; 0 where its last ones do not tell."""
    if splitter == "whitespace":
        return len(word) - 1
    last = range(len(word) - 3, max(len(word) - _TRIED, 0), -1)
    if word[0] in ".-":
        return next((n for n in last if word[n] == word[n + 1] == word[0]), 0)
    if not _is_letter(word[0], splitter):
        return 0
    return next((n for n in last if _may_begin(word, n)), 0)


def _may_begin(word: str, n: int) -> bool:
    """Whether a word of letters, marks and digits may be read from its `n`-th character on as if it began there."""
    if word[n + 1] in _JOINTS:
        return word[n] in _DIGITS and word[n + 1] in ",:/" and word[n + 2] in _DIGITS  # of 1,5,7
    if word[n] in _JOINTS:
        return False
    if not word[n].isnumeric():
        # To an emoji's modifier it matters whether the one letter that is an emoji stands before these marks.
        return word[n].isalpha() or _EMOJI_LETTER not in word
    # `1,555a` is two words, and `555a` is one: it matters whether the digits come after a comma.
    before = word[:n].rstrip("".join(filter(str.isnumeric, set(word))))
    return not before or before[-1] not in ",:/"


@lru_cache
def _is_letter(character: str, splitter: str) -> bool:
    """Whether words of letters may have this character."""
    return len(_words_between(f"x{character}", 0, 2, splitter)) == 1


def shorten_words(words: Sequence[str], limit: int) -> tuple[Sequence[str], int]:
    """Words as a tagger reads them: of one with more than `limit` characters, its first and its last, `limit` in all.

    Returns:
        The words, and how many are shortened.
    """
    if max(map(len, words), default=0) <= limit:
        return words, 0
    first, last = limit - limit // 2, limit // 2
    shortened = sum(len(word) > limit for word in words)
    return [word if len(word) <= limit else word[:first] + word[-last:] for word in words], shortened


def cut_sentence(words: Sequence[str], max_words: int) -> int:
    """Where to end a stretch of at most `max_words` words: after the last that ends a sentence, else at the limit."""
    limit = min(max_words, len(words))
    return next((i for i in range(limit, 0, -1) if words[i - 1][-1:] in _SENTENCE_END), limit)


_LINE = re.compile(r"[^\r\n]+")
_TO_LAST_SPACE = re.compile(r".*[^\S\x1c-\x1f]", re.DOTALL)  # Unicode's; Python counts four separators more
_MANY_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]{64}")  # their letters: two are a flag
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")  # of an emoji: a skin, a flag's letters
_EMOJI_LETTER = "ℹ"  # U+2139
_JOINTS = "-.&·,:/"  # what may stand between the letters of a word
_DIGITS = "0123456789"
_BLOCK = 8_192  # characters
_UNSURE = 4  # words
_TRIED = 64  # characters of a word
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


def check_words(words: Sequence[str]) -> None:
    """See that words given as such can be read.

    Raises:
        ValueError: one of them is empty.
        InputError: one holds a lone surrogate, which no encoding can carry.
    """
    if "" in words:
        raise ValueError("A word is empty. Leave empty strings out of the sentence.")
    try:
        "".join(words).encode("utf-8")
    except UnicodeEncodeError:
        for number, word in enumerate(words, 1):
            if surrogate := _SURROGATE.search(word):
                raise InputError(
                    f"word {number} holds a lone surrogate (U+{ord(surrogate[0]):04X}), which is no character",
                    fix="Decode the bytes again with errors='replace'.",
                ) from None


_SURROGATE = re.compile("[\ud800-\udfff]")

"""Words and their offsets, whatever the text; and spans of characters onto words."""

from __future__ import annotations

import re
import sys
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization import words as words_module
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.words import SPLITTERS, cut_sentence, iterate_sentences, project_spans, split_words

ALL = sorted(SPLITTERS)
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2006\u200a\u2028\u2029\u202f\u205f\u3000"  # of Unicode's White_Space
SPACE = re.compile(r"[^\S\x1c-\x1f]")

# Characters that words join, break or swallow at their edges.
AWKWARD = (
    "aBé19ß.,:/-&·'’_!¿()\"…中文のไทยမကᄒ한가नि\u0301\u0308\u200b\u200c\u200d\ufe0f\u202e\ufeff\x00\x1b\x1c\x1f"
    "😀👨👩🏽❤🇫🇷ℹ\u0600\u0e33\uff9e١ABΩ" + WHITE_SPACE
)
texts = st.one_of(
    st.text(AWKWARD, max_size=60),
    st.text(max_size=40),
    st.lists(st.sampled_from(["U.S.", "1,5", "b.com", "don't", "👨‍👩‍👧", "🇫🇷🇩🇪", "e\u0301", "…", " ", "\r\n"])).map(
        "".join
    ),
)


class TestSplitWords:
    @pytest.mark.parametrize("splitter", ALL)
    @settings(max_examples=150, deadline=None)
    @given(texts)
    def test_words_stand_where_they_say_and_nothing_but_white_space_is_lost(self, splitter: str, text: str) -> None:
        words = split_words(text, splitter)
        assert all(text[word.start : word.end] == word.text != "" for word in words)
        assert all(before.end <= after.start for before, after in pairwise(words))
        assert "".join(word.text for word in words) == SPACE.sub("", text)

    @pytest.mark.parametrize("splitter", ALL)
    def test_white_space_is_unicodes(self, splitter: str) -> None:
        for character in WHITE_SPACE:
            assert [word.text for word in split_words(f"a{character}b", splitter)] == ["a", "b"], repr(character)
        for character in "\u200c\x1f\ufeff":  # no white space in Unicode, though Python splits at the second
            assert "".join(word.text for word in split_words(f"a{character}b", splitter)) == f"a{character}b"

    @pytest.mark.parametrize("splitter", ALL)
    @pytest.mark.parametrize("text", ["", " ", "\t \u3000\r\n"])
    def test_text_without_words_has_none(self, text: str, splitter: str) -> None:
        assert split_words(text, splitter) == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Dr. J. Smith's U.S. visit.", "Dr . J. Smith 's U.S. visit ."),
            ("don't, can’t", "don 't , can ’t"),
            ("well-known AT&T b.com R&D", "well-known AT&T b.com R&D"),
            ("1,000.50 on 12/03/2020 at 10:30, no", "1,000.50 on 12/03/2020 at 10:30 , no"),
            ("wait... what--no -- (yes)!?", "wait ... what -- no -- ( yes ) ! ?"),
            ("Paris,France a/b", "Paris , France a / b"),
            ("snake_case é e\u0301te\u0301", "snake_case é e\u0301te\u0301"),
            ("中文字 かな ไทย", "中 文 字 か な ไ ท ย"),
            ("한국어 नमस्ते العربية שלום", "한국어 नमस्ते العربية שלום"),
            ("می‌روم", "می‌روم"),
            ("👨‍👩‍👧👍🏽🇫🇷🇩🇪", "👨‍👩‍👧 👍🏽 🇫🇷 🇩🇪"),
            ("a\u200d😀 中B.", "a\u200d 😀 中 B."),
        ],
    )
    def test_words_as_people_see_them(self, text: str, expected: str) -> None:
        assert " ".join(word.text for word in split_words(text, "words")) == expected

    def test_punctuation_sets_every_mark_apart(self) -> None:
        words = [word.text for word in split_words("U.S. well-known, 1,5 中文 'tis", "punctuation")]
        assert words == ["U", ".", "S", ".", "well", "-", "known", ",", "1", ",", "5", "中", "文", "'", "tis"]

    def test_whitespace_leaves_the_rest_together(self) -> None:
        assert [word.text for word in split_words(" U.S.,  中文!\n", "whitespace")] == ["U.S.,", "中文!"]

    def test_thai_vowels_stay_with_their_consonant(self) -> None:
        assert [word.text for word in split_words("กิน", "words")] == ["กิ", "น"]

    def test_unknown_splitter_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match="Unknown splitter 'spaces'; choose one of words, punctuation, whitespace"
        ):
            split_words("a", "spaces")

    def test_lone_surrogate_is_named_with_its_place(self) -> None:
        with pytest.raises(InputError, match=r"U\+D83D\) at character 3.*errors='replace'"):
            split_words("a b\ud83d", "words")
        with pytest.raises(InputError, match=r"U\+DC00\) at character 9"):
            list(iterate_sentences("one\ntwo  \udc00", "words", 10))


def flatten(text: str, splitter: str, max_words: int = 10**6) -> list[tuple[str, int, int]]:
    return [tuple(word) for words in iterate_sentences(text, splitter, max_words) for word in words]


def split_lines(text: str, splitter: str) -> list[tuple[str, int, int]]:
    """The words of each line by itself, read in one block."""
    found: list[tuple[str, int, int]] = []
    for line in re.finditer(r"[^\r\n]+", text):
        found += [tuple(word) for word in words_module._words_between(text, *line.span(), splitter)]
    return found


class TestIterateSentences:
    @pytest.mark.parametrize("splitter", ALL)
    @settings(max_examples=300, deadline=None)
    @given(texts, st.sampled_from([1, 2, 8, 16]))
    def test_blocks_change_no_word(self, splitter: str, text: str, block: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(words_module, "_BLOCK", block)
            assert flatten(text, splitter) == split_lines(text, splitter)

    @pytest.mark.parametrize("splitter", ALL)
    @settings(max_examples=300, deadline=None)
    @given(st.text([c for c in AWKWARD if c not in WHITE_SPACE], max_size=60))
    def test_blocks_change_no_word_where_there_is_no_space(self, splitter: str, text: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(words_module, "_BLOCK", 8)
            assert flatten(text, splitter) == split_lines(text, splitter)

    @pytest.mark.parametrize("splitter", ALL)
    @pytest.mark.parametrize(
        "text",
        [
            "ab\x1fcd ef",  # Python takes U+001F for white space, Unicode does not
            "!\u0301B. abcdefgh",
            "A.B.C.D.E.F.G.H.i",
            "🇫🇷🇩🇪🇮🇹🇪🇸🇬🇧🇯🇵🇰🇷🇨🇳",
            "中" * 30 + "ℹ🏻\u200d👩" + "文" * 30,
            "1,2,3,4,5,6,7,8,9",
            "." * 40,
            "a" * 100,
            "-" * 40 + "a",
            "1,555,5555,55a5" + "5" * 20 + "a",
            "1/" * 20 + "5" * 20 + "a5" * 20,
            "-well-known" * 9,
            "中" + "\u0301" * 30 + "abc",
            "aℹ" + "\u0301" * 30 + "🏻\u200d👩",
            "U.S.A." * 9 + "b",
            "b-" + "U.S.A." * 9,
            "🏻" * 40,
        ],
    )
    def test_blocks_may_end_anywhere(self, text: str, splitter: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for block in range(1, 12):
            monkeypatch.setattr(words_module, "_BLOCK", block)
            assert flatten(text, splitter) == split_lines(text, splitter), block

    @pytest.mark.parametrize("splitter", ALL)
    @pytest.mark.parametrize(
        "text",
        [
            "東京都は日本の首都です。",
            "0b9e1f",
            "xY3/k+",
            "ab-",
            "1,",
            "30:",
            "न\u0947",
            "🇫🇷",
            "!?",
            "www.",
            *"a7éب\u0301\u200d😀\u200b.-١",
        ],
    )
    def test_text_without_spaces_is_read_once_in_small_blocks(
        self, text: str, splitter: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(words_module, "_BLOCK", 128)
        read = []
        between = words_module._words_between

        def count(text: str, start: int, end: int, splitter: str) -> list[words_module.Word]:
            read.append(end - start)
            return between(text, start, end, splitter)

        monkeypatch.setattr(words_module, "_words_between", count)
        long = text * (6_000 // len(text))
        found = split_words(long, splitter)
        assert max(read) <= 128 and sum(read) < 1.25 * len(long)
        monkeypatch.undo()
        assert found == between(long, 0, len(long), splitter)

    @pytest.mark.parametrize("text", ["a" * 300_000, "0b9e1f" * 50_000, "e" + "\u0301" * 300_000, "ab-" * 100_000])
    def test_a_long_word_takes_little_memory_beside_its_own(self, text: str) -> None:
        tracemalloc.start()
        assert split_words(text)[0].text.startswith(text[:100])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * sys.getsizeof(text)

    def test_ends_stretches_at_line_breaks_alone(self) -> None:
        text = "a b\rc\r\n\nd\ve\ff\x85g\u2028h\u2029i"
        found = [[word.text for word in words] for words in iterate_sentences(text, "words", 100)]
        assert found == [["a", "b"], ["c"], ["d", "e", "f", "g", "h", "i"]]

    @pytest.mark.parametrize("text", ["", "\n", " \r\n \n"])
    def test_gives_nothing_for_nothing(self, text: str) -> None:
        assert list(iterate_sentences(text, "words", 5)) == []

    @settings(max_examples=100, deadline=None)
    @given(texts, st.integers(1, 7))
    def test_long_lines_are_cut_and_nothing_is_dropped(self, text: str, max_words: int) -> None:
        stretches = list(iterate_sentences(text, "words", max_words))
        assert all(1 <= len(words) <= max_words for words in stretches)
        assert [tuple(word) for words in stretches for word in words] == split_lines(text, "words")

    def test_long_lines_are_cut_where_a_sentence_ends(self) -> None:
        found = list(iterate_sentences("One two. Three four? Five six seven eight", "words", 5))
        assert [" ".join(word.text for word in words) for words in found] == [
            "One two .",
            "Three four ?",
            "Five six seven eight",
        ]

    def test_reads_as_it_is_asked(self) -> None:
        text = "word " * 200_000
        assert len(next(iterate_sentences(text, "words", 10))) == 10


class TestCutSentence:
    @pytest.mark.parametrize(
        ("words", "limit", "cut"),
        [
            (["a", ".", "b", "c"], 3, 2),
            (["a", ".", "b", "!", "c"], 4, 4),
            (["a", "b", "c"], 2, 2),
            (["a", "b", "."], 2, 2),
            (["a", "U.S.", "b"], 2, 2),
            (["中", "。", "文"], 2, 2),
            (["a"], 5, 1),
            (["", "b"], 1, 1),
        ],
    )
    def test_takes_the_last_end_of_a_sentence_within_the_limit(self, words: list[str], limit: int, cut: int) -> None:
        assert cut_sentence(words, limit) == cut


def naive_projection(spans: list[Span], words: list[tuple[int, int]]) -> tuple[list[Span], int]:
    """Word by word, from the definition."""
    projected, misaligned, taken = [], 0, 0
    for span in spans:
        touched = [i for i, (start, end) in enumerate(words) if i >= taken and start < span.end and span.start < end]
        if not touched:
            misaligned += 1
            continue
        first, last = touched[0], touched[-1]
        misaligned += (words[first][0], words[last][1]) != (span.start, span.end)
        projected.append(Span(first, last + 1, span.label))
        taken = last + 1
    return projected, misaligned


@st.composite
def spans_and_words(draw: st.DrawFn) -> tuple[list[Span], list[tuple[int, int]]]:
    def stretches(max_size: int) -> list[tuple[int, int]]:
        edges = sorted(draw(st.lists(st.integers(0, 25), max_size=2 * max_size)))
        pairs = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False) if start < end]
        return [pair for i, pair in enumerate(pairs) if not i or pairs[i - 1][1] <= pair[0]]

    return [Span(start, end, draw(st.sampled_from("AB"))) for start, end in stretches(5)], stretches(8)


class TestProjectSpans:
    @settings(max_examples=300, deadline=None)
    @given(spans_and_words())
    def test_agrees_with_the_definition(self, case: tuple[list[Span], list[tuple[int, int]]]) -> None:
        spans, words = case
        projected, misaligned = project_spans(spans, [start for start, _ in words], [end for _, end in words])
        assert (projected, misaligned) == naive_projection(spans, words)
        assert all(before.end <= after.start for before, after in pairwise(projected))
        assert all(span.start < span.end for span in projected)

    @settings(max_examples=100, deadline=None)
    @given(spans_and_words())
    def test_spans_of_whole_words_come_back(self, case: tuple[list[Span], list[tuple[int, int]]]) -> None:
        spans, words = case
        exact = [Span(i, i + 1, span.label) for i, span in enumerate(spans) if i < len(words)]
        characters = [Span(words[s.start][0], words[s.end - 1][1], s.label) for s in exact]
        assert project_spans(characters, [s for s, _ in words], [e for _, e in words]) == (exact, 0)

    def test_counts_what_does_not_align(self) -> None:
        starts, ends = [0, 4, 9], [3, 8, 12]
        spans = [Span(0, 3, "A"), Span(5, 6, "B"), Span(6, 8, "C"), Span(8, 9, "D"), Span(9, 20, "E")]
        assert project_spans(spans, starts, ends) == ([Span(0, 1, "A"), Span(1, 2, "B"), Span(2, 3, "E")], 4)

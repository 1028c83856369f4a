"""The word vectors reader: formats, look-ups and every bad line that a file may hold."""

from __future__ import annotations

import gzip
import logging
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.word_vectors import read_word_vectors

GLOVE = "the 0.5 -1 2e-1\nof 1 2 3\nBerlin 4 5 6\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors.txt"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class TestFormats:
    @pytest.mark.parametrize(
        "content", [GLOVE, "3 3\n" + GLOVE, GLOVE.replace("\n", " \r\n"), "\ufeff" + GLOVE, GLOVE + "\n\n"]
    )
    @pytest.mark.parametrize("zipped", [False, True])
    def test_whole_file(self, file: Path, content: str, zipped: bool) -> None:
        data = content.encode()
        words, vectors = read_word_vectors(write(file, gzip.compress(data) if zipped else data))
        assert words == ["the", "of", "Berlin"]
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, np.array([[0.5, -1, 0.2], [1, 2, 3], [4, 5, 6]], dtype=np.float32))

    def test_tabs_and_wide_spaces(self, file: Path) -> None:
        words, vectors = read_word_vectors(write(file, "a\t1 2\nb  3 4\nc 5\t6\nd 7 8\n"))
        assert words == ["a", "b", "c", "d"] and vectors.ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_words_with_spaces(self, file: Path) -> None:
        words, vectors = read_word_vectors(write(file, ". . . 1 2\nat name@x.org 3 4\n10\u00a0000 5 6\n1984 7 8\n"))
        assert words == [". . .", "at name@x.org", "10\u00a0000", "1984"] and vectors[:, 0].tolist() == [1, 3, 5, 7]

    def test_a_number_as_first_word(self, file: Path) -> None:
        words, vectors = read_word_vectors(write(file, "1984 1 2\n"))
        assert words == ["1984"] and vectors.tolist() == [[1, 2]]

    def test_odd_line_ends_are_words(self, file: Path) -> None:
        assert read_word_vectors(write(file, "\u2028 1 2\n\x85 3 4\n"))[0] == ["\u2028", "\x85"]

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(st.text(st.characters(categories=["L", "P", "S"]), min_size=1), min_size=1, max_size=5, unique=True),
        st.integers(1, 4),
        st.data(),
    )
    def test_round_trip(
        self, tmp_path_factory: pytest.TempPathFactory, words: list[str], size: int, data: st.DataObject
    ) -> None:
        number = st.floats(width=32, allow_nan=False, allow_infinity=False)
        rows = data.draw(
            st.lists(st.lists(number, min_size=size, max_size=size), min_size=len(words), max_size=len(words))
        )
        lines = [" ".join([word, *map(repr, row)]) for word, row in zip(words, rows, strict=True)]
        path = write(tmp_path_factory.mktemp("v") / "v.txt", "\n".join(lines))
        found, vectors = read_word_vectors(path)
        assert found == words
        np.testing.assert_array_equal(vectors, np.array(rows, dtype=np.float32))


class TestLookup:
    def test_restricted_to_the_vocabulary(self, file: Path) -> None:
        words, vectors = read_word_vectors(write(file, GLOVE), {"Berlin", "the", "absent"})
        assert words == ["the", "Berlin"] and vectors[1].tolist() == [4, 5, 6]

    def test_nothing_found(self, file: Path) -> None:
        words, vectors = read_word_vectors(write(file, GLOVE), ["absent"])
        assert words == [] and vectors.shape == (0, 3)

    def test_exact_then_lower(self, file: Path) -> None:
        write(file, "the 1\nThe 2\nof 3\n")
        words, vectors = read_word_vectors(file, ["THE", "The", "Of", "OF"], lookup="exact-then-lower")
        assert dict(zip(words, vectors[:, 0].tolist(), strict=True)) == {"THE": 1, "The": 2, "Of": 3, "OF": 3}
        assert words == ["THE", "The", "OF", "Of"]
        assert read_word_vectors(file, ["THE", "The", "Of", "OF"])[0] == ["The"]

    def test_normalised_first_hit_wins(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        def normalize(word: str) -> str:
            return re.sub(r"\d", "0", word.lower())

        write(file, "2003 1.0\n1999 2.0\nUS 3.0\nus 4.0\n")
        words, vectors = read_word_vectors(file, ["0000", "us"], normalize=normalize)
        assert words == ["0000", "us"] and vectors[:, 0].tolist() == [1, 3]
        assert read_word_vectors(file, normalize=normalize)[0] == ["0000", "us"]
        assert not caplog.records  # forms that fall together are no fault of the file

    @pytest.mark.parametrize(
        "wanted, extend, expected",
        [
            ([], 0, []),
            ([], 2, ["the", "of"]),
            ([], 3, ["the", "of", "Berlin"]),
            ([], 9, ["the", "of", "Berlin"]),
            (["Berlin"], 0, ["Berlin"]),
            (["Berlin"], 1, ["Berlin", "the"]),
            (["the", "absent"], 2, ["the", "of"]),
            (["Berlin", "of"], 3, ["of", "Berlin", "the"]),
        ],
    )
    def test_first_words_beside_the_vocabulary(
        self, file: Path, wanted: list[str], extend: int, expected: list[str]
    ) -> None:
        numbers = {"the": [0.5, -1, 0.2], "of": [1, 2, 3], "Berlin": [4, 5, 6]}
        words, vectors = read_word_vectors(write(file, GLOVE), wanted, extend=extend)
        assert words == expected
        np.testing.assert_allclose(vectors, np.reshape([numbers[word] for word in expected], (-1, 3)))

    def test_first_words_are_normalised_and_once(self, file: Path) -> None:
        write(file, "US 1\nus 2\nUs 3\nthem 4\nour 5\n")
        words, vectors = read_word_vectors(file, ["our"], normalize=str.lower, extend=4)
        assert words == ["our", "us", "them"] and vectors[:, 0].tolist() == [5, 1, 4]
        assert read_word_vectors(file, ["our"], normalize=str.lower, extend=3)[0] == ["our", "us"]

    def test_a_lower_case_form_that_stands_for_another_word_is_no_first_word(self, file: Path) -> None:
        write(file, "a 1\nb 2\nc 3\n")
        assert read_word_vectors(file, ["C"], lookup="exact-then-lower", extend=1)[0] == ["C", "a"]

    def test_first_words_are_counted_beside_a_vocabulary(self, file: Path) -> None:
        for choices in ({"extend": -1}, {"extend": 2, "vocabulary": None}):
            with pytest.raises(ValueError, match="extend is a number of words"):
                read_word_vectors(write(file, GLOVE), **{"vocabulary": ["the"], **choices})

    def test_repeated_words(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            words, vectors = read_word_vectors(write(file, "a 1\nb 2\na 3\na 4\n"))
        assert words == ["a", "b"] and vectors[:, 0].tolist() == [1, 2]
        assert "2 lines give a word that an earlier line gave" in caplog.text

    def test_memory_follows_the_vocabulary(self, file: Path) -> None:
        tail = " 0.123456" * 50 + "\n"
        with file.open("w") as out:
            out.writelines(f"w{number}{tail}" for number in range(20_000))
        tracemalloc.start()
        words, _ = read_word_vectors(file, {"w7", "w19999"})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert words == ["w7", "w19999"] and peak < 300_000 < file.stat().st_size


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "place", "message"),
        [
            ("", "", "the file is empty"),
            ("\n\n", "", "the file is empty"),
            ("2 3\n", "", "no word vectors after the header"),
            ("2 0\n", ":1", "dimension 0"),
            ("hello\n", ":1", "expected a word and its numbers, found 'hello'"),
            ("some prose, no numbers\n", ":1", "expected a word and its numbers"),
            ("the 1 x 3\nof 1 2 3\n", ":1", "expected a word and its numbers"),
            ("the 1 2 3\nof 1 2\n", ":2", "expected a word and 3 numbers, found 3 fields: 'of 1 2'"),
            ("the 1 2 3\nof 1 2 3 4\n", ":2", "expected a word and 3 numbers, found 5 fields"),
            ("the 1 2 3\nof 1  2\n", ":2", "expected a word and 3 numbers, found 3 fields"),
            ("the 1 2 3\n 1 2 3\n", ":2", "expected a word and 3 numbers, found 3 fields"),
            ("the 1 2 3\n\nof 1 2 3\n", ":2", "empty line"),
            ("the 1 2 3\nof 1 two 3\n", ":2", "expected a number, found 'two'"),
            ("the 1 2 3\nof 1 nan 3\n", ":2", "expected a finite number, found 'nan'"),
            ("the 1 2 3\nof inf -inf 3\n", ":2", "expected a finite number, found 'inf'"),
            ("the 1 2 3\nof 1 2 1e39\n", ":2", "expected a finite number, found '1e39'"),
            (b"the 1 2\nM\xfcnchen 1 2\n", ":2", "not UTF-8: byte 0xFC"),
            (b"3 2\nthe 1 \xff\n", ":2", "expected a number"),
            ("3 2\nthe 1 2\n", ":1", "the header promises 3 words, but 1 lines follow"),
            ("1 2\nthe 1 2\nof 1 2\n", ":1", "the header promises 1 words, but 2 lines follow"),
            (gzip.compress(GLOVE.encode() * 50, mtime=0)[:-20], "", "broken gzip file"),
            (b"\x1f\x8bnot really", "", "broken gzip file"),
        ],
    )
    def test_named_by_line(self, file: Path, content: str | bytes, place: str, message: str) -> None:
        with pytest.raises(InputError) as caught:
            read_word_vectors(write(file, content))
        assert str(caught.value).startswith(f"{file}{place}: ") and message in str(caught.value)

    @pytest.mark.parametrize("bad", ["of 1 2", "of 1 2 3 4", "of  1 2"])
    def test_lengths_are_checked_of_unwanted_lines_too(self, file: Path, bad: str) -> None:
        with pytest.raises(InputError, match="expected a word and 3 numbers"):
            read_word_vectors(write(file, f"the 1 2 3\n{bad}\n"), ["the"])

    def test_missing_file(self, file: Path) -> None:
        with pytest.raises(InputError, match=r"vectors\.txt: cannot be read \(No such file"):
            read_word_vectors(file)

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            read_word_vectors(tmp_path)

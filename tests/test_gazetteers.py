"""Gazetteer features against a brute-force reading of the same rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError

WORD = st.sampled_from(["a", "b", "A", "c"])
ENTRIES = st.lists(st.lists(WORD, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=6)


def brute_force(entries: dict[str, list[str]], words: list[str], case_sensitive: bool) -> np.ndarray:
    """For each label try every start and every end, the longest first."""

    def fold(text: str) -> str:
        return text if case_sensitive else text.lower()

    rows = [[0] * (1 + 4 * len(entries)) for _ in words]
    for number, listed in enumerate(entries.values()):
        known = [fold(entry).split() for entry in listed]
        start = 0
        while start < len(words):
            ends = [end for end in range(len(words), start, -1) if [fold(w) for w in words[start:end]] in known]
            if not ends:
                start += 1
                continue
            end = ends[0]
            kinds = "S" if end - start == 1 else "B" + "I" * (end - start - 2) + "E"
            for position, kind in zip(range(start, end), kinds, strict=True):
                rows[position][1 + 4 * number + "BIES".index(kind)] = 1
            start = end
    for row in rows:
        row[0] = int(not any(row))
    return np.array(rows, dtype=np.uint8).reshape(len(words), 1 + 4 * len(entries))


@settings(max_examples=200, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=3), st.lists(WORD, max_size=12), st.booleans())
def test_against_brute_force(lists: list[list[str]], words: list[str], case_sensitive: bool) -> None:
    entries = {f"L{number}": listed for number, listed in enumerate(lists)}
    gazetteer = Gazetteer(entries, case_sensitive=case_sensitive)
    features = gazetteer.match(words)
    assert features.dtype == np.uint8 and features.shape == (len(words), gazetteer.num_features)
    np.testing.assert_array_equal(features, brute_force(entries, words, case_sensitive))
    restored = Gazetteer.from_json(gazetteer.to_json())
    np.testing.assert_array_equal(restored.match(words), features)
    assert restored.to_json() == gazetteer.to_json() and restored.labels == gazetteer.labels


def test_bits() -> None:
    gazetteer = Gazetteer({"LOC": ["new york", "york", "new york city hall"], "ORG": ["New York"]})
    assert gazetteer.labels == ["LOC", "ORG"] and gazetteer.num_features == 9
    features = gazetteer.match(["in", "New", "York", ",", "York", ",", "New", "York", "City", "Hall"])
    on = [np.flatnonzero(row).tolist() for row in features]
    assert on == [[0], [1, 5], [3, 7], [0], [4], [0], [1, 5], [2, 7], [2], [3]]


def test_case_sensitive() -> None:
    gazetteer = Gazetteer({"LOC": ["Rome"]}, case_sensitive=True)
    assert gazetteer.match(["Rome", "rome"])[:, 4].tolist() == [1, 0]


def test_a_word_with_a_space_is_not_two_words() -> None:
    assert Gazetteer({"LOC": ["new york"]}).match(["new york"])[0].tolist() == [1, 0, 0, 0, 0]


def test_no_words_and_many() -> None:
    gazetteer = Gazetteer({"X": ["a b", "a"]})
    assert gazetteer.match([]).shape == (0, 5)
    features = gazetteer.match(["a", "b"] * 50_000)
    assert features[::2, 1].all() and features[1::2, 3].all() and not features[:, 0].any()


def test_latin_1_file(tmp_path: Path) -> None:
    path = tmp_path / "loc.lst"
    path.write_bytes("'s hertogenbosch\r\n\nm\xfcnchen\nm\xfcnchen\nx\x85y".encode("latin-1"))
    gazetteer = Gazetteer({"LOC": path, "PER": ["ann"]}, encoding="latin-1")
    assert json.loads(gazetteer.to_json())["entries"]["LOC"] == ["'s hertogenbosch", "m\xfcnchen", "x y"]
    assert gazetteer.match(["'s", "Hertogenbosch", "München"])[:, 1:5].tolist() == [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
    with pytest.raises(InputError, match=r"loc\.lst:3: not utf-8: byte 0xFC.*encoding"):
        Gazetteer({"LOC": str(path)})


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"", "utf-8", r"names\.lst: no gazetteer entries for label 'LOC'"),
        (b"\n \n", "utf-8", "no gazetteer entries"),
        (b"rome\nPK\x00\x01", "latin-1", r"names\.lst:2: not a text file"),
        (b"rome", "latin-one", "unknown encoding 'latin-one'"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, encoding: str, message: str) -> None:
    path = tmp_path / "names.lst"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Gazetteer({"LOC": path}, encoding=encoding)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names\.lst: cannot be read \(No such file"):
        Gazetteer({"LOC": tmp_path / "names.lst"})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"entries": {}}', '{"case_sensitive": true, "entries": {"A": [1]}}'])
def test_bad_json(text: str) -> None:
    with pytest.raises(InputError, match=r"Give what Gazetteer\.to_json wrote"):
        Gazetteer.from_json(text)


def test_json_is_compact_and_repeatable() -> None:
    entries = [f"é{number} x" for number in range(1000)]
    text = Gazetteer({"A": entries}).to_json()
    assert text == Gazetteer({"A": reversed(entries)}).to_json()
    assert len(text) < sum(len(entry) + 3 for entry in entries) + 90

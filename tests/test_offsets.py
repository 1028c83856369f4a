from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.checks import check_files
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.offsets import INSIDE_WORDS, Offsets, cuts_word
from tagsmith.training.data.reading_options import ReadingOptions

SMILES = "\U0001f642\U0001f642 Tessa lives in Oderau now and then"
FACES = "\u00e9\u00e9 Tessa lives in Oderau now and then"
PLAIN = "-- Tessa lives in Oderau now and then"


def write(folder: Path, text: str, *places: tuple[int, int], count: int = 5) -> Path:
    path = folder / "data.jsonl"
    spans = [{"start": start, "end": end, "label": "X"} for start, end in places]
    path.write_text((json.dumps({"text": text, "spans": spans}) + "\n") * count, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "places", "kind", "said"),
    [
        (SMILES, [(5, 10), (20, 26)], "utf-16", "JavaScript offsets"),
        (SMILES, [(9, 14), (24, 30)], "bytes", "UTF-8 bytes"),
        (FACES, [(5, 10), (20, 26)], "bytes", "UTF-8 bytes"),
        (PLAIN, [(3, 7), (18, 23)], "inclusive", "the span's last character"),
        (PLAIN, [(4, 8), (19, 24)], "one-based", "offsets from 1"),
        (PLAIN, [(4, 9), (19, 25)], "one-based-exclusive", "offsets from 1, end exclusive"),
    ],
)
def test_the_likely_cause_is_said_and_can_be_read(
    tmp_path: Path, text: str, places: list[tuple[int, int]], kind: str, said: str
) -> None:
    path = write(tmp_path, text, *places)
    cache: dict[str, Any] = {"cache_dir": tmp_path / "cache"}
    with pytest.raises(InputError, match=rf"{said}.*--offsets {kind}\. Correct"):
        load_corpus(path, **cache)
    (error,) = check_files([path]).errors
    assert f"{path}:1: " in error and f"read them with --offsets {kind}" in error
    corpus = load_corpus(path, offsets=kind, **cache)
    surfaces = [text[span["start"] : span["end"]] for span in corpus["train"][0]["spans"]]
    assert surfaces == (["Tessa", "Oderau"])
    assert not corpus.reports["train"].irregular
    report = load_corpus(path, inside_words=True, **cache).reports["train"]
    assert report.irregular[INSIDE_WORDS].count >= 5
    assert not check_files([path], ReadingOptions(offsets=kind)).errors


def test_offsets_outside_the_text_say_what_they_look_like(tmp_path: Path) -> None:
    text = "\U0001f642 in Oderau"
    for places, kind in (((6, 12), "utf-16"), ((8, 14), "bytes")):
        with pytest.raises(InputError, match=rf"outside a text of 11 characters.*--offsets {kind}"):
            load_corpus(write(tmp_path, text, places), cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match="--offsets one-based"):
        load_corpus(write(tmp_path, "to A", (4, 4)), cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match="cuts a character"):
        load_corpus(write(tmp_path, text, (1, 3)), offsets="utf-16", cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match=r"Offsets count characters"):
        load_corpus(write(tmp_path, text, (400, 500)), cache_dir=tmp_path / "cache")


def test_a_few_are_said_and_do_not_stop(tmp_path: Path) -> None:
    path = write(tmp_path, "Milo saw Oderau", (0, 4), (9, 15), count=10)
    with path.open("a") as file:
        file.write(json.dumps({"text": "Milos", "spans": [{"start": 0, "end": 4, "label": "X"}]}))
    finding = load_corpus(path, cache_dir=tmp_path / "cache").reports["train"].irregular[INSIDE_WORDS]
    assert (finding.count, finding.line, finding.found) == (1, 11, "X 'Milo' in 'Milos'")
    result = check_files([path])
    assert not result.errors and any(INSIDE_WORDS in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("text", "start", "end", "cut"),
    [
        ("Milos", 0, 4, True),
        ("Oderau's", 0, 6, False),
        ("EU-wide", 0, 2, False),
        ("10km", 0, 2, True),
        ("\u6771\u4eac\u90fd\u306b", 0, 2, False),  # Han
        ("\u30b3\u30fc\u30d2\u30fc", 0, 3, False),  # a lengthening mark between Katakana
        ("\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e", 0, 4, False),  # Thai
        ("\u0e01\u0e31", 0, 1, True),  # a Thai letter and its vowel
        ("\uc11c\uc6b8\uc5d0\uc11c", 0, 2, False),  # Korean, and its particle
        ("\uc11c\uc6b8\uc5d0\uc11c", 1, 2, True),
        ("cafe\u0301", 0, 4, True),  # a letter and its accent
        ("a\u0645\u062f", 1, 2, True),
        ("\U0001f642\U0001f642", 0, 1, False),
        ("a b", 0, 1, False),
    ],
)
def test_what_is_inside_a_word(text: str, start: int, end: int, cut: bool) -> None:
    assert cuts_word(text, start, end) is cut


@given(st.text(alphabet="a\u00e9\u6771\U0001f642", min_size=1), st.data())
def test_offsets_of_each_kind_come_back(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    offsets = Offsets(text)
    units = [len(text[:place].encode("utf-16-le")) // 2 for place in (start, end)]
    assert offsets.to_characters(*units, "utf-16") == (start, end)
    assert offsets.to_characters(*(len(text[:place].encode()) for place in (start, end)), "bytes") == (start, end)
    assert offsets.to_characters(start, end - 1, "inclusive") == (start, end)
    assert offsets.to_characters(start + 1, end, "one-based") == (start, end)


def test_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, SMILES, (5, 10), (20, 26))
    outcome = tagsmith("check", path)
    assert outcome.code == 1
    assert "JavaScript" in outcome.out
    assert tagsmith("check", path, "--offsets", "utf-16").code == 0
    assert tagsmith("check", path, "--inside-words").code == 0

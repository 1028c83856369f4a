from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagsmith.training.data.checks import CheckResult, check_files
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.sample import sample_files

TRAIN = "Anna B-PER\nlives O\nin O\nOslo B-LOC\n\nAnna B-PER\nsings O\n\n"


def write(folder: Path, text: str, name: str = "train.conll") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def warned(result: CheckResult, part: str) -> bool:
    return any(part in warning for warning in result.warnings)


def test_a_clean_file(tmp_path: Path) -> None:
    result = check_files([write(tmp_path, TRAIN)], rare=1)
    assert not result.errors and not result.warnings
    assert result.lines()[-1] == "0 errors, 0 warnings"
    assert "PER 2, LOC 1" in "\n".join(result.lines())


def test_overlap_with_the_training_file(tmp_path: Path) -> None:
    train = write(tmp_path, TRAIN + TRAIN)
    dev = write(tmp_path, "Anna B-PER\nsings O\n\nAnna B-PER\n\nRome B-LOC\n\nOla B-GOD\n", "dev.conll")
    result = check_files({"dev": dev, "train": train})
    assert any("25.0% of its distinct sentences and 33.3% of its distinct entities" in fact for fact in result.facts)
    assert any("50.0% of the sentences (2) repeat" in fact for fact in result.facts)
    assert warned(result, "will flatter") and warned(result, "does not have: GOD (1)")
    assert warned(result, "fewer than 10 examples: LOC (2), PER (4)")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("a\u00a0b", "odd whitespace"),
        ("a\u200b", "odd whitespace"),
        ("a\u0085", "odd whitespace"),
        ("pa\ufffds", "replacement characters"),
        ("schÃ¶n", "another encoding"),
        ("donâ€™t", "another encoding"),
        ("ÐœÐ¾", "another encoding"),
        ("t ex", "a space inside"),
        ("ex ", "a space at an end"),
    ],
)
def test_suspicious_text(tmp_path: Path, word: str, kind: str) -> None:
    result = check_files([write(tmp_path, f"so\tO\n\nok\tO\n{word}\tB-X\n")])
    assert any(kind in warning and "train.conll:3" in warning for warning in result.warnings)
    assert not result.errors


@pytest.mark.parametrize("word", ["Ávila", "ALEMÃO", "СЛОН", "می\u200cروم", "âge", "naïve", "👨\u200d👩"])
def test_innocent_text(tmp_path: Path, word: str) -> None:
    assert not check_files([write(tmp_path, f"{word}\tB-X\n")], rare=1).warnings


def test_long_spans(tmp_path: Path) -> None:
    path = write(tmp_path, "ж B-X\n" + "жж I-X\n" * 10)
    assert not warned(check_files([path], max_span_bytes=52), "longer")
    assert warned(check_files([path], max_span_bytes=51), "spans longer than 51 bytes: 1")


def test_spans_and_texts_of_json_lines(tmp_path: Path) -> None:
    rows: list[Any] = [{"text": "a b ", "spans": [{"start": 0, "end": 2, "label": "X"}]}, {"text": " ", "spans": []}]
    result = check_files([write(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl")])
    assert warned(result, "spans with whitespace at an end: 1") and warned(result, "empty sentences: 1")


def test_slips_of_the_scheme_are_warnings(tmp_path: Path) -> None:
    path = write(tmp_path, TRAIN + "x I-LOC\n")
    assert warned(check_files([path]), f"{path}:9: I- that opens a span (IOB2): 1")
    assert "forbids" in check_files([path], ReadingOptions(on_error="raise")).errors[0]


def test_errors(tmp_path: Path) -> None:
    train = write(tmp_path, TRAIN)
    empty, pos = write(tmp_path, "", "empty"), write(tmp_path, "word pos\na NOUN\n", "pos")
    result = check_files([train, empty, pos, tmp_path / "missing"])
    assert [error.split(":")[0].rsplit("/")[-1] for error in result.errors] == ["empty", "missing", "pos"]
    assert "plain tags, where" in result.errors[2]
    assert result.lines()[-1].startswith("3 errors, ")
    assert "nothing to learn" in check_files([write(tmp_path, "a O\n")]).errors[0]
    assert not check_files([empty, pos]).facts


def test_labels_without_prefixes(tmp_path: Path) -> None:
    path = write(tmp_path, "a O\nb LOC\n")
    assert "beside 'O', as 50% of the words" in check_files([path]).errors[0]
    assert warned(check_files([path], ReadingOptions(scheme="plain")), "50.0% of the plain tags are 'O'")


def test_the_bundled_sample_has_no_errors() -> None:
    result = check_files(sample_files())
    assert not result.errors and len(result.warnings) <= 3

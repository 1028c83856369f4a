from __future__ import annotations

from pathlib import Path

import pytest
from toys import people_and_places, tagsmith

from tagsmith.training.data.checks import check_files
from tagsmith.training.data.shared_sentences import Sentences


def sentences(*numbers: int) -> list[str]:
    return [f"Tessa saw the house number {number} ." for number in numbers]


def test_share_and_first_place() -> None:
    training = Sentences.of(sentences(*range(50)))
    other = Sentences.of([*sentences(100, 101, 3), "Tessa sawthe house number 4.", *sentences(102, 3)])
    overlap = other.overlap(training)
    assert overlap == (2, 5, 2)
    assert str(overlap) == "40.0% of its distinct sentences (2 of 5)"
    assert other.share_in(training) == pytest.approx(0.4)


def test_a_few_and_short_ones_do_not_alarm() -> None:
    training = Sentences.of([*sentences(*range(50)), "Bye .", "1. Oderau", "Milo said :"])
    assert Sentences.of(sentences(0, *range(100, 140))).overlap(training) is None
    assert Sentences.of([*sentences(*range(100, 110)), "Bye .", "1. Oderau", "Milo said :"]).overlap(training) is None
    assert Sentences.of(["", " "]).overlap(training) is None
    assert Sentences.of(["Bye.", "1. Oderau"]).overlap(training) == (2, 2, 0)  # where all are short and known


def test_scripts_without_spaces() -> None:
    line = "\u6771\u4eac\u306b\u4f4f\u3080\u4eba" * 5
    assert Sentences.of([line]).overlap(Sentences.of([" ".join(line)])) == (1, 1, 0)


def test_check_compares_a_file_with_itself(tmp_path: Path) -> None:
    path = people_and_places(tmp_path / "a.conll", 20, 1)
    result = check_files([path, path])
    assert len(result.reports) == 2
    assert any(f"{path}:1: 100.0% of its distinct sentences" in warning for warning in result.warnings)
    other = people_and_places(tmp_path / "b.conll", 20, 1)
    new = "Vantor B-PER\nis O\nnew O\nto O\nOderau B-LOC\n. O\n\n"
    other.write_text(new + other.read_text())
    outcome = tagsmith("check", path, other)
    assert f"{other}:8: " in outcome.out and "scores on it will flatter" in outcome.out


def test_training_says_it_too(tmp_path: Path) -> None:
    path = people_and_places(tmp_path / "a.conll", 20, 1)
    options = ["--output-dir", tmp_path / "out", "--set", "training.max_steps=1"]
    outcome = tagsmith("train", "sample", "--train", path, "--dev", path, *options)
    assert outcome.code == 0, outcome.err
    assert f"warning: {path}:1: 100.0% of its distinct sentences" in outcome.err.replace("\n", " ")

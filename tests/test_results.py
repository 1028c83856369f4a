"""results.json: read and written in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.results import VERSION, Results

SCORES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.9, "labels": {"f1": {}, "labels": {}}}


def test_round_trip(tmp_path: Path) -> None:
    results = Results(
        command="tagsmith train ner",
        minutes=1.5,
        seed=0,
        best_epoch=2.0,
        data={"": {"train": {"sentences": 3}, "examples": {"PER": ["Ada"]}}},
        dev={"": SCORES},
        test={"ner": SCORES, "pos": SCORES},
        pictures={"learning_curve": "a.png", "confusion": {"": "/home/ada/b.png", "pos": "c.exe"}},
        others={"note": [1]},
    )
    results.write(tmp_path)
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["dev"] == SCORES, "scores of one head have no name"
    assert content["version"] == VERSION and content["seed"] == 0 and content["note"] == [1]
    assert "base_model" not in content and "train_windows" not in content and "others" not in content
    assert Results.read(tmp_path) == results
    assert results.picture_names == ["a.png", "b.png"]
    assert Results.read(tmp_path / "nothing") == Results()


def test_examples_are_shown_on_request() -> None:
    results = Results(data={"": {"train": {"sentences": 3}, "examples": {"PER": ["Ada"]}}})
    assert results.shown().data == {"": {"train": {"sentences": 3}}}
    results.show_examples = True
    assert results.shown() == results


def test_files_without_a_version_are_read() -> None:
    assert Results.of({"best_epoch": None, "minutes": 2, "dev": {}}) == Results(minutes=2)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"version": VERSION + 1}, "Update tagsmith"),
        ({"version": "new"}, "version 'new'"),
        ({"seed": "one"}, "seed is 'one'"),
        ({"minutes": True}, "minutes is True"),
        ({"course": {}}, "course is {}"),
        ({"data": [1]}, r"data is \[1\]"),
        ({"show_examples": 1}, "show_examples is 1"),
    ],
)
def test_what_cannot_be_read(content: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=rf"results\.json: .*{found}"):
        Results.of(content, Path("results.json"))

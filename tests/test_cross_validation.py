from __future__ import annotations

import json
from pathlib import Path

import pytest
from toys import WORD_MODEL, assert_last_line, assert_one_line, people_and_places, tagsmith

pytestmark = pytest.mark.usefixtures("datasets_cache")


def test_folds(tmp_path: Path) -> None:
    data, folder = people_and_places(tmp_path / "train.conll", 60, 1), tmp_path / "folds"
    settings = [f"model.{name}={value}" for name, value in WORD_MODEL.items()]
    settings += ["training.num_train_epochs=2", "training.learning_rate=0.03", "training.use_cpu=true"]
    arguments = ["train", "ner", "--train", data, "--output-dir", folder, "--folds", 2]
    arguments += [part for setting in settings for part in ("--set", setting)]
    outcome = tagsmith(*arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("2 folds: precision ") and "±" in outcome.out
    assert "folds are stretches of sentences" in outcome.err
    result = json.loads((folder / "folds.json").read_text(encoding="utf-8"))
    f1 = [own["f1"] for own in result["folds"]]
    assert result["mean"]["f1"] == pytest.approx(sum(f1) / 2)
    assert result["spread"]["f1"] == pytest.approx(abs(f1[0] - f1[1]) / 2**0.5)
    assert (folder / "fold-2" / "config.json").exists()
    assert_last_line(tagsmith(*arguments), "earlier cross-validation", "--resume")
    assert tagsmith(*arguments, "--resume").out == outcome.out
    assert_last_line(tagsmith(*arguments, "--resume", "--folds", 3), "has 2 folds, and this one 3", "--output-dir")
    assert_last_line(tagsmith(*arguments, "--resume", "--set", "model.hidden_size=13"), "is of another recipe")
    assert_last_line(tagsmith(*arguments, "--resume", "--map", "PER=LOC"), "is of another corpus")
    few = tmp_path / "few.conll"
    few.write_text("Ada B-PER\n\nLund B-LOC\n", encoding="utf-8")
    assert_last_line(
        tagsmith("train", "ner", "--train", few, "--output-dir", tmp_path / "x", "--folds", 5), "2 sentences"
    )
    several = ["train", "ner", "--train", f"a={data}", "--train", f"b={data}", "--output-dir", tmp_path / "y"]
    assert_one_line(tagsmith(*several, "--folds", 2), "Give one --train")
    one = ["train", "ner", "--train", data, "--output-dir", tmp_path / "y", "--folds", 2]
    assert_one_line(tagsmith(*one, "--streaming", "--set", "training.max_steps=9"), "a stream is not known")
    assert_one_line(tagsmith(*one, "--overwrite-output-dir"), "overwrites no earlier folds", "--resume")
    joint = ["train", "joint-tasks", "--train", f"ner={data}", "--output-dir", tmp_path / "y", "--folds", 2]
    assert_one_line(tagsmith(*joint), "--folds is for a tagger of one head")
    assert_one_line(tagsmith("train", "ner", "--train", tmp_path / "no", "--output-dir", tmp_path / "z"), "no such")

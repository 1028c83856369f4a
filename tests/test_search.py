from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from toys import WORD_MODEL, assert_last_line, assert_one_line, people_and_places, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.runs.recipe import read_recipe

pytestmark = pytest.mark.usefixtures("datasets_cache")

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("search")
    train, dev = people_and_places(folder / "train.conll", 40, 1), people_and_places(folder / "dev.conll", 20, 2)
    settings = [f"model.{name}={value}" for name, value in WORD_MODEL.items()]
    settings += ["training.num_train_epochs=2", "training.use_cpu=true"]
    given = ["search", "ner", "--train", train, "--dev", dev]
    return [*given, *(part for setting in settings for part in ("--set", setting))]


OVER = ["--over", "training.learning_rate=0.001..0.05", "--over", "model.cost=0.0|0.2"]


def test_search_and_its_continuation(arguments: list[Any], tmp_path: Path) -> None:
    folder = tmp_path / "found"
    outcome = tagsmith(*arguments, *OVER, "--output-dir", folder, "--trials", 2, "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert len(result["trials"]) == 2 and result["best"]["f1"] == max(row["f1"] or 0 for row in result["trials"])
    recipe = read_recipe(folder / "recipe.yaml")
    values = result["best"]["values"]
    assert recipe.training["learning_rate"] == values["training.learning_rate"]
    assert recipe.model["cost"] == values["model.cost"] and recipe.model["hidden_size"] == WORD_MODEL["hidden_size"]
    assert sorted(path.name for path in folder.iterdir()) == ["journal.log", "recipe.yaml", "trials.json"]
    assert_last_line(tagsmith(*arguments, *OVER, "--output-dir", folder), "an earlier search is here", "--resume")
    again = tagsmith(*arguments, *OVER, "--output-dir", folder, "--trials", 3, "--resume", "--json")
    assert again.code == 0, again.err
    rows = json.loads(again.out)["trials"]
    assert len(rows) == 3 and rows[:2] == result["trials"]
    other = ["--over", "model.cost=0.0|0.5"]
    outcome = tagsmith(*arguments, *other, "--output-dir", folder, "--trials", 3, "--resume")
    assert_last_line(outcome, "another one")


def test_time_is_over(arguments: list[Any], tmp_path: Path) -> None:
    outcome = tagsmith(*arguments, *OVER, "--output-dir", tmp_path / "x", "--minutes", 0.01)
    assert outcome.code in (0, 2)  # a very fast machine may finish one
    if outcome.code:
        assert_last_line(outcome, "no trial came to its end", "--resume")


def test_fields() -> None:
    from tagsmith.training.runs.search import Field

    assert Field.read("a.b=1..4") == Field("a.b", low=1, high=4)
    assert Field.read("a=x|2|true").choices == ("x", 2, True)
    for bad in ("a", "a=", "a=1", "a=3..1", "a=x..y", "=1..2", "a=true..2"):
        with pytest.raises(InputError, match="Write it like"):
            Field.read(bad)


def test_bad_input(arguments: list[Any], tmp_path: Path) -> None:
    out = ["--output-dir", tmp_path / "y"]
    assert_one_line(tagsmith(*arguments, *out, "--over", "model.hiden_size=1..2"), "hidden_size")
    assert_one_line(tagsmith(*arguments, *out, "--over", "model.hidden_size"), "Write it like")
    assert_one_line(tagsmith(*arguments, *out, "--set", "model.sharing=encoder"), "needs a name")
    missing = [*arguments[:4], "--dev", tmp_path / "none", *out]
    assert_one_line(tagsmith(*missing), "no such file")
    assert not (tmp_path / "y").exists()

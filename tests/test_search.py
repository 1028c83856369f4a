from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toys import WORD_MODEL, Outcome, assert_last_line, assert_one_line, people_and_places, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.runs import hierarchical_run
from tagsmith.training.runs.recipe import Recipe, read_recipe

pytestmark = pytest.mark.usefixtures("datasets_cache")

optuna = pytest.importorskip("optuna")
search = pytest.importorskip("tagsmith.training.runs.search")


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("search")
    train, dev = people_and_places(folder / "train.conll", 40, 1), people_and_places(folder / "dev.conll", 20, 2)
    settings = [f"model.{name}={value}" for name, value in WORD_MODEL.items()]
    settings += ["training.num_train_epochs=2", "training.use_cpu=true"]
    given = ["search", "ner", "--train", train, "--dev", dev]
    return [*given, *(part for setting in settings for part in ("--set", setting))]


OVER = ["--over", "training.learning_rate=0.001..0.05", "--over", "model.cost=0.0|0.2"]


class Clock:
    """Minutes that pass by evaluations, not by themselves."""

    minutes = 0.0

    def monotonic(self) -> float:
        return 60 * self.minutes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Runs that train nothing: three evaluations of a minute each, the better the higher the learning rate."""
    made = Clock()

    def train(recipe: Recipe, corpora: Any, folder: Path, *, callbacks: list[Any], **options: Any) -> Any:
        folder.mkdir()
        rate = recipe.training["learning_rate"]
        scores = [{"eval_f1": (1 + evaluation) * rate} for evaluation in range(3)]
        for score in scores:
            made.minutes += 1
            for callback in callbacks:
                callback.on_step_end(None, None, None)
                callback.on_evaluate(None, None, None, metrics=score)
        return SimpleNamespace(trainer=SimpleNamespace(state=SimpleNamespace(log_history=scores)))

    monkeypatch.setattr(hierarchical_run, "train_tagger", train)
    monkeypatch.setattr(search, "time", made)
    return made


def searched(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.err
    return list(json.loads(outcome.out)["trials"])


@pytest.mark.slow
def test_search_and_its_continuation(arguments: list[Any], tmp_path: Path) -> None:
    check_continuation(arguments, tmp_path)


def test_continuation_without_training(arguments: list[Any], tmp_path: Path, clock: Clock) -> None:
    check_continuation(arguments, tmp_path)


def check_continuation(arguments: list[Any], tmp_path: Path) -> None:
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
    rows = searched(again)
    assert len(rows) == 3 and rows[:2] == result["trials"]
    other = ["--over", "model.cost=0.0|0.5"]
    outcome = tagsmith(*arguments, *other, "--output-dir", folder, "--trials", 3, "--resume")
    assert_last_line(outcome, "another one")


def test_trials_that_do_badly_end_early(arguments: list[Any], tmp_path: Path, clock: Clock) -> None:
    outcome = tagsmith(*arguments, *OVER, "--output-dir", tmp_path / "x", "--trials", 12, "--json")
    rows = searched(outcome)
    early = [row for row in rows if row["state"] == "pruned"]
    assert 0 < len(early) < 12 and outcome.err.count("(ended early)") == len(early)
    best = max(row["f1"] for row in rows if row["state"] == "complete")
    assert all(3 * row["by_evaluation"][0] < best for row in early)
    assert any(len(row["by_evaluation"]) == 1 for row in early), "behind the first evaluation already"
    assert clock.minutes == sum(len(row["by_evaluation"]) for row in rows) < 36


def test_time_is_over(arguments: list[Any], tmp_path: Path, clock: Clock) -> None:
    command = [*arguments, *OVER, "--output-dir", tmp_path / "x", "--json"]
    assert_last_line(tagsmith(*command, "--minutes", 2), "no trial came to its end", "--resume")
    assert clock.minutes == 2
    rows = searched(tagsmith(*command, "--minutes", 4, "--resume"))
    assert [row["state"] for row in rows] == ["pruned", "complete", "pruned"]
    assert clock.minutes == 6 and not list((tmp_path / "x").glob("trial-*"))


def test_a_trial_that_was_cut_short_comes_again(
    arguments: list[Any], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*arguments, *OVER, "--output-dir", tmp_path / "x", "--trials", 1, "--json"]
    seen: list[float] = []

    def killed(recipe: Recipe, *arguments: Any, **options: Any) -> Any:
        seen.append(recipe.training["learning_rate"])
        raise SystemExit(9)  # as a kill: optuna does not hear of it

    with monkeypatch.context() as patch:
        patch.setattr(hierarchical_run, "train_tagger", killed)
        assert tagsmith(*command).code == 9
    (row,) = searched(tagsmith(*command, "--resume"))
    assert row["values"]["training.learning_rate"] == seen[0]


def test_fields() -> None:
    Field = search.Field
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

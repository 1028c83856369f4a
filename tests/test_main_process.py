from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tagsmith.training import command_options, training_run
from tagsmith.training.main_process import is_main_process
from tagsmith.training.recipe import Recipe

SCORES = {"labels": {}, "precision": 1.0, "recall": 1.0, "f1": 1.0, "accuracy": 1.0}


def launch(monkeypatch: pytest.MonkeyPatch, **ranks: str) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, rank in ranks.items():
        monkeypatch.setenv(name, rank)


@pytest.mark.parametrize(
    "ranks, main",
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "1", "LOCAL_RANK": "1"}, False),
        ({"RANK": "8", "LOCAL_RANK": "0"}, False),  # the first of a second machine
        ({"LOCAL_RANK": "1"}, False),
    ],
)
def test_which_process_is_the_main_one(ranks: dict[str, str], main: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, **ranks)
    assert is_main_process() == main


def options_of(rank: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What commands share, as a process of its own would import it."""
    launch(monkeypatch, RANK=rank, LOCAL_RANK=rank)
    spec = importlib.util.spec_from_file_location("options_of_a_process", command_options.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_main_process_speaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = options_of("0", monkeypatch)
    options.say("read [1] file")
    options.print_scores(SCORES)
    heard = capsys.readouterr()
    assert heard.err == "read [1] file\n"
    assert "token accuracy" in heard.out


def test_the_others_say_errors_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = options_of("1", monkeypatch)
    options.say("read one file")
    options.messages.print("epoch 1")
    options.print_scores(SCORES)
    assert capsys.readouterr() == ("", "")
    options.say("error: there is no such folder", error=True)
    assert capsys.readouterr() == ("", "error: there is no such folder\n")


@pytest.mark.parametrize("main", [True, False])
def test_a_run_shows_its_progress_once(main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "is_main_process", lambda: main)
    run = training_run.TrainingRun(Recipe(training={"use_cpu": True}), {}, False, tmp_path, False, None)
    assert run.console.quiet != main

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tagsmith.training.commands import command_line, command_options, streams
from tagsmith.training.machine.processes import is_main_process
from tagsmith.training.runs import training_run
from tagsmith.training.runs.recipe import Recipe

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
    options.say_error("there is no such folder")
    assert capsys.readouterr() == ("", "error: there is no such folder\n")


@pytest.mark.parametrize("main", [True, False])
def test_a_run_shows_its_progress_once(main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "is_main_process", lambda: main)
    run = training_run.TrainingRun(Recipe(training={"use_cpu": True}), {}, False, tmp_path, False, None)
    assert run.console.quiet != main


ENDING = """
import atexit, sys
from tagsmith.training.machine.processes import end_launched_process
class Held:
    def __del__(self):
        sys.stderr.write("Python has ended")
held = Held()
atexit.register(sys.stdout.write, "handlers have run, ")
sys.stdout.write("output is written, ")
end_launched_process()
sys.stdout.write("not launched, ")
"""


@pytest.mark.parametrize(
    "ranks, heard",
    [
        ({"LOCAL_RANK": "1"}, ("output is written, handlers have run, ", "")),
        ({}, ("output is written, not launched, handlers have run, ", "Python has ended")),
    ],
)
def test_a_launched_process_ends_before_python_does(ranks: dict[str, str], heard: tuple[str, str]) -> None:
    others = {name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK")}
    run = subprocess.run(
        [sys.executable, "-c", ENDING], env=others | ranks, timeout=60, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, *heard)


def test_the_command_ends_launched_processes_that_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    monkeypatch.setattr(streams, "end_launched_process", lambda: ended.append(True))
    for arguments, code in ((["recipes"], 0), (["train"], 2)):
        monkeypatch.setattr(sys, "argv", ["tagsmith", *arguments])
        with pytest.raises(SystemExit) as stop:
            command_line.main()
        assert stop.value.code == code
        assert len(ended) == 1

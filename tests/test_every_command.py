"""What every command has: how loud it is, on which device, and how it ends when its reader leaves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import assert_one_line, people_and_places, tagsmith
from typer.main import get_command

import tagsmith as package
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands import command_options as options
from tagsmith.training.commands.command_line import app
from tagsmith.training.runs.recipe_files import bundled_recipes

pytestmark = pytest.mark.usefixtures("datasets_cache")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ACCELERATE_USE_CPU", os.environ.get("ACCELERATE_USE_CPU", "false"))
    yield
    options.set_loudness(quiet=False, verbose=False)


def test_version() -> None:
    outcome = tagsmith("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"tagsmith {package.__version__}\n", "")


def commands() -> list[list[str]]:
    group = get_command(app)
    return [[], *([name] for name in group.commands), *(["plot", name] for name in group.commands["plot"].commands)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_short_help_everywhere(command: list[str]) -> None:
    outcome = tagsmith(*command, "-h")
    assert outcome.code == 0 and "Usage" in outcome.out
    if command != ["plot"]:
        assert "--quiet" in outcome.out and "--verbose" in outcome.out


def test_quiet_keeps_warnings_and_errors(tiny_folder: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.conll"
    dev.write_text("Ada B-PER\nsees O\nLund B-CITY\n", encoding="utf-8")
    loud = tagsmith("evaluate", tiny_folder, dev)
    assert "2 columns" in loud.err and "CITY" in loud.err
    for arguments in (["--quiet", "evaluate", tiny_folder, dev], ["evaluate", tiny_folder, dev, "-q"]):
        quiet = tagsmith(*arguments)
        assert quiet.out == loud.out
        assert quiet.err.startswith("warning: ") and "2 columns" not in quiet.err
    assert "2 columns" in tagsmith("evaluate", tiny_folder, dev).err, "the next command is as loud as usual"
    assert_one_line(tagsmith("evaluate", "--quiet", tiny_folder, tmp_path / "none"), "none")


def test_verbose(tiny_folder: Path, tmp_path: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "-v", stdin=b"Ada left .\n")
    assert outcome.code == 0 and "hierarchical-tagger" in outcome.err and "on cpu" in outcome.err
    failed = tagsmith("tag", tiny_folder, tmp_path / "none", "--verbose")
    assert failed.code == 2 and "Traceback" in failed.err and "error: " in failed.err.splitlines()[-1]
    assert_one_line(tagsmith("--quiet", "recipes", "--verbose"), "--quiet", "--verbose")


def test_devices(tiny_folder: Path) -> None:
    assert tagsmith("tag", tiny_folder, "--device", "cpu", stdin=b"Ada left .\n").out == "[Ada PER] left .\n"
    for name in ("nonsense", "cuda:99", "", "meta", "cpu:x"):
        outcome = tagsmith("tag", tiny_folder, f"--device={name}", stdin=b"Ada\n")
        assert_one_line(outcome, f"--device {name}", "--device cpu")
    assert_one_line(tagsmith("tag", tiny_folder, "--int8", "--device", "cuda", stdin=b"Ada\n"), "--int8")


def test_one_gpu_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    with pytest.raises(InputError):  # there is none here
        options.choose_device("cuda:1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(InputError, match="takes its own"):
        options.choose_device("cuda:1")


def test_seed_and_device_of_training(tmp_path: Path) -> None:
    train = people_and_places(tmp_path / "train.conll", 6, 1)
    command = ["train", "sample", "--train", train, "--set", "training.num_train_epochs=1"]
    for clash in (["--seed", 3, "--set", "training.seed=4"], ["--device", "cpu", "--set", "training.use_cpu=true"]):
        assert_one_line(tagsmith(*command, *clash, "--output-dir", tmp_path / "out"), "say the same")
    outcome = tagsmith(*command, "--seed", 7, "--device", "cpu", "--output-dir", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    written = (tmp_path / "out" / "recipe.yaml").read_text(encoding="utf-8")
    assert re.search(r"^  seed: 7$", written, flags=re.M) and "use_cpu: true" in written


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
@pytest.mark.parametrize("command", ["recipes", "--help", "check {file}"])
def test_a_reader_that_leaves(command: str, tmp_path: Path) -> None:
    file = people_and_places(tmp_path / "train.conll", 6, 1)
    line = f"{sys.executable} -m tagsmith {command.format(file=file)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr == ""
    assert done.returncode in ((141,) if command != "--help" else (1, 141)), "not 1, which says what a check found"


def test_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"_TAGSMITH_COMPLETE": "complete_bash", "COMP_WORDS": "tagsmith train ner-", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", "from tagsmith.training.commands.command_line import app; app(prog_name='tagsmith')"],
        env={**os.environ, **line},
        capture_output=True,
        text=True,
        check=False,
    )
    names = {name for name in bundled_recipes() if name.startswith("ner-")}
    assert set(done.stdout.split()) == names and done.stderr == ""

"""Data sets on the Hub by `owner/name:config@split`, over the same HTTP as there, from a Hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from loopback_hub import LoopbackHub, Repository

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.hub_names import HubData, hub_data

README = """---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train.parquet
  - split: validation
    path: en/validation.parquet
- config_name: da
  data_files:
  - split: train
    path: da/train.parquet
---
"""


def lay_out(folder: Path) -> None:
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-PER", "B-LOC"]))})
    for name, word in (("en/train", "Tessa"), ("en/validation", "Milo"), ("da/train", "Ane")):
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {"tokens": [[word, "left"], ["Lund"]] * 4, "ner_tags": [[1, 0], [2]] * 4}
        Dataset.from_dict(rows, features=features).to_parquet(path)
    (folder / "README.md").write_text(README, encoding="utf-8")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    folder = tmp_path_factory.mktemp("data")
    lay_out(folder)
    with LoopbackHub() as hub:
        hub.repositories["datasets/ada/names"] = Repository.of(folder)
        yield hub


def run(hub: LoopbackHub, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment(folder / "home", token=None), "HF_DATASETS_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


CODE = """
import contextlib, io, json, sys, tagsmith
from pathlib import Path
from datasets import disable_progress_bars
from tagsmith.training.commands.command_line import main
disable_progress_bars()
asked, commands = json.loads(sys.argv[1])
found = {"loaded": [], "commands": []}
for arguments, options in asked:
    try:
        corpus = tagsmith.load_corpus(*arguments, **options)
        found["loaded"].append({split: next(iter(rows))["text"] for split, rows in corpus.items()})
    except tagsmith.InputError as error:
        found["loaded"].append(str(error))
found["modes"] = [path.stat().st_mode for path in Path("home").rglob("*.arrow")]
for command in commands:
    sys.argv, code = ["tagsmith", *command], 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    found["commands"].append([code, out.getvalue()])
print(json.dumps(found))
"""

ASKED: list[tuple[list[Any], dict[str, Any]]] = [
    (["ada/names", "en"], {}),
    (["ada/names:da"], {}),
    (["ada/names:en@validation"], {}),
    (["ada/names", "en"], {"streaming": True}),
    ([{"train": "ada/names:da@train", "dev": "ada/names:en"}], {}),
    ([{"train": "ada/names:da", "dev": "dev.conll"}], {}),
    (["ada/names"], {}),
    (["ada/names:fr"], {}),
    (["ada/names:en@nothing"], {}),
    ([{"train": "ada/names:en", "test": "ada/names:en"}], {}),
    (["ada/nothing"], {}),
    (["dev.conll", "en"], {}),
    (["local/en/train.parquet"], {}),
]
COMMANDS = [
    ["convert", "ada/names:en@validation", "out.conll"],
    ["check", "ada/names:en"],
    ["cache", "--clear"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all that is below was asked."""
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def found(hub: LoopbackHub, folder: Path) -> dict[str, Any]:
    """What comes of all that is asked, by one process, whose start takes longer than all else."""
    (folder / "dev.conll").write_text("Rosa B-PER\n", encoding="utf-8")
    lay_out(folder / "local")
    done = run(hub, folder, "-c", CODE, json.dumps([ASKED, COMMANDS]))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_load_corpus(found: dict[str, Any]) -> None:
    assert found["loaded"][:6] == [
        {"train": "Tessa left", "dev": "Milo left"},
        {"train": "Ane left"},
        {"dev": "Milo left"},
        {"train": "Tessa left", "dev": "Milo left"},
        {"train": "Ane left", "dev": "Milo left"},
        {"train": "Ane left", "dev": "Rosa"},
    ]
    several, missing, split, test, nothing, file = found["loaded"][6:12]
    assert "en, da" in several and "ada/names:CONFIG" in several
    assert "'fr'" in missing and "en, da" in missing
    assert "'nothing'" in split and "train" in split and "ada/names:en@SPLIT" in split
    assert "no split 'test'" in test and "ada/names@validation" in test
    assert "ada/nothing" in nothing and "no data set" in nothing
    assert "no data set on the Hub" in file


def test_copies_are_private_and_removed(found: dict[str, Any], folder: Path) -> None:
    assert found["loaded"][12] == {"train": "Tessa left"}
    assert found["modes"] and not [mode for mode in found["modes"] if mode & 0o077]
    assert found["commands"][2][0] == 0 and not list((folder / "home").rglob("*.arrow"))


def test_other_commands(found: dict[str, Any], folder: Path) -> None:
    assert found["commands"][0][0] == 0
    assert (folder / "out.conll").read_text(encoding="utf-8").count("Milo\tB-PER") == 4
    code, several = found["commands"][1]
    assert code == 1 and "ada/names:en@train, ada/names:en@validation" in several


@pytest.mark.slow
def test_training(hub: LoopbackHub, tmp_path: Path) -> None:
    data = ["--train", "ada/names:en@train", "--dev", "ada/names:en@validation"]
    command = ["-m", "tagsmith", "train", "sample", *data, "--output-dir", "out"]
    done = run(hub, tmp_path, *command, "--set", "training.num_train_epochs=1")
    assert done.returncode == 0, done.stderr
    assert "train: ada/names split 'train': a data set, IOB2" in done.stderr
    scored = run(hub, tmp_path, "-m", "tagsmith", "evaluate", "out", "ada/names:en@validation", "--json")
    assert scored.returncode == 0 and "f1" in json.loads(scored.stdout)


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_data("ada/names") == HubData("ada/names")
    assert hub_data("ada/names:en-1.0@train[:10%]") == HubData("ada/names", "en-1.0", "train[:10%]")
    assert str(hub_data("ada/names@test")) == "ada/names@test"
    for name in (
        "names",
        "./ada/names",
        "/ada/names:en",
        "a/b/c:d",
        "ada/names.conll",
        "C:\\ada/names",
        "train.conll",
    ):
        assert hub_data(name) is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada").mkdir()
    assert hub_data("ada/names:en") is None, "a folder of that name is here"
    for name in ("bo/names:", "bo/names@", "bo/names:@train"):
        with pytest.raises(InputError, match="without its configuration or split"):
            hub_data(name)

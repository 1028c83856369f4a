from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from toys import BYTE_MODEL, assert_last_line, tagsmith, toy_file
from transformers import TrainingArguments

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer
from tagsmith.training.trainers.trainer_arguments import check_reporting, given_arguments

TRACKERS = ["tensorboard", "wandb", "mlflow", "comet_ml", "azure_ml", "codecarbon", "clearml", "dvclive", "swanlab"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tracker is installed here, whatever is."""
    module = "tagsmith.training.trainers.trainer_arguments.get_available_reporting_integrations"
    monkeypatch.setattr(module, lambda: [])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", TRACKERS)
@pytest.mark.parametrize("trainer", [TaggerTrainer, ByteTaggerTrainer])
def test_a_tracker_that_is_not_installed(tmp_path: Path, trainer: type[TaggerTrainer], name: str) -> None:
    model = ByteToSpanForSpanTagging(ByteToSpanConfig(**BYTE_MODEL, id2label={0: "LOC"}, label2id={"LOC": 0}))
    with pytest.raises(ValueError, match=rf"report_to names '{name}', which is not installed .*pip install"):
        trainer(model, TrainingArguments(str(tmp_path), report_to=name, use_cpu=True))
    with pytest.raises(ValueError, match=name):
        trainer(model, TrainingArguments(str(tmp_path), report_to=["none", name], use_cpu=True))


@pytest.mark.usefixtures("bare", "datasets_cache")
def test_the_command_says_so_before_it_trains(tmp_path: Path) -> None:
    data = toy_file(tmp_path / "train.conll", 8, 1)
    outcome = tagsmith(
        "train", "ner", "--train", data, "--output-dir", tmp_path / "out", "--set", "training.report_to=tensorboard"
    )
    assert_last_line(outcome, "report_to names 'tensorboard', which is not installed", "pip install tensorboard")
    assert not (tmp_path / "out" / "config.json").exists()


@pytest.mark.parametrize("report_to", ["none", [], "all"])
def test_no_tracker_is_no_error(tmp_path: Path, report_to: str | list[str]) -> None:
    check_reporting(TrainingArguments(str(tmp_path), report_to=report_to, use_cpu=True))


def test_a_tracker_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: object() if name == "clearml" else find(name))
    check_reporting(TrainingArguments(str(tmp_path), report_to="clearml", use_cpu=True))


def test_arguments_are_known_by_name_however_they_are_given() -> None:
    assert given_arguments(("model", "arguments"), {"train_dataset": 1}) == {
        "model": "model",
        "args": "arguments",
        "train_dataset": 1,
    }

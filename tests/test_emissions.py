"""What training emits, with a stand-in for codecarbon."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from huggingface_hub import ModelCard
from toys import WORD_MODEL, WORD_TRAINING, quiet, toy_file
from transformers import TrainingArguments

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import Recipe
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


class Tracker:
    """Measures a quarter of a gram."""

    made: list[dict[str, Any]]
    kilograms: float | None = 0.00025
    fails = ""

    def __init__(self, **options: Any) -> None:
        self.made.append(options)

    def start(self) -> None:
        if self.fails == "start":
            raise RuntimeError("no meter")

    def stop(self) -> float | None:
        if self.fails == "stop":
            raise RuntimeError("no meter")
        return self.kilograms


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> type[Tracker]:
    kind = type("OwnTracker", (Tracker,), {"made": []})
    module = ModuleType("codecarbon")
    module.__spec__ = ModuleSpec("codecarbon", None)  # transformers looks for it
    module.EmissionsTracker = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    return kind


def trainer_of(model: Any, tokenizer: Any, folder: Path) -> TaggerTrainer:
    row = {**tokenizer.encode_words(["Ada", "lived"]), "labels": [4, 0]}
    arguments = TrainingArguments(str(folder), max_steps=1, report_to=[], disable_tqdm=True, use_cpu=True)
    return TaggerTrainer(
        model=HierarchicalTaggerForTokenClassification(model.config),
        args=arguments,
        train_dataset=[row, row],
        processing_class=tokenizer,
    )


def test_a_run_and_its_card(tmp_path: Path, tracker: type[Tracker], datasets_cache: None) -> None:
    corpus = load_corpus({"train": toy_file(tmp_path / "train.conll", 8, 1)})
    recipe = Recipe(model=WORD_MODEL, training={**WORD_TRAINING, "num_train_epochs": 1})
    train_tagger(recipe, corpus, tmp_path / "out", console=quiet())
    assert tracker.made == [{"save_to_file": False, "log_level": "critical"}]
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["emissions"] == 0.25
    said = ModelCard.load(tmp_path / "out" / "README.md").data["co2_eq_emissions"]
    assert said["emissions"] == 0.25 and said["source"] == "codecarbon" and said["hardware_used"]


def test_a_trainer_and_its_card(tmp_path: Path, tracker: type[Tracker], tiny_model: Any, tiny_tokenizer: Any) -> None:
    trainer = trainer_of(tiny_model, tiny_tokenizer, tmp_path)
    assert trainer.emissions is None
    trainer.train()
    assert trainer.emissions == 0.25
    trainer.save_model()
    trainer.create_model_card(tags="names")
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data["co2_eq_emissions"]["emissions"] == 0.25
    assert "names" in card.data.tags and "tagsmith" in card.data.tags


@pytest.mark.parametrize("moment", ["start", "stop"])
def test_what_goes_wrong_there_does_not_stop_training(
    moment: str, tmp_path: Path, tracker: type[Tracker], tiny_model: Any, tiny_tokenizer: Any
) -> None:
    tracker.fails = moment
    trainer = trainer_of(tiny_model, tiny_tokenizer, tmp_path)
    with pytest.warns(UserWarning, match="codecarbon could not measure what this run emits: no meter"):
        trainer.train()
    assert trainer.emissions is None and trainer.state.global_step == 1


def test_nothing_measured(tmp_path: Path, tracker: type[Tracker], tiny_model: Any, tiny_tokenizer: Any) -> None:
    tracker.kilograms = None
    trainer = trainer_of(tiny_model, tiny_tokenizer, tmp_path)
    trainer.train()
    trainer.save_model()
    trainer.create_model_card()
    assert trainer.emissions is None and "co2_eq" not in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_without_codecarbon(
    tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    trainer = trainer_of(tiny_model, tiny_tokenizer, tmp_path)
    trainer.train()
    assert trainer.emissions is None

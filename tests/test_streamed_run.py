"""Training on a corpus that is read while it is wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import IterableDataset
from toys import BYTE_MODEL, BYTE_TRAINING, WORD_MODEL, WORD_TRAINING, assert_one_line, quiet, tagsmith, toy_file

import tagsmith as package
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.byte_run import train_byte_tagger
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import ByteRecipe, Recipe

TRAINING = {**WORD_TRAINING, "max_steps": 12, "eval_steps": 6}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {"train": toy_file(tmp_path / "train.conll", 20, 1), "dev": toy_file(tmp_path / "dev.conll", 9, 2)}


def test_a_stream_is_learnt_from(files: dict[str, Path], tmp_path: Path, datasets_cache: None) -> None:
    recipe = Recipe(model=WORD_MODEL, training=TRAINING)
    run = train_tagger(recipe, load_corpus(files, streaming=True), tmp_path / "out", console=quiet())
    assert isinstance(run.trainer.train_dataset, IterableDataset) and run.trainer.state.global_step == 12
    assert run["dev"]["f1"] > 0 and "train_sentences" not in run
    on_disk = train_tagger(recipe, load_corpus(files), tmp_path / "disk", console=quiet())
    words = [HierarchicalTaggerTokenizer.from_pretrained(tmp_path / name).words for name in ("out", "disk")]
    assert words[0] == words[1]
    assert run["data"][""]["examples"] == on_disk["data"][""]["examples"]
    assert "file" not in run["data"][""]["train"] and run["data"][""]["dev"]["sentences"] == 9
    assert isinstance(package.pipeline(tmp_path / "out")("Ada lived in Lund."), list)


def test_the_command(files: dict[str, Path], tmp_path: Path, datasets_cache: None) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(Recipe(model=WORD_MODEL, training=WORD_TRAINING).to_yaml(), encoding="utf-8")
    options: list[Any] = ["--train", files["train"], "--dev", files["dev"], "--streaming"]
    outcome = tagsmith("train", recipe, *options, "--output-dir", tmp_path / "out")
    assert_one_line(outcome, "a stream has no epochs to count", "--set training.max_steps=20000")
    outcome = tagsmith("train", recipe, *options, "--output-dir", tmp_path / "out", "--set", "training.max_steps=2")
    assert outcome.code == 0, outcome
    assert "a stream of training sentences" in outcome.err
    assert json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["dev"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": WORD_TRAINING}, "a stream has no epochs to count"),
        ({"labelling_rate": 0.5}, "labelling_rate draws sentences"),
        ({"epoch_decay": 0.05}, "epoch_decay counts epochs"),
        ({"halving_from": 1.0}, "halving_from counts epochs"),
        ({"model": {**WORD_MODEL, "sharing": "encoder"}}, "several corpora are streamed"),
    ],
)
def test_what_a_stream_cannot_do(
    change: dict[str, Any], message: str, files: dict[str, Path], tmp_path: Path, datasets_cache: None
) -> None:
    recipe = Recipe(**{"model": WORD_MODEL, "training": TRAINING, **change})
    corpora = {"a": load_corpus(files, streaming=True)}
    with pytest.raises(InputError, match=message):
        train_tagger(recipe, corpora, tmp_path / "out", console=quiet())


def test_windows_are_not_streamed(files: dict[str, Path], tmp_path: Path, datasets_cache: None) -> None:
    recipe = ByteRecipe(model=BYTE_MODEL, training=BYTE_TRAINING)
    with pytest.raises(InputError, match=r"windows at random places of its texts.*Leave out --streaming"):
        train_byte_tagger(recipe, load_corpus(files, streaming=True), tmp_path / "out", console=quiet())

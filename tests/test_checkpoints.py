"""Checkpoints that are torn, runs that are at their end, and disks that are full."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from toys import BYTE_MODEL, BYTE_TRAINING, assert_same, quiet, results_of, toy_file, weights_in

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.byte_run import train_byte_tagger
from tagsmith.training.runs.recipe import ByteRecipe
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer
from tagsmith.training.trainers.checkpoints import (
    CHECKPOINT_PART,
    RAW_WEIGHTS_FILE,
    has_ended,
    last_readable,
    unreadable,
)

RECIPE = ByteRecipe(model=BYTE_MODEL, training=BYTE_TRAINING, average_decay=0.5)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("corpus")
    files = {"train": toy_file(folder / "train.conll", 30, 1), "dev": toy_file(folder / "dev.conll", 8, 2)}
    return load_corpus(files, cache_dir=folder / "cache")


@pytest.fixture(scope="module")
def whole(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 steps with a checkpoint every eight. Shared: copy the folder before you change it."""
    folder = tmp_path_factory.mktemp("whole")
    train_byte_tagger(RECIPE, corpus, folder, console=quiet())
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, whose state names its own folder."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for state in folder.glob("checkpoints/*/trainer_state.json"):
        state.write_text(state.read_text(encoding="utf-8").replace(str(whole), str(folder)), encoding="utf-8")
    return folder


def cut(name: str, size: int | None = None) -> Callable[[Path], Any]:
    """What cuts a file of a checkpoint short, to half or to so many bytes."""

    def short(checkpoint: Path) -> None:
        content = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(content[: len(content) // 2 if size is None else size])

    return short


def removed(name: str) -> Callable[[Path], Any]:
    return lambda checkpoint: (checkpoint / name).unlink()


def zeroed(name: str) -> Callable[[Path], Any]:
    """What overwrites the middle of a file, as a disk does that has lost a block."""

    def damage(checkpoint: Path) -> None:
        content = bytearray((checkpoint / name).read_bytes())
        third = len(content) // 3
        content[third : 2 * third] = bytes(third)
        (checkpoint / name).write_bytes(bytes(content))

    return damage


def emptied(checkpoint: Path) -> None:
    for path in checkpoint.iterdir():
        path.unlink()


NAMES = ["trainer_state.json", "config.json", "model.safetensors", RAW_WEIGHTS_FILE, "optimizer.pt"]
NAMES += ["scheduler.pt", "rng_state.pth"]
DAMAGES = [
    *((name, damage(name)) for name in NAMES for damage in (cut, lambda name: cut(name, 0))),
    *((name, removed(name)) for name in NAMES if name != RAW_WEIGHTS_FILE),
    ("optimizer.pt", zeroed("optimizer.pt")),
    ("empty", emptied),
]


@pytest.mark.parametrize("name, damage", DAMAGES)
def test_a_torn_checkpoint_is_passed_over(run: Path, name: str, damage: Callable[[Path], Any]) -> None:
    folder, said = run / "checkpoints", []
    assert last_readable(folder, said.append) == folder / "checkpoint-24" and not said
    damage(folder / "checkpoint-24")
    assert last_readable(folder, said.append) == folder / "checkpoint-16"
    (line,) = said
    assert "checkpoint-24 cannot be read" in line and name in line and "continues from checkpoint-16" in line
    assert list(unreadable(folder)) == [folder / "checkpoint-24"]


def test_none_that_can_be_read(run: Path, corpus: Any, tmp_path: Path) -> None:
    assert last_readable(tmp_path / "none", pytest.fail) is None
    for checkpoint in (run / "checkpoints").iterdir():
        cut("optimizer.pt")(checkpoint)
    with pytest.raises(InputError, match=r"none of the checkpoints can be read \(checkpoint-8: optimizer.*overwrite"):
        train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())


def test_a_run_continues_from_an_older_checkpoint(whole: Path, run: Path, corpus: Any) -> None:
    cut("model.safetensors")(run / "checkpoints" / "checkpoint-24")
    said = io.StringIO()
    train_byte_tagger(RECIPE, corpus, run, resume=True, console=Console(file=said, width=200))
    assert "checkpoint-24 cannot be read (model.safetensors is damaged" in said.getvalue()
    assert_same(weights_in(whole), weights_in(run))
    assert unreadable(run / "checkpoints") == {} and (run / "checkpoints" / "checkpoint-24").is_dir()


def test_where_the_best_checkpoint_is_gone_another_is_chosen(run: Path, corpus: Any) -> None:
    shutil.rmtree(run / "checkpoints" / "checkpoint-24")
    path = run / "checkpoints" / "checkpoint-16" / "trainer_state.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    state.update(best_metric=2.0, best_global_step=8, best_model_checkpoint=str(run / "checkpoints" / "checkpoint-8"))
    path.write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(run / "checkpoints" / "checkpoint-8")
    train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())
    last = run / "checkpoints" / "checkpoint-24"
    assert json.loads((last / "trainer_state.json").read_text())["best_model_checkpoint"] == str(last)
    assert_same(weights_in(last), weights_in(run))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are trained."""
    made: list[int] = []
    step = ByteTaggerTrainer.training_step

    def counted(self: ByteTaggerTrainer, *args: Any, **kwargs: Any) -> Any:
        made.append(self.state.global_step)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(ByteTaggerTrainer, "training_step", counted)
    return made


def test_a_run_at_its_end_is_trained_no_further(whole: Path, run: Path, corpus: Any, steps: list[int]) -> None:
    train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())
    assert steps == []
    assert_same(weights_in(whole), weights_in(run))
    assert results_of(run)["dev"] == results_of(whole)["dev"]
    assert results_of(run)["best_epoch"] == results_of(whole)["best_epoch"]
    fewer = dataclasses.replace(RECIPE, training={**BYTE_TRAINING, "max_steps": 20})
    train_byte_tagger(fewer, corpus, run, resume=True, console=quiet())
    assert steps == []
    more = dataclasses.replace(RECIPE, training={**BYTE_TRAINING, "max_steps": 26})
    train_byte_tagger(more, corpus, run, resume=True, console=quiet())
    assert steps == [24, 25]


def test_nor_is_one_whose_patience_is_over(corpus: Any, tmp_path: Path, steps: list[int]) -> None:
    training = {**BYTE_TRAINING, "max_steps": 40, "eval_steps": 4, "save_steps": 4, "learning_rate": 0.0}
    recipe = dataclasses.replace(RECIPE, training=training, early_stopping_patience=2)
    train_byte_tagger(recipe, corpus, tmp_path, console=quiet())
    assert steps == list(range(12)), "the first score, and two that are no better"
    checkpoint = last_readable(tmp_path / "checkpoints", pytest.fail)
    assert checkpoint is not None and not has_ended(checkpoint, 40, [])
    before = weights_in(tmp_path)
    train_byte_tagger(recipe, corpus, tmp_path, resume=True, console=quiet())
    assert len(steps) == 12
    assert_same(before, weights_in(tmp_path))


def test_a_full_disk_leaves_earlier_checkpoints_whole(
    whole: Path, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def full(content: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        if "checkpoint-16" in str(path) and str(path).endswith("optimizer.pt"):
            Path(path).write_bytes(b"half")
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 470")
        save(content, path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(
            InputError, match=r"checkpoints: this cannot be written: the disk is full.*Free some space"
        ):
            train_byte_tagger(RECIPE, corpus, tmp_path, console=quiet())
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-8"]
    assert not (tmp_path / "config.json").exists()
    train_byte_tagger(RECIPE, corpus, tmp_path, resume=True, console=quiet())
    assert_same(weights_in(whole), weights_in(tmp_path))


def test_what_a_killed_run_has_left_is_removed(whole: Path, corpus: Any, run: Path) -> None:
    shutil.rmtree(run / "checkpoints" / "checkpoint-24")
    (run / "checkpoints" / CHECKPOINT_PART / "checkpoint-24").mkdir(parents=True)
    (run / ".part-tagger").mkdir()
    (run / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json is missing\. If its run has not finished, .*--resume"):
        tagsmith.pipeline(run)
    train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())
    assert_same(weights_in(whole), weights_in(run))
    assert not [path for path in run.rglob("*") if ".part" in path.name]


def test_the_last_write_is_cut_short(whole: Path, corpus: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, moved = Path.replace, []

    def killed(self: Path, target: Any) -> Any:
        if self.parent.name == ".part-tagger" and Path(target).parent == run:
            if len(moved) == 3:
                raise KeyboardInterrupt
            moved.append(self.name)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())
    assert len(moved) == 3 and not (run / "config.json").exists(), "not taken for a tagger"
    train_byte_tagger(RECIPE, corpus, run, resume=True, console=quiet())
    assert_same(weights_in(whole), weights_in(run))
    assert tagsmith.pipeline(run)("abc BCA") == tagsmith.pipeline(whole)("abc BCA")


def test_pictures_of_an_earlier_tagger_go(corpus: Any, run: Path) -> None:
    results = {**results_of(run), "pictures": {"learning_curve": "learning-curve.png", "confusion": {"": "c.png"}}}
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (run / "config.json").chmod(0o600)
    for name in ("learning-curve.png", "c.png", "mine.png"):
        (run / name).write_bytes(b"\x89PNG")
    train_byte_tagger(RECIPE, corpus, run, overwrite_output_dir=True, console=quiet())
    assert [path.name for path in run.glob("*.png")] == ["mine.png"]
    assert (run / "config.json").stat().st_mode & 0o777 == 0o600

"""What a trainer keeps: runs that are gone on with, the best checkpoint, and early stopping."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_tagger_trainer import TAGS, Toy, make_model, make_toy, make_trainer
from toys import DROPOUT, assert_same, weights_of
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
)

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.trainers.tagger_trainer import RAW_WEIGHTS_FILE, TaggerTrainer, span_scores


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy()


@pytest.mark.parametrize(
    "workers, options, strategy",
    [
        (0, {}, "group_by_length"),
        (1, {}, "group_by_length"),
        (1, {"mention_replacement": 0.5}, "group_by_length"),
        (0, {"mention_replacement": 0.5}, "random"),
        (0, {"lowercase_share": 0.5}, "group_by_length"),
        (0, {"mention_replacement": 0.5, "lowercase_share": 0.5}, "random"),
    ],
)
def test_a_resumed_run_is_bit_exact(
    toy: Toy, tmp_path: Path, workers: int, options: dict[str, float], strategy: str
) -> None:
    def start() -> TaggerTrainer:
        return make_trainer(
            toy,
            tmp_path,
            model=make_model(toy, **DROPOUT),
            trainer={"average_decay": 0.9, **options},
            num_train_epochs=3,
            lr_scheduler_type="cosine",
            train_sampling_strategy=strategy,
            save_strategy="steps",
            save_steps=5,
            eval_strategy="epoch",
            dataloader_num_workers=workers,
        )

    whole = start()
    whole.train()
    assert whole.state.global_step == 30
    # Ten steps an epoch: the fifteenth ends in the middle of one, the twentieth at its end.
    for step in (15, 20):
        resumed = start()
        resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert resumed.state.global_step == 30
        assert_same(weights_of(resumed.model), weights_of(whole.model))


def test_the_last_checkpoint_is_found(toy: Toy, tmp_path: Path) -> None:
    options: dict[str, Any] = {"trainer": {"average_decay": 0.9}, "dev": False}
    make_trainer(toy, tmp_path, save_strategy="epoch", num_train_epochs=1, **options).train()
    trainer = make_trainer(toy, tmp_path, num_train_epochs=2, **options)
    trainer.train(resume_from_checkpoint=True)
    assert trainer.state.global_step == 20
    shutil.copytree(tmp_path / "checkpoint-10", tmp_path / "checkpoint-15")
    trainer = make_trainer(toy, tmp_path, num_train_epochs=2, **options)
    with pytest.warns(UserWarning, match=r"checkpoint-15 cannot be read \(trainer_state.json is of step 10\)"):
        trainer.train(resume_from_checkpoint=True)
    assert trainer.state.global_step == 20
    with pytest.raises(ValueError, match="No valid checkpoint"):
        make_trainer(toy, tmp_path / "elsewhere", **options).train(resume_from_checkpoint=True)


def test_checkpoints_of_earlier_versions_are_continued(toy: Toy, tmp_path: Path) -> None:
    options: dict[str, Any] = {"trainer": {"average_decay": 0.9}, "dev": False, "save_strategy": "epoch"}
    whole = make_trainer(toy, tmp_path, **options)
    whole.train()
    checkpoint = tmp_path / "checkpoint-10"
    (checkpoint / RAW_WEIGHTS_FILE).rename(checkpoint / "weight_average.safetensors")
    again = make_trainer(toy, tmp_path, **options)
    again.train(resume_from_checkpoint=str(checkpoint))
    assert_same(weights_of(again.model), weights_of(whole.model))


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_trained_past_the_end(toy: Toy, tmp_path: Path, stream: bool) -> None:
    def start() -> TaggerTrainer:
        trainer = make_trainer(toy, tmp_path, dev=False, max_steps=6, save_strategy="steps", save_steps=3)
        if stream:
            trainer.train_dataset = toy.data["train"].to_iterable_dataset()
        return trainer

    whole, again = start(), start()
    whole.train()
    data = again.train_dataset
    steps: list[int] = []
    again.training_step = lambda *args, **kwargs: steps.append(1)
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == 6 and not steps
    assert again.train_dataset is data and again.args.max_steps == 6
    assert_same(weights_of(again.model), weights_of(whole.model))


def test_resuming_with_another_choice_of_average_is_an_error(toy: Toy, tmp_path: Path) -> None:
    options: dict[str, Any] = {"dev": False, "save_strategy": "epoch", "num_train_epochs": 1}
    make_trainer(toy, tmp_path / "with", trainer={"average_decay": 0.9}, **options).train()
    make_trainer(toy, tmp_path / "without", **options).train()
    for name, decay in (("with", 0.0), ("without", 0.9)):
        trainer = make_trainer(toy, tmp_path / name, trainer={"average_decay": decay}, **options)
        with pytest.raises(InputError, match="average") as caught:
            trainer.train(resume_from_checkpoint=str(tmp_path / name / "checkpoint-10"))
        assert caught.value.path == tmp_path / name / "checkpoint-10"


def test_the_best_checkpoint_is_loaded(toy: Toy, tmp_path: Path) -> None:
    trainer = make_trainer(
        toy,
        tmp_path,
        num_train_epochs=5,
        learning_rate=0.2,  # too high: scores go up and down
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        trainer={"average_decay": 0.5},
    )
    trainer.train()
    scores = [entry["eval_f1"] for entry in trainer.state.log_history if "eval_f1" in entry]
    assert len(scores) == 5
    assert trainer.evaluate()["eval_f1"] == trainer.state.best_metric == max(scores)


def given_scores(*scores: float) -> Callable[[EvalPrediction], dict[str, float]]:
    coming = iter(scores)
    return lambda prediction: {"f1": next(coming)}


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_model_ends_as_the_best_checkpoint_has_it(toy: Toy, tmp_path: Path, decay: float) -> None:
    trainer = make_trainer(
        toy,
        tmp_path,
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        trainer={"average_decay": decay, "compute_metrics": given_scores(0.2, 0.9, 0.4)},
    )
    trainer.train()
    best, last = (load_file(tmp_path / f"checkpoint-{step}" / "model.safetensors") for step in (20, 30))
    final = weights_of(trainer.model)
    assert_same({name: final[name] for name in best}, best)
    assert any(not torch.equal(final[name], last[name]) for name in last)
    trainer.compute_metrics = span_scores(TAGS, "BIOES")
    first = trainer.evaluate()
    assert trainer.evaluate()["eval_f1"] == first["eval_f1"]
    assert_same(weights_of(trainer.model), final)


def test_training_stops_early(toy: Toy, tmp_path: Path) -> None:
    trainer = make_trainer(
        toy,
        tmp_path,
        num_train_epochs=9,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        trainer={
            "compute_metrics": given_scores(0.2, 0.9, 0.4, 0.9),
            "callbacks": [EarlyStoppingCallback(early_stopping_patience=2)],
        },
    )
    trainer.train()
    assert trainer.state.epoch == 4
    assert trainer.state.best_global_step == 20

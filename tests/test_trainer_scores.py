"""What a trainer says of data: predictions and scores, of one data set or several, and of averaged weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_tagger_trainer import Toy, make_arguments, make_model, make_toy, make_trainer
from toys import DROPOUT, assert_same, weights_of
from transformers import (
    EvalPrediction,
    TrainerCallback,
)

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.training.trainers.tagger_trainer import RAW_WEIGHTS_FILE, TaggerTrainer, span_scores


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy()


def test_scores_are_there_by_default(toy: Toy, tmp_path: Path) -> None:
    trainer = make_trainer(toy, tmp_path, eval_strategy="epoch")
    trainer.train()
    for entry in (trainer.evaluate(), next(e for e in trainer.state.log_history if "eval_f1" in e)):
        assert {"eval_loss", "eval_precision", "eval_recall", "eval_f1", "eval_accuracy"} <= entry.keys()


def test_span_scores_of_known_tags() -> None:
    compute = span_scores(["O", "B-X", "I-X", "E-X", "S-X"], "BIOES")
    gold = np.array([[1, 3, 0, -100], [4, 0, 0, 4]])
    predicted = np.array([[1, 3, 4, 2], [4, 0, 0, 0]])  # what stands at padding counts for nothing
    scores = compute(EvalPrediction(predictions=predicted, label_ids=gold))
    assert scores == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "accuracy": 5 / 7})


def test_evaluation_leaves_no_trace_in_the_training(toy: Toy, tmp_path: Path) -> None:
    weights = []
    for strategy in ("no", "epoch"):
        trainer = make_trainer(toy, tmp_path, model=make_model(toy, **DROPOUT), eval_strategy=strategy)
        trainer.train()
        weights.append(weights_of(trainer.model))
    assert_same(*weights)


def test_while_training_the_averaged_weights_are_evaluated(toy: Toy, tmp_path: Path) -> None:
    # With a decay next to 1 and ten steps only, the average is nearly the start, and tags nearly as badly.
    trainer = make_trainer(toy, tmp_path, trainer={"average_decay": 0.9}, eval_strategy="epoch", save_strategy="epoch")
    trainer.train()
    noted = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    for step, loss in zip((10, 20), noted, strict=True):
        folder = tmp_path / f"checkpoint-{step}"
        model = HierarchicalTaggerForTokenClassification.from_pretrained(folder)
        saved = make_trainer(toy, tmp_path, model=model)
        assert saved.evaluate()["eval_loss"] == pytest.approx(loss, rel=1e-5)
        assert (folder / RAW_WEIGHTS_FILE).is_file()


@pytest.mark.parametrize("strategy", ["group_by_length", "random"])
def test_predictions_come_in_the_order_of_the_data(toy: Toy, tmp_path: Path, strategy: str) -> None:
    trainer = make_trainer(toy, tmp_path, train_sampling_strategy=strategy)
    result = trainer.predict(toy.data["dev"])
    labels = [[tag for tag in row if tag != -100] for row in result.label_ids.tolist()]
    assert labels == list(toy.data["dev"]["labels"])
    lengths = [sum(tag != -100 for tag in row) for row in result.predictions.tolist()]
    assert lengths == list(toy.data["dev"]["length"])


def test_predict_is_as_evaluate(toy: Toy, tmp_path: Path) -> None:
    trainer = make_trainer(toy, tmp_path)
    scores, result = trainer.evaluate(), trainer.predict(toy.data["dev"])
    for name in ("loss", "precision", "recall", "f1", "accuracy"):
        assert scores[f"eval_{name}"] == result.metrics[f"test_{name}"]
    without_labels = trainer.predict(toy.data["dev"].remove_columns("labels"))
    found = np.where(result.label_ids == -100, -100, result.predictions)
    assert without_labels.label_ids is None and without_labels.predictions.tolist() == found.tolist()


@pytest.mark.parametrize("options", [{"batch_eval_metrics": True}, {"eval_do_concat_batches": False}])
def test_metrics_of_batches(toy: Toy, tmp_path: Path, options: dict[str, bool]) -> None:
    whole, other = make_trainer(toy, tmp_path), make_trainer(toy, tmp_path, **options)
    for _ in range(2):
        first, second = whole.evaluate(), other.evaluate()
        for name in ("loss", "precision", "recall", "f1", "accuracy"):
            assert first[f"eval_{name}"] == pytest.approx(second[f"eval_{name}"])


def test_an_evaluation_that_was_interrupted_counts_for_nothing(toy: Toy, tmp_path: Path) -> None:
    class Stop(TrainerCallback):
        def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    trainer = make_trainer(toy, tmp_path, batch_eval_metrics=True)
    expected, stop = trainer.evaluate()["eval_f1"], Stop()
    trainer.add_callback(stop)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            trainer.evaluate()
    trainer.remove_callback(stop)
    assert trainer.evaluate()["eval_f1"] == expected


def test_several_data_sets_are_scored_with_the_averaged_weights(toy: Toy, tmp_path: Path) -> None:
    options: dict[str, Any] = {"trainer": {"average_decay": 0.9}, "eval_strategy": "epoch"}
    one, several = make_trainer(toy, tmp_path, **options), make_trainer(toy, tmp_path, **options)
    several.eval_dataset = {"a": toy.data["dev"]}
    for trainer in (one, several):
        trainer.train()
    noted = [entry["eval_loss"] for entry in one.state.log_history if "eval_loss" in entry]
    assert noted == [entry["eval_a_loss"] for entry in several.state.log_history if "eval_a_loss" in entry]


@pytest.mark.parametrize("wanted", ["f1", "b_f1", "bleu"])
def test_the_best_of_several_data_sets_is_chosen_by_one(toy: Toy, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"metric_for_best_model is '{wanted}', and the scores are a_loss, a_prec"):
        TaggerTrainer(
            make_model(toy),
            make_arguments(tmp_path, metric_for_best_model=wanted),
            eval_dataset={"a": toy.data["dev"]},
            processing_class=toy.tokenizer,
        )

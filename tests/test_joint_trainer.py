from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from toys import DROPOUT, WORD_MODEL, assert_same, weights_of
from transformers import TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.machine.processes import end_launched_process
from tagsmith.training.trainers.joint_trainer import JointTaggerTrainer


@dataclass
class Toys:
    """Two tasks on made-up words: `ner` knows words in capitals as places, `pos` the kinds of all."""

    tokenizer: HierarchicalTaggerTokenizer
    heads: dict[str, HeadShape]
    train: dict[str, Dataset]
    dev: dict[str, Dataset]


def sentences(count: int, seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    return [
        [
            word.upper() if chance.random() < 0.4 else word
            for word in ("".join(chance.choices("abc", k=2)) for _ in range(chance.randint(1, 4)))
        ]
        for _ in range(count)
    ]


def make_toys() -> Toys:
    texts = {"ner": (sentences(16, 1), sentences(9, 2)), "pos": (sentences(6, 3), sentences(7, 4))}
    heads = {
        "ner": HeadShape(tag_names(["LOC"], "BIOES"), "BIOES"),
        "pos": HeadShape(["NAME", "WORD"], "plain"),
    }
    kinds = {"ner": ("S-LOC", "O"), "pos": ("NAME", "WORD")}
    tokenizer = HierarchicalTaggerTokenizer.train(words for train, _ in texts.values() for words in train)

    def encode(name: str, part: list[list[str]]) -> Dataset:
        return Dataset.from_list(
            [
                {
                    **tokenizer.encode_words(words),
                    "labels": [heads[name].tags.index(kinds[name][word.islower()]) for word in words],
                    "length": len(words),
                }
                for words in part
            ]
        )

    return Toys(tokenizer, heads, *({name: encode(name, texts[name][split]) for name in texts} for split in (0, 1)))


@pytest.fixture(scope="module")
def toys() -> Toys:
    return make_toys()


def make_model(toys: Toys, **options: Any) -> HierarchicalTaggerForTokenClassification:
    set_seed(1)
    config = HierarchicalTaggerConfig(
        **{**WORD_MODEL, **options},
        sharing="encoder",
        heads={name: head.to_dict() for name, head in toys.heads.items()},
        id2label={},
        label2id={},
        vocab_size=toys.tokenizer.vocab_size,
        character_vocab_size=toys.tokenizer.character_vocab_size,
        rare_word_id=toys.tokenizer.rare_word_id,
    )
    return HierarchicalTaggerForTokenClassification(config)


def make_trainer(
    toys: Toys,
    folder: Path,
    *,
    model: Any = None,
    trainer: dict[str, Any] | None = None,
    dev: bool = True,
    **arguments: Any,
) -> JointTaggerTrainer:
    choices: dict[str, Any] = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "learning_rate": 0.02,
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "logging_strategy": "epoch",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 3,
    }
    made = JointTaggerTrainer(
        model=model or make_model(toys),
        args=TrainingArguments(str(folder), **{**choices, **arguments}),
        train_dataset=toys.train,
        eval_dataset=toys.dev if dev else None,
        data_collator=TaggerCollator(toys.tokenizer),
        **(trainer or {}),
    )
    made.remove_callback(PrinterCallback)
    return made


class HeadsSeen(TrainerCallback):
    """Notes which heads' weights each step of the optimizer changes."""

    def __init__(self, model: Any) -> None:
        self.model, self.seen = model, list[set[str]]()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.before = weights_of(self.model)

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        after = self.model.state_dict()
        changed = {name for name in after if not torch.equal(after[name], self.before[name])}
        self.seen.append({name.split(".")[1] for name in changed if name.startswith("heads.")})


def test_a_head_with_several_batches_in_a_turn(toys: Toys, tmp_path: Path) -> None:
    options = {"head_batches": {"pos": 3}, "epoch_head": "ner"}
    trainer = make_trainer(toys, tmp_path, optim="sgd", num_train_epochs=2, trainer=options)
    heads = HeadsSeen(trainer.model)
    trainer.add_callback(heads)
    trainer.train()
    assert heads.seen == [{"ner"}, {"pos"}, {"pos"}, {"pos"}] * 8


@pytest.mark.parametrize("options", [{"head_batches": {"dep": 2}}, {"epoch_head": "dep"}])
def test_heads_that_are_not_there(toys: Toys, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is no head 'dep'; the heads are "):
        make_trainer(toys, tmp_path, trainer=options)


def test_it_trains_heads_in_turn(toys: Toys, tmp_path: Path) -> None:
    trainer = make_trainer(toys, tmp_path, optim="sgd", num_train_epochs=2)
    heads = HeadsSeen(trainer.model)
    trainer.add_callback(heads)
    before = trainer.evaluate()
    trainer.train()
    # Four batches of `ner` an epoch, and as many of `pos`, which has fewer sentences.
    assert trainer.state.global_step == 16
    assert heads.seen == [{"ner"}, {"pos"}] * 8
    assert trainer.evaluate()["eval_loss"] < before["eval_loss"]


def test_it_learns(toys: Toys, tmp_path: Path) -> None:
    trainer = make_trainer(toys, tmp_path, num_train_epochs=7, learning_rate=0.05)
    trainer.train()
    assert trainer.evaluate()["eval_f1"] > 0.9


def test_a_step_for_all_heads(toys: Toys, tmp_path: Path) -> None:
    trainer = make_trainer(
        toys, tmp_path, optim="sgd", max_grad_norm=0, gradient_accumulation_steps=2, max_steps=1, dev=False
    )
    model = make_model(toys)
    heads = HeadsSeen(trainer.model)
    trainer.add_callback(heads)
    batches = [{**batch} for batch in list(trainer.get_train_dataloader())[:2]]
    assert [batch["head"] for batch in batches] == ["ner", "pos"]
    model.train()
    (sum(model(**batch).loss for batch in batches) / 2).backward()
    trainer.train()
    assert heads.seen == [{"ner", "pos"}]
    found = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name], parameter - 0.02 * parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps, epochs", [(1, 8), (2, 4), (5, 2)])
def test_the_learning_rate_falls_by_epochs(toys: Toys, tmp_path: Path, steps: int, epochs: int) -> None:
    trainer = make_trainer(
        toys, tmp_path, trainer={"epoch_decay": 1.0}, dev=False, gradient_accumulation_steps=steps, optim="sgd"
    )
    rates: list[float] = []

    class Rates(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            rates.append(trainer.optimizer.param_groups[0]["lr"])

    trainer.add_callback(Rates())
    trainer.train()
    assert rates == pytest.approx([0.02] * epochs + [0.01] * epochs)


def test_scores_of_each_head_and_their_mean(toys: Toys, tmp_path: Path) -> None:
    trainer = make_trainer(toys, tmp_path, num_train_epochs=1, eval_strategy="epoch")
    trainer.train()
    metrics = trainer.evaluate()
    for key in ("loss", "precision", "recall", "f1", "accuracy"):
        own = [metrics[f"eval_{name}_{key}"] for name in ("ner", "pos")]
        assert metrics[f"eval_{key}"] == pytest.approx(sum(own) / 2)
    assert metrics["eval_pos_f1"] == pytest.approx(metrics["eval_pos_accuracy"])
    noted = [entry for entry in trainer.state.log_history if "eval_f1" in entry]
    assert noted[0]["eval_ner_f1"] == metrics["eval_ner_f1"]
    model = trainer.model.eval()
    for name, rows in toys.dev.items():
        batch = trainer.data_collator(list(rows))
        with torch.no_grad():
            output = model(**batch, head=name)
        valid = batch["labels"] != -100
        accuracy = (output.tags == batch["labels"])[valid].float().mean().item()
        assert metrics[f"eval_{name}_accuracy"] == pytest.approx(accuracy)


def test_other_data_can_be_scored(toys: Toys, tmp_path: Path) -> None:
    trainer = make_trainer(toys, tmp_path)
    whole, part = trainer.evaluate(), trainer.evaluate({"pos": toys.dev["pos"]}, metric_key_prefix="test")
    assert part["test_pos_loss"] == part["test_loss"] == whole["eval_pos_loss"]
    assert not any("ner" in key for key in part)


def test_evaluation_leaves_no_trace_in_the_training(toys: Toys, tmp_path: Path) -> None:
    weights = []
    for strategy in ("no", "epoch"):
        trainer = make_trainer(toys, tmp_path, model=make_model(toys, **DROPOUT), eval_strategy=strategy)
        trainer.train()
        weights.append(weights_of(trainer.model))
    assert_same(*weights)


@pytest.mark.parametrize("decay, accumulation, replacement", [(0.9, 1, 0.0), (0.0, 2, 0.0), (0.9, 1, 0.5)])
def test_a_resumed_run_is_bit_exact(
    toys: Toys, tmp_path: Path, decay: float, accumulation: int, replacement: float
) -> None:
    def start() -> JointTaggerTrainer:
        return make_trainer(
            toys,
            tmp_path,
            model=make_model(toys, **DROPOUT),
            trainer={"average_decay": decay, "mention_replacement": replacement},
            lr_scheduler_type="cosine",
            gradient_accumulation_steps=accumulation,
            save_strategy="steps",
            save_steps=2,
            eval_strategy="epoch",
        )

    whole = start()
    whole.train()
    assert whole.state.global_step == 16 // accumulation
    # Eight batches an epoch: the first stop is in the middle of the second, the other between the two.
    for step in (12 // accumulation, 8 // accumulation):
        resumed = start()
        resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert resumed.state.global_step == whole.state.global_step
        assert_same(weights_of(resumed.model), weights_of(whole.model))


@pytest.mark.parametrize("metric, best", [("f1", 2), ("ner_f1", 3), ("pos_f1", 1)])
def test_the_best_checkpoint(
    toys: Toys, tmp_path: Path, metric: str, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = {"ner": iter((0.1, 0.5, 0.6)), "pos": iter((0.8, 0.7, 0.2))}
    tags = {tuple(shape.tags): name for name, shape in toys.heads.items()}

    def given_scores(names: list[str], scheme: str) -> Callable[[Any], dict[str, float]]:
        score = next(coming[tags[tuple(names)]])
        return lambda prediction: dict.fromkeys(("precision", "recall", "f1", "accuracy"), score)

    monkeypatch.setattr("tagsmith.training.trainers.joint_trainer.span_scores", given_scores)
    trainer = make_trainer(
        toys,
        tmp_path,
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model=metric,
    )
    trainer.train()
    noted = [entry[f"eval_{metric}"] for entry in trainer.state.log_history if f"eval_{metric}" in entry]
    assert trainer.state.best_metric == max(noted)
    assert trainer.state.best_global_step == best * 8
    kept = load_file(tmp_path / f"checkpoint-{best * 8}" / "model.safetensors")
    final = weights_of(trainer.model)
    assert_same({name: final[name] for name in kept}, kept)


def test_the_order_of_sentences(toys: Toys, tmp_path: Path) -> None:
    orders = {}
    for strategy in ("random", "group_by_length"):
        trainer = make_trainer(toys, tmp_path, train_sampling_strategy=strategy, num_train_epochs=1)
        orders[strategy] = [batch["input_ids"].shape[1] for batch in trainer.get_train_dataloader()]
        assert len(orders[strategy]) == 8
        trainer.train()
        assert trainer.state.global_step == 8
    assert sum(orders["random"]) > sum(orders["group_by_length"]), "grouped sentences are padded less"


@pytest.mark.parametrize("strategy", ["sequential", "batch_rebalance"])
def test_an_order_that_heads_do_not_have(toys: Toys, tmp_path: Path, strategy: str) -> None:
    with pytest.raises(ValueError, match=f"train_sampling_strategy is '{strategy}'.* random or group_by_length"):
        make_trainer(toys, tmp_path, train_sampling_strategy=strategy)


def test_a_score_that_there_is_not(toys: Toys, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"metric_for_best_model is 'nerd_f1', and the scores are .*ner_f1"):
        make_trainer(toys, tmp_path, metric_for_best_model="nerd_f1")


def test_workers_give_the_same_batches(toys: Toys, tmp_path: Path) -> None:
    weights = []
    for workers in (0, 1):
        trainer = make_trainer(toys, tmp_path, dev=False, num_train_epochs=1, dataloader_num_workers=workers)
        trainer.train()
        weights.append(weights_of(trainer.model))
    assert_same(*weights)


def test_sentences_of_two_heads_are_no_batch(toys: Toys) -> None:
    rows = [{**toys.train[name][0], "head": name} for name in ("pos", "ner")]
    with pytest.raises(ValueError, match="A batch is of one head, and this one of ner, pos"):
        TaggerCollator(toys.tokenizer)(rows)


def test_a_head_without_sentences(toys: Toys, tmp_path: Path) -> None:
    short = Toys(toys.tokenizer, toys.heads, {**toys.train, "pos": toys.train["pos"].select([])}, toys.dev)
    with pytest.raises(ValueError, match="needs sentences"):
        make_trainer(short, tmp_path).train()


def train_into(file: Path, processes: int) -> None:
    """Train on batches of eight in all, score, and save the weights and the scores."""
    made = make_toys()
    trainer = make_trainer(
        made,
        file.parent,
        per_device_train_batch_size=8 // processes,
        per_device_eval_batch_size=2,
        num_train_epochs=3,
        optim="sgd",
        learning_rate=0.1,
        trainer={"average_decay": 0.5},
    )
    assert trainer.args.world_size == processes
    trainer.train()
    scores = trainer.evaluate()
    if trainer.is_world_process_zero():
        keys = [f"eval_{part}f1" for part in ("", "ner_", "pos_")]
        numbers = torch.tensor([trainer.state.global_step, *(scores[key] for key in keys)])
        save_file({**weights_of(trainer.model), "scores": numbers}, file)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    file = tmp_path / "two.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run(
        [*command, __file__, str(file)], env=environment, timeout=240, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    train_into(tmp_path / "one.safetensors", 1)
    two, one = load_file(file), load_file(tmp_path / "one.safetensors")
    start = weights_of(make_model(make_toys()))
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)
    assert any(not torch.allclose(start[name], one[name], atol=1e-2) for name in start)


if __name__ == "__main__":
    train_into(Path(sys.argv[1]), 2)
    end_launched_process()


def test_collator_metrics_and_predictions(toys: Toys, tmp_path: Path) -> None:
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, disable_tqdm=True, save_strategy="no")
    parts: dict[str, Any] = {"train_dataset": toys.train, "eval_dataset": toys.dev}
    ours = JointTaggerTrainer(make_model(toys), arguments, processing_class=toys.tokenizer, **parts)
    given = make_trainer(toys, tmp_path)
    scores, result = ours.evaluate(), ours.predict(toys.dev)
    assert given.evaluate()["eval_f1"] == scores["eval_f1"]
    for name in ("loss", "f1", "ner_f1", "pos_accuracy"):
        assert result.metrics[f"test_{name}"] == pytest.approx(scores[f"eval_{name}"])
    assert list(result.predictions) == ["ner", "pos"]
    assert (result.label_ids["pos"] >= 0).sum() == sum(toys.dev["pos"]["length"])

    def compute(prediction: Any, compute_result: bool = True) -> dict[str, float]:
        return {"mine": float(np.size(prediction.label_ids))}

    own = make_trainer(toys, tmp_path, trainer={"compute_metrics": compute}).evaluate()
    assert own["eval_mine"] == (own["eval_ner_mine"] + own["eval_pos_mine"]) / 2 and "eval_f1" not in own
    by_batch = make_trainer(toys, tmp_path, batch_eval_metrics=True).evaluate()
    for name in ("loss", "precision", "recall", "f1", "accuracy"):
        assert by_batch[f"eval_{name}"] == pytest.approx(scores[f"eval_{name}"])
    with pytest.raises(ValueError, match="each head by its name"):
        ours.predict(toys.dev["ner"])

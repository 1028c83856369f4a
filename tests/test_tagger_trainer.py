"""Training a tagger: the stock Trainer and a loop of one's own, optimizers, rates, averages and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from torch.utils.data import DataLoader
from toys import WORD_MODEL, assert_same, weights_of
from transformers import (
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer, span_scores

TAGS = tag_names(["LOC", "PER"], "BIOES")


@dataclass
class Toy:
    """A made-up language: `mr` opens a person of one or two words, what ends in `ville` is a place."""

    tokenizer: HierarchicalTaggerTokenizer
    data: DatasetDict


def sentences(count: int, seed: int) -> Iterator[tuple[list[str], list[str]]]:
    chance = random.Random(seed)
    for _ in range(count):
        words, tags = [], []
        for _ in range(chance.randint(1, 4)):
            stem = "".join(chance.choices("abc", k=2))
            kind = chance.random()
            if kind < 0.2:
                words += [stem + "ville"]
                tags += ["S-LOC"]
            elif kind < 0.4:
                words += ["mr", stem, stem]
                tags += ["B-PER", "I-PER", "E-PER"]
            else:
                words += [stem]
                tags += ["O"]
        yield words, tags


def make_toy() -> Toy:
    train, dev = list(sentences(40, 1)), list(sentences(19, 2))
    tokenizer = HierarchicalTaggerTokenizer.train(words for words, _ in train)

    def encode(part: list[tuple[list[str], list[str]]]) -> Dataset:
        rows = [
            {**tokenizer.encode_words(words), "labels": [TAGS.index(tag) for tag in tags], "length": len(words)}
            for words, tags in part
        ]
        return Dataset.from_list(rows)

    return Toy(tokenizer, DatasetDict({"train": encode(train), "dev": encode(dev)}))


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy()


def make_model(toy: Toy, **options: Any) -> HierarchicalTaggerForTokenClassification:
    set_seed(1)
    config = HierarchicalTaggerConfig(
        **{**WORD_MODEL, **options},
        vocab_size=toy.tokenizer.vocab_size,
        character_vocab_size=toy.tokenizer.character_vocab_size,
        rare_word_id=toy.tokenizer.rare_word_id,
        id2label=dict(enumerate(TAGS)),
        label2id={tag: index for index, tag in enumerate(TAGS)},
    )
    return HierarchicalTaggerForTokenClassification(config)


def make_arguments(folder: Path, **options: Any) -> TrainingArguments:
    choices: dict[str, Any] = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 8,
        "learning_rate": 0.02,
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "logging_strategy": "epoch",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 3,
    }
    return TrainingArguments(str(folder), **{**choices, **options})


def make_trainer(
    toy: Toy,
    folder: Path,
    *,
    model: Any = None,
    trainer: dict[str, Any] | None = None,
    dev: bool = True,
    **arguments: Any,
) -> TaggerTrainer:
    made = TaggerTrainer(
        model=model or make_model(toy),
        args=make_arguments(folder, **arguments),
        train_dataset=toy.data["train"],
        eval_dataset=toy.data["dev"] if dev else None,
        data_collator=TaggerCollator(toy.tokenizer),
        processing_class=toy.tokenizer,
        **(trainer or {}),
    )
    made.remove_callback(PrinterCallback)
    return made


def losses(trainer: Trainer) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_stock_trainer(toy: Toy, tmp_path: Path) -> None:
    trainer = Trainer(
        model=make_model(toy),
        args=make_arguments(tmp_path, num_train_epochs=4),
        train_dataset=toy.data["train"],
        eval_dataset=toy.data["dev"],
        data_collator=TaggerCollator(toy.tokenizer),
        compute_metrics=span_scores(TAGS, "BIOES"),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert losses(trainer)[-1] < losses(trainer)[0] / 2
    assert trainer.evaluate()["eval_f1"] > 0.5


def test_accelerate_loop(toy: Toy) -> None:
    accelerator = Accelerator(cpu=True)
    model = make_model(toy)
    collator = TaggerCollator(toy.tokenizer)
    keep = ["input_ids", "character_ids", "labels"]
    data = toy.data.select_columns(keep)
    train = DataLoader(data["train"], batch_size=4, shuffle=True, collate_fn=collator)
    dev = DataLoader(data["dev"], batch_size=8, collate_fn=collator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model, optimizer, train, dev = accelerator.prepare(model, optimizer, train, dev)
    means = []
    for _ in range(4):
        model.train()
        seen = []
        for batch in train:
            optimizer.zero_grad()
            loss = model(**batch).loss
            accelerator.backward(loss)
            optimizer.step()
            seen.append(loss.item())
        means.append(float(np.mean(seen)))
    assert means[-1] < means[0] / 2

    model.eval()
    predicted: list[list[int]] = []
    gold: list[list[int]] = []
    for batch in dev:
        with torch.no_grad():
            tags = model(**batch).tags
        tags, labels = accelerator.pad_across_processes((tags, batch["labels"]), dim=1, pad_index=-100)
        tags, labels = accelerator.gather_for_metrics((tags, labels))
        predicted += tags.tolist()
        gold += labels.tolist()
    assert len(gold) == len(toy.data["dev"])
    assert [[tag for tag in row if tag != -100] for row in gold] == list(toy.data["dev"]["labels"])
    width = max(map(len, gold))
    pad = [[*row, *[-100] * (width - len(row))] for row in gold]
    found = [[*row, *[-100] * (width - len(row))] for row in predicted]
    scores = span_scores(TAGS, "BIOES")(EvalPrediction(predictions=np.array(found), label_ids=np.array(pad)))
    assert scores["f1"] > 0.5


def test_accumulated_gradients_are_a_larger_batch(toy: Toy, tmp_path: Path) -> None:
    # Trainer counts labels and hands their number to a forward that takes it; the loss here is a mean over sentences.
    def train(batch: int, steps: int) -> dict[str, torch.Tensor]:
        trainer = make_trainer(
            toy,
            tmp_path / str(batch),
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=steps,
            optim="sgd",
            train_sampling_strategy="group_by_length",
        )
        trainer.train()
        assert trainer.state.global_step == 10
        return weights_of(trainer.model)

    start, whole, parts = weights_of(make_model(toy)), train(8, 1), train(2, 4)
    for name, weight in whole.items():
        torch.testing.assert_close(parts[name], weight, rtol=1e-4, atol=1e-5)
    assert any(not torch.allclose(start[name], whole[name], atol=1e-3) for name in whole)


def test_replaced_mentions_are_learnt_from(toy: Toy, tmp_path: Path) -> None:
    weights = []
    for replacement in (0.0, 0.5):
        trainer = make_trainer(toy, tmp_path, trainer={"mention_replacement": replacement}, num_train_epochs=1)
        trainer.train()
        weights.append(weights_of(trainer.model))
    assert any(not torch.equal(weights[0][name], weight) for name, weight in weights[1].items())
    with pytest.raises(ValueError, match="mention_replacement does not go with train_sampling_strategy 'sequential'"):
        make_trainer(toy, tmp_path, trainer={"mention_replacement": 0.5}, train_sampling_strategy="sequential")


@pytest.mark.parametrize(
    "name, arguments, kind, group",
    [
        ("adagrad", {"optim_args": "eps=1e-6"}, torch.optim.Adagrad, {"lr": 0.02, "eps": 1e-6}),
        ("sgd", {"optim_args": "momentum=0.9"}, torch.optim.SGD, {"lr": 0.02, "momentum": 0.9}),
        ("adamw_torch", {"weight_decay": 0.1}, torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.1}),
    ],
)
def test_optimizers_by_arguments(
    toy: Toy, tmp_path: Path, name: str, arguments: dict[str, Any], kind: type, group: dict[str, float]
) -> None:
    trainer = make_trainer(toy, tmp_path, optim=name, dev=False, **arguments)
    optimizer = trainer.create_optimizer()
    assert type(optimizer) is kind
    assert {key: optimizer.param_groups[0][key] for key in group} == group
    trainer.train()
    assert losses(trainer)[-1] < losses(trainer)[0]


class Notes(TrainerCallback):
    """Calls a function after each step."""

    def __init__(self, note: Callable[[], None]) -> None:
        self.note = note

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.note()


@pytest.mark.parametrize("length", [{"num_train_epochs": 2.5}, {"max_steps": 12}])
def test_the_learning_rate_falls_by_epochs(toy: Toy, tmp_path: Path, length: dict[str, float]) -> None:
    trainer = make_trainer(
        toy,
        tmp_path,
        trainer={"epoch_decay": 0.5},
        dev=False,
        per_device_train_batch_size=3,
        gradient_accumulation_steps=3,
        **length,
    )
    rates: list[float] = []
    trainer.add_callback(Notes(lambda: rates.append(trainer.optimizer.param_groups[0]["lr"])))
    trainer.train()
    # 40 sentences in batches of 3, three to a step: five steps an epoch.
    assert len(rates) == trainer.state.global_step > 10
    assert rates == pytest.approx([0.02 / (1 + 0.5 * (step // 5)) for step in range(len(rates))])


def test_without_dev_data_the_averaged_weights_are_the_final_ones(toy: Toy, tmp_path: Path) -> None:
    trainer = make_trainer(toy, tmp_path, trainer={"average_decay": 0.9}, dev=False)
    seen: list[dict[str, torch.Tensor]] = []

    class Follow(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            seen.append(weights_of(trainer.model))

        on_step_end = on_train_begin

    trainer.add_callback(Follow())
    trainer.train()
    assert len(seen) == 21
    final = weights_of(trainer.model)
    trained = dict(trainer.model.named_parameters())
    for name in trained:
        average = seen[0][name].double()
        for step, weights in enumerate(seen[1:], 1):
            decay = min(0.9, (1 + step) / (10 + step))
            average = decay * average + (1 - decay) * weights[name].double()
        torch.testing.assert_close(final[name].double(), average, rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(final[name], seen[-1][name]) for name in trained)


def test_the_average_follows_a_model_that_the_trainer_makes(toy: Toy, tmp_path: Path) -> None:
    trainer = TaggerTrainer(
        model_init=lambda: make_model(toy),
        args=make_arguments(tmp_path, train_sampling_strategy="group_by_length"),
        train_dataset=toy.data["train"],
        data_collator=TaggerCollator(toy.tokenizer),
        average_decay=0.9,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    expected = make_trainer(
        toy, tmp_path, trainer={"average_decay": 0.9}, dev=False, train_sampling_strategy="group_by_length"
    )
    expected.train()
    assert_same(weights_of(trainer.model), weights_of(expected.model))


def test_lengths_come_from_a_column_or_from_the_words(toy: Toy, tmp_path: Path) -> None:
    data = toy.data["train"]
    orders = []
    for dataset in (data, data.remove_columns("length"), list(data)):
        trainer = make_trainer(toy, tmp_path, train_sampling_strategy="group_by_length")
        orders.append(list(trainer._get_train_sampler(dataset)))
    assert orders[0] == orders[1] == orders[2]
    trainer = make_trainer(toy, tmp_path, train_sampling_strategy="group_by_length", data_seed=5)
    assert list(trainer._get_train_sampler(data)) != orders[0]


@pytest.mark.parametrize("options", [{"average_decay": 1.0}, {"average_decay": -0.1}, {"epoch_decay": -1.0}])
def test_choices_outside_their_range_are_errors(toy: Toy, tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        make_trainer(toy, tmp_path, trainer=options)


def test_the_collator_is_ours_where_none_is_given(toy: Toy, tmp_path: Path) -> None:
    losses = []
    for given in ({}, {"data_collator": TaggerCollator(toy.tokenizer)}):
        trainer = TaggerTrainer(
            make_model(toy),
            make_arguments(tmp_path),
            train_dataset=toy.data["train"],
            eval_dataset=toy.data["dev"],
            processing_class=toy.tokenizer,
            **given,
        )
        losses.append((trainer.train().training_loss, trainer.evaluate()["eval_f1"]))
    assert losses[0] == losses[1]


def test_without_a_tokenizer_there_is_no_collator(toy: Toy, tmp_path: Path) -> None:
    trainer = TaggerTrainer(make_model(toy), make_arguments(tmp_path), train_dataset=toy.data["train"])
    with pytest.raises(ValueError, match="pass its tokenizer as processing_class=tokenizer"):
        trainer.train()
    with pytest.raises(ValueError, match="processing_class"):
        trainer.predict(toy.data["dev"])

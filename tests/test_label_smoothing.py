"""Smoothed labels: the loss beside its formula in float64, for each family and for several heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toys import (
    BYTE_MODEL,
    BYTE_TRAINING,
    WORD_MODEL,
    WORD_TRAINING,
    assert_last_line,
    quiet,
    results_of,
    toy_file,
    weights_in,
)
from toys import tagsmith as command
from transformers import TrainingArguments
from transformers.trainer_pt_utils import LabelSmoother

from tagsmith.modeling.configuration_byte_to_span import PAD_ID, ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.label_smoothing import summed_cross_entropy
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.symbol_rules import FIRST_START
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.byte_run import train_byte_tagger
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import ByteRecipe, Recipe
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer
from tagsmith.training.trainers.joint_trainer import JointTaggerTrainer
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer

TAGS = ["O", "B-LOC", "I-LOC"]
HEADS = {
    "ner": {"tags": TAGS, "tag_scheme": "IOB2"},
    "pos": {"tags": ["NOUN", "VERB", "X", "PUNCT"], "tag_scheme": "plain"},
}


def by_formula(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """The sum over labels of the definition, in float64, one label at a time; -inf is no class."""
    total = torch.zeros((), dtype=torch.float64)
    for row, label in zip(logits.flatten(0, -2).double(), labels.flatten().tolist(), strict=True):
        if label == -100:
            continue
        chances = row.exp() / row.exp().sum()
        surprise = -chances.log()
        total += (1 - smoothing) * surprise[label] + smoothing * surprise[row > -5e3].mean()
    return total


def config_of(**options: Any) -> HierarchicalTaggerConfig:
    shape = {**WORD_MODEL, "vocab_size": 20, "character_vocab_size": 9, "tag_scheme": "IOB2", "output": "softmax"}
    names = {"id2label": dict(enumerate(TAGS)), "label2id": {tag: index for index, tag in enumerate(TAGS)}}
    return HierarchicalTaggerConfig(**{**shape, **names, **options})


def joint_config(**options: Any) -> HierarchicalTaggerConfig:
    return config_of(
        sharing="encoder", heads=HEADS, **{"id2label": {}, "label2id": {}, "tag_scheme": "BIOES", **options}
    )


def batch_of(tags: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    return {
        "input_ids": torch.randint(1, 20, (3, 5), generator=generator) * mask,
        "character_ids": torch.randint(1, 9, (3, 5, 4), generator=generator) * mask[..., None],
        "attention_mask": mask.long(),
        "labels": torch.randint(0, tags, (3, 5), generator=generator).masked_fill(~mask, -100),
    }


def arguments_of(folder: Path, **options: Any) -> TrainingArguments:
    return TrainingArguments(str(folder), use_cpu=True, report_to="none", **options)


class TestLayer:
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 0.99])
    def test_the_formula(self, smoothing: float) -> None:
        generator = torch.Generator().manual_seed(1)
        logits = torch.randn(4, 6, 7, generator=generator, dtype=torch.float64) * 3
        labels = torch.randint(0, 7, (4, 6), generator=generator)
        labels[0, 2:], labels[3] = -100, -100
        found = summed_cross_entropy(logits, labels, smoothing)
        torch.testing.assert_close(found, by_formula(logits, labels, smoothing))
        theirs = LabelSmoother(epsilon=smoothing)({"logits": logits}, labels) * (labels >= 0).sum()
        torch.testing.assert_close(found, theirs, check_dtype=False, rtol=1e-5, atol=1e-5)

    def test_gradient(self) -> None:
        logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
        labels = torch.tensor([1, -100, 4])
        assert torch.autograd.gradcheck(lambda scores: summed_cross_entropy(scores, labels, 0.2), logits)

    def test_what_cannot_come_is_no_class(self) -> None:
        logits = torch.randn(3, 8, requires_grad=True)
        hidden = torch.tensor([float("-inf"), -1e4, 0, 0, 0, 0, 0, 0])
        labels = torch.tensor([2, -100, 7])
        found = summed_cross_entropy(logits + hidden, labels, 0.3)
        torch.testing.assert_close(found, summed_cross_entropy(logits[:, 2:], labels - 2 * (labels > 0), 0.3))
        found.backward()
        assert logits.grad is not None and logits.grad.isfinite().all()
        assert not logits.grad[:, :2].any() and not logits.grad[1].any()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_sixteen_bits(self, dtype: torch.dtype) -> None:
        logits, labels = torch.randn(5, 4).to(dtype), torch.tensor([0, 1, 2, 3, -100])
        found = summed_cross_entropy(logits, labels, 0.1)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, by_formula(logits, labels, 0.1).float(), rtol=1e-4, atol=1e-4)


class TestTrainers:
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
    def test_words(self, tmp_path: Path, smoothing: float) -> None:
        torch.manual_seed(1)
        model = HierarchicalTaggerForTokenClassification(config_of()).eval()
        trainer = TaggerTrainer(model=model, args=arguments_of(tmp_path, label_smoothing_factor=smoothing))
        batch = batch_of(3)
        loss, outputs = trainer.compute_loss(model, dict(batch), return_outputs=True)
        expected = by_formula(outputs.logits.detach(), batch["labels"], smoothing) / (batch["labels"] >= 0).sum()
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
        theirs = LabelSmoother(epsilon=smoothing)(outputs, batch["labels"])
        torch.testing.assert_close(loss, theirs, rtol=1e-5, atol=1e-6)
        evaluated, *_ = trainer.prediction_step(model, dict(batch), prediction_loss_only=True)
        torch.testing.assert_close(evaluated, loss.detach())

    @pytest.mark.parametrize("head", list(HEADS))
    def test_several_heads(self, tmp_path: Path, head: str) -> None:
        torch.manual_seed(1)
        model = HierarchicalTaggerForTokenClassification(joint_config()).eval()
        rows = load_rows()
        trainer = JointTaggerTrainer(
            model=model,
            args=arguments_of(tmp_path, label_smoothing_factor=0.2),
            train_dataset={"ner": rows, "pos": rows},
        )
        batch: dict[str, Any] = batch_of(len(HEADS[head]["tags"]))
        loss, outputs = trainer.compute_loss(model, {**batch, "head": head}, return_outputs=True)
        expected = by_formula(outputs.logits.detach(), batch["labels"], 0.2) / (batch["labels"] >= 0).sum()
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("attention", [True, False])
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
    def test_bytes(self, tmp_path: Path, attention: bool, smoothing: float) -> None:
        torch.manual_seed(1)
        names = {"id2label": {0: "LOC", 1: "PER"}, "label2id": {"LOC": 0, "PER": 1}}
        model = ByteToSpanForSpanTagging(ByteToSpanConfig(**{**BYTE_MODEL, "attention": attention}, **names)).eval()
        trainer = ByteTaggerTrainer(model=model, args=arguments_of(tmp_path, label_smoothing_factor=smoothing))
        stop = model.config.stop_id
        labels = torch.full((2, 4), -100)
        labels[0] = torch.tensor([FIRST_START + 1, FIRST_START + 18, stop + 2, stop])
        labels[1, 0] = stop
        bytes_ = torch.randint(40, 90, (2, 9))
        bytes_[1, 5:] = PAD_ID
        batch = {"input_ids": bytes_, "attention_mask": (bytes_ != PAD_ID).long(), "labels": labels}
        loss, outputs = trainer.compute_loss(model, dict(batch), return_outputs=True)
        expected = by_formula(outputs.logits.detach(), labels, smoothing) / 2
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
        assert loss < 100
        loss.backward()
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


def load_rows() -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": [[2, 3]], "labels": [[0, 1]], "length": [2]})


class TestRefused:
    @pytest.mark.parametrize("given", ["model", "positional", "model_init", "joint"])
    def test_a_crf_in_any_head(self, tmp_path: Path, given: str) -> None:
        arguments = arguments_of(tmp_path, label_smoothing_factor=0.1)
        model = HierarchicalTaggerForTokenClassification(config_of(output="crf"))
        with pytest.raises(ValueError, match=r"replace the loss of the CRF.*output='softmax'"):
            if given == "model":
                TaggerTrainer(model=model, args=arguments)
            elif given == "positional":
                TaggerTrainer(model, arguments)
            elif given == "model_init":
                TaggerTrainer(model_init=lambda: model, args=arguments)
            else:
                joint = HierarchicalTaggerForTokenClassification(joint_config(output="crf"))
                rows = load_rows()
                JointTaggerTrainer(model=joint, args=arguments, train_dataset={"ner": rows, "pos": rows})

    def test_one_head_of_several(self, tmp_path: Path) -> None:
        model = HierarchicalTaggerForTokenClassification(joint_config())
        crf = HierarchicalTaggerForTokenClassification(joint_config(output="crf"))
        model.heads["pos"] = crf.heads["pos"]
        rows = load_rows()
        with pytest.raises(ValueError, match="replace the loss of the CRF"):
            JointTaggerTrainer(
                model=model,
                args=arguments_of(tmp_path, label_smoothing_factor=0.1),
                train_dataset={"ner": rows, "pos": rows},
            )
        with pytest.raises(ValueError, match="this head has a CRF"):
            model(**batch_of(4), head="pos", smoothing=0.1)

    @pytest.mark.parametrize("factor", [-0.1, 1.0, 1.5])
    def test_a_factor_out_of_range(self, tmp_path: Path, factor: float) -> None:
        model = HierarchicalTaggerForTokenClassification(config_of())
        with pytest.raises(ValueError, match="label_smoothing_factor"):
            TaggerTrainer(model=model, args=arguments_of(tmp_path, label_smoothing_factor=factor))

    @pytest.mark.parametrize("recipe", ["ner", "joint-tasks"])
    def test_on_the_command_line(self, tmp_path: Path, recipe: str) -> None:
        path = toy_file(tmp_path / "train.conll", 20, 1)
        name = "a=" if recipe == "joint-tasks" else ""
        outcome = command(
            "train", recipe, "--train", f"{name}{path}", "--output-dir", tmp_path / "out",
            "--set", "training.label_smoothing_factor=0.1",
        )  # fmt: skip
        assert_last_line(outcome, "label_smoothing_factor", "softmax")


class TestRuns:
    def test_words(self, tmp_path: Path) -> None:
        files = {name: toy_file(tmp_path / f"{name}.conll", 30, seed) for seed, name in enumerate(("train", "dev"))}
        corpus = load_corpus(files, cache_dir=tmp_path / "cache")
        for factor in (0.0, 0.3):
            recipe = Recipe(
                model={**WORD_MODEL, "output": "softmax"},
                training={**WORD_TRAINING, "num_train_epochs": 3, "label_smoothing_factor": factor},
            )
            train_tagger(recipe, corpus, tmp_path / str(factor), console=quiet())
        plain, smooth = (weights_in(tmp_path / name) for name in ("0.0", "0.3"))
        assert any(not torch.equal(plain[name], smooth[name]) for name in plain)
        assert results_of(tmp_path / "0.3")["dev"]["f1"] > 0.5

    def test_bytes(self, tmp_path: Path) -> None:
        files = {name: toy_file(tmp_path / f"{name}.conll", 30, seed) for seed, name in enumerate(("train", "dev"))}
        corpus = load_corpus(files, cache_dir=tmp_path / "cache")
        recipe = ByteRecipe(model=BYTE_MODEL, training={**BYTE_TRAINING, "label_smoothing_factor": 0.1})
        train_byte_tagger(recipe, corpus, tmp_path / "out", console=quiet())
        course = results_of(tmp_path / "out")["course"]
        assert all(weight.isfinite().all() for weight in weights_in(tmp_path / "out").values()), course

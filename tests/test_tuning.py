"""Libraries that tune models: adapters of PEFT, and searches for hyperparameters."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainingArguments

import tagsmith
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer

TEXT = "Ada Lovelace lived in London."


def rows_of(tokenizer: Any) -> list[dict[str, Any]]:
    return [
        {**tokenizer.encode_words(["Ada", "lived"]), "labels": [4, 0]},
        {**tokenizer.encode_words(["It", "rains"]), "labels": [0, 0]},
    ] * 4


def trainer_of(folder: Path, tokenizer: Any, model: Any = None, **parts: Any) -> TaggerTrainer:
    arguments = TrainingArguments(
        str(folder), max_steps=4, per_device_train_batch_size=4, learning_rate=0.05, report_to=[], disable_tqdm=True,
        save_strategy="no", use_cpu=True, eval_strategy="steps", eval_steps=4,
    )  # fmt: skip
    rows = rows_of(tokenizer)
    return TaggerTrainer(
        model=model, args=arguments, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer, **parts
    )


@pytest.mark.filterwarnings(
    "ignore:.*is_gradient_checkpointing:FutureWarning"
)  # peft asks transformers by its old name
class TestAdapters:
    @pytest.fixture(autouse=True)
    def peft(self) -> Any:
        return pytest.importorskip("peft")

    def test_words(self, peft: Any, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
        model = copy.deepcopy(tiny_model)
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        options = {"target_modules": "all-linear", "r": 2}
        adapted = peft.get_peft_model(model, peft.LoraConfig(**options))
        torch.testing.assert_close(*(one(**batch(tiny_tokenizer)).logits for one in (adapted.eval(), tiny_model)))
        trainer = trainer_of(tmp_path, tiny_tokenizer, adapted)
        trainer.train()
        trained = {name: weight for name, weight in adapted.named_parameters() if weight.requires_grad}
        assert trained and all("lora" in name for name in trained)
        assert any(weight.abs().sum() > 0 for name, weight in trained.items() if "lora_B" in name)
        found = tagsmith.pipeline(adapted.eval(), tokenizer=tiny_tokenizer)(TEXT)
        adapted.save_pretrained(tmp_path / "adapter")
        again = peft.PeftModel.from_pretrained(copy.deepcopy(tiny_model), tmp_path / "adapter")
        self.check(tagsmith.pipeline(again.eval(), tokenizer=tiny_tokenizer), found)
        merged = adapted.merge_and_unload()
        kept = {name: weight for name, weight in merged.state_dict().items() if torch.equal(weight, before[name])}
        assert set(before) - set(kept) == {"heads.shared.output.weight"}
        merged.save_pretrained(tmp_path / "merged")
        tiny_tokenizer.save_pretrained(tmp_path / "merged")
        self.check(tagsmith.pipeline(tmp_path / "merged"), found)

    def test_bytes(self, peft: Any, tmp_path: Path) -> None:
        torch.manual_seed(0)
        sizes = {"window_size": 12, "embedding_size": 8, "hidden_size": 8, "num_hidden_layers": 1}
        shape = {"encoder": "bidirectional", "encoder_hidden_size": 4, "attention": True, "initializer_range": 0.9}
        model = ByteToSpanForSpanTagging(ByteToSpanConfig.for_tags(["PER", "LOC"], **sizes, **shape)).eval()
        tokenizer = ByteToSpanTokenizer(12, ["PER", "LOC"])
        expected = tagsmith.pipeline(model, tokenizer=tokenizer)(TEXT)
        adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=2)).eval()
        self.check(tagsmith.pipeline(adapted, tokenizer=tokenizer), expected)
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                nn.init.normal_(weight.data)
        found = tagsmith.pipeline(adapted, tokenizer=tokenizer)(TEXT)
        assert found != expected
        merged = adapted.merge_and_unload()
        merged.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        self.check(tagsmith.pipeline(tmp_path), found)

    def check(self, tagger: Any, expected: Any) -> None:
        found = tagger(TEXT)
        assert [entity["score"] for entity in found] == pytest.approx([e["score"] for e in expected], abs=1e-4)
        assert [{**entity, "score": 0} for entity in found] == [{**entity, "score": 0} for entity in expected]


def batch(tokenizer: Any) -> Any:
    return tokenizer([TEXT], return_tensors="pt")


class TestSearch:
    """What each trial does, without the library that chooses it; and with one where it is installed."""

    def space(self, trial: Any) -> dict[str, float]:
        return {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)}

    def init(self, config: Any) -> Any:
        def model_init(trial: Any = None) -> Any:
            torch.manual_seed(0)
            return HierarchicalTaggerForTokenClassification(config)

        return model_init

    @pytest.mark.parametrize("average_decay", [0.0, 0.5])
    def test_trials_are_apart(
        self, average_decay: float, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
    ) -> None:
        """Each begins with a fresh model and its own average, scheduler and optimizer."""
        trainer = trainer_of(
            tmp_path, tiny_tokenizer, model_init=self.init(tiny_model.config), average_decay=average_decay
        )
        scores = []
        for rate in (0.05, 0.0, 0.05):
            trainer.args.learning_rate = rate
            trainer.train()
            scores.append(trainer.evaluate()["eval_loss"])
        assert scores[0] == pytest.approx(scores[2], rel=1e-5) and scores[0] < scores[1]

    def test_by_optuna(self, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
        pytest.importorskip("optuna").logging.set_verbosity(40)
        trainer = trainer_of(tmp_path, tiny_tokenizer, model_init=self.init(tiny_model.config))
        best = trainer.hyperparameter_search(
            hp_space=self.space,
            compute_objective=lambda metrics: metrics["eval_loss"],
            direction="minimize",
            backend="optuna",
            n_trials=3,
        )
        assert set(best.hyperparameters) == {"learning_rate"} and 0 < best.objective < 100

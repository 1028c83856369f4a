from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict
from toys import BYTE_MODEL, toy_file
from transformers import EvalPrediction, TrainingArguments, set_seed

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.tokenization.span_codec import SymbolLayout
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches.byte_corpus import ByteCorpus, documents
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DatasetDict:
    folder = tmp_path_factory.mktemp("corpus")
    files = {"train": toy_file(folder / "train.conll", 30, 1), "dev": toy_file(folder / "dev.conll", 9, 2)}
    lines = files["dev"].read_text(encoding="utf-8").split("\n\n")
    files["dev"].write_text("\n\n".join(f"-DOCSTART- O\n\n{line}" for line in lines), encoding="utf-8")
    return load_corpus(files, cache_dir=folder / "cache")


@pytest.fixture(scope="module")
def windows(corpus: DatasetDict) -> WindowDataset:
    return WindowDataset([ByteCorpus.of(corpus["train"], ["LOC"])], SymbolLayout(16, ["LOC"]))


def make_trainer(folder: Path, arguments: dict[str, Any] | None = None, **parts: Any) -> ByteTaggerTrainer:
    set_seed(1)
    choices = {"max_steps": 2, "use_cpu": True, "disable_tqdm": True, "save_strategy": "no", **(arguments or {})}
    config = ByteToSpanConfig(**BYTE_MODEL, id2label={0: "LOC"}, label2id={"LOC": 0}, initializer_range=1.0)
    model = ByteToSpanForSpanTagging(config)
    return ByteTaggerTrainer(model=model, args=TrainingArguments(str(folder), **choices), **parts)


def counts(prediction: EvalPrediction) -> dict[str, float]:
    """How many documents, spans and gold spans there are."""
    found, gold = prediction.predictions, prediction.label_ids
    assert all(isinstance(span, Span) for spans in (*found, *gold) for span in spans)
    return {"documents": len(found), "found": sum(map(len, found)), "gold": float(sum(map(len, gold)))}


class CountsByDocument:
    """The same, document by document."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.calls: list[bool] = []

    def __call__(self, prediction: EvalPrediction, compute_result: bool) -> dict[str, float]:
        assert len(prediction.predictions) == 1
        self.calls.append(compute_result)
        for name, value in counts(prediction).items():
            self.sums[name] = self.sums.get(name, 0) + value
        if not compute_result:
            return {}
        result, self.sums = self.sums, {}
        return result


def test_collator_and_tokenizer_are_ours_where_none_are_given(tmp_path: Path, windows: WindowDataset) -> None:
    parts = {"data_collator": WindowCollator(), "processing_class": ByteToSpanTokenizer(16, ["LOC"])}
    losses = []
    for given in ({}, parts):
        trainer = make_trainer(tmp_path, train_dataset=windows, **given)
        losses.append(trainer.train().training_loss)
        assert list(trainer.processing_class.labels) == ["LOC"]
    assert losses[0] == losses[1] > 0


def test_windows_have_their_spans_in_the_order_of_the_model(tmp_path: Path, corpus: DatasetDict) -> None:
    data = [ByteCorpus.of(corpus["train"], ["LOC"])]
    windows = WindowDataset(data, SymbolLayout(16, ["LOC"]), span_order="first_first")
    with pytest.raises(ValueError, match=r"spans first_first, and the model's span_order is last_first\. Pass"):
        make_trainer(tmp_path, train_dataset=windows)


def test_predict_gives_the_spans_and_the_scores_of_evaluate(tmp_path: Path, corpus: DatasetDict) -> None:
    trainer = make_trainer(tmp_path, eval_dataset=corpus["dev"])
    scores, result = trainer.evaluate(), trainer.predict(corpus["dev"])
    del scores["epoch"]
    assert result.metrics == {name.replace("eval_", "test_"): value for name, value in scores.items()}
    assert set(scores) == {"eval_precision", "eval_recall", "eval_f1", "eval_accuracy"}
    expected = list(documents(corpus["dev"]))
    assert result.label_ids == [document.spans for document in expected]
    assert len(expected) > 3 and any(result.predictions)
    pipeline = ByteSpanTaggingPipeline(
        model=trainer.model, tokenizer=trainer.processing_class, task="span-tagging", device="cpu"
    )
    assert scores["eval_f1"] == score_tagger(pipeline, corpus["dev"])["f1"]
    for document, spans in zip(expected, result.predictions, strict=True):
        assert spans == [Span(e["start"], e["end"], e["entity_group"]) for e in pipeline(document.text)]


def test_predict_of_several_data_sets_is_by_name(tmp_path: Path, corpus: DatasetDict) -> None:
    trainer = make_trainer(tmp_path)
    data = {"one": corpus["dev"], "two": corpus["train"]}
    result = trainer.predict(data, metric_key_prefix="last")
    assert list(result.predictions) == list(result.label_ids) == ["one", "two"]
    mean = (result.metrics["last_one_f1"] + result.metrics["last_two_f1"]) / 2
    assert result.metrics["last_f1"] == pytest.approx(mean)
    assert trainer.predict({"one": corpus["dev"]}).metrics.keys() == trainer.predict(corpus["dev"]).metrics.keys()


def test_a_given_metric_is_used(tmp_path: Path, corpus: DatasetDict) -> None:
    trainer = make_trainer(tmp_path, eval_dataset=corpus["dev"], compute_metrics=counts)
    scores, result = trainer.evaluate(), trainer.predict(corpus["dev"])
    gold = sum(len(document.spans) for document in documents(corpus["dev"]))
    assert scores["eval_gold"] == gold and "eval_f1" not in scores
    assert result.metrics["test_documents"] == len(result.predictions)
    several = trainer.evaluate({"a": corpus["dev"], "b": corpus["dev"]})
    assert several["eval_gold"] == several["eval_a_gold"] == several["eval_b_gold"] == gold


def test_a_given_metric_sees_the_texts_on_request(tmp_path: Path, corpus: DatasetDict) -> None:
    seen: list[Any] = []

    def keep(prediction: EvalPrediction) -> dict[str, float]:
        seen.append(prediction.inputs)
        return {"eval_kept": 1.0}

    arguments = {"include_for_metrics": ["inputs"]}
    scores = make_trainer(tmp_path, arguments, eval_dataset=corpus["dev"], compute_metrics=keep).evaluate()
    assert scores["eval_kept"] == 1.0
    assert seen == [[document.text for document in documents(corpus["dev"])]]


def test_metrics_document_by_document(tmp_path: Path, corpus: DatasetDict) -> None:
    own = CountsByDocument()
    arguments = {"batch_eval_metrics": True}
    trainer = make_trainer(tmp_path, arguments, eval_dataset=corpus["dev"], compute_metrics=own)
    whole = make_trainer(tmp_path, eval_dataset=corpus["dev"], compute_metrics=counts)
    assert trainer.evaluate() == whole.evaluate()
    assert own.calls == [False] * (len(own.calls) - 1) + [True]
    assert trainer.predict(corpus["dev"]).metrics == whole.predict(corpus["dev"]).metrics
    default = make_trainer(tmp_path, arguments, eval_dataset=corpus["dev"])
    assert default.evaluate() == make_trainer(tmp_path, eval_dataset=corpus["dev"]).evaluate()


def test_batch_metrics_that_cannot_be_asked_batch_by_batch(tmp_path: Path, corpus: DatasetDict) -> None:
    with pytest.raises(ValueError, match="compute_result"):
        make_trainer(tmp_path, {"batch_eval_metrics": True}, eval_dataset=corpus["dev"], compute_metrics=counts)


def test_windows_are_not_scored(tmp_path: Path, windows: WindowDataset) -> None:
    for trainer in (make_trainer(tmp_path), make_trainer(tmp_path, eval_dataset=windows)):
        with pytest.raises(ValueError, match="Pass the rows of a corpus"):
            trainer.evaluate()
    with pytest.raises(ValueError, match="these are windows"):
        trainer.predict(windows)


@pytest.mark.parametrize("wanted", ["loss", "eval_loss", "one_f1"])
def test_a_score_that_is_not_given_chooses_no_checkpoint(tmp_path: Path, corpus: DatasetDict, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"metric_for_best_model is '{wanted}', and the scores are precision"):
        make_trainer(tmp_path, {"metric_for_best_model": wanted}, eval_dataset={"one": corpus["dev"]})


def test_a_given_metric_chooses_the_checkpoint(tmp_path: Path, corpus: DatasetDict, windows: WindowDataset) -> None:
    arguments = {
        **dict.fromkeys(("eval_strategy", "save_strategy"), "steps"),
        **dict.fromkeys(("eval_steps", "save_steps"), 1),
        "load_best_model_at_end": True,
        "metric_for_best_model": "found",
        "greater_is_better": False,
    }
    trainer = make_trainer(
        tmp_path, arguments, train_dataset=windows, eval_dataset=corpus["dev"], compute_metrics=counts
    )
    trainer.train()
    noted = [entry["eval_found"] for entry in trainer.state.log_history if "eval_found" in entry]
    assert len(noted) == 2 and trainer.state.best_metric == min(noted)

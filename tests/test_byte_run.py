from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from datasets import DatasetDict
from rich.console import Console
from toys import BYTE_MODEL, BYTE_TRAINING, assert_same, quiet, results_of, toy_file, weights_in
from transformers import Trainer, TrainerCallback, TrainingArguments

import tagsmith
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import SymbolLayout
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.runs import byte_run, training_run
from tagsmith.training.runs.byte_run import train_byte_tagger, trains_in_bfloat16
from tagsmith.training.runs.recipe import ByteRecipe, read_recipe
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer

RECIPE = ByteRecipe(model=BYTE_MODEL, training=BYTE_TRAINING, average_decay=0.5)

Make = Callable[..., dict[str, DatasetDict]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def corpora(names: tuple[str, ...] = ("",), plain: tuple[str, ...] = (), dev: bool = True, **options: Any) -> Any:
        made = {}
        for number, name in enumerate(names):
            files = {"train": toy_file(tmp_path / f"{name}train.conll", 30, number, plain=name in plain, **options)}
            if dev:
                files["dev"] = toy_file(tmp_path / f"{name}dev.conll", 8, number + 9, plain=name in plain, **options)
            made[name] = load_corpus(files, cache_dir=tmp_path / "cache")
        return made

    return corpora


def with_training(**changes: Any) -> ByteRecipe:
    return dataclasses.replace(RECIPE, training={**BYTE_TRAINING, **changes})


def test_the_folder_tags(make: Make, tmp_path: Path) -> None:
    said = io.StringIO()
    results = train_byte_tagger(RECIPE, make(), tmp_path / "out", console=Console(file=said, width=200))
    names = {path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".py"}
    expected = {
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "recipe.yaml",
        "results.json",
        "README.md",
    }
    assert names - {"generation_config.json", "special_tokens_map.json"} == {*expected, "checkpoints"}
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert set(results["dev"]) == {"precision", "recall", "f1", "accuracy", "labels"}
    assert results["train_windows"] > 300 and set(results["letters"]) == {"LATIN"}
    assert "training windows, 1 labels" in said.getvalue()
    assert said.getvalue().count("dev f1") == 3
    pipeline = tagsmith.pipeline(tmp_path / "out")
    text = "abc BCA 🙂 CAB"
    assert all(text[entity["start"] : entity["end"]] == entity["word"] for entity in pipeline(text))


def test_the_resolved_recipe_repeats_the_run(make: Make, tmp_path: Path) -> None:
    train_byte_tagger(RECIPE, make(), tmp_path / "one", console=quiet())
    recipe = read_recipe(tmp_path / "one" / "recipe.yaml")
    assert isinstance(recipe, ByteRecipe)
    train_byte_tagger(recipe, make(), tmp_path / "two", console=quiet())
    assert_same(weights_in(tmp_path / "one"), weights_in(tmp_path / "two"))
    assert (tmp_path / "one" / "recipe.yaml").read_text() == (tmp_path / "two" / "recipe.yaml").read_text()


@pytest.mark.parametrize("tiles", [False, True])
def test_bfloat16_is_for_cpus_with_tiles(tiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    flags = {"avx512_bf16", "amx_bf16"} if tiles else {"avx512_bf16"}
    monkeypatch.setattr(byte_run, "processor_flags", lambda: frozenset(flags))
    assert trains_in_bfloat16() is tiles


def test_checkpoints_are_scored(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"save_steps is 8, and no multiple of training\.eval_steps, 3.*save_steps=3"):
        train_byte_tagger(with_training(eval_steps=3, save_steps=8), make(), tmp_path / "out", console=quiet())


@pytest.mark.parametrize("bf16", [False, True])
def test_a_resumed_run_is_bit_exact(make: Make, tmp_path: Path, bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = with_training(bf16=bf16)
    corpora = make(("en", "de"))
    recipe = dataclasses.replace(recipe, balance=True)
    whole = train_byte_tagger(recipe, corpora, tmp_path / "whole", console=quiet())

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 13:
                raise KeyboardInterrupt

    make_trainer = training_run._make_trainer

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        trainer = make_trainer(*args, **kwargs)
        trainer.add_callback(Stop())
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(training_run, "_make_trainer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_byte_tagger(recipe, corpora, tmp_path / "cut", console=quiet())
    with pytest.raises(InputError, match="checkpoints of an earlier run"):
        train_byte_tagger(recipe, corpora, tmp_path / "cut", console=quiet())
    resumed = train_byte_tagger(recipe, corpora, tmp_path / "cut", resume=True, console=quiet())
    assert_same(weights_in(tmp_path / "whole"), weights_in(tmp_path / "cut"))
    assert resumed["dev"] == whole["dev"]


def test_several_languages_are_scored_by_name(make: Make, tmp_path: Path) -> None:
    results = train_byte_tagger(RECIPE, make(("en", "de")), tmp_path / "out", console=quiet())
    assert list(results["dev"]) == ["en", "de", "all"]
    state = json.loads((tmp_path / "out" / "checkpoints" / "checkpoint-24" / "trainer_state.json").read_text())
    logged = next(entry for entry in state["log_history"] if "eval_f1" in entry)
    assert logged["eval_f1"] == pytest.approx((logged["eval_en_f1"] + logged["eval_de_f1"]) / 2)


def test_a_run_with_the_papers_options_keeps_them(make: Make, tmp_path: Path) -> None:
    options = {"merge": "paper", "span_grammar": False, "span_order": "first_first", "input_order": "reversed"}
    model = {**BYTE_MODEL, **options, "output_dropout": 0.2}
    recipe = dataclasses.replace(with_training(max_steps=1), model=model)
    run = train_byte_tagger(recipe, make(), tmp_path / "first", console=quiet())
    windows = run.trainer.train_dataset
    assert isinstance(windows, WindowDataset) and windows.span_order == "first_first"
    config = ByteToSpanConfig.from_pretrained(tmp_path / "first")
    assert {name: getattr(config, name) for name in options} == options
    plain = dataclasses.replace(with_training(max_steps=1), start_from=str(tmp_path / "first"))
    with pytest.raises(InputError, match=r"start_from has input_order reversed.*--set model\.input_order=reversed"):
        train_byte_tagger(plain, make(), tmp_path / "second", console=quiet())
    goes_on = dataclasses.replace(plain, model={**BYTE_MODEL, "input_order": "reversed"})
    run = train_byte_tagger(goes_on, make(), tmp_path / "second", console=quiet())
    windows = run.trainer.train_dataset
    assert isinstance(windows, WindowDataset) and windows.span_order == "first_first"  # what it has learnt


def test_plain_tags_are_spans(make: Make, tmp_path: Path) -> None:
    results = train_byte_tagger(RECIPE, make(("pos",), plain=("pos",)), tmp_path / "out", console=quiet())
    scores = results["dev"]["pos"]
    assert set(scores["labels"]) == {"NAME", "WORD"}
    assert scores["accuracy"] == scores["recall"]


def test_a_trained_tagger_goes_on_with_other_labels(make: Make, tmp_path: Path) -> None:
    train_byte_tagger(RECIPE, make(), tmp_path / "first", console=quiet())
    recipe = dataclasses.replace(with_training(max_steps=0), start_from=str(tmp_path / "first"), average_decay=0.0)
    recipe.training["max_steps"], recipe.training["learning_rate"] = 1, 0.0
    train_byte_tagger(recipe, make(label="PER"), tmp_path / "second", console=quiet())
    first, second = weights_in(tmp_path / "first"), weights_in(tmp_path / "second")
    labels = ("label_scores.weight", "label_scores.bias", "model.embedding.weight")
    labels += ("tag_scores.weight", "tag_scores.bias")
    assert all(torch.equal(first[name], second[name]) for name in first if name not in labels)
    rows = SymbolLayout(BYTE_MODEL["window_size"], ["LOC"]).first_label
    assert torch.equal(first[labels[2]][:rows], second[labels[2]][:rows])
    assert ByteToSpanConfig.from_pretrained(tmp_path / "second").span_labels == ["PER"]


def test_going_on_with_another_shape_is_an_error(make: Make, tmp_path: Path) -> None:
    config = ByteToSpanConfig(**{**BYTE_MODEL, "window_size": 20, "byte_dropout": 0.0}, id2label={0: "LOC"})
    ByteToSpanForSpanTagging(config).save_pretrained(tmp_path / "first")
    ByteToSpanTokenizer(20, ["LOC"]).save_pretrained(tmp_path / "first")
    recipe = dataclasses.replace(RECIPE, start_from=str(tmp_path / "first"))
    with pytest.raises(InputError, match=r"start_from has window_size 20, and the recipe 16.*model\.window_size=20"):
        train_byte_tagger(recipe, make(), tmp_path / "second", console=quiet())


def test_an_earlier_tagger_without_ngrams_and_tags(make: Make, tmp_path: Path) -> None:
    parts = {"ngram_sizes": None, "tag_loss": 0.0, "window_size": 20}
    old = dataclasses.replace(with_training(max_steps=1), model={**BYTE_MODEL, **parts})
    train_byte_tagger(old, make(), tmp_path / "first", console=quiet())
    recipe = dataclasses.replace(RECIPE, model={**BYTE_MODEL, "decode": "tags"}, start_from=str(tmp_path / "first"))
    with pytest.raises(InputError) as refused:
        train_byte_tagger(recipe, make(), tmp_path / "second", console=quiet())
    fix = str(refused.value.fix)
    settings = ["window_size=20", "ngram_sizes=[]", "tag_loss=0.0", "decode=spans"]
    assert fix == f"Pass {' '.join(f'--set model.{setting}' for setting in settings)}."
    for setting in settings:
        recipe.model.update(yaml.safe_load("{" + setting.replace("=", ": ") + "}"))
    train_byte_tagger(recipe, make(), tmp_path / "second", console=quiet())


def test_ngrams_of_new_data_join_those_of_an_earlier_tagger(make: Make, tmp_path: Path) -> None:
    train_byte_tagger(with_training(max_steps=1), make(), tmp_path / "first", console=quiet())
    text = "xyz B-LOC\nzyx O\n\n" * 9
    (tmp_path / "other.conll").write_text(text, encoding="utf-8")
    recipe = dataclasses.replace(
        with_training(max_steps=1, learning_rate=0.0), start_from=str(tmp_path / "first"), average_decay=0.0
    )
    corpora = {"": load_corpus({"train": tmp_path / "other.conll"}, cache_dir=tmp_path / "cache")}
    results = train_byte_tagger(recipe, corpora, tmp_path / "second", console=quiet())
    assert results["letters"]["LATIN"] == results_of(tmp_path / "first")["letters"]["LATIN"] + 9 * 6
    first, second = (ByteToSpanForSpanTagging.from_pretrained(tmp_path / name) for name in ("first", "second"))
    earlier, later = first.model.ngrams, second.model.ngrams
    assert second.config.ngram_rows == len(later.hashes) > len(earlier.hashes) == first.config.ngram_rows
    assert set(earlier.hashes.tolist()) < set(later.hashes.tolist())
    ids = torch.tensor([list(b"abcABC")])
    torch.testing.assert_close(second.score_tags(ids), first.score_tags(ids))


def test_tags_decide(make: Make, tmp_path: Path) -> None:
    model = {**BYTE_MODEL, "decode": "tags", "embedding_dropout": 0.0, "hidden_dropout": 0.0, "byte_dropout": 0.0}
    recipe = dataclasses.replace(with_training(max_steps=120, eval_steps=60, save_steps=60), model=model)
    corpora = make()
    results = train_byte_tagger(recipe, corpora, tmp_path / "out", console=quiet())
    assert results["dev"]["f1"] > 0.9
    tagger = tagsmith.pipeline(tmp_path / "out")
    assert tagger.model.config.ngram_rows == len(tagger.model.model.ngrams.hashes) > 0
    again = load_corpus({"dev": tmp_path / "dev.conll"}, cache_dir=tmp_path / "cache")["dev"]
    assert score_tagger(tagger, again)["f1"] == pytest.approx(results["dev"]["f1"])


def test_going_on_with_another_family_is_an_error(make: Make, tmp_path: Path, tiny_folder: Path) -> None:
    recipe = dataclasses.replace(RECIPE, start_from=str(tiny_folder))
    with pytest.raises(InputError, match="start_from is a hierarchical-tagger"):
        train_byte_tagger(recipe, make(), tmp_path, console=quiet())


@pytest.mark.parametrize("window_size", [8, 512])
def test_other_windows(make: Make, tmp_path: Path, window_size: int) -> None:
    recipe = dataclasses.replace(with_training(max_steps=1), model={**BYTE_MODEL, "window_size": window_size})
    train_byte_tagger(recipe, make(dev=False), tmp_path, console=quiet())
    pipeline = tagsmith.pipeline(tmp_path)
    text = "abc BCA " * 65
    assert all(text[entity["start"] : entity["end"]] == entity["word"] for entity in pipeline(text))


def test_three_hundred_labels(tmp_path: Path) -> None:
    lines = [f"w{number} B-L{number:03}\n" for number in range(300)]
    (tmp_path / "train.conll").write_text("\n".join(lines), encoding="utf-8")
    corpora = {"": load_corpus({"train": tmp_path / "train.conll"}, cache_dir=tmp_path / "cache")}
    train_byte_tagger(with_training(max_steps=2), corpora, tmp_path / "out", console=quiet())
    assert len(tagsmith.pipeline(tmp_path / "out").model.config.span_labels) == 300


def test_sixteen_bits(make: Make, tmp_path: Path) -> None:
    train_byte_tagger(RECIPE, make(), tmp_path, console=quiet())
    pipeline = tagsmith.pipeline(tmp_path)
    size = (tmp_path / "model.safetensors").stat().st_size
    text = "abc BCA ab CAB"
    expected = [(entity["start"], entity["end"], entity["entity_group"]) for entity in pipeline(text)]
    pipeline.model.to(torch.float16).save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 0.6 * size
    found = [(entity["start"], entity["end"], entity["entity_group"]) for entity in tagsmith.pipeline(tmp_path)(text)]
    assert found == expected


def test_a_run_of_epochs_without_dev_data(make: Make, tmp_path: Path) -> None:
    training = {name: value for name, value in BYTE_TRAINING.items() if not name.endswith("_steps")}
    recipe = dataclasses.replace(RECIPE, training={**training, "num_train_epochs": 1}, halving_from=0.5)
    said = io.StringIO()
    results = train_byte_tagger(recipe, make(dev=False), tmp_path, console=Console(file=said, width=200))
    assert "dev" not in results
    assert "epoch   1.0" in said.getvalue()


def test_the_stock_trainer_trains(make: Make, tmp_path: Path) -> None:
    rows = make()[""]["train"]
    config = ByteToSpanConfig(**BYTE_MODEL, id2label={0: "LOC"}, label2id={"LOC": 0})
    dataset = WindowDataset([ByteCorpus.of(rows, ["LOC"])], SymbolLayout(16, ["LOC"]))
    arguments = TrainingArguments(str(tmp_path), max_steps=3, report_to="none", use_cpu=True, disable_tqdm=True)
    model = ByteToSpanForSpanTagging(config)
    trainer = Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=WindowCollator())
    assert trainer.train().training_loss > 0


def test_the_learning_rate_halves_every_half_epoch(make: Make, tmp_path: Path) -> None:
    rows = make()[""]["train"]
    corpus = ByteCorpus.of(rows, ["LOC"])
    config = ByteToSpanConfig(**BYTE_MODEL, id2label={0: "LOC"}, label2id={"LOC": 0})
    arguments = TrainingArguments(str(tmp_path), per_device_train_batch_size=2, use_cpu=True, report_to="none")
    trainer = ByteTaggerTrainer(
        model=ByteToSpanForSpanTagging(config),
        args=arguments,
        train_dataset=WindowDataset([corpus], SymbolLayout(16, ["LOC"])),
        halving_from=5.0,
    )
    trainer.create_optimizer_and_scheduler(100)
    steps = -(-len(corpus) // 2)
    assert trainer.lr_scheduler is not None
    factor, *_ = trainer.lr_scheduler.lr_lambdas
    found = [factor(round(epoch * steps)) for epoch in (0, 4.9, 5.01, 5.4, 5.51, 6.01, 7.49)]
    assert found == [1, 1, 0.5, 0.5, 0.25, 0.125, 0.5**5]


def test_mixed_kinds_of_tags_are_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spans \(en train, en dev\), and some a plain tag .*\(pos train, pos dev\)"):
        train_byte_tagger(RECIPE, make(("en", "pos"), plain=("pos",)), tmp_path, console=quiet())


def test_data_with_nothing_to_learn_is_an_error(make: Make, tmp_path: Path) -> None:
    corpora = make()
    empty = {"": DatasetDict({"train": corpora[""]["train"].select([])})}
    with pytest.raises(InputError, match="has no sentences"):
        train_byte_tagger(RECIPE, empty, tmp_path, console=quiet())
    (tmp_path / "o.conll").write_text("abc O\n", encoding="utf-8")
    nothing = {"": load_corpus({"train": tmp_path / "o.conll"}, cache_dir=tmp_path / "cache")}
    with pytest.raises(InputError, match="nothing to learn"):
        train_byte_tagger(RECIPE, nothing, tmp_path, console=quiet())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {**BYTE_MODEL, "encoder": "both"}}, "the recipe's model does not fit"),
        ({"line_share": 1.5}, "line_share is 1.5"),
        ({"training": {**BYTE_TRAINING, "train_sampling_strategy": "random"}}, "always drawn at random"),
        ({"start_from": ""}, "--set start_from=FOLDER"),
        ({"start_from": "nowhere"}, "nowhere: there is no such folder"),
        ({"training": {**BYTE_TRAINING, "optim": "none"}}, "training arguments do not fit"),
        ({"epoch_decay": 1.0, "halving_from": 1.0}, "not by both"),
    ],
)
def test_recipes_that_do_not_fit(make: Make, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_byte_tagger(dataclasses.replace(RECIPE, **changes), make(), tmp_path / "out", console=quiet())


def test_resuming_another_model_is_an_error(make: Make, tmp_path: Path) -> None:
    train_byte_tagger(RECIPE, make(), tmp_path, console=quiet())
    other = dataclasses.replace(RECIPE, model={**BYTE_MODEL, "hidden_size": 12})
    with pytest.raises(InputError, match="hidden_size 16, and this run has 12"):
        train_byte_tagger(other, make(), tmp_path, resume=True, console=quiet())


def test_long_spans_are_counted(make: Make, tmp_path: Path) -> None:
    (tmp_path / "long.conll").write_text("averyverylongnameindeed B-LOC\nabc O\n\n" * 20, encoding="utf-8")
    said = io.StringIO()
    corpora = {"xx": load_corpus({"train": tmp_path / "long.conll"}, cache_dir=tmp_path / "cache")}
    train_byte_tagger(with_training(max_steps=1), corpora, tmp_path / "out", console=Console(file=said, width=200))
    assert "xx: 20 spans are longer than the window of 16 bytes, and not learnt" in said.getvalue()

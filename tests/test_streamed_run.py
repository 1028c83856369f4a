"""Training on corpora that are read while they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from toys import (
    BYTE_MODEL,
    BYTE_TRAINING,
    DROPOUT,
    WORD_MODEL,
    WORD_TRAINING,
    assert_last_line,
    assert_one_line,
    assert_same,
    quiet,
    results_of,
    tagsmith,
    toy_file,
    weights_in,
)
from transformers import TrainerCallback

import tagsmith as package
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.endless import EndlessStream
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.byte_run import train_byte_tagger
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import ByteRecipe, Recipe, read_recipe
from tagsmith.training.runs.streamed_run import for_a_stream

TRAINING = {**WORD_TRAINING, "max_steps": 12, "eval_steps": 6}
PLAIN = Recipe(model=WORD_MODEL, training=TRAINING)
HEADS = Recipe(model={**WORD_MODEL, "sharing": "encoder"}, training=TRAINING, head_batches={"en": 2})
BYTES = ByteRecipe(model=BYTE_MODEL, training=BYTE_TRAINING)


@pytest.fixture(scope="module", autouse=True)
def cache(datasets_cache: None) -> None:
    """Corpora are cached apart."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    return {"train": toy_file(folder / "train.conll", 20, 1), "dev": toy_file(folder / "dev.conll", 9, 2)}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A smaller corpus, with another label."""
    folder = tmp_path_factory.mktemp("small")
    return {split: toy_file(folder / f"{split}.conll", 9, seed, "PER") for split, seed in (("train", 3), ("dev", 4))}


def test_a_stream_is_learnt_from(files: dict[str, Path], tmp_path: Path) -> None:
    run = train_tagger(PLAIN, load_corpus(files, streaming=True), tmp_path / "out", console=quiet())
    assert isinstance(run.trainer.train_dataset, EndlessStream) and run.trainer.state.global_step == 12
    assert run["dev"]["f1"] > 0 and "train_sentences" not in run
    on_disk = train_tagger(PLAIN, load_corpus(files), tmp_path / "disk", console=quiet())
    words = [HierarchicalTaggerTokenizer.from_pretrained(tmp_path / name).words for name in ("out", "disk")]
    assert words[0] == words[1]
    assert run["data"][""]["examples"] == on_disk["data"][""]["examples"]
    assert "file" not in run["data"][""]["train"] and run["data"][""]["dev"]["sentences"] == 9
    assert isinstance(package.pipeline(tmp_path / "out")("Ada lived in Lund."), list)
    assert read_recipe(tmp_path / "out" / "recipe.yaml") == run.recipe


def test_corpora_for_one_tagger(files: dict[str, Path], small: dict[str, Path], tmp_path: Path) -> None:
    corpora = {"en": load_corpus(files, streaming=True), "de": load_corpus(small)}  # one of them lies on the disk
    run = train_tagger(PLAIN, corpora, tmp_path / "out", console=quiet())
    assert list(run["dev"]) == ["en", "de", "all"]
    drawn = [len(row["input_ids"]) for row in islice(run.trainer.train_dataset, 29)]
    held = {name: load_corpus(own) for name, own in (("en", files), ("de", small))}
    on_disk = train_tagger(PLAIN, held, tmp_path / "disk", console=quiet())
    assert sorted(drawn) == sorted(on_disk.trainer.train_dataset["length"])
    one, other = (HierarchicalTaggerTokenizer.from_pretrained(tmp_path / name) for name in ("out", "disk"))
    assert one.words == other.words and run.trainer.model.config.tags == on_disk.trainer.model.config.tags


def test_heads(files: dict[str, Path], small: dict[str, Path], tmp_path: Path) -> None:
    corpora = {"en": load_corpus(files, streaming=True), "de": load_corpus(small, streaming=True)}
    run = train_tagger(HEADS, corpora, tmp_path / "out", console=quiet())
    assert list(run["dev"]) == ["en", "de"]
    loader = run.trainer.get_train_dataloader()
    assert [batch["head"] for batch in islice(loader, 6)] == ["en", "en", "de"] * 2
    assert all(len(batch["input_ids"]) == 4 for batch in islice(loader, 6))


@pytest.mark.parametrize("balance", [True, False])
def test_windows(files: dict[str, Path], small: dict[str, Path], tmp_path: Path, balance: bool) -> None:
    recipe = ByteRecipe(model=BYTE_MODEL, training={**BYTE_TRAINING, "max_steps": 2}, balance=balance)
    corpora = {"en": load_corpus(files, streaming=True), "de": load_corpus(small, streaming=True)}
    run = train_byte_tagger(recipe, corpora, tmp_path / "out", console=quiet())
    on_disk = {"en": load_corpus(files), "de": load_corpus(small)}
    other = train_byte_tagger(recipe, on_disk, tmp_path / "disk", console=quiet())
    assert run["train_windows"] == other["train_windows"] and list(run["dev"]) == ["en", "de", "all"]
    one, another = (weights_in(tmp_path / name) for name in ("out", "disk"))
    assert {name: weight.shape for name, weight in one.items()} == {name: w.shape for name, w in another.items()}


class Stop(TrainerCallback):
    """Ends a run as an interrupt does."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 9:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["one", "several", "heads", "bytes"])
def test_a_resumed_run_is_bit_exact(kind: str, files: dict[str, Path], small: dict[str, Path], tmp_path: Path) -> None:
    recipes: dict[str, tuple[Callable[..., Any], Any]] = {
        "heads": (train_tagger, HEADS),
        "bytes": (train_byte_tagger, BYTES),
    }
    train, recipe = recipes.get(kind, (train_tagger, PLAIN))
    model = {**recipe.model, **({} if kind == "bytes" else DROPOUT)}
    training = {**recipe.training, "max_steps": 15, "eval_steps": 5, "save_steps": 5, "gradient_accumulation_steps": 2}
    recipe = type(recipe)(model=model, training=training, average_decay=0.9)

    def run(name: str, **options: Any) -> Any:
        corpora = {"en": load_corpus(files, streaming=True), "de": load_corpus(small, streaming=True)}
        given = {"en": corpora["en"]} if kind == "one" else corpora
        return train(recipe, given, tmp_path / name, console=quiet(), **options)

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("cut", callbacks=[Stop()])
    resumed = run("cut", resume=True)
    assert_same(weights_in(tmp_path / "whole"), weights_in(tmp_path / "cut"))
    assert resumed["dev"] == whole["dev"]


def test_the_command(files: dict[str, Path], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(Recipe(model=WORD_MODEL, training=WORD_TRAINING).to_yaml(), encoding="utf-8")
    options: list[Any] = ["--train", files["train"], "--dev", files["dev"], "--streaming"]
    outcome = tagsmith("train", recipe, *options, "--output-dir", tmp_path / "out")
    assert_one_line(outcome, "a stream has no epochs to count", "--set training.max_steps=20000")
    outcome = tagsmith("train", recipe, *options, "--output-dir", tmp_path / "out", "--set", "training.max_steps=2")
    assert outcome.code == 0, outcome
    assert "a stream of training sentences" in outcome.err
    assert results_of(tmp_path / "out")["dev"]


def test_a_checkpoint_every_tenth() -> None:
    steps = {"max_steps": 2000}
    assert for_a_stream(Recipe(training=steps)).training["eval_steps"] == 200
    assert for_a_stream(ByteRecipe(training={**steps, "eval_steps": 30})).training["eval_steps"] == 30


@pytest.mark.parametrize("recipe", [HEADS, BYTES], ids=["heads", "bytes"])
def test_the_command_with_names(recipe: Any, files: dict[str, Path], small: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(type(recipe)(model=recipe.model, training={**recipe.training, "max_steps": 2}).to_yaml())
    options: list[Any] = ["--train", f"en={files['train']}", "--train", f"de={small['train']}"]
    options += ["--dev", f"en={files['dev']}", "--dev", f"de={small['dev']}", "--streaming"]
    outcome = tagsmith("train", path, *options, "--output-dir", tmp_path / "out")
    assert outcome.code == 0, outcome
    assert "a stream of" in outcome.err and "en" in outcome.out and "de" in outcome.out


@pytest.mark.parametrize("recipe", [PLAIN, HEADS, BYTES], ids=["one", "heads", "bytes"])
def test_bad_rows_are_an_error_before_the_first_step(recipe: Any, files: dict[str, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.conll"
    bad.write_text(files["train"].read_text() + "\nAda I-PER extra\n", encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    options: list[Any] = ["--train", f"en={files['train']}", "--train", f"de={bad}", "--streaming"]
    outcome = tagsmith("train", path, *options, "--output-dir", tmp_path / "out")
    assert_last_line(outcome, f"{bad}:", "extra")
    assert not list((tmp_path / "out").glob("*")) or not (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": WORD_TRAINING}, "a stream has no epochs to count"),
        ({"labelling_rate": 0.5}, "labelling_rate draws sentences"),
        ({"mention_replacement": 0.5}, "mention_replacement draws from all training data"),
        ({"lowercase_share": 0.5}, "lowercase_share draws from all training data"),
        ({"epoch_decay": 0.05}, "epoch_decay counts epochs"),
        ({"halving_from": 1.0}, "halving_from counts epochs"),
        ({"model": HEADS.model, "epoch_head": "a"}, "epoch_head counts epochs"),
        ({"training": {**TRAINING, "dataloader_num_workers": 2}}, "a stream is read by one process"),
        ({"training": {**TRAINING, "train_sampling_strategy": "group_by_length"}}, "comes in its own order"),
    ],
)
def test_what_a_stream_cannot_do(change: dict[str, Any], message: str, files: dict[str, Path], tmp_path: Path) -> None:
    recipe = Recipe(**{"model": WORD_MODEL, "training": TRAINING, **change})
    corpora = {"a": load_corpus(files, streaming=True)}
    with pytest.raises(InputError, match=message):
        train_tagger(recipe, corpora, tmp_path / "out", console=quiet())


def test_no_words_and_no_text(tmp_path: Path, files: dict[str, Path]) -> None:
    blank = tmp_path / "blank.jsonl"
    blank.write_text('{"text": " ", "spans": []}\n', encoding="utf-8")
    corpora = {"a": load_corpus(files, streaming=True), "b": load_corpus({"train": blank}, streaming=True)}
    with pytest.raises(InputError, match="b: the train data has no words"):
        train_tagger(PLAIN, corpora, tmp_path / "out", console=quiet())

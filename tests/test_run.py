from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict
from rich.console import Console
from toys import WORD_MODEL, WORD_TRAINING, people_and_places, quiet, weights_in
from transformers import TrainerCallback

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import GazetteerOptions, Recipe, TokenizerOptions, VectorOptions, read_recipe
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer

SMALL = {**WORD_MODEL, "hidden_dropout": 0.1, "rare_word_dropout": 0.3}
SPANS = Recipe(model=SMALL, training=WORD_TRAINING, average_decay=0.5)


MakeCorpus = Callable[..., DatasetDict]


@pytest.fixture(scope="module")
def make_corpus(tmp_path_factory: pytest.TempPathFactory) -> MakeCorpus:
    folder = tmp_path_factory.mktemp("corpora")

    def make(plain: bool = False, dev: bool = True, dev_plain: bool | None = None, dev_label: str = "LOC") -> Any:
        kinds = f"{plain}-{dev}-{dev_plain}-{dev_label}"
        files = {"train": people_and_places(folder / f"{kinds}-train.conll", 40, 1, plain)}
        if dev:
            dev_plain = plain if dev_plain is None else dev_plain
            files["dev"] = people_and_places(folder / f"{kinds}-dev.conll", 15, 2, dev_plain, dev_label)
        return load_corpus(files, cache_dir=folder / "cache")

    return make


@pytest.fixture(scope="module")
def trained(make_corpus: MakeCorpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("trained")
    said = io.StringIO()
    results = train_tagger(SPANS, make_corpus(), folder, console=Console(file=said, width=200))
    return folder, results, said.getvalue()


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def same_weights(left: Path, right: Path) -> bool:
    one, other = weights_in(left), weights_in(right)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["columns", "json"])
def test_long_words_in_the_data(kind: str, tmp_path: Path) -> None:
    long, files = "0b9e1f" * 30_000, {}
    for split in ("train", "dev"):
        files[split] = tmp_path / f"{split}.{'conll' if kind == 'columns' else 'jsonl'}"
        if kind == "columns":
            people_and_places(files[split], 20, 1)
            with files[split].open("a", encoding="utf-8") as file:
                file.write(f"\nsee O\n{long} B-LOC\n\n{long}x O\n\n")
        else:
            span = {"start": 4, "end": 4 + len(long), "label": "LOC"}
            lines = [{"text": f"see {long} {long}x", "spans": [span]}, {"text": "see", "spans": []}]
            files[split].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    said = io.StringIO()
    recipe = Recipe(model=SMALL, training={**WORD_TRAINING, "num_train_epochs": 1})
    train_tagger(
        recipe,
        load_corpus(files, cache_dir=tmp_path / "cache"),
        tmp_path / "out",
        console=Console(file=said, width=200),
    )
    for split in files:
        line = f"{split}: words of more than 128 characters: 2; of each, the first 64 and the last 64"
        assert said.getvalue().count(line) == 1
    assert max(map(len, json.loads((tmp_path / "out" / "vocab.json").read_text(encoding="utf-8"))["words"])) == 128


def test_what_the_folder_holds(trained: tuple[Path, dict[str, Any], str]) -> None:
    folder, results, _ = trained
    assert {name for name in files_of(folder) if not name.endswith(".py")} == {
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.json",
        "recipe.yaml",
        "results.json",
        "README.md",
        "checkpoints",
    }
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == results
    facts = {"minutes", "seed", "parameters", "train_sentences", "best_epoch", "dev"}
    facts |= {"data", "versions", "machine", "course", "intervals", "evaluation_minutes"}
    assert facts == results.keys() - {"version", "words_per_second"}, "a speed only where there was much to tag"
    assert {"precision", "recall", "f1", "accuracy", "labels"} == results["dev"].keys()
    assert results["train_sentences"] == 40
    assert results["best_epoch"] in range(1, 7)


def test_the_tagger_has_learnt_and_loads(trained: tuple[Path, dict[str, Any], str]) -> None:
    folder, results, _ = trained
    assert results["dev"]["f1"] > 0.9
    tagger = tagsmith.pipeline(folder)
    found = tagger("ab  cbville mr ca ca")
    assert [(entity["word"], entity["entity_group"]) for entity in found] == [("cbville", "LOC"), ("ca ca", "PER")]


def test_what_is_said(trained: tuple[Path, dict[str, Any], str]) -> None:
    _, results, said = trained
    lines = said.splitlines()
    assert lines[0].startswith("40 training sentences, ")
    assert f"{results['parameters']:,} parameters" in lines[0]
    assert len(lines) == 7, "and a line an epoch"
    assert all("dev f1" in line and "loss" in line for line in lines[1:])


def test_the_written_recipe_repeats_the_run(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    folder, results, _ = trained
    recipe = read_recipe(folder / "recipe.yaml")
    assert recipe.tokenizer.splitter == "words", "what was left open has been decided"
    wanted = {**SPANS.model, "ngram_rows": recipe.model["ngram_rows"]}  # as many as there are
    assert 0 < recipe.model["ngram_rows"] <= SPANS.model["ngram_rows"]
    assert recipe.model.items() >= wanted.items() and recipe.training.items() >= WORD_TRAINING.items()
    assert recipe.model["recurrent_initializer"] == "uniform", "defaults are spelled out"
    assert recipe.training["save_strategy"] == "epoch"
    again = train_tagger(recipe, make_corpus(), tmp_path, console=quiet())
    assert same_weights(folder, tmp_path)
    assert again["dev"] == results["dev"]


def test_another_seed_is_another_tagger(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(SPANS, training={**WORD_TRAINING, "seed": 6, "num_train_epochs": 1})
    results = train_tagger(recipe, make_corpus(), tmp_path, console=quiet())
    assert results["seed"] == 6
    assert not same_weights(trained[0], tmp_path)


def test_plain_tags(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    results = train_tagger(SPANS, make_corpus(plain=True), tmp_path, console=quiet())
    assert results["dev"]["accuracy"] == pytest.approx(results["dev"]["f1"])
    assert results["dev"]["accuracy"] > 0.8
    assert read_recipe(tmp_path / "recipe.yaml").tag_scheme == "plain"
    found = tagsmith.pipeline(tmp_path)("mr ca")
    assert [(entity["word"], entity["start"]) for entity in found] == [("mr", 0), ("ca", 3)]
    assert found[0]["entity_group"] == "TITLE"


def test_several_corpora_for_one_tagger(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpora = {"one": make_corpus(), "two": make_corpus(dev_label="PER"), "three": make_corpus(dev=False)}
    recipe = dataclasses.replace(SPANS, labelling_rate={"three": 0.25})
    results = train_tagger(recipe, corpora, tmp_path, console=quiet())
    assert results["train_sentences"] == 40 + 40 + 10 and results["data"]["three"]["train"]["sentences"] == 10
    dev = results["dev"]
    assert list(dev) == ["one", "two", "all"]
    assert dev["all"]["f1"] == pytest.approx(max(entry["f1"] for entry in results["course"]), abs=1e-5)
    support = [sum(label["support"] for label in scores["labels"].values()) for scores in dev.values()]
    assert support[0] + support[1] == support[2]
    pipeline = tagsmith.pipeline(str(tmp_path))
    assert isinstance(pipeline("aaville"), list)  # one head, and no need to say a language
    for name, corpus in corpora.items():
        if "dev" in corpus:
            assert score_tagger(pipeline, corpus["dev"]) == dev[name]


def test_weights_in_sixteen_bits(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(SPANS, stored_as="float16")
    results = train_tagger(recipe, make_corpus(), tmp_path, console=quiet())
    stored, whole = weights_in(tmp_path), weights_in(trained[0])
    whole_numbers = {"encoder.ngrams.hashes", "encoder.ngrams.points"}
    for name, weight in whole.items():
        assert stored[name].dtype == (torch.int32 if name in whole_numbers else torch.float16)
        assert torch.equal(stored[name], weight.to(stored[name].dtype))
    pipeline = tagsmith.pipeline(str(tmp_path))
    assert {weight.dtype for weight in pipeline.model.parameters()} == {torch.float32}
    assert score_tagger(pipeline, make_corpus()["dev"]) == results["dev"]
    with pytest.raises(InputError, match="stored_as is 'float8'"):
        train_tagger(dataclasses.replace(SPANS, stored_as="float8"), make_corpus(), tmp_path / "x", console=quiet())


def test_patience_is_not_below_none(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    recipe = dataclasses.replace(SPANS, early_stopping_patience=-1)
    with pytest.raises(InputError, match=r"early_stopping_patience is -1.*Use 0"):
        train_tagger(recipe, make_corpus(), tmp_path / "x", console=quiet())


def test_corpora_that_do_not_go_together(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give each a head"):
        train_tagger(SPANS, {"one": make_corpus(), "two": make_corpus(plain=True)}, tmp_path, console=quiet())
    with pytest.raises(InputError, match="'all' is what the scores of all data are called"):
        train_tagger(SPANS, {"one": make_corpus(), "all": make_corpus()}, tmp_path, console=quiet())


def test_no_dev_data(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    said = io.StringIO()
    console = Console(file=said, width=200)
    recipe = dataclasses.replace(SPANS, early_stopping_patience=2)
    results = train_tagger(recipe, make_corpus(dev=False), tmp_path, console=console)
    assert "dev" not in results
    assert "best_epoch" not in results
    assert [line.split()[:2] for line in said.getvalue().splitlines()[1:]] == [
        ["epoch", f"{n}.0"] for n in range(1, 7)
    ]
    assert tagsmith.pipeline(tmp_path)("ab cbville")


def with_epochs(epochs: int, **changes: Any) -> Recipe:
    return dataclasses.replace(SPANS, training={**WORD_TRAINING, "num_train_epochs": epochs}, **changes)


def test_resume_goes_on(trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus, tmp_path: Path) -> None:
    train_tagger(with_epochs(1), make_corpus(), tmp_path, resume=True, console=quiet())  # nothing there yet
    results = train_tagger(with_epochs(6), make_corpus(), tmp_path, resume=True, console=quiet())
    assert same_weights(trained[0], tmp_path)
    assert results["best_epoch"] == trained[1]["best_epoch"]
    finished = train_tagger(with_epochs(6), make_corpus(), tmp_path, resume=True, console=quiet())
    assert same_weights(trained[0], tmp_path), "a finished run has nothing left to do"
    assert finished["dev"] == results["dev"]


def test_resume_passes_over_a_checkpoint_that_was_cut_short(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    train_tagger(with_epochs(2), make_corpus(), tmp_path, console=quiet())
    (tmp_path / "checkpoints" / "checkpoint-20" / "trainer_state.json").unlink()
    said = io.StringIO()
    train_tagger(with_epochs(6), make_corpus(), tmp_path, resume=True, console=Console(file=said, width=200))
    lines = said.getvalue().splitlines()
    assert "checkpoint-20 cannot be read (trainer_state.json is missing)" in lines[0]
    assert lines[1].startswith("continues from checkpoint-10, written ")
    assert [line.split()[1] for line in lines[3:]] == ["2.0", "3.0", "4.0", "5.0", "6.0"]
    assert same_weights(trained[0], tmp_path)


def test_a_new_run_does_not_mix_with_an_earlier_one(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus
) -> None:
    with pytest.raises(InputError, match=r"earlier run.*--resume") as caught:
        train_tagger(SPANS, make_corpus(), trained[0], console=quiet())
    assert caught.value.path == trained[0] / "checkpoints"


def test_resuming_another_model_is_an_error(
    trained: tuple[Path, dict[str, Any], str], make_corpus: MakeCorpus
) -> None:
    other = dataclasses.replace(SPANS, model={**SMALL, "hidden_size": 9})
    with pytest.raises(InputError, match="hidden_size 12, and this run has 9"):
        train_tagger(other, make_corpus(), trained[0], resume=True, console=quiet())
    with pytest.raises(InputError, match="other labels"):
        train_tagger(SPANS, make_corpus(dev_label="ORG"), trained[0], resume=True, console=quiet())


def test_gazetteer(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    names = tmp_path / "persons.txt"
    names.write_text("CA ca\nbb\n", encoding="utf-8")
    recipe = with_epochs(1, gazetteers=GazetteerOptions(files={"PER": str(names)}))
    train_tagger(recipe, make_corpus(), tmp_path / "out", console=quiet())
    assert "gazetteer.json" in files_of(tmp_path / "out")
    tagger = tagsmith.pipeline(tmp_path / "out")
    assert tagger.model.config.gazetteer_size == 5
    assert not tagger.tokenizer.gazetteer.case_sensitive, "as where the class is used by itself"
    assert tagger.tokenizer.gazetteer.match(["Ca", "cA"])[:, 0].tolist() == [0, 0]
    assert isinstance(tagger("mr ca ca"), list)


def test_a_label_that_only_dev_has_counts_as_missed(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    results = train_tagger(with_epochs(1), make_corpus(dev_label="ORG"), tmp_path, console=quiet())
    assert results["dev"]["labels"]["ORG"]["recall"] == 0
    assert results["dev"]["labels"]["ORG"]["support"] > 0
    assert "B-ORG" in tagsmith.pipeline(tmp_path).model.config.label2id


def test_text_and_spans_without_tokens(tmp_path: Path) -> None:
    rows = [
        {"text": "mr ab, of caville", "spans": [{"start": 3, "end": 5, "label": "PER"}]},
        {"text": "cville-based ab", "spans": [{"start": 0, "end": 6, "label": "LOC"}]},
        {"text": "  ", "spans": []},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows * 4), encoding="utf-8")
    said = io.StringIO()
    recipe = with_epochs(1, tokenizer=TokenizerOptions(splitter="words"))
    corpus = load_corpus({"train": path}, cache_dir=tmp_path / "cache")
    train_tagger(recipe, corpus, tmp_path / "out", console=Console(file=said, width=200))
    assert "train: 4 spans do not begin and end where words do" in said.getvalue()
    assert "train: 4 sentences without words were left out" in said.getvalue()


def bad_recipes() -> Iterator[Any]:
    for training, words in [
        ({"per_device_train_batch_size": "many"}, "whole number"),
        ({"per_device_train_batch_size": 0}, "at least 1"),
        ({"gradient_accumulation_steps": 0}, "at least 1"),
        ({"seed": "x"}, "whole number"),
        ({"optim": "none-such"}, "training arguments do not fit"),
        ({"optim_args": "momentum"}, "training arguments do not fit"),
        ({"optim": "sgd", "learning_rate": -1.0}, "training arguments do not fit"),
        ({"save_strategy": "no"}, "training arguments do not fit"),
    ]:
        yield pytest.param({"training": {**WORD_TRAINING, **training}}, words, id=str(training))
    yield pytest.param({"model": {**SMALL, "hidden_size": 0}}, "model does not fit.*hidden_size", id="hidden_size")
    yield pytest.param({"model": {**SMALL, "output": "tree"}}, "model does not fit", id="output")
    yield pytest.param({"tokenizer": TokenizerOptions(splitter="letters")}, "no splitter 'letters'", id="splitter")
    yield pytest.param({"tag_scheme": "BIEST"}, "BIEST", id="tag_scheme")
    yield pytest.param({"tag_scheme": "plain"}, "tag_scheme is plain", id="plain")
    yield pytest.param({"average_decay": 1.0}, "average_decay", id="average_decay")
    yield pytest.param({"epoch_decay": -1.0}, "epoch_decay", id="epoch_decay")
    yield pytest.param({"gazetteers": GazetteerOptions(files={"PER": "none.txt"})}, "none.txt", id="gazetteer")
    yield pytest.param({"vectors": VectorOptions(path="none.txt")}, "none.txt", id="vectors")


@pytest.mark.parametrize("changes, words", list(bad_recipes()))
def test_a_recipe_that_does_not_fit(
    changes: dict[str, Any], words: str, make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        train_tagger(dataclasses.replace(SPANS, **changes), make_corpus(), tmp_path, console=quiet())


def test_vectors_of_another_width(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("aa 1 2 3\nbb 4 5 6\n", encoding="utf-8")
    recipe = dataclasses.replace(SPANS, vectors=VectorOptions(path=str(vectors)))
    with pytest.raises(InputError, match=r"vectors\.txt: .* 3 numbers.*word_embedding_size=3"):
        train_tagger(recipe, make_corpus(), tmp_path / "out", console=quiet())


def test_no_sentences(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus()
    with pytest.raises(InputError, match="no sentences"):
        train_tagger(SPANS, DatasetDict({"train": corpus["train"].select([])}), tmp_path, console=quiet())


def test_nothing_to_learn(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("a O\nb O\n\nc O\n", encoding="utf-8")
    corpus = load_corpus({"train": path}, cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match="nothing to learn"):
        train_tagger(SPANS, corpus, tmp_path / "out", console=quiet())


def test_train_and_dev_of_different_kinds(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"same kind of tags.*--tag-column"):
        train_tagger(SPANS, make_corpus(dev_plain=True), tmp_path, console=quiet())


def test_a_folder_that_cannot_be_written(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="this is a file"):
        train_tagger(SPANS, make_corpus(), tmp_path / "file", console=quiet())


def test_an_interrupt_gives_the_cursor_back(
    make_corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TaggerTrainer, "evaluate", interrupt)
    monkeypatch.setenv("TERM", "xterm")
    said = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        train_tagger(SPANS, make_corpus(), tmp_path, console=Console(file=said, force_terminal=True))
    assert said.getvalue().rindex("\x1b[?25h") > said.getvalue().rindex("\x1b[?25l")


def test_texts_of_several_lines_score_after_training_as_in_training(tmp_path: Path) -> None:
    rows = []
    for name in ("Tessa", "Milo", "Ruiz", "Vantor") * 8:
        text = f"Yesterday {name}\nleft.\r\nThen {name} came\rback."
        start = text.rindex(name)
        spans = [{"start": 10, "end": 10 + len(name) + 5, "label": "PER"}]  # across the line's end
        spans.append({"start": start, "end": start + len(name), "label": "PER"})
        rows.append(json.dumps({"text": text, "spans": spans}))
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    corpus = load_corpus({"train": path, "dev": path}, cache_dir=tmp_path / "cache")
    results = train_tagger(SPANS, corpus, tmp_path / "tagger", console=quiet())
    assert results["train_sentences"] == 4 * len(rows)
    pipeline = tagsmith.pipeline(str(tmp_path / "tagger"))
    scores = score_tagger(pipeline, corpus["dev"])
    assert scores["f1"] == pytest.approx(results["dev"]["f1"], abs=1e-4)
    assert scores["labels"]["PER"]["support"] == 2 * len(rows)
    assert 0 < scores["recall"] <= 0.5  # what crosses a line's end is missed


def test_an_earlier_tagger_is_replaced_whole(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    train_tagger(SPANS, make_corpus(), folder, console=quiet())
    (folder / "gazetteer.json").write_text("{}", encoding="utf-8")  # would be loaded as the new tagger's
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    card = folder / "README.md"
    card.write_text(card.read_text(encoding="utf-8") + "\nMy own words.\n", encoding="utf-8")
    with pytest.raises(InputError, match="--overwrite-output-dir"):
        train_tagger(SPANS, make_corpus(), folder, console=quiet())
    kept = {path: path.read_bytes() for path in (folder / "checkpoints").glob("*/model.safetensors")}
    with pytest.raises(InputError):  # data that do not fit: the earlier run stays as it was
        train_tagger(SPANS, make_corpus().filter(lambda _: False), folder, overwrite_output_dir=True, console=quiet())
    assert kept and {path: path.read_bytes() for path in kept} == kept
    train_tagger(SPANS, make_corpus(), folder, overwrite_output_dir=True, console=quiet())
    assert not (folder / "gazetteer.json").exists()
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert "My own words." in card.read_text(encoding="utf-8")


def test_a_token_is_written_nowhere(make_corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["tagsmith", "train", "ner", "--set", "training.hub_token=hf_ada1234567"]
    monkeypatch.setattr("sys.argv", arguments)
    training = {**WORD_TRAINING, "num_train_epochs": 1, "hub_token": "hf_ada1234567"}
    train_tagger(dataclasses.replace(SPANS, training=training), make_corpus(), tmp_path / "out", console=quiet())
    assert "command" in json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"hf_ada" not in path.read_bytes(), path
    assert "hub_token" not in read_recipe(tmp_path / "out" / "recipe.yaml").training


def test_callbacks_and_the_parts_of_a_finished_run(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    class OneEpoch(TrainerCallback):
        ended = 0

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.ended += 1
            control.should_training_stop = True

    callback = OneEpoch()
    run = train_tagger(SPANS, make_corpus(), tmp_path, console=quiet(), callbacks=[callback])
    assert callback.ended == 1 and run.trainer.state.epoch == 1.0
    assert run == json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert run.recipe == read_recipe(tmp_path / "recipe.yaml")
    assert run.trainer.model.num_parameters() == run["parameters"]

"""Word vectors in a training run: which words get which row, what is trained of them, and what is said."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict
from rich.console import Console
from toys import WORD_MODEL, WORD_TRAINING, assert_last_line, assert_same, quiet, weights_in, weights_of
from toys import tagsmith as command

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs import training_run
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import Recipe, TokenizerOptions, VectorOptions, read_recipe

TRAIN = "Ada B-PER\nmet O\nBo B-PER\n\nBo B-PER\nsaw O\nRome B-LOC\n\n1984 O\nmet O\nAda B-PER\n" * 4
DEV = "Eve B-PER\nsaw O\nOslo B-LOC\n2020 O\nunheard O\n"
TABLE = "encoder.readers.shared.frozen_vectors"
# In the order of the file; of the training data are "met", "bo" and 1984.
NUMBERS = {"oslo": 1.0, "met": 2.0, "eve": 3.0, "1999": 4.0, "zed": 5.0, "bo": 6.0, "yes": 7.0}
RECIPE = Recipe(model={**WORD_MODEL, "hidden_dropout": 0.1}, training=WORD_TRAINING, average_decay=0.5)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    return write_vectors(tmp_path / "vectors.txt", NUMBERS)


def write_vectors(path: Path, numbers: dict[str, float], width: int = 8) -> Path:
    lines = [" ".join([word, *[str(value)] * width]) for word, value in numbers.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DatasetDict:
    folder = tmp_path_factory.mktemp("corpus")
    for name, text in (("train", TRAIN), ("dev", DEV)):
        (folder / f"{name}.conll").write_text(text, encoding="utf-8")
    return load_corpus({name: folder / f"{name}.conll" for name in ("train", "dev")}, cache_dir=folder / "cache")


def recipe_with(path: Path, epochs: int = 2, **changes: Any) -> Recipe:
    options = {name: changes.pop(name) for name in ("extend",) if name in changes}
    training = {**WORD_TRAINING, "num_train_epochs": epochs}
    return dataclasses.replace(RECIPE, training=training, vectors=VectorOptions(path=str(path), **options), **changes)


def train(corpus: Any, recipe: Recipe, folder: Path, **options: Any) -> str:
    """Train, and give what was said, in one line."""
    said = io.StringIO()
    train_tagger(recipe, corpus, folder, console=Console(file=said, width=300), **options)
    return said.getvalue()


def vector_of(tagger: Any, word: str, language: str | None = None) -> list[float]:
    ids = torch.tensor(tagger.tokenizer.encode([word], language))
    return list(tagger.model.encoder.reader(language).look_up(ids)[0].tolist())


class TestWhichWords:
    def test_words_that_keep_their_case(self, tmp_path: Path, corpus: DatasetDict, vectors: Path) -> None:
        """As Ma and Hovy (2016) look words up: as they stand, and else in lower case."""
        exact = TokenizerOptions(lowercase=False)
        for options, known in ((exact, False), (dataclasses.replace(exact, case_fallback=True), True)):
            folder = tmp_path / str(known)
            train(corpus, recipe_with(vectors, tokenizer=options), folder)
            tagger = tagsmith.pipeline(folder)
            assert (vector_of(tagger, "Eve") == [3.0] * 8) == (vector_of(tagger, "Oslo") == [1.0] * 8) == known

    @pytest.mark.parametrize(
        "extend, frozen",
        [
            (None, ["oslo", "eve", "zed", "yes"]),
            (0, []),
            (1, ["oslo"]),
            (2, ["oslo"]),
            (5, ["oslo", "eve", "zed"]),
            (99, ["oslo", "eve", "zed", "yes"]),
        ],
    )
    def test_first_words_of_the_file(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path, extend: int | None, frozen: list[str]
    ) -> None:
        recipe = recipe_with(vectors, 1, **({} if extend is None else {"extend": extend}))
        assert recipe.vectors.extend == (100_000 if extend is None else extend)
        train(corpus, recipe, tmp_path / "out")
        tagger = tagsmith.pipeline(tmp_path / "out")
        *_, extra = tagger.tokenizer.split_vocabulary(None)
        assert extra == frozen
        for word in frozen:
            assert vector_of(tagger, word) == [NUMBERS[word]] * 8
        weights = weights_in(tmp_path / "out")
        assert (TABLE in weights) == bool(frozen)
        if frozen:
            assert weights[TABLE].dtype == torch.float16 and weights[TABLE][:, 0].tolist() == [
                NUMBERS[word] for word in frozen
            ]

    def test_training_words_start_from_theirs_wherever_in_the_file(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path
    ) -> None:
        still = recipe_with(vectors, 1, extend=1, average_decay=0.0)
        still.training["learning_rate"] = 0.0
        train(corpus, still, tmp_path / "out")
        tagger = tagsmith.pipeline(tmp_path / "out")
        for word, value in (("Met", 2.0), ("BO", 6.0), ("1984", 4.0), ("2020", 4.0), ("Oslo", 1.0)):
            assert vector_of(tagger, word) == [value] * 8, word
        assert vector_of(tagger, "eve") == vector_of(tagger, "unheard"), "unknown"

    def test_an_unseen_dev_word_is_read_by_its_vector(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path
    ) -> None:
        for extend in (0, 9):
            train(corpus, recipe_with(vectors, extend=extend), tmp_path / str(extend))
        few, all_words = (tagsmith.pipeline(tmp_path / str(extend)) for extend in (0, 9))
        assert vector_of(few, "Oslo") == vector_of(few, "unheard")
        assert vector_of(all_words, "Oslo") == [1.0] * 8
        trained = weights_in(tmp_path / "9")
        assert trained.pop(TABLE).shape == (4, 8)
        assert_same(weights_in(tmp_path / "0"), trained)

    def test_rare_words_of_the_training_data_without_a_row_of_their_own(
        self, corpus: DatasetDict, tmp_path: Path
    ) -> None:
        path = write_vectors(tmp_path / "vectors.txt", {"rome": 1.0, "met": 2.0})
        recipe = recipe_with(path)
        recipe = dataclasses.replace(recipe, tokenizer=dataclasses.replace(recipe.tokenizer, min_count=5))
        train(corpus, recipe, tmp_path / "out")
        tagger = tagsmith.pipeline(tmp_path / "out")
        assert tagger.tokenizer.split_vocabulary(None)[2] == ["rome"] and vector_of(tagger, "Rome") == [1.0] * 8


class TestTraining:
    def test_frozen_rows_are_in_no_optimizer_average_or_gradient(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: dict[str, Any] = {}
        made = training_run._make_trainer

        def make(*args: Any, **kwargs: Any) -> Any:
            trainer = seen["trainer"] = made(*args, **kwargs)
            seen["before"] = weights_of(trainer.model)
            start = trainer.start_average
            monkeypatch.setattr(trainer, "start_average", lambda: (start(), seen.update(average=trainer.average))[0])
            return trainer

        monkeypatch.setattr(training_run, "_make_trainer", make)
        recipe = recipe_with(vectors)
        recipe.training.update(weight_decay=0.5, learning_rate=0.1, max_grad_norm=0.1)
        train(corpus, recipe, tmp_path / "out")
        model, before = seen["trainer"].model, seen["before"]
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert TABLE not in moved and "encoder.readers.shared.words.weight" in moved
        groups = seen["trainer"].optimizer.optimizer.param_groups
        trained = {id(weight) for group in groups for weight in group["params"]}
        assert trained == {id(parameter) for parameter in model.parameters()}
        table = model.get_buffer(TABLE)
        assert id(table) not in trained and not table.requires_grad
        assert all(weight.shape != table.shape for weight in [*seen["average"].weights, *seen["average"].average])

    def test_a_step_has_as_many_parameters_however_many_rows(
        self, corpus: DatasetDict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = []

        def count(self: Any, trainer: Any, recipe: Any, model: Any, **parts: Any) -> None:
            counts.append([(name, weight.shape) for name, weight in model.named_parameters()])
            raise InputError("built")

        monkeypatch.setattr(training_run.TrainingRun, "train", count)
        path = write_vectors(tmp_path / "vectors.txt", {f"word{'x' * number}": 1.0 for number in range(300)})
        for extend in (0, 10, 300):
            with pytest.raises(InputError, match="built"):
                train(corpus, recipe_with(path, extend=extend), tmp_path / str(extend))
        assert counts[0] == counts[1] == counts[2]

    def test_resume(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, 3), tmp_path / "whole")
        train(corpus, recipe_with(vectors, 1), tmp_path / "cut")
        train(corpus, recipe_with(vectors, 3), tmp_path / "cut", resume=True)
        assert_same(weights_in(tmp_path / "whole"), weights_in(tmp_path / "cut"))
        with pytest.raises(InputError, match="vocab_size"):
            train(corpus, recipe_with(vectors, 3, extend=1), tmp_path / "cut", resume=True)

    def test_stored_as_float16(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, stored_as="float16"), tmp_path / "out")
        assert {weight.dtype for weight in weights_in(tmp_path / "out").values()} == {
            torch.float16,
            torch.int32,
        }  # hashes of n-grams stay whole
        tagger = tagsmith.pipeline(tmp_path / "out")
        assert tagger.model.dtype == torch.float32 and vector_of(tagger, "oslo") == [1.0] * 8

    def test_frozen_words_of_all(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, freeze=["words"]), tmp_path / "out")
        tagger = tagsmith.pipeline(tmp_path / "out")
        assert vector_of(tagger, "bo") == [6.0] * 8 and vector_of(tagger, "oslo") == [1.0] * 8


class TestSaved:
    def test_every_way_of_loading_tags_alike(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, 6), tmp_path / "out")
        text = "Eve met Bo in Oslo"
        tagger = tagsmith.pipeline(tmp_path / "out")
        expected = tagger(text)
        tagger.save_pretrained(tmp_path / "again")
        assert_same(weights_in(tmp_path / "out"), weights_in(tmp_path / "again"))
        for place in ("out", "again"):
            assert tagsmith.pipeline(tmp_path / place)(text) == expected
        for options in ({"int8": True}, {"dtype": torch.bfloat16}):
            other = tagsmith.pipeline(tmp_path / "out", **options)
            assert other.model.get_buffer(TABLE).dtype == torch.float16
            assert [entity["word"] for entity in other(text)] == [entity["word"] for entity in expected]

    @pytest.mark.slow
    def test_by_its_own_code(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, 6), tmp_path / "out")
        text = "Eve met Bo in Oslo"
        code = (
            "import json, sys\nfrom transformers import pipeline\n"
            f"tagger = pipeline('span-tagging', {str(tmp_path / 'out')!r}, trust_remote_code=True)\n"
            "assert 'tagsmith' not in sys.modules\n"
            f"print(json.dumps([entity['word'] for entity in tagger({text!r})]))\n"
        )
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found = tagsmith.pipeline(tmp_path / "out")(text)
        assert json.loads(ran.stdout.splitlines()[-1]) == [entity["word"] for entity in found]

    def test_a_damaged_table_is_refused(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors, 1), tmp_path / "out")
        config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
        config["frozen_word_id"] -= 1
        (tmp_path / "out" / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(InputError, match="the weights do not fit config"):
            tagsmith.pipeline(tmp_path / "out")

    def test_an_old_recipe_has_what_it_says(self, tmp_path: Path) -> None:
        path = tmp_path / "recipe.yaml"
        for written, extend in (("extend: 0", 0), ("extend: 50000", 50_000), ("path: x", 100_000)):
            path.write_text(f"base: ner\nvectors: {{{written}}}\n", encoding="utf-8")
            recipe = read_recipe(path)
            assert isinstance(recipe, Recipe) and recipe.vectors.extend == extend
        path.write_text("base: ner\nvectors: {extend: true}\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"vectors\.extend is True"):
            read_recipe(path)


class TestGoingOn:
    def test_words_keep_what_they_have(self, corpus: DatasetDict, vectors: Path, tmp_path: Path) -> None:
        train(corpus, recipe_with(vectors), tmp_path / "one")
        (tmp_path / "more.conll").write_text("Eve B-PER\nwent O\n\nEve B-PER\nmet O\n", encoding="utf-8")
        more = load_corpus({"train": tmp_path / "more.conll"}, cache_dir=tmp_path / "cache")
        path = write_vectors(tmp_path / "other.txt", {"oslo": 50.0, "went": 51.0, "new": 52.0, "bo": 53.0})
        still = dataclasses.replace(recipe_with(path, 1, average_decay=0.0), start_from=str(tmp_path / "one"))
        still.training["learning_rate"] = 0.0
        said = train(more, still, tmp_path / "two")
        assert "no place here" not in said
        one, two = (tagsmith.pipeline(tmp_path / name) for name in ("one", "two"))
        assert two.tokenizer.split_vocabulary(None)[2] == ["oslo", "zed", "yes", "new"]
        for word in ("oslo", "zed", "yes", "eve", "bo", "met", "ada"):
            assert vector_of(two, word) == vector_of(one, word), word
        assert vector_of(two, "went") == [51.0] * 8 and vector_of(two, "new") == [52.0] * 8
        rows = two.tokenizer.frozen_word_id
        assert two.tokenizer.encode(["eve"])[0] < rows, "a word of the training data is trained"

    @pytest.mark.parametrize("earlier_extend, extend", [(9, 0), (0, 9), (0, 0)])
    def test_with_vectors_in_one_of_both(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path, earlier_extend: int, extend: int
    ) -> None:
        train(corpus, recipe_with(vectors, extend=earlier_extend), tmp_path / "one")
        still = dataclasses.replace(recipe_with(vectors, 1, extend=extend), start_from=str(tmp_path / "one"))
        still = dataclasses.replace(still, average_decay=0.0, training={**still.training, "learning_rate": 0.0})
        train(corpus, still, tmp_path / "two")
        one, two = (tagsmith.pipeline(tmp_path / name) for name in ("one", "two"))
        for word in ("ada", "met", "bo", "rome", "unheard"):
            assert vector_of(two, word) == vector_of(one, word), word
        assert (vector_of(two, "oslo") == [1.0] * 8) == bool(earlier_extend or extend)
        assert two("Ada met Bo") == one("Ada met Bo")


class TestLanguages:
    def test_each_has_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "en.conll").write_text(TRAIN, encoding="utf-8")
        (tmp_path / "da.conll").write_text(TRAIN.replace("met", "traf"), encoding="utf-8")
        corpora = {
            name: load_corpus({"train": tmp_path / f"{name}.conll"}, cache_dir=tmp_path / "cache")
            for name in ("en", "da")
        }
        paths = {
            "en": str(write_vectors(tmp_path / "en.txt", {"oslo": 1.0, "traf": 2.0, "met": 3.0})),
            "da": str(write_vectors(tmp_path / "da.txt", {"oslo": 4.0, "by": 5.0})),
        }
        for extend, frozen in (
            (1, {"en": ["oslo"], "da": ["oslo"]}),
            (9, {"en": ["oslo", "traf"], "da": ["oslo", "by"]}),
        ):
            recipe = dataclasses.replace(
                RECIPE,
                model={**WORD_MODEL, "sharing": "characters"},
                training={**WORD_TRAINING, "num_train_epochs": 1},
                vectors=VectorOptions(paths=paths, extend=extend),
            )
            folder = tmp_path / str(extend)
            train_tagger(recipe, corpora, folder, console=quiet())
            tagger = tagsmith.pipeline(folder)
            assert {name: tagger.tokenizer.split_vocabulary(name)[2] for name in frozen} == frozen
            assert vector_of(tagger, "Oslo", "en") == [1.0] * 8 and vector_of(tagger, "Oslo", "da") == [4.0] * 8
            assert isinstance(tagger("Ada saw Oslo", head="da"), list)

    def test_one_without_vectors(self, tmp_path: Path) -> None:
        (tmp_path / "train.conll").write_text(TRAIN, encoding="utf-8")
        corpus = load_corpus({"train": tmp_path / "train.conll"}, cache_dir=tmp_path / "cache")
        paths = {"en": str(write_vectors(tmp_path / "en.txt", {"oslo": 1.0}))}
        recipe = dataclasses.replace(
            RECIPE,
            model={**WORD_MODEL, "sharing": "characters"},
            training={**WORD_TRAINING, "num_train_epochs": 1},
            vectors=VectorOptions(paths=paths),
        )
        train_tagger(recipe, {"en": corpus, "da": corpus}, tmp_path / "out", console=quiet())
        config = tagsmith.pipeline(tmp_path / "out").model.config
        assert "frozen_word_id" in config.languages["en"] and "frozen_word_id" not in config.languages["da"]


class TestWhatIsSaid:
    def test_how_far_the_vectors_reach_and_how_large_the_tagger_is(
        self, corpus: DatasetDict, vectors: Path, tmp_path: Path
    ) -> None:
        said = train(corpus, recipe_with(vectors), tmp_path / "out")
        # Of five words of dev, 2020 has the vector of the training data's 1984, and Eve and Oslo their own.
        assert (
            "dev: 60.0% of 5 words have a pretrained vector; of words of the training data alone, 20.0% would" in said
        )
        assert "8 words and 4 with vectors that are not trained" in said
        said = train(corpus, recipe_with(vectors, extend=0), tmp_path / "few")
        assert "dev: 20.0% of 5 words have a pretrained vector\n" in said and "not trained" not in said

    @pytest.mark.parametrize("stored_as", ["float32", "float16"])
    def test_the_size_is_that_of_the_files(self, corpus: DatasetDict, tmp_path: Path, stored_as: str) -> None:
        numbers = {
            f"word{chr(97 + a)}{chr(97 + b)}{chr(97 + c)}": 1.0
            for a in range(26)
            for b in range(26)
            for c in range(26)
        }
        path = write_vectors(tmp_path / "vectors.txt", numbers)
        said = train(corpus, recipe_with(path, 1, stored_as=stored_as), tmp_path / "out")
        size = sum((tmp_path / "out" / name).stat().st_size for name in ("model.safetensors", "vocab.json"))
        assert f" {size / 1e6:.1f} MB" in said

    def test_without_vectors_nothing_is_said_of_them(self, corpus: DatasetDict, tmp_path: Path) -> None:
        assert "vector" not in train(
            corpus, dataclasses.replace(RECIPE, training={**WORD_TRAINING, "num_train_epochs": 1}), tmp_path
        )

    @pytest.mark.parametrize(
        "numbers, extend, message",
        [
            ({"oslo": 1e5}, 9, r"vectors\.txt: .*16 bits, up to 65,504.*vectors\.extend=0"),
            ({"oslo": 1.0}, -1, r"vectors\.extend is -1.*0 for"),
        ],
    )
    def test_what_does_not_fit(
        self, corpus: DatasetDict, tmp_path: Path, numbers: dict[str, float], extend: int, message: str
    ) -> None:
        path = write_vectors(tmp_path / "vectors.txt", numbers)
        with pytest.raises(InputError, match=message):
            train(corpus, recipe_with(path, extend=extend), tmp_path / "out")

    def test_on_the_command_line(self, vectors: Path, tmp_path: Path) -> None:
        (tmp_path / "train.conll").write_text(TRAIN, encoding="utf-8")
        run = ["train", "ner", "--train", tmp_path / "train.conll", "--output-dir", tmp_path / "out"]
        run += ["--set", f"vectors.path={vectors}", "--set", "model.word_embedding_size=8"]
        assert_last_line(command(*run, "--set", "vectors.extend=-5"), "vectors.extend is -5")
        assert_last_line(command(*run, "--set", "model.word_embedding_size=7"), "model.word_embedding_size=8")


def test_a_recipe_cannot_set_which_words_are_frozen() -> None:
    with pytest.raises(InputError, match=r"no model\.frozen_word_id"):
        read_recipe("ner", ["model.frozen_word_id=5"])

"""Several heads from the command line: files and a recipe in, a tagger out, scored, used and gone on from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from toys import Outcome, assert_last_line, assert_one_line, results_of, tagsmith, toy_file

import tagsmith as package
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs import hierarchical_run as training_run
from tagsmith.training.runs.recipe import read_recipe

SMALL = [
    "model.word_embedding_size=8",
    "model.character_embedding_size=6",
    "model.character_hidden_size=6",
    "model.hidden_size=10",
    "training.num_train_epochs=1",
    "training.per_device_train_batch_size=8",
    "training.learning_rate=0.03",
    "training.lr_scheduler_type=constant",
    "training.use_cpu=true",
    "average_decay=0.5",
]
TEXTS = ["abc ABC bca", "", "CAB unknown WORDS éß abc"]

pytestmark = pytest.mark.usefixtures("datasets_cache")


class Toys(NamedTuple):
    """Files and folders that the commands work on; not to be changed."""

    folder: Path
    tasks: Path
    languages: Path
    outcome: Outcome  # of training the tasks

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.conll"

    def data(self, *names: str, dev: bool = True) -> list[str]:
        """The options that name the data of heads."""
        options = [part for name in names for part in ("--train", f"{name}={self.file(f'{name}-train')}")]
        if dev:
            options += [part for name in names for part in ("--dev", f"{name}={self.file(f'{name}-dev')}")]
        return options


def settings(*choices: str) -> list[str]:
    return [part for choice in (*SMALL, *choices) for part in ("--set", choice)]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory, datasets_cache: None) -> Toys:
    folder = tmp_path_factory.mktemp("toys")
    kinds: dict[str, dict[str, Any]] = {
        "ner": {}, "pos": {"plain": True}, "en": {}, "es": {}, "web": {"label": "SITE"}, "fr": {"label": "LIEU"},
    }  # fmt: skip
    for seed, (name, options) in enumerate(kinds.items()):
        toy_file(folder / f"{name}-train.conll", 24 if name == "ner" else 16, seed, **options)
        toy_file(folder / f"{name}-dev.conll", 8, 10 + seed, **options)
    made = Toys(folder, folder / "tasks", folder / "languages", Outcome(0, "", ""))
    outcomes = [
        tagsmith("train", "joint-tasks", *made.data("ner", "pos"), "--output-dir", made.tasks,
                 *settings("training.num_train_epochs=3")),
        tagsmith("train", "joint-languages", *made.data("en", "es", "web"), "--output-dir", made.languages,
                 *settings("languages.web=en")),
    ]  # fmt: skip
    for outcome in outcomes:
        assert outcome.code == 0, outcome.err
    return made._replace(outcome=outcomes[0])


def config_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def only_build(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What training would be given, in place of the training."""
    seen: dict[str, Any] = {}

    def train(self: Any, trainer: Any, recipe: Any, model: Any, **parts: Any) -> None:
        seen.update(parts, trainer=trainer, recipe=recipe, model=model)
        raise InputError("built")

    monkeypatch.setattr(training_run.TrainingRun, "train", train)
    return seen


# What a run makes.


def test_scores_of_each_head(toys: Toys) -> None:
    results = results_of(toys.tasks)
    assert list(results["dev"]) == ["ner", "pos"]
    assert set(results["dev"]["ner"]["labels"]) == {"LOC"}
    assert set(results["dev"]["pos"]["labels"]) == {"NAME", "WORD"}
    assert results["train_sentences"] == 24 + 16
    assert results["best_epoch"] in (1.0, 2.0, 3.0)
    lines = toys.outcome.err.splitlines()
    assert sum("dev f1" in line for line in lines) == 3
    assert any(line.startswith("ner train: ") for line in lines) and any(
        line.startswith("pos dev: ") for line in lines
    )
    assert "ner: 24 training sentences, 5 tags" in lines and "pos: 16 training sentences, 2 tags" in lines
    for name in ("ner label", "pos label", "LOC", "WORD"):
        assert name in toys.outcome.out
    assert toys.outcome.out.count("token accuracy") == 2


def test_what_the_folder_holds(toys: Toys) -> None:
    config = config_of(toys.tasks)
    assert config["sharing"] == "encoder"
    assert {name: head["tag_scheme"] for name, head in config["heads"].items()} == {"ner": "BIOES", "pos": "plain"}
    recipe = read_recipe(toys.tasks / "recipe.yaml")
    assert (recipe.model["sharing"], recipe.model["hidden_size"]) == ("encoder", 10)
    assert not {"heads", "languages", "vocab_size"} & set(recipe.model)


def test_the_resolved_recipe_makes_the_same_tagger(toys: Toys, tmp_path: Path) -> None:
    outcome = tagsmith(
        "train", toys.languages / "recipe.yaml", *toys.data("en", "es", "web"), "--output-dir", tmp_path
    )
    assert outcome.code == 0, outcome.err
    one, other = (load_file(folder / "model.safetensors") for folder in (toys.languages, tmp_path))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_languages_and_heads_on_them(toys: Toys) -> None:
    config = config_of(toys.languages)
    assert {name: head["language"] for name, head in config["heads"].items()} == {"en": "en", "es": "es", "web": "en"}
    assert set(config["languages"]) == {"en", "es"}
    assert set(results_of(toys.languages)["dev"]) == {"en", "es", "web"}
    tagger = package.pipeline(str(toys.languages))
    for language, files in (("en", ["en", "web"]), ("es", ["es"])):
        lines = "\n".join(toys.file(f"{name}-train").read_text(encoding="utf-8") for name in files).splitlines()
        words = {line.split()[0].lower() for line in lines if line}
        assert set(tagger.tokenizer.vocabularies[language]) == words


def test_a_run_goes_on(toys: Toys, tmp_path: Path) -> None:
    command = ["train", "joint-tasks", *toys.data("ner", "pos"), "--output-dir", tmp_path, *settings()]
    assert tagsmith(*command).code == 0
    assert_last_line(tagsmith(*command), "checkpoints of an earlier run")
    outcome = tagsmith(*command, "--resume", "--set", "training.num_train_epochs=3")
    assert outcome.code == 0, outcome.err
    one, other = (load_file(folder / "model.safetensors") for folder in (toys.tasks, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert results_of(tmp_path)["dev"] == results_of(toys.tasks)["dev"]


def test_without_dev_data(toys: Toys, tmp_path: Path) -> None:
    data = toys.data("ner", "pos", dev=False)
    outcome = tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *settings())
    assert outcome.code == 0, outcome.err
    assert outcome.out == ""
    assert "dev" not in results_of(tmp_path)


def test_one_head_alone(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    data = [*toys.data("ner", dev=False), "--dev", toys.file("ner-dev")]  # dev of the one there is needs no name
    tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *settings())
    assert list(only_build["train_dataset"]) == list(only_build["eval_dataset"]) == ["ner"]
    assert list(only_build["model"].heads) == ["ner"]


def test_heads_that_share_all(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    choice = settings("model.sharing=all")
    tagsmith("train", "joint-tasks", *toys.data("ner", "web"), "--output-dir", tmp_path, *choice)
    shapes = [only_build["model"].config.head(name) for name in ("ner", "web")]
    assert shapes[0] == shapes[1]
    assert only_build["model"].head("ner") is only_build["model"].head("web")
    assert only_build["model"].head("ner").span_labels == ("LOC", "SITE")
    outcome = tagsmith("train", "joint-tasks", *toys.data("ner", "pos"), "--output-dir", tmp_path / "b", *choice)
    assert_last_line(outcome, "cannot share all", "model.sharing=encoder")


# Scoring and tagging.


@pytest.mark.parametrize("head", ["ner", "pos"])
def test_evaluate_by_a_head(toys: Toys, head: str) -> None:
    outcome = tagsmith("evaluate", toys.tasks, toys.file(f"{head}-dev"), "--head", head, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out) == results_of(toys.tasks)["dev"][head]


def test_evaluate_by_a_head_of_a_language(toys: Toys) -> None:
    outcome = tagsmith("evaluate", toys.languages, toys.file("es-dev"), "--head", "es", "--json")
    assert json.loads(outcome.out) == results_of(toys.languages)["dev"]["es"]


def test_evaluate_by_no_such_head(toys: Toys, tiny_folder: Path) -> None:
    file = toys.file("ner-dev")
    assert_last_line(tagsmith("evaluate", toys.tasks, file), toys.tasks, "Choose one of ner, pos")
    assert_last_line(tagsmith("evaluate", toys.tasks, file, "--head", "nerd"), "no head 'nerd'", "ner, pos")
    assert_last_line(tagsmith("evaluate", toys.tasks, file, "--head", "pos"), "a plain tag for each word", file)
    assert_last_line(tagsmith("evaluate", tiny_folder, file, "--head", "ner"), "one head, without a name")


def test_tag_by_a_head(toys: Toys) -> None:
    tagger = package.pipeline(str(toys.tasks))
    text = "\n".join(TEXTS).encode()
    outcome = tagsmith("tag", toys.tasks, "--head", "ner", "--format", "jsonl", stdin=text)
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    for row in rows:
        assert [entity["word"] for entity in row["entities"]] == [
            entity["word"] for entity in tagger(row["text"], head="ner")
        ]
    assert any(row["entities"] for row in rows)
    columns = tagsmith("tag", toys.tasks, "--head", "pos", "--format", "conll", stdin=b"abc ABC\n").out
    assert [line.split()[0] for line in columns.splitlines() if line] == ["abc", "ABC"]
    assert {line.split()[-1] for line in columns.splitlines() if line} <= {"NAME", "WORD"}
    for kind in ("text", "html"):
        assert "abc" in tagsmith("tag", toys.tasks, "--head", "pos", "--format", kind, stdin=b"abc ABC\n").out


@pytest.mark.parametrize("name", ["tasks", "languages"])
def test_tag_by_all_heads(toys: Toys, name: str) -> None:
    folder = getattr(toys, name)
    outcome = tagsmith("tag", folder, "--format", "jsonl", stdin="\n".join(TEXTS).encode())
    assert outcome.code == 0, outcome.err
    tagger = package.pipeline(str(folder))
    for line, text in zip(outcome.out.splitlines(), TEXTS, strict=True):
        row = json.loads(line)
        assert row["text"] == text
        assert list(row["entities"]) == sorted(config_of(folder)["heads"])
        for head, entities in row["entities"].items():
            found = tagger(text, head=head)
            assert [(entity["start"], entity["end"], entity["entity_group"]) for entity in entities] == [
                (entity["start"], entity["end"], entity["entity_group"]) for entity in found
            ]


def test_tag_by_no_such_head(toys: Toys, tiny_folder: Path) -> None:
    for kind in ("text", "conll", "html"):
        assert_one_line(tagsmith("tag", toys.tasks, "--format", kind, stdin=b"abc"), toys.tasks, "one of ner, pos")
    assert_one_line(tagsmith("tag", toys.tasks, "--head", "x", "--format", "jsonl", stdin=b"abc"), "no head 'x'")
    assert_one_line(tagsmith("tag", tiny_folder, "--head", "x", stdin=b"abc"), "one head, without a name")


# How much of the data is used, and in which columns it stands.


def words_of(built: dict[str, Any]) -> dict[str, list[list[str]]]:
    tokenizer = built["data_collator"].tokenizer
    return {
        name: [tokenizer.convert_ids_to_tokens(row) for row in rows["input_ids"]]
        for name, rows in built["train_dataset"].items()
    }


def test_a_labelling_rate(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    def words(number: int, *choices: str) -> dict[str, list[list[str]]]:
        folder = tmp_path / str(number)
        tagsmith("train", "joint-tasks", *toys.data("ner", "pos"), "--output-dir", folder, *settings(*choices))
        return words_of(only_build)

    whole, half = words(0), words(1, "labelling_rate=0.5")
    assert {name: len(rows) for name, rows in half.items()} == {"ner": 12, "pos": 8}
    for name, rows in half.items():
        rest = iter(whole[name])
        assert all(row in rest for row in rows), "in the order of the file"
    known = set(only_build["data_collator"].tokenizer.words)
    assert known == {word for rows in half.values() for row in rows for word in row}, "the rest is not even read"
    assert words(2, "labelling_rate=0.5") == half
    assert words(3, "labelling_rate=0.5", "training.seed=7") != half
    one = words(4, "labelling_rate={pos: 0.25}")
    assert (one["ner"], len(one["pos"])) == (whole["ner"], 4)
    assert {name: len(rows) for name, rows in words(5, "labelling_rate={ner: 0.01}").items()} == {"ner": 1, "pos": 16}


def test_an_order_that_heads_do_not_have(toys: Toys, tmp_path: Path) -> None:
    choices = settings("training.train_sampling_strategy=sequential")
    outcome = tagsmith("train", "joint-tasks", *toys.data("ner", "pos"), "--output-dir", tmp_path, *choices)
    assert_last_line(outcome, "train_sampling_strategy is 'sequential'", "random or group_by_length")


@pytest.mark.parametrize(
    "rate, words",
    [
        ("0", ["ner: labelling_rate is 0, and must be above 0"]),
        ("1.5", ["labelling_rate is 1.5"]),
        ("-0.1", ["labelling_rate is -0.1"]),
        (".nan", [".nan is not a finite number"]),
        ("{pos: 0}", ["pos: labelling_rate is 0"]),
        ("{pos: half}", ["pos: labelling_rate is half"]),
        ("{nerd: 0.5}", ["labelling_rate names 'nerd', which is no data"]),
        ("half", ["labelling_rate is 'half'"]),
        ("true", ["labelling_rate is True"]),
    ],
)
def test_no_labelling_rate(toys: Toys, tmp_path: Path, rate: str, words: list[str]) -> None:
    data = toys.data("ner", "pos")
    choices = settings(f"labelling_rate={rate}")
    assert_last_line(tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *choices), *words)


@pytest.fixture(scope="module")
def columns(toys: Toys) -> Path:
    """Words with a plain tag and one of spans."""
    chance = random.Random(1)
    lines = ["word pos ner"]
    for _ in range(12):
        for _ in range(chance.randint(2, 4)):
            word = "".join(chance.choices("abc", k=3))
            named = chance.random() < 0.5
            lines.append(
                f"{word.upper() if named else word} {'NAME' if named else 'WORD'} {'B-LOC' if named else 'O'}"
            )
        lines.append("")
    path = toys.folder / "columns.conll"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("options", [["pos=1", "ner=2"], ["pos=1"], ["1", "ner=-1"], ["ner=2", "1"]])
def test_tag_columns(tmp_path: Path, columns: Path, only_build: dict[str, Any], options: list[str]) -> None:
    data = ["--train", f"pos={columns}", "--train", f"ner={columns}"]
    data += [part for option in options for part in ("--tag-column", option)]
    tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *settings())
    config = only_build["model"].config
    assert (config.head("pos").tags, config.head("ner").tag_scheme) == (["NAME", "WORD"], "BIOES")


@pytest.mark.parametrize(
    "options, words",
    [
        (["chunks=1"], ["no --train named 'chunks', as --tag-column chunks=1"]),
        (["pos=1", "pos=2"], ["--tag-column is given twice for 'pos'"]),
        (["1", "2"], ["--tag-column is given twice"]),
        (["pos=9"], ["columns.conll", "9"]),
    ],
)
def test_no_tag_columns(tmp_path: Path, columns: Path, options: list[str], words: list[str]) -> None:
    data = ["--train", f"pos={columns}", "--train", f"ner={columns}"]
    data += [part for option in options for part in ("--tag-column", option)]
    assert_last_line(tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path), *words)


# Data and recipes that do not fit together.


def bad_data() -> list[Any]:
    ner, pos = "--train=ner={}/ner-train.conll", "--train=pos={}/pos-train.conll"
    dev = "--dev=ner={}/ner-dev.conll"
    return [
        ([ner, ner], "--train is given twice for 'ner'", "one"),
        ([ner, "--train={}/pos-train.conll"], "pos-train.conll has no name", "--train en="),
        (["--train={}/ner-train.conll"], "each needs a name", "--train ner=FILE"),
        ([ner, pos, dev], "some heads have dev data, and some have none", "--dev"),
        ([ner, pos, "--dev=web={}/web-dev.conll"], "there is no --train named 'web'", "ner, pos"),
        ([ner, "--dev=ner={}/web-dev.conll"], "ner: train and dev have no label in common: LOC", "SITE"),
        ([ner, "--dev=ner={}/pos-dev.conll"], "ner: train and dev do not have the same kind", "--tag-column"),
        ([ner, "--train=pos={}/empty.conll"], "empty.conll", ""),
        ([ner, "--train=pos={}/blank.conll"], "blank.conll", ""),
        ([ner, "--train=pos={}/outside.conll"], "pos: the training data has no spans", ""),
        ([ner, "--train=a.b={}/pos-train.conll"], "The name 'a.b' cannot be a module's", ""),
        ([ner, "--train=items={}/pos-train.conll"], "The name 'items' cannot be a module's", ""),
        ([ner, "--train=pos={}/nowhere.conll"], "nowhere.conll", "no such file"),
    ]


@pytest.mark.parametrize("case", bad_data())
def test_bad_data(toys: Toys, tmp_path: Path, case: tuple[list[str], str, str]) -> None:
    (toys.folder / "empty.conll").write_text("", encoding="utf-8")
    (toys.folder / "blank.conll").write_text("\n\n \n", encoding="utf-8")
    (toys.folder / "outside.conll").write_text("abc O\nbca O\n\n", encoding="utf-8")
    data, *words = case
    data = [option.format(toys.folder) for option in data]
    assert_last_line(tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *settings()), *words)


@pytest.mark.parametrize(
    "recipe, choice, words",
    [
        ("joint-tasks", "model.sharing=words", ["sharing", "'words'"]),
        ("joint-tasks", "model.heads={}", ["a recipe has no model.heads"]),
        ("joint-tasks", "languages.ner=en", ["the recipe has languages"]),
        ("joint-tasks", "vectors.paths.en=x", ["the recipe has vectors.paths"]),
        ("joint-languages", "vectors.path=x", ["Set vectors.paths"]),
        ("joint-languages", "vectors.paths.fr=x", ["'fr', which is no language of this run"]),
        ("joint-languages", "languages.fr=en", ["languages name 'fr', which is no head"]),
        ("joint-languages", "languages.ner=a.b", ["The name 'a.b' cannot be a module's"]),
        ("joint-tasks", "freeze=[heads]", ["freeze names 'heads'", "characters, words, word_encoder"]),
        ("joint-tasks", "epoch_head=dep", ["epoch_head names 'dep', which is no head", "Heads here: ner, pos"]),
        ("joint-tasks", "head_batches.dep=2", ["head_batches names 'dep'", "Heads here: ner, pos"]),
        ("joint-tasks", "head_batches.ner=0", ["head_batches.ner is 0", "at least 1"]),
        ("ner", "epoch_head=ner", ["epoch_head names 'ner'", "Only a run with sharing has heads"]),
        ("ner", "seed=1", ["a recipe has no seed"]),
        ("ner", "model.cost=0", ["some data have spans (ner train, ner dev)", "model.sharing"]),
    ],
)
def test_bad_recipes(toys: Toys, tmp_path: Path, recipe: str, choice: str, words: list[str]) -> None:
    data = toys.data("ner", "pos")
    assert_last_line(tagsmith("train", recipe, *data, "--output-dir", tmp_path, *settings(choice)), *words)


def test_a_corpus_without_a_name(toys: Toys, tmp_path: Path) -> None:
    corpus = load_corpus({"train": toys.file("ner-train")})
    with pytest.raises(InputError, match="each needs a name"):
        training_run.train_tagger(read_recipe("joint-tasks", SMALL), corpus, tmp_path)  # type: ignore[arg-type]


# Going on from a trained tagger.


def spans_of(folder: Path, text: str, head: str | None) -> list[tuple[Any, ...]]:
    found = package.pipeline(str(folder))(text, head=head)
    return [(entity["entity_group"], entity["start"], entity["end"], pytest.approx(entity["score"], abs=1e-5))
            for entity in found]  # fmt: skip


def more(
    toys: Toys, folder: Path, recipe: str, heads: list[str], *choices: str, source: Path | None = None
) -> Outcome:
    start = f"start_from={source or (toys.languages if recipe == 'joint-languages' else toys.tasks)}"
    return tagsmith("train", recipe, *toys.data(*heads), "--output-dir", folder, *settings(start, *choices))


def test_a_head_more_on_frozen_ground(toys: Toys, tmp_path: Path) -> None:
    outcome = more(toys, tmp_path, "joint-tasks", ["web"], "freeze=[characters, words, word_encoder]")
    assert outcome.code == 0, outcome.err
    assert list(config_of(tmp_path)["heads"]) == ["ner", "pos", "web"]
    assert list(results_of(tmp_path)["dev"]) == ["web"]
    assert "no place" not in outcome.err
    text = " ".join([*TEXTS, *toys.file("web-train").read_text().split()[:60:2]])  # also words new to the tagger
    for head in ("ner", "pos"):
        assert spans_of(tmp_path, text, head) == spans_of(toys.tasks, text, head)
    before, after = (load_file(folder / "model.safetensors") for folder in (toys.tasks, tmp_path))
    for name in before:
        if name.startswith("heads.") or ".recurrent." in name:
            assert torch.equal(before[name], after[name]), name


def test_a_head_more_with_the_others(toys: Toys, tmp_path: Path) -> None:
    outcome = more(toys, tmp_path, "joint-tasks", ["ner", "pos", "web"], "training.learning_rate=0.0001")
    assert outcome.code == 0, outcome.err
    assert list(results_of(tmp_path)["dev"]) == ["ner", "pos", "web"]
    before, after = (load_file(folder / "model.safetensors") for folder in (toys.tasks, tmp_path))
    for name in before:
        if name.startswith("heads."):
            assert not torch.equal(before[name], after[name]) or ".crf." in name, name
            torch.testing.assert_close(before[name], after[name], atol=0.02, rtol=0)


def test_a_language_more(toys: Toys, tmp_path: Path) -> None:
    outcome = more(toys, tmp_path, "joint-languages", ["fr"], "freeze=[characters]")
    assert outcome.code == 0, outcome.err
    config = config_of(tmp_path)
    assert {name: head["language"] for name, head in config["heads"].items()} == {
        "en": "en", "es": "es", "fr": "fr", "web": "en",
    }  # fmt: skip
    for head in ("en", "es", "web"):
        assert spans_of(tmp_path, TEXTS[2], head) == spans_of(toys.languages, TEXTS[2], head)
    assert spans_of(tmp_path, "abc ABC", "fr") is not None


def test_a_head_stays_in_its_language(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    more(toys, tmp_path / "1", "joint-languages", ["web"])
    config = only_build["model"].config
    assert config.head("web").language == "en" and set(config.languages) == {"en", "es"}
    outcome = more(toys, tmp_path / "2", "joint-languages", ["web"], "languages.web=es")
    assert_last_line(outcome, "the head 'web' of start_from is in 'en', and languages has 'es'")


def test_another_head_s_labels(toys: Toys, tmp_path: Path) -> None:
    data = ["--train", f"ner={toys.file('web-train')}"]
    choices = settings(f"start_from={toys.tasks}")
    outcome = tagsmith("train", "joint-tasks", *data, "--output-dir", tmp_path, *choices)
    assert_last_line(outcome, "the data of 'ner' have", "SITE", toys.tasks, "or the data another name")


def test_from_a_tagger_of_one_head(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    one = tmp_path / "one"
    corpus = load_corpus({"train": toys.file("ner-train")})
    recipe = read_recipe("ner", SMALL)
    with pytest.raises(InputError, match="built"):
        training_run.train_tagger(recipe, corpus, one)  # type: ignore[arg-type]
    only_build["model"].save_pretrained(one)
    only_build["processing_class"].save_pretrained(one)
    source = only_build["model"].state_dict()
    cases = [
        ("joint-tasks", ["ner", "pos"], [], "encoder.readers.shared.recurrent", ["heads.shared.output"]),
        ("joint-tasks", ["ner", "en"], ["model.sharing=all"], "heads.shared", []),
        ("joint-languages", ["en", "es"], [], "encoder.characters.recurrent", ["encoder.readers.shared"]),
    ]
    for number, (name, heads, choices, kept, left) in enumerate(cases):
        outcome = more(toys, tmp_path / str(number), name, heads, *choices, source=one)
        assert_last_line(outcome, "built")
        found = only_build["model"].state_dict()
        names = [key for key in source if key.startswith(kept)]
        assert names and all(torch.equal(found[key], source[key]) for key in names)
        for module in left:
            assert module in outcome.err.replace("\n", "")
        assert ("no place here" in outcome.err.replace("\n", " ")) == bool(left)


def test_from_another_kind_of_sharing(toys: Toys, tmp_path: Path) -> None:
    outcome = more(toys, tmp_path, "joint-languages", ["fr"], source=toys.tasks)
    assert_last_line(outcome, "start_from shares encoder, and the recipe characters", "model.sharing=encoder")
    data = ["--train", toys.file("ner-train")]
    outcome = tagsmith("train", "ner", *data, "--output-dir", tmp_path, *settings(f"start_from={toys.tasks}"))
    assert_last_line(outcome, "start_from shares encoder, and the recipe nothing")


def test_from_characters_alone(toys: Toys, tmp_path: Path) -> None:
    data = ["--train", toys.file("ner-train"), "--dev", toys.file("ner-dev")]
    choices = settings(
        f"start_from={toys.tasks}", "start_with=characters", "freeze=[characters]", "model.hidden_size=7"
    )
    outcome = tagsmith("train", "ner", *data, "--output-dir", tmp_path, *choices)
    assert outcome.code == 0, outcome.err
    random = tagsmith("train", "ner", *data, "--output-dir", tmp_path / "x", *choices, *settings("freeze=[words]"))
    assert_last_line(random, "freeze names words", "stay random")
    assert "no place" not in outcome.err
    assert (config_of(tmp_path)["sharing"], config_of(tmp_path)["hidden_size"]) == (None, 7)
    before, after = (load_file(folder / "model.safetensors") for folder in (toys.tasks, tmp_path))
    names = [name for name in before if name.startswith("encoder.characters.recurrent.")]
    assert names and all(torch.equal(before[name], after[name]) for name in names)


@pytest.mark.parametrize("place, words", [("''", ["from a trained tagger"]), ("nowhere", ["no such folder"])])
def test_from_nothing(toys: Toys, tmp_path: Path, place: str, words: list[str]) -> None:
    choices = settings(f"start_from={place}")
    outcome = tagsmith("train", "joint-tasks", *toys.data("ner", "pos"), "--output-dir", tmp_path, *choices)
    assert_last_line(outcome, *words)


def test_frozen_parts_take_vectors_of_new_words(toys: Toys, tmp_path: Path, only_build: dict[str, Any]) -> None:
    lines = [f"{word} {' '.join([str(value)] * 8)}" for value, word in enumerate(("newword", "abc"), 5)]
    (tmp_path / "vectors.txt").write_text("\n".join(lines), encoding="utf-8")
    choices = [f"vectors.path={tmp_path / 'vectors.txt'}", "vectors.extend=2", "freeze=[words]"]
    more(toys, tmp_path / "out", "joint-tasks", ["web"], *choices)
    tokenizer, reader = only_build["data_collator"].tokenizer, only_build["model"].encoder.reader()
    weight = reader.words.weight
    assert tokenizer.split_vocabulary(None)[2] == ["newword"]
    assert reader.look_up(torch.tensor(tokenizer.encode(["newword"]))).tolist() == [[5.0] * 8]
    assert not weight.requires_grad
    tagger = package.pipeline(str(toys.tasks))
    known = tagger.model.get_input_embeddings().weight
    if "abc" in tagger.tokenizer.words:
        assert torch.equal(weight[tokenizer.encode(["abc"])[0]], known[tagger.tokenizer.words.index("abc") + 2])

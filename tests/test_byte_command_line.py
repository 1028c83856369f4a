from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from toys import BYTE_MODEL, BYTE_TRAINING, Outcome, assert_one_line, card_of, results_of, tagsmith, toy_file

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.batches.byte_corpus import documents
from tagsmith.training.commands.command_line import named_files
from tagsmith.training.evaluation import scoring


class Toys(NamedTuple):
    """A recipe, files of two languages, and a tagger trained on both."""

    recipe: Path
    folder: Path
    tagger: Path
    training: Outcome


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    folder = tmp_path_factory.mktemp("bytes")
    recipe = folder / "toy.yaml"
    model = {**BYTE_MODEL, "hidden_size": 24, "encoder_hidden_size": 16}
    training = {**BYTE_TRAINING, "max_steps": 400, "learning_rate": 0.02, "eval_steps": 200, "save_steps": 200}
    recipe.write_text(yaml.safe_dump({"model_type": "byte-to-span", "model": model, "training": training}))
    for number, name in enumerate(("en", "de")):
        toy_file(folder / f"{name}.conll", 60, number)
        toy_file(folder / f"{name}-dev.conll", 20, number + 9)
    files = [f"--{split}={name}={folder}/{name}{end}.conll" for split, end in (("train", ""), ("dev", "-dev"))
             for name in ("en", "de")]  # fmt: skip
    training_outcome = tagsmith("train", recipe, *files, "--output-dir", folder / "tagger")
    return Toys(recipe, folder, folder / "tagger", training_outcome)


def f1_of(outcome: Outcome) -> float:
    assert outcome.code == 0, outcome
    return float(json.loads(outcome.out)["f1"])


def test_training_of_two_languages(toys: Toys) -> None:
    outcome = toys.training
    assert outcome.code == 0, outcome
    assert "en train: " in outcome.err
    assert "de dev: " in outcome.err
    assert "en label" in outcome.out
    assert "de label" in outcome.out


def test_evaluation(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = json.loads((toys.tagger / "results.json").read_text())["dev"]["en"]
    found = json.loads(tagsmith("evaluate", toys.tagger, toys.folder / "en-dev.conll", "--json").out)
    assert found == scores
    assert scores["f1"] > 0.8
    sizes = []

    def watched(*arguments: Any) -> Any:
        for document in documents(*arguments):
            sizes.append(len(document.text.splitlines()))
            yield document

    monkeypatch.setattr(scoring, "documents", watched)
    by_line = json.loads(tagsmith("evaluate", toys.tagger, toys.folder / "en-dev.conll", "--json", "--by-line").out)
    assert by_line["labels"]["LOC"]["support"] == scores["labels"]["LOC"]["support"]
    assert sizes == [1] * 20
    tagsmith("evaluate", toys.tagger, toys.folder / "en-dev.conll", "--json")
    assert sizes[20:] == [20]


def test_tagging(toys: Toys) -> None:
    outcome = tagsmith("tag", toys.tagger, "--format", "jsonl", stdin=b"abc BAC ab\n\nbca\n")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [line["text"] for line in lines] == ["abc BAC ab", "", "bca"]
    assert [entity["word"] for line in lines for entity in line["entities"]] == ["BAC"]
    for style, words in (("text", "[BAC LOC]"), ("html", "BAC<bdi>LOC")):
        assert words in tagsmith("tag", toys.tagger, "--format", style, stdin=b"abc BAC ab\n").out
    fewer = tagsmith("tag", toys.tagger, "--min-score", "1", "--recall-bias", "-1", stdin=b"abc BAC ab\n")
    assert fewer.out == "abc BAC ab\n"


def test_columns_of_a_tagger_without_words(toys: Toys) -> None:
    assert_one_line(tagsmith("tag", toys.tagger, "--format", "conll", stdin=b"ab\n"), "knows no words")


def test_the_curve(toys: Toys, tmp_path: Path) -> None:
    tagger, dev = tmp_path / "tagger", toys.folder / "en-dev.conll"
    shutil.copytree(toys.tagger, tagger, ignore=shutil.ignore_patterns("checkpoints"))
    before = f1_of(tagsmith("evaluate", tagger, dev, "--json"))
    outcome = tagsmith("evaluate", tagger, dev, "--json", "--curve", tmp_path / "curve.png", "--save-best")
    assert f1_of(outcome) == before
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "curve.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["recall_bias", "min_score", "precision", "recall", "f1"]
    best = max(float(row["f1"]) for row in rows)
    assert best >= before
    config = ByteToSpanConfig.from_pretrained(tagger)
    (row,) = [
        row
        for row in rows
        if (float(row["recall_bias"]), float(row["min_score"])) == (config.recall_bias, config.min_score)
    ]
    assert float(row["f1"]) == best
    assert f1_of(tagsmith("evaluate", tagger, dev, "--json")) == pytest.approx(best)
    outcome = tagsmith("evaluate", tagger, dev, "--curve", tmp_path / "curve.png")
    assert_one_line(outcome, "curve.png: there is such a file already", "--overwrite")
    said = "data (the checkpoint was chosen on these), with `min_score=0.0` and `recall_bias=0.0`:"
    assert said in card_of(tagger) and f"`recall_bias={config.recall_bias}` (higher" in card_of(tagger)
    assert tagsmith("card", tagger, f"--dev=en={dev}", f"--dev=de={toys.folder}/de-dev.conll").code == 0
    assert said not in card_of(tagger) and results_of(tagger)["dev"]["en"]["f1"] == pytest.approx(best)
    unchanged = [row for row in rows if float(row["recall_bias"]) == float(row["min_score"]) == 0]
    assert float(unchanged[0]["f1"]) == pytest.approx(before)
    recalls = [float(row["recall"]) for row in rows if float(row["min_score"]) == 0]
    assert recalls[0] <= recalls[-1]


def test_plot_states(toys: Toys, tmp_path: Path) -> None:
    files = [f"en={toys.folder}/en-dev.conll", f"de={toys.folder}/de-dev.conll"]
    outcome = tagsmith("plot", "states", toys.tagger, *files, "--output", tmp_path / "states.png", "--limit", 30)
    assert outcome.code == 0, outcome
    assert "30 of " in outcome.err
    for kind in ("label", "group"):
        assert f"of the ten nearest neighbours have the same {kind}: " in outcome.err
    with open(tmp_path / "states.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"en", "de"}
    assert_one_line(tagsmith("plot", "states", toys.tagger, files[0], "--output", tmp_path / "states.bmp"), ".png")
    outcome = tagsmith("plot", "states", toys.tagger, files[0], "--output", tmp_path / "states.svg")
    assert_one_line(outcome, "states.csv: there is such a file already", "--overwrite")


def test_plot_characters(tiny_folder: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("# en\tes\nNew\tNueva\nYork\tYork\nAda\tAda\nrains\tllueve\n", encoding="utf-8")
    outcome = tagsmith("plot", "characters", tiny_folder, words, "--output", tmp_path / "words.svg")
    assert outcome.code == 0, outcome
    assert "8 words are drawn" in outcome.err
    assert "of the pairs are each other's nearest neighbours" in outcome.err
    words.rename(tmp_path / "words.csv")
    outcome = tagsmith("plot", "characters", tiny_folder, tmp_path / "words.csv", "--output", tmp_path / "words.png")
    assert_one_line(outcome, "would overwrite this file, which is read")
    words = tmp_path / "words.csv"
    again = ("plot", "characters", tiny_folder, words, "--output", tmp_path / "other.svg")
    (tmp_path / "other.csv").write_text("mine", encoding="utf-8")
    assert_one_line(tagsmith(*again), "other.csv: there is such a file already", "--overwrite")
    assert not (tmp_path / "other.svg").exists()
    assert tagsmith(*again, "--overwrite").code == 0
    assert (tmp_path / "other.csv").read_text(encoding="utf-8").startswith("x,y,")


def test_errors_of_evaluation(toys: Toys, tmp_path: Path) -> None:
    dev = toys.folder / "en-dev.conll"
    assert_one_line(tagsmith("evaluate", toys.tagger, dev, "--save-best"), "--curve")
    other = toy_file(tmp_path / "pos.conll", 5, 1, plain=True)
    for command in (["evaluate", toys.tagger, other], ["card", toys.tagger, "--test", other]):
        outcome = tagsmith(*command)
        assert outcome.code == 2
        assert f"{other}: this file has the labels NAME, WORD, none of which" in outcome.err


def test_text_that_is_not_utf_8(toys: Toys, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"caf\xe9\n")
    assert_one_line(tagsmith("tag", toys.tagger, path), f"{path}:1:4", "0xE9", "UTF-8")


def test_several_files_need_names(toys: Toys, tmp_path: Path) -> None:
    one = toys.folder / "en.conll"
    outcome = tagsmith("train", toys.recipe, "--train", one, "--train", one, "--output-dir", tmp_path)
    assert_one_line(outcome, "has no name", "--train en=")


def test_named_files(tmp_path: Path) -> None:
    assert named_files(["a.conll"], ["b.conll"]) == {"": {"train": Path("a.conll"), "dev": Path("b.conll")}}
    assert named_files(["en=a", "de=b"], ["de=c"]) == {
        "en": {"train": Path("a")},
        "de": {"train": Path("b"), "dev": Path("c")},
    }
    assert named_files(["en=a"], ["b"]) == {"en": {"train": Path("a"), "dev": Path("b")}}
    odd = tmp_path / "a=b.conll"
    odd.touch()
    assert named_files([str(odd)], []) == {"": {"train": odd}}


@pytest.mark.parametrize(
    ("train", "dev", "message"),
    [
        (["en=a", "b"], [], "--train b has no name"),
        (["en=a", "en=b"], [], "--train is given twice for 'en'"),
        (["en=a", "de=b"], ["fr=c"], "no --train named 'fr'"),
        (["en=a", "de=b"], ["c"], "--dev c has no name"),
        (["a"], ["b", "c"], "--dev is given twice"),
    ],
)
def test_files_that_do_not_go_together(train: list[str], dev: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named_files(train, dev)

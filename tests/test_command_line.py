from __future__ import annotations

import errno
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from safetensors.torch import load_file, save_file
from toys import (
    WORD_MODEL,
    WORD_TRAINING,
    Outcome,
    assert_last_line,
    assert_one_line,
    people_and_places,
    results_of,
    tagsmith,
    with_content,
    without,
)

from tagsmith.training.commands import tag_command
from tagsmith.training.data import sample as bundled_sample
from tagsmith.training.runs import hierarchical_run as training_run
from tagsmith.training.runs import recipe_files as recipes

RECIPE = {
    "description": "a toy",
    "model": WORD_MODEL,
    "training": WORD_TRAINING,
    "average_decay": 0.5,
}

pytestmark = pytest.mark.usefixtures("datasets_cache")


class Toys(NamedTuple):
    """Files and folders that the commands work on; not to be changed."""

    folder: Path
    recipe: Path
    train: Path
    dev: Path
    plain_dev: Path
    tagger: Path
    plain_tagger: Path
    outcome: Outcome  # of training the tagger


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory, datasets_cache: None) -> Toys:
    folder = tmp_path_factory.mktemp("toys")
    recipe = folder / "toy.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    made = []
    for name, plain in (("tagger", False), ("plain-tagger", True)):
        train = people_and_places(folder / f"{name}-train.conll", 40, 1, plain)
        dev = people_and_places(folder / f"{name}-dev.conll", 15, 2, plain)
        outcome = tagsmith("train", recipe, "--train", train, "--dev", dev, "--output-dir", folder / name)
        assert outcome.code == 0, outcome.err
        made.append((train, dev, outcome))
    return Toys(
        folder, recipe, made[0][0], made[0][1], made[1][1], folder / "tagger", folder / "plain-tagger", made[0][2]
    )


# Training.


def test_train(toys: Toys) -> None:
    outcome = toys.outcome
    assert (toys.tagger / "model.safetensors").is_file()
    for label in ("LOC", "PER", "all"):
        assert any(label in line.split("│")[1] for line in outcome.out.splitlines() if line.startswith("│"))
    assert "token accuracy" in outcome.out
    lines = outcome.err.splitlines()
    assert lines[0].startswith(f"train: {toys.train}: 2 columns by whitespace")
    assert sum("dev f1" in line for line in lines) == 6
    assert lines[-1].endswith(f"minutes; the tagger is in {toys.tagger}")


def test_settings_change_the_recipe(toys: Toys, tmp_path: Path) -> None:
    settings = ["training.num_train_epochs=1", "model.output=softmax", "training.learning_rate=1e-3"]
    options = [part for setting in settings for part in ("--set", setting)]
    outcome = tagsmith("train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path, *options)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "", "no dev data, no scores"
    written = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    assert written["model"]["output"] == "softmax"
    assert (written["training"]["num_train_epochs"], written["training"]["learning_rate"]) == (1, 0.001)


def test_resume(toys: Toys, tmp_path: Path) -> None:
    command = ["train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path]
    assert tagsmith(*command, "--set", "training.num_train_epochs=1").code == 0
    again = tagsmith(*command)
    assert again.code == 2
    assert again.err.splitlines()[-1].startswith(f"error: {tmp_path / 'checkpoints'}: checkpoints of an earlier run")
    resumed = tagsmith(*command, "--resume", "--set", "training.num_train_epochs=2")
    assert resumed.code == 0
    assert [line.split()[1] for line in resumed.err.splitlines() if line.startswith("epoch")] == ["2.0"]


def test_an_interrupt_ends_with_130(toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tag_command, "load_by_runtime", interrupt)
    assert tagsmith("tag", toys.tagger) == Outcome(130, "", "interrupted\n")
    monkeypatch.setattr(training_run, "train_tagger", interrupt)
    outcome = tagsmith("train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == "interrupted; with --resume it continues from the last checkpoint"


def test_demo(toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(toys.recipe, tmp_path / "sample.yaml")
    monkeypatch.setattr(recipes, "FOLDER", tmp_path)
    monkeypatch.setattr(bundled_sample, "sample_files", lambda: {"train": toys.train, "dev": toys.dev})
    command = ["demo", "--output-dir", tmp_path / "out", "--text", "ab cbville\nmr ca ca"]
    outcome = tagsmith(*command)
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("ab [cbville LOC]\nmr [ca ca PER]\n")
    assert "With yours:" in outcome.err
    shorter = {**RECIPE, "training": {**WORD_TRAINING, "num_train_epochs": 1}}
    (tmp_path / "sample.yaml").write_text(yaml.safe_dump(shorter), encoding="utf-8")
    assert tagsmith(*command).code == 2
    assert tagsmith(*command, "--overwrite-output-dir").code == 0
    assert results_of(tmp_path / "out")["course"][-1]["epoch"] == 1


def test_recipes_are_listed() -> None:
    outcome = tagsmith("recipes")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(recipes.bundled_recipes())
    assert outcome.err == ""


# Scores.


def test_evaluate_as_json(toys: Toys) -> None:
    outcome = tagsmith("evaluate", toys.tagger, toys.dev, "--json")
    assert outcome.code == 0
    scores = json.loads(outcome.out)
    assert list(scores) == ["precision", "recall", "f1", "accuracy", "labels"]
    assert scores["f1"] > 0.9
    assert list(scores["labels"]) == ["LOC", "PER"]
    for row in scores["labels"].values():
        assert list(row) == ["precision", "recall", "f1", "support"]
        assert type(row["support"]) is int
    results = json.loads((toys.tagger / "results.json").read_text(encoding="utf-8"))
    assert scores == results["dev"], "what training reported is what an evaluation finds"


def test_evaluate_as_a_table(toys: Toys) -> None:
    outcome = tagsmith("evaluate", toys.plain_tagger, toys.plain_dev, "--batch-size", 4)
    assert outcome.code == 0
    assert all(label in outcome.out for label in ("TITLE", "NAME", "WORD", "NOUN", "all", "token accuracy"))


def test_evaluate_names_that_training_has_apart(toys: Toys) -> None:
    scores = json.loads(tagsmith("evaluate", toys.tagger, toys.dev, "--json", "--train", toys.train).out)
    support = sum(row["support"] for row in scores["labels"].values())
    assert scores["seen"]["support"] + scores["unseen"]["support"] == support
    assert scores["seen"]["support"] > 0
    outcome = tagsmith("evaluate", toys.tagger, toys.dev, "--train", toys.train)
    assert "in training" in outcome.out and "not in training" in outcome.out
    outcome = tagsmith("evaluate", toys.tagger, toys.dev, "--train", toys.plain_dev)
    assert outcome.code == 2 and str(toys.plain_dev) in outcome.err.splitlines()[-1]


def test_evaluate_with_the_wrong_kind_of_tags(toys: Toys) -> None:
    for tagger, file in ((toys.tagger, toys.plain_dev), (toys.plain_tagger, toys.dev)):
        outcome = tagsmith("evaluate", tagger, file, "--json")
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.splitlines()[-1].startswith(f"error: {file}: the tagger gives ")


@pytest.mark.parametrize("column", ["1", "-1"])
def test_tag_column_by_number(toys: Toys, column: str) -> None:
    outcome = tagsmith("evaluate", toys.tagger, toys.dev, "--json", "--tag-column", column)
    assert json.loads(outcome.out)["f1"] > 0.9


@pytest.mark.parametrize("column", ["7", "ner", "--1", "²"])
def test_tag_column_that_is_not_there(toys: Toys, column: str) -> None:
    assert_one_line(tagsmith("evaluate", toys.tagger, toys.dev, f"--tag-column={column}"), toys.dev)


def test_check(toys: Toys, tmp_path: Path) -> None:
    good = tagsmith("check", toys.train, toys.dev)
    assert (good.code, good.err) == (0, "")
    assert str(toys.train) in good.out and str(toys.dev) in good.out
    bad = tmp_path / "bad.conll"
    bad.write_text("a O\nb E-LOC\n", encoding="utf-8")
    outcome = tagsmith("check", toys.train, bad)
    assert outcome.code == 1
    assert f"error: {bad}:2" in outcome.out


# Tagging.

TEXT = "ab  cbville\n\nmr ca ca\n"


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def test_tag_as_text(toys: Toys, text_file: Path) -> None:
    outcome = tagsmith("tag", toys.tagger, text_file)
    assert outcome == Outcome(0, "ab  [cbville LOC]\n\nmr [ca ca PER]\n", "")


def test_tag_as_json_lines(toys: Toys, text_file: Path) -> None:
    outcome = tagsmith("tag", toys.tagger, text_file, "--format", "jsonl")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["text"] for row in rows] == ["ab  cbville", "", "mr ca ca"]
    assert [len(row["entities"]) for row in rows] == [1, 0, 1]
    entity = rows[0]["entities"][0]
    assert list(entity) == ["entity_group", "score", "word", "start", "end"]
    assert (entity["word"], entity["start"], entity["end"]) == ("cbville", 4, 11)
    assert 0 < entity["score"] <= 1


def test_long_words_are_tagged_whole_and_counted_once(toys: Toys, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text(f"{'x' * 50_000} ab\n{'0b9e1f' * 9_000}\n" + "ab cbville\n", encoding="utf-8")
    outcome = tagsmith("tag", toys.tagger, path, "--format", "conll")
    assert [line.split("\t")[0] for line in outcome.out.split()][::2] == [
        "x" * 50_000,
        "ab",
        "0b9e1f" * 9_000,
        "ab",
        "cbville",
    ]
    assert " ".join(outcome.err.split()) == (
        "warning: words of more than 128 characters: 2; of each, the first 64 and the last 64 characters were read"
    )


def test_tag_as_columns(toys: Toys, text_file: Path) -> None:
    outcome = tagsmith("tag", toys.tagger, text_file, "--format", "conll")
    assert outcome.out == "ab\tO\ncbville\tB-LOC\n\n\nmr\tO\nca\tB-PER\nca\tI-PER\n\n"


def test_tag_as_a_page(toys: Toys, text_file: Path) -> None:
    outcome = tagsmith("tag", toys.tagger, text_file, "--format", "html")
    assert outcome.out.startswith("<!DOCTYPE html>") and outcome.out.endswith("</html>\n")
    assert outcome.out.count("<article") == 3
    assert "cbville<bdi>LOC</bdi>" in outcome.out


def test_plain_tags(toys: Toys, text_file: Path) -> None:
    columns = tagsmith("tag", toys.plain_tagger, text_file, "--format", "conll")
    assert columns.out == "ab\tWORD\ncbville\tNOUN\n\n\nmr\tTITLE\nca\tNAME\nca\tNAME\n\n"
    text = tagsmith("tag", toys.plain_tagger, text_file)
    assert text.out.splitlines()[2] == "[mr TITLE] [ca NAME] [ca NAME]"
    refused = tagsmith("tag", toys.plain_tagger, text_file, "--format", "conll", "--min-score", "0.5")
    assert_one_line(refused, "a tag for each word", "--min-score")


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_tag_standard_input(toys: Toys, arguments: list[str]) -> None:
    outcome = tagsmith("tag", toys.tagger, *arguments, stdin=TEXT.encode())
    assert outcome.out == "ab  [cbville LOC]\n\nmr [ca ca PER]\n"


def test_several_files_in_order(toys: Toys, text_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(b"\xef\xbb\xbfab bbville")  # a byte order mark, and no end of line
    outcome = tagsmith("tag", toys.tagger, other, "-", text_file, stdin=b"cc\n", stdout=None)
    assert outcome.out == "ab [bbville LOC]\ncc\nab  [cbville LOC]\n\nmr [ca ca PER]\n"


def test_line_ends_of_windows(toys: Toys, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"ab cbville\r\nmr ca ca\r\n")
    outcome = tagsmith("tag", toys.tagger, path, "--format", "jsonl")
    assert [json.loads(line)["text"] for line in outcome.out.splitlines()] == ["ab cbville", "mr ca ca"]


def test_min_score_and_batch_size(toys: Toys, text_file: Path) -> None:
    command = ["tag", toys.tagger, text_file, "--format", "jsonl", "--batch-size", 1]
    scores = [e["score"] for line in tagsmith(*command).out.splitlines() for e in json.loads(line)["entities"]]
    bound = sum(scores) / 2
    found = [json.loads(line)["entities"] for line in tagsmith(*command, "--min-score", bound).out.splitlines()]
    assert [e["score"] for part in found for e in part] == [max(scores)]


def test_no_text(toys: Toys, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    for style in ("text", "jsonl", "conll"):
        assert tagsmith("tag", toys.tagger, empty, "--format", style) == Outcome(0, "", "")
    assert tagsmith("tag", toys.tagger, stdin=b"   \n \t\n").out.split() == []


def test_a_reader_that_stops_early(toys: Toys, text_file: Path) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    outcome = tagsmith("tag", toys.tagger, text_file, "--format", "jsonl", stdout=Closed())
    assert (outcome.code, outcome.err) == (141, "")


# Bad input.


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", ["is empty"]),
        (b"\n\n", ["no row"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0", []),
        (b"\0\0\0\0", ["binary"]),
        ("caf\u00e9 O\nb B-LOC\n".encode("latin-1"), ["0xe9", "utf-8", ":1:"]),
        (b"a O\nb\tO\nc O\n", ["a tab", ":2"]),
        (b"a O\nb\nc O\n", ["1 column", ":2"]),
        (b"a O\nb E-LOC\nc B-LOC\nd I-LOC\ne E-LOC\n", ["E-LOC", ":2"]),
    ],
    ids=["empty", "blank", "binary", "nul", "latin-1", "tab", "ragged", "impossible"],
)
def test_bad_data(toys: Toys, tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "bad.conll"
    path.write_bytes(content)
    train = tagsmith("train", toys.recipe, "--train", path, "--output-dir", tmp_path / "out")
    assert_one_line(train, path, *words)
    assert not (tmp_path / "out").exists()
    assert_one_line(tagsmith("evaluate", toys.tagger, path), path, *words)


def test_data_that_is_not_there(toys: Toys, tmp_path: Path) -> None:
    missing = tmp_path / "none.conll"
    for path in (missing, tmp_path):
        train = tagsmith("train", toys.recipe, "--train", path, "--output-dir", tmp_path / "out")
        assert_one_line(train, path)
        assert_one_line(tagsmith("evaluate", toys.tagger, path), path)
        assert_one_line(tagsmith("tag", toys.tagger, path), path)


@pytest.mark.parametrize("content, byte", [(b"ab\ncaf\xe9\n", "0xE9"), (b"ab\n\x89PNG\n", "0x89")])
def test_text_that_is_not_utf_8(toys: Toys, tmp_path: Path, content: bytes, byte: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    outcome = tagsmith("tag", toys.tagger, path)
    assert_one_line(outcome._replace(out=""), f"{path}:2:", byte, "UTF-8")
    assert outcome.out == "ab\n"  # what came before it is tagged
    marked = tmp_path / "marked.txt"
    marked.write_bytes(b"\xef\xbb\xbf" + content.splitlines()[1])
    assert_one_line(tagsmith("tag", toys.tagger, marked), f"{marked}:1:", byte)


def test_unknown_encoding(toys: Toys, tmp_path: Path) -> None:
    command = ["train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path, "--encoding", "utf-9"]
    assert_one_line(tagsmith(*command), toys.train, "utf-9")


Damage = Callable[[Path], Any]


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


@pytest.mark.parametrize(
    "damage, words",
    [
        (without("config.json"), ["config.json is missing"]),
        (without("model.safetensors"), ["model.safetensors"]),
        (without("vocab.json"), ["vocab.json is missing"]),
        (without("tokenizer_config.json"), ["tokenizer_config.json is missing"]),
        (cut_short, ["cannot be loaded"]),
        (with_content("model.safetensors", b"not tensors"), ["cannot be loaded"]),
        (with_content("config.json", b"{"), ["config.json cannot be read"]),
        (with_content("vocab.json", b'{"words": 1}'), ["vocab.json"]),
        (with_content("config.json", b'{"model_type": "no-such-type"}'), ["no-such-type"]),
    ],
    ids=["config", "weights", "vocabulary", "tokenizer", "cut", "no tensors", "no json", "no words", "type"],
)
def test_a_damaged_tagger(toys: Toys, tmp_path: Path, damage: Damage, words: list[str]) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(toys.tagger, folder, ignore=shutil.ignore_patterns("checkpoints"))
    damage(folder)
    assert_one_line(tagsmith("tag", folder, stdin=b"ab\n"), folder, *words)


def test_weights_that_do_not_fit(toys: Toys, tmp_path: Path) -> None:
    for name in ("other", "fewer"):
        shutil.copytree(toys.tagger, tmp_path / name, ignore=shutil.ignore_patterns("checkpoints"))
    shutil.copy(toys.plain_tagger / "model.safetensors", tmp_path / "other")
    outcome = tagsmith("tag", tmp_path / "other", stdin=b"ab\n")
    assert_one_line(outcome, tmp_path / "other", "weights do not fit config.json", "crf.")
    weights = load_file(toys.tagger / "model.safetensors")
    del weights["heads.shared.output.weight"]
    save_file(weights, tmp_path / "fewer" / "model.safetensors", metadata={"format": "pt"})
    outcome = tagsmith("tag", tmp_path / "fewer", stdin=b"ab\n")
    assert_one_line(outcome, tmp_path / "fewer", "weights do not fit config.json: heads.shared.output.weight")


def test_files_of_two_taggers(toys: Toys, tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(toys.tagger, folder, ignore=shutil.ignore_patterns("checkpoints"))
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    vocabulary["words"].pop()
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    assert_one_line(tagsmith("tag", folder, stdin=b"ab\n"), folder, "of two taggers", "ids")


def test_a_gazetteer_that_is_missing(toys: Toys, tmp_path: Path) -> None:
    names = tmp_path / "persons.txt"
    names.write_text("ca ca\n", encoding="utf-8")
    command = ["train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path / "out"]
    settings = ["--set", f"gazetteers.files={{PER: {names}}}", "--set", "training.num_train_epochs=1"]
    assert tagsmith(*command, *settings).code == 0
    assert tagsmith("tag", tmp_path / "out", stdin=b"mr ca ca\n").code == 0
    (tmp_path / "out" / "gazetteer.json").unlink()
    assert_one_line(tagsmith("tag", tmp_path / "out", stdin=b"ab\n"), tmp_path / "out", "gazetteer.json is missing")


def test_no_tagger_at_all(toys: Toys, tmp_path: Path) -> None:
    assert_one_line(tagsmith("tag", tmp_path / "none", stdin=b"ab\n"), tmp_path / "none", "no such folder")
    assert_one_line(tagsmith("tag", "none", stdin=b"ab\n"), "none", "no such folder")
    assert_one_line(tagsmith("tag", tmp_path, stdin=b"ab\n"), tmp_path, "config.json is missing")
    assert_one_line(tagsmith("evaluate", toys.train, toys.dev), toys.train, "not the folder of a tagger")
    assert_one_line(tagsmith("evaluate", tmp_path / "none", toys.dev), tmp_path / "none")


def test_a_model_of_another_kind(toys: Toys, tmp_path: Path) -> None:
    from transformers import BertConfig, BertForTokenClassification

    folder = tmp_path / "bert"
    shutil.copytree(toys.tagger, folder, ignore=shutil.ignore_patterns("checkpoints"))
    config = BertConfig(
        vocab_size=10, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, num_labels=2
    )
    BertForTokenClassification(config).save_pretrained(folder)
    assert_one_line(tagsmith("tag", folder, stdin=b"ab\n"), folder, "no tagger", "bert")


@pytest.mark.parametrize(
    "recipe, setting, words",
    [
        ("no-such-recipe", None, ["no-such-recipe", "ner"]),
        (None, "model.hiden_size=5", ["model.hiden_size", "model.hidden_size"]),
        (None, "hidden_size=5", ["hidden_size"]),
        (None, "model.hidden_size", ["key=value"]),
        (None, "=5", ["key=value"]),
        (None, "model.hidden_size=[", ["model.hidden_size"]),
        (None, "average_decay=much", ["average_decay", "number"]),
        (None, "training.learning_rate=fast", ["training.learning_rate", "number"]),
        (None, "model=5", ["model"]),
        (None, "average_decay.x=5", ["average_decay"]),
    ],
)
def test_bad_recipes(toys: Toys, tmp_path: Path, recipe: str | None, setting: str | None, words: list[str]) -> None:
    command = ["train", recipe or toys.recipe, "--train", toys.train, "--output-dir", tmp_path / "out"]
    assert_one_line(tagsmith(*command, *(["--set", setting] if setting is not None else [])), *words)


@pytest.mark.parametrize("content", ["- a\n- b\n", "model: [\n", "", "\0"])
def test_a_recipe_that_is_no_recipe(toys: Toys, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    assert_one_line(tagsmith("train", path, "--train", toys.train, "--output-dir", tmp_path / "out"), path)


def test_vectors_with_a_short_line(toys: Toys, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("aa 1 2 3 4 5 6 7 8\nbb 1 2 3\n", encoding="utf-8")
    command = ["train", toys.recipe, "--train", toys.train, "--output-dir", tmp_path / "out"]
    assert_last_line(tagsmith(*command, "--set", f"vectors.path={vectors}"), f"{vectors}:2")


def test_an_output_folder_that_cannot_be(toys: Toys, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        assert_last_line(tagsmith("train", toys.recipe, "--train", toys.train, "--output-dir", path), path)


def test_train_and_dev_of_different_kinds(toys: Toys, tmp_path: Path) -> None:
    command = ["train", toys.recipe, "--train", toys.train, "--dev", toys.plain_dev, "--output-dir", tmp_path / "out"]
    assert_last_line(tagsmith(*command), "same kind of tags")


def test_help_is_quick() -> None:
    code = """
import sys
sys.argv = ["tagsmith", "--help"]
from tagsmith.training.commands.command_line import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = {"torch", "transformers", "datasets", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("train", "evaluate", "tag", "check", "recipes", "demo"))


def test_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("tagsmith")
    if not command.exists():
        pytest.skip("the package is not installed here")
    wrong = [command, "tag", tmp_path / "none", "--runtime", "numpy"]  # which starts at once
    done = subprocess.run(wrong, input="", capture_output=True, text=True, check=False)
    assert_one_line(Outcome(done.returncode, done.stdout, done.stderr), tmp_path / "none")

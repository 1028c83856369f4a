"""A student taught by other taggers: what it learns, what is written down of it, and what is refused."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys import (
    WORD_MODEL,
    WORD_TRAINING,
    assert_last_line,
    assert_one_line,
    assert_same,
    card_of,
    people_and_places,
    quiet,
    results_of,
    tagsmith,
    weights_in,
)
from transformers import TrainerCallback

import tagsmith as package
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.batches.lessons import Lessons
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.corpus import Corpus, texts
from tagsmith.training.runs import teachers as teachers_module
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.raw_text import RawText
from tagsmith.training.runs.recipe import ByteRecipe, Recipe
from tagsmith.training.runs.teachers import Teachers
from tagsmith.training.runs.teaching import Teaching

pytestmark = pytest.mark.usefixtures("datasets_cache")

SMALL: dict[str, Any] = {**WORD_MODEL, "hidden_size": 8, "hidden_dropout": 0.1}
RECIPE = Recipe(model=SMALL, training={**WORD_TRAINING, "num_train_epochs": 3}, average_decay=0.5)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, raw text, two teachers (one of two heads), and others that cannot teach; not to be changed."""
    folder = tmp_path_factory.mktemp("room")
    people_and_places(folder / "train.conll", 40, 1)
    people_and_places(folder / "dev.conll", 15, 2)
    people_and_places(folder / "few.conll", 6, 3)
    people_and_places(folder / "pos.tsv", 40, 1, plain=True)
    more = load_corpus(people_and_places(folder / "more.conll", 60, 4))["train"]
    (folder / "raw.txt").write_text("\n".join([*texts(more), "", " "]) + "\n", encoding="utf-8")
    trained = load_corpus(folder / "train.conll")
    teacher = dataclasses.replace(RECIPE, training={**WORD_TRAINING, "num_train_epochs": 8})
    train_tagger(teacher, trained, folder / "one", console=quiet())
    joint = dataclasses.replace(teacher, model={**SMALL, "sharing": "encoder"})
    heads = {"names": trained, "pos": load_corpus(folder / "pos.tsv")}
    train_tagger(joint, heads, folder / "heads", console=quiet())
    short = {**WORD_TRAINING, "num_train_epochs": 1}
    softmax = dataclasses.replace(RECIPE, model={**SMALL, "output": "softmax"}, training=short)
    train_tagger(softmax, trained, folder / "softmax", console=quiet())
    iob2 = dataclasses.replace(RECIPE, tag_scheme="IOB2", training=short)
    train_tagger(iob2, trained, folder / "iob2", console=quiet())
    other = load_corpus(people_and_places(folder / "other.conll", 20, 1, label="CITY"))
    train_tagger(dataclasses.replace(RECIPE, training=short), other, folder / "other", console=quiet())
    return folder


def corpus(room: Path, train: str = "train.conll") -> Corpus:
    return load_corpus({"train": room / train, "dev": room / "dev.conll"})


def taught(room: Path, folder: Path, raw: Sequence[Path] = (), train: str = "train.conll", **how: Any) -> Any:
    teaching = Teaching([room / "one", room / "heads"], raw, head="names", **how.pop("teaching", {}))
    recipe = how.pop("recipe", RECIPE)
    return train_tagger(recipe, corpus(room, train), folder, teaching=teaching, console=quiet(), **how)


def test_a_student_of_few_sentences_and_raw_text(room: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, training={**WORD_TRAINING, "num_train_epochs": 8})
    results = taught(room, tmp_path / "taught", [room / "raw.txt"], "few.conll", recipe=recipe)
    alone = train_tagger(recipe, corpus(room, "few.conll"), tmp_path / "alone", console=quiet())
    assert results["dev"]["f1"] > alone["dev"]["f1"]
    assert results["teachers"]["names"] == ["one", "heads"]
    assert results["teachers"]["raw"]["files"] == ["raw.txt"] and results["teachers"]["raw"]["sentences"] == 60
    assert results["train_sentences"] == 66 and results["data"][""]["train"]["sentences"] == 6
    assert results_of(tmp_path / "taught")["teachers"] == results["teachers"]
    card = card_of(tmp_path / "taught")
    assert "taught with tagsmith by the taggers one and heads, also on 60 sentences without annotations" in card
    words = set(package.pipeline(str(tmp_path / "taught")).tokenizer.words)
    assert {word for line in (room / "raw.txt").read_text("utf-8").split("\n") for word in line.split()} <= words
    assert not (tmp_path / "taught" / "lessons").exists()


def test_marginals_are_the_mean_of_the_teachers(room: Path) -> None:
    teachers = Teachers([room / "one", room / "heads"], "names")
    sentences = [["mr", "ab", "bc"], ["aaville"], ["ab", "ccville", "never-seen", "mr", "a", "b"]]
    tags, pairs = teachers.marginals(sentences, torch.device("cpu"))
    for number, words in enumerate(sentences):
        parts = []
        for pipeline, head in zip(teachers.pipelines, [None, "names"], strict=True):
            arrays = pipeline.tokenizer.pad_sentences([pipeline.tokenizer.encode_words(words)])
            batch = {key: torch.from_numpy(value) for key, value in arrays.items()}
            crf = pipeline.model.head(head).crf
            parts.append(crf.marginals(pipeline.model(**batch, head=head).logits)[0])
        np.testing.assert_allclose(tags[number], (parts[0] + parts[1]).numpy() / 2, atol=1e-5)
        assert pairs[number].sum() == pytest.approx(len(words) - 1, abs=1e-5)
        np.testing.assert_allclose(pairs[number].sum(0), tags[number][1:].sum(0), atol=1e-5)


def test_teachers_that_have_the_tags_in_another_order(room: Path) -> None:
    teachers = Teachers([room / "one", room / "one"])
    before = teachers.marginals([["mr", "ab", "bc"]], torch.device("cpu"))
    mixed = list(reversed(range(len(teachers.shape.tags))))
    teachers._orders = [mixed, mixed]
    tags, pairs = teachers.marginals([["mr", "ab", "bc"]], torch.device("cpu"))
    np.testing.assert_array_equal(tags[0], before[0][0][:, mixed])
    np.testing.assert_array_equal(pairs[0], before[1][0][mixed][:, mixed])


def test_lessons_are_kept_in_sixteen_bits(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    lengths, legal = [3, 1, 2], np.array([[True, True], [False, True]])
    tags = [chance.dirichlet([1, 1], size=length) for length in lengths]
    pairs = np.stack([chance.dirichlet([1, 1, 1]) * (length - 1) for length in lengths])
    square = np.zeros((3, 2, 2))
    square[:, legal] = pairs
    lessons = Lessons(tmp_path, lengths, legal, "key")
    lessons.write(tags[:2], square[:2])
    again = Lessons(tmp_path, lengths, legal, "key")
    assert again.done == 2
    again.write(tags[2:], square[2:])
    assert again.nbytes == (6 * 2 + 3 * 3) * 2
    found, steps = again.padded([2, 0])
    assert found.shape == (2, 3, 2) and not found[0, 2].any()
    np.testing.assert_allclose(found[1], tags[0], atol=1e-3)
    np.testing.assert_allclose(steps, square[[2, 0]], atol=2e-3)
    np.testing.assert_allclose(found[1].sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(steps.sum((1, 2)), [1, 2], atol=1e-6)
    assert Lessons(tmp_path, lengths, legal, "another").done == 0
    again = Lessons(tmp_path, lengths, legal, "key")
    assert again.done == 0, "the files are those of another key, though nothing was written by that"
    again.write(tags[:1], square[:1])
    (tmp_path / "pairs.npy").unlink()
    assert Lessons(tmp_path, lengths, legal, "key").done == 0


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(InputError, match="No space left"):
        Lessons(tmp_path, [3], np.ones((2, 2), dtype=bool), "key")


class Stop(TrainerCallback):
    """Ends a run in the middle of its second epoch, as an interrupt does."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.epoch > 1.4:
            raise KeyboardInterrupt


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once among its lessons, once in an epoch: nothing is made twice, and the weights are the same to the bit."""
    monkeypatch.setattr(teachers_module, "_CHUNK", 32)
    raw = [room / "raw.txt"]
    taught(room, tmp_path / "whole", raw)
    chunks: list[int] = []
    marginals = Teachers.marginals

    def cut_short(self: Teachers, sentences: Any, device: Any) -> Any:
        chunks.append(len(sentences))
        if len(chunks) == 2:
            raise KeyboardInterrupt
        return marginals(self, sentences, device)

    monkeypatch.setattr(Teachers, "marginals", cut_short)
    with pytest.raises(KeyboardInterrupt):
        taught(room, tmp_path / "cut", raw)
    with pytest.raises(KeyboardInterrupt):
        taught(room, tmp_path / "cut", raw, resume=True, callbacks=[Stop()])
    taught(room, tmp_path / "cut", raw, resume=True)
    assert chunks == [32, 32, 32, 32, 4]
    assert_same(weights_in(tmp_path / "whole"), weights_in(tmp_path / "cut"))


def test_plain_tags_and_the_teachers_alone(room: Path, tmp_path: Path) -> None:
    data = load_corpus({"train": room / "pos.tsv", "dev": room / "pos.tsv"})
    teaching = Teaching([room / "heads"], [room / "raw.txt"], head="pos", weight=1.0)
    results = train_tagger(RECIPE, data, tmp_path, teaching=teaching, console=quiet())
    assert results["dev"]["accuracy"] > 0.8 and results["teachers"]["weight"] == 1.0


def test_a_student_of_sentences_in_lower_case(room: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, lowercase_share=0.5)
    results = taught(room, tmp_path / "lowered", recipe=recipe)
    assert results["dev"]["f1"] > 0.5


def test_raw_text(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    first.write_text("\n Ada left. \r\n" + "x " * 1200 + "\n", encoding="utf-8")
    second.write_bytes(gzip.compress(b"Grace came.\n"))
    found = list(RawText([first, second]).sentences("words"))
    assert found[0] == ["Ada", "left", "."] and found[-1] == ["Grace", "came", "."]
    assert [len(words) for words in found[1:-1]] == [500, 500, 200]
    first.write_text("\n \n", encoding="utf-8")
    with pytest.raises(InputError, match="no words"):
        RawText([second, first])


def test_the_command(room: Path, tmp_path: Path) -> None:
    command = ["distill", room / "one", room / "one", "--train", room / "few.conll", "--dev", room / "dev.conll"]
    small = ["--recipe", "sample", "--set", "training.num_train_epochs=1", "--set", "model.hidden_size=8"]
    outcome = tagsmith(*command, *small, "--raw", room / "raw.txt", "--output-dir", tmp_path / "student", "--seed", 2)
    assert outcome.code == 0, outcome.err
    assert "taught on 66 sentences" in outcome.err and "MB of marginals in checkpoints/lessons" in outcome.err
    assert "PER" in outcome.out
    found = results_of(tmp_path / "student")
    assert found["seed"] == 2 and found["command"].startswith("tagsmith distill one one --train few.conll")
    assert tagsmith("tag", tmp_path / "student", room / "raw.txt").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one", "softmax"], ["softmax", "has no CRF", "model.output=crf"]),
        (["one", "iob2"], ["iob2", "IOB2", "tag_scheme=BIOES"]),
        (["one", "other"], ["other", "CITY", "same labels"]),
        (["heads"], ["heads", "several heads", "--head: names, pos"]),
        (["heads", "--head", "no"], ["heads", "no head 'no'", "names, pos"]),
        (["one", "--head", "names"], ["--head names", "Leave it out"]),
        (["one", "heads", "--head", "pos"], ["heads", "plain", "BIOES"]),
        (["one", "--teacher-weight", "0"], ["weight is 0.0", "--teacher-weight"]),
        (["one", "--teacher-weight", "1.5"], ["weight is 1.5"]),
        (["one", "--raw", "empty.txt"], ["empty.txt", "no words"]),
        (["one", "--raw", "none.txt"], ["none.txt", "no such file"]),
        (["nobody"], ["nobody", "no such folder"]),
        (["one", "--recipe", "byte-ner"], ["byte-to-span", "such as ner"]),
        (["one", "--recipe", "joint-tasks"], ["one head", "without sharing"]),
        (["one", "--set", "model.output=softmax"], ["model.output 'softmax'", "--set model.output=crf"]),
        (["one", "--set", "model.transitions=state"], ["model.transitions 'state'", "model.transitions=static"]),
    ],
)
def test_what_is_refused(
    arguments: list[str], words: list[str], room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(room)
    (room / "empty.txt").write_text("\n", encoding="utf-8")
    outcome = tagsmith("distill", *arguments, "--train", "train.conll", "--output-dir", tmp_path / "x")
    assert_one_line(outcome, *words)
    assert not (tmp_path / "x").exists()


def test_a_byte_tagger_cannot_teach(room: Path, byte_folder: Path, tmp_path: Path) -> None:
    outcome = tagsmith("distill", byte_folder, "--train", room / "train.conll", "--output-dir", tmp_path / "x")
    assert_one_line(outcome, byte_folder, "byte-to-span, and cannot teach", "train ner")


@pytest.mark.parametrize(
    ("teacher", "train", "words"),
    [
        ("iob2", "train.conll", ["IOB2", "BIOES", "--set tag_scheme=IOB2"]),
        ("one", "other.conll", ["label CITY", "--map 'CITY='"]),
        ("one", "pos.tsv", ["plain", "--tag-column"]),
    ],
)
def test_data_that_do_not_fit(teacher: str, train: str, words: list[str], room: Path, tmp_path: Path) -> None:
    outcome = tagsmith("distill", room / teacher, "--train", room / train, "--output-dir", tmp_path / "x")
    assert_last_line(outcome, *words)


def test_data_may_lack_a_label(room: Path, tmp_path: Path) -> None:
    data = tmp_path / "places.conll"
    data.write_text("in O\naaville B-LOC\n\n" * 4, encoding="utf-8")
    teaching = Teaching([room / "one"], [room / "raw.txt"])
    train_tagger(RECIPE, load_corpus(data), tmp_path / "student", teaching=teaching, console=quiet())
    assert set(package.pipeline(str(tmp_path / "student")).model.config.tags) == set(teaching.teachers.shape.tags)


def test_in_python(room: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody teaches"):
        package.Teaching([])
    teaching = package.Teaching([room / "one"])
    with pytest.raises(InputError, match="cannot be a byte-to-span"):
        teaching.check(ByteRecipe())
    with pytest.raises(InputError, match="mention_replacement changes them"):
        teaching.check(dataclasses.replace(RECIPE, mention_replacement=0.5))
    with pytest.raises(InputError, match="second draw of dropout"):
        teaching.check(dataclasses.replace(RECIPE, consistency=0.5))
    streamed = load_corpus({"train": room / "train.conll"}, streaming=True)
    with pytest.raises(InputError, match="cannot be streamed"):
        train_tagger(RECIPE, streamed, tmp_path, teaching=teaching, console=quiet())

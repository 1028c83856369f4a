"""Copies of corpora: private, listed, removed."""

from __future__ import annotations

import os
from pathlib import Path

import datasets
import pytest
from toys import assert_last_line, assert_one_line, people_and_places, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.preparation import encode_corpus
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.corpus_cache import cache_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "home" / "datasets")
    return tmp_path / "home"


def test_copies_are_for_the_user_alone(home: Path, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        corpus = load_corpus(people_and_places(tmp_path / "private.conll", 30, 1))
        tokenizer = HierarchicalTaggerTokenizer.train(row["tokens"] for row in corpus["train"])
        encode_corpus(corpus, tokenizer, ["O", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "E-LOC"], "BIOES")
        assert os.umask(0o022) == 0o022, "other files are written as before"
    finally:
        os.umask(mask)
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".arrow" for path in files)
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_they_are_listed_and_removed(home: Path, tmp_path: Path) -> None:
    assert "no copies of corpora" in tagsmith("cache").err
    load_corpus(people_and_places(tmp_path / "private.conll", 30, 1))
    earlier = home / "datasets" / "tagsmith_corpus"  # where versions before this one put them
    earlier.mkdir()
    (earlier / "old.arrow").write_bytes(b"0" * 1_000_000)
    (home / "datasets" / "another").mkdir()
    outcome = tagsmith("cache")
    assert outcome.code == 0 and f"1.0 MB  {earlier}" in outcome.out and str(cache_folder()) in outcome.out
    assert cache_folder().is_dir() and "--clear" in outcome.err
    outcome = tagsmith("cache", "--clear")
    assert outcome.code == 0 and "removed" in outcome.err
    assert [path.name for path in (home / "datasets").iterdir()] == ["another"]
    assert "no copies of corpora" in tagsmith("cache", "--clear").err


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "file" / "datasets")
    train = people_and_places(tmp_path / "train.conll", 30, 1)
    with pytest.raises(InputError, match=r"cannot be written: .*HF_HOME"):
        load_corpus(train)
    outcome = tagsmith("train", "sample", "--train", train, "--output-dir", tmp_path / "out")
    assert_one_line(outcome, "cannot be written", "HF_HOME=")
    assert not (tmp_path / "out").exists()


def test_a_full_disk(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write_table", full)
    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write_examples_on_file", full)
    train = people_and_places(tmp_path / "train.conll", 30, 1)
    outcome = tagsmith("train", "sample", "--train", train, "--output-dir", tmp_path / "out")
    assert_last_line(outcome, "No space left on device", "Free some space", "HF_HOME=")

"""A corpus object: a `DatasetDict` that knows how it was read."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from tagsmith.training.data.corpora import by_name, check_kinds, load_corpus
from tagsmith.training.data.corpus import Corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    files = {"train": tmp_path / "train.conll", "validation": tmp_path / "dev.conll"}
    files["train"].write_text("Oslo I-LOC\nrains O\n\nRome I-LOC\nLima B-LOC\n")
    files["validation"].write_text("Ada S-PER\n")
    return load_corpus(files, cache_dir=tmp_path / "cache")


def plain(tags: list[list[str]]) -> Dataset:
    return Dataset.from_dict({"tokens": [[f"w{n}" for n in range(len(row))] for row in tags], "upos": tags})


def test_it_is_a_dataset_dict(corpus: Corpus) -> None:
    assert isinstance(corpus, DatasetDict) and list(corpus) == ["train", "dev"]
    assert isinstance(corpus["train"], Dataset) and corpus.num_rows == {"train": 2, "dev": 1}
    assert type(corpus.filter(lambda row: "rains" in row["tokens"])) is DatasetDict


def test_what_reading_found(corpus: Corpus) -> None:
    assert (corpus.scheme(), corpus.scheme("dev")) == ("IOB1", "BIOES")
    assert corpus.kind() == corpus.kind("dev") == "spans"
    assert corpus.reports["train"].labels == {"LOC": 3} and corpus.reports["dev"].path.endswith("dev.conll")
    assert corpus["train"].info.description == ""  # nothing travels with the rows


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda corpus: pickle.loads(pickle.dumps(corpus))])
def test_copies_know_the_same(corpus: Corpus, again: object) -> None:
    other = again(corpus)  # type: ignore[operator]
    assert type(other) is Corpus and other.reports == corpus.reports and list(other) == list(corpus)


def test_other_rows_of_a_split_keep_its_report(corpus: Corpus) -> None:
    fewer = corpus.replaced("train", corpus["train"].select([1]))
    assert len(fewer["train"]) == 1 and len(corpus["train"]) == 2
    assert fewer.reports == corpus.reports and fewer.scheme() == "IOB1"


def test_a_corpus_that_is_loaded_again_keeps_its_reports(corpus: Corpus) -> None:
    again = load_corpus(corpus)
    assert again.reports == corpus.reports and again["train"][:] == corpus["train"][:]


def test_splits_that_were_not_read_here_are_looked_at(corpus: Corpus) -> None:
    bare = Corpus.of(DatasetDict(corpus))
    assert not bare.reports and bare.scheme() is None and bare.kind() == "spans"
    assert Corpus.of(corpus) is corpus
    tags = load_corpus(plain([["NOUN", "VERB"], ["NOUN"]]))
    assert tags.scheme() == "plain" and tags.is_plain()
    assert Corpus.of(DatasetDict(tags)).is_plain()


def test_the_kind_is_that_of_the_scheme_and_no_guess() -> None:
    """Spans of one word each without prefix look like plain tags, and a plain tag that no span has like spans."""
    tags = load_corpus(plain([["NOUN", "O"], ["O"]]), scheme="plain")
    assert tags.kind() == "plain"
    bare = Corpus(DatasetDict(tags), kind="spans")
    assert bare.kind() == "spans" and bare.replaced("train", bare["train"]).kind() == "spans"


def test_corpora_by_name_have_dev_data_by_that_name(corpus: Corpus) -> None:
    renamed = corpus.renamed({"dev": "val"})
    assert list(renamed.reports) == ["train", "val"]
    (given,) = by_name(renamed).values()
    assert list(given) == list(given.reports) == ["train", "dev"]
    check_kinds(by_name({"a": corpus, "b": DatasetDict(corpus)}))

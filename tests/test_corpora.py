from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDatasetDict, List, Value

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data import column_corpus
from tagsmith.training.data.column_corpus import FEATURES, ColumnCorpus, sentence_row
from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.corpus import Corpus, StreamedCorpus, is_plain, label_names
from tagsmith.training.data.sample import sample_files

IOB1 = "EU I-ORG\nrejects O\nGerman I-MISC\n\nParis I-LOC\nRome B-LOC\n"
IOB2 = "-DOCSTART- O\n\nEU B-ORG\nacts O\n\n-DOCSTART- O\n\nOslo B-LOC\n"
POS = "dogs\tNOUN\nbark\tVERB\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {"train": tmp_path / "train.conll", "dev": tmp_path / "dev [1]*.txt"}
    paths["train"].write_text(IOB1)
    paths["dev"].write_text(IOB2)
    return paths


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


class TestFiles:
    def test_splits_of_different_schemes(self, files: dict[str, Path], cache: str) -> None:
        corpus = load_corpus(files, cache_dir=cache)
        assert isinstance(corpus, Corpus) and isinstance(corpus, DatasetDict) and list(corpus) == ["train", "dev"]
        assert corpus["train"].features == FEATURES
        assert corpus["train"][1] == {
            "document": 0,
            "text": "Paris Rome",
            "after": "\n",
            "raw": False,
            "tokens": ["Paris", "Rome"],
            "starts": [0, 6],
            "ends": [5, 10],
            "tags": ["B-LOC", "B-LOC"],
            "spans": [{"start": 0, "end": 5, "label": "LOC"}, {"start": 6, "end": 10, "label": "LOC"}],
        }
        assert corpus["dev"]["document"][:] == [0, 1]
        schemes = {split: corpus.scheme(split) for split in corpus}
        assert schemes == {"train": "IOB1", "dev": "IOB2"}

    def test_reports_come_back_from_the_cache(self, files: dict[str, Path], cache: str, monkeypatch: Any) -> None:
        first = load_corpus(files, cache_dir=cache).reports
        monkeypatch.setattr(column_corpus, "open_sentences", lambda *_, **__: pytest.fail("read again"))
        again = load_corpus(files, cache_dir=cache)
        assert again.reports == first
        assert first["train"].labels["LOC"] == 2

    def test_an_edited_file_is_read_again(self, files: dict[str, Path], cache: str) -> None:
        stamp = files["train"].stat().st_mtime
        assert len(load_corpus(files, cache_dir=cache)["train"]) == 2
        files["train"].write_text(IOB1 + "\nmore O\n")
        os.utime(files["train"], (stamp, stamp))
        assert len(load_corpus(files, cache_dir=cache)["train"]) == 3
        assert len(load_corpus(files, cache_dir=cache, tag_column=-1)["train"]) == 3

    def test_other_options_are_another_corpus(self, files: dict[str, Path], cache: str) -> None:
        assert load_corpus(files["train"], cache_dir=cache).kind() == "spans"
        assert load_corpus(files["train"], cache_dir=cache, scheme="plain").kind() == "plain"

    def test_streaming_gives_the_same_rows(self, files: dict[str, Path], cache: str) -> None:
        corpus = load_corpus(files, cache_dir=cache)
        stream = load_corpus(files, cache_dir=cache, streaming=True)
        assert isinstance(stream, StreamedCorpus) and isinstance(stream, IterableDatasetDict) and not stream.reports
        for split in files:
            assert list(stream[split]) == list(corpus[split])
        assert label_names(stream["train"]) == ["LOC", "MISC", "ORG"]
        assert not stream.is_plain() and not stream.is_plain("dev")

    def test_json_lines_beside_columns(self, files: dict[str, Path], cache: str, tmp_path: Path) -> None:
        path = tmp_path / "test.jsonl"
        row = {"text": "Ada!", "spans": [{"start": 0, "end": 3, "label": "PER"}]}
        path.write_text(json.dumps(row))
        corpus = load_corpus({**files, "test": path}, cache_dir=cache)
        assert corpus["test"][0]["text"] == "Ada!" and corpus["test"][0]["tokens"] == []
        assert label_names(corpus["test"]) == ["PER"] and not is_plain(corpus["test"])

    @pytest.mark.parametrize("streaming", [False, True])
    def test_bad_rows_are_the_readers_own_error(self, files: dict[str, Path], cache: str, streaming: bool) -> None:
        files["dev"].write_text("a O\nb Q-X\n")
        with pytest.raises(InputError) as caught:
            list(load_corpus(files, cache_dir=cache, streaming=streaming)["dev"])
        assert (caught.value.line, caught.value.column) == (2, 2)
        assert str(files["dev"]) in str(caught.value)

    def test_missing_files(self, tmp_path: Path) -> None:
        for name in (tmp_path / "no.conll", "no.conll", "data/no.tsv", "./no", tmp_path):
            with pytest.raises(InputError):
                load_corpus(name)
        with pytest.raises(InputError, match="no data set of that name"):
            load_corpus("nobody/nothing")

    def test_the_builder_by_itself(self, files: dict[str, Path], cache: str) -> None:
        builder = ColumnCorpus(cache_dir=cache, data_files={"train": str(files["train"])})
        builder.download_and_prepare()
        assert builder.as_dataset()["train"].num_rows == 2

    def test_progress_bars_are_left_as_they_were(self, files: dict[str, Path], cache: str) -> None:
        before = datasets.is_progress_bar_enabled()
        load_corpus(files, cache_dir=cache)
        assert datasets.is_progress_bar_enabled() == before


class TestDataSets:
    rows = (["EU", "acts"], ["Oslo"])

    def hub_like(self, names: list[str], tags: list[list[int]]) -> Dataset:
        features = Features(
            {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))}
        )
        return Dataset.from_dict({"id": ["0", "1"], "tokens": list(self.rows), "ner_tags": tags}, features=features)

    def test_class_labels(self) -> None:
        data = DatasetDict({"train": self.hub_like(["O", "B-ORG", "B-LOC"], [[1, 0], [2]])})
        corpus = load_corpus(data)
        assert corpus["train"].features == FEATURES
        assert corpus["train"][0]["spans"] == [{"start": 0, "end": 2, "label": "ORG"}]
        assert corpus["train"]["document"][:] == [0, 1]
        assert corpus.reports["train"].labels["LOC"] == 1
        assert load_corpus(corpus)["train"][:] == corpus["train"][:]

    @pytest.mark.parametrize(
        ("names", "tags"), [(["O", "S-ORG", "S-LOC"], [[1, 0], [2]]), (["I-ORG", "O", "I-LOC"], [[0, 1], [2]])]
    )
    def test_other_schemes_and_streams(self, names: list[str], tags: list[list[int]]) -> None:
        data = self.hub_like(names, tags)
        rows = list(load_corpus(data)["train"])
        assert [row["tags"] for row in rows] == [["B-ORG", "O"], ["B-LOC"]]
        assert list(load_corpus(data.to_iterable_dataset())["train"]) == rows

    def test_strings_text_and_plain_tags(self) -> None:
        data = Dataset.from_dict(
            {"tokens": [["Do", "n't"], ["x"]], "upos": [["AUX", "PART"], ["X"]], "text": ["Don't", "y"]}
        )
        corpus = load_corpus(data)["train"]
        assert (corpus[0]["text"], corpus[0]["raw"]) == ("Don't", True)
        assert (corpus[1]["text"], corpus[1]["raw"]) == ("x", False)
        assert is_plain(corpus) and label_names(corpus) == ["AUX", "PART", "X"]
        assert is_plain(load_corpus(data.to_iterable_dataset())["train"])

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(InputError, match="no column 'tokens', only forms"):
            load_corpus(Dataset.from_dict({"forms": [["a"]]}))
        with pytest.raises(InputError, match="no tag column, only tokens"):
            load_corpus(Dataset.from_dict({"tokens": [["a"]]}))
        with pytest.raises(InputError, match="without names"):
            load_corpus(Dataset.from_dict({"tokens": [["a"]], "tags": [[1]]}))
        with pytest.raises(InputError, match="1 tokens and 2 tags"):
            load_corpus(Dataset.from_dict({"tokens": [["a"]], "tags": [["O", "O"]]}))


def test_labels_follow_a_selection(files: dict[str, Path], cache: str) -> None:
    train = load_corpus(files, cache_dir=cache)["train"]
    assert label_names(train) == ["LOC", "MISC", "ORG"]
    assert label_names(train.select([1])) == ["LOC"]


def test_the_bundled_sample(cache: str) -> None:
    files = sample_files()
    assert sum(path.stat().st_size for path in files["train"].parent.iterdir() if path.is_file()) < 1_000_000
    corpus = load_corpus(files, cache_dir=cache)
    assert len(corpus["train"]) > 1500 and len(corpus["dev"]) >= 400
    assert label_names(corpus["train"]) == label_names(corpus["dev"]) == ["LOC", "ORG", "PER"]
    for report in corpus.reports.values():
        assert not report.irregular and report.raw_texts == report.sentences
    first = next(read_sentences(files["dev"]))
    assert corpus["dev"][0] == sentence_row(first)


@pytest.mark.parametrize("name", ["validation", "valid", "val", "testa", "Validation", "eval", "development"])
def test_other_names_of_dev(files: dict[str, Path], cache: str, name: str) -> None:
    corpus = load_corpus({"train": files["train"], name: files["dev"]}, cache_dir=cache)
    assert list(corpus) == ["train", "dev"] and list(corpus.reports) == ["train", "dev"]
    rows = Dataset.from_dict({"tokens": [["Oslo"]], "ner_tags": [["B-LOC"]]})
    assert list(load_corpus(DatasetDict({"train": rows, name: rows}))) == ["train", "dev"]


def test_two_splits_that_mean_dev(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="'validation', 'dev' mean the same"):
        load_corpus({"train": files["train"], "validation": files["dev"], "dev": files["dev"]})


def test_a_file_that_changed_within_its_time_and_size_is_read_again(tmp_path: Path, cache: str) -> None:
    path = tmp_path / "data.conll"
    path.write_text("Milo B-PER\n")
    before = path.stat()
    assert load_corpus(path, cache_dir=cache)["train"]["tokens"][0] == ["Milo"]
    path.write_text("Tess B-PER\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert load_corpus(path, cache_dir=cache)["train"]["tokens"][0] == ["Tess"]

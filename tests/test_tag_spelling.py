from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from toys import assert_one_line, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.tag_doubts import holds_numbers
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, same_line, span_share


def spelling(tags: str, **options: Any) -> TagSpelling:
    survey = TagSurvey("data", 1)
    survey.add(tags.split("|"), lambda: range(1, len(tags) + 1))
    return survey.spelling(ReadingOptions(**options))


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        ("B-PER|I-PER|O", "B-PER|I-PER|O"),
        ("B-per|I-per|O", "B-per|I-per|O"),  # labels in lower case are labels
        ("b-per|i-per|o", "B-PER|I-PER|O"),
        ("b-PER|i-PER|O", "B-PER|I-PER|O"),
        ("B-per|i-per|O", "B-per|I-per|O"),
        ("B_PER|I:PER|O", "B-PER|I-PER|O"),
        ("B_GPE-LOC|I_GPE-LOC|O", "B-GPE-LOC|I-GPE-LOC|O"),
        ("PER-B|PER-I|O", "B-PER|I-PER|O"),
        ("GPE-LOC-B|GPE-LOC-I|O", "B-GPE-LOC|I-GPE-LOC|O"),
        ("B_PER|I_PER", "B-PER|I-PER"),
        ("S_PER|0|U_PER", "S-PER|O|U-PER"),
        ('"B-PER" | "O"|\u00a0O', "B-PER|O|O"),
        ("B-PER|o|O|0", "B-PER|O|O|O"),
    ],
)
def test_spellings(tags: str, read: str) -> None:
    assert spelling(tags).read(tags.split("|")) == read.split("|")


def test_nothing_changes_where_nothing_need(tmp_path: Path) -> None:
    found = spelling("B-PER|O")
    tags = ["B-PER", "O"]
    assert found.read(tags) is tags and not found.changes


@pytest.mark.parametrize(
    "tags",
    ["N:G|N:S|V:I", "A_B|A_C|O", "B|I|O", "B-PER|_|-", "PER|O", "B_PER|C_PER|O", "O|-", "1|2|3", "(A*|*)|-"],
)
def test_what_is_in_doubt_is_asked(tags: str) -> None:
    with pytest.raises(InputError) as caught:
        spelling(tags)
    assert caught.value.fix


def test_each_change_has_its_count_and_first_line() -> None:
    changes = {kind: (count, line, tag) for kind, count, line, tag in spelling("B-PER|O| O|b-per|O |B_PER").changes}
    assert changes["blanks or invisible characters around tags, left out"] == (2, 3, " O")
    assert changes["tags in lower case, read as capitals"] == (1, 4, "b-per")
    assert changes["'_' between prefix and label, read as a hyphen"] == (1, 6, "B_PER")


def test_an_outside_that_does_not_occur() -> None:
    with pytest.raises(InputError, match="no word is tagged 'X'"):
        spelling("B-PER|O", outside="X")


def test_shares_and_numbers() -> None:
    assert span_share(Counter({"B-X": 1, "O": 2, "dog": 1})) == 0.75
    assert span_share(Counter({"O": 5})) == 0
    assert holds_numbers(["0.5", "1e-3", "12 %".replace(" ", ""), "_"]) and not holds_numbers(["1", "a"])
    assert same_line(3, 2) == [3, 3]


def test_many_different_tags_take_bounded_memory() -> None:
    survey = TagSurvey("data", 1)
    for start in range(0, 400_000, 1_000):
        survey.add([f"w{number}" for number in range(start, start + 1_000)], lambda: range(1_000))
    assert len(survey.first) <= 101_000
    with pytest.raises(InputError, match="are these words"):
        survey.spelling(ReadingOptions())


class TestDataSets:
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["o", "b-per", "i-per"]))})

    def test_names_are_spelt_as_in_files(self) -> None:
        rows = {"tokens": [["Tessa", "Ruiz", "left"]], "ner_tags": [[1, 2, 0]]}
        data = Dataset.from_dict(rows, features=self.features)
        corpus = load_corpus(data)
        assert corpus["train"][0]["tags"] == ["B-PER", "I-PER", "O"]
        assert any("lower case" in kind for kind in corpus.reports["train"].irregular)
        assert next(iter(load_corpus(data.to_iterable_dataset())["train"]))["tags"] == ["B-PER", "I-PER", "O"]

    def test_bare_labels_are_asked_about(self) -> None:
        data = Dataset.from_dict({"tokens": [["Tessa", "left"]], "ner_tags": [["PER", "O"]]})
        with pytest.raises(InputError, match="--scheme IO"):
            load_corpus(data)
        assert load_corpus(data, scheme="IO")["train"][0]["tags"] == ["B-PER", "O"]
        plain = Dataset.from_dict({"tokens": [["Tessa", "left"]], "pos_tags": [["N", "V"]]})
        assert load_corpus(plain)["train"][0]["tags"] == ["N", "V"]


def test_json_lines_are_spelt_as_columns(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"tokens": ["Tessa", "left"], "tags": ["B_PER", "0"]}))
    corpus = load_corpus(path, cache_dir=tmp_path / "cache")
    assert corpus["train"][0]["tags"] == ["B-PER", "O"] and corpus.reports["train"].irregular


def test_options_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("word,tag\nTessa,PER\nleft,X\n.,X\nMilo,PER\n")
    assert tagsmith("check", path).code == 1
    options = ["--separator", "comma", "--scheme", "IO", "--outside", "X", "--sentence-end", "auto"]
    outcome = tagsmith("check", path, *options, "--word-column", "word", "--tag-column", "tag")
    assert outcome.code == 0 and "2 sentences, 4 tokens, 2 spans" in outcome.out, outcome
    refused = tagsmith("train", "sample", "--train", path, "--output-dir", tmp_path / "out")
    assert_one_line(refused, path, "--scheme IO")  # its commas are seen
    refused = tagsmith("train", "sample", "--train", path, "--output-dir", tmp_path / "out", *options[:2])
    assert_one_line(refused, path, "--scheme IO")


def test_the_tag_of_a_span_is_not_outside() -> None:
    with pytest.raises(InputError, match=r"--outside B-PER \(outside='B-PER'\) is the tag of a word in a span"):
        ReadingOptions(outside="B-PER")
    assert ReadingOptions(outside="B").outside == "B"

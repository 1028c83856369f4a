from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from toys import tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.checks import check_files
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.label_map import read_map, similar_labels
from tagsmith.training.data.reading_options import ReadingOptions

CONLL = "Tessa B-PERSON\nRuiz I-PERSON\nsaw O\nOderau B-GPE\nVantor B-OTH\n"


@pytest.fixture
def conll(tmp_path: Path) -> Path:
    path = tmp_path / "data.conll"
    path.write_text(CONLL, encoding="utf-8")
    return path


def test_labels_are_mapped_and_dropped(conll: Path, tmp_path: Path) -> None:
    corpus = load_corpus(conll, map="PERSON=PER,GPE=LOC,OTH=", cache_dir=tmp_path / "cache")
    (row,) = corpus["train"]
    assert row["tags"] == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert [span["label"] for span in row["spans"]] == ["PER", "LOC"]
    report = corpus.reports["train"]
    assert (dict(report.labels), report.mapped) == ({"PER": 1, "LOC": 1}, {"PERSON": 1, "GPE": 1, "OTH": 1})
    assert "  mapped: PERSON 1, GPE 1, OTH 1" in report.lines()
    assert load_corpus(conll, cache_dir=tmp_path / "cache")["train"][0]["tags"][0] == "B-PERSON"  # another corpus


def test_json_lines_and_data_sets(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"text": "Milo", "spans": [{"start": 0, "end": 4, "label": "a=b,c"}]}))
    names = tmp_path / "names.yaml"
    names.write_text('"a=b,c": PER\n')
    assert load_corpus(path, map=str(names))["train"][0]["spans"][0]["label"] == "PER"
    data = Dataset.from_dict({"tokens": [["Milo"], ["Tessa"]], "tags": [["B-A"], ["B-B"]]})
    corpus = load_corpus(data, map={"A": "PER", "B": None})
    assert corpus["train"]["tags"][:] == [["B-PER"], ["O"]]
    assert corpus.reports["train"].mapped == {"A": 1, "B": 1}


def test_plain_tags_are_mapped_and_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "pos.txt"
    path.write_text("Milo NNP\nsat VBD\n")
    assert load_corpus(path, scheme="plain", map="NNP=N")["train"][0]["tags"] == ["N", "VBD"]
    with pytest.raises(InputError, match="'NNP' cannot be dropped"):
        load_corpus(path, scheme="plain", map="NNP=")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("PERSON", "not OLD=NEW"),
        ("=PER", "not OLD=NEW"),
        ("A=B=C", "not OLD=NEW"),
        ("A=B,", "not OLD=NEW"),
        ("A=B,A=C", "mapped twice"),
        ("A=B,B=C", "'A' is mapped to 'B', and that to 'C'"),
        ("A=B,B=", "and that to 'nothing'"),
        ("A=B,B=A", "is mapped to"),
        ({"A": 3}, "not a label"),
        ("nowhere.yaml", "cannot be read"),
    ],
)
def test_bad_maps(value: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        ReadingOptions(map=value)


def test_a_file_that_maps_a_label_twice_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("A: B\nC: D\nA: E\n")
    with pytest.raises(InputError, match=r"map\.yaml:3:1: the key 'A' is given twice"):
        read_map(path)
    path.write_text("no: LOC\nyes: ''\non:\n")
    assert read_map(path) == {"no": "LOC", "yes": "", "on": ""}


def test_a_label_that_does_not_occur_is_an_error(conll: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'PERSN', which does not occur. Did you mean 'PERSON'"):
        load_corpus(conll, map="PERSN=PER", cache_dir=tmp_path / "cache")
    assert any("'PERSN'" in error for error in check_files([conll], ReadingOptions(map="PERSN=PER")).errors)
    other = tmp_path / "dev.conll"
    other.write_text("Milo B-PERSON\n")
    files = {"train": conll, "dev": other}
    assert load_corpus(files, map="GPE=LOC", cache_dir=tmp_path / "cache")["dev"].num_rows == 1  # one has it


def test_labels_that_look_alike_are_said_with_what_joins_them(tmp_path: Path) -> None:
    nfd = unicodedata.normalize("NFD", "Pérs")
    (warning,) = similar_labels({"PER": 5, "Per": 2, "PER ": 1, "Pérs": 3, nfd: 1, "LOC": 4})
    assert f"--map 'Per=PER,PER =PER,{nfd}=Pérs'" in warning
    assert read_map(f"Per=PER,PER =PER,{nfd}=Pérs") == {"Per": "PER", "PER ": "PER", nfd: "Pérs"}
    assert similar_labels({"PER": 1, "LOC": 1}) == []
    (warning,) = similar_labels({"a,b": 2, "A,b": 1})
    assert "--map FILE.yaml" in warning
    train, dev = tmp_path / "train.conll", tmp_path / "dev.conll"
    train.write_text("Milo B-PER\nsat O\n")
    dev.write_text("Milo B-Per\nsat O\n")
    assert any("--map Per=PER" in warning for warning in check_files([train, dev]).warnings)


def test_evaluate_names_the_labels_of_both_sides(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "test.conll"
    path.write_text("Milo B-PERSON\nsat O\n")
    outcome = tagsmith("evaluate", tiny_folder, path)
    assert outcome.code == 2
    assert "this file has the labels PERSON, none of which the tagger knows (LOC, PER)" in outcome.err
    path.write_text("Milo B-PER\nVantor B-ORG\n")
    outcome = tagsmith("evaluate", tiny_folder, path)
    assert outcome.code == 0
    assert "the tagger does not have the labels ORG" in outcome.err
    assert "the file does not have LOC" in outcome.err
    assert "warning" not in tagsmith("evaluate", tiny_folder, path, "--map", "ORG=LOC").err

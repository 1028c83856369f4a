from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.json_lines import read_json_lines
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

ADA = {"text": "Ada Lovelace, London", "spans": [{"start": 0, "end": 12, "label": "PER"}]}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def read(path: Path, **options: Any) -> tuple[list[Sentence], Report]:
    report = Report()
    return list(read_json_lines(path, ReadingOptions(**options), report)), report


def test_text_and_spans(tmp_path: Path) -> None:
    (first, second), report = read(write(tmp_path, ADA, "", {"text": "", "spans": []}))
    assert (first.text, first.raw, first.tokens) == (ADA["text"], True, [])
    assert first.spans == [(0, 12, "PER")]
    assert (second.document, second.line) == (1, 3)
    assert (report.sentences, report.labels["PER"], report.scheme) == (2, 1, "")
    assert "JSON lines, character spans" in report.lines()[0]


def test_tokens_and_tags(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ada", "Lovelace"], "tags": ["B-PER", "E-PER"], "document": "a"},
        {"tokens": ["in", "London"], "tags": ["O", "S-LOC"], "text": "in  London", "document": "a", "id": 7},
        {"tokens": [], "tags": [], "text": " ", "document": "b"},
    ]
    (first, second, third), report = read(write(tmp_path, *rows))
    assert (first.text, first.raw, first.tags) == ("Ada Lovelace", False, ["B-PER", "I-PER"])
    assert (second.raw, second.spans) == (True, [(4, 10, "LOC")])
    assert [first.document, second.document, third.document] == [0, 0, 1]
    assert report.scheme == "BIOES"
    assert report.notes["key 'id' left aside"].line == 2


def test_all_four_must_agree(tmp_path: Path) -> None:
    row = {**ADA, "tokens": ["Ada", "Lovelace", ",", "London"], "tags": ["B-PER", "I-PER", "O", "O"]}
    (sentence,), _ = read(write(tmp_path, row))
    assert sentence.starts == [0, 4, 12, 14]
    with pytest.raises(InputError, match="disagree"):
        read(write(tmp_path, {**row, "tags": ["B-PER", "I-PER", "O", "B-LOC"]}))


def test_text_that_does_not_fit_the_tokens(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "A  b", "tokens": ["a", "b"], "tags": ["O", "O"]})
    (sentence,), report = read(path)
    assert (sentence.text, sentence.raw, len(report.irregular)) == ("a b", False, 1)
    with pytest.raises(InputError, match="does not fit"):
        read(path, on_error="raise")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("{", "no JSON"),
        ("[1]", "not an object"),
        ({}, "no text and spans"),
        ({"text": "a"}, "no text and spans"),
        ({"tokens": ["a"]}, "no text and spans"),
        ({"text": 3, "spans": []}, "not a string"),
        ({"tokens": ["a"], "tags": ["O", "O"]}, "1 tokens and 2 tags"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, "'tokens'"),
        ({"tokens": "ab", "tags": ["O", "O"]}, "'tokens'"),
        ({"tokens": ["a"], "tags": [3]}, "'tags'"),
        ({"tokens": ["a", "b"], "tags": ["O", "Q-X"]}, "'Q-X'"),
        ({"text": "a", "spans": [{"start": 0, "end": 2, "label": "X"}]}, "outside a text of 1"),
        ({"text": "a", "spans": [{"start": 0, "end": 0, "label": "X"}]}, "empty"),
        ({"text": "ab", "spans": [{"start": -1, "end": 1, "label": "X"}]}, "outside"),
        ({"text": "ab", "spans": [{"start": 0, "end": True, "label": "X"}]}, "not two numbers"),
        ({"text": "ab", "spans": [{"start": 0, "end": 1, "label": ""}]}, "not two numbers"),
        ({"text": "ab", "spans": [[0, 1, "X"]]}, "start, end and label"),
        ({"text": "ab", "spans": 5}, "start, end and label"),
        ({"text": "abc", "spans": [{"start": s, "end": s + 2, "label": "X"} for s in (0, 1)]}, "overlaps"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, row: Any, found: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, ADA, row))
    assert caught.value.line == 2 and caught.value.fix
    assert found in str(caught.value)


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        read(write(tmp_path, ""))
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.jsonl")


def test_half_a_character_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "half.jsonl"
    path.write_text(
        '{"text": "a \\ud83d\\ude42", "spans": []}\n{"text": "a \\ud83d", "spans": []}\n', encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"half.jsonl:2:13: \\ud83d is half a character"):
        list(read_json_lines(path))

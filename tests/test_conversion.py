"""Annotated data to other formats and back: nothing is lost, or it is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import assert_one_line, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.conversion import TARGETS, convert_file
from tagsmith.training.data.formats.annotated_text import whole_texts
from tagsmith.training.data.reading_options import ReadingOptions

Row = dict[str, Any]

ALPHABET = "abAB .,\n-\u00e9\u05d0\u4e2d\U0001f642"
# Marks of the formats themselves, and what some readers take for the end of a line.
MARKS = "\t\"'#\\<&|;:_[]{}%\u2028\x85\r\x0b\xa0\u200d"


@st.composite
def texts(draw: st.DrawFn, alphabet: str = ALPHABET) -> list[Row]:
    """Rows of text and spans as JSON lines have them; no line end at an end of a span or text."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.text(alphabet=alphabet, min_size=1, max_size=25)).strip("\n") or "x"
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
        spans = [
            {"start": start, "end": end, "label": draw(st.sampled_from(["PER", "LOC"])), "score": draw(SCORES)}
            for start, end in pairwise(cuts)
            if "\n" not in (text[start], text[end - 1]) and draw(st.booleans())
        ]
        rows.append({"text": text, "spans": spans})
    return rows


SCORES = st.sampled_from([0.25, 0.5, 1.0])


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def contents(path: Path, **options: Any) -> list[tuple[str, list[tuple[int, int, str]]]]:
    sentences = open_sentences(path, ReadingOptions(inside_words=True, **options))
    return [(text.text, text.spans) for text in whole_texts(sentences)]


def as_corrected(path: Path, target: str) -> None:
    """What each tool makes of a task once a person has accepted all of it."""
    if target == "label-studio":
        tasks = json.loads(path.read_text(encoding="utf-8"))
        for task in tasks:
            task["annotations"] = [{"result": task.pop("predictions")[0]["result"], "was_cancelled": False}]
        path.write_text(json.dumps(tasks), encoding="utf-8")
    elif target == "prodigy":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        write(path, [{**row, "answer": "accept", "_task_hash": 1} for row in rows])


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "columns"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.one_of(texts(), texts(ALPHABET + MARKS)))
def test_there_and_back(target: str, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("round")
    source = write(folder / "in.jsonl", rows)
    output = folder / {"brat": "out", "label-studio": "out.json"}.get(target, "out.jsonl")
    result = convert_file(source, output, target, ReadingOptions(inside_words=True))
    assert not result.notes
    as_corrected(output, target)
    expected = [(row["text"], [(s["start"], s["end"], s["label"]) for s in row["spans"]]) for row in rows]
    assert contents(source) == expected
    # Without a row that has a label nothing tells doccano's rows from others but the key.
    assert contents(output) == expected
    again = folder / "again.jsonl"
    convert_file(output, again, "jsonl", ReadingOptions(inside_words=True))
    assert contents(again) == expected


WORDS = st.text(
    alphabet=(ALPHABET + MARKS).translate(dict.fromkeys(map(ord, " \n\t\u2028\x85\r\x0b\xa0"))), min_size=1
)
TAGS = ["O", "B-PER", "B-LOC", "B-a b"]


@st.composite
def sentences(draw: st.DrawFn) -> list[Row]:
    """Rows of words and tags, of documents, as JSON lines have them."""
    rows, document = [], 0
    for _ in range(draw(st.integers(1, 5))):
        words = draw(st.lists(WORDS.filter(lambda word: word.isprintable()), min_size=1, max_size=5))
        tags: list[str] = []
        for _word in words:
            inside = [f"I-{tags[-1][2:]}"] if tags and tags[-1] != "O" else []
            tags.append(draw(st.sampled_from([*TAGS, *inside])))
        document += draw(st.integers(0, 1))
        rows.append({"document": document, "tokens": words, "tags": tags})
    return rows


@pytest.mark.parametrize("target", ["columns", "jsonl"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=sentences())
def test_words_there_and_back(target: str, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Words, their spans and documents."""
    folder = tmp_path_factory.mktemp("round")
    rows.append({"document": rows[-1]["document"], "tokens": ["Tessa", "left"], "tags": ["B-PER", "O"]})
    source, output = write(folder / "in.jsonl", rows), folder / {"columns": "out.conll", "jsonl": "out.jsonl"}[target]
    result = convert_file(source, output, target)
    assert not result.notes
    read = [[(s.tokens, s.tags) for s in open_sentences(path, ReadingOptions())] for path in (source, output)]
    assert read[0] == read[1] == [(row["tokens"], row["tags"]) for row in rows]
    documents = [[s.document for s in open_sentences(path, ReadingOptions())] for path in (source, output)]
    starts = [[place for place, pair in enumerate(pairwise(own)) if pair[0] != pair[1]] for own in documents]
    assert starts[0] == starts[1]


@settings(max_examples=60, deadline=None)
@given(rows=texts())
def test_columns_there_and_back(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("round")
    rows = [{**row, "text": row["text"].replace("\n", "-")} for row in rows]
    rows.append({"text": "Tessa left", "spans": [{"start": 0, "end": 5, "label": "PER"}]})
    source, output = write(folder / "in.jsonl", rows), folder / "out.conll"
    result = convert_file(source, output, options=ReadingOptions(inside_words=True))
    if set(result.notes) - {"words that are cut, because a span begins or ends inside"}:
        return  # blanks at an end, which columns cannot hold, and the command counts
    expected = [(row["text"], [(s["start"], s["end"], s["label"]) for s in row["spans"]]) for row in rows]
    assert contents(output) == [row for row in expected if row[0].strip()]


def test_scores_reach_the_tools(tmp_path: Path) -> None:
    entity = {"entity_group": "PER", "score": 0.75, "word": "Tessa", "start": 0, "end": 5}
    source = write(tmp_path / "tagged.jsonl", [{"text": "Tessa left", "entities": [entity]}])
    for target in TARGETS[2:]:
        convert_file(source, tmp_path / target, target)
    (task,) = json.loads((tmp_path / "label-studio").read_text(encoding="utf-8"))
    prediction = task["predictions"][0]
    assert prediction["score"] == prediction["result"][0]["score"] == 0.75
    assert prediction["result"][0]["value"] == {"start": 0, "end": 5, "text": "Tessa", "labels": ["PER"]}
    assert json.loads((tmp_path / "doccano").read_text(encoding="utf-8")) == {
        "text": "Tessa left",
        "label": [[0, 5, "PER"]],
        "scores": [0.75],
    }
    row = json.loads((tmp_path / "prodigy").read_text(encoding="utf-8"))
    assert row["spans"] == [{"start": 0, "end": 5, "label": "PER", "score": 0.75}] and row["meta"] == {"score": 0.75}
    annotation = (tmp_path / "brat" / "000001.ann").read_text(encoding="utf-8")
    assert annotation == "T1\tPER 0 5\tTessa\n#1\tAnnotatorNotes T1\tscore 0.7500\n"
    assert "[entities]\nPER\n" in (tmp_path / "brat" / "annotation.conf").read_text(encoding="utf-8")


def test_columns_with_raw_text(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [{"text": "Tessa  left.", "spans": [{"start": 0, "end": 3, "label": "X"}]}])
    result = convert_file(source, tmp_path / "a.conll")
    assert (tmp_path / "a.conll").read_text(encoding="utf-8") == (
        "# newdoc id = 0\n# text = Tessa  left.\n1\tTes\tB-X\n2\tsa\tO\n3\tleft\tO\n4\t.\tO\n\n"
    )
    assert result.notes == {"words that are cut, because a span begins or ends inside": 1}


def test_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("Tessa B-PER\nleft O\n\nLund B-LOC\n", encoding="utf-8")
    convert_file(path, tmp_path / "b.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows == [
        {"document": 0, "tokens": ["Tessa", "left"], "tags": ["B-PER", "O"]},
        {"document": 0, "tokens": ["Lund"], "tags": ["B-LOC"]},
    ]
    assert contents(tmp_path / "b.jsonl") == contents(path)


def correct(folder: Path, tiny_folder: Path, target: str) -> Iterator[Any]:
    tagged, tasks = folder / "tagged.jsonl", folder / f"{target}.json"
    text = b"Ada Lovelace lived in London .\nIt rains in 1843 .\n"
    yield tagsmith("tag", tiny_folder, "-", "--format", "jsonl", "--output", tagged, stdin=text)
    yield tagsmith("convert", tagged, tasks, "--to", target)
    as_corrected(tasks, target)
    yield tagsmith("check", tagged, tasks)


@pytest.mark.parametrize("target", ["label-studio", "doccano", "prodigy"])
def test_correcting_a_taggers_work(target: str, tiny_folder: Path, tmp_path: Path) -> None:
    outcomes = list(correct(tmp_path, tiny_folder, target))
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    assert "2 documents, 2 spans" in outcomes[1].err


def test_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [{"text": "Tessa", "spans": [{"start": 0, "end": 5, "label": "A B"}]}])
    assert_one_line(tagsmith("convert", source, tmp_path / "out.xyz"), "--to", "label-studio")
    assert_one_line(tagsmith("convert", source, tmp_path / "out", "--to", "word"), "'word'")
    assert_one_line(tagsmith("convert", source, source), "already")
    assert_one_line(tagsmith("convert", source, tmp_path / "none" / "a.conll"), "no folder")
    assert_one_line(tagsmith("convert", tmp_path / "none", tmp_path / "a.conll"), "none")
    assert_one_line(tagsmith("convert", source, tmp_path / "out", "--to", "brat"), "--map 'A B=A_B'")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"], "nothing is left half written"
    with pytest.raises(InputError, match="no format"):
        convert_file(source, tmp_path / "out", "spacy")

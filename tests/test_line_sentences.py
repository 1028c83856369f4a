from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tagsmith.tokenization.words import iterate_sentences
from tagsmith.training.batches.byte_corpus import ByteCorpus, documents
from tagsmith.training.batches.preparation import prepare_sentence
from tagsmith.training.data.column_corpus import sentence_row
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.json_lines import read_json_lines
from tagsmith.training.data.line_sentences import ACROSS_LINES, split_lines
from tagsmith.training.data.reading_report import Report, Sentence


def read(folder: Path, *rows: Any) -> tuple[list[Sentence], Report]:
    path, report = folder / "data.jsonl", Report()
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return list(read_json_lines(path, report=report)), report


def spans(*found: tuple[int, int, str]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in found]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n\r", "\r\r\n\n"])
def test_each_line_is_a_sentence_with_its_own_offsets(tmp_path: Path, end: str) -> None:
    text = f"Tessa left.{end}Milo stayed in Oderau."
    at = text.index("Oderau")
    lines, report = read(tmp_path, {"text": text, "spans": spans((0, 5, "PER"), (at, at + 6, "LOC"))})
    assert [line.text for line in lines] == ["Tessa left.", "Milo stayed in Oderau."]
    assert [line.spans for line in lines] == [[(0, 5, "PER")], [(15, 21, "LOC")]]
    assert [line.after for line in lines] == [end, "\n"]
    assert {line.document for line in lines} == {0}
    assert (report.sentences, report.documents, report.irregular) == (2, 1, {})


@pytest.mark.parametrize("other", ["\v", "\f", "\x85", "\u2028", "\u2029", "\x1c", "\x1e"])
def test_nothing_else_ends_a_line(tmp_path: Path, other: str) -> None:
    lines, report = read(tmp_path, {"text": f"Tessa{other}Milo", "spans": []})
    assert (len(lines), report.sentences) == (1, 1)


def test_a_span_across_a_line_end_is_counted_and_named(tmp_path: Path) -> None:
    row = {"text": "Yesterday Tessa\nRuiz left.\nBye.", "spans": spans((10, 20, "PER"))}
    lines, report = read(tmp_path, row, row)
    finding = report.irregular[ACROSS_LINES]
    assert (finding.count, finding.line, finding.found) == (2, 1, "PER 'Tessa\\nRuiz'")
    assert (report.sentences, report.spans) == (6, 2)
    rows = [sentence_row(line) for line in lines]
    assert all(set(prepare_sentence(row, "words", "IOB2").tags) == {"O"} for row in rows)  # not half a span
    document, _ = documents(rows)
    assert document.text == row["text"]
    assert document.spans == [(10, 20, "PER")]
    corpus = ByteCorpus.of(rows, ["PER"])
    assert (corpus.starts.tolist(), corpus.ends.tolist()) == ([10, 41], [20, 51])
    assert [part.spans for part in documents(rows[:2], by_line=True)] == [[(10, 20, "PER")], []]


def test_tokens_go_with_their_lines(tmp_path: Path) -> None:
    tokens = ["Tessa", "left", "\r\n", "Milo", "Ruiz", "\n", "Bye"]
    tags = ["B-PER", "O", "O", "B-PER", "I-PER", "I-PER", "I-PER"]
    text = "Tessa left\r\nMilo Ruiz\nBye"
    lines, report = read(tmp_path, {"text": text, "tokens": tokens, "tags": tags})
    assert [line.tokens for line in lines] == [["Tessa", "left"], ["Milo", "Ruiz"], ["Bye"]]
    assert [line.tags for line in lines] == [["B-PER", "O"], ["O", "O"], ["O"]]
    assert (lines[1].starts, lines[1].ends) == ([0, 5], [4, 9])
    assert report.irregular[ACROSS_LINES].count == 1
    assert report.notes["tokens of line ends alone, left aside"].count == 2


def test_a_token_with_a_line_end_inside_keeps_the_sentence_whole(tmp_path: Path) -> None:
    lines, report = read(tmp_path, {"text": "a\nb c", "tokens": ["a\nb", "c"], "tags": ["B-X", "O"]})
    assert [(line.raw, line.tokens) for line in lines] == [(False, ["a\nb", "c"])]
    assert len(report.notes) == 1


def test_data_sets_are_read_alike() -> None:
    data = Dataset.from_dict(
        {"text": ["Milo\nTessa left"], "tokens": [["Milo", "Tessa", "left"]], "tags": [["O"] * 3]}
    )
    corpus = load_corpus(data)
    assert corpus["train"]["text"][:] == ["Milo", "Tessa left"]
    assert corpus.reports["train"].sentences == 2


@given(st.text(alphabet="ab \n\r\x85\u2028\U0001f642", max_size=30), st.data())
def test_lines_are_those_of_tagging_and_hold_the_whole_text(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    found = [(start, end, "X") for start, end in zip(places[::2], places[1::2], strict=False)]
    report = Report()
    whole = Sentence(0, text, True, [], [], [], [], found, 1)
    rows = [sentence_row(line) for line in split_lines(whole, report)]
    (document,) = documents(rows)
    assert (document.text, document.spans) == (text, found)
    words = [[word.text for word in line] for line in iterate_sentences(text, "words", 500)]
    prepared = [prepare_sentence(row, "words", "IOB2").words for row in rows]
    assert [line for line in prepared if line] == words

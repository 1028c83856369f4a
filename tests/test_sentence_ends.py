from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence


def read(path: Path, content: str, **options: Any) -> tuple[list[Sentence], Report]:
    path.write_text(content, encoding="utf-8")
    report = Report()
    return list(read_sentences(path, ReadingOptions(**options), report)), report


@pytest.mark.parametrize("mark", [".", "!", "?", "\u3002", "\u0964", "\u061f", "\u06d4", "\uff01"])
def test_after_marks_of_many_scripts(tmp_path: Path, mark: str) -> None:
    content = f"Tessa B-PER\nRuiz I-PER\n{mark} O\nin O\nOderau B-LOC\n"
    (first, second), report = read(tmp_path / "data", content, sentence_end="auto")
    assert (first.text, first.spans, first.line) == (f"Tessa Ruiz {mark}", [(0, 10, "PER")], 1)
    assert (second.text, second.spans, second.line) == ("in Oderau", [(3, 9, "LOC")], 4)
    assert second.tags == ["O", "B-LOC"] and (second.starts, second.ends) == ([0, 3], [2, 9])
    assert (report.sentences, report.tokens) == (2, 5)
    assert (first.after, second.after) == (" ", "\n")


def test_never_inside_a_span_or_a_multiword_token(tmp_path: Path) -> None:
    content = "Dr B-PER\n. I-PER\nRuiz I-PER\n. O\nYahoo B-ORG\n! I-ORG\n"
    sentences, _ = read(tmp_path / "data", content, sentence_end="auto")
    assert [sentence.text for sentence in sentences] == ["Dr . Ruiz .", "Yahoo !"]
    content = "1\ta\tO\n2-3\t.b\tO\n2\t.\tO\n3\tb\tO\n4\tc\tO\n5\t.\tO\n6\td\tO\n"
    sentences, _ = read(tmp_path / "data", content, sentence_end=".")
    assert [sentence.tokens for sentence in sentences] == [["a", ".", "b", "c", "."], ["d"]] or [
        sentence.text for sentence in sentences
    ] == ["a .", "b c .", "d"]


def test_named_words_plain_tags_and_raw_text(tmp_path: Path) -> None:
    sentences, _ = read(tmp_path / "data", "a X\n; Y\nb X\n. Y\nc X\n", sentence_end="; :", scheme="plain")
    assert [sentence.tokens for sentence in sentences] == [["a", ";"], ["b", ".", "c"]]
    assert sentences[1].spans == [(0, 1, "X"), (2, 3, "Y"), (4, 5, "X")]
    sentences, _ = read(tmp_path / "data", "# text = Hi.  Bye!\nHi B-X\n. O\nBye B-X\n! O\n", sentence_end="auto")
    assert [(sentence.text, sentence.spans) for sentence in sentences] == [
        ("Hi.", [(0, 2, "X")]),
        ("Bye!", [(0, 3, "X")]),
    ]


def test_blank_lines_that_are_missing_are_reported(tmp_path: Path) -> None:
    rows = "a O\nb B-X\n. O\n"
    for content, sentences in ((rows * 300, 1), ((rows * 200 + "\n") * 3, 3)):
        _, report = read(tmp_path / "data", content)
        (finding,) = report.irregular.values()
        assert finding.count == sentences and "--sentence-end auto" in "".join(report.irregular)
        assert not read(tmp_path / "data", content, sentence_end="auto")[1].irregular
    for content in (rows * 100, (rows + "\n") * 1_000):
        assert not read(tmp_path / "data", content)[1].irregular

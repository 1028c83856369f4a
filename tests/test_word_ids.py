from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report
from tagsmith.training.data.word_ids import count_with_marks

WORDS = ["Ada", "lives", "in", "Lund", "."]
TAGS = ["B-PER", "O", "O", "B-LOC", "O"]


def written(path: Path, ids: list[str], column: str = "", misread: str = "") -> Path:
    """Six sentences whose rows begin with ids; one id of the second may be misread."""
    lines = []
    for number in range(6):
        own = [misread if misread and (number, place) == (1, 2) else own for place, own in enumerate(ids)]
        rows = zip([id_.replace("S", str(number + 1)) for id_ in own], WORDS, TAGS, strict=True)
        lines += ["\t".join([id_, word, *([column] if column else []), tag]) for id_, word, tag in rows] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "pattern", ["{}.", "{})", "({})", "[{}]", "{}:", "w{}", "S.{}", "S-{}", "S_{}", "sS-t{}", "{}.0"]
)
@pytest.mark.parametrize("column", ["", "NOUN"])
@pytest.mark.parametrize("misread", ["", "l.", "?"])
def test_ids_with_marks_are_asked_about(pattern: str, column: str, misread: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.conll", [pattern.format(number) for number in range(1, 6)], column, misread)
    with pytest.raises(InputError, match=r"a\.conll:1:1: the first column counts.*--word-column 1"):
        open_sentences(path)
    sentences = list(open_sentences(path, ReadingOptions(word_column=1)))
    assert [sentence.tokens for sentence in sentences] == [WORDS] * 6
    assert {label for sentence in sentences for _, _, label in sentence.spans} == {"PER", "LOC"}


@pytest.mark.parametrize(
    "ids", [["10", "20", "30", "40", "50"], ["2", "4", "6", "8", "10"], ["5", "4", "3", "2", "1"]]
)
@pytest.mark.parametrize("misread", ["", "3O", "l"])
def test_ids_that_rise_otherwise_are_asked_about(ids: list[str], misread: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.conll", ids, "", misread)
    with pytest.raises(InputError, match="the first column counts"):
        open_sentences(path)


@pytest.mark.parametrize("misread", ["l", "3O", "8", "2"])
def test_one_misread_id_names_its_line(misread: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.conll", ["1", "2", "3", "4", "5"], "", misread)
    with pytest.raises(InputError, match=r"a\.conll:(9|10):1: "):
        list(open_sentences(path))


@pytest.mark.parametrize(
    "first",
    [
        ["1", "2", "3"],
        ["1-2", "1", "2", "3", "3.1"],
        ["A1", "B2", "C3"],
        ["the", "2nd", "of"],
        ["1."],
        ["9.5", "3.1", "8.2"],
    ],
)
def test_what_does_not_count(first: list[str]) -> None:
    assert not count_with_marks(first)


def test_json_lines_by_another_name_are_noted(tmp_path: Path) -> None:
    content = '{"text": "In Lund", "spans": [{"start": 3, "end": 7, "label": "LOC"}]}\n'
    for name, noted in (("a.txt", True), ("a.json", True), ("a", True), ("a.jsonl", False), ("a.NDJSON", False)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        report = Report()
        assert len(list(open_sentences(tmp_path / name, report=report))) == 1
        assert any("read as JSON lines" in kind for kind in report.notes) == noted
        assert any("read as JSON lines" in line for line in report.lines()) == noted

"""Parquet, Arrow folders and CSV files with lists of words and tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.reading_options import ReadingOptions

pytestmark = pytest.mark.usefixtures("datasets_cache")
WORDS = [["Tessa", "Ruiz", "left"], ["Lund"]]
NUMBERS = [[1, 2, 0], [3]]
NAMES = ["O", "B-PER", "I-PER", "B-LOC"]
EXPECTED = [[(0, 10, "PER")], [(0, 4, "LOC")]]


def table(tags: Any = NUMBERS, inner: Any = None, words: str = "tokens") -> Dataset:
    inner = ClassLabel(names=NAMES) if inner is None else inner
    features = Features({"id": Value("string"), words: List(Value("string")), "ner_tags": List(inner)})
    return Dataset.from_dict({"id": ["0", "1"], words: WORDS, "ner_tags": tags}, features=features)


def spans(path: Path, **options: Any) -> list[list[tuple[int, int, str]]]:
    return [sentence.spans for sentence in open_sentences(path, ReadingOptions(**options))]


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table().to_parquet(tmp_path / "a.parquet")
    table().to_parquet(tmp_path / "named.otherwise")
    table().save_to_disk(tmp_path / "folder")
    DatasetDict({"train": table(), "dev": table()}).save_to_disk(tmp_path / "splits")
    (tmp_path / "parts").mkdir()
    for number in range(2):
        table().select([number]).to_parquet(tmp_path / "parts" / f"train-0000{number}-of-00002.parquet")
    for name in ("a.parquet", "named.otherwise", "folder", "folder/data-00000-of-00001.arrow", "splits/dev", "parts"):
        assert spans(tmp_path / name) == EXPECTED, name
    corpus = load_corpus({"train": tmp_path / "folder", "dev": tmp_path / "a.parquet"})
    assert [len(rows) for rows in corpus.values()] == [2, 2]
    assert corpus.reports["dev"].labels == {"PER": 1, "LOC": 1}
    assert len(list(load_corpus(tmp_path / "a.parquet", streaming=True)["train"])) == 2
    assert tagsmith("check", tmp_path / "folder").code == 0
    with pytest.raises(InputError, match=r"a folder of 2 splits.*splits/train"):
        spans(tmp_path / "splits")


def test_an_edited_folder_is_read_again(tmp_path: Path) -> None:
    table().to_parquet(tmp_path / "train-0.parquet")
    assert len(load_corpus(tmp_path)["train"]) == 2
    table().to_parquet(tmp_path / "train-1.parquet")
    assert len(load_corpus(tmp_path)["train"]) == 4
    table().to_parquet(tmp_path / "test-0.parquet")
    with pytest.raises(InputError, match="files of 2 splits: test, train"):
        load_corpus(tmp_path)


def test_strings_and_other_names_of_columns(tmp_path: Path) -> None:
    tags = [[NAMES[number] for number in row] for row in NUMBERS]
    table(tags, Value("string")).to_parquet(tmp_path / "a.parquet")
    table(tags, Value("string"), words="forms").rename_column("ner_tags", "entities").to_parquet(
        tmp_path / "b.parquet"
    )
    assert spans(tmp_path / "a.parquet") == EXPECTED
    assert spans(tmp_path / "b.parquet", word_column="forms", tag_column="entities") == EXPECTED
    for options, fix in (({}, "--word-column"), ({"word_column": "forms"}, "--tag-column")):
        with pytest.raises(InputError, match=fix):
            spans(tmp_path / "b.parquet", **options)


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(NAMES) + "\n",
        json.dumps(NAMES),
        json.dumps(dict(enumerate(NAMES))),
        json.dumps({name: number for number, name in enumerate(NAMES)}),
        json.dumps({"model_type": "x", "id2label": dict(enumerate(NAMES))}, indent=1),
    ],
)
def test_numbers_with_names_in_a_file(tmp_path: Path, content: str) -> None:
    names, path = tmp_path / "names.txt", tmp_path / "a.parquet"
    names.write_text(content, encoding="utf-8")
    table(inner=Value("int64")).to_parquet(path)
    assert spans(path, tag_names=names) == EXPECTED
    with pytest.raises(InputError, match=r"ints without names.*--tag-names"):
        spans(path)
    assert tagsmith("check", path, "--tag-names", names).code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("O\nB-PER\n", "the tag 2, and there are 2 names"),
        ("O\nO\n", "given twice"),
        ("O\n\nB-PER\n", "empty"),
        ('{"1": "O", "2": "X"}', "do not rise from 0"),
        ("", "no list of names"),
        ("[1, 2]", "no list of names"),
    ],
)
def test_names_that_do_not_fit(tmp_path: Path, content: str, said: str) -> None:
    names, path = tmp_path / "names.txt", tmp_path / "a.parquet"
    names.write_text(content, encoding="utf-8")
    table(inner=Value("int64")).to_parquet(path)
    with pytest.raises(InputError, match=said):
        spans(path, tag_names=names)


def test_csv_of_datasets(tmp_path: Path) -> None:
    path, names = tmp_path / "a.csv", tmp_path / "names.txt"
    table().to_csv(path)  # as NumPy writes lists, with blanks alone
    names.write_text("\n".join(NAMES), encoding="utf-8")
    assert spans(path, tag_names=names) == EXPECTED
    assert tagsmith("check", path, "--tag-names", names).code == 0


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.lists(st.text("ab'\", \\[]\u00e9", min_size=1, max_size=4), min_size=1, max_size=4), min_size=1),
    style=st.sampled_from(["json", "python", "numpy"]),
)
def test_csv_lists(rows: list[list[str]], style: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write = {"json": json.dumps, "python": str, "numpy": lambda row: "[" + " ".join(map(repr, row)) + "]"}[style]
    lines = ["tokens,ner_tags"]
    for row in rows:
        cells = (write(row).replace('"', '""'), write(["B-X", *["O"] * (len(row) - 1)]).replace('"', '""'))
        lines.append(",".join(f'"{cell}"' for cell in cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [sentence.tokens for sentence in open_sentences(path)] == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('tokens,ner_tags\n"[""a""]","[""B-X""]"\n"[\'a\' ...]","[""O""]"\n', ":3: a cell that is no list"),
        ('tokens,ner_tags\n"[""a""]","[""B-X""]"\n"[""a""]"\n', ":3: 1 cells"),
        ('tokens,ner_tags\n"[""a""]","[""B-X"", ""O""]"\n', "1 tokens and 2 tags"),
    ],
)
def test_csv_that_is_damaged(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        spans(path)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        spans(path)
    (tmp_path / "b.arrow").write_bytes(b"ARROW1\0\0 nonsense")
    with pytest.raises(InputError, match="cannot be read as Arrow"):
        spans(tmp_path / "b.arrow")


def test_csv_with_a_word_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('Sentence #,Word,Tag\n1,Tessa,B-PER\n,left,O\n2,"Lund, old",B-LOC\n', encoding="utf-8")
    assert spans(path) == [[(0, 5, "PER")], [(0, 9, "LOC")]], "the file's name says what separates its columns"
    path.rename(tmp_path / "a.conll")
    with pytest.raises(InputError, match="--separator comma"):
        spans(tmp_path / "a.conll")

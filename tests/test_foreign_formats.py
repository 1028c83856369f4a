from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences

ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as archive:
    archive.writestr("xl/workbook.xml", "<workbook/>")

OTHERS: dict[str, tuple[bytes, str]] = {
    "a spreadsheet": (ZIP.getvalue(), "spreadsheet"),
    "gzip": (gzip.compress(b"Tessa B-PER\n"), "gzip"),
    "Parquet": (b"PAR1\x15\x04", "Parquet"),
    "Arrow": (b"ARROW1\0\0", "Arrow"),
    "an Arrow stream": (b"\xff\xff\xff\xff\x10\0", "Arrow"),
    "PDF": (b"%PDF-1.7\n", "PDF"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1", "Microsoft Office"),
    "SQLite": (b"SQLite format 3\0", "SQLite"),
    "rich text": (b"{\\rtf1\\ansi Tessa}", "RTF"),
    "XML": (b"<?xml version='1.0'?>\n<text/>\n", "XML"),
    "HTML": (b"<!DOCTYPE html>\n<html></html>\n", "HTML"),
    "XML by sentence": (b"<s>Tessa <name>Ruiz</name></s>\n", "XML"),
    "TEI": (b'<TEI xmlns="http://www.tei-c.org/ns/1.0">\n<text>\n', "XML"),
    "vertical text": (b'<text id="1">\n<s>\nTessa\tB-PER\n</s>\n', "XML"),
    "brat": (b"T1\tPER 0 5\tTessa\nT2\tLOC 9 12\tRom\n", "brat"),
    "brat, discontinuous": (b"T1\tPER 0 5;8 9\tTessa\n", "brat"),
    "brat, relations": (b"R1\tlives Arg1:T1 Arg2:T2\n", "brat"),
    "other JSON": (b"[1, 2]", "JSON"),
    "other JSON over lines": (b'{\n  "rows": [["Tessa", {}]]\n}\n', "JSON"),
    "running text": (b"Tessa lives in Oderau.\nMilo left.\nShe did not go with him.\n", "running text"),
    "words with tags behind": (b"Tessa/B-PER lives/O\nin/O Oderau/B-LOC ./O\n", "tags behind"),
}


@pytest.mark.parametrize(("content", "said"), OTHERS.values(), ids=OTHERS)
def test_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(open_sentences(path))
    assert said in caught.value.message and caught.value.fix
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "[\tO\nRome\tB-LOC\n]\tO\n",
        "[ O\nRome B-LOC\n",
        "{\tO\n{\tO\n",
        "<\tO\nb\tO\n",
        "<unk>\tO\nRome\tB-LOC\n",
        "<a> O\nRome B-LOC\n",
        "T1\tO\nT2\tB-X\n",
        "PK O\n, O\n",
        "| O\n, O\n; O\n",
        "Ruiz. O\nRome. B-LOC\n",
    ],
)
def test_words_that_only_look_like_that(tmp_path: Path, content: str) -> None:
    path = tmp_path / "data.conll"
    path.write_text(content)
    (sentence,) = open_sentences(path)
    assert [*zip(sentence.tokens, sentence.tags, strict=True)] == [tuple(row.split()) for row in content.splitlines()]


def test_json_lines_whatever_the_name(tmp_path: Path) -> None:
    for name in ("data.txt", "data.json", "data"):
        path = tmp_path / name
        path.write_text('\n{"text": "Tessa left", "spans": [{"start": 0, "end": 5, "label": "PER"}]}\n')
        (sentence,) = open_sentences(path)
        assert sentence.spans == [(0, 5, "PER")]

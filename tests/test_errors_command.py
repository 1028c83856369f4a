from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
from toys import assert_last_line, assert_one_line, tagsmith

pytestmark = pytest.mark.usefixtures("datasets_cache")

DEV = "Ada B-PER\nLovelace I-PER\nlived O\nin O\nLondon B-PER\n. O\n\nIn O\nLund B-LOC\nit O\nrains B-LOC\n. O\n"


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    path = tmp_path / "dev.conll"
    path.write_text(DEV, encoding="utf-8")
    return path


def test_as_json(tiny_folder: Path, dev: Path) -> None:
    outcome = tagsmith("errors", tiny_folder, dev, "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["all"]["exact"] == 2 and result["all"]["label"] == 1 and result["all"]["missed"] == 1
    first, second = result["examples"]
    assert (first["line"], first["kind"], first["gold"]["label"], first["found"]["text"]) == (
        1,
        "label",
        "PER",
        "London",
    )
    assert (second["line"], second["kind"], second["found"]) == (8, "missed", None)
    assert first["file"] == str(dev)


def test_table_page_and_picture(tiny_folder: Path, dev: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "errors.html", tmp_path / "errors.svg"
    arguments = ["errors", tiny_folder, dev, "--train", dev, "--html", page, "--picture", picture]
    outcome = tagsmith(*arguments)
    assert outcome.code == 0, outcome.err
    assert f"{dev}:8: missed: 'rains' LOC -> nothing" in outcome.out
    assert "PER taken for LOC: 1" in outcome.out
    html = page.read_text(encoding="utf-8")
    assert "<svg" in html and "dev.conll:8" in html and "Names seen" in html
    assert "<script" not in html and 'src="http' not in html and "<link" not in html
    assert picture.with_suffix(".csv").read_text(encoding="utf-8").splitlines()[1] == "LOC,1,0,0,0,1,0"
    assert_one_line(tagsmith(*arguments), "--overwrite")
    assert_one_line(tagsmith(*arguments[:-2]), "errors.html", "such a file already", "--overwrite")
    assert tagsmith(*arguments, "--overwrite").code == 0
    before = dev.read_bytes()
    assert_one_line(tagsmith("errors", tiny_folder, dev, "--html", dev, "--overwrite"), "such a file already")
    assert dev.read_bytes() == before


def test_page_without_matplotlib(tiny_folder: Path, dev: Path, tmp_path: Path, monkeypatch: Any) -> None:
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    page = tmp_path / "errors.html"
    assert tagsmith("errors", tiny_folder, dev, "--html", page).code == 0
    assert "<svg" not in page.read_text(encoding="utf-8")


def test_two_taggers(tiny_folder: Path, byte_folder: Path, dev: Path, tmp_path: Path) -> None:
    page = tmp_path / "two.html"
    outcome = tagsmith("errors", tiny_folder, dev, "--compare", byte_folder, "--json", "--html", page)
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["f1"][0] > result["f1"][1] and result["drawn"] == "sentences"
    assert result["difference"]["low"] <= result["difference"]["value"] <= result["difference"]["high"]
    assert result["only_first"] == 2 and result["only_second"] == 0
    assert [row["line"] for row in result["differences"]] == [1, 8]
    html = page.read_text(encoding="utf-8")
    assert "dev.conll:8" in html and "<script" not in html
    same = tagsmith("errors", tiny_folder, dev, "--compare", tiny_folder)
    assert "Chance may well explain the difference." in same.out and "p 1.000" in same.out


def test_bad_input(tiny_folder: Path, dev: Path, tmp_path: Path) -> None:
    assert_one_line(tagsmith("errors", tiny_folder, tmp_path / "none.conll"), "no such file")
    assert_one_line(tagsmith("errors", tiny_folder, dev, "--compare", tiny_folder, "--train", dev), "--train")
    other = tmp_path / "other.conll"
    other.write_text("Ada B-ANIMAL\n\nLund B-PLANT\n", encoding="utf-8")
    assert_last_line(tagsmith("errors", tiny_folder, other), "none of which the tagger knows", "--map")
    one = tmp_path / "one.conll"
    one.write_text("Ada B-PER\nsaw O\nLund B-LOC\n", encoding="utf-8")
    assert_last_line(tagsmith("errors", tiny_folder, one, "--compare", tiny_folder), "1 sentence")

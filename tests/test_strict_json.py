from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tagsmith
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import parse_json, read_json
from tagsmith.training.cards.model_card import write_card
from tagsmith.training.cards.results import Results

DEEP = 10_000
BAD = {
    "twice": ('{"dev": 1, "dev": 2', "}", "is given twice"),
    "deep": ('{"dev": ' + "[" * DEEP, "]" * DEEP + "}", "nested too deeply"),
    "long": ('{"dev": ' + "9" * 5000, "}", "more than 4,300 digits"),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice"),
        ('{"x": [{"a": 1, "a": 1}]}', "the key 'a' is given twice"),
        ("[" * DEEP + "]" * DEEP, "nested too deeply"),
        ('{"a":' * DEEP + "1" + "}" * DEEP, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "a number of more than 4,300 digits"),
        ('{"a": NaN}', "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[Infinity]", "Infinity is not a number"),
        ('{"a": }', "no JSON: Expecting value"),
    ],
)
def test_json_that_is_refused(text: str, found: str) -> None:
    with pytest.raises(InputError, match=f"file:7.*{found}"):
        parse_json(text, "file", 7)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[]", "no JSON object"),
        (b"\xff", "byte 0xFF is not UTF-8"),
        (b'{"a":1,"a":1}', "given twice"),
        (b"", "no JSON"),
    ],
)
def test_files_that_are_refused(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json.*{found}"):
        read_json(tmp_path / "a.json", "Fetch it again")


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize(
    "name", ["results.json", "vocab.json", "config.json", "tokenizer_config.json", "generation_config.json"]
)
def test_a_taggers_files_are_read_strictly(kind: str, name: str, tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "tagger"))
    begin, end, found = BAD[kind]
    (folder / name).write_text(begin + end, encoding="utf-8")
    with pytest.raises(InputError, match=found):
        Results.read(folder) if name == "results.json" else tagsmith.pipeline(folder)
    with pytest.raises(InputError, match=found):
        write_card(folder) if name != "vocab.json" else tagsmith.pipeline(folder)


@pytest.mark.parametrize("kind", BAD)
def test_a_gazetteer_is_read_strictly(kind: str) -> None:
    begin, end, found = BAD[kind]
    with pytest.raises(InputError, match=found):
        Gazetteer.from_json(begin + end)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("license: mit\nlicense: mit", r"README\.md:3:1.*'license' is given twice"),
        ("a: " + "[" * DEEP + "]" * DEEP, "README.*nested too deeply"),
        ("a: " + "9" * 5000, "README.*a number of 5,000 digits"),
        ("a: 010", "README.*is octal"),
        ("a: [", "README.*not YAML"),
    ],
)
def test_a_cards_head_is_read_strictly(head: str, found: str, tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "tagger"))
    text = f"---\n{head}\n---\n# Mine\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=found):
        write_card(folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == text

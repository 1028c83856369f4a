"""Names replaced by placeholders, and the map back."""

from __future__ import annotations

import json
import os
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import assert_last_line, assert_one_line, tagsmith

from tagsmith.training.tagging.redaction import Redaction

TEXT = b"Ada Lovelace lived in London .\nGrace  went to New York City .\n\nIn London it rains , Ada Lovelace .\n"


def entities_of(text: str, *places: tuple[int, int, str]) -> list[dict[str, Any]]:
    return [{"entity_group": label, "score": 0.5, "word": text[a:b], "start": a, "end": b} for a, b, label in places]


def test_placeholders() -> None:
    text = "Ada met Ada in Rome."
    found = entities_of(text, (0, 3, "PER"), (8, 11, "PER"), (15, 19, "LOC"))
    assert Redaction(["PER", "LOC"]).apply(text, found)[0] == "[PER] met [PER] in [LOC]."
    some = Redaction(["PER"], numbered=True)
    redacted, kept = some.apply(text, found)
    assert redacted == "[PER_1] met [PER_1] in Rome."
    assert [entity["word"] for entity in kept] == ["[PER_1]", "[PER_1]", "Rome"]
    assert some.apply("ada", entities_of("ada", (0, 3, "PER")))[0] == "[PER_2]", "another name, to the letter"
    assert some.names == {"[PER_1]": "Ada", "[PER_2]": "ada"} and some.count == 3


@given(st.text(alphabet="ab [PER_1]\n\U0001f600", max_size=30), st.data())
def test_the_map_leads_back(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    places = [
        (a, b, data.draw(st.sampled_from(["PER", "LOC"]))) for a, b in pairwise(cuts) if data.draw(st.booleans())
    ]
    redaction = Redaction(["PER", "LOC"], numbered=True)
    redacted, kept = redaction.apply(text, entities_of(text, *places))
    assert all(redacted[entity["start"] : entity["end"]] == entity["word"] for entity in kept)
    for entity in reversed(kept):
        name = redaction.names[entity["word"]]
        redacted = redacted[: entity["start"]] + name + redacted[entity["end"] :]
    assert redacted == text


def test_the_command(tiny_folder: Path, tmp_path: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "--redact", "--quiet", stdin=TEXT)
    assert outcome.err == ""
    assert outcome.out == "[PER] lived in [LOC] .\n[PER]  went to [LOC] .\n\nIn [LOC] it rains , [PER] .\n"
    path = tmp_path / "names.json"
    outcome = tagsmith("tag", tiny_folder, "-", "--redact", "PER", "--redact-map", path, stdin=TEXT)
    assert outcome.out.splitlines()[0] == "[PER_1] lived in London ."
    assert outcome.out.splitlines()[3] == "In London it rains , [PER_1] ."
    assert json.loads(path.read_text(encoding="utf-8")) == {"[PER_1]": "Ada Lovelace", "[PER_2]": "Grace"}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "3 spans are replaced; 2 names are in" in outcome.err
    again = tagsmith("tag", tiny_folder, "--redact", "--redact-map", path, stdin=TEXT)
    assert_one_line(again, path, "already", "--redact-map")


def test_labels_may_be_left_out_anywhere(tiny_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(TEXT.splitlines(keepends=True)[0])
    for arguments in (
        ["--redact", tiny_folder, file],
        [tiny_folder, "--redact", file],
        [tiny_folder, file, "--redact"],
    ):
        assert tagsmith("tag", *arguments).out == "[PER] lived in [LOC] .\n"
    for value in ("--redact=LOC", "--redact=LOC,"):
        assert tagsmith("tag", tiny_folder, value, file).out == "Ada Lovelace lived in [LOC] .\n"


def test_other_formats(tiny_folder: Path, tmp_path: Path) -> None:
    line = TEXT.splitlines()[0]
    out = tagsmith("tag", tiny_folder, "--redact", "PER", "--format", "jsonl", stdin=line).out
    row = json.loads(out)
    assert row["text"] == "[PER] lived in London ." and "Lovelace" not in out
    assert [entity["word"] for entity in row["entities"]] == ["[PER]", "London"]
    page = tagsmith("tag", tiny_folder, "--redact", "--redact-numbered", "--format", "html", stdin=line).out
    assert "[PER_1]" in page and "Lovelace" not in page
    assert_last_line(tagsmith("tag", tiny_folder, "--redact", "--format", "conll", stdin=line), "placeholder")


def test_shards(tiny_folder: Path, tmp_path: Path) -> None:
    file, output = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_bytes(TEXT)
    command = ["tag", tiny_folder, file, "--output", output, "--shards", 2, "--redact"]
    assert_one_line(tagsmith(*command, "--redact-numbered"), "--shards")
    assert tagsmith(*command).code == 0
    assert output.read_text(encoding="utf-8").splitlines()[3] == "In [LOC] it rains , [PER] ."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--redact", "PERSON"], ["'PERSON'", "LOC, PER"]),
        (["--redact-map", "names.json"], ["--redact"]),
        (["--redact", "--redact-map", "none/names.json"], ["no folder"]),
        (["--redact", "--redact-map", "x.txt", "--output", "x.txt"], ["one file"]),
    ],
)
def test_refused(tiny_folder: Path, options: list[str], words: list[str]) -> None:
    assert_one_line(tagsmith("tag", tiny_folder, "-", *options, stdin=TEXT), *words)


def test_texts_that_hold_placeholders(tiny_folder: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "--redact", stdin=b"Ada saw [PER] and [LOC_12] .\n")
    assert "2 places of the text looked like placeholders" in outcome.err

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from toys import assert_last_line, assert_one_line, tagsmith

from tagsmith.training.doubts.suggestions import Suggestion, _diverse, suggest
from tagsmith.training.tagging.load_tagger import load_tagger

pytestmark = pytest.mark.usefixtures("datasets_cache")

POOL = """Ada Lovelace lived in London .

Zorb Quax met Vrin Oltha near Kelm .
zorb quax met Vrin Oltha  near Kelm.
It rains .
Zorb Quax met Milo near Tarn .
"""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.txt"
    path.write_text(POOL, encoding="utf-8")
    return path


def of(name: str, words: int = 5, **doubts: float) -> Suggestion:
    return Suggestion("x", 1, name, [], [], doubts, words)


def chosen(candidates: list[Suggestion], number: int) -> list[str]:
    entries = [(own.worth(Counter()), -place, own) for place, own in enumerate(candidates)]
    return [own.text for own in _diverse(entries, number)]


def test_a_doubt_counts_half_once_it_is_seen() -> None:
    candidates = [of("first", a=1.0), of("like it", a=0.9), of("other", b=0.5)]
    assert chosen(candidates, 3) == ["first", "other", "like it"]
    assert chosen(candidates, 1) == ["first"]


def test_long_sentences_are_more_work() -> None:
    assert chosen([of("long", 40, a=1.0), of("short", 5, b=0.5)], 2) == ["short", "long"]


def test_no_sentence_twice_and_none_that_is_known(tiny_folder: Path) -> None:
    pipeline = load_tagger(str(tiny_folder))
    lines = [("pool.txt", number, line) for number, line in enumerate(POOL.splitlines(), 1)]
    found = suggest(pipeline, lines, 10)
    assert sorted(own.line for own in found) == [1, 3, 5, 6]
    assert found[-1].line in (1, 5), "what the tagger knows comes last"
    for own in found:
        assert own.text == POOL.splitlines()[own.line - 1]
        assert len(own.spans) == len(own.scores)
    rest = suggest(pipeline, lines, 10, known=["It  rains.", POOL.splitlines()[2]])
    assert sorted(own.line for own in rest) == [1, 6]


def test_the_command(tiny_folder: Path, byte_folder: Path, pool: Path, tmp_path: Path) -> None:
    for folder in (tiny_folder, byte_folder):
        outcome = tagsmith("suggest", folder, pool, "--count", 2, "--json")
        assert outcome.code == 0, outcome.err
        rows = [json.loads(line) for line in outcome.out.splitlines()]
        assert len(rows) == 2 and rows[0]["gain"] >= rows[1]["gain"]
        assert set(rows[0]) == {"file", "line", "gain", "text", "spans"}
    tasks, page = tmp_path / "tasks.jsonl", tmp_path / "page.html"
    outcome = tagsmith(
        "suggest", tiny_folder, pool, "--count", 9, "--output", tasks, "--to", "prodigy", "--html", page
    )
    assert outcome.code == 0 and outcome.out == "", outcome
    assert "only 4 distinct sentences" in outcome.err
    assert {"text", "spans"} <= set(json.loads(tasks.read_text(encoding="utf-8").splitlines()[0]))
    assert page.read_text(encoding="utf-8").count("<article") == 4
    assert_one_line(tagsmith("suggest", tiny_folder, pool, "--html", pool), "such a file already")
    listed = tagsmith("suggest", tiny_folder, pool, "--count", 1)
    assert listed.out.startswith(f"{pool}:")


def test_bad_input(tiny_folder: Path, pool: Path, tmp_path: Path) -> None:
    empty, done = tmp_path / "empty.txt", tmp_path / "done.jsonl"
    empty.write_text("\n \n", encoding="utf-8")
    assert_last_line(tagsmith("suggest", tiny_folder, empty), "the files hold no text", "Give more raw text")
    rows = [json.dumps({"text": text, "spans": []}) for text in POOL.splitlines() if text]
    done.write_text("\n".join(rows), encoding="utf-8")
    assert_last_line(tagsmith("suggest", tiny_folder, pool, "--annotated", done), "not annotated already")
    assert_one_line(tagsmith("suggest", tiny_folder, tmp_path / "no.txt"), "no such file")
    assert_one_line(tagsmith("suggest", tiny_folder, pool, "--output", tmp_path / "x.abc"), "--to")
    assert_one_line(tagsmith("suggest", tiny_folder, pool, "--head", "ner"), "ner")

"""The script that makes open corpora ready for the tagger that comes with tagsmith."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from documents import ROOT

from tagsmith.training.data.corpora import load_corpus

sys.path.insert(0, str(ROOT / "benchmarks"))
import prepare_open as script

COLUMNS = "Čiča\tB-PER\nNjegoš\tI-PER\nživi\tO\n(\tO\nu\tO\nLjubljani\tB-LOC\n)\tO\n.\tO\n"


@pytest.fixture
def sentence(tmp_path: Path) -> script.Sentence:
    path = tmp_path / "train.conll"
    path.write_text("-DOCSTART-\tO\n\n" + COLUMNS, encoding="utf-8")
    (found,) = script.sentences(path)
    assert found.words[:2] == ["Čiča", "Njegoš"] and found.tags[5] == "B-LOC" and found.text is None
    return found._replace(text=script.joined(found.words, True))


def test_punctuation_is_closed_up(sentence: script.Sentence) -> None:
    assert sentence.text == "Čiča Njegoš živi (u Ljubljani)."
    assert (open := script.joined(sentence.words, False)) == "Čiča Njegoš živi ( u Ljubljani ) ."
    assert script.changed(sentence._replace(text=open), script.CHANGES["closed"]) == sentence


def test_sentences_are_written_otherwise(sentence: script.Sentence) -> None:
    for change, expected in [
        (script.CHANGES["lower"], "čiča njegoš živi (u ljubljani)."),
        (script.CHANGES["upper"], "ČIČA NJEGOŠ ŽIVI (U LJUBLJANI)."),
        (script.CHANGES["plain"], "Cica Njegos zivi (u Ljubljani)."),
        (script.cyrillic, "Чича Његош живи (у Љубљани)."),
    ]:
        other = script.changed(sentence, change)
        assert other.text == expected
        assert other.words[5] == change("Ljubljani")
    assert script.plain("й") == "й" and script.plain("ø") == "ø"


def test_words_that_a_change_would_lose_keep_the_sentence(sentence: script.Sentence) -> None:
    assert script.changed(sentence, lambda text: text[:3]) == sentence


def test_what_is_written_is_read_with_its_texts(sentence: script.Sentence, tmp_path: Path) -> None:
    path = tmp_path / "sr" / "train.iob2"
    script.write(path, [sentence, script.changed(sentence, script.cyrillic)])
    rows = load_corpus({"train": path})["train"]
    assert [row["text"] for row in rows] == ["Čiča Njegoš živi (u Ljubljani).", "Чича Његош живи (у Љубљани)."]
    assert rows[1]["tokens"][5] == "Љубљани"


def test_small_languages_are_repeated_and_weak_ones_cut(sentence: script.Sentence) -> None:
    chance = random.Random(1)
    assert len(script.balanced([sentence] * 10, chance)) == 30
    assert len(script.balanced([sentence] * 50_000, chance)) == 50_000
    assert len(script.limited([sentence] * 10, 31, chance)) == 3


def test_a_corpus_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(script, "GOLD", {"en": ["wikigold", "wnut17"]})
    monkeypatch.setattr(script, "WEAK", {"nl": ["europeana"]})
    files = {path.parent.name: weak for _, path, weak in script.sources(tmp_path, "train", ["en/wnut17"])}
    assert "wikigold" in files and "wnut17" not in files and files["europeana"]

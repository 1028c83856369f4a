"""The script that scores a tagger on raw text by character offsets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT

import tagsmith

sys.path.insert(0, str(ROOT / "benchmarks"))
import bundled as script
import bundled_peers
import make_bundled
import unknown_words
from prepare_open import Sentence, write

TEXT = "Angela Merkel and Barack Obama met in Washington."
WORDS = ["Angela", "Merkel", "and", "Barack", "Obama", "met", "in", "Washington", "."]
TAGS = ["B-PER", "I-PER", "O", "B-PER", "I-PER", "O", "O", "B-LOC", "O"]


def test_offsets_are_those_of_the_text() -> None:
    spans = script.annotated(Sentence(WORDS, TAGS, TEXT, False))
    assert {(TEXT[start:end], label) for start, end, label in spans} == {
        ("Angela Merkel", "PER"),
        ("Barack Obama", "PER"),
        ("Washington", "LOC"),
    }


def test_a_span_may_open_with_an_inside_tag() -> None:
    sentence = Sentence(["Lund", "Ada", "met", "Bo"], ["I-LOC", "I-PER", "O", "I-PER"], "Lund Ada met Bo", False)
    assert script.annotated(sentence) == {(0, 4, "LOC"), (5, 8, "PER"), (13, 15, "PER")}


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "en" / "dev.iob2", [Sentence(WORDS, TAGS, TEXT, False)] * 2)
    script.main(tagsmith.DEFAULT_TAGGER, tmp_path, "upper", "", tmp_path / "scores.json")
    assert "| en | 100.0 |" in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["f1"]
    assert scores["as it is"] == {"en": 100.0, "mean": 100.0, "all": 100.0} and set(scores) == {"as it is", "upper"}


@pytest.mark.parametrize("peer", ["spacy", "crfsuite"])
def test_a_peer_is_scored_by_the_same_offsets(peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip({"spacy": "spacy", "crfsuite": "pycrfsuite"}[peer])
    monkeypatch.setattr(bundled_peers, "starts", lambda *_: [[0.5, 90.0]])
    for split in ("train", "dev"):
        write(tmp_path / "en" / f"{split}.iob2", [Sentence(WORDS, TAGS, TEXT, False)] * 4)
    bundled_peers.train(peer, tmp_path, tmp_path / peer, 0.01, 100, 1)
    bundled_peers.score(peer, tmp_path, tmp_path / peer, tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert found["f1"] == {"en": 100.0, "mean": 100.0, "all": 100.0} and found["megabytes"] > 0
    table = bundled_peers.tables({peer: found})
    assert "| en | 100.0 |" in table and "| cold start, s | 0.50 |" in table
    assert (", 100 passes, features seen 1 times" in table) == (peer == "crfsuite")


def test_the_bundled_tagger_is_scored_without_torch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled_peers, "starts", lambda *_: [[0.5, 90.0]])
    write(tmp_path / "en" / "dev.iob2", [Sentence(WORDS, TAGS, TEXT, False)] * 2)
    bundled_peers.score("runtime", tmp_path, bundled_peers.TAGGER, tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert found["f1"]["en"] == 100.0 and found["training"] is None and 0 < found["megabytes"] < 10


def test_what_is_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, str]] = []
    facts: dict[str, Any] = {"training": None, "words_per_second": 1.0, "megabytes": 1.0, "starts": [[1.0, 9.0]]}
    facts["f1"] = {"en": 50.0, "mean": 50.0, "all": 50.0}

    def run(command: str, name: str, folder: Path, own: Path, *rest: Any) -> None:
        commands.append((command, name))
        if command == "score":
            rest[0].write_text(json.dumps(facts), encoding="utf-8")

    monkeypatch.setattr(bundled_peers, "_run", run)
    choices = {"spacy": None, "crfsuite": tmp_path, "tagger": tmp_path, "output": tmp_path / "out"}
    (tmp_path / "out").mkdir()
    (tmp_path / "model").touch()
    bundled_peers.compare(tmp_path, **choices)
    scored = [("score", "tagsmith"), ("score", "runtime"), ("train", "spacy"), ("score", "spacy")]
    scored.append(("score", "crfsuite"))
    assert commands == scored
    bundled_peers.compare(tmp_path, **choices)
    assert commands == scored
    text = (tmp_path / "out" / "bundled-peers.md").read_text(encoding="utf-8")
    assert text.startswith("| | tagsmith | runtime | spacy | crfsuite |")


def test_what_is_said_of_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak languages, and those with few spans, do not count for the mean; results tell them apart."""
    monkeypatch.setattr(make_bundled, "DEV_SPANS", 6)
    for code, count in (("da", 2), ("de", 3), ("en", 1), ("fr", 9)):
        write(tmp_path / "data" / code / "dev.iob2", [Sentence(WORDS, TAGS, TEXT, False)] * count)
    scores = {"as it is": {"da": 70.0, "de": 80.0, "en": 10.0, "fr": 20.0, "mean": 45.0, "all": 50.0}}
    (tmp_path / "scores.json").write_text(json.dumps({"f1": scores}), encoding="utf-8")
    assert make_bundled.gold_mean(tmp_path) == "2 languages with gold data and 6 dev spans: mean 75.0, da 70.0 lowest"
    found = make_bundled.by_data(make_bundled.languages(tmp_path / "scores.json"), {"cs": 53.04})
    assert found == {"gold": {"da": 0.7, "de": 0.8, "en": 0.1}, "weak": {"fr": 0.2}, "untrained": {"cs": 0.5304}}


def test_unknown_words_are_counted_by_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_words, "WINDOW", 2)
    lines = ["Ada met a man", "in Lund 1843 twice", "once more"]  # judged: met man in twice once more
    assert unknown_words.shares(lines, {"met", "in", "more"}) == [0.5, 0.5, 0.5]

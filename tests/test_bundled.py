"""The script that scores a tagger on raw text by character offsets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from documents import ROOT

import tagsmith

sys.path.insert(0, str(ROOT / "benchmarks"))
import bundled as script
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
def test_a_peer_is_scored_by_the_same_offsets(peer: str, tmp_path: Path) -> None:
    pytest.importorskip({"spacy": "spacy", "crfsuite": "pycrfsuite"}[peer])
    import bundled_peers

    for split in ("train", "dev"):
        write(tmp_path / "en" / f"{split}.iob2", [Sentence(WORDS, TAGS, TEXT, False)] * 4)
    bundled_peers.main(peer, tmp_path, 0.01, tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert found["f1"] == {"en": 100.0, "mean": 100.0, "all": 100.0} and found["megabytes"] > 0

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.errors import SCHEMES, ErrorAnalysis, kind_of
from tagsmith.training.evaluation.tagged_texts import TaggedText

TEXT = "Tessa Ruiz of Oderau met Milo Vant at the Lake of Kern"


def text(gold: list[tuple[str, str]], found: list[tuple[str, str, float]], words: str = TEXT) -> TaggedText:
    def span(name: str, label: str) -> Span:
        return Span(words.index(name), words.index(name) + len(name), label)

    return TaggedText(0, 0, words, [span(*one) for one in gold], [(span(*one[:2]), one[2]) for one in found])


def test_kinds() -> None:
    gold = Span(0, 5, "PER")
    assert kind_of(gold, gold) == "exact"
    assert kind_of(gold, Span(0, 5, "LOC")) == "label"
    assert kind_of(gold, Span(0, 9, "PER")) == "border"
    assert kind_of(gold, Span(0, 9, "LOC")) == "label and border"
    assert kind_of(gold, None) == "missed" and kind_of(None, gold) == "spurious"


def test_schemes_of_muc() -> None:
    """An exact span, one of another label, one of other borders, one missed and one spurious."""
    analysis = ErrorAnalysis()
    gold = [("Tessa Ruiz", "PER"), ("Oderau", "LOC"), ("Milo Vant", "PER"), ("Lake of Kern", "LOC")]
    found = [("Tessa Ruiz", "PER", 0.9), ("Oderau", "ORG", 0.8), ("Milo", "PER", 0.7), ("met", "ORG", 0.6)]
    analysis.add(text(gold, found))
    result = analysis.result()
    counts = {
        name: [result["schemes"][name][key] for key in ("correct", "incorrect", "partial", "missed", "spurious")]
        for name in SCHEMES
    }
    assert counts == {
        "strict": [1, 2, 0, 1, 1],
        "exact": [2, 1, 0, 1, 1],
        "partial": [2, 0, 1, 1, 1],
        "type": [2, 1, 0, 1, 1],
    }
    assert result["schemes"]["partial"]["precision"] == pytest.approx(2.5 / 4)
    assert result["schemes"]["strict"]["f1"] == pytest.approx(2 / 8)
    assert {"gold": "LOC", "found": "ORG", "count": 1} in result["confusions"]
    assert {"gold": "LOC", "found": None, "count": 1} in result["confusions"]
    assert result["lengths"]["3"]["missed"] == 1 and result["labels"]["ORG"]["spurious"] == 1
    assert result["labels"]["ORG"]["precision"] == 0.0
    assert list(result["sentences"]) == ["11 to 20"]


def test_one_gold_span_goes_with_one_found_span() -> None:
    analysis = ErrorAnalysis()
    analysis.add(text([("Tessa Ruiz", "PER")], [("Tessa", "PER", 0.9), ("Ruiz", "PER", 0.8)]))
    assert analysis.all.counts == {"border": 1, "spurious": 1}


def test_seen_and_unseen_names() -> None:
    analysis = ErrorAnalysis(known={"TessaRuiz"})
    analysis.add(text([("Tessa Ruiz", "PER"), ("Oderau", "LOC")], [("Tessa Ruiz", "PER", 1.0)]))
    names = analysis.result()["names"]
    assert names["seen"]["exact"] == 1 and names["unseen"]["missed"] == 1
    assert "names" not in ErrorAnalysis().result()


def test_the_surest_errors_are_kept() -> None:
    analysis = ErrorAnalysis(examples=2)
    for number, score in enumerate((0.2, 0.9, 0.5, 0.7)):
        one = text([], [("Oderau", "LOC", score)])
        one.number = number
        analysis.add(one)
    assert [(error.number, error.score) for error in analysis.examples()] == [(1, 0.9), (3, 0.7)]
    nothing = ErrorAnalysis(examples=0)
    nothing.add(text([], [("Oderau", "LOC", 0.5)]))
    assert nothing.examples() == [] and nothing.all.counts["spurious"] == 1


@st.composite
def spans(draw: Any) -> list[Span]:
    borders = sorted(draw(st.sets(st.integers(0, 20), max_size=8)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    return [Span(start, end, draw(st.sampled_from("AB"))) for start, end in pairs]


@given(spans(), spans())
def test_every_span_is_counted_once(gold: list[Span], found: list[Span]) -> None:
    analysis = ErrorAnalysis()
    analysis.add(TaggedText(0, 0, "x" * 20, gold, [(span, 0.5) for span in found]))
    result = analysis.result()
    assert (result["all"]["gold"], result["all"]["found"]) == (len(gold), len(found))
    assert result["all"]["exact"] == len(set(gold) & set(found))
    for scores in result["schemes"].values():
        assert scores["gold"] == len(gold) and scores["found"] == len(found)

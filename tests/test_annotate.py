"""The scripts that simulate annotation and review."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from documents import ROOT

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.planting import plant_errors

sys.path.insert(0, str(ROOT / "benchmarks"))
import annotate
import audit as audit_script

WORDS = ("Ada", "met", "Bo", "in", "Lund", ".")
SPANS = (Span(0, 1, "PER"), Span(2, 3, "PER"), Span(4, 5, "LOC"))


def corpus(count: int) -> list[Audited]:
    return [Audited("a", number, [*WORDS, str(number)], [1] * 7, SPANS) for number in range(count)]


def test_the_first_sentences_have_so_many_words_at_least() -> None:
    sentences = corpus(5)
    assert [len(annotate.first(sentences, count)) for count in (0, 1, 7, 8, 99)] == [0, 1, 1, 2, 5]


def test_ways_of_annotating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways begin with the same sentences; what is suggested is added to them, and never twice."""
    sizes: list[list[int]] = []
    monkeypatch.setattr(annotate, "trained", lambda recipe, own: sizes.append([s.document for s in own]))
    monkeypatch.setattr(annotate, "ask", lambda pipeline, own: [annotate.Opinion({}, None)] * len(own))  # type: ignore[arg-type]

    def last(pipeline: Any, pool: Sequence[Audited], annotated: Sequence[Audited], count: int) -> list[Audited]:
        free = [one for one in reversed(pool) if one not in annotated]
        return annotate.first(free, count)

    monkeypatch.setattr(annotate, "suggested", last)
    rows = list(annotate.simulated(None, corpus(10), corpus(1), 14, [21, 28], 42))  # type: ignore[arg-type]
    assert [(row["way"], row["words"]) for row in rows] == [
        *(("random", words) for words in (14, 28, 42)),
        *(("suggested", words) for words in (21, 28)),
    ]
    assert sizes[0] == sizes[3] == [0, 1] and sizes[4:] == [[0, 1, 9], [0, 1, 9, 8]]
    assert annotate.f1(corpus(1), [annotate.Opinion(dict.fromkeys(SPANS[:2], 1.0), None)]) == pytest.approx(80)  # type: ignore[arg-type]


def test_the_table_has_a_column_for_each_corpus() -> None:
    rows = [
        {"corpus": corpus, "seed": seed, "way": "random", "goal": 4000, "f1": f1}
        for corpus, seed, f1 in (("a", 1, 50.0), ("a", 2, 60.0), ("b", 1, 70.0))
    ]
    assert annotate.table(rows).split("\n")[-1] == "| random | 4,000 | 55.00 (50.00, 60.00) | 70.00 |"


def test_a_review_puts_right_what_it_meets() -> None:
    clean = corpus(40)
    spoiled, planted = plant_errors(clean, 0.1, 1)
    assert spoiled != clean and len(planted) > 5
    everywhere = [(number, 0, 7) for number in range(40)]
    assert audit_script.reviewed(spoiled, everywhere, planted) == clean
    assert audit_script.reviewed(spoiled, [], planted) == spoiled
    one = audit_script.reviewed(spoiled, [(planted[0].sentence, *planted[0].place)], planted[:1])
    assert sum(a != b for a, b in zip(one, spoiled, strict=True)) == 1

from __future__ import annotations

from tagsmith.tokenization.spans import Span
from tagsmith.training.evaluation.span_alignment import align_spans


def test_alignment() -> None:
    gold = [Span(0, 4, "A"), Span(6, 9, "A"), Span(20, 22, "B")]
    found = [Span(3, 8, "A"), Span(8, 10, "B"), Span(30, 31, "A")]
    assert align_spans(gold, found) == [
        (gold[0], None),
        (gold[1], found[0]),
        (None, found[1]),
        (gold[2], None),
        (None, found[2]),
    ]
    assert align_spans([Span(0, 5, "A")], [Span(0, 3, "A"), Span(3, 5, "B")])[0] == (Span(0, 5, "A"), Span(0, 3, "A"))
    assert align_spans([], []) == []

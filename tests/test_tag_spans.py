"""Spans read off tensors of tags, against the reading of tag lists."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.modeling.tag_rules import span_labels
from tagsmith.modeling.tag_spans import spans_of_tags
from tagsmith.tokenization.tag_schemes import tag_names, tags_to_spans

SCHEMES = ["BIOES", "BILOU", "IOB1", "IOB2", "plain"]
TAGS = {scheme: tuple(tag_names(["PER", "LOC", "A-B"], scheme)) for scheme in SCHEMES}
sentences = st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=5)


def batch_of(rows: list[list[int]], extra: int = 0) -> torch.Tensor:
    ids = torch.full((len(rows), max(map(len, rows), default=0) + extra), -100)
    for row, tags in enumerate(rows):
        ids[row, : len(tags)] = torch.tensor(tags, dtype=torch.long)
    return ids


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=200, deadline=None)
@given(sentences, st.integers(0, 2))
def test_agrees_with_the_lenient_reading_of_any_tags(scheme: str, rows: list[list[int]], extra: int) -> None:
    tags = TAGS[scheme]
    rows = [[tag % len(tags) for tag in row] for row in rows]
    found = spans_of_tags(batch_of(rows, extra), tags, scheme)
    labels = span_labels(tags, scheme)
    expected = [
        [row, span.start, span.end, labels.index(span.label)]
        for row, ids in enumerate(rows)
        for span in tags_to_spans([tags[tag] for tag in ids], scheme)
    ]
    assert found.tolist() == expected
    assert found.shape == (len(expected), 4) and found.dtype == torch.long


@pytest.mark.parametrize("scheme", SCHEMES)
def test_reads_no_spans_off_nothing(scheme: str) -> None:
    for shape in ((0, 0), (2, 0), (0, 3), (2, 3)):
        assert spans_of_tags(torch.full(shape, -100), TAGS[scheme], scheme).shape == (0, 4)


def test_plain_tags_are_a_span_each_even_an_o() -> None:
    assert spans_of_tags(torch.tensor([[1, 1, 0]]), ("O", "B-X"), "plain").tolist() == [
        [0, 0, 1, 1],
        [0, 1, 2, 1],
        [0, 2, 3, 0],
    ]


def test_order_of_tags_does_not_matter() -> None:
    assert spans_of_tags(torch.tensor([[2, 0, 1]]), ("E-X", "O", "B-X"), "BIOES").tolist() == [[0, 0, 2, 0]]


def test_first_call_may_come_in_inference_mode_or_under_a_device() -> None:
    tags = ("O", "S-ONLYHERE")
    with torch.inference_mode(), torch.device("meta"):
        spans_of_tags(torch.tensor([[1]], device="cpu"), tags, "BIOES")
    assert spans_of_tags(torch.tensor([[1]]), tags, "BIOES").tolist() == [[0, 0, 1, 0]]


def test_tags_of_another_scheme_are_refused() -> None:
    with pytest.raises(ValueError, match="'S-X' does not belong to the scheme IOB2"):
        spans_of_tags(torch.tensor([[0]]), ("O", "S-X"), "IOB2")

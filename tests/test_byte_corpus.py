from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.training.batches.byte_corpus import ByteCorpus, documents


def row(text: str, spans: list[tuple[int, int, str]], document: int = 0, **more: Any) -> dict[str, Any]:
    named = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    return {"document": document, "text": text, "spans": named, "starts": [], "ends": [], "tags": [], **more}


def test_sentences_of_a_document_are_joined_by_line_feeds() -> None:
    rows = [row("In Lund.", [(3, 7, "LOC")]), row("Ada", [(0, 3, "PER")], starts=[0]), row("x", [], document=1)]
    first, second = documents(rows)
    assert first.text == "In Lund.\nAda"
    assert first.spans == [Span(3, 7, "LOC"), Span(9, 12, "PER")]
    assert first.starts == [9]
    assert second.text == "x"
    assert [document.text for document in documents(rows, by_line=True)] == ["In Lund.", "Ada", "x"]


def test_bytes_and_spans_of_documents_end_to_end() -> None:
    corpus = ByteCorpus.of([row("é Lund", [(2, 6, "LOC")]), row("Ö", [(0, 1, "PER")], document=1)], ["LOC", "PER"])
    assert corpus.data.tobytes().decode() == "é LundÖ"
    assert corpus.bounds.tolist() == [0, 7, 9]
    assert list(zip(corpus.starts, corpus.ends, corpus.labels, strict=True)) == [(3, 7, 0), (7, 9, 1)]
    assert len(corpus) == 9


texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=5)


@given(texts, st.data())
def test_spans_lie_where_they_lay(parts: list[str], data: st.DataObject) -> None:
    rows, expected = [], []
    for number, text in enumerate(parts):
        spans = []
        if text:
            start = data.draw(st.integers(0, len(text) - 1))
            end = data.draw(st.integers(start + 1, len(text)))
            spans = [(start, end, "X")]
            expected.append(text[start:end])
        rows.append(row(text, spans, document=number // 2))
    corpus = ByteCorpus.of(rows, ["X"])
    found = [bytes(corpus.data[a:b]).decode() for a, b in zip(corpus.starts, corpus.ends, strict=True)]
    assert found == expected


def test_words_that_share_a_place_are_counted() -> None:
    words = row("du pain", [(0, 2, "ADP"), (0, 2, "DET"), (3, 7, "NOUN")], starts=[0, 0, 3], ends=[2, 2, 7])
    words["tags"] = ["ADP", "DET", "NOUN"]
    (document,) = documents([words], plain=True)
    assert document.spans == [Span(0, 2, "ADP"), Span(3, 7, "NOUN")]
    assert document.shared == 1
    assert ByteCorpus.of([words], ["ADP", "DET", "NOUN"], plain=True).shared == 1


def test_overlapping_spans_are_an_error_that_names_both() -> None:
    rows = [row("New York City", [(0, 8, "LOC"), (4, 13, "ORG")])]
    with pytest.raises(
        InputError, match=r"\[0, 8\) 'LOC' and span \[4, 13\) 'ORG' overlap.*in the text 'New York City'"
    ):
        ByteCorpus.of(rows, ["LOC", "ORG"])


def test_a_span_of_no_length_is_an_error() -> None:
    with pytest.raises(InputError, match="has no length"):
        ByteCorpus.of([row("New York", [(3, 3, "LOC")])], ["LOC"])


def test_an_unknown_label_is_an_error() -> None:
    with pytest.raises(InputError, match="the label 'PER', which the tagger does not know"):
        ByteCorpus.of([row("Ada", [(0, 3, "PER")])], ["LOC"])


def test_spans_too_long_for_a_window_are_counted() -> None:
    corpus = ByteCorpus.of([row("ab cdefg", [(0, 2, "X"), (3, 8, "X")])], ["X"])
    assert [corpus.count_too_long(size) for size in (1, 2, 4, 5)] == [2, 1, 1, 0]


def test_no_rows() -> None:
    corpus = ByteCorpus.of([], ["X"])
    assert len(corpus) == 0
    assert np.array_equal(corpus.bounds, [0])

from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.evaluation.span_counts import SpanCounts
from tagsmith.training.evaluation.tagged_texts import tagged_texts
from tagsmith.training.tagging.load_tagger import load_tagger

pytestmark = pytest.mark.usefixtures("datasets_cache")

ROWS = [
    '{"document": 1, "text": "Ada Lovelace lived in London.", "spans": [{"start": 0, "end": 12, "label": "PER"}]}',
    '{"document": 1, "tokens": ["In", "Lund", "it", "rains"], "tags": ["O", "B-LOC", "O", "O"]}',
    '{"document": 2, "text": "Juan saw Ada.", "spans": [{"start": 9, "end": 12, "label": "PER"}]}',
]


@pytest.mark.parametrize("family", ["tiny_folder", "byte_folder"])
def test_rows_in_order_with_the_scores_of_the_tagger(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(ROWS), encoding="utf-8")
    rows = load_corpus(path)["train"]
    pipeline = load_tagger(request.getfixturevalue(family))
    texts = list(tagged_texts(pipeline, rows, batch_size=2))
    assert [text.number for text in texts] == [0, 1, 2]
    assert [text.text for text in texts] == ["Ada Lovelace lived in London.", "In Lund it rains", "Juan saw Ada."]
    assert [[text.text[start:end] for start, end, _ in text.gold] for text in texts] == [
        ["Ada Lovelace"],
        ["Lund"],
        ["Ada"],
    ]
    counts = SpanCounts()
    for text in texts:
        counts.add(text.gold, text.spans)
        assert all(0 <= score <= 1 for _, score in text.found)
    assert counts.result()["f1"] == score_tagger(pipeline, rows)["f1"]

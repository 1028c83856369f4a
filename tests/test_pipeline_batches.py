"""The pipeline span-tagging in batches: what they change, and what is read when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_pipeline_span_tagging import TEXT, check, make_restless, pairs

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer


@pytest.fixture(scope="module")
def tagger(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
) -> SpanTaggingPipeline:
    return SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer)


@pytest.fixture(scope="module")
def restless(tiny_tokenizer: HierarchicalTaggerTokenizer) -> SpanTaggingPipeline:
    return make_restless(tiny_tokenizer)


class TestBatches:
    CORPUS = [TEXT, "", "Lund", "It rains.\nIt rains in London", "Juan de Vega saw Ada . " * 9, "\n", "x"] * 3

    @pytest.mark.parametrize("batch_size", [1, 2, 7, 1000])
    def test_batch_size_changes_nothing(
        self, batch_size: int, tagger: SpanTaggingPipeline, restless: SpanTaggingPipeline
    ) -> None:
        for pipeline in (tagger, restless):
            expected = [pipeline(text) for text in self.CORPUS]
            found = pipeline(self.CORPUS, batch_size=batch_size)
            for text, ours, theirs in zip(self.CORPUS, found, expected, strict=True):
                check(text, ours)
                assert [{**e, "score": 0} for e in ours] == [{**e, "score": 0} for e in theirs]
                assert [e["score"] for e in ours] == pytest.approx([e["score"] for e in theirs], abs=1e-5)

    def test_batch_size_of_the_constructor_holds(
        self,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pipeline = SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer, batch_size=3, min_score=2.0)
        sizes = []
        predict = HierarchicalTaggerForTokenClassification.predict_heads

        def watch(
            self: HierarchicalTaggerForTokenClassification, heads: Any, input_ids: torch.Tensor, **rest: Any
        ) -> Any:
            sizes.append(len(input_ids))
            return predict(self, heads, input_ids, **rest)

        monkeypatch.setattr(HierarchicalTaggerForTokenClassification, "predict_heads", watch)
        assert pipeline(["Lund"] * 8) == [[]] * 8
        assert [len(entities) for entities in pipeline(["Lund"] * 8, min_score=0.0, batch_size=4)] == [1] * 8
        assert sizes == [3, 3, 2, 4, 4]

    def test_a_generator_is_read_as_it_is_needed(self, tagger: SpanTaggingPipeline) -> None:
        read = 0

        def endless() -> Iterator[str]:
            nonlocal read
            while True:
                read += 1
                yield "In Lund it rains." if read % 3 else ""

        found = tagger(endless(), batch_size=2)
        assert not isinstance(found, list) and read == 0
        for number in range(200):
            assert len(next(found)) == (0 if number % 3 == 2 else 1)
            assert read <= number + 1 + 2 * SpanTaggingPipeline._BUFFERED * 2

    def test_texts_without_words_do_not_pile_up(self, tagger: SpanTaggingPipeline) -> None:
        read = 0

        def lines() -> Iterator[str]:
            nonlocal read
            yield "In Lund it rains."
            while True:
                read += 1
                yield ""

        assert pairs(next(tagger(lines(), batch_size=2))) == [("LOC", "Lund")]
        assert read <= 2 * SpanTaggingPipeline._BUFFERED

    def test_results_come_in_the_order_of_texts(self, tagger: SpanTaggingPipeline) -> None:
        texts = ["x " * (50 - number) + "Lund" for number in range(50)]
        starts = [entities[-1]["start"] for entities in tagger(iter(texts), batch_size=1)]
        assert starts == [len(text) - 4 for text in texts]

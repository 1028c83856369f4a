"""The parameters of the pipeline of byte-to-span taggers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline_byte_span_tagging import (
    LABELS,
    TEXT,
    check,
    model_of,
    pipeline_of,
    texts,
)

from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization import text_stream
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer


@pytest.fixture(scope="module")
def tagger() -> Any:
    return pipeline_of()


class TestParameters:
    def test_the_score_is_that_of_three_symbols(self, tagger: Any) -> None:
        text = "Ada in Lund"  # one window
        ids = torch.tensor([list(text.encode())])
        symbols, log_chances = tagger.model.decode_spans(ids)
        found = tagger.tokenizer.codec.decode(symbols[0].tolist(), len(text))
        scores = [log_chances[0, p : p + 3].sum().exp().item() for p in found.positions]
        expected: dict[tuple[int, int, str], float] = {}
        for span, score in zip(found.spans, scores, strict=True):  # an untrained model repeats itself
            expected[tuple(span)] = max(score, expected.get(tuple(span), 0.0))
        entities = tagger(text)
        assert entities
        for entity in entities:
            place = entity["start"], entity["end"], entity["entity_group"]
            assert entity["score"] == pytest.approx(expected[place])

    def test_min_score_is_applied_to_merged_spans(self, tagger: Any) -> None:
        entities = tagger(TEXT)
        middle = sorted(entity["score"] for entity in entities)[len(entities) // 2]
        best = [entity for entity in entities if entity["score"] >= middle]
        assert 0 < len(best) < len(entities)
        assert tagger(TEXT, min_score=middle) == best
        model = model_of(min_score=middle)
        by_config = SpanTaggingPipeline(model=model, tokenizer=tagger.tokenizer)
        assert by_config(TEXT) == best and by_config(TEXT, min_score=0.0) == entities

    def test_recall_bias_finds_more_or_fewer(self, tagger: Any) -> None:
        assert tagger(TEXT, recall_bias=-1e9) == []
        assert len(tagger(TEXT, recall_bias=-2.0)) < len(tagger(TEXT)) <= len(tagger(TEXT, recall_bias=1e9))
        by_config = SpanTaggingPipeline(model=model_of(recall_bias=-1e9), tokenizer=tagger.tokenizer)
        assert by_config(TEXT) == [] != by_config(TEXT, recall_bias=0.0)

    def test_those_of_the_constructor_are_defaults(self, tagger: Any) -> None:
        pipeline = pipeline_of(overlap=0, min_score=0.5, recall_bias=1.0, batch_size=2, errors="replace")
        given = {"overlap": 0, "min_score": 0.5, "recall_bias": 1.0, "errors": "replace"}
        assert pipeline(b"\xff" + TEXT.encode()) == tagger(b"\xff" + TEXT.encode(), batch_size=2, **given)
        with pytest.raises(InputError):
            pipeline(b"\xff", errors="strict")

    def test_overlap_and_errors_are_those_of_the_stream(self, tagger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        streams = []
        stream = text_stream.TextStream.__init__

        def watch(self: Any, *args: Any) -> None:
            stream(self, *args)
            streams.append((self.overlap, self.errors, self.merger.rule))

        monkeypatch.setattr(text_stream.TextStream, "__init__", watch)
        tagger("a", overlap=3, errors="replace", merge="paper")
        tagger("a")
        assert streams[1::2] == [(3, "replace", "paper"), (6, "strict", "middle")]
        streams.clear()
        by_config = SpanTaggingPipeline(model=model_of(merge="paper"), tokenizer=tagger.tokenizer)
        by_config("a")
        by_config("a", merge="middle")
        assert [rule for _, _, rule in streams][2::2] == ["paper", "middle"]

    def test_there_is_nothing_to_merge_of_averaged_tags(self) -> None:
        model = model_of(tag_loss=1.0, decode="tags", merge="paper")
        pipeline = SpanTaggingPipeline(model=model, tokenizer=ByteToSpanTokenizer(12, LABELS))
        with pytest.raises(ValueError, match=r"merge is 'middle', and this tagger averages the tags.*decode to"):
            pipeline("a", merge="middle")

    @settings(max_examples=40, deadline=None)
    @given(texts, st.sampled_from(["middle", "paper"]), st.sampled_from(["forward", "reversed"]))
    def test_without_the_grammar_too_any_text_has_exact_offsets(self, text: str, merge: str, order: str) -> None:
        model = model_of(span_grammar=False, merge=merge, input_order=order)
        pipeline = SpanTaggingPipeline(model=model, tokenizer=ByteToSpanTokenizer(12, LABELS))
        check(text, pipeline(text))

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"overlap": 12}, ValueError, "overlap is 12; it is at least 0 and less than the window of 12 bytes"),
            ({"overlap": -1}, ValueError, "overlap is -1"),
            ({"merge": "first"}, ValueError, "merge is 'first'; it is 'middle' or 'paper'"),
            ({"errors": "ignore"}, ValueError, "errors is 'ignore'; it is 'strict' or 'replace'"),
            ({"num_beams": 0}, ValueError, "num_beams is 0; it must be a whole number, at least 1"),
            ({"recall_bias": "1"}, ValueError, "recall_bias is '1'; it must be a number"),
            ({"num_beams": 2.0}, ValueError, "num_beams is 2.0"),
            ({"num_beams": True}, ValueError, "num_beams is True"),
            ({"batch_size": 0}, ValueError, "batch_size is 0; it must be a whole number, at least 1"),
            (
                {"is_split_into_words": True},
                TypeError,
                "is_split_into_words; it has batch_size, overlap, merge, errors, recall_bias, num_beams, min_score, "
                "aggregation_strategy, ignore_labels",
            ),
            ({"aggregation_strategy": "none"}, ValueError, "a byte-to-span tagger has none: it finds whole spans"),
            (
                {"aggregation_strategy": "best"},
                ValueError,
                "is 'best'; it is one of none, simple, first, average, max",
            ),
            ({"ignore_labels": "LOC"}, ValueError, "ignore_labels is 'LOC'; it is a list of labels"),
            ({"max_words": 3, "k": 1}, TypeError, "no parameter k, max_words"),
        ],
    )
    def test_bad_ones_are_refused_at_once(
        self, parameters: dict[str, Any], error: type[Exception], message: str, tagger: Any
    ) -> None:
        with pytest.raises(error, match=message):
            tagger(iter(["a"]), **parameters)
        if "batch_size" not in parameters:
            with pytest.raises(error, match=message):
                pipeline_of(**parameters)

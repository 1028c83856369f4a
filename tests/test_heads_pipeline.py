"""The pipeline of a tagger of several heads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_heads import POS, SHARINGS, model_of
from test_language_vocabularies import ENGLISH, SPANISH, two_languages

import tagsmith
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

TEXTS = ["The cat sat in London.\nEl gato ran.", "", "the gato", " \n", "Ñu 1984 cat sat in the El gato ."]


def pipeline_of(sharing: str) -> SpanTaggingPipeline:
    tokenizer: HierarchicalTaggerTokenizer = two_languages()
    options: dict[str, Any] = {"character_vocab_size": tokenizer.character_vocab_size}
    if sharing == "characters":
        sizes = {name: len(words) + 2 for name, words in tokenizer.vocabularies.items()}
        options["languages"] = {name: {"vocab_size": size, "rare_word_id": None} for name, size in sizes.items()}
    else:
        tokenizer = HierarchicalTaggerTokenizer.train(ENGLISH + SPANISH)
        options = {"character_vocab_size": tokenizer.character_vocab_size, "vocab_size": tokenizer.vocab_size}
    return tagsmith.pipeline(model_of(sharing, **options), tokenizer=tokenizer)


@pytest.fixture(scope="module", params=SHARINGS)
def pipeline(request: pytest.FixtureRequest) -> SpanTaggingPipeline:
    return pipeline_of(request.param)


def rounded(result: Any) -> Any:
    """Scores depend on the batch in their last digits."""
    if isinstance(result, dict):
        return {name: rounded(value) for name, value in result.items()}
    return [{**entity, "score": pytest.approx(entity["score"], abs=1e-5)} for entity in result]


class TestPipeline:
    def test_one_head_gives_a_list_and_none_all(self, pipeline: SpanTaggingPipeline) -> None:
        names = pipeline.model.config.head_names
        for text in TEXTS:
            found = pipeline(text)
            assert list(found) == names
            for name in names:
                alone = pipeline(text, head=name)
                assert isinstance(alone, list)
                assert alone == rounded(found[name])
                assert all(text[entity["start"] : entity["end"]] == entity["word"] for entity in alone)
        assert any(pipeline(TEXTS[0])[name] for name in names)

    def test_heads_differ_in_their_labels(self) -> None:
        found = pipeline_of("encoder")(TEXTS[-1])
        labels = {name: {entity["entity_group"] for entity in entities} for name, entities in found.items()}
        assert labels["ner"] <= {"LOC", "PER"} and labels["chunks"] <= {"NP"} and labels["pos"] <= set(POS["tags"])
        assert len(found["pos"]) == len(pipeline_of("encoder").tokenizer.split(TEXTS[-1]))

    def test_a_language_is_read_in_its_own_words(self) -> None:
        pipeline = pipeline_of("characters")
        words = ["the", "gato", "cat"]
        for name in ("en-ner", "es"):
            language = pipeline.model.config.head(name).language
            encoded = pipeline.tokenizer([words], is_split_into_words=True, return_tensors="pt", language=language)
            spans, scores = pipeline.model.predict_spans(**encoded, head=name)
            found = pipeline(words, is_split_into_words=True, head=name)
            assert [entity["score"] for entity in found] == pytest.approx(scores.tolist(), abs=1e-6)
            labels = pipeline.model.head(name).span_labels
            assert [entity["entity_group"] for entity in found] == [labels[label] for label in spans[:, 3].tolist()]

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_lists_and_generators(self, pipeline: SpanTaggingPipeline, batch_size: int) -> None:
        expected = [rounded(pipeline(text)) for text in TEXTS]
        assert pipeline(TEXTS, batch_size=batch_size) == expected
        stream = pipeline(iter(TEXTS), batch_size=batch_size)
        assert isinstance(stream, Iterator)
        assert list(stream) == expected

    def test_a_stream_without_an_end(self, pipeline: SpanTaggingPipeline) -> None:
        name = pipeline.model.config.head_names[-1]
        for options in ({}, {"head": name}):
            stream = pipeline(itertools.cycle(TEXTS), batch_size=2, **options)
            assert list(itertools.islice(stream, 7)) == [
                rounded(pipeline(text, **options)) for text in itertools.islice(itertools.cycle(TEXTS), 7)
            ]

    def test_the_least_score(self, pipeline: SpanTaggingPipeline) -> None:
        found = pipeline(TEXTS[0])
        scores = sorted(entity["score"] for entities in found.values() for entity in entities)
        least = scores[len(scores) // 2] - 1e-5
        assert pipeline(TEXTS[0], min_score=least) == {
            name: rounded([entity for entity in entities if entity["score"] >= least])
            for name, entities in found.items()
        }
        assert pipeline(TEXTS[0], min_score=1.01) == {name: [] for name in found}

    def test_no_text(self, pipeline: SpanTaggingPipeline) -> None:
        names = pipeline.model.config.head_names
        assert pipeline("") == pipeline(" \n ") == {name: [] for name in names}
        assert pipeline("", head=names[0]) == []
        assert pipeline([]) == []

    def test_a_head_by_default(self) -> None:
        whole = pipeline_of("encoder")
        chosen = tagsmith.pipeline(whole.model, tokenizer=whole.tokenizer, head="ner")
        assert chosen(TEXTS[0]) == rounded(whole(TEXTS[0])["ner"])
        assert chosen(TEXTS[0], head="pos") == rounded(whole(TEXTS[0])["pos"])
        assert chosen(TEXTS[0], head=None) == rounded(whole(TEXTS[0]))

    def test_a_head_that_is_not_there(self, pipeline: SpanTaggingPipeline) -> None:
        names = ", ".join(map(str, pipeline.model.config.head_names))
        with pytest.raises(ValueError, match=f"no head 'nerd'. Choose one of {names}"):
            pipeline(TEXTS[0], head="nerd")
        with pytest.raises(ValueError, match=f"Choose one of {names}"):
            tagsmith.pipeline(pipeline.model, tokenizer=pipeline.tokenizer, head="nerd")

    def test_a_folder(self, pipeline: SpanTaggingPipeline, tmp_path: Path) -> None:
        pipeline.model.save_pretrained(tmp_path)
        pipeline.tokenizer.save_pretrained(tmp_path)
        assert tagsmith.pipeline(str(tmp_path))(TEXTS) == [rounded(pipeline(text)) for text in TEXTS]

    def test_a_tagger_of_one_head_gives_plain_lists(
        self,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
    ) -> None:
        pipeline = tagsmith.pipeline(tiny_model, tokenizer=tiny_tokenizer)
        found = pipeline("In Lund it rains .")
        assert [entity["word"] for entity in found] == ["Lund"]
        assert pipeline("In Lund it rains .", head=None) == found
        assert pipeline(["", "It rains"]) == [[], []]
        with pytest.raises(ValueError, match="one head, without a name, and none 'ner'"):
            pipeline("In Lund it rains .", head="ner")

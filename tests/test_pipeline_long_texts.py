"""The pipeline span-tagging on lines and words of any length."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from test_pipeline_span_tagging import check, make_restless

from tagsmith.modeling import span_tagging, word_cache
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


class TestLength:
    def test_a_line_of_a_hundred_thousand_words_is_tagged_whole(self, restless: SpanTaggingPipeline) -> None:
        text = "In Lund it rains , 1843 times . " * 12_500
        entities = restless(text)
        check(text, entities)
        assert sum(len(entity["word"].split()) for entity in entities) == 100_000

    def test_a_stretch_has_at_most_max_words(self, restless: SpanTaggingPipeline) -> None:
        text = "a b c. d e f g h i"
        for limit in (1, 3, 4, 100):
            entities = restless(text, max_words=limit)
            check(text, entities)
            assert "".join(e["word"] for e in entities).replace(" ", "") == text.replace(" ", "")
            assert max(len(restless.tokenizer.split(e["word"])) for e in entities) <= limit

    def test_words_are_spelled_once_and_a_very_long_one_by_itself(
        self, restless: SpanTaggingPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shapes = []
        spell = HierarchicalTaggerTokenizer.spell
        monkeypatch.setattr(restless, "_words", {})  # as of a new one

        def watch(self: HierarchicalTaggerTokenizer, words: Any) -> Any:
            ids = spell(self, words)
            shapes.append(ids.shape)
            return ids

        monkeypatch.setattr(HierarchicalTaggerTokenizer, "spell", watch)
        monkeypatch.setattr(word_cache, "_CELLS", 300)
        lines = ["éa éb é è"] * 20 + ["é" * 600] + ["éa éb é è"] * 20
        for _ in range(2):  # and are known in the next call
            check("\n".join(lines), restless("\n".join(lines), batch_size=4))
        assert shapes == [(4, 2), (1, 128)]

    def test_sentences_are_grouped_by_their_words(
        self, restless: SpanTaggingPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted: list[int] = []
        read = word_cache.WordCache.read

        def watch(self: word_cache.WordCache, words: Any) -> None:
            words = list(words)
            wanted.append(len(words))
            read(self, words)

        monkeypatch.setattr(word_cache.WordCache, "read", watch)
        monkeypatch.setattr(span_tagging, "_WORDS", 10)
        lines = ["a b"] * 7 + ["a b c d e f g h i j k l"] * 2
        expected = [restless(line) for line in lines]
        wanted.clear()
        assert [len(found) for found in restless(lines, batch_size=2)] == list(map(len, expected))
        assert wanted == [4 + 4, 4, 2 + 12, 12]


LONG = {
    "letters": "abcdefgh" * 25_000,
    "digits": "0123456789" * 20_000,
    "hexadecimal": "0b9e1f77" * 25_000,
    "marks": "e" + "\u0301" * 200_000,
    "Devanagari": "न\u0947" * 100_000,
    "hyphens": "ab-" * 70_000,
}


class TestLongWords:
    @pytest.fixture(autouse=True)
    def fresh(self, restless: SpanTaggingPipeline) -> None:
        restless.shortened, restless.says_shortened = 0, True

    @pytest.mark.parametrize("kind", LONG)
    def test_a_word_is_read_as_its_ends_and_covered_whole(self, kind: str, restless: SpanTaggingPipeline) -> None:
        word = LONG[kind].rstrip("-")
        ends = word[:64] + word[-64:]
        text, short = f"Ada {word} in Lund", f"Ada {ends} in Lund"
        found, expected = restless(text), restless(short)
        check(text, found)
        assert [entity["entity_group"] for entity in found] == [entity["entity_group"] for entity in expected]
        assert [entity["score"] for entity in found] == pytest.approx([entity["score"] for entity in expected])
        assert restless(text.split(), is_split_into_words=True) == found
        assert restless.shortened == 2

    def test_of_any_length_takes_the_same_memory(self, tagger: SpanTaggingPipeline) -> None:
        peaks = []
        for length in (10_000, 1_000_000):
            text = "Ada " + "x" * length
            tagger(text)
            tracemalloc.start()
            tagger(text)
            peaks.append(tracemalloc.get_traced_memory()[1] - 2 * length)  # the word as a Word and in its span
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 1_000_000

    def test_the_cache_holds_no_long_word(
        self, restless: SpanTaggingPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted: list[str] = []
        read = word_cache.WordCache.read

        def watch(self: word_cache.WordCache, words: Any) -> None:
            words = list(words)
            wanted.extend(words)
            read(self, words)

        monkeypatch.setattr(word_cache.WordCache, "read", watch)
        lines = [f"{number}{'x' * 3_000}" for number in range(120)]
        for line, entities in zip(lines, restless(iter(lines)), strict=True):
            check(line, entities)
        assert len(set(wanted)) == 120 and set(map(len, wanted)) == {128}

    def test_few_long_lines_are_held_together(
        self, tagger: SpanTaggingPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(span_tagging, "_CHARACTERS", 10_000)
        read = 0

        def lines() -> Iterator[str]:
            nonlocal read
            for _ in range(30):
                read += 1
                yield "x" * 3_000

        for number, entities in enumerate(tagger(lines())):
            assert entities == [] and read <= number + 5

    def test_how_many_there_were_is_said_once(
        self, restless: SpanTaggingPipeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        list(restless(iter(["Ada", "x" * 128, "x" * 129, "y" * 200, "z" * 500 + " in " + "z" * 500])))
        restless("x" * 300)
        assert [record.getMessage() for record in caplog.records] == [
            "words of more than 128 characters: 4; of each, the first 64 and the last 64 characters were read"
        ]
        assert restless.shortened == 5

    def test_the_number_is_the_tokenizers(
        self,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
        restless: SpanTaggingPipeline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(tiny_tokenizer, "max_word_characters", 5)
        assert [entity["score"] for entity in restless("abcdefghij")] == pytest.approx(
            [entity["score"] for entity in restless("abcij")]
        )
        assert restless.shortened == 1

"""The pipeline span-tagging: texts of every kind in, spans with exact offsets out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset, IterableDataset
from transformers.pipelines.pt_utils import KeyDataset

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

TEXT = "Ada Lovelace lived in London.\nGrace went to New York City.\r\n\r\nIn Lund it rains."
SPANS = [
    ("PER", "Ada Lovelace"),
    ("LOC", "London"),
    ("PER", "Grace"),
    ("LOC", "New York City"),
    ("LOC", "Lund"),
]
PIECES = [
    "Ada",
    "Lovelace",
    "London",
    "New York City",
    "Juan de Vega",
    ".",
    ",",
    " ",
    "\t",
    "\r\n",
    "\n",
    "\u3000",
    "\xa0",
]
ODDITIES = [
    "😀",
    "👨‍👩‍👧",
    "🇫🇷",
    "e\u0301",
    "\u0301",
    "שלום",
    "\u202e",
    "中文",
    "ไทย",
    "\x00",
    "\ufeff",
    "\u200d",
    "\u2028",
    "ſ",
    "İ",
]
texts = st.one_of(st.lists(st.sampled_from(PIECES + ODDITIES), max_size=12).map("".join), st.text(max_size=30))


def random_tagger(
    tokenizer: HierarchicalTaggerTokenizer, tags: list[str], **options: Any
) -> HierarchicalTaggerForTokenClassification:
    torch.manual_seed(0)
    config = HierarchicalTaggerConfig(
        vocab_size=tokenizer.vocab_size,
        character_vocab_size=tokenizer.character_vocab_size,
        word_embedding_size=8,
        character_embedding_size=4,
        character_hidden_size=4,
        character_num_layers=1,
        hidden_size=8,
        num_hidden_layers=1,
        id2label=dict(enumerate(tags)),
        **options,
    )
    return HierarchicalTaggerForTokenClassification(config).eval()


@pytest.fixture(scope="module")
def tagger(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
) -> SpanTaggingPipeline:
    return SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer)


def make_restless(tokenizer: HierarchicalTaggerTokenizer) -> SpanTaggingPipeline:
    """An untrained tagger, which finds spans everywhere."""
    model = random_tagger(tokenizer, ["B-A", "I-A", "B-B", "I-B"], tag_scheme="IOB2")
    return SpanTaggingPipeline(model=model, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def restless(tiny_tokenizer: HierarchicalTaggerTokenizer) -> SpanTaggingPipeline:
    return make_restless(tiny_tokenizer)


def pairs(entities: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(entity["entity_group"], entity["word"]) for entity in entities]


def check(text: str, entities: list[dict[str, Any]]) -> None:
    """Offsets are exact, spans rise without overlap, scores are probabilities."""
    end = 0
    for entity in entities:
        assert list(entity) == ["entity_group", "score", "word", "start", "end"]
        assert text[entity["start"] : entity["end"]] == entity["word"] != ""
        assert entity["start"] >= end
        assert isinstance(entity["score"], float) and 0 <= entity["score"] <= 1
        end = entity["end"]


class TestInputs:
    def test_a_text(self, tagger: SpanTaggingPipeline) -> None:
        entities = tagger(TEXT)
        check(TEXT, entities)
        assert pairs(entities) == SPANS
        assert all(entity["score"] > 0.9 for entity in entities)

    def test_lists_and_tuples_of_texts(self, tagger: SpanTaggingPipeline) -> None:
        for batch in ([TEXT, "", "Lund"], (TEXT, "", "Lund")):
            found = tagger(batch)
            assert isinstance(found, list) and [len(entities) for entities in found] == [5, 0, 1]
        assert tagger([TEXT]) == [tagger(TEXT)]

    def test_nothing(self, tagger: SpanTaggingPipeline) -> None:
        assert tagger([]) == [] and tagger(()) == [] and list(tagger(iter([]))) == []
        for text in ("", " ", " \t\u3000", "\n", "\r\n\r\n", "\u2028"):
            assert tagger(text) == []
        assert tagger(["", " ", "\n"]) == [[], [], []]

    @pytest.mark.parametrize("text", ["a", ".", "中", "\u0301", "😀"])
    def test_one_character(self, text: str, restless: SpanTaggingPipeline) -> None:
        assert [entity["word"] for entity in restless(text)] == [text]

    @settings(max_examples=120, deadline=None)
    @given(texts)
    def test_any_text_has_exact_offsets(self, restless: SpanTaggingPipeline, text: str) -> None:
        entities = restless(text)
        check(text, entities)
        covered = [False] * len(text)
        for entity in entities:
            covered[entity["start"] : entity["end"]] = [True] * len(entity["word"])
        # Every tag of this tagger is inside a span, so that no word may be left out.
        for word in restless.tokenizer.split(text):
            assert all(covered[word.start : word.end]), word

    def test_lines_are_tagged_apart(self, tagger: SpanTaggingPipeline) -> None:
        assert pairs(tagger("New York\nCity")) != [("LOC", "New York\nCity")]
        entities = tagger("Ada Lovelace lived in London.\r\n" * 3)
        assert pairs(entities) == SPANS[:2] * 3
        assert [entity["start"] for entity in entities] == [0, 22, 31, 53, 62, 84]

    def test_lone_surrogate_is_refused(self, tagger: SpanTaggingPipeline) -> None:
        with pytest.raises(InputError, match=r"lone surrogate \(U\+D800\) at character 5"):
            tagger("line\n\ud800")

    def test_a_text_that_cannot_be_read_raises_when_its_turn_comes(self, tagger: SpanTaggingPipeline) -> None:
        found = tagger(iter(["In Lund", "", "\ud800", "Lund"]))
        assert pairs(next(found)) == [("LOC", "Lund")] and next(found) == []
        with pytest.raises(InputError):
            next(found)

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (None, "takes a str, or a list or an iterator of str, not NoneType"),
            (7, "not int"),
            (b"bytes", "not bytes"),
            ({"text": "a"}, "not dict"),
            ([None], "A text is a str, and this one is NoneType"),
            (["a", ["b"]], r"this one is list. For words already split, pass is_split_into_words=True"),
        ],
    )
    def test_what_is_no_text_is_refused(self, inputs: Any, message: str, tagger: SpanTaggingPipeline) -> None:
        with pytest.raises(TypeError, match=message):
            tagger(inputs)


class Texts:
    """No more than a length and items."""

    def __init__(self, texts: list[Any]) -> None:
        self.texts, self.read = texts, 0

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: int) -> Any:
        assert 0 <= place < len(self.texts)  # never asked for more than there are
        self.read += 1
        return self.texts[place]


class TorchTexts(Texts, Dataset[Any]):
    """A data set of torch."""


class Endless(IterableDataset[str]):
    """A data set of torch without an end."""

    def __iter__(self) -> Iterator[str]:
        while True:
            yield TEXT


class TestDataSets:
    CORPUS = (TEXT, "", "Lund")

    def test_what_has_a_length_and_items(self, tagger: SpanTaggingPipeline) -> None:
        expected = tagger(self.CORPUS)
        rows = datasets.Dataset.from_dict({"text": self.CORPUS})
        for given_ in (Texts(self.CORPUS), TorchTexts(self.CORPUS), KeyDataset(rows, "text")):
            found = tagger(given_)
            assert not isinstance(found, list) and list(found) == expected
        assert tagger(rows["text"]) == expected and tagger(np.array(self.CORPUS)) == expected
        assert list(tagger(KeyDataset([{"text": text} for text in self.CORPUS], "text"))) == expected
        assert list(tagger(Texts([]))) == []

    def test_they_are_read_as_they_are_needed(self, tagger: SpanTaggingPipeline) -> None:
        texts = TorchTexts([TEXT] * 5000)
        assert pairs(next(tagger(texts, batch_size=1))) == SPANS and texts.read < 200
        assert pairs(next(tagger(Endless(), batch_size=1))) == SPANS

    def test_words_given_split(self, tagger: SpanTaggingPipeline) -> None:
        sentences = [["In", "Lund"], ["Ada", "Lovelace"]]
        found = tagger(Texts(sentences), is_split_into_words=True)
        assert list(found) == tagger(sentences, is_split_into_words=True)

    def test_rows_are_no_texts(self, tagger: SpanTaggingPipeline) -> None:
        rows = datasets.Dataset.from_dict({"text": self.CORPUS})
        with pytest.raises(
            TypeError, match=r'this one is dict\. For rows.*KeyDataset\(rows, "text"\), or rows\["text"\]'
        ):
            tagger(rows)


class TestSplitWords:
    def test_a_sentence_and_a_batch(self, tagger: SpanTaggingPipeline) -> None:
        words = ["Ada", "Lovelace", "lived", "in", "London", "."]
        entities = tagger(words, is_split_into_words=True)
        check(" ".join(words), entities)
        assert pairs(entities) == SPANS[:2]
        assert tagger(tuple(words), is_split_into_words=True) == entities
        assert tagger([words, [], ["Lund"]], is_split_into_words=True)[0] == entities
        assert list(tagger((w for w in [words]), is_split_into_words=True)) == [entities]
        assert tagger([], is_split_into_words=True) == []

    def test_words_stay_as_given(self, restless: SpanTaggingPipeline) -> None:
        words = ["New York", "a,b", "c\nd", " e "]
        entities = restless(words, is_split_into_words=True)
        check(" ".join(words), entities)
        assert {end for entity in entities for end in (entity["start"], entity["end"])} <= {
            0,
            8,
            9,
            12,
            13,
            16,
            17,
            20,
        }

    def test_long_sentences_are_cut(self, restless: SpanTaggingPipeline) -> None:
        words = [f"w{number}" if number % 7 else "." for number in range(1, 200)]
        for limit in (1, 2, 5, 50, 500):
            entities = restless(words, is_split_into_words=True, max_words=limit)
            check(" ".join(words), entities)
            assert sum(entity["word"].count(" ") + 1 for entity in entities) == len(words)
            assert max(entity["word"].count(" ") + 1 for entity in entities) <= limit

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ("a text", "each input is a list of words, and this is str"),
            ([["a"], "b c"], "each input is a list of words, and this is str"),
            ([["a"], None], "this is NoneType"),
            ([["a", 5]], "A word is a str, and this one is int: 5"),
        ],
    )
    def test_what_are_no_words_is_refused(self, inputs: Any, message: str, tagger: SpanTaggingPipeline) -> None:
        with pytest.raises(TypeError, match=message):
            tagger(inputs, is_split_into_words=True)

    def test_a_lone_surrogate_in_a_word_is_refused(self, tagger: SpanTaggingPipeline) -> None:
        for words in (["a", "b\ud800"], ["\udc80"], ["\ud83d", "\ude00"]):
            with pytest.raises(InputError, match=r"word \d holds a lone surrogate \(U\+D"):
                tagger(words, is_split_into_words=True)

    def test_an_empty_word_is_refused(self, tagger: SpanTaggingPipeline) -> None:
        with pytest.raises(ValueError, match="A word is empty"):
            tagger(["a", ""], is_split_into_words=True)


class TestParameters:
    def test_min_score_leaves_spans_out(self, restless: SpanTaggingPipeline) -> None:
        entities = restless(TEXT)
        scores = sorted(entity["score"] for entity in entities)
        middle = scores[len(scores) // 2]
        assert restless(TEXT, min_score=middle) == [e for e in entities if e["score"] >= middle]
        assert restless(TEXT, min_score=1.1) == []

    @pytest.mark.parametrize(
        ("name", "value", "found"),
        [
            ("min_score", math.nan, "min_score is nan; it must be a number"),
            ("min_score", "0.5", "min_score is '0.5'; it must be a number"),
            ("batch_size", "3", "batch_size is '3'; it must be a whole number, at least 1"),
            ("batch_size", 2.0, r"batch_size is 2\.0; it must be a whole number"),
            ("max_words", True, "max_words is True; it must be a whole number"),
        ],
    )
    def test_of_the_wrong_kind(self, tagger: SpanTaggingPipeline, name: str, value: Any, found: str) -> None:
        with pytest.raises(ValueError, match=found):
            tagger("a", **{name: value})

    def test_unknown_ones_are_refused(self, tagger: SpanTaggingPipeline, tiny_folder: Path) -> None:
        message = (
            "has no parameter stride; it has batch_size, is_split_into_words, max_words, head, min_score, "
            "aggregation_strategy, ignore_labels"
        )
        with pytest.raises(TypeError, match=message):
            tagger("a", stride=3)
        with pytest.raises(TypeError, match=message):
            tagsmith.pipeline(str(tiny_folder), stride=3)

    def test_workers_are_refused(self, tagger: SpanTaggingPipeline, tiny_folder: Path) -> None:
        with pytest.raises(ValueError, match="num_workers is 2; span-tagging reads texts in its own process"):
            tagger("a", num_workers=2)
        with pytest.raises(ValueError, match="num_workers is 1"):
            tagsmith.SpanTaggingPipeline(model=tagger.model, tokenizer=tagger.tokenizer, num_workers=1)
        assert tagger("a", num_workers=0) == tagger("a", num_workers=None)

    @pytest.mark.parametrize(("name", "value"), [("max_words", 0), ("batch_size", 0), ("batch_size", -2)])
    def test_sizes_below_one_are_refused(self, name: str, value: int, tagger: SpanTaggingPipeline) -> None:
        with pytest.raises(ValueError, match=f"{name} is {value}; it must be a whole number, at least 1"):
            tagger("a", **{name: value})


class TestOtherTaggers:
    @pytest.mark.parametrize("output", ["crf", "softmax"])
    def test_plain_tags_are_one_a_word(self, output: str, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        model = random_tagger(tiny_tokenizer, ["NOUN", "VERB", "O"], output=output, tag_scheme="plain")
        pipeline = SpanTaggingPipeline(model=model, tokenizer=tiny_tokenizer)
        entities = pipeline(TEXT)
        check(TEXT, entities)
        assert [entity["word"] for entity in entities] == tiny_tokenizer.tokenize(TEXT)
        assert {entity["entity_group"] for entity in entities} <= {"NOUN", "VERB", "O"}

    def test_a_softmax_with_a_gazetteer(self) -> None:
        gazetteer = tagsmith.Gazetteer({"LOC": ["New York City"]})
        tokenizer = HierarchicalTaggerTokenizer.train([["New", "York"]], gazetteer=gazetteer)
        model = random_tagger(tokenizer, ["O", "B-X", "I-X"], output="softmax", tag_scheme="IOB2", gazetteer_size=5)
        output = model.head().output
        with torch.no_grad():  # the gazetteer alone decides
            output.weight.zero_()
            output.bias.zero_()
            output.weight[0, 16] = output.weight[1, 17] = 9
            output.weight[2, 18:20] = 9
        entities = SpanTaggingPipeline(model=model, tokenizer=tokenizer)("To New York City, to New York", batch_size=3)
        assert pairs(entities) == [("X", "New York City")]


class TestLoading:
    def test_both_ways_give_the_same(self, tiny_folder: Path, tagger: SpanTaggingPipeline) -> None:
        tagsmith.register()
        long = transformers.pipeline("span-tagging", model=str(tiny_folder))
        short = tagsmith.pipeline(str(tiny_folder), batch_size=2)
        assert isinstance(long, SpanTaggingPipeline) and isinstance(short, SpanTaggingPipeline)
        assert long(TEXT) == short(TEXT) == tagger(TEXT)

    def test_a_model_needs_its_tokenizer(
        self, tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
    ) -> None:
        pipeline = tagsmith.pipeline(tiny_model, tokenizer=tiny_tokenizer)
        assert pairs(pipeline(TEXT)) == SPANS

    def test_a_model_may_come_straight_from_training(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        model = random_tagger(tiny_tokenizer, ["B-A", "I-A"], tag_scheme="IOB2", hidden_dropout=0.5).train()
        pipeline = tagsmith.pipeline(model, tokenizer=tiny_tokenizer)
        assert pipeline(TEXT) == pipeline(TEXT)

    def test_half_precision(self, tiny_folder: Path) -> None:
        entities = tagsmith.pipeline(str(tiny_folder), dtype=torch.bfloat16)(TEXT)
        check(TEXT, entities)
        assert pairs(entities) == SPANS

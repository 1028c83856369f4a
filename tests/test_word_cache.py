"""Words that are read once: the cache's rows are what the tagger makes of each word, however little has room."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tagsmith.modeling import word_cache
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.modeling.word_cache import WordCache
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.ngram_counts import ngrams_of_words

WORDS = ["Lund", "in", "rains", "Ada", "é" * 40, "?", "lund", "Lund7", "漢字", "x"]


@pytest.fixture
def encoder(tiny_model: HierarchicalTaggerForTokenClassification) -> Any:
    return tiny_model.eval().encoder


@torch.no_grad()
def alone(encoder: Any, tokenizer: HierarchicalTaggerTokenizer, word: str) -> Tensor:
    """A word's rows, `(directions, width)`, of nothing but it."""
    encoded = tokenizer.encode_words([word])
    spelling = encoder.spell(torch.tensor(encoded["character_ids"]))
    table: Tensor = encoder.word_table(torch.tensor(encoded["input_ids"]), spelling)
    return table[:, 0]


def check(cache: WordCache, encoder: Any, tokenizer: HierarchicalTaggerTokenizer, words: list[str]) -> None:
    assert len(set(cache.rows.values())) == len(cache.rows)
    for word in words:
        torch.testing.assert_close(cache.table[:, cache.rows[word]], alone(encoder, tokenizer, word))


@settings(max_examples=25, deadline=None)
@given(groups=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=6))
def test_has_all_that_are_wanted_and_little_else(groups: list[list[str]], shared_tagger: Any) -> None:
    encoder, tokenizer = shared_tagger
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_cache, "_ROWS", 4)
        patch.setattr(word_cache, "_CELLS", 60)
        cache, most = WordCache(encoder, tokenizer, None), 4
        for group in groups:
            cache.read(group)
            check(cache, encoder, tokenizer, group)
            most = max(most, len(set(group)))
            assert len(cache.rows) <= cache.table.shape[1] <= most


@pytest.fixture(scope="module")
def shared_tagger() -> tuple[Any, HierarchicalTaggerTokenizer]:
    tokenizer = HierarchicalTaggerTokenizer.train(
        [["Ada", "lived", "in", "Lund"], ["it", "rains", "?"]], lowercase=True
    )
    torch.manual_seed(1)
    ngrams = ngrams_of_words(["Ada", "lived", "Lund", "rains"], [2, 3], 1, 1000)
    config = HierarchicalTaggerConfig(
        ngram_sizes=[2, 3],
        ngram_rows=len(ngrams),
        vocab_size=tokenizer.vocab_size,
        character_vocab_size=tokenizer.character_vocab_size,
        id2label={0: "O", 1: "S-X"},
        label2id={"O": 0, "S-X": 1},
        hidden_size=5,
    )
    encoder = HierarchicalTaggerForTokenClassification(config).eval().encoder
    encoder.set_ngrams(ngrams, tokenizer.characters)
    return encoder, tokenizer


def test_no_words(encoder: Any, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
    cache = WordCache(encoder, tiny_tokenizer, None)
    cache.read([])
    cache.read(["Lund"])
    cache.read([])
    check(cache, encoder, tiny_tokenizer, ["Lund"])


def test_an_empty_word_is_refused(encoder: Any, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
    with pytest.raises(ValueError, match="A word is empty"):
        WordCache(encoder, tiny_tokenizer, None).read(["Lund", ""])


@pytest.mark.parametrize("by_data", [False, True])
def test_a_model_that_has_learnt_since_is_read_anew(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer, by_data: bool
) -> None:
    model = copy.deepcopy(tiny_model)
    pipeline = SpanTaggingPipeline(model=model, tokenizer=tiny_tokenizer)
    text = "Ada lived in Lund"
    before = model.predict_spans(**tiny_tokenizer(text, return_tensors="pt"))[1]
    pipeline(text)
    for parameter in model.encoder.parameters():
        if by_data:
            parameter.data.mul_(-2.0)
        else:
            with torch.no_grad():
                parameter.mul_(-2.0)
    after = model.predict_spans(**tiny_tokenizer(text, return_tensors="pt"))[1]
    assert before.tolist() != pytest.approx(after.tolist())
    assert [entity["score"] for entity in pipeline(text)] == pytest.approx(after.tolist(), abs=1e-5)


def test_a_copy_of_a_pipeline_makes_its_own(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
) -> None:
    pipeline = SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer)
    found = pipeline("Ada lived in Lund")
    cache = pipeline._words[None]
    other = copy.deepcopy(pipeline)
    assert not other._words and other("Ada lived in Lund") == found
    assert pipeline._words[None] is cache and not cache.outdated


def test_threads_that_tag_at_once_have_words_of_their_own(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
) -> None:
    pipeline = SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer)
    texts = [f"Ada lived in Lund {word}" for word in WORDS] * 10
    expected = [pipeline(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(pipeline, texts))
    for entities, wanted in zip(found, expected, strict=True):
        assert [e["word"] for e in entities] == [e["word"] for e in wanted]
        assert [e["score"] for e in entities] == pytest.approx([e["score"] for e in wanted], abs=1e-5)

"""Vocabularies of a run: what is counted of training data."""

from __future__ import annotations

from pathlib import Path

from tagsmith.training.batches.ngram_counts import ngrams_of_words
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.recipe import Recipe, TokenizerOptions
from tagsmith.training.runs.vocabularies import build_vocabularies


def test_ngrams_are_of_words_as_they_are_read(tmp_path: Path, datasets_cache: None) -> None:
    """Of a very long word its first and last characters, which meet."""
    path = tmp_path / "train.conll"
    path.write_text(f"{'a' * 300}{'b' * 300} B-X\nOslo O\n", encoding="utf-8")
    options = {"ngram_sizes": [2, 3], "ngram_min_count": 1, "ngram_rows": 100}
    recipe = Recipe(model=options, tokenizer=TokenizerOptions(max_word_characters=4))
    found = build_vocabularies(recipe, {None: load_corpus(path)}).ngrams
    assert found is not None
    assert found.tolist() == ngrams_of_words({"aabb", "Oslo"}, [2, 3], 1, 100).tolist()


def test_ngrams_are_of_characters_as_they_are_looked_up(tmp_path: Path, datasets_cache: None) -> None:
    path = tmp_path / "train.conll"
    path.write_text("a17 B-X\n", encoding="utf-8")
    recipe = Recipe(
        model={"ngram_sizes": [2], "ngram_min_count": 1, "ngram_rows": 100},
        tokenizer=TokenizerOptions(zero_character_digits=True),
    )
    found = build_vocabularies(recipe, {None: load_corpus(path)}).ngrams
    assert found is not None
    assert found.tolist() == ngrams_of_words({"a00"}, [2], 1, 100).tolist()


def test_no_ngrams_where_none_are_wanted(tmp_path: Path, datasets_cache: None) -> None:
    path = tmp_path / "train.conll"
    path.write_text("Oslo B-X\n", encoding="utf-8")
    assert build_vocabularies(Recipe(), {None: load_corpus(path)}).ngrams is None

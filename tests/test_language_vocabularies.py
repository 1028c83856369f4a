"""A tokenizer with a vocabulary for each language."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

ENGLISH = [["The", "cat", "sat", "in", "1984"], ["the", "cat", "ran"]]


SPANISH = [["El", "gato", "the", "ñu"], ["el", "gato", "2001"]]


def two_languages(**options: Any) -> HierarchicalTaggerTokenizer:
    return HierarchicalTaggerTokenizer.train({"en": ENGLISH, "es": SPANISH}, **options)


class TestTokenizer:
    def test_a_vocabulary_for_each_language(self) -> None:
        tokenizer = two_languages()
        assert tokenizer.languages == ["en", "es"]
        assert tokenizer.vocabularies == {
            "en": ["the", "cat", "sat", "in", "0000", "ran"],
            "es": ["el", "gato", "the", "ñu", "0000"],
        }
        assert tokenizer.rare_word_id == {"en": 4, "es": 4}
        assert tokenizer.vocab_size == 8
        assert {"the", "ñu"} <= {name.partition(":")[2] for name in tokenizer.get_vocab()}
        assert tokenizer.get_vocab()["es:the"] == 4

    def test_ids_are_of_the_language_and_characters_of_all(self) -> None:
        tokenizer = two_languages()
        english, spanish = (tokenizer.encode_words(["the", "ñu"], language) for language in ("en", "es"))
        assert english["input_ids"] == [2, 1]
        assert spanish["input_ids"] == [4, 5]
        assert english["character_ids"] == spanish["character_ids"]
        assert 1 not in english["character_ids"][1]
        assert tokenizer(["the ñu", "cat"], language="en")["input_ids"].tolist() == [[2, 1], [3, 0]]
        assert tokenizer.encode("the", "es") == tokenizer.encode(["the"], "es") == [4]

    @pytest.mark.parametrize("language", [None, "fr"])
    def test_a_language_that_is_not_there(self, language: str | None) -> None:
        tokenizer = two_languages()
        with pytest.raises(ValueError, match="Choose one of en, es"):
            tokenizer.encode_words(["the"], language)
        with pytest.raises(ValueError, match="Choose one of en, es"):
            tokenizer("the", language=language)
        with pytest.raises(ValueError, match="Choose one of en, es"):
            _ = tokenizer.words

    def test_a_language_where_all_have_the_same_words(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(ENGLISH)
        assert tokenizer.languages == []
        with pytest.raises(ValueError, match="leave out language='en'"):
            tokenizer.encode_words(["the"], "en")

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        tokenizer = two_languages(lowercase=False, gazetteer=Gazetteer({"X": ["gato"]}))
        tokenizer.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerTokenizer.from_pretrained(tmp_path)
        assert loaded.vocabularies == tokenizer.vocabularies
        assert loaded.characters == tokenizer.characters
        assert loaded.rare_word_id == tokenizer.rare_word_id
        for language in ("en", "es"):
            encoded = loaded.encode_words(["the", "gato", "El"], language)
            expected = tokenizer.encode_words(["the", "gato", "El"], language)
            assert {**encoded, "gazetteer_features": 0} == {**expected, "gazetteer_features": 0}

    @pytest.mark.parametrize(
        "words, message",
        [
            ({"en": ["a", "a"]}, "the words of en hold 'a' twice"),
            ({"en": "a"}, "the words of en are not a list"),
            ({"en": [""]}, "the words of en are not a list"),
        ],
    )
    def test_a_broken_vocabulary(self, words: Any, message: str, tmp_path: Path) -> None:
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps({"words": words, "characters": ["a"]}), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            HierarchicalTaggerTokenizer(str(path))

    def test_extra_words_of_a_language(self) -> None:
        tokenizer = two_languages(extra_words={"es": ["Lince", "gato"]})
        assert tokenizer.vocabularies["es"][-1] == "lince"
        assert "lince" not in tokenizer.vocabularies["en"]
        assert tokenizer.frozen_word_id == {"es": len(tokenizer.vocabularies["es"]) + 1}
        assert tokenizer.encode(["LINCE"], "es") == [tokenizer.frozen_word_id["es"]]

    def test_a_language_beside_earlier_ones(self) -> None:
        earlier = two_languages()
        tokenizer = HierarchicalTaggerTokenizer.train({"fr": [["le", "chat", "le"]]}, earlier=earlier)
        assert tokenizer.vocabularies == {**earlier.vocabularies, "fr": ["le", "chat"]}
        assert tokenizer.rare_word_id == {"en": 4, "es": 4, "fr": 3}
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)

    def test_languages_after_a_vocabulary_of_all_have_its_characters(self) -> None:
        earlier = HierarchicalTaggerTokenizer.train(ENGLISH)
        tokenizer = HierarchicalTaggerTokenizer.train({"es": SPANISH}, earlier=earlier)
        assert tokenizer.vocabularies == {"es": two_languages().vocabularies["es"]}
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)

    WORDS = st.lists(st.lists(st.text("abcÉß1", min_size=1, max_size=3), min_size=1, max_size=5), max_size=6)

    @given(before=WORDS, after=WORDS, min_count=st.integers(1, 2), extra=st.lists(st.text("abz", min_size=1)))
    @settings(max_examples=40, deadline=None)
    def test_what_was_known_stays_known(
        self, before: list[list[str]], after: list[list[str]], min_count: int, extra: list[str]
    ) -> None:
        earlier = HierarchicalTaggerTokenizer.train(before, extra_words=extra)
        tokenizer = HierarchicalTaggerTokenizer.train(after, earlier=earlier, min_count=min_count)
        assert set(earlier.words) <= set(tokenizer.words)
        assert len(set(tokenizer.words)) == len(tokenizer.words)
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)
        assert len(set(tokenizer.characters)) == len(tokenizer.characters)
        for character in {character for words in after for word in words for character in word}:
            assert character in tokenizer.characters
        # Rare are what the earlier one took for rare, and of the words new to training those that come once.
        frequent_before, rare_before, extra_before = earlier.split_vocabulary(None)
        counts: dict[str, int] = {}
        for word in itertools.chain.from_iterable(after):
            counts[tokenizer.normalize(word)] = counts.get(tokenizer.normalize(word), 0) + 1
        new = {word: count for word, count in counts.items() if count >= min_count}
        new = {word: count for word, count in new.items() if word not in {*frequent_before, *rare_before}}
        frequent, rare, extra_now = tokenizer.split_vocabulary(None)
        assert set(frequent) == {*frequent_before, *(word for word, count in new.items() if count > 1)}
        assert set(rare) == {*rare_before, *(word for word, count in new.items() if count == 1)}
        assert extra_now == [word for word in extra_before if word not in new]

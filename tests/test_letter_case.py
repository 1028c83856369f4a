"""Sentences in capitals that are read in lower case, and training sentences that come in lower case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from test_runtime import make_tagger, make_tokenizer
from toys import assert_one_line, people_and_places, quiet, tagsmith

import tagsmith as package
from tagsmith.runtime import load
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.word_lookup import FIRST_ID, UNK_ID, in_capitals
from tagsmith.training.batches.lowered_sentences import LoweredSentences
from tagsmith.training.batches.preparation import encode_corpus
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import Recipe

SENTENCES = ["Ada met JUAN in Ürümqi .", "It rains in Lund , 1843 .", "été à Åre", "NEW YORK"]
LETTERS = st.text(st.sampled_from("AaÉéÅåZz0.-東ΣσİX"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ADA LOVELACE WAS BORN IN LONDON .", True),
        ("NEW YORK", True),
        ("ПЕТР ЧАЙКОВСКИЙ", True),
        ("ÉTÉ À ÅRE", True),
        ("U.S. - UK", True),
        ("ADA LOVELACE was born", False),
        ("NATO", False),  # one word
        ("A B C", False),  # initials
        ("IBM 1843 .", False),
        ("NBA 东京 CBA", False),  # letters without case
        ("GROßE STRAßE", False),
        ("1843 , 12", False),
        ("", False),
        ("ª NEW YORK", False),
        ("ⓐ NEW YORK", False),
        ("ǅ NEW YORK", False),
        ("ʰ NEW YORK", False),
    ],
)
def test_what_is_in_capitals(text: str, expected: bool) -> None:
    assert in_capitals(text.split()) == expected


def test_a_sentence_in_capitals_is_read_in_lower_case() -> None:
    reading, other = (make_tokenizer(lower_capitals=lower) for lower in (True, False))
    shouted, said = ["ADA", "SAW", "LUND", "."], ["ada", "saw", "lund", "."]
    assert reading.encode_words(shouted) == reading.encode_words(said) == other.encode_words(said)
    assert other.encode_words(shouted)["character_ids"] != other.encode_words(said)["character_ids"]
    mixed = ["ADA", "saw", "LUND", "."]
    assert reading.encode_words(mixed) == other.encode_words(mixed)
    assert reading.read(["A" * 200, "B" * 9]) == (["a" * 128, "b" * 9], 1)


@pytest.mark.usefixtures("datasets_cache")
def test_a_corpus_is_encoded_as_its_sentences_are(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("ADA B-PER\nSAW O\nLUND B-LOC\n\nADA B-PER\nsaw O\n", encoding="utf-8")
    tokenizer = make_tokenizer(lower_capitals=True)
    rows, _ = encode_corpus(load_corpus({"train": path}), tokenizer, ["O", "B-PER", "B-LOC"], "IOB2")
    for row, words in zip(rows["train"], ("ada saw lund", "ADA saw"), strict=True):
        assert row["character_ids"] == list(map(tokenizer.character_ids, words.split()))


@pytest.mark.parametrize("runtime", ["numpy", "torch"])
def test_spans_are_those_of_the_text(tmp_path: Path, runtime: Any) -> None:
    folder = make_tagger(tmp_path, lower_capitals=True)
    tagger = load(folder) if runtime == "numpy" else package.pipeline(folder)
    shouted, said = (tagger(text) for text in ("ADA SAW NEW YORK AND LUND .", "ada saw new york and lund ."))
    assert [{**span, "word": span["word"].lower()} for span in shouted] == said != []
    assert tagger(["ADA", "SAW", "NEW", "YORK", "AND", "LUND", "."], is_split_into_words=True)


def test_an_exported_tagger_says_so(tmp_path: Path) -> None:
    outcome = tagsmith("export", make_tagger(tmp_path / "own", lower_capitals=True), "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["words"]["lower_capitals"] is True


def test_what_it_does_not_go_with(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="passage_words joins them"):
        make_tokenizer(lower_capitals=True, passage_words=20)
    with pytest.raises(ValueError, match="lower_capitals is 'yes'"):
        make_tokenizer(lower_capitals="yes")
    train = people_and_places(tmp_path / "train.tsv", 10, 1)
    options = ["--set", "tokenizer.lower_capitals=true", "--output-dir", tmp_path / "out"]
    outcome = tagsmith("train", "ner-documents", "--train", train, *options)
    assert outcome.code and "Leave out one of the two" in outcome.err


@pytest.mark.parametrize("runtime", ["numpy", "torch"])
def test_a_damaged_option_is_refused(tmp_path: Path, runtime: str) -> None:
    path = make_tagger(tmp_path, lower_capitals=True) / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"lower_capitals": true', '"lower_capitals": 7'), "utf-8")
    assert_one_line(tagsmith("tag", tmp_path, "-", "--runtime", runtime, stdin=b"Ada"), "lower_capitals is 7")


def lowered(tokenizer: HierarchicalTaggerTokenizer, rate: float, seed: int = 1, rows: Any = None) -> LoweredSentences:
    if rows is None:
        rows = encoded(tokenizer, [sentence.split() for sentence in SENTENCES])
    return LoweredSentences(rows, tokenizer, {None: None}, rate, seed)


def encoded(tokenizer: HierarchicalTaggerTokenizer, sentences: list[list[str]]) -> Dataset:
    return Dataset.from_list(
        [
            {**tokenizer.encode_words(words), "labels": [0] * len(words), "length": len(words), "place": place}
            for place, words in enumerate(sentences)
        ]
    )


@given(st.lists(st.lists(LETTERS, min_size=1, max_size=4), min_size=1, max_size=4), st.booleans())
def test_sentences_are_those_of_their_words_in_lower_case(sentences: list[list[str]], lowercase: bool) -> None:
    def one_by_one(word: str) -> str:
        return "".join(character.lower()[0] for character in word)

    tokenizer = HierarchicalTaggerTokenizer.train(sentences, lowercase=lowercase)
    known, characters = tokenizer._word_ids[None], tokenizer._character_ids
    found = lowered(tokenizer, 1.0, rows=encoded(tokenizer, sentences))
    for place, words in enumerate(sentences):
        row, before = found[place], tokenizer.encode_words(words)
        assert row["place"] == place and row["labels"] == [0] * len(words)
        spelled = [[characters.get(letter, UNK_ID) for letter in one_by_one(word)] for word in words]
        assert row["character_ids"] == spelled
        if lowercase:
            assert row["input_ids"] == before["input_ids"]
        else:
            forms = [tokenizer.normalize(word).lower() for word in words]
            assert row["input_ids"] == [known.get(form, UNK_ID) for form in forms]


def test_each_pass_draws_its_own_and_draws_it_again() -> None:
    tokenizer = HierarchicalTaggerTokenizer.train([sentence.split() for sentence in SENTENCES])
    first, again, other = lowered(tokenizer, 0.5), lowered(tokenizer, 0.5), lowered(tokenizer, 0.5, seed=2)
    items = list(range(4 * 100))
    assert first.__getitems__(items) == [again[item] for item in items] != other.__getitems__(items)
    changed = [first[item] != first.rows[item % 4] for item in items if item % 4 == 0]
    assert 30 < sum(changed) < 70


def test_one_around_another_draws_its_own() -> None:
    tokenizer = HierarchicalTaggerTokenizer.train([sentence.split() for sentence in SENTENCES])
    once = lowered(tokenizer, 0.5)
    twice = lowered(tokenizer, 0.5, rows=once)
    assert twice.rows is once.rows and len(twice) == len(SENTENCES)
    items = range(0, 4 * 400, 4)
    assert np.mean([twice[item] != once.rows[0] for item in items]) == pytest.approx(0.75, abs=0.08)


def test_words_of_the_head_that_a_sentence_is_of() -> None:
    words = {"en": [["Ada", "ada"]], "de": [["x", "Ada", "ada"]]}
    tokenizer = HierarchicalTaggerTokenizer.train(words, lowercase=False)
    rows = [{**tokenizer.encode_words(["Ada"], language), "head": f"{language}-ner"} for language in words]
    heads = {f"{language}-ner": language for language in words}
    found = LoweredSentences(Dataset.from_list(rows), tokenizer, heads, 1.0, 1)
    for place, language in enumerate(words):
        assert found[place]["input_ids"] == [tokenizer.vocabularies[language].index("ada") + FIRST_ID]


def test_what_cannot_be_lowered() -> None:
    tokenizer = make_tokenizer(gazetteer=Gazetteer({"LOC": ["Lund"]}, case_sensitive=True))
    with pytest.raises(ValueError, match="a gazetteer that keeps case"):
        lowered(tokenizer, 0.5)
    with pytest.raises(ValueError, match=r"lowercase_share is 1\.5"):
        lowered(make_tokenizer(), 1.5)


@pytest.mark.usefixtures("datasets_cache")
def test_training_on_sentences_in_lower_case(tmp_path: Path) -> None:
    path = people_and_places(tmp_path / "train.tsv", 60, 1)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join(" ".join([row[0].title(), row[1]]) if row else "" for row in lines), encoding="utf-8")
    corpus = load_corpus({"train": path})
    model = {"character_hidden_size": 8, "hidden_size": 16, "ngram_sizes": [2], "ngram_rows": 4000}
    training = {"max_steps": 2, "per_device_train_batch_size": 8, "seed": 1, "learning_rate": 0.02}

    rows = []
    for share in (0.0, 0.5):
        recipe = Recipe(model={**model, "ngram_min_count": 1}, training=training, lowercase_share=share)
        train_tagger(recipe, corpus, tmp_path / str(share), console=quiet())
        rows.append(package.pipeline(tmp_path / str(share)).model.config.ngram_rows)
    assert rows[0] < rows[1], "n-grams of words in lower case are counted, too"

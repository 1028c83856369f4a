from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.batches.preparation import (
    Altered,
    choose_splitter,
    encode_corpus,
    prepare_sentence,
    training_words,
)


def make_row(text: str, tokens: list[str], tags: list[str], spans: list[tuple[int, int, str]], raw: bool) -> dict:
    starts, ends, position = [], [], 0
    for token in tokens:
        starts.append(text.index(token, position))
        position = starts[-1] + len(token)
        ends.append(position)
    return {
        "document": 0,
        "text": text,
        "raw": raw,
        "tokens": tokens,
        "starts": starts,
        "ends": ends,
        "tags": tags,
        "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans],
    }


# The corpus has "U.S.-based" as three tokens; the splitter has its own mind.
RAW = make_row(
    "Ada, of U.S.-based Acme Corp.",
    ["Ada", ",", "of", "U.S.", "-", "based", "Acme", "Corp", "."],
    ["B-PER", "O", "O", "B-LOC", "O", "O", "B-ORG", "I-ORG", "O"],
    [(0, 3, "PER"), (8, 12, "LOC"), (19, 28, "ORG")],
    raw=True,
)
TOKENS = make_row("Ada U.S.-based", ["Ada", "U.S.-based"], ["B-PER", "B-LOC"], [(0, 3, "PER"), (4, 14, "LOC")], False)
WIDE = make_row("in Berlinweit", ["in", "Berlinweit"], ["O", "B-LOC"], [(3, 9, "LOC")], raw=True)
PLAIN = make_row("don't go", ["do", "n't", "go"], ["AUX", "PART", "VERB"], [], raw=True)


def test_raw_text_is_split_anew_and_spans_are_projected() -> None:
    sentence = prepare_sentence(RAW, "punctuation", "BIOES")
    assert sentence.words == ["Ada", ",", "of", "U", ".", "S", ".", "-", "based", "Acme", "Corp", "."]
    assert sentence.tags == [
        "S-PER",
        "O",
        "O",
        "B-LOC",
        "I-LOC",
        "I-LOC",
        "E-LOC",
        "O",
        "O",
        "B-ORG",
        "E-ORG",
        "O",
    ]
    assert sentence.misaligned == 0


def test_a_span_that_ends_inside_a_word_is_widened_and_counted() -> None:
    sentence = prepare_sentence(WIDE, "words", "BIOES")
    assert sentence.words == ["in", "Berlinweit"]
    assert sentence.tags == ["O", "S-LOC"]
    assert sentence.misaligned == 1


def test_a_corpus_of_tokens_is_used_as_given() -> None:
    sentence = prepare_sentence(TOKENS, "punctuation", "BIOES")
    assert (sentence.words, sentence.tags, sentence.misaligned) == (["Ada", "U.S.-based"], ["S-PER", "S-LOC"], 0)


def test_plain_tags_stay_with_their_tokens_even_where_the_text_is_known() -> None:
    sentence = prepare_sentence(PLAIN, "punctuation", "plain")
    assert (sentence.words, sentence.tags) == (["do", "n't", "go"], ["AUX", "PART", "VERB"])


@pytest.mark.parametrize(
    "scheme, tags",
    [
        ("IOB2", ["B-ORG", "I-ORG", "O"]),
        ("IOB1", ["I-ORG", "I-ORG", "O"]),
        ("BILOU", ["B-ORG", "L-ORG", "O"]),
        ("BIOES", ["B-ORG", "E-ORG", "O"]),
    ],
)
def test_the_scheme_is_as_wanted(scheme: str, tags: list[str]) -> None:
    row = make_row("Acme Corp won", ["Acme", "Corp", "won"], ["B-ORG", "I-ORG", "O"], [(0, 9, "ORG")], raw=False)
    assert prepare_sentence(row, "words", scheme).tags == tags
    assert prepare_sentence({**row, "raw": True}, "words", scheme).tags == tags


def test_the_splitter_that_breaks_fewer_spans_is_chosen() -> None:
    hyphen = make_row("Paris-based", ["Paris", "-", "based"], ["B-LOC", "O", "O"], [(0, 5, "LOC")], raw=True)
    assert prepare_sentence(hyphen, "words", "IOB2").misaligned == 1
    assert choose_splitter([([hyphen], False)]) == "punctuation"
    assert choose_splitter([([PLAIN], True)]) in ("words", "punctuation")
    neither = make_row("in Paris", ["in", "Paris"], ["O", "B-LOC"], [(3, 8, "LOC")], raw=True)
    assert choose_splitter([([neither], False)]) == "words", "a draw goes to the coarser"


def test_the_splitter_that_agrees_with_the_corpus_tokens_is_chosen() -> None:
    whole = make_row("well-known b.com", ["well-known", "b.com"], ["ADJ", "X"], [], raw=False)
    apart = make_row("well - known", ["well", "-", "known"], ["ADV", "PUNCT", "ADJ"], [], raw=False)
    apart = {**apart, "text": "well-known", "starts": [0, 4, 5], "ends": [4, 5, 10]}
    assert choose_splitter([([whole], True)]) == "words"
    assert choose_splitter([([apart], True)]) == "punctuation"


def test_only_the_first_sentences_are_looked_at() -> None:
    def rows() -> Any:
        for _ in range(2_000):
            yield TOKENS
        raise AssertionError("read too far")

    assert choose_splitter([(rows(), False)]) == "words"


@pytest.fixture(scope="module")
def corpus() -> DatasetDict:
    empty = {**make_row(" ", [], [], [], True), "starts": [], "ends": []}
    return DatasetDict({"train": Dataset.from_list([RAW, TOKENS, WIDE, empty]), "dev": Dataset.from_list([TOKENS])})


def encode(corpus: DatasetDict, **options: Any) -> tuple[DatasetDict, dict[str, Altered], HierarchicalTaggerTokenizer]:
    words = list(training_words(corpus["train"], "words", "BIOES"))
    tokenizer = HierarchicalTaggerTokenizer.train(words, splitter="words", **options)
    encoded, altered = encode_corpus(corpus, tokenizer, tag_names(["LOC", "ORG", "PER"], "BIOES"), "BIOES")
    return encoded, altered, tokenizer


def test_encoded_columns(corpus: DatasetDict) -> None:
    encoded, altered, tokenizer = encode(corpus)
    tags = tag_names(["LOC", "ORG", "PER"], "BIOES")
    assert set(encoded["train"].column_names) == {"input_ids", "character_ids", "labels", "length"}
    assert len(encoded["train"]) == 3, "a sentence without words is left out"
    for row, source in zip(encoded["train"], [RAW, TOKENS, WIDE], strict=True):
        sentence = prepare_sentence(source, "words", "BIOES")
        assert row["input_ids"] == tokenizer.convert_tokens_to_ids(sentence.words)
        assert [tags[index] for index in row["labels"]] == sentence.tags
        assert row["length"] == len(sentence.words) == len(row["character_ids"])
        assert [len(word) for word in row["character_ids"]] == [len(word) for word in sentence.words]
    assert altered == {"train": Altered(misaligned=1, shortened=0), "dev": Altered(misaligned=0, shortened=0)}


def test_sentences_are_encoded_as_each_by_itself(corpus: DatasetDict, tmp_path: Path) -> None:
    entries = tmp_path / "places.txt"
    entries.write_text("U.S.-based Acme\n", encoding="utf-8")
    encoded, _, tokenizer = encode(corpus, gazetteer=Gazetteer({"ORG": entries}), max_word_characters=6)
    for row, source in zip(encoded["train"], [RAW, TOKENS, WIDE], strict=True):
        own = tokenizer.encode_words(prepare_sentence(source, "words", "BIOES").words)
        assert row["gazetteer_features"] == own.pop("gazetteer_features").tolist()
        assert {name: row[name] for name in own} == own
    features = encoded["train"].features
    assert [features["input_ids"].feature.dtype, features["character_ids"].feature.feature.dtype] == ["int32", "int64"]


def test_long_words_are_counted_and_their_ends_encoded(corpus: DatasetDict) -> None:
    row = {**TOKENS, "tokens": ["x" * 3_000, *TOKENS["tokens"][1:]]}
    encoded, altered, tokenizer = encode(DatasetDict(corpus, train=Dataset.from_list([RAW, row])))
    assert altered["train"].shortened == 1
    assert max(map(len, encoded["train"][1]["character_ids"])) == 128
    assert max(map(len, tokenizer.words)) == 128
    assert encoded["train"][1]["input_ids"][0] == tokenizer.encode(["x" * 128])[0] > 1


def test_training_words_are_the_words_that_are_encoded(corpus: DatasetDict) -> None:
    words = list(training_words(corpus["train"], "words", "BIOES"))
    assert words == [prepare_sentence(row, "words", "BIOES").words for row in corpus["train"]]


def test_an_unknown_tag_is_an_error(corpus: DatasetDict) -> None:
    tokenizer = HierarchicalTaggerTokenizer.train([["Ada"]])
    with pytest.raises(InputError, match=r"the tag '[BES]-(LOC|ORG|PER)'"):
        encode_corpus(corpus, tokenizer, ["O"], "BIOES")


def test_encoded_sentences_collate(corpus: DatasetDict) -> None:
    encoded, _, tokenizer = encode(corpus)
    batch = TaggerCollator(tokenizer)([encoded["train"][0], encoded["train"][1]])
    words = encoded["train"]["length"][:2]
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape == (2, max(words))
    assert batch["character_ids"].shape[:2] == (2, max(words))
    assert batch["attention_mask"].sum(1).tolist() == list(words)
    assert ((batch["labels"] == -100) == (batch["attention_mask"] == 0)).all()


def test_other_choices_give_other_ids_though_the_corpus_is_the_same(corpus: DatasetDict) -> None:
    # Encoded splits lie in files named by a fingerprint: it must hold all that the ids depend on.
    folded, _, _ = encode(corpus, lowercase=True)
    exact, _, _ = encode(corpus, lowercase=False, min_count=2)
    assert folded["train"]["input_ids"][0] != exact["train"]["input_ids"][0]
    assert folded["train"]._fingerprint != exact["train"]._fingerprint

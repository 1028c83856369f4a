from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_runtime import make_tagger
from toys import assert_one_line, people_and_places, quiet, tagsmith

import tagsmith as package
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.words import iterate_sentences, join_lines, split_words
from tagsmith.training.batches.passages import at_their_rows, joined, offsets, one_row, passages
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.evaluation.tagged_texts import tagged_texts
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import Recipe

SMALL = {
    "word_embedding_size": 8,
    "character_embedding_size": 6,
    "character_hidden_size": 6,
    "hidden_size": 8,
    "num_hidden_layers": 1,
}


@st.composite
def rows_of_a_corpus(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        tokens = draw(st.lists(st.sampled_from(["Ada", "in", "Łódź", "東", "."]), max_size=5))
        gap = draw(st.sampled_from([" ", "  ", ""]))
        starts = [sum(len(token) + len(gap) for token in tokens[:place]) for place in range(len(tokens))]
        ends = [start + len(token) for start, token in zip(starts, tokens, strict=True)]
        row = {
            "document": draw(st.integers(0, 1)),
            "text": gap.join(tokens),
            "after": draw(st.sampled_from(["\n", " ", ""])),
            "raw": draw(st.booleans()),
            "tokens": tokens,
            "starts": starts,
            "ends": ends,
            "tags": ["B-X" if token == "Ada" else "O" for token in tokens],
            "spans": [
                {"start": start, "end": end, "label": "X"}
                for token, start, end in zip(tokens, starts, ends, strict=True)
                if token == "Ada"
            ],
        }
        rows.append(row)
    return rows


def words_of(row: dict[str, Any]) -> int:
    return len(split_words(row["text"]) if row["raw"] or not row["tokens"] else row["tokens"])


@given(rows_of_a_corpus(), st.integers(0, 12))
def test_passages_are_the_rows_in_order_within_their_bounds(rows: list[dict[str, Any]], words: int) -> None:
    found = list(passages(rows, words))
    assert [row for passage in found for row in passage] == rows
    for passage in found:
        assert len({(row["document"], row["raw"]) for row in passage}) == 1
        assert len(passage) == 1 or 0 < words >= sum(map(words_of, passage))


@given(rows_of_a_corpus())
def test_offsets_of_a_passage_are_those_of_its_text(rows: list[dict[str, Any]]) -> None:
    for passage in passages(rows, 100):
        row = one_row(passage)
        assert [row["text"][start:end] for start, end in zip(row["starts"], row["ends"], strict=True)] == row["tokens"]
        assert row["tags"] == [tag for own in passage for tag in own["tags"]]
        assert all(row["text"][span["start"] : span["end"]] == "Ada" for span in row["spans"])
        spans = [(Span(span["start"], span["end"], span["label"]), 0.5) for span in row["spans"]]
        own = at_their_rows(spans, offsets(passage))
        assert [[(span.start, span.end) for span, _ in found] for found in own] == [
            [(span["start"], span["end"]) for span in row["spans"]] for row in passage
        ]


def test_a_span_that_crosses_a_rows_end_is_of_the_row_where_it_begins() -> None:
    assert at_their_rows([(Span(2, 7, "X"), 0.5)], [0, 4, 9]) == [[(Span(2, 7, "X"), 0.5)], []]


def test_a_row_without_words_of_its_own_counts_those_of_its_text() -> None:
    for text in ("a b c", "\u6771\u4eac\u90fd"):  # three characters of Han are three words
        rows = [{"document": 0, "text": text, "raw": True, "tokens": []}] * 3
        assert list(map(len, passages(rows, 6))) == [2, 1]
    empty = [{"document": 0, "text": "", "raw": True, "tokens": []}] * 3
    assert list(map(len, passages(empty, 0))) == [1, 1, 1]


@given(st.lists(st.sampled_from(["a", "b c", "d e f", "", " "]), max_size=12), st.integers(1, 8))
def test_lines_of_a_text_as_passages(lines: list[str], words: int) -> None:
    text = "\n".join(lines)
    tokenizer = HierarchicalTaggerTokenizer(words=[], characters=[], passage_words=words)
    found = list(tokenizer.sentences(text, 500))
    apart = list(iterate_sentences(text, "words", 500))
    assert [word for passage in found for word in passage] == [word for line in apart for word in line]
    rows = [{"document": 0, "text": line, "raw": True, "tokens": line.split()} for line in lines if line.strip()]
    assert list(map(len, found)) == [sum(len(row["tokens"]) for row in passage) for passage in passages(rows, words)]
    assert all(text[word.start : word.end] == word.text for passage in found for word in passage)
    assert list(join_lines(apart, 1)) == apart


def test_max_words_bounds_a_passage_too() -> None:
    tokenizer = HierarchicalTaggerTokenizer(words=[], characters=[], passage_words=100)
    assert [len(words) for words in tokenizer.sentences("a b\nc d\ne f", 4)] == [4, 2]


@pytest.mark.parametrize("wrong", [-1, 2.5, True, "100"])
def test_numbers_that_are_none(wrong: Any) -> None:
    with pytest.raises(ValueError, match="passage_words is"):
        HierarchicalTaggerTokenizer(words=[], characters=[], passage_words=wrong)


@pytest.mark.usefixtures("datasets_cache")
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
def test_training_and_scoring_by_passages(tmp_path: Path, plain: bool, streaming: bool) -> None:
    files = {
        "train": people_and_places(tmp_path / "train.tsv", 60, 1, plain),
        "dev": people_and_places(tmp_path / "dev.tsv", 30, 2, plain),
    }
    recipe = Recipe(
        model={**SMALL, "ngram_sizes": [2], "word_memory": True},
        training={"max_steps": 60, "per_device_train_batch_size": 16, "learning_rate": 0.02, "seed": 1},
    )
    recipe.tokenizer.passage_words = 40
    corpus = load_corpus(files, streaming=streaming)
    results = train_tagger(recipe, corpus, tmp_path / "out", console=quiet())
    assert streaming or results["train_sentences"] == 60
    in_passages = len(joined(load_corpus(files), 40)["train"])
    assert results.trainer.args.per_device_train_batch_size == round(16 * in_passages / 60) < 16
    pipeline = package.pipeline(tmp_path / "out")
    assert pipeline.tokenizer.passage_words == 40
    rows = load_corpus(files["dev"])["train"]
    score = score_tagger(pipeline, rows)
    assert score["f1"] == results["dev"]["f1"] > 0.5
    assert score["labels"].keys() == score_tagger(pipeline, rows, by_line=True)["labels"].keys()
    texts = list(tagged_texts(pipeline, rows))
    assert [text.number for text in texts] == list(range(30))
    if not plain:
        assert [text.text for text in texts] == list(rows["text"])
        in_documents = pipeline("\n".join(rows["text"]))
        borders = offsets(list(rows))
        whole = [(Span(one["start"], one["end"], one["entity_group"]), one["score"]) for one in in_documents]
        assert [[span for span, _ in own] for own in at_their_rows(whole, borders)] == [text.spans for text in texts]


@pytest.mark.usefixtures("datasets_cache")
def test_a_corpus_of_passages_has_the_spans_of_its_sentences(tmp_path: Path) -> None:
    corpus = load_corpus({"train": people_and_places(tmp_path / "train.tsv", 50, 1)})
    read = joined(corpus, 30)
    assert read.scheme() == corpus.scheme()
    assert 1 < len(read["train"]) < 50
    names = [
        sorted(row["text"][span["start"] : span["end"]] for row in own["train"] for span in row["spans"])
        for own in (corpus, read)
    ]
    assert names[0] == names[1]
    assert joined(corpus, 0) is corpus


def test_a_recipe_with_a_number_below_zero_is_refused(tmp_path: Path) -> None:
    train = people_and_places(tmp_path / "train.tsv", 10, 1)
    outcome = tagsmith(
        "train", "ner", "--train", train, "--set", "tokenizer.passage_words=-5", "--output-dir", tmp_path
    )
    assert outcome.code
    assert "tokenizer.passage_words is -5" in outcome.err


@pytest.mark.usefixtures("datasets_cache")
@pytest.mark.parametrize("memory", [False, True])
def test_a_tagger_that_goes_on_keeps_its_memory(tmp_path: Path, memory: bool) -> None:
    corpus = load_corpus({"train": people_and_places(tmp_path / "train.tsv", 20, 1)})
    training = {"max_steps": 2, "per_device_train_batch_size": 4, "seed": 1}
    first = Recipe(model={**SMALL, "word_memory": memory}, training=training)
    train_tagger(first, corpus, tmp_path / "first", console=quiet())
    second = Recipe(model={**SMALL, "word_memory": not memory}, training=training, start_from=str(tmp_path / "first"))
    train_tagger(second, corpus, tmp_path / "second", console=quiet())
    assert package.pipeline(tmp_path / "second").model.config.word_memory == memory


@pytest.mark.parametrize("runtime", ["numpy", "torch"])
def test_a_damaged_number_is_refused(tmp_path: Path, runtime: str) -> None:
    folder = make_tagger(tmp_path, passage_words=7)
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"passage_words": 7', '"passage_words": -7'), "utf-8")
    outcome = tagsmith("tag", folder, "-", "--runtime", runtime, stdin=b"Ada")
    assert_one_line(outcome, "passage_words is -7")

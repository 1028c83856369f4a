from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.tokenization.words import split_words
from tagsmith.training.evaluation.scoring import names_in, score_tagger

Found = tuple[int, int, str]


class GivenSpans:
    """Stands in for a pipeline: it knows what it will find in each text, and says only that."""

    def __init__(self, found: dict[str, list[Found]], scheme: str = "BIOES") -> None:
        self.found = found
        self.model = SimpleNamespace(config=HierarchicalTaggerConfig(tag_scheme=scheme))
        self.tokenizer = SimpleNamespace(split=lambda text: split_words(text, "words"), passage_words=0)
        self.calls: list[tuple[bool, list[Any]]] = []

    def __call__(
        self, inputs: Iterable[Any], *, batch_size: int, is_split_into_words: bool, head: str | None
    ) -> Iterator[list[dict[str, Any]]]:
        assert head is None
        given = list(inputs)
        self.calls.append((is_split_into_words, given))
        for item in given:
            text = " ".join(item) if is_split_into_words else item
            yield [
                {"entity_group": label, "score": 1.0, "word": text[start:end], "start": start, "end": end}
                for start, end, label in self.found[text]
            ]


def make_row(
    text: str, tokens: Sequence[str], spans: Sequence[Found], raw: bool, tags: Sequence[str] = ()
) -> dict[str, Any]:
    starts, ends, position = [], [], 0
    for token in tokens:
        starts.append(text.index(token, position))
        position = starts[-1] + len(token)
        ends.append(position)
    return {
        "text": text,
        "raw": raw,
        "tokens": list(tokens),
        "starts": starts,
        "ends": ends,
        "tags": list(tags),
        "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans],
    }


def test_exact_scores_of_known_spans() -> None:
    rows = [
        make_row("Ada met Bob", ["Ada", "met", "Bob"], [(0, 3, "PER"), (8, 11, "PER")], True),
        make_row("in New York", ["in", "New", "York"], [(3, 11, "LOC")], True),
        make_row("no name", ["no", "name"], [], True),
    ]
    pipeline = GivenSpans({"Ada met Bob": [(0, 3, "PER")], "in New York": [(7, 11, "LOC")], "no name": []})
    scores = score_tagger(pipeline, rows)
    assert list(scores) == ["precision", "recall", "f1", "accuracy", "labels"]
    assert scores["precision"] == pytest.approx(1 / 2)
    assert scores["recall"] == pytest.approx(1 / 3)
    assert scores["f1"] == pytest.approx(2 / 5)
    assert scores["accuracy"] == pytest.approx(6 / 8)  # Bob and New are missed
    assert scores["labels"] == {
        "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
        "PER": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
    }


def test_a_wrong_label_is_a_wrong_token() -> None:
    rows = [make_row("Ada met Bob", ["Ada", "met", "Bob"], [(0, 3, "PER")], True)]
    scores = score_tagger(GivenSpans({"Ada met Bob": [(0, 3, "LOC"), (4, 7, "LOC")]}), rows)
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["f1"] == 0


def test_raw_text_is_tagged_raw_and_tokens_as_given() -> None:
    rows = [
        make_row("U.S.-based", ["U.S.", "-", "based"], [(0, 4, "LOC")], True),
        make_row("Ada met", ["Ada", "met"], [(0, 3, "PER")], False),
        make_row("in  Lund", ["in", "Lund"], [(4, 8, "LOC")], True),
    ]
    found = {"U.S.-based": [(0, 4, "LOC")], "Ada met": [(0, 3, "PER")], "in  Lund": [(4, 8, "LOC")]}
    pipeline = GivenSpans(found)
    assert score_tagger(pipeline, iter(rows), batch_size=2)["f1"] == 1
    assert sorted(pipeline.calls) == [(False, ["U.S.-based", "in  Lund"]), (True, [["Ada", "met"]])]


def test_tokens_that_are_not_joined_by_single_spaces() -> None:
    # Two tokens written together: the tagger sees them joined by spaces, the gold spans stand in the row's own text.
    row = make_row("Lund's rain", ["Lund", "'s", "rain"], [(0, 4, "LOC"), (7, 11, "X")], False)
    scores = score_tagger(GivenSpans({"Lund 's rain": [(0, 4, "LOC"), (8, 12, "X")]}), [row])
    assert (scores["f1"], scores["accuracy"]) == (1, 1)


def test_many_rows_are_scored_in_turn() -> None:
    rows = [make_row(f"w{n} Ada", [f"w{n}", "Ada"], [], n % 2 == 0) for n in range(300)]
    for row in rows:
        row["spans"] = [{"start": len(row["text"]) - 3, "end": len(row["text"]), "label": "PER"}]
    found = {row["text"]: [(len(row["text"]) - 3, len(row["text"]), "PER")] for row in rows}
    pipeline = GivenSpans(found)
    scores = score_tagger(pipeline, (row for row in rows), batch_size=1)
    assert scores["f1"] == scores["accuracy"] == 1
    assert scores["labels"]["PER"]["support"] == 300
    assert max(len(given) for _, given in pipeline.calls) <= 64


def test_plain_tags_are_scored_by_the_token() -> None:
    tokens, tags = ["do", "n't", "go"], ["AUX", "PART", "VERB"]
    row = make_row("don't go", tokens, [(0, 2, "AUX"), (2, 5, "PART"), (6, 8, "VERB")], True, tags)
    pipeline = GivenSpans({"do n't go": [(0, 2, "AUX"), (3, 6, "ADV"), (7, 9, "VERB")]}, scheme="plain")
    scores = score_tagger(pipeline, [row])
    assert pipeline.calls[-1] == (True, [tokens]), "a plain tag belongs to the corpus's own token"
    assert scores["accuracy"] == scores["precision"] == scores["recall"] == pytest.approx(2 / 3)
    assert scores["labels"]["PART"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert scores["labels"]["ADV"]["support"] == 0


def test_plain_tags_of_words_that_share_a_place() -> None:
    # The two words of the multiword token "au" have one place in the text; each counts with its own tag.
    row = {
        **make_row("va au lac", ["va", "au", "lac"], [], True),
        "tokens": ["va", "à", "le", "lac"],
        "starts": [0, 3, 3, 6],
        "ends": [2, 5, 5, 9],
        "tags": ["VERB", "ADP", "DET", "NOUN"],
    }
    found = [(0, 2, "VERB"), (3, 4, "ADP"), (5, 7, "ADP"), (8, 11, "NOUN")]
    scores = score_tagger(GivenSpans({"va à le lac": found}, scheme="plain"), [row])
    assert scores["accuracy"] == scores["f1"] == pytest.approx(3 / 4)


def test_a_text_without_tokens_counts_in_words() -> None:
    row = make_row("Ada is in Lund", [], [(0, 3, "PER"), (10, 14, "LOC")], True)
    scores = score_tagger(GivenSpans({"Ada is in Lund": [(0, 3, "PER")]}), [row])
    assert scores["accuracy"] == pytest.approx(3 / 4)


def test_no_rows_and_no_spans() -> None:
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.0, "labels": {}}
    assert score_tagger(GivenSpans({}), []) == nothing
    row = make_row("no name", ["no", "name"], [], True)
    assert score_tagger(GivenSpans({"no name": []}), [row]) == {**nothing, "accuracy": 1.0}


def test_names_that_training_has_are_scored_apart() -> None:
    train = [
        make_row("Ada in New  York", ["Ada", "in", "New", "York"], [(0, 3, "PER"), (7, 16, "LOC")], True),
        make_row("Lund", ["Lund"], [], True),
    ]
    known = names_in(train)
    assert known == {"Ada", "NewYork"}
    rows = [
        make_row("Ada met Bob", ["Ada", "met", "Bob"], [(0, 3, "PER"), (8, 11, "PER")], True),
        make_row("New York, Lund", ["New", "York", ",", "Lund"], [(0, 8, "LOC"), (10, 14, "LOC")], True),
    ]
    found = {"Ada met Bob": [(0, 3, "LOC"), (4, 7, "PER")], "New York, Lund": [(0, 8, "LOC"), (10, 14, "LOC")]}
    scores = score_tagger(GivenSpans(found), rows, known=known)
    assert scores["seen"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert scores["unseen"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert scores["f1"] == 0.5
    assert "seen" not in score_tagger(GivenSpans(found), rows)


def test_with_plain_tags_words_are_known_or_not() -> None:
    known = names_in([make_row("it is", ["it", "is"], [], False, ["PRON", "VERB"])], plain=True)
    row = make_row("it was", ["it", "was"], [(0, 2, "PRON"), (3, 6, "VERB")], False, ["PRON", "VERB"])
    scores = score_tagger(GivenSpans({"it was": [(0, 2, "PRON"), (3, 6, "NOUN")]}, "plain"), [row], known=known)
    assert (scores["seen"]["f1"], scores["unseen"]["f1"]) == (1.0, 0.0)
    assert scores["seen"]["support"] == scores["unseen"]["support"] == 1

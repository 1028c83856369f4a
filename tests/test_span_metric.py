"""Span scores against an independent re-implementation, hand-counted figures and seqeval."""

from __future__ import annotations

import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags
from tagsmith.training.evaluation.span_counts import SpanCounts, score_tags
from tagsmith.training.evaluation.span_metric import SpanScore

LABELS = ("LOC", "PER", "MISC")
IOB2_TAGS = ("O", *(f"{prefix}-{label}" for prefix in "BI" for label in LABELS))

CORPUS = st.lists(
    st.lists(st.tuples(st.sampled_from(IOB2_TAGS), st.sampled_from(IOB2_TAGS)), min_size=1, max_size=9),
    min_size=1,
    max_size=5,
)


@st.composite
def valid_bioes(draw: st.DrawFn, length: int) -> list[str]:
    cuts = [0, *sorted(draw(st.sets(st.integers(1, max(length - 1, 1))))), length]
    labels = [draw(st.sampled_from(("", *LABELS))) for _ in cuts]
    spans = [
        Span(start, end, label)
        for start, end, label in zip(cuts, cuts[1:], labels, strict=False)
        if label and start < end
    ]
    return spans_to_tags(spans, length, "BIOES")


BIOES_CORPUS = st.lists(
    st.integers(1, 8).flatmap(lambda length: st.tuples(valid_bioes(length), valid_bioes(length))),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def metric(tmp_path: Path) -> SpanScore:
    return SpanScore(cache_dir=str(tmp_path))


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> SpanScore:
    return SpanScore(keep_in_memory=True, cache_dir=str(tmp_path_factory.mktemp("metrics")))


def word_by_word(references: list[list[str]], predictions: list[list[str]]) -> tuple[float, float, float, float]:
    """The way of conlleval for B, I and O: walk both columns at once and count a span when both close together."""
    correct = gold = found = right = words = 0
    for expected, guessed in zip(references, predictions, strict=True):
        before = ("O", "O")
        together = False  # both columns opened a span of one label at one word, and neither has closed
        for pair in [*zip(expected, guessed, strict=True), ("O", "O")]:
            closes = [
                old != "O" and (new[0] in "BO" or new[2:] != old[2:]) for old, new in zip(before, pair, strict=True)
            ]
            opens = [
                new != "O" and (new[0] == "B" or old[2:] != new[2:]) for old, new in zip(before, pair, strict=True)
            ]
            if together and any(closes):
                correct += all(closes)
                together = False
            if all(opens) and pair[0][2:] == pair[1][2:]:
                together = True
            gold, found = gold + opens[0], found + opens[1]
            before = pair
        right += sum(a == b for a, b in zip(expected, guessed, strict=True))
        words += len(expected)
    precision = correct / found if found else 0.0
    recall = correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return precision, recall, f1, right / words if words else 0.0


def headline(scores: dict[str, Any]) -> tuple[float, float, float, float]:
    return scores["precision"], scores["recall"], scores["f1"], scores["accuracy"]


class TestFigures:
    def test_counted_by_hand(self, metric: SpanScore) -> None:
        references = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "B-LOC", "O", "I-ORG"]]
        predictions = [["B-PER", "I-PER", "O", "B-PER"], ["B-LOC", "I-LOC", "O", "B-ORG"]]
        scores = metric.compute(references=references, predictions=predictions)
        assert scores == {
            "precision": pytest.approx(2 / 4),
            "recall": pytest.approx(2 / 5),
            "f1": pytest.approx(4 / 9),
            "accuracy": pytest.approx(5 / 8),
            "labels": {
                "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 3},
                "ORG": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
                "PER": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
            },
        }
        assert list(scores) == ["precision", "recall", "f1", "accuracy", "labels"]

    @settings(max_examples=150, deadline=None)
    @given(CORPUS)
    def test_as_conlleval_counts(self, in_memory: SpanScore, corpus: list[list[tuple[str, str]]]) -> None:
        references = [[gold for gold, _ in sentence] for sentence in corpus]
        predictions = [[found for _, found in sentence] for sentence in corpus]
        scores = in_memory.compute(references=references, predictions=predictions)
        assert headline(scores) == pytest.approx(word_by_word(references, predictions))

    @given(CORPUS)
    def test_the_plain_function_is_what_the_metric_wraps(self, corpus: list[list[tuple[str, str]]]) -> None:
        found, gold = ([[pair[side] for pair in row] for row in corpus] for side in (0, 1))
        metric = SpanScore(keep_in_memory=True)
        assert score_tags(found, gold) == metric.compute(predictions=found, references=gold)

    def test_labels_on_one_side_only(self, metric: SpanScore) -> None:
        scores = metric.compute(references=[["B-LOC"]], predictions=[["B-NEW"]])
        assert scores["labels"]["NEW"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
        assert scores["labels"]["LOC"]["support"] == 1

    def test_plain_tags(self, metric: SpanScore) -> None:
        scores = metric.compute(references=[["DET", "NOUN", "O"]], predictions=[["DET", "VERB", "O"]], scheme="plain")
        assert set(headline(scores)) == {2 / 3}
        assert scores["labels"]["VERB"]["support"] == 0 and scores["labels"]["O"]["f1"] == 1.0

    def test_bilou(self, metric: SpanScore) -> None:
        tags = [["B-LOC", "L-LOC", "U-LOC"]]
        scores = metric.compute(references=tags, predictions=tags, scheme="BILOU")
        assert scores["f1"] == 1.0 and scores["labels"]["LOC"]["support"] == 2


class TestAgainstSeqeval:
    @settings(max_examples=100, deadline=None)
    @given(CORPUS)
    def test_default_mode(self, in_memory: SpanScore, corpus: list[list[tuple[str, str]]]) -> None:
        references = [[gold for gold, _ in sentence] for sentence in corpus]
        predictions = [[found for _, found in sentence] for sentence in corpus]
        self._compare(in_memory, references, predictions, "IOB2")

    @settings(max_examples=100, deadline=None)
    @given(BIOES_CORPUS)
    def test_strict_mode(self, in_memory: SpanScore, corpus: list[tuple[list[str], list[str]]]) -> None:
        references, predictions = [gold for gold, _ in corpus], [found for _, found in corpus]
        self._compare(in_memory, references, predictions, "BIOES", mode="strict")

    @staticmethod
    def _compare(metric: SpanScore, references: Any, predictions: Any, scheme: str, mode: str | None = None) -> None:
        oracle = pytest.importorskip("seqeval.metrics")
        kwargs: dict[str, Any] = {"zero_division": 0}
        if mode:
            kwargs |= {"mode": mode, "scheme": pytest.importorskip("seqeval.scheme").IOBES}
        scores = metric.compute(references=references, predictions=predictions, scheme=scheme)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not scores["labels"]:
                return  # seqeval's strict mode fails where no side has a span
            report = oracle.classification_report(references, predictions, output_dict=True, **kwargs)
            accuracy = oracle.accuracy_score(references, predictions)
        total = report.pop("micro avg")
        expected = (total["precision"], total["recall"], total["f1-score"], accuracy)
        assert headline(scores) == pytest.approx(expected)
        for label, counted in scores["labels"].items():
            assert counted == pytest.approx({("f1" if k == "f1-score" else k): v for k, v in report[label].items()})


class TestMetricInterface:
    @pytest.mark.parametrize("keep_in_memory", [False, True])
    def test_in_pieces(self, tmp_path: Path, keep_in_memory: bool) -> None:
        rng = random.Random(7)
        references = [rng.choices(IOB2_TAGS, k=rng.randint(0, 9)) for _ in range(20)]
        predictions = [rng.choices(IOB2_TAGS, k=len(tags)) for tags in references]
        metric = SpanScore(keep_in_memory=keep_in_memory, cache_dir=str(tmp_path))
        whole = metric.compute(references=references, predictions=predictions)
        for at in range(0, 18, 6):
            metric.add_batch(references=references[at : at + 6], predictions=predictions[at : at + 6])
        for reference, prediction in zip(references[18:], predictions[18:], strict=True):
            metric.add(reference=reference, prediction=prediction)
        assert metric.compute() == whole
        assert 0 < whole["f1"] < 1

    @pytest.mark.parametrize("keep_in_memory", [False, True])
    @pytest.mark.parametrize("sentences", [[], [[]], [[], []]])
    def test_empty(self, tmp_path: Path, keep_in_memory: bool, sentences: list[list[str]]) -> None:
        metric = SpanScore(keep_in_memory=keep_in_memory, cache_dir=str(tmp_path))
        scores = metric.compute(references=sentences, predictions=sentences)
        assert scores == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.0, "labels": {}}

    def test_only_outside(self, metric: SpanScore) -> None:
        scores = metric.compute(references=[["O", "O"]], predictions=[["O", "O"]])
        assert headline(scores) == (0.0, 0.0, 0.0, 1.0)

    def test_lengths_differ(self, metric: SpanScore) -> None:
        with pytest.raises(ValueError, match="sentence 2 has 2 gold tags, but 1 predicted"):
            metric.compute(references=[["O"], ["O", "O"]], predictions=[["O"], ["O"]])
        with pytest.raises(ValueError, match="Mismatch"):
            metric.compute(references=[["O"], ["O"]], predictions=[["O"]])

    def test_bad_tag_and_scheme(self, metric: SpanScore) -> None:
        with pytest.raises(InputError, match="Q-LOC"):
            metric.compute(references=[["O"]], predictions=[["Q-LOC"]])
        with pytest.raises(InputError, match="IOB9"):
            SpanScore(keep_in_memory=True).compute(references=[["O"]], predictions=[["O"]], scheme="IOB9")

    def test_two_processes(self, tmp_path: Path) -> None:
        """Two ranks meet through files alone, so that threads can stand for processes, which start slowly."""

        def compute(rank: int) -> dict[str, Any] | None:
            metric = SpanScore(num_process=2, process_id=rank, cache_dir=str(tmp_path))
            return metric.compute(references=[["B-LOC"]], predictions=[["B-LOC" if rank else "O"]])

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(compute, range(2))
        assert second is None
        assert first is not None and first["labels"]["LOC"]["support"] == 2 and first["recall"] == 0.5


class TestSpans:
    def test_character_spans(self) -> None:
        counts = SpanCounts()
        counts.add([Span(0, 6, "LOC"), Span(10, 12, "PER")], {Span(0, 6, "LOC"), Span(10, 13, "PER")})
        counts.add([], {Span(0, 1, "LOC")})
        assert counts.result() == {
            "precision": pytest.approx(1 / 3),
            "recall": 0.5,
            "f1": 0.4,
            "labels": {
                "LOC": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
                "PER": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
            },
        }

    def test_repeated_span_counts_once(self) -> None:
        counts = SpanCounts()
        counts.add([Span(0, 1, "X")], [Span(0, 1, "X"), Span(0, 1, "X")])
        assert counts.result()["precision"] == 1.0

    def test_nothing(self) -> None:
        assert SpanCounts().result() == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "labels": {}}

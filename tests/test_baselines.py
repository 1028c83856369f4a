from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import script
from typer.testing import CliRunner

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger

SPANS = """\
Ada B-PER
Lovelace I-PER
visits O
Lund B-LOC
. O

Grace B-PER
visits O
New B-LOC
York I-LOC
City I-LOC
. O

Ada B-PER
sleeps O
in O
Lund B-LOC
. O

It O
rains O
in O
1843 O
. O
"""
PLAIN = "Ada PROPN\nsleeps VERB\n. PUNCT\n\nGrace PROPN\nsees AUX\nLund NOUN\n. PUNCT\n"

baselines = script("baselines")


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def sentences(corpus: Callable[[str, str], Path]) -> list[Any]:
    path = corpus("train.conll", SPANS)
    return baselines.read_split(load_corpus(path)["train"], False, path)


def is_best(found: list[str], tags: list[str], score: Callable[[tuple[int, ...]], float]) -> bool:
    """Whether no sequence of tags has a better score; several may have the best."""
    best = max(map(score, itertools.product(range(len(tags)), repeat=len(found))))
    return score(tuple(map(tags.index, found))) == pytest.approx(best)


def random_sentences(seed: int, count: int = 12) -> list[Any]:
    draw = np.random.default_rng(seed)
    words, tags = ["an", "On", "Lund", "7", "x-ray"], ["A", "B", "C"]
    lengths = draw.integers(1, 5, count)
    return [(list(draw.choice(words, length)), list(draw.choice(tags, length))) for length in lengths]


class TestViterbi:
    @given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))
    def test_is_the_best_of_all_sequences(self, tags: int, words: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        start, steps, end = draw.normal(size=tags), draw.normal(size=(words - 1, tags, tags)), draw.normal(size=tags)

        def score(path: tuple[int, ...]) -> float:
            pairs = zip(steps, path, path[1:], strict=False)
            return start[path[0]] + sum(step[a, b] for step, a, b in pairs) + end[path[-1]]

        names = [str(tag) for tag in range(tags)]
        found = [names[tag] for tag in baselines.viterbi(start, steps, end)]
        assert len(found) == words and is_best(found, names, score)


class TestHiddenMarkovModel:
    def test_word_shape(self) -> None:
        shapes = {"Boeing-747": "Xx-d", "1,843.5": "d,d.d", "eBay": "xXx", "": "", "Łódź": "Xx"}
        assert {word: baselines.word_shape(word) for word in shapes} == shapes

    def test_witten_bell(self) -> None:
        broader = np.array([0.5, 0.25, 0.25])
        smooth = baselines.witten_bell(np.array([[3.0, 1, 0], [0, 0, 0]]), broader)
        assert smooth[0] == pytest.approx([4 / 6, 1.5 / 6, 0.5 / 6])
        assert smooth[1] == pytest.approx(broader)

    @given(st.integers(0, 1000))
    @settings(max_examples=20)
    def test_decodes_the_most_probable_tags(self, seed: int) -> None:
        sentences = random_sentences(seed)
        model = baselines.HiddenMarkovModel(sentences)
        size = len(model.tags)
        assert np.exp(model.transitions).sum(axis=1) == pytest.approx(1)
        tokens = [*sentences[0][0], "unknown"]

        def probability(path: tuple[int, ...]) -> float:
            transitions = sum(model.transitions[pair] for pair in itertools.pairwise((size, *path, size)))
            return transitions + sum(model.emission(word)[tag] for word, tag in zip(tokens, path, strict=True))

        assert is_best(model.tag(tokens), model.tags, probability)

    def test_emissions_are_relative_frequencies(self) -> None:
        model = baselines.HiddenMarkovModel([(["a"] * 900 + ["b"] * 100, ["X"] * 600 + ["Y"] * 400)])
        # P(a | X) = 1 and P(a | Y) = 300 / 400; a is too frequent for its signatures to count
        a = np.exp(model.emission("a"))
        assert a[1] / a[0] == pytest.approx(0.75, abs=0.01)

    def test_unknown_words_are_known_by_shape_and_suffix(self) -> None:
        words = ["walking", "Boston", "42", "talking", "Austin", "17", "singing", "Dublin", "365"]
        model = baselines.HiddenMarkovModel(
            [([word], [tag]) for word, tag in zip(words, ["V", "N", "D"] * 3, strict=True)]
        )
        assert [model.tag([word]) for word in ("jumping", "Berlin", "99")] == [["V"], ["N"], ["D"]]


class TestMaximumEntropyMarkovModel:
    @pytest.mark.parametrize("tags", [2, 3])
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_decodes_the_most_probable_tags(self, tags: int, seed: int) -> None:
        pytest.importorskip("sklearn")
        sentences = [(words, [min(tag, "ABC"[tags - 1]) for tag in path]) for words, path in random_sentences(seed)]
        model = baselines.MaximumEntropyMarkovModel(sentences)
        assert len(model.tags) == tags
        tokens = ["On", "x-ray", "new", "an"]
        words = model.vectorizer.transform(baselines.sentence_features(tokens)).toarray()

        def local(word: int, before: int) -> np.ndarray[Any, Any]:
            previous = np.eye(tags + 1)[before]
            return model.classifier.predict_log_proba([np.concatenate([words[word], previous])])[0]

        table = [[local(word, before) for before in range(tags + 1)] for word in range(len(tokens))]

        def probability(path: tuple[int, ...]) -> float:
            return sum(
                table[word][before][tag] for word, (before, tag) in enumerate(zip((tags, *path), path, strict=False))
            )

        assert is_best(model.tag(tokens), model.tags, probability)
        before, path = tags, []
        for word in range(len(tokens)):
            before = int(local(word, before).argmax())
            path.append(model.tags[before])
        assert baselines.GreedyMaximumEntropyMarkovModel(sentences).tag(tokens) == path

    def test_learns_from_the_tag_before(self) -> None:
        pytest.importorskip("sklearn")
        # The far end of a run of equal words can be told only by the tags in between.
        sentences = [([first, *["x"] * 6], [tag] * 7) for first, tag in [("a", "A"), ("b", "B")] * 20]
        model = baselines.MaximumEntropyMarkovModel(sentences)
        assert [model.tag(tokens) for tokens, _ in sentences[:2]] == [["A"] * 7, ["B"] * 7]


class TestConditionalRandomField:
    def test_learns_a_rule(self) -> None:
        pytest.importorskip("pycrfsuite")
        names, places = ["Ada", "Grace", "Juan"], ["Lund", "Rome", "Bonn"]
        sentences = [
            ([name, verb, "in", place], ["S-PER", "O", "O", "S-LOC"])
            for name, verb, place in itertools.product(names, ["sleeps", "sings"], places)
        ]
        model = baselines.ConditionalRandomField(sentences)
        # Unseen words, to be told by their neighbours and capitals.
        assert model.tag(["Emmy", "sleeps", "in", "Oslo"]) == ["S-PER", "O", "O", "S-LOC"]
        assert sorted(model.tags) == ["O", "S-LOC", "S-PER"]
        assert model.parameters > 0


def test_features_of_a_sentence() -> None:
    first, second = baselines.sentence_features(["Ada", "7-up"])
    assert {"lower=ada", "shape=Xx", "prefix=Ad", "suffix=da", "title", "1:lower=7-up", "-1:lower=<s>"} <= set(first)
    assert {"digit", "hyphen", "suffix=7-up", "-1:shape=Xx", "1:lower=</s>", "-1,0=ada 7-up"} <= set(second)
    assert "prefix=Adaa" not in first and "digits" not in second


class TestScript:
    def run(self, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> dict[str, Any]:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["benchmarks/baselines.py", *words])
        result = CliRunner().invoke(baselines.app, words)
        if result.exception:
            raise result.exception
        return json.loads(result.stdout)

    @pytest.mark.parametrize(
        ("model", "needs"),
        [("hmm", "numpy"), ("memm", "sklearn"), ("memm-greedy", "sklearn"), ("crf", "pycrfsuite")],
    )
    @pytest.mark.parametrize("text", [SPANS, PLAIN])
    def test_results(
        self,
        model: str,
        needs: str,
        text: str,
        corpus: Callable[[str, str], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pytest.importorskip(needs)
        path, output = corpus("all.conll", text), corpus("results.json", "")
        results = self.run(monkeypatch, model, "--train", path, "--dev", path, "--test", path, "--output", output)
        assert json.loads(output.read_text(encoding="utf-8")) == results
        assert results["model"] == model and results["seed"] == 1 and results["minutes"] >= 0
        assert results["command"].startswith(f"python benchmarks/baselines.py {model} --train")
        assert results["train_sentences"] == (4 if text is SPANS else 2)
        assert results["train_words"] == (21 if text is SPANS else 7)
        assert results["tags"] == (8 if text is SPANS else 5)
        assert results["parameters"] > 0
        for split in ("dev", "test"):
            assert set(results[split]) == {"precision", "recall", "f1", "accuracy", "labels", "words_per_second"}
            assert results[split]["f1"] > 0.7

    def test_limit_draws_by_seed(self, corpus: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
        path = corpus("train.conll", SPANS)
        drawn = []

        def build(sentences: list[Any]) -> Any:
            drawn.append(sentences)
            return baselines.HiddenMarkovModel(sentences)

        monkeypatch.setitem(baselines.BASELINES, "hmm", build)
        for seed in (1, 1, 2):
            options = ("--limit", "2", "--seed", str(seed))
            results = self.run(monkeypatch, "hmm", "--train", path, "--dev", path, *options)
            assert results["train_sentences"] == 2 and results["seed"] == seed
        assert drawn[0] == drawn[1] != drawn[2]
        with pytest.raises(InputError, match="there are 4 sentences"):
            self.run(monkeypatch, "hmm", "--train", path, "--dev", path, "--limit", "5")

    @pytest.mark.parametrize(
        ("train", "dev", "message"),
        [
            (SPANS, PLAIN, "has a plain tag for each word, and the training data spans"),
            (PLAIN, SPANS, "has spans, and the training data a plain tag for each word"),
            ("It O\nrains O\n", SPANS, "nothing to learn"),
        ],
    )
    def test_data_that_does_not_fit(
        self, train: str, dev: str, message: str, corpus: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = corpus("train.conll", train), corpus("dev.conll", dev)
        with pytest.raises(InputError, match=message):
            self.run(monkeypatch, "hmm", "--train", paths[0], "--dev", paths[1])

    def test_text_without_tokens(self, corpus: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
        text = '{"text": "Ada sleeps", "spans": [{"start": 0, "end": 3, "label": "PER"}]}\n'
        path = corpus("train.jsonl", text)
        with pytest.raises(InputError, match="text without tokens"):
            self.run(monkeypatch, "hmm", "--train", path, "--dev", path)


def test_scores_as_tagsmith_does(sentences: list[Any], corpus: Callable[[str, str], Path]) -> None:
    """The same predictions through `score_tagger` give the same figures."""
    rows = load_corpus(corpus("dev.conll", SPANS))["train"]
    wrong = ["S-PER", "S-PER", "O", "S-LOC", "O"]
    model = SimpleNamespace(tag=lambda tokens: wrong if len(tokens) == 5 else ["O"] * len(tokens))

    class Pipeline:
        model = SimpleNamespace(config=HierarchicalTaggerConfig())
        tokenizer = SimpleNamespace(passage_words=0)

        def __call__(self, inputs: Any, **options: Any) -> Any:
            for tokens in inputs:
                found = model.tag(tokens)
                starts = list(itertools.accumulate((len(token) + 1 for token in tokens), initial=0))
                yield [
                    {"entity_group": tag[2:], "score": 1.0, "start": start, "end": start + len(token)}
                    for tag, start, token in zip(found, starts, tokens, strict=False)
                    if tag != "O"
                ]

    assert baselines.score(model, sentences, plain=False) == score_tagger(Pipeline(), rows)

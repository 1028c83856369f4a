"""The taggers of a textbook, on the data and by the metric of tagsmith's own: what a neural tagger has to beat.

    python benchmarks/baselines.py MODEL --train FILE --dev FILE [--test FILE] [--output RESULTS.json]

Models:

- `hmm`, a first-order hidden Markov model: counts, smoothed; an unknown word is known by its shape and suffix.
- `memm`, a maximum entropy Markov model (McCallum, Freitag and Pereira 2000) over features of a word and its
  neighbours: scikit-learn's `LogisticRegression`, decoded by Viterbi's algorithm; `memm-greedy`, the same decoded word
  by word, from the left.
- `crf`, a conditional random field (Lafferty, McCallum and Pereira 2001) over the same features: `python-crfsuite`.

`memm` and `memm-greedy` need `pip install scikit-learn`, `crf` needs `pip install python-crfsuite`. Tokens are taken
as given; tags are BIOES where the corpus has spans, and as they are where it has a plain tag for each word. With
OMP_NUM_THREADS=1 all run in one thread.
"""

from __future__ import annotations

import json
import random
import shlex
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import typer
from crf_features import sentence_features, word_shape
from numpy.typing import NDArray

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.corpus import is_plain
from tagsmith.training.evaluation.span_counts import SpanCounts

Floats: TypeAlias = NDArray[np.float64]
Sentence: TypeAlias = tuple[list[str], list[str]]  # tokens and their tags

app = typer.Typer(add_completion=False)


def viterbi(start: Floats, steps: Iterable[Floats], end: Floats) -> list[int]:
    """The best sequence of tags, by their numbers.

    Args:
        start: the scores of the first word's tags, `(tags,)`.
        steps: for each further word the scores `(tags, tags)` of its tag (column) after the tag before it (row).
        end: the scores of ending after each tag, `(tags,)`.
    """
    best, pointers = start, []
    for step in steps:
        paths = best[:, None] + step
        pointers.append(paths.argmax(axis=0))
        best = paths.max(axis=0)
    path = [int((best + end).argmax())]
    for pointer in reversed(pointers):
        path.append(int(pointer[path[-1]]))
    return path[::-1]


def witten_bell(counts: Floats, broader: Floats) -> Floats:
    """Probabilities from counts `(..., tags)`, mixed with broader ones the more, the more kinds follow a context.

    Witten and Bell (1991); a context without counts gets the broader probabilities.
    """
    kinds = np.count_nonzero(counts, axis=-1, keepdims=True)
    total = counts.sum(axis=-1, keepdims=True) + kinds
    return np.where(total > 0, (counts + kinds * broader) / np.maximum(total, 1), broader)


class HiddenMarkovModel:
    """A first-order hidden Markov model, from counts.

    Transitions, with a start and an end, back off to how frequent the tags are. P(word | tag) is found by Bayes' rule
    as P(tag | word) / P(tag), up to P(word), which is the same for all tags. P(tag | word) backs off from the word to
    its signatures, ever broader: its shape (capitals, digits and hyphens, runs as one) with its last four, three, two,
    one and no letters; then to P(tag). Signatures are counted over rare words alone, as those are most like unknown
    ones.
    """

    RARE, SUFFIX = 5, 4  # the most occurrences of a rare word, and the longest suffix: chosen on English dev sets

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.tags = sorted({tag for _, tags in sentences for tag in tags})
        number = {tag: index for index, tag in enumerate(self.tags)}
        size = len(self.tags)
        frequency = Counter(word for words, _ in sentences for word in words)
        transitions = np.zeros((size + 1, size + 1))  # the last row is the start, the last column the end
        self.counts: dict[str | tuple[str, str], Floats] = defaultdict(lambda: np.zeros(size))
        for words, tags in sentences:
            path = [number[tag] for tag in tags]
            np.add.at(transitions, ([size, *path], [*path, size]), 1)
            for word, tag in zip(words, path, strict=True):
                self.counts[word][tag] += 1
                if frequency[word] <= self.RARE:
                    for signature in self._signatures(word):
                        self.counts[signature][tag] += 1
        self.parameters = sum(int(np.count_nonzero(table)) for table in (transitions, *self.counts.values()))
        self.counts.default_factory = None
        seen = transitions[:, :size].sum(axis=0)
        self.prior = seen / seen.sum()
        broader = transitions.sum(axis=0) / transitions.sum()
        self.transitions = np.log(witten_bell(transitions, broader))
        self._emissions: dict[str, Floats] = {}

    def _signatures(self, word: str) -> list[tuple[str, str]]:
        """From broad to narrow."""
        shape = word_shape(word)
        return [(shape, word[len(word) - length :].lower()) for length in range(min(len(word), self.SUFFIX) + 1)]

    def emission(self, word: str) -> Floats:
        """P(word | tag), its logarithm up to a constant: `(tags,)`."""
        if word not in self._emissions:
            probability = self.prior
            for context in (*self._signatures(word), word):
                if context in self.counts:
                    probability = witten_bell(self.counts[context], probability)
            self._emissions[word] = np.log(probability / self.prior)
        return self._emissions[word]

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """The most probable tags of one sentence."""
        first, *rest = map(self.emission, tokens)
        inner = self.transitions[:-1, :-1]
        path = viterbi(self.transitions[-1, :-1] + first, (inner + word for word in rest), self.transitions[:-1, -1])
        return [self.tags[tag] for tag in path]


class MaximumEntropyMarkovModel:
    """P(tag | features, tag before) by logistic regression; the tag before is a feature, the true one in training.

    Features that occur once are left out. Training stops after 100 passes at the latest, as the CRF's does.
    """

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        from scipy.sparse import csr_matrix, hstack
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        self.tags = sorted({tag for _, tags in sentences for tag in tags})
        number = {tag: index for index, tag in enumerate(self.tags)}
        size = len(self.tags)
        self.vectorizer = CountVectorizer(analyzer=lambda row: row, min_df=2, binary=True, dtype=np.float64)
        words = self.vectorizer.fit_transform(
            chain.from_iterable(sentence_features(tokens) for tokens, _ in sentences)
        )
        paths = [[number[tag] for tag in tags] for _, tags in sentences]
        before = np.array(
            [tag for path in paths for tag in (size, *path[:-1])]
        )  # the start has the number after all tags
        previous = csr_matrix((np.ones(len(before)), before, np.arange(len(before) + 1)), (len(before), size + 1))
        self.classifier = LogisticRegression(C=1.0, max_iter=100)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.classifier.fit(hstack([words, previous], format="csr"), list(chain.from_iterable(paths)))
        weights, intercept = self.classifier.coef_, self.classifier.intercept_
        if size == 2:  # scikit-learn keeps the second tag's weights alone, the first's being 0
            weights, intercept = np.stack([0 * weights[0], weights[0]]), np.array([0, intercept[0]])
        self.word_weights, self.previous_weights = weights[:, : words.shape[1]].T, weights[:, words.shape[1] :].T
        self.intercept = intercept
        self.parameters = weights.size + intercept.size

    def _steps(self, tokens: Sequence[str]) -> Floats:
        """The log probabilities of tags after each other: `(words, tags and the start before, tags)`."""
        from scipy.special import log_softmax

        words = self.vectorizer.transform(sentence_features(tokens)) @ self.word_weights + self.intercept
        steps: Floats = log_softmax(words[:, None] + self.previous_weights, axis=-1)
        return steps

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """The most probable tags of one sentence."""
        steps = self._steps(tokens)
        path = viterbi(steps[0, -1], steps[1:, :-1], np.zeros(len(self.tags)))
        return [self.tags[tag] for tag in path]


class GreedyMaximumEntropyMarkovModel(MaximumEntropyMarkovModel):
    """The same, that decides on each word's tag before it looks at the next word's."""

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """The most probable tag of each word after that of the word before."""
        best = self._steps(tokens).argmax(axis=-1)
        path = [len(self.tags)]  # the start
        for row in best:
            path.append(int(row[path[-1]]))
        return [self.tags[tag] for tag in path[1:]]


class ConditionalRandomField:
    """A linear-chain conditional random field by CRFsuite: L-BFGS, 100 passes at the most."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        import pycrfsuite

        settings = {"c1": 0.1, "c2": 0.01, "max_iterations": 100, "feature.possible_transitions": True}
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=settings, verbose=False)
        for tokens, tags in sentences:
            trainer.append(sentence_features(tokens), tags)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            trainer.train(str(path))
            self.model = path.read_bytes()
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open_inmemory(self.model)
        self.tags = self.tagger.labels()
        info = self.tagger.info()
        self.parameters = len(info.state_features) + len(info.transitions)

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """The most probable tags of one sentence."""
        return self.tagger.tag(sentence_features(tokens))


BASELINES: dict[str, Any] = {
    "hmm": HiddenMarkovModel,
    "memm": MaximumEntropyMarkovModel,
    "memm-greedy": GreedyMaximumEntropyMarkovModel,
    "crf": ConditionalRandomField,
}


def read_split(rows: Any, plain: bool, path: Path) -> list[Sentence]:
    """Tokens and tags of a corpus' sentences: BIOES, or plain tags as they are; sentences without words left out.

    Raises:
        InputError: text without tokens; the other kind of tags than in the training data; no words at all.
    """
    if any(text and not tokens for text, tokens in zip(rows["text"], rows["tokens"], strict=True)):
        raise InputError("text without tokens", path=path, fix="Give a corpus with tokens and tags.")
    sentences = [(tokens, tags) for tokens, tags in zip(rows["tokens"], rows["tags"], strict=True) if tokens]
    if not sentences:
        raise InputError("no words", path=path)
    if is_plain(rows) != plain and any(tag != "O" for _, tags in sentences for tag in tags):
        kinds = ("a plain tag for each word", "spans")
        raise InputError(f"this file has {kinds[plain]}, and the training data {kinds[not plain]}", path=path)
    if plain:
        return sentences
    return [(tokens, spans_to_tags(tags_to_spans(tags, "IOB2"), len(tags), "BIOES")) for tokens, tags in sentences]


def score(model: Any, sentences: Sequence[Sentence], plain: bool) -> dict[str, Any]:
    """What tagsmith's `score_tagger` gives for a corpus in its own tokens; accuracy is of labels, without prefixes."""
    scheme = "plain" if plain else "BIOES"
    counts, right, total = SpanCounts(), 0, 0
    for tokens, gold in sentences:
        found = model.tag(tokens)
        counts.add(tags_to_spans(gold, scheme), tags_to_spans(found, scheme))
        right += sum(a == b if plain else a[2:] == b[2:] for a, b in zip(gold, found, strict=True))
        total += len(tokens)
    scores = counts.result()
    labels = scores.pop("labels")
    return {**scores, "accuracy": right / total, "labels": labels}


@app.command()
def main(
    model: Annotated[Literal["hmm", "memm", "memm-greedy", "crf"], typer.Argument(help="Which baseline.")],
    train: Annotated[Path, typer.Option(help="A column file, or JSON lines with tokens and tags.")],
    dev: Annotated[Path, typer.Option(help="Scored.")],
    test: Annotated[Path | None, typer.Option(help="Scored too, where given.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where the results go, besides standard output.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Train on so many sentences, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of the drawing; the baselines themselves draw nothing.")] = 1,
) -> None:
    """Train a baseline, score it, and print the results as JSON."""
    files = {"train": train, "dev": dev} | ({"test": test} if test else {})
    corpus = load_corpus(files)
    plain = corpus.is_plain()
    splits = {name: read_split(corpus[name], plain, path) for name, path in files.items()}
    sentences = splits.pop("train")
    if limit is not None:
        if limit > len(sentences):
            raise InputError(f"--limit is {limit:,}, and there are {len(sentences):,} sentences", path=train)
        sentences = random.Random(seed).sample(sentences, limit)
    if len({tag for _, tags in sentences for tag in tags}) < 2:
        raise InputError("all words have the same tag: there is nothing to learn", path=train)
    started = time.monotonic()
    tagger = BASELINES[model](sentences)
    results = {
        "model": model,
        "command": shlex.join(["python", *sys.argv]),
        "minutes": round((time.monotonic() - started) / 60, 3),  # of training, features included
        "seed": seed,
        "parameters": tagger.parameters,  # counts or weights that are kept
        "tags": len(tagger.tags),
        "train_sentences": len(sentences),
        "train_words": sum(len(tokens) for tokens, _ in sentences),
    }
    for name, split in splits.items():
        started = time.monotonic()
        results[name] = score(tagger, split, plain)
        rate = sum(len(tokens) for tokens, _ in split) / (time.monotonic() - started)
        results[name]["words_per_second"] = round(rate)
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    typer.echo(text, nl=False)


if __name__ == "__main__":
    app()

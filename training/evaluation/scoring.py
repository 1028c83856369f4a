"""How well a tagger finds the spans of a corpus: from text to characters, as its users meet it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from datasets import Dataset

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.batches.byte_corpus import Document, documents
from tagsmith.training.batches.passages import at_their_rows, offsets, one_row, passages
from tagsmith.training.data.corpora import ALL
from tagsmith.training.data.corpus import is_plain
from tagsmith.training.evaluation.bootstrap import intervals, resampled_units, summed
from tagsmith.training.evaluation.span_counts import SpanCounts
from tagsmith.training.families import reads_bytes


def score_tagger(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    batch_size: int | None = None,
    by_line: bool = False,
    head: str | None = None,
    known: Collection[str] | None = None,
    bootstrap: bool = False,
) -> dict[str, Any]:
    """Tag a corpus and compare with its gold spans, character by character.

    Raw text is tagged as raw text, so a gold span that the tagger's words cannot meet, or that crosses the end of a
    line that is tagged by itself, is a miss; a corpus given only
    as tokens, or one of plain tags, is tagged in its own tokens. Memory does not grow with the corpus.

    Args:
        pipeline: a `SpanTaggingPipeline`; one of a byte-to-span tagger is passed to `score_documents`.
        rows: corpus rows (see `load_corpus`).
        batch_size: sentences that go through the model together (64), or windows (128).
        by_line: tag each row by itself, and not with those that a tagger of passages, or of bytes, reads with it.
        head: the one to tag by, of a tagger that has several.
        known: `names_in` the training data; the scores of names that are among them, and of those that are not, then
            come apart too.
        bootstrap: give confidence intervals too, by resampling documents.

    Returns:
        `{"precision", "recall", "f1", "accuracy", "labels": {label: {"precision", "recall", "f1", "support"}}}`, and
        with `known` "seen" and "unseen" with what a label has; floats from 0 to 1. Accuracy is the share of the
        corpus's tokens that are right: with plain tags, that bear the gold tag; with spans, that lie in a span of the
        gold label, or in none where gold has none. A text given without tokens counts in the tagger's own words.
        With `bootstrap` also "intervals": `{"precision", "recall", "f1": {"value", "low", "high"}}`, "drawn" (what was
        drawn) and "units" (how many).

    Raises:
        InputError: the data are too few for intervals.
    """
    tally = _count(pipeline, rows, batch_size, by_line, head, known, bootstrap)
    return {**tally.result(), **({"intervals": tally.intervals()} if bootstrap else {})}


def names_in(rows: Iterable[Mapping[str, Any]], plain: bool = False) -> set[str]:
    """The texts of a corpus's spans, white space left out; with plain tags, its words."""
    names: set[str] = set()
    for row in rows:
        found = row["tokens"] if plain else [row["text"][span["start"] : span["end"]] for span in row["spans"]]
        names.update(map(_name, found))
    return names


def _name(text: str) -> str:
    return "".join(text.split())


def score_corpora(
    pipeline: Any,
    corpora: Mapping[str, Iterable[Mapping[str, Any]]],
    batch_size: int | None = None,
    bootstrap: bool = False,
) -> dict[str, dict[str, Any]]:
    """The scores of several corpora, as `score_tagger` gives them.

    Args:
        pipeline: of a tagger of either family.
        corpora: by name. Where the tagger has heads, by these.
        batch_size: as `score_tagger` has it.
        bootstrap: as `score_tagger` has it, of corpora with two texts or more.

    Returns:
        The scores by name. Of several corpora of one and the same head those of all their spans together are under
        "all" (micro-averaged: each span counts once).
    """
    heads = bool(getattr(pipeline.model.config, "heads", None))
    tallies = {
        name: _count(pipeline, rows, batch_size, head=name if heads else None, bootstrap=bootstrap)
        for name, rows in corpora.items()
    }
    if len(tallies) > 1 and not heads:
        tallies[ALL] = sum(tallies.values(), Tally(bootstrap=bootstrap))
    return {
        name: {**tally.result(), **({"intervals": tally.intervals()} if bootstrap and len(tally.counts) > 1 else {})}
        for name, tally in tallies.items()
    }


class Tally:
    """Spans and tokens as they are counted, and the scores that follow; with known names, of these and others too."""

    def __init__(self, known: Collection[str] | None = None, bootstrap: bool = False) -> None:
        self.spans, self.known = SpanCounts(), known
        self.seen, self.unseen = SpanCounts(), SpanCounts()
        self.right = self.tokens = 0
        self.bootstrap = bootstrap
        self.documents: list[int] = []  # for a bootstrap, of each sentence or document that was counted
        self.counts: list[tuple[int, int, int]] = []  # its correct, found and gold spans

    def add(
        self, gold: Collection[Span], found: Collection[Span], text: Sequence[str], document: int | None = None
    ) -> None:
        """Count the spans of a sentence, with its document, or of a whole document: of its text, or of its words."""
        self.spans.add(gold, found)
        if self.bootstrap:
            self.documents.append(len(self.documents) if document is None else document)
            self.counts.append((len(set(gold) & set(found)), len(set(found)), len(set(gold))))
        if self.known is not None:
            known = {span for span in {*gold, *found} if _name("".join(text[span.start : span.end])) in self.known}
            self.seen.add(known.intersection(gold), known.intersection(found))
            self.unseen.add(set(gold) - known, set(found) - known)

    def __add__(self, other: Tally) -> Tally:
        both = Tally(self.known, self.bootstrap)
        both.spans = self.spans + other.spans
        both.seen, both.unseen = self.seen + other.seen, self.unseen + other.unseen
        both.right, both.tokens = self.right + other.right, self.tokens + other.tokens
        first = max(self.documents, default=-1) + 1
        both.documents = [*self.documents, *(first + document for document in other.documents)]
        both.counts = [*self.counts, *other.counts]
        return both

    def add_document(self, document: Document, found: Sequence[Span]) -> None:
        """Count a document's gold spans and those found, as `score_documents` does."""
        self.add(document.spans, found, document.text)
        if document.plain:
            self.right += len(set(document.spans) & set(found))
            self.tokens += len(document.spans)
        else:
            starts = document.starts
            self.right += sum(map(str.__eq__, _labels_at(starts, document.spans), _labels_at(starts, list(found))))
            self.tokens += len(starts)

    def result(self) -> dict[str, Any]:
        """What `score_tagger` gives."""
        scores = self.spans.result()
        labels = scores.pop("labels")
        accuracy = self.right / self.tokens if self.tokens else 0.0
        return {**scores, "accuracy": accuracy, "labels": labels, **self._apart()}

    def intervals(self) -> dict[str, Any]:
        """Precision, recall and F1 with their intervals, and what was drawn for them.

        Raises:
            InputError: there is but one text.
        """
        units = resampled_units(self.documents)
        found = intervals(summed(np.array(self.counts), units))
        return {**{name: own._asdict() for name, own in found.items()}, "drawn": units.said, "units": units.size}

    def _apart(self) -> dict[str, Any]:
        if self.known is None:
            return {}
        parts = {"seen": self.seen, "unseen": self.unseen}
        results = {name: (counts.result(), counts.gold.total()) for name, counts in parts.items()}
        return {
            name: {**{key: scores[key] for key in ("precision", "recall", "f1")}, "support": support}
            for name, (scores, support) in results.items()
        }


def _count(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    batch_size: int | None,
    by_line: bool = False,
    head: str | None = None,
    known: Collection[str] | None = None,
    bootstrap: bool = False,
) -> Tally:
    if reads_bytes(pipeline):
        return _count_documents(pipeline, rows, batch_size or 128, by_line, known, bootstrap)
    tally = Tally(known, bootstrap)
    plain = pipeline.model.config.head(head).tag_scheme == "plain"
    for row, scored in scored_rows(pipeline, rows, batch_size or 64, head, plain, by_line):
        found = [span for span, _ in scored]
        if plain:
            gold, positions = tags_to_spans(row["tags"], "plain"), list(range(len(row["tags"])))
        else:
            gold = [Span(span["start"], span["end"], span["label"]) for span in row["spans"]]
            positions = row["starts"] or [word.start for word in pipeline.tokenizer.split(row["text"])]
        tally.add(gold, found, row["tokens"] if plain else row["text"], row.get("document"))
        tally.right += sum(map(str.__eq__, _labels_at(positions, gold), _labels_at(positions, found)))
        tally.tokens += len(positions)
    return tally


def score_documents(
    pipeline: Any, rows: Iterable[Mapping[str, Any]], batch_size: int = 128, by_line: bool = False
) -> dict[str, Any]:
    """Tag the documents of a corpus by a byte-to-span tagger and compare with its gold spans, as `score_tagger` does.

    Documents are the rows' texts, joined by what stood between them. Of plain tags each word is a span, and a word is
    right if a span with its tag covers just that word.

    Args:
        pipeline: a `ByteSpanTaggingPipeline`.
        rows: corpus rows (see `load_corpus`).
        batch_size: windows that go through the model together.
        by_line: take each row for a document.
    """
    return _count_documents(pipeline, rows, batch_size, by_line).result()


def _count_documents(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    batch_size: int,
    by_line: bool,
    known: Collection[str] | None = None,
    bootstrap: bool = False,
) -> Tally:
    tally = Tally(known, bootstrap)
    for document, scored in tagged_documents(pipeline, rows, batch_size, by_line):
        tally.add_document(document, [span for span, _ in scored])
    return tally


def tagged_documents(
    pipeline: Any, rows: Iterable[Mapping[str, Any]], batch_size: int, by_line: bool = False, **options: Any
) -> Iterator[tuple[Document, list[tuple[Span, float]]]]:
    """Each document of a corpus, and the spans that a byte-to-span tagger finds in it, with their scores."""
    waiting: deque[Document] = deque()
    plain = isinstance(rows, Dataset) and is_plain(rows)

    def texts() -> Iterator[str]:
        for document in documents(rows, plain, by_line):
            waiting.append(document)
            yield document.text

    for entities in pipeline(texts(), batch_size=batch_size, **options):
        found = [
            (Span(entity["start"], entity["end"], entity["entity_group"]), entity["score"]) for entity in entities
        ]
        yield waiting.popleft(), found


def scored_rows(
    pipeline: Any,
    rows: Iterable[Mapping[str, Any]],
    batch_size: int,
    head: str | None,
    plain: bool,
    by_line: bool = False,
) -> Iterator[tuple[Mapping[str, Any], list[tuple[Span, float]]]]:
    """Each row with the spans found in it and their scores; raw and split rows go through the pipeline apart.

    A span that crosses a row's end belongs to the row where it begins.
    """
    words = 0 if by_line else pipeline.tokenizer.passage_words
    group: list[Mapping[str, Any]] = []

    def flush() -> Iterator[tuple[Mapping[str, Any], list[tuple[Span, float]]]]:
        for raw in (True, False):
            read = list(passages((row for row in group if (row["raw"] and not plain) == raw), words))
            joint = list(map(one_row, read))
            inputs = [row["text"] if raw else row["tokens"] for row in joint]
            results = pipeline(iter(inputs), batch_size=batch_size, is_split_into_words=not raw, head=head)
            for own, row, entities in zip(read, joint, results, strict=True):
                scored = zip(_spans(row, entities, raw, plain), (entity["score"] for entity in entities), strict=True)
                borders = _word_borders(own) if plain else offsets(own)
                yield from zip(own, at_their_rows(scored, borders), strict=True)
        group.clear()

    for row in rows:
        group.append(row)
        if len(group) == 64 * batch_size:
            yield from flush()
    yield from flush()


def _spans(row: Mapping[str, Any], entities: Sequence[Mapping[str, Any]], raw: bool, plain: bool) -> list[Span]:
    """What was found in a row, in its characters; plain tags stay with their words, which may share their place."""
    if raw:
        return [Span(entity["start"], entity["end"], entity["entity_group"]) for entity in entities]
    spans = _word_spans(row["tokens"], entities)
    if plain:
        return spans
    return [Span(row["starts"][first], row["ends"][end - 1], label) for first, end, label in spans]


def _word_borders(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return list(accumulate((len(row["tokens"]) for row in rows), initial=0))


def _word_spans(tokens: Sequence[str], entities: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Spans found in tokens joined by spaces, as spans of words."""
    starts, ends, position = {}, {}, 0
    for number, token in enumerate(tokens):
        starts[position], ends[position + len(token)] = number, number + 1
        position += len(token) + 1
    return [Span(starts[entity["start"]], ends[entity["end"]], entity["entity_group"]) for entity in entities]


def _labels_at(positions: Iterable[int], spans: list[Span]) -> Iterator[str]:
    """The label of the span over each position, or the empty string; positions and spans in order."""
    spans_left = iter(sorted(spans))
    span = next(spans_left, None)
    for position in positions:
        while span is not None and span.end <= position:
            span = next(spans_left, None)
        yield span.label if span is not None and span.start <= position else ""

"""How well a tagger finds the spans of a corpus: from text to characters, as its users meet it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.span_metric import SpanCounts


def score_tagger(pipeline: Any, rows: Iterable[Mapping[str, Any]], batch_size: int = 32) -> dict[str, Any]:
    """Tag a corpus and compare with its gold spans, character by character.

    Raw text is tagged as raw text, so a gold span that the tagger's words cannot meet is a miss; a corpus given only
    as tokens, or one of plain tags, is tagged in its own tokens. Memory does not grow with the corpus.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        rows: corpus rows (see `load_corpus`).
        batch_size: sentences that go through the model together.

    Returns:
        `{"precision", "recall", "f1", "accuracy", "labels": {label: {"precision", "recall", "f1", "support"}}}`,
        floats from 0 to 1. Accuracy is the share of the corpus's tokens that are right: with plain tags, that bear
        the gold tag; with spans, that lie in a span of the gold label, or in none where gold has none. A text given
        without tokens counts in the tagger's own words.
    """
    counts = SpanCounts()
    right = total = 0
    plain = pipeline.model.config.tag_scheme == "plain"
    for row, found in _tagged(pipeline, rows, batch_size):
        if plain:
            gold, positions = tags_to_spans(row["tags"], "plain"), list(range(len(row["tags"])))
        else:
            gold = [Span(span["start"], span["end"], span["label"]) for span in row["spans"]]
            positions = row["starts"] or [word.start for word in pipeline.tokenizer.split(row["text"])]
        counts.add(gold, found)
        right += sum(map(str.__eq__, _labels_at(positions, gold), _labels_at(positions, found)))
        total += len(positions)
    scores = counts.result()
    labels = scores.pop("labels")
    return {**scores, "accuracy": right / total if total else 0.0, "labels": labels}


def _tagged(
    pipeline: Any, rows: Iterable[Mapping[str, Any]], batch_size: int
) -> Iterator[tuple[Mapping[str, Any], list[Span]]]:
    """Each row with the spans found in it; raw and split rows go through the pipeline apart."""
    plain = pipeline.model.config.tag_scheme == "plain"
    group: list[Mapping[str, Any]] = []

    def flush() -> Iterator[tuple[Mapping[str, Any], list[Span]]]:
        for raw in (True, False):
            chosen = [row for row in group if (row["raw"] and not plain) == raw]
            inputs = [row["text"] if raw else row["tokens"] for row in chosen]
            results = pipeline(iter(inputs), batch_size=batch_size, is_split_into_words=not raw)
            for row, entities in zip(chosen, results, strict=True):
                if raw:
                    yield row, [Span(entity["start"], entity["end"], entity["entity_group"]) for entity in entities]
                    continue
                words = _word_spans(row["tokens"], entities)
                # Plain tags stay with their words: those of one multiword token share its place in the text.
                yield (
                    row,
                    words
                    if plain
                    else [Span(row["starts"][first], row["ends"][end - 1], label) for first, end, label in words],
                )
        group.clear()

    for row in rows:
        group.append(row)
        if len(group) == 64 * batch_size:
            yield from flush()
    yield from flush()


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

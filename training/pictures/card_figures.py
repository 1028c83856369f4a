"""Pictures for a model card, for the extra `[plots]`: how training went, and which labels are taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.evaluation.scoring import scored_rows, tagged_documents
from tagsmith.training.evaluation.span_alignment import align_spans
from tagsmith.training.families import reads_bytes
from tagsmith.training.pictures.figures import new_figure, save_figure

Confusions = Counter[tuple[str | None, str | None]]

_WRITTEN = 25  # labels up to which the cells have their numbers


def draw_learning_curve(course: Sequence[Mapping[str, Any]], output: str | Path) -> None:
    """Draw training loss and dev F1 over epochs.

    Args:
        course: as `results.json` has it: `{"epoch", "loss", "f1", "by_name": {name: f1}}`, where known.
        output: the picture: .png, .svg or .pdf.

    Raises:
        InputError: nothing to draw; a package of the extra is missing, or the output cannot be written so.
    """
    losses = [(entry["epoch"], entry["loss"]) for entry in course if "loss" in entry]
    scores = {"dev F1": [(entry["epoch"], entry["f1"] * 100) for entry in course if "f1" in entry]}
    for name in dict.fromkeys(name for entry in course for name in entry.get("by_name", {})):
        own = [(entry["epoch"], entry["by_name"]) for entry in course if name in entry.get("by_name", {})]
        scores[name] = [(epoch, by_name[name] * 100) for epoch, by_name in own]
    if not losses and not scores["dev F1"]:
        raise InputError("results.json says nothing of the course of training", fix="Train again to have it there.")
    figure = new_figure(7, 4)
    axes = figure.subplots()
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    lines = axes.plot(*zip(*losses, strict=True), "k--", label="training loss") if losses else []
    right = axes.twinx()
    right.set_ylabel("F1")
    for number, (name, points) in enumerate(scores.items()):
        if points:
            width = 2 if name == "dev F1" else 1
            lines += right.plot(*zip(*points, strict=True), f"C{number % 10}.-", linewidth=width, label=name)
    made = figure.legend(lines, [line.get_label() for line in lines], loc="outside upper center", ncols=5)
    for text in made.get_texts():
        text.set_parse_math(False)
    save_figure(figure, output)


def gold_and_found(
    pipeline: Any, rows: Iterable[Mapping[str, Any]], head: str | None = None
) -> Iterator[tuple[list[Span], list[Span]]]:
    """The gold spans of each sentence, or document, and those that a tagger finds, as `score_tagger` has them."""
    if reads_bytes(pipeline):
        for document, found in tagged_documents(pipeline, rows, batch_size=128):
            yield document.spans, [span for span, _ in found]
        return
    plain = pipeline.model.config.head(head).tag_scheme == "plain"
    for row, scored in scored_rows(pipeline, rows, 32, head, plain):
        spans = [span for span, _ in scored]
        if plain:
            yield tags_to_spans(row["tags"], "plain"), spans
        else:
            yield [Span(span["start"], span["end"], span["label"]) for span in row["spans"]], spans


def count_confusions(texts: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> Confusions:
    """How often a label was found for a label.

    Spans go together as `align_spans` has them.

    Args:
        texts: gold and found spans; neither overlap among themselves.

    Returns:
        Counts by (gold, found) label; None for gold where a span is spurious, for found where one was missed.
    """
    counts: Confusions = Counter()
    for gold, found in texts:
        counts.update((one and one.label, other and other.label) for one, other in align_spans(gold, found))
    return counts


def draw_confusions(counts: Confusions, output: str | Path) -> None:
    """Draw gold labels against found ones: colours are shares of a row, numbers are spans.

    Args:
        counts: as `count_confusions` gives them.
        output: the picture: .png, .svg or .pdf.

    Raises:
        InputError: there are no spans; a package of the extra is missing, or the output cannot be written so.
    """
    labels = sorted({label for pair in counts for label in pair if label is not None})
    if not labels:
        raise InputError("the data has no spans, and none were found: there is nothing to draw")
    places: list[str | None] = [*labels, None]
    matrix = np.array([[counts[gold, found] for found in places] for gold in places])
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.45 * len(places)
    figure = new_figure(size + 0.5, size)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    numbers = range(len(places))
    for set_ticks, last in ((axes.set_xticks, "(missed)"), (axes.set_yticks, "(spurious)")):
        set_ticks(numbers, [*labels, last], fontsize="small")
    axes.tick_params("x", rotation=90)
    for text in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        text.set_parse_math(False)  # a label with dollar signs is no formula
    axes.set_xlabel("found")
    axes.set_ylabel("gold")
    if len(labels) <= _WRITTEN:
        for i, j in zip(*matrix.nonzero(), strict=True):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, f"{matrix[i, j]:,}", ha="center", va="center", fontsize="x-small", color=colour)
    save_figure(figure, output)

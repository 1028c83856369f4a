"""What the memory of a byte-to-span tagger has learnt: its states as it writes labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsmith.tokenization.byte_windows import window_bytes
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import GO_ID
from tagsmith.tokenization.text_stream import TextStream
from tagsmith.training.pictures.figures import (
    FEWEST_POINTS,
    check_output,
    check_packages,
    colours_of,
    legend,
    markers_of,
    new_figure,
    project,
    save_figure,
    write_csv,
)
from tagsmith.training.pictures.neighbours import NeighbourShares, neighbour_shares

if TYPE_CHECKING:
    from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
    from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer

_BATCH = 64  # windows that go through the model together


@dataclass(frozen=True)
class StatesPlot:
    """What `plot_states` drew.

    Attributes:
        points: how many, `limit` at most.
        found: the spans that the model found in all.
        labels: points by label, the most frequent first.
        groups: points by group, in the order given.
        neighbours: how often the nearest points have the same "label", and the same "group".
    """

    points: int
    found: int
    labels: dict[str, int]
    groups: dict[str, int]
    neighbours: dict[str, NeighbourShares]


@dataclass(frozen=True)
class _Emission:
    """A label as emitted: `(features,)`, the state it was chosen from. Two are the same if their labels are."""

    label: str
    state: np.ndarray = field(compare=False)


class _Point(NamedTuple):
    label: str
    group: str
    word: str
    score: float
    state: np.ndarray


def plot_states(
    model: ByteToSpanForSpanTagging,
    tokenizer: ByteToSpanTokenizer,
    texts: Mapping[str, Iterable[str]],
    output: str | Path,
    *,
    seed: int = 1,
    limit: int = 2000,
    overwrite: bool = False,
) -> StatesPlot:
    """Draw the states from which labels are chosen, after Gillick et al. (2016), Figure 2.

    A state is the writer's, with attention joined by what it attends to.

    Texts are tagged as ever, greedily over overlapping windows; a span that windows share is one point, with the state
    of the window that the merging takes it from. Colours are labels, markers groups. The CSV has x, y, label, group
    and word.

    Args:
        model: the tagger; it is put in evaluation mode.
        tokenizer: its tokenizer.
        texts: by group, which may be a language. Memory does not grow with them.
        output: the picture's path.
        seed: of the draw of points and of t-SNE.
        limit: points at most, drawn at random and as evenly from the groups as these have spans.
        overwrite: the picture and its numbers may be there, and are replaced.

    Raises:
        InputError: another kind of tagger, an output that cannot be written, a missing package, fewer than 5 spans or
            a limit below 5, states that are all the same.
    """
    path = check_output(output, overwrite=overwrite)
    check_packages()
    if model.config.model_type != "byte-to-span":
        raise InputError(f"this is a {model.config.model_type} model", fix="Give a byte-to-span tagger.")
    if limit < FEWEST_POINTS:
        raise InputError(f"the limit is {limit} points", fix=f"Allow at least {FEWEST_POINTS}.")
    model.eval()
    points, found, shares = _collect(model, tokenizer, texts, limit, seed)
    states = np.stack([point.state for point in points])
    places = project(states, seed)
    labels = dict(Counter(point.label for point in points).most_common())
    _draw_states(path, places, points, list(labels), [group for group in texts if shares[group]])
    rows = ((point.label, point.group, point.word) for point in points)
    write_csv(path, ["label", "group", "word"], places, rows)
    kinds = {"label": [point.label for point in points], "group": [point.group for point in points]}
    neighbours = {name: neighbour_shares(places, states, of_points) for name, of_points in kinds.items()}
    return StatesPlot(len(points), found, labels, shares, neighbours)


def _collect(
    model: ByteToSpanForSpanTagging,
    tokenizer: ByteToSpanTokenizer,
    texts: Mapping[str, Iterable[str]],
    limit: int,
    seed: int,
) -> tuple[list[_Point], int, dict[str, int]]:
    """The points to draw, in the order of the texts, how many spans there were, and how many points of each group."""
    random = np.random.default_rng(seed)
    drawn: dict[str, list[_Point]] = {}
    found = 0
    for group, items in texts.items():
        spans = (span for span in _spans(model, tokenizer, group, items) if span.score >= model.config.min_score)
        drawn[group], count = _draw(spans, limit, random)
        found += count
    if found < FEWEST_POINTS:
        fix = f"Give more texts: a plot takes at least {FEWEST_POINTS} spans."
        raise InputError(f"the model found {found} spans in these texts", fix=fix)
    shares = _share({group: len(candidates) for group, candidates in drawn.items()}, limit)
    points: list[_Point] = []
    for group, candidates in drawn.items():
        chosen = random.permutation(len(candidates))[: shares[group]]
        points += [candidates[index] for index in sorted(chosen)]
    return points, found, shares


def _spans(
    model: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, group: str, texts: Iterable[str]
) -> Iterator[_Point]:
    """The spans of texts, as they are tagged, windows of several texts together."""
    streams = (tokenizer.stream(text, merge=model.config.merge) for text in texts)
    windows = ((stream, *window) for stream in streams for window in stream.windows())
    current: TextStream | None = None
    while batch := list(islice(windows, _BATCH)):
        emitted = _emissions(model, tokenizer, [data for _, _, data in batch])
        for (stream, offset, _), spans in zip(batch, emitted, strict=True):
            final = current.finish() if current is not None and current is not stream else []
            for span in final + stream.add(offset, spans):
                yield _Point(span.label.label, group, span.word, span.score, span.label.state)
            current = stream
    for span in current.finish() if current is not None else []:
        yield _Point(span.label.label, group, span.word, span.score, span.label.state)


@torch.no_grad()
def _emissions(
    model: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, windows: Sequence[np.ndarray]
) -> list[list[tuple[int, int, _Emission, float]]]:
    """The spans of windows, uint8 `(bytes,)` each: start, end, label with its state, score."""
    lengths = np.array([len(window) for window in windows])
    ends = np.cumsum(lengths)
    ids = torch.from_numpy(window_bytes(np.concatenate(windows), ends - lengths, ends)).to(model.device)
    symbols, chances = model.decode_spans(ids)
    # Decoding keeps no states, so what it wrote is written again: the state at a symbol chooses the next.
    inputs = torch.cat([torch.full_like(symbols[:, :1], GO_ID), symbols[:, :-1]], dim=1)
    read = model.model(ids)
    hidden, _ = model.model.write(inputs, torch.ones_like(inputs, dtype=torch.bool), read.states)
    features, _ = model.attend(hidden, read)
    decoded = tokenizer.codec.decode_batch(symbols.cpu().numpy(), lengths)
    places = torch.from_numpy(decoded.positions)[:, None] + torch.arange(3)  # of a span's three symbols
    rows = torch.from_numpy(decoded.rows)
    scores = chances.cpu()[rows[:, None], places].sum(1).exp().tolist()
    states = features.cpu()[rows, places[:, 2]].float().numpy()
    emitted: list[list[tuple[int, int, _Emission, float]]] = [[] for _ in windows]
    columns = (part.tolist() for part in (decoded.rows, decoded.starts, decoded.ends, decoded.labels))
    for row, start, end, label, state, score in zip(*columns, states, scores, strict=True):
        emitted[row].append((start, end, _Emission(tokenizer.labels[label], state), score))
    return emitted


def _draw(points: Iterable[_Point], limit: int, random: np.random.Generator) -> tuple[list[_Point], int]:
    """At most `limit` of the points, each as likely as any other, and how many there were (Vitter 1985)."""
    drawn: list[_Point] = []
    count = 0
    for point in points:
        count += 1
        if len(drawn) < limit:
            drawn.append(point)
        elif (place := int(random.integers(count))) < limit:
            drawn[place] = point
    return drawn, count


def _share(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many points each group gives: as many as every other, and what small ones leave goes to the larger."""
    shares = dict.fromkeys(counts, 0)
    for before, group in enumerate(sorted(counts, key=lambda group: counts[group])):
        shares[group] = min(counts[group], (limit - sum(shares.values())) // (len(counts) - before))
    return shares


def _draw_states(
    path: Path, places: np.ndarray, points: Sequence[_Point], labels: Sequence[str], groups: Sequence[str]
) -> None:
    """Points in their labels' colours and their groups' markers."""
    colours, markers = colours_of(labels), markers_of(groups)
    figure = new_figure(10, 8)
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[], title=f"{len(points):,} labels by the states they are chosen from (t-SNE)")
    for group in groups:
        chosen = [index for index, point in enumerate(points) if point.group == group]
        shades = [colours[points[index].label] for index in chosen]
        axes.scatter(*places[chosen].T, c=shades, marker=markers[group], s=22, alpha=0.75, linewidths=0)
    legend(figure, "label", [(label, colours[label], "o") for label in labels], "upper")
    if len(groups) > 1:
        legend(figure, "group", [(group, "0.4", markers[group]) for group in groups], "lower")
    save_figure(figure, path)

"""What taggers say of sentences that they were not trained on: spans found, and how probable any span is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from io import StringIO
from itertools import accumulate
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from tagsmith.modeling.tag_rules import span_spellings
from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited, as_corpus
from tagsmith.training.families import FAMILIES, reads_bytes
from tagsmith.training.runs.recipe import RunRecipe
from tagsmith.training.tagging.load_tagger import load_tagger

_BATCH = 64


@dataclass
class Opinion:
    """What one tagger says of one sentence.

    Attributes:
        found: the spans that it would write, of words, with their scores.
        outside: how probable it is that each word is in no span, `(words,)`.
        head: of a tagger of words, with which any span has a posterior; None of others.
        logits: of the words, as the head takes them.
    """

    found: dict[Span, float]
    outside: np.ndarray
    head: Any = None
    logits: np.ndarray | None = None

    @property
    def spans(self) -> set[Span]:
        """Those that the tagger would write."""
        return set(self.found)


@dataclass(frozen=True)
class Job:
    """A tagger to train, and the sentences that it is asked about."""

    recipe: RunRecipe
    training: Sequence[Audited]
    asked: Sequence[Audited]


def all_opinions(jobs: Sequence[Job], processes: int, done: Callable[[int], Any] = int) -> Iterator[list[Opinion]]:
    """The opinions of each job's tagger on its sentences, in the order of the jobs.

    Args:
        jobs: taggers to train.
        processes: how many train at a time.
        done: is told how many are finished.
    """
    if processes == 1:
        for number, job in enumerate(jobs, 1):
            yield opinions_of(job)
            done(number)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        for number, opinions in enumerate(pool.map(opinions_of, jobs), 1):
            yield opinions
            done(number)


def prepare_process() -> None:
    """A process that trains: one thread, and no messages of the libraries."""
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def opinions_of(job: Job) -> list[Opinion]:
    """Train a tagger, and ask it about sentences that it has not seen; nothing of it is kept on the disk."""
    quiet = {"save_strategy": "no", "logging_strategy": "no"}
    recipe = replace(job.recipe, training={**quiet, **job.recipe.training})
    with tempfile.TemporaryDirectory() as folder:
        train = FAMILIES[recipe.model_type].train.load()
        train(recipe, as_corpus(job.training), folder, console=Console(file=StringIO()))
        return ask(load_tagger(folder), job.asked)


def ask(pipeline: Any, sentences: Sequence[Audited], head: str | None = None) -> list[Opinion]:
    """What a tagger says of sentences, in their own words; nothing of heads of plain tags."""
    if reads_bytes(pipeline):
        return list(_of_bytes(pipeline, sentences))
    opinions: dict[int, Opinion] = {}
    order = sorted(range(len(sentences)), key=lambda number: len(sentences[number].words))
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        for number, opinion in zip(chosen, _of_words(pipeline, [sentences[n] for n in chosen], head), strict=True):
            opinions[number] = opinion
    return [opinions[number] for number in range(len(sentences))]


@torch.no_grad()
def _of_words(pipeline: Any, sentences: Sequence[Audited], name: str | None) -> Iterator[Opinion]:
    model, tokenizer = pipeline.model.eval(), pipeline.tokenizer
    shape, head = model.config.head(name), model.head(name)
    read = [list(tokenizer.read(list(sentence.words))[0]) for sentence in sentences]
    arrays = tokenizer.pad_sentences([tokenizer.encode_words(words, shape.language) for words in read])
    batch = {key: torch.from_numpy(value).to(model.device) for key, value in arrays.items()}
    batch = {key: value for key, value in batch.items() if key != "length"}
    logits = model(**batch, head=name).logits
    mask = torch.arange(logits.shape[1])[None] < torch.tensor([len(words) for words in read])[:, None]
    mask = mask.to(logits.device)
    spans, scores = head.spans(logits, mask)
    found: list[dict[Span, float]] = [{} for _ in sentences]
    for (row, first, end, label), score in zip(spans.tolist(), scores.tolist(), strict=True):
        found[row][Span(first, end, head.span_labels[label])] = score
    tags = head.crf.marginals(logits, mask) if head.crf is not None else logits.float().softmax(-1)
    free = tags[..., head.tags.index("O")].cpu().numpy() if "O" in head.tags else np.zeros(mask.shape)
    kept = logits.float().cpu().numpy()
    for number, (own, words) in enumerate(zip(found, read, strict=True)):
        size = len(words)
        yield Opinion(own, free[number, :size].copy(), head, kept[number, :size].copy())


def _of_bytes(pipeline: Any, sentences: Sequence[Audited]) -> Iterator[Opinion]:
    texts = (" ".join(sentence.words) for sentence in sentences)
    for sentence, entities in zip(sentences, pipeline(texts, min_score=0.0), strict=True):
        ends = [end - 1 for end in accumulate(len(word) + 1 for word in sentence.words)]
        starts = [end - len(word) for end, word in zip(ends, sentence.words, strict=True)]
        first = {place: number for number, place in enumerate(starts)}
        last = {place: number + 1 for number, place in enumerate(ends)}
        found, free = {}, np.ones(len(sentence.words))
        for entity in entities:
            if entity["start"] in first and entity["end"] in last:
                span = Span(first[entity["start"]], last[entity["end"]], entity["entity_group"])
                found[span] = float(entity["score"])
                free[span.start : span.end] = 1 - entity["score"]
        yield Opinion(found, free)


@torch.no_grad()
def posteriors(opinions: Sequence[Opinion], asked: Sequence[Sequence[Span]]) -> list[np.ndarray]:
    """How probable spans are to the taggers of some opinions, each by its own.

    Args:
        opinions: of sentences.
        asked: spans of each sentence.

    Returns:
        `(spans,)` for each sentence, in [0, 1]. A tagger of bytes has no posterior but of the spans that it writes.
    """
    results = [
        np.array([opinion.found.get(span, 0.0) for span in spans])
        for opinion, spans in zip(opinions, asked, strict=True)
    ]
    by_head: dict[int, list[int]] = {}
    for number, opinion in enumerate(opinions):
        if opinion.head is not None and len(asked[number]):
            by_head.setdefault(id(opinion.head), []).append(number)
    for numbers in by_head.values():
        numbers.sort(key=lambda number: len(opinions[number].logits))  # type: ignore[arg-type]
        for start in range(0, len(numbers), _BATCH):
            chosen = numbers[start : start + _BATCH]
            found = _batch_posteriors([opinions[n] for n in chosen], [asked[n] for n in chosen])
            for number, values in zip(chosen, found, strict=True):
                results[number] = values
    return results


def _batch_posteriors(opinions: Sequence[Opinion], asked: Sequence[Sequence[Span]]) -> Iterator[np.ndarray]:
    head = opinions[0].head
    logits, mask = (tensor.to(head.output.weight.device) for tensor in _padded(opinions))
    labels = {label: number for number, label in enumerate(head.span_labels)}
    rows = [
        (row, span.start, span.end, labels[span.label])
        for row, spans in enumerate(asked)
        for span in spans
        if span.label in labels
    ]
    values = iter(span_posteriors(head, logits, mask, torch.tensor(rows).reshape(-1, 4)).tolist())
    for spans in asked:
        yield np.array([next(values) if span.label in labels else 0.0 for span in spans])


def _padded(opinions: Sequence[Opinion]) -> tuple[torch.Tensor, torch.Tensor]:
    parts = [torch.from_numpy(opinion.logits) for opinion in opinions]
    lengths = torch.tensor([len(part) for part in parts])
    logits = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
    return logits, torch.arange(logits.shape[1])[None] < lengths[:, None]


def span_posteriors(head: Any, logits: torch.Tensor, mask: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """Of a head with a CRF exact ones; with a softmax the product of the tags that write a span."""
    if head.crf is not None:
        exact: torch.Tensor = head.crf.span_posteriors(logits, mask, spans)
        return exact
    log_chances = nn.functional.pad(logits.double().log_softmax(-1), (0, 1), value=-torch.inf)  # of a tag that is not
    total = nn.functional.pad(log_chances[..., :-1].cumsum(1), (0, 1, 1, 0))
    _, ids = span_spellings(head.tags, head.tag_scheme)[-1]
    row, start, end, label = spans.T
    first, inner, last, only = torch.tensor(ids, device=spans.device)[label].T
    between = total[row, (end - 1).clamp(min=0), inner] - total[row, (start + 1).clamp(max=total.shape[1] - 1), inner]
    between = torch.where(end - start > 2, torch.where(inner < 0, -torch.inf, between), 0.0)
    several = log_chances[row, start, first] + between + log_chances[row, end - 1, last]
    return torch.where(end - start == 1, log_chances[row, start, only], several).exp()

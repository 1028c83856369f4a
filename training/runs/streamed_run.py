"""What runs of every family settle before they train on data that are read while training wants them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from datasets import Dataset, DatasetDict, IterableDataset

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.endless import EndlessStream, mixed, passes
from tagsmith.training.batches.preparation import encode_corpus
from tagsmith.training.data.corpora import said
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.runs.recipe import Recipe, RunRecipe
from tagsmith.training.runs.vocabularies import Vocabularies

# Each process reads all of the data and takes its part of each batch: batches are padded each by itself.
STREAM_DEFAULTS = {"accelerator_config": {"dispatch_batches": False}}
_CHECKPOINTS = 10  # of a run that does not say after how many steps it wants one
_Recipe = TypeVar("_Recipe", bound=RunRecipe)


def is_streamed(corpora: Mapping[str, Corpus]) -> bool:
    """Whether any of the training data is a stream."""
    return any(isinstance(corpus["train"], IterableDataset) for corpus in corpora.values())


def all_streamed(corpora: Mapping[str, Corpus]) -> dict[str, Corpus]:
    """The corpora with the training data of each as a stream; the others stay in their files."""
    return {
        name: corpus.replaced("train", rows.to_iterable_dataset()) if isinstance(rows, Dataset) else corpus
        for name, corpus in corpora.items()
        for rows in [corpus["train"]]
    }


def for_a_stream(recipe: _Recipe) -> _Recipe:
    """The recipe for data that have no epochs: with a checkpoint every tenth of the steps, where it says nothing else.

    Raises:
        InputError: it counts epochs or sentences, or wants data to be read by several workers.
    """
    steps = recipe.training.get("max_steps", 0)
    if not isinstance(steps, int) or steps < 1:
        raise InputError("a stream has no epochs to count", fix="Say for how long: --set training.max_steps=20000.")
    for name in ("epoch_decay", "halving_from"):
        if getattr(recipe, name):
            raise InputError(f"{name} counts epochs, and a stream has none", fix=f"Pass --set {name}=0.")
    if isinstance(recipe, Recipe):
        if recipe.labelling_rate != 1:
            found = "labelling_rate draws sentences, and a stream is not known beforehand"
            raise InputError(found, fix="Leave it out.")
        for name in ("mention_replacement", "lowercase_share"):
            if getattr(recipe, name):
                found = f"{name} draws from all training data, and a stream is not known beforehand"
                raise InputError(found, fix="Leave it out.")
        if recipe.epoch_head is not None:
            raise InputError("epoch_head counts epochs, and a stream has none", fix="Leave it out.")
    if recipe.training.get("train_sampling_strategy", "random") != "random":
        found = f"training.train_sampling_strategy is {recipe.training['train_sampling_strategy']!r}"
        raise InputError(f"{found}, and a stream comes in its own order", fix="Leave it out.")
    if recipe.training.get("dataloader_num_workers", 0) > 1:
        found = "a stream is read by one process, and training.dataloader_num_workers is more"
        raise InputError(found, fix="Set it to 1, or leave it out.")
    training = {"eval_steps": max(steps // _CHECKPOINTS, 1), **recipe.training}
    return dataclasses.replace(recipe, training=training)


def encoded_streams(vocabularies: Vocabularies, corpora: Mapping[str, Corpus]) -> dict[str, IterableDataset]:
    """The training sentences of each corpus as ids, for its own head or for the only one.

    Raises:
        InputError: there is none with a word.
    """
    streams = {}
    for name, corpus in corpora.items():
        head = vocabularies.heads[None if None in vocabularies.heads else name]
        streams[name] = _encoded(corpus["train"], vocabularies.tokenizer, head)
        if next(iter(streams[name]), None) is None:
            raise InputError(f"{said(name)}the train data has no words")
    return streams


def _encoded(rows: IterableDataset, tokenizer: HierarchicalTaggerTokenizer, head: tuple) -> IterableDataset:
    return encode_corpus(DatasetDict({"train": rows}), tokenizer, *head)[0]["train"]


def sentence_stream(streams: Mapping[str, IterableDataset], corpora: Mapping[str, Corpus], seed: int) -> EndlessStream:
    """Sentences of one corpus or several for one head, mixed by their sizes.

    Args:
        streams: encoded sentences, by corpus.
        corpora: the same as they are read.
        seed: of the order.
    """
    sizes = [1.0]
    if len(corpora) > 1:
        sizes = [float(sum(1 for _ in corpus["train"])) for corpus in corpora.values()]
    return EndlessStream(lambda: mixed([passes(rows, seed) for rows in streams.values()], sizes))

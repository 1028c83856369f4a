"""Pretrained word vectors in a run: which words get one, where they go, and how many words of the data they reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.word_vectors import read_word_vectors
from tagsmith.training.runs.earlier_tagger import EarlierTagger
from tagsmith.training.runs.recipe import Recipe

_ROWS = 1_000  # sentences that are counted at a time


@dataclass
class PretrainedVectors:
    """What a file of vectors has for the words of a language.

    Attributes:
        path: the file.
        words: normalised.
        vectors: float32 `(words, dimension)`.
    """

    path: str
    words: list[str]
    vectors: np.ndarray


def vectors_path(recipe: Recipe, language: str | None) -> str | None:
    """The file of pretrained vectors for a language's words, if there is one."""
    return recipe.vectors.path if language is None else recipe.vectors.paths.get(language)


def read_vectors(
    recipe: Recipe, tokenizer: HierarchicalTaggerTokenizer, earlier: EarlierTagger | None
) -> dict[str | None, PretrainedVectors]:
    """Read the vectors of a tokenizer's words, and give it `vectors.extend` words of each file beside them.

    Words of an earlier tagger keep what it has learnt: they get no vectors.

    Raises:
        InputError: a file that is no file of word vectors; `vectors.extend` is negative.
    """
    extend = recipe.vectors.extend
    if extend < 0:
        fix = (
            "Give how many of the file's first words are to have their vectors; 0 for the training data's words alone."
        )
        raise InputError(f"vectors.extend is {extend}", fix=fix)
    found = {}
    for language, known in tokenizer.vocabularies.items():
        path = vectors_path(recipe, language)
        if path is None:
            continue
        learnt = set(earlier.tokenizer.vocabularies.get(language, ())) if earlier is not None else set()
        words, vectors = read_word_vectors(
            path,
            set(known) - learnt,
            normalize=tokenizer.normalize,
            lookup="exact-then-lower" if tokenizer.case_fallback else "exact",
            extend=extend,
        )
        new = np.array([word not in learnt for word in words], dtype=bool)
        words = [word for word in words if word not in learnt]
        found[language] = PretrainedVectors(path, words, vectors[new])
    tokenizer.add_extra_words({language: read.words for language, read in found.items()})
    return found


def set_vectors(
    model: HierarchicalTaggerForTokenClassification,
    tokenizer: HierarchicalTaggerTokenizer,
    found: Mapping[str | None, PretrainedVectors],
) -> None:
    """Put vectors in their words' places.

    Raises:
        InputError: their width is not that of the model's words; a number is too large for 16 bits.
    """
    size = model.config.word_embedding_size
    for language, read in found.items():
        width = read.vectors.shape[1]
        if width != size:
            raise InputError(
                f"the vectors have {width} numbers, and the model's words {size}",
                path=read.path,
                fix=f"Set model.word_embedding_size={width}.",
            )
        ids = torch.tensor(tokenizer.encode(read.words, language), dtype=torch.long)
        try:
            model.encoder.set_word_vectors(ids, torch.from_numpy(read.vectors), language)
        except ValueError as error:
            fix = "Scale them, or set vectors.extend=0: only words that are trained have them."
            raise InputError(str(error), path=read.path, fix=fix) from error


@dataclass
class Reach:
    """How many words of some data have a vector.

    Attributes:
        words: there are.
        trained: have a vector and are words of the training data.
        all: have a vector.
    """

    words: int
    trained: int
    all: int


def reach_of(
    rows: Dataset, tokenizer: HierarchicalTaggerTokenizer, found: PretrainedVectors, language: str | None
) -> Reach:
    """Count the words of encoded sentences that have one of the vectors in `found`."""
    frequent, rare, extra = tokenizer.split_vocabulary(language)
    trained = len(frequent) + len(rare) + 2
    has_vector = np.zeros(trained + len(extra), dtype=bool)
    has_vector[tokenizer.encode(found.words, language)] = True
    counts = np.zeros(len(has_vector), dtype=np.int64)
    for batch in rows.select_columns("input_ids").with_format("arrow").iter(_ROWS):
        counts += np.bincount(batch["input_ids"].combine_chunks().flatten().to_numpy(), minlength=len(counts))
    with_vector = counts * has_vector
    return Reach(int(counts.sum()), int(with_vector[:trained].sum()), int(with_vector.sum()))

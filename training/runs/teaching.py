"""How a run's tagger, the student, is taught by others: on its training data, and on text without annotations."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from datasets.arrow_writer import ArrowWriter
from rich.console import Console

from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.lessons import Lessons
from tagsmith.training.batches.preparation import training_words
from tagsmith.training.cards.private_text import base_name
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.whole_files import whole_path
from tagsmith.training.runs.raw_text import RawText
from tagsmith.training.runs.recipe import Recipe, RunRecipe
from tagsmith.training.runs.teachers import Teachers

_LESSONS = "lessons"  # the folder beside the checkpoints: like these, of use to a resumed run alone


class Teaching:
    """By whom a student is taught, on which text beside its training data, and how much that counts.

    Args:
        teachers: one hierarchical tagger with a CRF or several with the same tags: folders, or names on the Hub. They
            teach by the mean of their distributions over tag sequences.
        raw: text files without annotations, a sentence a line, on which the student learns from its teachers alone.
        head: by which those teachers teach that have several.
        weight: of the teachers on sentences with tags, above 0 and at most 1; the tags have the rest.

    Raises:
        InputError: a weight out of range; teachers that cannot teach, or not together; raw text without words.
    """

    def __init__(
        self,
        teachers: Sequence[str | os.PathLike[str]],
        raw: Sequence[str | os.PathLike[str]] = (),
        *,
        head: str | None = None,
        weight: float = 0.5,
    ) -> None:
        if not 0 < weight <= 1:
            found = f"the teachers' weight is {weight}, and must be above 0 and at most 1"
            raise InputError(found, fix="Pass --teacher-weight 0.5.")
        self.weight, self.raw = weight, RawText(raw)
        self.teachers = Teachers(teachers, head)
        self._counts: dict[str, int] = {}

    def check(self, recipe: RunRecipe, streamed: bool = False) -> None:
        """See that a run can be taught.

        Raises:
            InputError: its student is of another family, has heads, or no linear chain; its sentences would change, or
                its data are streams.
        """
        if not isinstance(recipe, Recipe):
            fix = "Choose a recipe of a hierarchical tagger, such as ner."
            raise InputError(f"a student cannot be a {recipe.model_type}", fix=fix)
        if recipe.model.get("sharing") is not None:
            fix = "Choose a recipe without sharing, such as ner."
            raise InputError("a student has one head, and this recipe trains several", fix=fix)
        for name, wanted in (("output", "crf"), ("transitions", "static")):
            if (found := recipe.model.get(name, wanted)) != wanted:
                fix = f"Pass --set model.{name}={wanted}."
                raise InputError(f"a student cannot have model.{name} {found!r}", fix=fix)
        if recipe.mention_replacement:
            fix = "Pass --set mention_replacement=0."
            raise InputError(
                "a student is taught its sentences as they stand, and mention_replacement changes them", fix=fix
            )
        if recipe.consistency:
            fix = "Pass --set consistency=0."
            raise InputError("a student learns from its teachers, and not from a second draw of dropout", fix=fix)
        if streamed:
            raise InputError("a student's data cannot be streamed", fix="Load them without streaming.")

    def known_shape(self, shape: HeadShape) -> HeadShape:
        """The student's tags, which are the teachers'; as `Teachers.known_shape`."""
        return self.teachers.known_shape(shape)

    def more_words(self, splitter: str) -> Iterator[list[str]]:
        """The words of the raw text, by sentences."""
        return self.raw.sentences(splitter)

    def teach(
        self,
        tokenizer: HierarchicalTaggerTokenizer,
        corpus: Corpus,
        encoded: Dataset,
        folder: Path,
        device: torch.device,
        console: Console,
    ) -> tuple[Dataset, Lessons]:
        """The student's training sentences and what its teachers find in them, made or gone on with where it is not.

        Args:
            tokenizer: the student's.
            corpus: whose "train" has tags.
            encoded: the same sentences as ids, those without words left out.
            folder: of the run's checkpoints.
            device: where the teachers compute.
            console: where it is said.

        Returns:
            The encoded sentences and after them those of the raw text, labels -100, all numbered in `lesson`; and
            the lessons by these numbers.
        """
        folder = folder / _LESSONS

        def sentences() -> Iterator[list[str]]:
            scheme = self.teachers.shape.tag_scheme
            yield from filter(None, training_words(corpus["train"], tokenizer.splitter, scheme))
            yield from self.more_words(tokenizer.splitter)

        rows = encoded
        if self.raw.files:
            rows = concatenate_datasets([encoded, self._encode(tokenizer, encoded, folder, console)])
        key = f"{self.teachers.key()}-{_hash(sentences())}"
        lessons = Lessons(folder, rows["length"], self.teachers.legal, key)
        size = f"{lessons.nbytes / 1e6:,.1f} MB of marginals in {folder.parent.name}/{folder.name}"
        console.print(
            f"taught on {len(rows):,} sentences, {lessons.starts[-1]:,} words; {size}", highlight=False, soft_wrap=True
        )
        self.teachers.teach(lessons, sentences(), device, console)
        return rows.add_column("lesson", range(len(rows))), lessons

    def _encode(
        self, tokenizer: HierarchicalTaggerTokenizer, encoded: Dataset, folder: Path, console: Console
    ) -> Dataset:
        """The sentences of the raw text as ids, in the columns of others, memory-mapped."""
        sentences = words = shortened = 0
        with writing(folder, "Name another --output-dir"):
            folder.mkdir(parents=True, exist_ok=True)
        path = folder / "raw.arrow"
        with whole_path(path) as part, ArrowWriter(path=str(part), features=encoded.features) as writer:
            for sentence in self.more_words(tokenizer.splitter):
                count = len(sentence)
                writer.write({**tokenizer.encode_words(sentence), "labels": [-100] * count, "length": count})
                sentences, words = sentences + 1, words + count
                shortened += tokenizer.read(sentence)[1]
            writer.finalize()
        if shortened:
            console.print(f"raw text: {tokenizer.describe_shortened(shortened)}", style="yellow")
        self._counts = {"sentences": sentences, "words": words}
        return Dataset.from_file(str(path))

    def facts(self) -> dict[str, Any]:
        """Who taught, how much, and on what raw text, for `results.json`."""
        raw = {"files": list(map(base_name, self.raw.files)), **self._counts} if self.raw.files else None
        return {"names": self.teachers.names, "weight": self.weight, **({"raw": raw} if raw else {})}


def _hash(sentences: Iterator[list[str]]) -> str:
    digest = hashlib.sha256()
    for words in sentences:
        digest.update("\0".join([*words, "\n"]).encode())
    return digest.hexdigest()

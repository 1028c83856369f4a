"""tagsmith's own taggers as an adapter of peers.py, for speed: a recipe's shape, learning as `TrainingWork` has it.

The workloads are those that lie beside the package that is installed, so that an earlier version, in an environment of
its own, is measured by its own: its recipes, its batches, its pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets import disable_progress_bars
from peer_protocol import Peer, main

import tagsmith

try:
    from tagsmith.training.commands.command_options import prepare_torch
except ImportError:  # of version 0.1
    from tagsmith.training.command_options import prepare_torch

sys.path.insert(0, str(Path(tagsmith.__file__).parent / "benchmarks"))
from workloads import Case, TrainingWork, tagger_of, training_corpus


class TagsmithTagger(Peer):
    """A recipe with its settings; windows are counted by their bytes, sentences by their words."""

    packages = ("tagsmith", "torch", "transformers")

    def __init__(self, job: dict[str, Any]) -> None:
        prepare_torch(job["threads"])
        disable_progress_bars()
        self.job = job
        choices = {"settings": tuple(job["settings"]), "batch_size": job["batch_size"], "train": job["train_file"]}
        self.case = Case(recipe=job["recipe"], dtype=job.get("dtype", "float32"), **choices)

    @cached_property
    def work(self) -> TrainingWork:
        """The untrained tagger and its data."""
        return TrainingWork(self.case)

    def steps(self) -> Iterator[int]:
        """Batches of like lengths, with the recipe's optimizer and average of the weights."""
        while True:
            yield int(self.work.step()["attention_mask"].sum())

    @cached_property
    def pipeline(self) -> Any:
        """Of what has been learnt when it is first asked for."""
        _, _, tokenizer = tagger_of(self.case, training_corpus(self.case))
        return tagsmith.pipeline(self.work.model, tokenizer=tokenizer, **self._options())

    def _options(self) -> dict[str, Any]:
        return {"device": "cpu", "int8": self.job.get("int8", False)}

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        """The spans, as the pipeline gives them, of words as they are; in batches of its own choice, 64."""
        return list(self.pipeline(iter(sentences), is_split_into_words=True))

    def tag_text(self, lines: list[str]) -> None:
        """From text to spans."""
        list(self.pipeline(iter(lines)))

    def tag_one(self, given: str) -> None:
        """As a caller of one text does."""
        self.pipeline(given)

    def save(self, folder: Path) -> None:
        """What `from_pretrained` reads."""
        self.pipeline.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        """From there."""
        self.pipeline = tagsmith.pipeline(str(folder), **self._options())


if __name__ == "__main__":
    main(TagsmithTagger)

"""tagsmith's own taggers as an adapter of peers.py, for speed: a recipe's shape, learning as `TrainingWork` has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets import disable_progress_bars
from peer_protocol import Peer, main
from workloads import Case, TrainingWork, tagger_of, training_corpus

import tagsmith
from tagsmith.training.commands.command_options import prepare_torch


class TagsmithTagger(Peer):
    """A recipe with its settings; tagging by the trained tagger of `job["model"]`, where that is given."""

    packages = ("tagsmith", "torch", "transformers")

    def __init__(self, job: dict[str, Any]) -> None:
        prepare_torch(job["threads"])
        disable_progress_bars()
        self.job = job
        settings, size = tuple(job["settings"]), job["batch_size"]
        self.case = Case(recipe=job["recipe"], settings=settings, batch_size=size, train=job["train_file"])
        self.work = TrainingWork(self.case)

    def steps(self) -> Iterator[int]:
        """Batches of like lengths, with the recipe's optimizer and average of the weights."""
        while True:
            yield int(self.work.step()["attention_mask"].sum())

    @cached_property
    def pipeline(self) -> Any:
        """Of what has been learnt when it is first asked for."""
        options: dict[str, Any] = {"device": "cpu", "int8": self.job.get("int8", False)}
        if self.job["model"]:
            return tagsmith.pipeline(self.job["model"], **options)
        _, _, tokenizer = tagger_of(self.case, training_corpus(self.case))
        return tagsmith.pipeline(self.work.model, tokenizer=tokenizer, **options)

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        """The spans, as the pipeline gives them, of words as they are; in batches of its own choice, 64."""
        return list(self.pipeline(iter(sentences), is_split_into_words=True))

    def tag_text(self, lines: list[str]) -> None:
        """From text to spans."""
        list(self.pipeline(iter(lines)))

    def save(self, folder: Path) -> None:
        """What `from_pretrained` reads."""
        self.pipeline.save_pretrained(str(folder))


if __name__ == "__main__":
    main(TagsmithTagger)

"""tagsmith's own taggers as an adapter of peers.py, for speed: a recipe's shape, learning as `TrainingWork` has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import workloads
from datasets import disable_progress_bars
from peer_protocol import Peer, main
from workloads import Case, TrainingWork, tagger_of

import tagsmith
from tagsmith.training.command_options import prepare_torch
from tagsmith.training.corpora import load_corpus


class TagsmithTagger(Peer):
    """A recipe with its settings; tagging by the trained tagger of `job["model"]`, where that is given."""

    packages = ("tagsmith", "torch", "transformers")

    def __init__(self, job: dict[str, Any]) -> None:
        prepare_torch(job["threads"])
        disable_progress_bars()
        self.job = job
        files = {"train": job["train_file"]}
        workloads.sample_files = lambda: files  # in place of the bundled sample
        case = Case(recipe=job["recipe"], settings=tuple(job["settings"]), batch_size=job["batch_size"])
        self.work = TrainingWork(case)
        if job["model"]:
            self.pipeline = tagsmith.pipeline(job["model"], device="cpu")
        else:
            _, _, tokenizer = tagger_of(case, load_corpus(files))
            self.pipeline = tagsmith.pipeline(self.work.model, tokenizer=tokenizer, device="cpu")
        self.work.model.train()

    def steps(self) -> Iterator[int]:
        """Batches of like lengths, with the recipe's optimizer and average of the weights."""
        while True:
            yield int(self.work.step()["attention_mask"].sum())

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        """The spans, as the pipeline gives them, of words as they are."""
        self.pipeline.model.eval()
        return list(self.pipeline(iter(sentences), batch_size=32, is_split_into_words=True))

    def tag_text(self, lines: list[str]) -> None:
        """From text to spans."""
        self.pipeline.model.eval()
        list(self.pipeline(iter(lines), batch_size=32))

    def save(self, folder: Path) -> None:
        """What `from_pretrained` reads."""
        self.pipeline.save_pretrained(str(folder))


if __name__ == "__main__":
    main(TagsmithTagger)

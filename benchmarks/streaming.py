"""Memory and time of training on streams: how they grow with the corpus.

    python benchmarks/streaming.py [--megabytes 6,24,96] [--steps 50] [--kind one|several|heads|bytes]...

Each run is of a process of its own, on made-up column files of that size with a vocabulary of 5,000 words: one corpus,
the same cut in two for one tagger, the same as two heads, and one for a byte-to-span tagger. Peak MiB are of the
resident set, with torch and the libraries; *before* is what there was before the data was looked at, and *first step*
the time from then on.
"""

from __future__ import annotations

import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from measure_case import peak_memory
from rich.console import Console
from speed import markdown_table, numbers
from transformers import TrainerCallback

from tagsmith.training.commands.command_options import prepare_torch
from tagsmith.training.data.corpora import load_corpora
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.families import FAMILIES
from tagsmith.training.runs.recipe import read_recipe

KINDS = {
    "one": ("ner", ["one"]),
    "several": ("ner", ["one", "other"]),
    "heads": ("joint-tasks", ["one", "other"]),
    "bytes": ("byte-ner", ["one"]),
}


def write_corpus(path: Path, megabytes: float) -> None:
    """Sentences of twelve words, every fifth a name; a document of fifty sentences."""
    chance = random.Random(path.name)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        number = 0
        while file.tell() < megabytes * 1e6:
            file.write("-DOCSTART- O\n\n" if number % 50 == 0 else "")
            for word in chance.choices(words, k=12):
                named = word < "f"
                file.write(f"{word.title()} B-LOC\n" if named else f"{word} O\n")
            file.write("\n")
            number += 1


class FirstStep(TrainerCallback):
    """Notes when training began."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = time.monotonic()


def run(kind: str, megabytes: float, steps: int) -> list[str]:
    """A row of the table."""
    recipe_name, names = KINDS[kind]
    prepare_torch(1)
    settings = [f"training.max_steps={steps}", "model.hidden_size=100", "training.per_device_train_batch_size=32"]
    recipe = read_recipe(recipe_name, settings)
    first = FirstStep()
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"{name}.conll") for name in names}
        for path in files.values():
            write_corpus(path, megabytes / len(names))
        before, started = peak_memory(), time.monotonic()
        corpora = load_corpora(
            {name: ({"train": path}, ReadingOptions()) for name, path in files.items()}, streaming=True
        )
        train = FAMILIES[recipe.model_type].train.load()
        train(recipe, corpora, Path(folder, "out"), callbacks=[first], console=Console(quiet=True))
        took = time.monotonic() - started
    return [
        kind,
        f"{megabytes:g}",
        f"{before:.0f}",
        f"{peak_memory():.0f}",
        f"{first.began - started:.0f}",
        f"{took:.0f}",
    ]


def main(
    megabytes: Annotated[str, typer.Option(help="Sizes of the corpora, by commas.")] = "6,24,96",
    steps: Annotated[int, typer.Option(help="Steps of training.")] = 50,
    kind: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(KINDS)}; repeatable.")] = None,
) -> None:
    """Train on made-up corpora of growing size, and print the table."""
    console, rows = Console(stderr=True), []
    for chosen in kind or list(KINDS):
        for size in numbers(megabytes):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                rows.append(pool.submit(run, chosen, size, steps).result())
            console.print("  ".join(rows[-1]), highlight=False)
    headers = ["kind", "MB", "MiB before", "peak MiB", "seconds to the first step", "seconds in all"]
    print(markdown_table(headers, rows))


if __name__ == "__main__":
    typer.run(main)

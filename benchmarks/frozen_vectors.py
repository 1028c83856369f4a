"""What a training step of `ner` costs with vectors of words that the training data do not have.

    python benchmarks/frozen_vectors.py [--train FILE] [--rows 0,100000,250000] [--steps 40]

Taggers with so many rows that are not trained, and one that has the most of them as parameters, take a step each in
turn, in one process and thread. Times are the processor's, so that other work on the machine counts little.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import workloads
from datasets import disable_progress_bars
from speed import markdown_table
from torch import nn
from workloads import Case, TrainingWork


class Work(TrainingWork):
    """Steps of a tagger with so many more words, none of which its sentences have."""

    def __init__(self, case: Case, rows: int, trained: bool) -> None:
        made = workloads.tagger_of

        def tagger_of(case: Case, corpus: Any) -> Any:
            recipe, model, tokenizer = made(case, corpus)
            reader = model.encoder.reader()
            known, width = reader.words.weight.shape
            if trained:
                reader.words = nn.Embedding(known + rows, width, padding_idx=0)
            elif rows:
                reader.frozen_vectors = torch.zeros(rows, width, dtype=torch.float16)
            return recipe, model, tokenizer

        workloads.tagger_of = tagger_of
        try:
            super().__init__(case)
        finally:
            workloads.tagger_of = made


def main(
    train: Annotated[Path | None, typer.Option(help="Column file to learn from, in place of the sample.")] = None,
    rows: Annotated[str, typer.Option(help="How many vectors are not trained.")] = "0,100000,250000",
    steps: Annotated[int, typer.Option(help="Steps of each.")] = 40,
) -> None:
    """Print the milliseconds of a step, and how many times those without such vectors that is."""
    torch.set_num_threads(1)
    disable_progress_bars()
    counts = [int(count) for count in rows.split(",")]
    case = Case(train=None if train is None else str(train))
    works = {f"{count:,}": Work(case, count, trained=False) for count in counts}
    works[f"{max(counts):,} as parameters"] = Work(case, max(counts), trained=True)
    for work in works.values():
        work.warm_up()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(steps):
        for name, work in works.items():
            started = time.process_time()
            work.step()
            times[name].append(time.process_time() - started)
    first = times[next(iter(works))]
    table = []
    for name, own in times.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(own, first, strict=True))
        table.append(
            [name, f"{works[name].model.num_parameters():,}", f"{statistics.median(own) * 1000:.1f}", f"{ratio:.2f}"]
        )
    print(markdown_table(["vectors", "parameters", "ms a step", "times the first"], table))


if __name__ == "__main__":
    typer.run(main)

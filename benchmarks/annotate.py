"""How many words need annotation where `tagsmith suggest` chooses them, beside sentences at random.

    python benchmarks/annotate.py train.iob2 dev.iob2 --seeds 1,2,3 --output annotate.jsonl

Both begin with the same sentences at random, of `--start` words. The suggestions of a tagger trained on what is
annotated so far are then added in `--rounds` rounds until there are `--suggested` words, by the gold annotation; at
random there are `--random` words in the end. Each tagger's F1 on dev is a row of JSON; seeds whose rows the file holds
are not run again, so an interrupted run goes on. In the end the table of all rows is printed.
"""

from __future__ import annotations

import json
import random
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer
from rich.console import Console

from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.doubts.audited import Audited, as_corpus, read_audited
from tagsmith.training.doubts.opinions import Opinion, ask, prepare_process
from tagsmith.training.doubts.suggestions import suggest
from tagsmith.training.families import FAMILIES
from tagsmith.training.runs.recipe import RunRecipe, read_recipe
from tagsmith.training.tagging.load_tagger import load_tagger


def trained(recipe: RunRecipe, sentences: Sequence[Audited]) -> Any:
    """A tagger trained on sentences; nothing of it is kept on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        train = FAMILIES[recipe.model_type].train.load()
        train(recipe, as_corpus(sentences), folder, console=Console(file=StringIO()))
        return load_tagger(folder)


def f1(sentences: Sequence[Audited], opinions: Sequence[Opinion]) -> float:
    """F1 of the spans that a tagger finds, in percent."""
    right = sum(len(said.spans & set(own.spans)) for own, said in zip(sentences, opinions, strict=True))
    both = sum(len(said.spans) + len(own.spans) for own, said in zip(sentences, opinions, strict=True))
    return 200 * right / max(both, 1)


def words(sentences: Sequence[Audited]) -> int:
    """How many words sentences have."""
    return sum(len(sentence.words) for sentence in sentences)


def first(sentences: Sequence[Audited], count: int) -> list[Audited]:
    """The first sentences, of at least so many words in all."""
    until = list(accumulate((len(sentence.words) for sentence in sentences), initial=0))
    return list(sentences[: bisect_left(until, count)])


def suggested(pipeline: Any, pool: Sequence[Audited], annotated: Sequence[Audited], count: int) -> list[Audited]:
    """The sentences of a pool that `suggest` names first, of at least so many words in all."""
    lines = (("pool", number, " ".join(sentence.words)) for number, sentence in enumerate(pool))
    known = [" ".join(sentence.words) for sentence in annotated]
    enough = len(pool) if count >= words(pool) else max(count // 4, 1)  # sentences shorter than four words are rare
    return first([pool[own.line] for own in suggest(pipeline, lines, enough, known)], count)


def simulated(
    recipe: RunRecipe, pool: list[Audited], dev: Sequence[Audited], start: int, goals: Sequence[int], at_random: int
) -> Iterator[dict[str, Any]]:
    """The rows of one seed: where sentences come at random, and where they are suggested.

    Args:
        recipe: of each tagger.
        pool: in the order that is random.
        dev: for F1.
        start: words at random that both begin with.
        goals: words after each round of suggestions.
        at_random: words at random in the end.
    """
    for goal in (start, goals[-1], at_random):
        chosen = first(pool, goal)
        yield {"way": "random", "words": words(chosen), "f1": f1(dev, ask(trained(recipe, chosen), dev))}
    annotated = first(pool, start)
    pipeline = trained(recipe, annotated)
    for goal in goals:
        rest = pool[len(first(pool, start)) :]
        annotated += suggested(pipeline, rest, annotated, goal - words(annotated))
        pipeline = trained(recipe, annotated)
        yield {"way": "suggested", "words": words(annotated), "f1": f1(dev, ask(pipeline, dev))}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The mean F1 of all seeds, a column for each corpus."""
    corpora = sorted({row["corpus"] for row in rows})
    lines = [f"| | words | {' | '.join(corpora)} |", f"|---|---|{'---|' * len(corpora)}"]
    for way, goal in dict.fromkeys((row["way"], row["goal"]) for row in rows):
        cells = []
        for corpus in corpora:
            own = [row["f1"] for row in rows if (row["corpus"], row["way"], row["goal"]) == (corpus, way, goal)]
            each = f" ({', '.join(f'{value:.2f}' for value in own)})" if len(own) > 1 else ""
            cells.append(f"{fmean(own):.2f}{each}" if own else "")
        lines.append(f"| {way} | {goal:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(
    train: Annotated[Path, typer.Argument(help="What could be annotated, with its annotation.", exists=True)],
    dev: Annotated[Path, typer.Argument(help="What taggers are scored on.", exists=True)],
    output: Annotated[Path, typer.Option(help="Rows are added to this file.")],
    seeds: Annotated[str, typer.Option(help="Of what is chosen at random.")] = "1,2,3",
    start: Annotated[int, typer.Option(min=1, help="Words that both ways begin with.")] = 4_000,
    suggestions: Annotated[int, typer.Option("--suggested", min=1, help="Words in the end by suggestions.")] = 24_000,
    at_random: Annotated[int, typer.Option("--random", min=1, help="Words in the end at random.")] = 40_000,
    rounds: Annotated[int, typer.Option(min=1, help="Of suggestions.")] = 4,
    sentences: Annotated[int | None, typer.Option(min=1, help="Only so many of the first ones.")] = None,
    recipe: Annotated[str, typer.Option(help="Of each tagger.")] = "audit",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A change to the recipe.")] = None,
) -> None:
    """Simulate annotation."""
    prepare_process()
    corpus = train.parent.name
    pool, judged = (read_audited(path, ReadingOptions())[:sentences] for path in (train, dev))
    goals = [start + (suggestions - start) * number // rounds for number in range(1, rounds + 1)]
    named = [("random", goal) for goal in (start, suggestions, at_random)] + [("suggested", goal) for goal in goals]
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()] if output.exists() else []
    for seed in map(int, seeds.split(",")):
        have = sum(row["corpus"] == corpus and row["seed"] == seed for row in rows)
        if have == len(named):
            continue
        rows = [row for row in rows if (row["corpus"], row["seed"]) != (corpus, seed)]
        order = random.Random(seed).sample(pool, len(pool))
        changed = read_recipe(recipe, [f"training.seed={seed}", *(set_ or [])])
        made = simulated(changed, order, judged, start, goals, at_random)
        for (_, goal), row in zip(named, made, strict=True):
            row = {"corpus": corpus, "seed": seed, **row, "goal": goal}
            print(json.dumps(row), flush=True)
            rows.append(row)
        output.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    typer.run(main)

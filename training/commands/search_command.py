"""The command `tagsmith search`: the numbers of a recipe that score best on dev data; for the extra `[search]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import Threads, messages, prepare_torch, report_reading, say
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions


@reads_annotated_files
def search(
    recipe: Annotated[str, typer.Argument(help="Name of a bundled recipe, or path of a YAML file.")],
    train: Annotated[Path, typer.Option(help="Training data.")],
    dev: Annotated[Path, typer.Option(help="Dev data, by which trials are judged.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for the trials' journal and the recipe that is found.")],
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUES",
            help="What is searched: training.learning_rate=0.001..0.01 or model.hidden_size=100|200; repeatable.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A change to the recipe that holds for all trials; repeatable.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="How many trials there are to be in all.")] = 30,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End after so many minutes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the search in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the trials as JSON.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Where the choices begin.")] = 1,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
) -> None:
    """Search for better numbers of a recipe, on dev data alone."""
    try:
        from tagsmith.training.runs.search import Field, Search
        from tagsmith.training.runs.search import search as find
    except ImportError as error:
        fix = "Install it: pip install 'tagsmith[search]'"
        raise InputError(f"a search needs optuna ({error})", fix=fix) from error
    from tagsmith.training.data.corpora import load_corpus
    from tagsmith.training.families import FAMILIES
    from tagsmith.training.runs.recipe import read_recipe

    prepare_torch(threads)
    family = read_recipe(recipe, set_ or []).model_type
    plan = Search(recipe, set_ or [], [Field.read(text) for text in over or FAMILIES[family].searched], output_dir)
    plan.check()
    corpus = load_corpus({"train": train, "dev": dev}, options=reading)
    report_reading(corpus)
    data = {split: rows._fingerprint for split, rows in corpus.items()}
    result = find(plan, corpus, data, trials, minutes, seed, messages, resume)
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    elif not messages.quiet:
        values = "".join(f"{name}: {value}\n" for name, value in result["best"]["values"].items())
        sys.stdout.write(f"best dev F1 {result['best']['f1'] * 100:.2f} of {len(result['trials'])} trials\n{values}")
    say(f"train with it: tagsmith train {result['recipe']} --train {train} --dev {dev} --output-dir DIR")

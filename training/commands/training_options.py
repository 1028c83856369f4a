"""What the commands that train a tagger share: options, how they read, and the run with its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import (
    choose_device,
    messages,
    print_scores,
    report_reading,
    report_shared,
    say,
)

if TYPE_CHECKING:
    from tagsmith.training.data.reading_options import ReadingOptions
    from tagsmith.training.machine.process_tuning import ProcessTuning

OverwriteOutputDir = Annotated[
    bool, typer.Option("--overwrite-output-dir", help="Replace a tagger in the folder, or files by its files' names.")
]
Resume = Annotated[bool, typer.Option(help="Continue from the last checkpoint in the folder.")]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Where chance begins: the recipe's training.seed, by another name.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A change to the recipe, like model.hidden_size=200; repeatable.")
]


def recipes_that_begin(incomplete: str) -> list[str]:
    """Names of recipes, for a shell that completes one."""
    from tagsmith.training.runs.recipe_files import bundled_recipes

    return [name for name in bundled_recipes() if name.startswith(incomplete)]


def all_settings(given: list[str] | None, device: str | None, seed: int | None) -> list[str]:
    """What `--set`, `--device` and `--seed` change in a recipe.

    Raises:
        InputError: two of them change the same.
    """
    given, settings = given or [], {}
    if device is not None:
        settings["training.use_cpu"] = ("--device", str(choose_device(device) == "cpu").lower())
    if seed is not None:
        settings["training.seed"] = ("--seed", str(seed))
    for name, (option, _) in settings.items():
        if any(setting.startswith(f"{name}=") for setting in given):
            raise InputError(f"{option} and --set {name} say the same", fix="Leave out one of them.")
    return [*given, *(f"{name}={value}" for name, (_, value) in settings.items())]


def read_training_data(
    files: Mapping[str, tuple[Mapping[str, Any], ReadingOptions]], streaming: bool = False
) -> dict[str, Any]:
    """The corpora of files by split, each by its name; what was read, and what they share, is said."""
    from tagsmith.training.data.corpora import load_corpora

    corpora = load_corpora(files, streaming=streaming)
    for name, corpus in ({} if streaming else corpora).items():  # a stream has no report, and is not compared
        report_reading(corpus, name)
        report_shared(corpus, files[name][1], name)
    return corpora


def train_and_report(
    train: Callable[..., Any], recipe: Any, data: Any, output_dir: Path, tuned: ProcessTuning, **how: Any
) -> None:
    """Train a tagger, and say how it went.

    Args:
        train: of the recipe's family.
        recipe: as it was read.
        data: one corpus, or several by name.
        output_dir: folder for the tagger.
        tuned: the state of the process.
        **how: the rest of what `train` takes.
    """
    from tagsmith.training.cards.results import Results

    results = Results.of(train(recipe, data, output_dir, console=messages, **how))
    say(str(tuned), style="dim")
    for name, score in results.dev.items():
        print_scores(score, name)
    say(f"{results.minutes:.1f} minutes; the tagger is in {output_dir}")

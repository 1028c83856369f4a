"""Options of the commands that train a tagger."""

from __future__ import annotations

from typing import Annotated

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import choose_device

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

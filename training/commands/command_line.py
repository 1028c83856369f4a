"""The command `tagsmith`: data on standard output, messages on standard error.

Exit codes: 0 for success, 1 where `check` found errors, 2 for bad input, 130 for an interrupt. Heavy libraries are
imported inside the commands, so that help and typing errors come at once.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.agree_command import agree
from tagsmith.training.commands.audit_command import audit
from tagsmith.training.commands.cache_command import cache
from tagsmith.training.commands.card_command import card
from tagsmith.training.commands.command_options import (
    Device,
    Threads,
    load_pipeline,
    named_file,
    prepare_torch,
    say,
)
from tagsmith.training.commands.convert_command import convert
from tagsmith.training.commands.distill_command import distill
from tagsmith.training.commands.errors_command import errors
from tagsmith.training.commands.evaluate_command import evaluate
from tagsmith.training.commands.every_command import for_every_command
from tagsmith.training.commands.export_command import export
from tagsmith.training.commands.fold_scores import check_folds, cross_validate
from tagsmith.training.commands.models_command import models
from tagsmith.training.commands.plot_commands import plots
from tagsmith.training.commands.push_command import push
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.commands.redact_options import RedactCommand
from tagsmith.training.commands.running import new_app
from tagsmith.training.commands.search_command import search
from tagsmith.training.commands.serve_command import serve
from tagsmith.training.commands.streams import run
from tagsmith.training.commands.suggest_command import suggest
from tagsmith.training.commands.tag_command import tag
from tagsmith.training.commands.training_options import (
    OverwriteOutputDir,
    Resume,
    Seed,
    Settings,
    all_settings,
    read_training_data,
    recipes_that_begin,
    train_and_report,
)
from tagsmith.training.data.reading_options import ReadingOptions

app = new_app()
app.add_typer(plots, name="plot")


@reads_annotated_files
def train(
    recipe: Annotated[
        str,
        typer.Argument(help="Name of a bundled recipe, or path of a YAML file.", autocompletion=recipes_that_begin),
    ],
    train: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FILE",
            help="Training data: a file of any format that is read, or owner/name:config@split of the Hub. Repeatable "
            "for heads, and for several corpora of one tagger, as en=FILE.",
        ),
    ],
    output_dir: Annotated[Path, typer.Option(help="Folder for the tagger.")],
    dev: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="Data to choose the best checkpoint on, named as the training data."),
    ] = None,
    set_: Settings = None,
    streaming: Annotated[
        bool,
        typer.Option(
            "--streaming",
            help="Read the training data as it is wanted, for a corpus that does not fit on the disk; "
            "needs training.max_steps.",
        ),
    ] = False,
    resume: Resume = False,
    overwrite_output_dir: OverwriteOutputDir = False,
    tag_column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]COLUMN",
            help="Column of the tags: a number from 0, from the end if negative, or a name; repeatable by data, as "
            "ner=3.",
        ),
    ] = None,
    *,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Cross-validate: a tagger for each of so many parts, trained on the others."),
    ] = None,
    reading: ReadingOptions,
    threads: Threads = 1,
    device: Device = None,
    seed: Seed = None,
) -> None:
    """Train a tagger by a recipe."""
    from tagsmith.training.families import FAMILIES
    from tagsmith.training.runs.recipe import read_recipe
    from tagsmith.training.runs.run_folder import check_folder_is_free

    check_folder_is_free(output_dir, resume=resume, overwrite=overwrite_output_dir)
    tuned = prepare_torch(threads)
    chosen = read_recipe(recipe, all_settings(set_, device, seed))
    named = named_files(train, dev or [])
    family = FAMILIES[chosen.model_type]
    family.check_names.load()(chosen, list(named))
    if folds is not None:
        check_folds(chosen, named, streaming, overwrite_output_dir)
    columns = _columns(tag_column or [], named)
    data = {name: (files, replace(reading, tag_column=columns[name])) for name, files in named.items()}
    corpora = read_training_data(data, streaming)
    if folds is not None:
        cross_validate(chosen, corpora, output_dir, folds, resume)
        return
    how = {"resume": resume, "overwrite_output_dir": overwrite_output_dir}
    train_and_report(family.train.load(), chosen, corpora, output_dir, tuned, **how)


@reads_annotated_files
def check(
    files: Annotated[list[Path], typer.Argument(help="Data files; the first is the training data.")],
    *,
    reading: ReadingOptions,
) -> None:
    """Look annotated data over before training: sizes, schemes, labels, overlaps, suspicious text."""
    from tagsmith.training.data.checks import check_files

    result = check_files(files, reading)
    for line in result.lines():
        sys.stdout.write(line + "\n")
    if result.errors:
        raise typer.Exit(1)


def recipes() -> None:
    """List the bundled recipes."""
    from tagsmith.training.runs.recipe_files import bundled_recipes, read_recipe_file

    for name in bundled_recipes():
        sys.stdout.write(f"{name:16} {read_recipe_file(name)[0]['description']}\n")


def demo(
    output_dir: Annotated[Path, typer.Option(help="Folder for the tagger.")] = Path("demo-tagger"),
    text: Annotated[str, typer.Option(help="What to tag with it.")] = (
        "Angela Merkel and Barack Obama met at the White House in Washington.\n"
        "Dronning Margrethe besøgte København i går.\n"
        "O presidente do Brasil viajou para Lisboa."
    ),
    overwrite_output_dir: OverwriteOutputDir = False,
    threads: Threads = 1,
    device: Device = None,
    seed: Seed = None,
) -> None:
    """Tag a text with the tagger that comes with tagsmith; then train one on the bundled sample, and tag with that."""
    from tagsmith.training.data.sample import sample_files
    from tagsmith.training.runs.run_folder import check_folder_is_free
    from tagsmith.training.tagging.tag_files import write_tagged
    from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

    check_folder_is_free(output_dir, overwrite=overwrite_output_dir)
    say("With the tagger that comes with tagsmith:", style="bold")
    write_tagged(load_pipeline(DEFAULT_TAGGER, threads, device=device), iter([text]), "text")
    say("Now one of your own, from the bundled sample:", style="bold")
    files = sample_files()
    train(
        "sample",
        [str(files["train"])],
        output_dir,
        [str(files["dev"])],
        overwrite_output_dir=overwrite_output_dir,
        threads=threads,
        device=device,
        seed=seed,
    )
    say("With yours:", style="bold")
    write_tagged(load_pipeline(str(output_dir), threads, device=device), iter([text]), "text")


for command in (
    train,
    distill,
    search,
    evaluate,
    errors,
    tag,
    check,
    audit,
    suggest,
    convert,
    agree,
    card,
    export,
    serve,
    push,
    cache,
    models,
    recipes,
    demo,
):
    kind = RedactCommand if command is tag else None
    app.command(cls=kind)(for_every_command(command))


def named_files(train: list[str], dev: list[str]) -> dict[str, dict[str, Path]]:
    """The files of each corpus by split, out of arguments like `en=train.conll`; a single one needs no name.

    Raises:
        InputError: a name that is missing or given twice, or dev data of a name that has no training data.
    """
    corpora: dict[str, dict[str, Path]] = {}
    for split, arguments in (("train", train), ("dev", dev)):
        for argument in arguments:
            name, path = named_file(argument)
            if not name and len(train) > 1:
                raise InputError(f"--{split} {argument} has no name", fix=f"Name it, like --{split} en={argument}.")
            if split == "dev" and name not in corpora and len(train) == 1:
                name = next(iter(corpora))
            if split == "dev" and name not in corpora:
                known = ", ".join(corpora)
                raise InputError(f"there is no --train named {name!r}, as --dev {argument} is", fix=f"Use {known}.")
            if split in corpora.setdefault(name, {}):
                raise InputError(
                    f"--{split} is given twice{f' for {name!r}' if name else ''}", fix="Give one of them."
                )
            corpora[name][split] = path
    return corpora


def _columns(arguments: list[str], named: dict[str, dict[str, Path]]) -> dict[str, str | None]:
    """The tag column of each corpus, out of arguments like `ner=3`, or one for all."""
    columns: dict[str | None, str] = {}
    for argument in arguments:
        before, equals, column = argument.rpartition("=")
        name = before if equals else None
        if name is not None and name not in named:
            raise InputError(f"there is no --train named {name!r}, as --tag-column {argument} is")
        if name in columns:
            raise InputError(f"--tag-column is given twice{f' for {name!r}' if name else ''}", fix="Give one of them.")
        columns[name] = column
    return {name: columns.get(name, columns.get(None)) for name in named}


def main() -> None:
    """The entry point of a process that may call any command; see `entry`."""
    run(app)


if __name__ == "__main__":
    main()

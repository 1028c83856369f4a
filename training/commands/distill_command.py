"""The command `tagsmith distill`: one small tagger taught by others, also on text without annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tagsmith.training.commands.command_options import Device, Threads, prepare_torch
from tagsmith.training.commands.reading_arguments import reads_annotated_files
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


@reads_annotated_files
def distill(
    teachers: Annotated[
        list[str],
        typer.Argument(
            metavar="TEACHER...",
            help="Folders of trained hierarchical taggers with a CRF and the same tags, or names on the Hub.",
        ),
    ],
    train: Annotated[
        str, typer.Option(metavar="FILE", help="Training data: a file of any format that is read, or of the Hub.")
    ],
    output_dir: Annotated[Path, typer.Option(help="Folder for the student.")],
    dev: Annotated[str | None, typer.Option(metavar="FILE", help="Data to choose the best checkpoint on.")] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Of the student: name of a bundled recipe, or path of a YAML file.", autocompletion=recipes_that_begin
        ),
    ] = "ner",
    raw: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Text without annotations, a sentence a line, to learn from the teachers; repeatable."
        ),
    ] = None,
    teacher_weight: Annotated[
        float,
        typer.Option(help="What the teachers count on annotated sentences, above 0 and at most 1; the tags the rest."),
    ] = 0.5,
    head: Annotated[str | None, typer.Option(help="The head by which those teach that have several.")] = None,
    set_: Settings = None,
    resume: Resume = False,
    overwrite_output_dir: OverwriteOutputDir = False,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
    device: Device = None,
    seed: Seed = None,
) -> None:
    """Teach a small tagger by others: what they find probable, beside the annotations, and on raw text."""
    from tagsmith.training.runs.hierarchical_run import train_tagger
    from tagsmith.training.runs.recipe import read_recipe
    from tagsmith.training.runs.run_folder import check_folder_is_free
    from tagsmith.training.runs.teaching import Teaching

    check_folder_is_free(output_dir, resume=resume, overwrite=overwrite_output_dir)
    tuned = prepare_torch(threads)
    chosen: Any = read_recipe(recipe, all_settings(set_, device, seed))
    teaching = Teaching(teachers, raw or [], head=head, weight=teacher_weight)
    teaching.check(chosen)
    files = {"train": train, **({} if dev is None else {"dev": dev})}
    corpus = read_training_data({"": (files, reading)})[""]
    how = {"resume": resume, "overwrite_output_dir": overwrite_output_dir, "teaching": teaching}
    train_and_report(train_tagger, chosen, corpus, output_dir, tuned, **how)

"""The command `tagsmith convert`: annotated data from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagsmith.training.commands.command_options import say, warn
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions


@reads_annotated_files
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Annotated data of any format that is read; a folder of brat's files.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A file that is not there yet; for brat a folder.")],
    to: Annotated[
        str,
        typer.Option(
            help="Format to write: columns, jsonl, label-studio, doccano, prodigy or brat; auto goes by OUT's name.",
            show_default=True,
        ),
    ] = "auto",
    *,
    reading: ReadingOptions,
) -> None:
    """Write annotated data in another format: for training, or for an annotation tool to correct."""
    from tagsmith.training.data.conversion import convert_file

    result = convert_file(source, output, to, reading)
    for line in result.report.lines():
        say(line, style="dim")
    for kind, count in result.notes.items():
        warn(f"{output}: {kind}: {count:,}")
    say(f"{output}: {result.target}, {result.report.documents:,} documents, {result.report.spans:,} spans")

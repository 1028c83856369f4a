"""The command `tagsmith export`: a tagger for machines without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagsmith.training.commands.command_options import ModelArgument, load_pipeline, say


def export(
    model: ModelArgument,
    output: Annotated[Path, typer.Option(help="A new folder, for graphs, weights, vocabulary and manifest.")],
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Have the graphs multiply by 8-bit weights; GRUs of characters stay as they are."),
    ] = False,
) -> None:
    """Write a tagger as graphs of ONNX, for `tagsmith tag --runtime onnx` and for other languages."""
    from tagsmith.training.tagging.export import export_tagger

    pipeline = load_pipeline(model, threads=1, device="cpu")
    sizes = export_tagger(pipeline, output, model, int8)
    for name, size in sizes.items():
        say(f"{output / name}: {size:,} bytes")

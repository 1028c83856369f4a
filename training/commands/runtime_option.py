"""Which of its implementations tags: torch, or the runtime on numpy, which starts in a tenth of the time."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import load_pipeline, messages, say
from tagsmith.training.tagging.runtimes import load_without_torch, usual_runtime


class Runtime(StrEnum):
    """What computes."""

    auto = "auto"
    torch = "torch"
    numpy = "numpy"
    onnx = "onnx"


RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        help="What computes: torch; numpy, which starts at once and tags on the CPU; or onnx, for what tagsmith "
        "export has written. auto takes numpy for the tagger that comes with tagsmith, and for an exported one onnx "
        "where it is installed.",
    ),
]


def load_by_runtime(
    model: str, runtime: Runtime, threads: int, int8: bool = False, device: str | None = None, shards: bool = False
) -> Any:
    """What tags by a tagger: a `SpanTaggingPipeline`, or of the runtime what is called like one.

    Raises:
        InputError: options that only torch has, with another runtime; and whatever is wrong with the tagger.
    """
    for_torch = {"--int8": int8, f"--device {device}": device not in (None, "cpu"), "--shards": shards}
    wanted = [option for option, given in for_torch.items() if given]
    if runtime is Runtime.auto:
        runtime = Runtime.torch if wanted else Runtime(usual_runtime(model))
    if runtime is Runtime.torch:
        return load_pipeline(model, threads, int8, device)
    if wanted:
        fix = f"Leave out {wanted[0]}, or give --runtime torch."
        raise InputError(f"{wanted[0]} is for torch, and --runtime is {runtime}", fix=fix)
    if not os.path.isdir(model):
        found = "there is no such folder, and what is on the Hub needs --runtime torch"
        raise InputError(found, path=model, fix="Give --runtime torch, or the folder of a tagger.")
    tagger = load_without_torch(model, threads, runtime)
    if messages.verbose:
        say(f"{model}: {tagger.model.config.model_type}, by {runtime}", style="dim")
    return tagger

"""The command `tagsmith tag`: raw text in, spans out."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext, suppress
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import (
    BatchSize,
    Device,
    Head,
    Int8,
    Threads,
    check_head,
    say,
    warn,
)
from tagsmith.training.commands.redact_options import (
    Redact,
    RedactMap,
    RedactNumbered,
    check_redaction,
    finish_redaction,
    redaction_of,
)
from tagsmith.training.commands.runtime_option import Runtime, RuntimeOption, load_by_runtime
from tagsmith.training.commands.tagger_notice import with_notice
from tagsmith.training.commands.tagging_bar import tagging_bar
from tagsmith.training.data.hub_names import is_file_name
from tagsmith.training.families import reads_bytes
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

FIRST_LINES = 1000  # of a corpus in shards, by which it is judged whether the tagger knows the language


class TagFormat(StrEnum):
    """How `tag` writes."""

    text = "text"
    jsonl = "jsonl"
    conll = "conll"
    html = "html"


def tag(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Folder of a trained tagger, or its name on the Hub; where none is named, what comes with tagsmith."
        ),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Argument(help="Text files in UTF-8; - or none for standard input.")
    ] = None,
    format_: Annotated[TagFormat, typer.Option("--format", help="How to write the spans.")] = TagFormat.text,
    head: Head = None,
    documents: Annotated[
        bool,
        typer.Option(
            help="Take lines up to an empty one as one text, which a tagger of passages or of bytes reads together."
        ),
    ] = False,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Leave out spans that score below.")] = None,
    recall_bias: Annotated[
        float | None, typer.Option(help="Of a byte-to-span tagger: above 0 for more spans, below 0 for fewer.")
    ] = None,
    batch_size: BatchSize = None,
    threads: Threads = 1,
    int8: Int8 = False,
    device: Device = None,
    runtime: RuntimeOption = Runtime.auto,
    redact: Redact = None,
    redact_numbered: RedactNumbered = False,
    redact_map: RedactMap = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write, in place of standard output; it is there once it is whole.")
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Tag in so many parts, over all processes of accelerate launch or torchrun; the same command "
            "continues where one was cut short.",
        ),
    ] = None,
) -> None:
    """Tag raw text; each line is tagged by itself."""
    from tagsmith.training.tagging.sharded_tagging import check_output, join_processes, tag_shards
    from tagsmith.training.tagging.tag_files import as_documents, read_texts, write_tagged

    model, files = _model_and_files(model, files or [])
    check_output(files, format_.value, output, shards, documents)
    check_redaction(redact, redact_numbered, redact_map, output, shards is not None)
    state = join_processes() if shards else None
    pipeline = load_by_runtime(model, runtime, threads, int8, device, shards is not None)
    if recall_bias is not None and not reads_bytes(pipeline):
        raise InputError("--recall-bias is for byte-to-span taggers, and this is none", path=model)
    if head is not None or format_ != TagFormat.jsonl or redact is not None:
        check_head(pipeline, head, model)
    redaction = redaction_of(redact, redact_numbered or redact_map is not None, pipeline, head, model)
    pipeline.says_shortened = False  # until all is tagged
    options = _given(head=head, min_score=min_score, recall_bias=recall_bias, batch_size=batch_size)
    if shards is not None and output is not None:
        if state is not None and state.is_main_process:
            _look_at_first(pipeline, model, files)
        tag_shards(pipeline, files, format_.value, output, shards, state, say, redaction, **options)
    else:
        with tagging_bar(files, output) as watch, _opened(output) as out:
            texts = with_notice(pipeline, model, read_texts(files, watch), say, warn)
            texts = as_documents(texts) if documents else texts
            write_tagged(pipeline, texts, format_.value, out, redaction, **options)
    if pipeline.shortened:
        say(f"warning: {pipeline.tokenizer.describe_shortened(pipeline.shortened)}", style="yellow")
    finish_redaction(redaction, redact_map)


def _look_at_first(pipeline: Any, model: str, files: list[str]) -> None:
    """Say of a corpus' first lines what is said of all texts where one process reads them."""
    from tagsmith.training.tagging.tag_files import read_texts

    with suppress(InputError):  # who reads the whole of the files says which line is wrong
        deque(with_notice(pipeline, model, islice(read_texts(files), FIRST_LINES), say, warn), maxlen=0)


def _opened(output: Path | None) -> AbstractContextManager[TextIO | None]:
    from tagsmith.training.machine.whole_files import whole_file

    return nullcontext() if output is None else whole_file(output)


def _model_and_files(model: str | None, files: list[str]) -> tuple[str, list[str]]:
    """The tagger and the texts: a first argument that is a file, or standard input, is no tagger."""
    if model is None:
        return DEFAULT_TAGGER, files or ["-"]
    path = Path(model)
    if model == "-" or (path.exists() and not path.is_dir()):
        return DEFAULT_TAGGER, [model, *files]
    if not path.exists() and is_file_name(model):
        raise InputError("there is no such file", path=model)
    return model, files or ["-"]


def _given(**options: Any) -> dict[str, Any]:
    """Options that were given; what was not is left to the pipeline."""
    return {name: value for name, value in options.items() if value is not None}

"""The command `tagsmith suggest`: which sentences to annotate next, with what a tagger finds in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import (
    Device,
    Head,
    Int8,
    ModelArgument,
    Threads,
    check_head,
    load_pipeline,
    messages,
    say,
    warn,
)
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions

if TYPE_CHECKING:
    from tagsmith.training.doubts.suggestions import Suggestion


@reads_annotated_files
def suggest(
    model: ModelArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="RAW...", help="Text files, a sentence a line; - for standard input.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many sentences to choose.")] = 100,
    annotated: Annotated[
        list[Path] | None, typer.Option(help="Data that are annotated already, and not suggested; repeatable.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write them with the tagger's spans: a file, or for brat a folder.")
    ] = None,
    to: Annotated[
        str, typer.Option(help="Format of --output: columns, jsonl, label-studio, doccano, prodigy, brat or auto.")
    ] = "auto",
    html: Annotated[Path | None, typer.Option(help="Write a page of HTML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a row of JSON for each.")] = False,
    head: Head = None,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
    int8: Int8 = False,
    device: Device = None,
) -> None:
    """Choose the sentences whose annotation would teach a tagger most."""
    from tagsmith.training.data.conversion import check_output, write_sentences
    from tagsmith.training.doubts.suggestions import suggest as choose
    from tagsmith.training.machine.whole_files import check_new
    from tagsmith.training.tagging.tag_files import check_file

    for name in files:
        if name != "-":
            check_file(name)
    if output is not None:
        check_output(output, to)
    if html is not None:
        check_new(html)
    pipeline = load_pipeline(model, threads, int8, device)
    check_head(pipeline, head, model)
    chosen = choose(pipeline, _pool(files), count, _known(annotated or [], reading), head)
    if not chosen:
        found = "the files hold no text" + (" that is not annotated already" if annotated else "")
        raise InputError(found, path=files[0], fix="Give more raw text.")
    if len(chosen) < count:
        warn(f"only {len(chosen):,} distinct sentences are there to choose from")
    if output is not None:
        result = write_sentences((own.as_sentence(number) for number, own in enumerate(chosen)), output, to)
        for kind, number in result.notes.items():
            warn(f"{output}: {kind}: {number:,}")
        say(f"{output}: {len(chosen):,} sentences, {sum(own.words for own in chosen):,} words")
    if html is not None:
        _write_page(chosen, html, model)
    _print(chosen, as_json, output is not None or html is not None)


def _pool(files: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """The lines of files, each with its place."""
    from tagsmith.training.tagging.tag_files import read_texts

    for name in files:
        number = 0
        for line in read_texts([name]):
            if line is not None:
                number += 1
                yield name, number, line


def _known(files: Sequence[Path], reading: ReadingOptions) -> Iterator[str]:
    from tagsmith.training.data.annotated_files import open_sentences

    for file in files:
        for sentence in open_sentences(file, reading):
            yield sentence.text


def _write_page(chosen: Sequence[Suggestion], html: Path, model: str) -> None:
    from tagsmith.training.machine.whole_files import whole_file
    from tagsmith.training.tagging.rendering import html_page

    def documents() -> Iterator[tuple[str, list[dict[str, Any]], str]]:
        for own in chosen:
            entities = [
                {"entity_group": label, "score": score, "word": own.text[start:end], "start": start, "end": end}
                for (start, end, label), score in zip(own.spans, own.scores, strict=True)
            ]
            yield own.text, entities, f"{own.file}:{own.line} {own.gain:.3f}"

    with whole_file(html) as out:
        out.writelines(html_page(documents(), f"What {model} would learn most from"))


def _print(chosen: Sequence[Suggestion], as_json: bool, written: bool) -> None:
    if as_json:
        for own in chosen:
            spans = [
                {**span._asdict(), "score": round(score, 4)} for span, score in zip(own.spans, own.scores, strict=True)
            ]
            row = {"file": own.file, "line": own.line, "gain": round(own.gain, 6), "text": own.text, "spans": spans}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif not written and not messages.quiet:
        sys.stdout.writelines(f"{own.file}:{own.line}: {own.gain:.3f}: {own.text}\n" for own in chosen)

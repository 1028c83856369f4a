"""The command `tagsmith errors`: what a tagger gets wrong, and which of two taggers is better."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import (
    BatchSize,
    Device,
    Head,
    Int8,
    ModelArgument,
    OverwritePicture,
    Threads,
    check_head,
    check_kind,
    load_pipeline,
    messages,
    report_reading,
    say,
)
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions

if TYPE_CHECKING:
    from tagsmith.training.doubts.errors import Error, ErrorAnalysis

_SHORT = {"label and border": "both", "precision": "P", "recall": "R", "f1": "F1"}  # heads of columns


@reads_annotated_files
def errors(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="Annotated data of any format that is read.")],
    compare: Annotated[
        str | None, typer.Option(help="Another tagger: which is better, and where do they differ?")
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="The training data: names that are in it, and others, are counted apart too.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many errors of each kind are listed.")] = 10,
    html: Annotated[Path | None, typer.Option(help="Write a page of HTML.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the errors by label: .png, .svg or .pdf; the numbers go beside it.")
    ] = None,
    overwrite: OverwritePicture = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    head: Head = None,
    by_line: Annotated[
        bool, typer.Option(help="Tag each sentence by itself, where a tagger reads it with others of its document.")
    ] = False,
    batch_size: BatchSize = None,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
    int8: Int8 = False,
    device: Device = None,
) -> None:
    """Say what a tagger gets wrong: types of errors, where they gather, and the worst examples."""
    from tagsmith.training.data.corpora import load_corpus
    from tagsmith.training.evaluation.scoring import names_in
    from tagsmith.training.evaluation.tagged_texts import tagged_texts
    from tagsmith.training.machine.whole_files import check_new
    from tagsmith.training.pictures.figures import check_output

    _check_choices(compare, train, picture)
    if picture is not None:
        check_output(picture, overwrite=overwrite, read=[file])
    if html is not None and (not overwrite or (html.exists() and html.samefile(file))):
        check_new(html, "Name another page, or replace one with --overwrite.")
    models = [model] if compare is None else [model, compare]
    pipelines = [load_pipeline(name, threads, int8, device) for name in models]
    corpus = load_corpus({"train": train, "test": file} if train else {"test": file}, options=reading)
    report_reading(corpus)
    for name, pipeline in zip(models, pipelines, strict=True):
        check_head(pipeline, head, name)
        check_kind(pipeline, corpus, "test", file, head)
    streams = [tagged_texts(pipeline, corpus["test"], batch_size, by_line, head) for pipeline in pipelines]
    if compare is not None:
        _compare(streams, models, file, reading, html, as_json)
        return
    from tagsmith.training.doubts.errors import ErrorAnalysis

    known = names_in(corpus["train"], corpus.is_plain("train")) if train else None
    analysis = ErrorAnalysis(known, examples)
    for text in streams[0]:
        analysis.add(text)
    _tell(analysis, model, file, reading, html, picture, overwrite, as_json)


def _check_choices(compare: str | None, train: Path | None, picture: Path | None) -> None:
    for name, given in (("--train", train), ("--picture", picture)):
        if compare is not None and given is not None:
            raise InputError(f"{name} is of one tagger, and --compare gives two", fix=f"Leave out {name}.")


def _tell(
    analysis: ErrorAnalysis,
    model: str,
    file: Path,
    reading: ReadingOptions,
    html: Path | None,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    from tagsmith.training.doubts.error_page import error_page
    from tagsmith.training.doubts.errors import KINDS
    from tagsmith.training.machine.whole_files import whole_file
    from tagsmith.training.pictures.error_bars import draw_errors

    result, found = analysis.result(), analysis.examples()
    placed = list(zip(_places(file, reading, [error.number for error in found]), found, strict=True))
    if picture is not None:
        draw_errors(result["labels"], KINDS, picture, overwrite=overwrite)
    if html is not None:
        with whole_file(html) as out:
            title = f"Errors of {model} on {file.name}"
            listed = [(f"{file.name}:{line}", error) for line, error in placed]
            out.writelines(error_page(result, listed, title, _svg(result["labels"], KINDS)))
    if as_json:
        listed_errors = [_json_error(file, line, error) for line, error in placed]
        sys.stdout.write(json.dumps({**result, "examples": listed_errors}, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(result, file, placed)


def _svg(labels: Mapping[str, Any], kinds: Sequence[str]) -> str | None:
    """The picture for the page, where matplotlib is installed and there is something to draw."""
    from tagsmith.training.pictures.error_bars import error_figure, figure_as_svg

    try:
        return figure_as_svg(error_figure(labels, kinds))
    except InputError:
        return None


def _places(file: Path, reading: ReadingOptions, numbers: Iterable[int]) -> list[int]:
    """The lines of a file where rows of its corpus begin; of a data set, their numbers from 1."""
    from tagsmith.training.data.annotated_files import open_sentences

    numbers = list(numbers)
    if not numbers or not file.exists():
        return [number + 1 for number in numbers]
    wanted, lines = set(numbers), {}
    for number, sentence in enumerate(open_sentences(file, reading)):
        if number in wanted:
            lines[number] = sentence.line
    return [lines[number] for number in numbers]


def _json_error(file: Path, line: int, error: Error) -> dict[str, Any]:
    def span(side: Any) -> dict[str, Any] | None:
        if side is None:
            return None
        return {**side._asdict(), "text": error.text[side.start : side.end]}

    sides = {"gold": span(error.gold), "found": span(error.found)}
    return {"file": str(file), "line": line, "kind": error.kind, **sides, "score": error.score, "text": error.text}


def _print(result: Mapping[str, Any], file: Path, placed: Sequence[tuple[int, Error]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tagsmith.training.doubts.error_page import GROUPS
    from tagsmith.training.doubts.errors import KINDS

    console = Console(quiet=messages.quiet)

    def table(title: str, columns: Sequence[str], rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        made = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        made.add_column("")
        for name in columns:
            made.add_column(_SHORT.get(name, name), justify="right", no_wrap=True)
        for key, row in rows:
            values = (row[name] for name in columns)
            cells = [f"{v * 100:.2f}" if isinstance(v, float) else f"{v:,}" for v in values]
            made.add_row(escape(key), *cells, style="bold" if key == "all" else None)
        console.print(made)

    scores = ("precision", "recall", "f1")
    counted = ("correct", "incorrect", "partial", "missed", "spurious")
    table("scheme", [*counted, *scores], result["schemes"].items())
    for name, said in GROUPS.items():
        if name in result:
            rows = [*result[name].items(), *([("all", result["all"])] if name == "labels" else [])]
            table(said.lower(), [*KINDS, *scores], rows)
    confused = [row for row in result["confusions"] if row["gold"] is not None and row["found"] is not None]
    for row in confused[:10]:
        console.print(f"{row['gold']} taken for {row['found']}: {row['count']:,}", markup=False, highlight=False)
    for line, error in placed:
        sides = [_said(error, side) for side in (error.gold, error.found)]
        score = "" if error.score is None else f" {error.score:.2f}"
        place = f"{file}:{line}: {error.kind}{score}: {sides[0]} -> {sides[1]}"
        console.print(place, markup=False, highlight=False, soft_wrap=True)


def _said(error: Error, span: Any) -> str:
    if span is None:
        return "nothing"
    return f"{' '.join(error.text[span.start : span.end].split())!r} {span.label}"


def _compare(
    streams: Sequence[Iterator[Any]],
    models: Sequence[str],
    file: Path,
    reading: ReadingOptions,
    html: Path | None,
    as_json: bool,
) -> None:
    from tagsmith.training.doubts.comparison import compare_taggers
    from tagsmith.training.doubts.error_page import comparison_page
    from tagsmith.training.machine.whole_files import whole_file

    compared = compare_taggers(zip(*streams, strict=True))
    result = compared.result(models)
    lines = _places(file, reading, [one.number for one, _ in compared.texts]) if html is not None or as_json else []
    if html is not None:
        places = [f"{file.name}:{line}" for line in lines]
        rows = [(place, *pair) for place, pair in zip(places, compared.texts, strict=True)]
        with whole_file(html) as out:
            out.writelines(comparison_page(result, rows, models))
    if as_json:
        spans = [
            {"file": str(file), "line": line, **compared.spans(pair)}
            for line, pair in zip(lines, compared.texts, strict=True)
        ]
        sys.stdout.write(json.dumps({**result, "differences": spans}, indent=2, ensure_ascii=False) + "\n")
        return
    say(f"drawn are {compared.units.said}, {compared.units.size:,} of them", style="dim")
    low, high = result["difference"]["low"], result["difference"]["high"]
    sys.stdout.write(
        f"F1 {result['f1'][0] * 100:.2f} ({models[0]}) and {result['f1'][1] * 100:.2f} ({models[1]})\n"
        f"difference {result['difference']['value'] * 100:+.2f}, 95 % interval {low * 100:+.2f} to {high * 100:+.2f}, "
        f"p {result['p']:.3f}\n{result['verdict']}\n"
        f"right in the first alone: {result['only_first']:,} spans; in the second alone: {result['only_second']:,}\n"
    )

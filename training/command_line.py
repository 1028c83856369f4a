"""The command `tagsmith`: data on standard output, messages on standard error.

Exit codes: 0 for success, 1 where `check` found errors, 2 for bad input, 130 for an interrupt. Heavy libraries are
imported inside the commands, so that help and typing errors come at once.
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tagsmith.tokenization.input_error import InputError

if TYPE_CHECKING:
    from tagsmith.training.corpora import ReaderOptions

app = typer.Typer(
    help="Compact sequence taggers from scratch: train them, score them, tag text with them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
messages = Console(stderr=True)


class TagFormat(StrEnum):
    """How `tag` writes."""

    text = "text"
    jsonl = "jsonl"
    conll = "conll"
    html = "html"


class OnError(StrEnum):
    """What a reader does with tags that a scheme forbids though their reading is clear."""

    convert = "convert"
    raise_ = "raise"


TagColumn = Annotated[
    str | None, typer.Option(help="Column of the tags: a number from 0, from the end if negative, or a name.")
]
Encoding = Annotated[str, typer.Option(help="Encoding of the files.")]
Scheme = Annotated[str, typer.Option(help="Tag scheme: auto, IOB1, IOB2, BIOES, BILOU or plain.")]
OnErrorOption = Annotated[
    OnError, typer.Option(help="Tags that break their scheme but can be read: convert and report them, or raise.")
]
ModelArgument = Annotated[str, typer.Argument(help="Folder of a trained tagger, or its name on the Hub.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Sentences that go through the model together.")]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a bundled recipe, or path of a YAML file.")],
    train: Annotated[Path, typer.Option(help="Training data: CoNLL, CoNLL-U or JSON lines.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for the tagger.")],
    dev: Annotated[Path | None, typer.Option(help="Data to choose the best checkpoint on.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A change to the recipe, like model.hidden_size=200; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the folder.")] = False,
    tag_column: TagColumn = None,
    encoding: Encoding = "utf-8",
    scheme: Scheme = "auto",
    on_error: OnErrorOption = OnError.convert,
) -> None:
    """Train a tagger by a recipe."""
    from tagsmith.training.corpora import load_corpus
    from tagsmith.training.recipe import read_recipe
    from tagsmith.training.run import train_tagger

    _quiet()
    chosen = read_recipe(recipe, set_ or [])
    files = {"train": train, **({"dev": dev} if dev else {})}
    corpus = load_corpus(files, **_reader(tag_column, encoding, scheme, on_error))
    _report_reading(files, corpus)
    results = train_tagger(chosen, corpus, output_dir, resume=resume, console=messages)
    if "dev" in results:
        _print_scores(results["dev"])
    messages.print(f"{results['minutes']:.1f} minutes; the tagger is in {escape(str(output_dir))}", highlight=False)


@app.command()
def evaluate(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="Annotated data: CoNLL, CoNLL-U or JSON lines.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    batch_size: BatchSize = 32,
    tag_column: TagColumn = None,
    encoding: Encoding = "utf-8",
    scheme: Scheme = "auto",
    on_error: OnErrorOption = OnError.convert,
) -> None:
    """Score a tagger on annotated data: exact spans, by label."""
    from tagsmith.training.corpora import load_corpus
    from tagsmith.training.scoring import score_tagger

    corpus = load_corpus({"test": file}, **_reader(tag_column, encoding, scheme, on_error))
    _report_reading({"test": file}, corpus)
    scores = score_tagger(_load(model), corpus["test"], batch_size)
    if as_json:
        sys.stdout.write(json.dumps(scores, indent=2, ensure_ascii=False) + "\n")
    else:
        _print_scores(scores)


@app.command()
def tag(
    model: ModelArgument,
    files: Annotated[
        list[str] | None, typer.Argument(help="Text files in UTF-8; - or none for standard input.")
    ] = None,
    format_: Annotated[TagFormat, typer.Option("--format", help="How to write the spans.")] = TagFormat.text,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Leave out spans that score below.")] = 0.0,
    batch_size: BatchSize = 32,
) -> None:
    """Tag raw text; each line is tagged by itself."""
    from tagsmith.training.tagging import read_texts, write_tagged

    pipeline = _load(model)
    write_tagged(pipeline, read_texts(files or ["-"]), format_.value, min_score, batch_size)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Data files; the first is the training data.")],
    tag_column: TagColumn = None,
    encoding: Encoding = "utf-8",
    scheme: Scheme = "auto",
    on_error: OnErrorOption = OnError.convert,
) -> None:
    """Look annotated data over before training: sizes, schemes, labels, overlaps, suspicious text."""
    from tagsmith.training.checks import check_files

    result = check_files(files, **_reader(tag_column, encoding, scheme, on_error))
    for line in result.lines():
        sys.stdout.write(line + "\n")
    if result.errors:
        raise typer.Exit(1)


@app.command()
def recipes() -> None:
    """List the bundled recipes."""
    from tagsmith.training.recipe import bundled_recipes, read_recipe

    for name in bundled_recipes():
        sys.stdout.write(f"{name:16} {read_recipe(name).description}\n")


@app.command()
def demo(
    output_dir: Annotated[Path, typer.Option(help="Folder for the tagger.")] = Path("demo-tagger"),
    text: Annotated[str, typer.Option(help="What to tag with it.")] = (
        "Angela Merkel and Barack Obama met at the White House in Washington.\n"
        "Dronning Margrethe besøgte København i går.\n"
        "O presidente do Brasil viajou para Lisboa."
    ),
) -> None:
    """Train a tagger on the bundled sample of eight languages, print its scores, and tag a text with it."""
    from tagsmith.training.sample import sample_files
    from tagsmith.training.tagging import write_tagged

    files = sample_files()
    train("sample", files["train"], output_dir, files["dev"])
    messages.print("Now tagging:", style="bold")
    write_tagged(_load(str(output_dir)), iter([text]), "text", 0.0, 32)


def _reader(tag_column: str | None, encoding: str, scheme: str, on_error: OnError) -> ReaderOptions:
    column: int | str | None = tag_column
    if tag_column is not None and tag_column.lstrip("-").isdigit():
        column = int(tag_column)
    return {"tag_column": column, "encoding": encoding, "scheme": scheme, "on_error": on_error.value}


def _report_reading(files: dict[str, Path], corpus: Any) -> None:
    """Say once what was read, and what was irregular in it."""
    from tagsmith.training.corpora import reading_reports

    for name, report in reading_reports(corpus).items():
        for line in report.lines():
            messages.print(f"{name}: {line}", markup=False, highlight=False, style="dim")


def _load(model: str) -> Any:
    """The pipeline of a tagger, or an InputError that says what is wrong with its folder."""
    import tagsmith

    _quiet()
    if os.path.exists(model) and not Path(model, "config.json").is_file():
        raise InputError("this is not the folder of a tagger: config.json is missing", path=model)
    try:
        return tagsmith.pipeline(model)
    except InputError:
        raise
    except Exception as error:  # whatever a broken folder makes the libraries raise
        reason = " ".join(str(error).split())
        raise InputError(f"the tagger cannot be loaded: {reason or type(error).__name__}", path=model) from error


def _quiet() -> None:
    """No bars for files of a few megabytes, no warnings that only developers can act on."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _print_scores(scores: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("label", *(c for c in ("precision", "recall", "f1", "spans")))
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [*scores["labels"].items()]
    total = sum(row["support"] for row in scores["labels"].values())
    for label, row in [*rows, ("all", {**scores, "support": total})]:
        numbers = [f"{row[name] * 100:.2f}" for name in ("precision", "recall", "f1")]
        table.add_row(escape(label), *numbers, f"{row['support']:,}", style="bold" if label == "all" else None)
    Console().print(table)
    Console().print(f"token accuracy {scores['accuracy'] * 100:.2f}", highlight=False)


def main() -> None:
    """The entry point: bad input ends as one line and exit code 2."""
    try:
        app()
    except InputError as error:
        _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: no complaint at exit
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        messages.print("interrupted; train --resume goes on from the last checkpoint")
        sys.exit(130)


def _fail(message: str) -> None:
    messages.print(f"error: {' '.join(message.split())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)

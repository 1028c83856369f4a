"""The command `tagsmith`: data on standard output, messages on standard error.

Exit codes: 0 for success, 1 where `check` found errors, 2 for bad input, 130 for an interrupt. Heavy libraries are
imported inside the commands, so that help and typing errors come at once.
"""

from __future__ import annotations

import json
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from shutil import rmtree
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
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        envvar="OMP_NUM_THREADS",
        help="Threads of the CPU. More than one can be much slower on a busy machine.",
    ),
]


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
    threads: Threads = 1,
) -> None:
    """Train a tagger by a recipe."""
    from tagsmith.training.corpora import load_corpus
    from tagsmith.training.recipe import read_recipe
    from tagsmith.training.run import train_tagger

    _prepare_torch(threads)
    chosen = read_recipe(recipe, set_ or [])
    files = {"train": train, **({"dev": dev} if dev else {})}
    corpus = load_corpus(files, **_reader(tag_column, encoding, scheme, on_error))
    _report_reading(files, corpus)
    results = train_tagger(chosen, corpus, output_dir, resume=resume, console=messages)
    if "dev" in results:
        _print_scores(results["dev"])
    _say(f"{results['minutes']:.1f} minutes; the tagger is in {output_dir}")


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
    threads: Threads = 1,
) -> None:
    """Score a tagger on annotated data: exact spans, by label."""
    from tagsmith.training.corpora import is_plain, load_corpus
    from tagsmith.training.scoring import score_tagger

    pipeline = _load(model, threads)
    corpus = load_corpus({"test": file}, **_reader(tag_column, encoding, scheme, on_error))
    _report_reading({"test": file}, corpus)
    plain = pipeline.model.config.tag_scheme == "plain"
    if is_plain(corpus["test"]) != plain:
        kinds = ("spans", "a plain tag for each word")
        raise InputError(
            f"the tagger gives {kinds[plain]}, and this file has {kinds[not plain]}",
            path=file,
            fix="Name the column of the tags with --tag-column.",
        )
    scores = score_tagger(pipeline, corpus["test"], batch_size)
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
    threads: Threads = 1,
) -> None:
    """Tag raw text; each line is tagged by itself."""
    from tagsmith.training.tagging import read_texts, write_tagged

    pipeline = _load(model, threads)
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
    threads: Threads = 1,
) -> None:
    """Train a tagger on the bundled sample of eight languages, print its scores, and tag a text with it."""
    from tagsmith.training.run import CHECKPOINTS
    from tagsmith.training.sample import sample_files
    from tagsmith.training.tagging import write_tagged

    files = sample_files()
    rmtree(output_dir / CHECKPOINTS, ignore_errors=True)  # of an earlier demo
    train("sample", files["train"], output_dir, files["dev"], threads=threads)
    _say("Now tagging:", style="bold")
    write_tagged(_load(str(output_dir), threads), iter([text]), "text", 0.0, 32)


def _reader(tag_column: str | None, encoding: str, scheme: str, on_error: OnError) -> ReaderOptions:
    column: int | str | None = tag_column
    if tag_column is not None and tag_column.removeprefix("-").isdecimal():
        column = int(tag_column)
    return {"tag_column": column, "encoding": encoding, "scheme": scheme, "on_error": on_error.value}


def _report_reading(files: dict[str, Path], corpus: Any) -> None:
    """Say once what was read, and what was irregular in it."""
    from tagsmith.training.corpora import reading_reports

    for name, report in reading_reports(corpus).items():
        for line in report.lines():
            _say(f"{name}: {line}", style="dim")


def _load(model: str, threads: int) -> Any:
    """The pipeline of a tagger, or an InputError that says what is wrong with its folder."""
    import tagsmith

    if os.path.exists(model):
        tagsmith.check_folder(model)
    elif not _HUB_NAME.fullmatch(model):
        raise InputError("there is no such folder", path=model)
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    _prepare_torch(threads)
    try:
        # transformers fills what is missing or has another shape with random numbers, and only warns.
        tagger, loading = AutoModelForTokenClassification.from_pretrained(
            model, output_loading_info=True, ignore_mismatched_sizes=True
        )
        if not hasattr(tagger, "predict_spans"):
            raise InputError(f"this is no tagger, but a model of type {tagger.config.model_type!r}", path=model)
        if wrong := sorted([*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])]):
            raise InputError(f"the weights do not fit config.json: {', '.join(wrong[:3])}", path=model)
        tokenizer = AutoTokenizer.from_pretrained(model)
        if tokenizer.vocab_size != tagger.config.vocab_size:
            sizes = f"{tokenizer.vocab_size:,} words, and config.json {tagger.config.vocab_size:,}"
            raise InputError(f"the files are of two taggers: vocab.json has {sizes}", path=model)
        if getattr(tagger.config, "gazetteer_size", 0) and tokenizer.gazetteer is None:
            raise InputError("this is not the whole folder of a tagger: gazetteer.json is missing", path=model)
        return tagsmith.pipeline(tagger, tokenizer=tokenizer)
    except InputError:
        raise
    except Exception as error:  # whatever a broken folder makes the libraries raise
        reason = " ".join(str(error).split())
        raise InputError(f"the tagger cannot be loaded: {reason or type(error).__name__}", path=model) from error


_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name; what else does not exist needs no network to say so


def _prepare_torch(threads: int) -> None:
    """So many threads; no bars for files of a few megabytes, no warnings that only developers can act on."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads)
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
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of an interrupt
            hint = "; with --resume it goes on from the last checkpoint" if sys.argv[1:2] == ["train"] else ""
            _say(f"interrupted{hint}")
        raise


def _say(message: str, style: str | None = None) -> None:
    """A line on standard error, as it stands: paths may hold brackets, and are copied."""
    messages.print(message, markup=False, highlight=False, soft_wrap=True, style=style)


def _fail(message: str) -> None:
    _say(f"error: {' '.join(message.split())}")
    sys.exit(2)

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
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.command_options import (
    ModelArgument,
    Threads,
    messages,
    named_file,
    prepare_torch,
    say,
)
from tagsmith.training.plot_commands import plots

if TYPE_CHECKING:
    from tagsmith.training.corpora import ReaderOptions

app = typer.Typer(
    help="Compact sequence taggers from scratch: train them, score them, tag text with them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(plots, name="plot")


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
Head = Annotated[
    str | None, typer.Option(help="Of a tagger with several heads the one to tag by; tag --format jsonl takes all.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, help="Sentences (32), or for a byte-to-span tagger windows (128), that go through the model together."
    ),
]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a bundled recipe, or path of a YAML file.")],
    train: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FILE",
            help="Training data: CoNLL, CoNLL-U or JSON lines. Repeatable for heads, and for a byte-to-span tagger, "
            "as en=FILE.",
        ),
    ],
    output_dir: Annotated[Path, typer.Option(help="Folder for the tagger.")],
    dev: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="Data to choose the best checkpoint on, named as the training data."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A change to the recipe, like model.hidden_size=200; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the folder.")] = False,
    tag_column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]COLUMN",
            help="Column of the tags: a number from 0, from the end if negative, or a name; repeatable by data, as "
            "ner=3.",
        ),
    ] = None,
    encoding: Encoding = "utf-8",
    scheme: Scheme = "auto",
    on_error: OnErrorOption = OnError.convert,
    threads: Threads = 1,
) -> None:
    """Train a tagger by a recipe."""
    from tagsmith.training.corpora import load_corpus
    from tagsmith.training.recipe import ByteRecipe, Recipe, read_recipe

    prepare_torch(threads)
    chosen = read_recipe(recipe, set_ or [])
    named = named_files(train, dev or [])
    columns = _columns(tag_column or [], named)
    corpora = {}
    for name, files in named.items():
        corpora[name] = load_corpus(files, **_reader(columns[name], encoding, scheme, on_error))
        _report_reading(corpora[name], name)
    if isinstance(chosen, ByteRecipe):
        from tagsmith.training.byte_run import train_byte_tagger

        results = train_byte_tagger(chosen, corpora, output_dir, resume=resume, console=messages)
    else:
        from tagsmith.training.run import train_tagger

        assert isinstance(chosen, Recipe)
        results = train_tagger(chosen, corpora, output_dir, resume=resume, console=messages)
    scores = results.get("dev", {})
    if "f1" in scores and "labels" in scores:  # of a tagger of one head
        scores = {"": scores}
    for name, score in scores.items():
        _print_scores(score, name)
    say(f"{results['minutes']:.1f} minutes; the tagger is in {output_dir}")


@app.command()
def evaluate(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="Annotated data: CoNLL, CoNLL-U or JSON lines.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    curve: Annotated[
        Path | None,
        typer.Option(help="Draw precision against recall over recall_bias and min_score; the numbers go beside it."),
    ] = None,
    save_best: Annotated[
        bool, typer.Option(help="With --curve: keep the settings of the best F1 in the tagger's config.json.")
    ] = False,
    head: Head = None,
    by_line: Annotated[
        bool, typer.Option(help="Tag each sentence by itself, where a byte-to-span tagger reads on over its document.")
    ] = False,
    batch_size: BatchSize = None,
    tag_column: TagColumn = None,
    encoding: Encoding = "utf-8",
    scheme: Scheme = "auto",
    on_error: OnErrorOption = OnError.convert,
    threads: Threads = 1,
) -> None:
    """Score a tagger on annotated data: exact spans, by label."""
    from tagsmith.training.corpora import load_corpus
    from tagsmith.training.scoring import score_tagger

    if save_best and curve is None:
        raise InputError("there is nothing to save the best of", fix="Pass --curve FILE with --save-best.")
    pipeline = _load(model, threads)
    if curve is not None and not _reads_bytes(pipeline):
        raise InputError("the curve is drawn of byte-to-span taggers, and this is none", path=model)
    corpus = load_corpus({"test": file}, **_reader(tag_column, encoding, scheme, on_error))
    _report_reading(corpus)
    _check_head(pipeline, head, model)
    _check_kind(pipeline, corpus["test"], file, head)
    scores = score_tagger(pipeline, corpus["test"], batch_size, by_line, head)
    if as_json:
        sys.stdout.write(json.dumps(scores, indent=2, ensure_ascii=False) + "\n")
    else:
        _print_scores(scores)
    if curve is not None:
        _draw_curve(pipeline, corpus["test"], curve, model if save_best else None)


@app.command()
def tag(
    model: ModelArgument,
    files: Annotated[
        list[str] | None, typer.Argument(help="Text files in UTF-8; - or none for standard input.")
    ] = None,
    format_: Annotated[TagFormat, typer.Option("--format", help="How to write the spans.")] = TagFormat.text,
    head: Head = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Leave out spans that score below.")] = None,
    recall_bias: Annotated[
        float | None, typer.Option(help="Of a byte-to-span tagger: above 0 for more spans, below 0 for fewer.")
    ] = None,
    batch_size: BatchSize = None,
    threads: Threads = 1,
) -> None:
    """Tag raw text; each line is tagged by itself."""
    from tagsmith.training.tagging import read_texts, write_tagged

    pipeline = _load(model, threads)
    if recall_bias is not None and not _reads_bytes(pipeline):
        raise InputError("--recall-bias is for byte-to-span taggers, and this is none", path=model)
    if head is not None or format_ != TagFormat.jsonl:
        _check_head(pipeline, head, model)
    options = _given(head=head, min_score=min_score, recall_bias=recall_bias, batch_size=batch_size)
    write_tagged(pipeline, read_texts(files or ["-"]), format_.value, **options)


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
    from tagsmith.training.sample import sample_files
    from tagsmith.training.tagging import write_tagged
    from tagsmith.training.training_run import CHECKPOINTS

    files = sample_files()
    rmtree(output_dir / CHECKPOINTS, ignore_errors=True)  # of an earlier demo
    train("sample", [str(files["train"])], output_dir, [str(files["dev"])], threads=threads)
    say("Now tagging:", style="bold")
    write_tagged(_load(str(output_dir), threads), iter([text]), "text")


def _given(**options: Any) -> dict[str, Any]:
    """Options that were given; what was not is left to the pipeline."""
    return {name: value for name, value in options.items() if value is not None}


def _reads_bytes(pipeline: Any) -> bool:
    return bool(pipeline.model.config.model_type == "byte-to-span")


def _check_head(pipeline: Any, head: str | None, model: str) -> None:
    """A head that the tagger has, or none where it has but one."""
    if _reads_bytes(pipeline):
        if head is not None:
            raise InputError("--head is for taggers with heads, and this is none", path=model)
        return
    try:
        pipeline.model.config.head(head)
    except ValueError as error:
        raise InputError(str(error), path=model) from None


def _check_kind(pipeline: Any, rows: Any, file: Path, head: str | None) -> None:
    """A tagger of spans is not scored on plain tags, nor the other way round."""
    from tagsmith.training.corpora import is_plain, label_names

    if _reads_bytes(pipeline):  # whether it knows of words does not show
        known, labels = pipeline.model.config.span_labels, label_names(rows)
        if labels and not set(labels) & set(known):
            found = f"{', '.join(labels[:5])}, none of which the tagger knows ({', '.join(known[:5])})"
            raise InputError(f"this file has the labels {found}", path=file, fix="Name the column with --tag-column.")
        return
    plain = pipeline.model.config.head(head).tag_scheme == "plain"
    if is_plain(rows) != plain:
        kinds = ("spans", "a plain tag for each word")
        raise InputError(
            f"the tagger gives {kinds[plain]}, and this file has {kinds[not plain]}",
            path=file,
            fix="Name the column of the tags with --tag-column.",
        )


def _draw_curve(pipeline: Any, rows: Any, output: Path, folder: str | None) -> None:
    """Precision against recall as a picture and a table; the best settings into the folder's configuration."""
    from tagsmith.training.precision_recall import best_setting, draw_curve, precision_recall

    settings = precision_recall(pipeline, rows)
    table = draw_curve(settings, output)
    best = best_setting(settings)
    knobs = f"recall_bias {best.recall_bias:g} and min_score {best.min_score:g}"
    scores = f"precision {best.precision * 100:.2f}, recall {best.recall * 100:.2f}, F1 {best.f1 * 100:.2f}"
    say(f"best with {knobs}: {scores}; see {output} and {table}")
    if folder is not None:
        if not os.path.isdir(folder):
            raise InputError("settings are saved in a folder, and this is none", path=folder)
        config = pipeline.model.config
        config.recall_bias, config.min_score = best.recall_bias, best.min_score
        config.save_pretrained(folder)
        say(f"saved in {folder}")


def _reader(tag_column: str | None, encoding: str, scheme: str, on_error: OnError) -> ReaderOptions:
    column: int | str | None = tag_column
    if tag_column is not None and tag_column.removeprefix("-").isdecimal():
        column = int(tag_column)
    return {"tag_column": column, "encoding": encoding, "scheme": scheme, "on_error": on_error.value}


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


def _report_reading(corpus: Any, name: str = "") -> None:
    """Say once what was read, and what was irregular in it."""
    from tagsmith.training.corpora import reading_reports

    for split, report in reading_reports(corpus).items():
        for line in report.lines():
            say(f"{name} {split}: {line}".strip(), style="dim")


def _load(model: str, threads: int) -> Any:
    from tagsmith.training.load_tagger import load_tagger

    prepare_torch(threads)
    return load_tagger(model)


def _print_scores(scores: dict[str, Any], name: str = "") -> None:
    from rich.table import Table

    table = Table(f"{escape(name)} label".strip(), *(c for c in ("precision", "recall", "f1", "spans")))
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
            say(f"interrupted{hint}")
        raise


def _fail(message: str) -> None:
    say(f"error: {' '.join(message.split())}")
    sys.exit(2)


if __name__ == "__main__":
    main()

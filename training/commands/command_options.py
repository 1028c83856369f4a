"""What commands share: options, messages on standard error, and the state of torch."""

from __future__ import annotations

import gc
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.families import reads_bytes
from tagsmith.training.machine.processes import is_main_process

if TYPE_CHECKING:
    from tagsmith.training.data.reading_options import ReadingOptions
    from tagsmith.training.machine.process_tuning import ProcessTuning

WARNING = "yellow"  # the style by which a warning is known


class Messages(Console):
    """Standard error of the main process; with `--quiet` it takes warnings alone, and draws no bars."""

    silent = verbose = False

    @property
    def is_terminal(self) -> bool:
        """Whether bars and colours have their place."""
        return not self.silent and super().is_terminal

    def print(self, *objects: Any, style: Any = None, **how: Any) -> None:
        """Print as consoles do; `--quiet` leaves out all but warnings."""
        if style == WARNING or not self.silent:
            super().print(*objects, style=style, **how)


messages = Messages(stderr=True, quiet=not is_main_process())
errors = Console(stderr=True)  # which end a process, and are said by the one that fails

ModelArgument = Annotated[str, typer.Argument(help="Folder of a trained tagger, or its name on the Hub.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        envvar="OMP_NUM_THREADS",
        help="Threads of the CPU. More than one can be much slower on a busy machine.",
    ),
]


Head = Annotated[
    str | None, typer.Option(help="Of a tagger with several heads the one to tag by; tag --format jsonl takes all.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, help="Sentences (64), or for a byte-to-span tagger windows (128), that go through the model together."
    ),
]

OverwritePicture = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a picture, page or file of numbers of the same name."),
]
Int8 = Annotated[bool, typer.Option("--int8", help="Multiply with 8-bit weights, on the CPU: faster.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:1 (the second GPU), mps, ...; by default a GPU where there is one."),
]


def set_loudness(quiet: bool, verbose: bool) -> None:
    """Say nothing but warnings and errors, or more than usual.

    Raises:
        InputError: both are asked for.
    """
    if quiet and verbose:
        raise InputError("--quiet and --verbose ask for the opposite", fix="Leave out one of them.")
    messages.silent, messages.verbose = quiet, verbose


def say(message: str, style: str | None = None) -> None:
    """A line on standard error, as it stands: paths may hold brackets, and are copied.

    Of several processes the main one speaks.
    """
    messages.print(message, markup=False, highlight=False, soft_wrap=True, style=style)


def warn(message: str) -> None:
    """A warning on standard error, of the main process, also with `--quiet`."""
    say(f"warning: {message}", style=WARNING)


def say_error(message: str) -> None:
    """An error on standard error, said by whichever process it ends."""
    errors.print(f"error: {message}", markup=False, highlight=False, soft_wrap=True)


def prepare_torch(threads: int) -> ProcessTuning:
    """As `tune_process`; no bars for files of a few megabytes, no warnings that only developers can act on."""
    from transformers.utils import logging

    from tagsmith.training.machine.process_tuning import tune_process

    tuned = tune_process(threads)
    if messages.verbose:
        logging.set_verbosity_warning()
        return tuned
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    return tuned


def choose_device(name: str | None) -> str | None:
    """The device of a name, for torch; of several GPUs the others are hidden, so that no library takes one of them.

    Raises:
        InputError: there is none of that name here.
    """
    if name is None:
        return None
    kind, colon, number = name.partition(":")
    if kind == "cuda" and number.isdecimal():
        if "LOCAL_RANK" in os.environ:
            raise InputError(f"--device {name}: each process of a launched run takes its own", fix="Leave it out.")
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        choices = dict(enumerate(visible.split(","))) if visible else {int(number): number}
        os.environ["CUDA_VISIBLE_DEVICES"] = choices.get(int(number), "-1")
        name = kind
    elif kind == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    import torch

    try:
        if kind in ("", "meta"):
            raise RuntimeError("it holds no numbers")
        torch.empty(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        given = f"{kind}{colon}{number}"
        reason = " ".join(str(error).split(". ")[0].split())[:120]
        raise InputError(f"--device {given} cannot be used here: {reason}", fix="Use --device cpu.") from error
    return name


def named_file(argument: str) -> tuple[str, Path]:
    """The name and the path of an argument like `en=train.conll`; no name where none is given, or is such a file."""
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).exists() or any(mark in name for mark in "/\\~"):
        return "", Path(argument)  # a name has no slash: this is a path with `=` in it, of a file or of none
    return name, Path(path)


def check_head(pipeline: Any, head: str | None, place: str | Path, fix: str | None = None) -> None:
    """A head that the tagger has, or none where it has but one; the error names a place, and what to do."""
    if reads_bytes(pipeline):
        if head is not None:
            raise InputError("--head is for taggers with heads, and this is none", path=place)
        return
    try:
        pipeline.model.config.head(head)
    except ValueError as error:
        raise InputError(str(error).rstrip(".") if fix else str(error), path=place, fix=fix) from None


def check_kind(pipeline: Any, corpus: Any, split: str, file: Path, head: str | None) -> None:
    """See that a file has what a tagger gives; labels that the tagger does not have are said.

    Raises:
        InputError: plain tags where the tagger gives spans, or the other way round; no label that both have.
    """
    from tagsmith.training.data.corpus import label_names

    labels = label_names(corpus[split])
    fix = "Name the column of the tags with --tag-column"
    if not reads_bytes(pipeline):  # whether a byte-to-span tagger knows of words does not show
        plain = pipeline.model.config.head(head).tag_scheme == "plain"
        if labels and corpus.is_plain(split) != plain:
            kinds = ("spans", "a plain tag for each word")
            found = f"the tagger gives {kinds[plain]}, and this file has {kinds[not plain]}"
            raise InputError(found, path=file, fix=f"{fix}.")
    known = list(pipeline.model.config.span_labels if reads_bytes(pipeline) else pipeline.model.head(head).span_labels)
    missing = [label for label in labels if label not in known]
    if labels and len(missing) == len(labels):
        found = f"{_listed(labels)}, none of which the tagger knows ({_listed(known)})"
        fix = f"{fix}, or map labels with --map {shlex.quote(f'{labels[0]}={known[0]}')}." if known else f"{fix}."
        raise InputError(f"this file has the labels {found}", path=file, fix=fix)
    if missing:
        others = [label for label in known if label not in labels]
        beside = f"; of the tagger's own, the file does not have {_listed(others)}" if others else ""
        warn(
            f"{file}: the tagger does not have the labels {_listed(missing)}, so all of those are missed"
            f"{beside}. --map OLD=NEW,OLD= maps or drops labels"
        )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")


def report_reading(corpus: Any, name: str = "") -> None:
    """Say once what was read, and what was irregular in it."""
    from tagsmith.training.data.label_map import similar_labels

    reports = corpus.reports
    for split, report in reports.items():
        for line in report.lines():
            say(f"{name} {split}: {line}".strip(), style="dim")
    counts: Counter[str] = sum((report.labels for report in reports.values()), Counter())
    for warning in similar_labels(counts):
        warn(warning)


def report_shared(corpus: Any, options: ReadingOptions, name: str = "") -> None:
    """Warn of data that share sentences with the training data."""
    from tagsmith.training.data.annotated_files import open_sentences
    from tagsmith.training.data.corpora import said
    from tagsmith.training.data.corpus import texts
    from tagsmith.training.data.shared_sentences import Sentences

    if len(corpus) < 2:
        return
    training, reports = Sentences.of(texts(corpus["train"])), corpus.reports
    for split in corpus:
        if split == "train" or not (overlap := Sentences.of(texts(corpus[split])).overlap(training)):
            continue
        path = reports[split].path
        line = overlap.place + 1  # of a data set its row
        if Path(path).exists():
            line = next(islice(open_sentences(path, options), overlap.place, None)).line
        message = f"{said(name)}{path}:{line}: {overlap} are in {reports['train'].path} too, this one"
        warn(f"{message} first; scores on it will flatter")


def load_pipeline(model: str, threads: int, int8: bool = False, device: str | None = None) -> Any:
    """The pipeline of a tagger, with torch prepared; with 8-bit weights, or on a device, if asked for."""
    if int8 and device not in (None, "cpu"):
        raise InputError(f"--int8 is for the CPU, and --device is {device}", fix="Leave out one of them.")
    gc.disable()  # nothing of the libraries is garbage, and to look for it takes a seventh of their import
    try:
        prepare_torch(threads)
        from tagsmith.training.tagging.load_tagger import load_tagger

        device = choose_device(device)
        pipeline = load_tagger(model, int8, **({} if device is None else {"device": device}))
    finally:
        gc.freeze()  # nor later on
        gc.enable()
    if messages.verbose:
        size = pipeline.model.num_parameters()
        say(f"{model}: {pipeline.model.config.model_type}, {size:,} parameters, on {pipeline.device}", style="dim")
    return pipeline


def print_scores(scores: dict[str, Any], name: str = "") -> None:
    """A table of scores by label on standard output, of the main process."""
    from rich.table import Table

    table = Table(f"{escape(name)} label".strip(), *(c for c in ("precision", "recall", "f1", "spans")))
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [*scores["labels"].items()]
    total = sum(row["support"] for row in scores["labels"].values())
    apart = {"seen": "in training", "unseen": "not in training"}
    rows += [(said, scores[part]) for part, said in apart.items() if part in scores]
    for label, row in [*rows, ("all", {**scores, "support": total})]:
        numbers = [f"{row[name] * 100:.2f}" for name in ("precision", "recall", "f1")]
        table.add_row(escape(label), *numbers, f"{row['support']:,}", style="bold" if label == "all" else None)
    console = Console(quiet=messages.quiet)
    console.print(table)
    console.print(f"token accuracy {scores['accuracy'] * 100:.2f}", highlight=False)

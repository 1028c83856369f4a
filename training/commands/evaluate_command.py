"""The command `tagsmith evaluate`: a tagger's scores on annotated data, and the curve of precision and recall."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.calibrate_options import (
    Calibrate,
    Precision,
    Reliability,
    check_folder_to_save,
    save_config,
    score_reliability,
)
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
    print_scores,
    report_reading,
    say,
)
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.families import reads_bytes


@reads_annotated_files
def evaluate(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="Annotated data of any format that is read.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    curve: Annotated[
        Path | None,
        typer.Option(help="Draw precision against recall over recall_bias and min_score; the numbers go beside it."),
    ] = None,
    overwrite: OverwritePicture = False,
    save_best: Annotated[
        bool, typer.Option(help="With --curve: keep the settings of the best F1 in the tagger's config.json.")
    ] = False,
    train: Annotated[
        Path | None,
        typer.Option(help="The training data: names that are in it, and others, are scored apart too."),
    ] = None,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Give 95 % intervals of the scores, by resampling documents.")
    ] = False,
    reliability: Reliability = None,
    calibrate: Calibrate = False,
    precision: Precision = None,
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
    """Score a tagger on annotated data: exact spans, by label."""
    from tagsmith.training.pictures.figures import check_output

    if save_best and curve is None:
        raise InputError("there is nothing to save the best of", fix="Pass --curve FILE with --save-best.")
    check_folder_to_save(model, {"--calibrate": calibrate, "--precision": precision is not None})
    for picture in filter(None, (curve, reliability)):
        check_output(picture, overwrite=overwrite, read=[file])
    pipeline = load_pipeline(model, threads, int8, device)
    if curve is not None and not reads_bytes(pipeline):
        raise InputError("the curve is drawn of byte-to-span taggers, and this is none", path=model)
    corpus = _read(pipeline, model, {"train": train, "test": file} if train else {"test": file}, head, reading)
    if corpus.is_plain("test") and precision is not None:
        raise InputError("plain tags have no thresholds: each word has one", fix="Leave out --precision.")
    worth = None
    if calibrate or precision is not None or reliability is not None:
        worth = partial(score_reliability, pipeline, model, head, file, calibrate, precision, reliability, overwrite)
    scores = _scores(pipeline, corpus, worth, batch_size, by_line, head, bootstrap)
    if as_json:
        sys.stdout.write(json.dumps(scores, indent=2, ensure_ascii=False) + "\n")
    else:
        print_scores(scores)
        _print_more(scores)
    if curve is not None:
        _draw_curve(pipeline, corpus["test"], curve, overwrite, model if save_best else None)


def _read(pipeline: Any, model: str, files: dict[str, Path], head: str | None, reading: ReadingOptions) -> Any:
    """A corpus of what the head of a tagger gives."""
    from tagsmith.training.data.corpora import load_corpus

    corpus = load_corpus(files, options=reading)
    report_reading(corpus)
    check_head(pipeline, head, model)
    for split, file in files.items():
        check_kind(pipeline, corpus, split, file, head)
    return corpus


def _scores(
    pipeline: Any,
    corpus: Any,
    worth: Callable[..., dict[str, Any]] | None,
    batch_size: int | None,
    by_line: bool,
    head: str | None,
    bootstrap: bool,
) -> dict[str, Any]:
    """The scores of the test data, with those of names in training data and of others where these were read.

    With `worth`, what that says of the spans' scores is added; the data are tagged once.
    """
    from tagsmith.training.evaluation.scoring import names_in, score_tagger
    from tagsmith.training.evaluation.tagged_once import Recording, Replay
    from tagsmith.training.evaluation.tagged_texts import tagged_texts

    known = names_in(corpus["train"], corpus.is_plain("train")) if "train" in corpus else None
    how = (batch_size, by_line, head)
    if worth is None:
        return score_tagger(pipeline, corpus["test"], *how, known, bootstrap)
    found = worth(tagged_texts(recording := Recording(pipeline), corpus["test"], *how))
    return {**score_tagger(Replay(recording), corpus["test"], *how, known, bootstrap), "calibration": found}


def _print_more(scores: dict[str, Any]) -> None:
    """The intervals, and what scores are worth."""
    if messages.quiet:
        return
    if found := scores.get("intervals"):
        parts = [
            f"{said} {found[name]['low'] * 100:.2f} to {found[name]['high'] * 100:.2f}"
            for name, said in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
        ]
        drawn = f"{found['units']:,} {found['drawn']} drawn 1,000 times"
        sys.stdout.write(f"95 % intervals: {', '.join(parts)} ({drawn})\n")
    if worth := scores.get("calibration"):
        sys.stdout.write(f"expected calibration error {worth['expected_calibration_error']:.3f}\n")


def _draw_curve(pipeline: Any, rows: Any, output: Path, overwrite: bool, folder: str | None) -> None:
    """Precision against recall as a picture and a table; the best settings into the folder's configuration."""
    from tagsmith.training.evaluation.precision_recall import best_setting, precision_recall
    from tagsmith.training.pictures.curve import draw_curve

    settings = precision_recall(pipeline, rows)
    table = draw_curve(settings, output, overwrite=overwrite)
    best = best_setting(settings)
    knobs = f"recall_bias {best.recall_bias:g} and min_score {best.min_score:g}"
    scores = f"precision {best.precision * 100:.2f}, recall {best.recall * 100:.2f}, F1 {best.f1 * 100:.2f}"
    say(f"best with {knobs}: {scores}; see {output} and {table}")
    if folder is not None:
        if not os.path.isdir(folder):
            raise InputError("settings are saved in a folder, and this is none", path=folder)
        config = pipeline.model.config
        before = {"min_score": config.min_score, "recall_bias": config.recall_bias}
        config.recall_bias, config.min_score = best.recall_bias, best.min_score
        save_config(config, folder)
        _renew_card(folder, before)
        say(f"saved in {folder}")


def _renew_card(folder: str, before: dict[str, float]) -> None:
    """The card with the new settings; of its scores it says with which others they were measured."""
    from tagsmith.training.cards.model_card import write_card
    from tagsmith.training.cards.results import Results

    results = Results.read(folder)
    scored_with = {split: before for split in ("dev", "test") if results.scores(split)}
    if scored_with:
        results.scored_with = {**scored_with, **results.scored_with}
        results.write(folder)
    write_card(folder)

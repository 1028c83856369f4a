"""What `tagsmith evaluate` does with the scores of spans: their reliability, calibration, and thresholds by label."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import say, warn

Reliability = Annotated[
    Path | None,
    typer.Option(help="Draw how often spans of a score are right: .png, .svg or .pdf; the numbers go beside it."),
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Fit a temperature to the scores, and keep it in the tagger's config.json.")
]
Precision = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="Keep a threshold for each label in config.json: spans above are so precise."),
]


def check_folder_to_save(model: str, options: Mapping[str, bool]) -> None:
    """See that what options find can be kept.

    Raises:
        InputError: one of them is given, and the tagger is no folder here.
    """
    if any(options.values()) and not os.path.isdir(model):
        name = next(name for name, given in options.items() if given)
        raise InputError(f"{name} keeps settings in a folder, and this is none", path=model)


def score_reliability(
    pipeline: Any,
    model: str,
    head: str | None,
    file: Path,
    calibrate_scores: bool,
    precision: float | None,
    picture: Path | None,
    overwrite: bool,
    texts: Iterable[Any],
) -> dict[str, Any]:
    """What scores are worth, as `--json` has it; calibrated and with thresholds kept, if that is asked for.

    Args:
        pipeline: of the tagger; its configuration is changed.
        model: its folder.
        head: of the tagger.
        file: of the texts.
        calibrate_scores: fit and keep a temperature.
        precision: that spans above the thresholds are to have.
        picture: a reliability diagram to draw, of the scores as they are in the end.
        overwrite: the picture may be there.
        texts: a stream of `tagged_texts`, which has not begun.
    """
    from tagsmith.modeling.score_calibration import ScoreCalibration
    from tagsmith.training.evaluation.calibration import ScoredSpans, calibrate, settings, thresholds
    from tagsmith.training.pictures.reliability import draw_reliability

    config = pipeline.model.config
    before = ScoreCalibration.of(config, head)
    with _every_span(config, head):
        spans = ScoredSpans.of(texts)
    result: dict[str, Any] = {}
    chosen = before
    if calibrate_scores:
        fitted = calibrate(spans)
        chosen = fitted.calibration._replace(min_scores=_moved(before, fitted.calibration))
        result.update(before=fitted.before, after=fitted.after, temperature=chosen.temperature, shift=chosen.shift)
        say(f"expected calibration error {fitted.before:.3f} before, {fitted.after:.3f} after, on the other half")
    spans.scores = [chosen(score) for score in spans.scores]
    result.update(_reliability(spans))
    least = dict(chosen.min_scores)
    if precision is not None:
        found = thresholds(spans, precision)
        result["thresholds"] = {label: own._asdict() for label, own in found.items()}
        least = {label: round(own.score, 6) for label, own in found.items()}
        for label, own in found.items():
            if not own.reached:
                warn(f"no threshold of {label} reaches precision {precision:g}; the best has {own.precision:.3f}")
            else:
                say(f"{label}: from {own.score:.3f} on, precision {own.precision:.3f}, recall {own.recall:.3f}")
    if picture is not None:
        from tagsmith.training.evaluation.calibration import Bin

        draw_reliability([Bin(**own) for own in result["bins"]], picture, overwrite=overwrite)
    if calibrate_scores or precision is not None:
        config.calibration = {**(config.calibration or {}), head or "": settings(chosen, least)}
        changes = {}
        if calibrate_scores and getattr(config, "min_score", 0.0) > 0:  # of bytes: the same spans as before
            changes["min_score"] = chosen(_raw(before, config.min_score))
        save_settings(pipeline, model, changes, {**result, "file": file.name}, head)
    return result


@contextmanager
def _every_span(config: Any, head: str | None) -> Iterator[None]:
    """Tag without thresholds, and without a calibration of scores, until the block ends."""
    before = config.calibration, getattr(config, "min_score", None)
    config.calibration = {**(config.calibration or {}), head or "": {}}
    if before[1] is not None:
        config.min_score = 0.0
    try:
        yield
    finally:
        config.calibration = before[0]
        if before[1] is not None:
            config.min_score = before[1]


def _reliability(spans: Any) -> dict[str, Any]:
    import numpy as np

    from tagsmith.training.evaluation.calibration import expected_error, reliability

    bins = reliability(np.array(spans.scores), np.array(spans.right, dtype=bool))
    return {"expected_calibration_error": expected_error(bins), "bins": [own._asdict() for own in bins]}


def _moved(before: Any, after: Any) -> dict[str, float]:
    """Thresholds by other scores, so that the same spans reach them."""
    return {label: round(after(_raw(before, least)), 6) for label, least in before.min_scores.items()}


def _raw(calibration: Any, score: float) -> float:
    """The score as it was before calibration."""
    inverse = calibration._replace(
        temperature=1 / calibration.temperature, shift=-calibration.shift * calibration.temperature
    )
    return float(inverse(score))


def save_settings(
    pipeline: Any, folder: str, changes: Mapping[str, Any], calibration: Mapping[str, Any], head: str | None
) -> None:
    """Write the configuration into the folder, and the card again, with what it says of calibration."""
    from tagsmith.training.cards.model_card import write_card
    from tagsmith.training.cards.results import Results

    for name, value in changes.items():
        setattr(pipeline.model.config, name, value)
    save_config(pipeline.model.config, folder)
    results = Results.read(folder)
    kept = {name: value for name, value in calibration.items() if name != "bins"}
    results.calibration = {**results.calibration, head or "": kept}
    results.write(folder)
    write_card(folder)
    say(f"saved in {folder}")


def save_config(config: Any, folder: str) -> None:
    """Write a configuration over a folder's own, whole; what an exported tagger's manifest has of it, too."""
    from transformers.utils import CONFIG_NAME

    from tagsmith.training.machine.whole_files import PART, put_in_place
    from tagsmith.training.tagging.manifest import renew_manifest

    with TemporaryDirectory(dir=folder, prefix=PART) as staged:  # a run that is cut short leaves the old one
        config.save_pretrained(staged)
        put_in_place(Path(staged, CONFIG_NAME), Path(folder, CONFIG_NAME))
    renew_manifest(config, Path(folder))

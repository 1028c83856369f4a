"""Cross-validation of a recipe: a tagger for each fold of a corpus, scored on it; mean and spread of the scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.doubts.folds import cut_folds
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.families import FAMILIES
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.whole_files import write_whole
from tagsmith.training.runs.recipe import RunRecipe
from tagsmith.training.tagging.load_tagger import load_tagger

RESULTS = "folds.json"
_PLAN = "folds.plan.json"
NAMES = ("precision", "recall", "f1")


def cross_validate(
    recipe: RunRecipe,
    corpus: Corpus,
    folder: Path,
    folds: int,
    console: Console,
    said: Callable[[str], Any],
    resume: bool = False,
) -> dict[str, Any]:
    """Train a tagger for each fold on the others, and score it on that; dev data, if any, choose checkpoints.

    Args:
        recipe: of the taggers.
        corpus: "train" is cut into folds.
        folder: for `fold-1` and so on, a tagger each, `folds.json`, what is returned, and `folds.plan.json`, by
            which a cross-validation that is continued is known.
        folds: how many.
        console: of the training.
        said: is told what there is to say.
        resume: continue; folds whose tagger is finished are only scored.

    Returns:
        "folds", the scores of each; "mean" and "spread" (standard deviation between folds) of precision, recall and
        F1; "by_document".

    Raises:
        InputError: too few sentences; another cross-validation is to be continued; or what training finds.
    """
    rows = corpus["train"]
    words = [len(row["tokens"]) or len(row["text"].split()) for row in rows.select_columns(["tokens", "text"])]
    cut = cut_folds(rows["document"], words, folds)
    if not cut.by_document:
        said("folds are stretches of sentences: there are too few documents to keep each in one fold")
    _begin(folder, _plan(recipe, corpus, folds), resume)
    train = FAMILIES[recipe.model_type].train.load()
    scores = []
    for fold in range(folds):
        held, rest = (np.flatnonzero((cut.numbers == fold) == own) for own in (True, False))
        own = folder / f"fold-{fold + 1}"
        if not (resume and (own / "results.json").exists()):
            train(recipe, corpus.replaced("train", rows.select(rest)), own, resume=resume, console=console)
        pipeline = load_tagger(str(own.absolute()))
        pipeline.says_shortened = False
        scores.append(score_tagger(pipeline, rows.select(held)))
        said(f"fold {fold + 1} of {folds}: F1 {scores[-1]['f1'] * 100:.2f}")
    columns = {name: np.array([own[name] for own in scores]) for name in NAMES}
    result = {
        "mean": {name: float(values.mean()) for name, values in columns.items()},
        "spread": {name: float(values.std(ddof=1)) for name, values in columns.items()},
        "by_document": cut.by_document,
        "folds": scores,
    }
    write_whole(folder / RESULTS, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return result


def _plan(recipe: RunRecipe, corpus: Corpus, folds: int) -> dict[str, Any]:
    """What makes a cross-validation the same one: with other folds, taggers would be scored on what they learnt."""
    data = {split: rows._fingerprint for split, rows in sorted(corpus.items())}
    return {"folds": folds, "recipe": hashlib.sha256(recipe.to_yaml().encode()).hexdigest(), "corpus": data}


def _begin(folder: Path, plan: dict[str, Any], resume: bool) -> None:
    """Write the plan into a folder, or see that the folds that are there were made by it.

    Raises:
        InputError: they were not.
    """
    path = folder / _PLAN
    if resume and any(folder.glob("fold-*")):
        known = read_json(path) if path.is_file() else {}
        if other := [name for name, value in plan.items() if known.get(name) != value]:
            found = f"the cross-validation in this folder is of another {other[0]}"
            if other[0] == "folds":
                there = known.get("folds", "an unknown number of")
                found = f"the cross-validation in this folder has {there} folds, and this one {plan['folds']}"
            fix = "Continue it with the same --folds, recipe and data, or name another --output-dir."
            raise InputError(found, path=folder, fix=fix)
    with writing(folder, "Name another --output-dir"):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(plan, indent=2) + "\n")

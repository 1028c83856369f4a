"""`tagsmith train --folds`: the scores of each fold, and their mean and spread."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import messages, say


def check_folds(recipe: Any, names: Collection[str], streaming: bool, overwrite: bool) -> None:
    """See that a recipe can be cross-validated on the data that are named.

    Raises:
        InputError: there are several corpora, or a stream; the recipe trains heads; an earlier cross-validation is to
            be overwritten.
    """
    if overwrite:
        fix = "Leave --overwrite-output-dir out, and name a new --output-dir, or continue with --resume."
        raise InputError("--folds overwrites no earlier folds", fix=fix)
    if len(names) > 1:
        raise InputError("--folds is for one corpus, and several are given", fix="Give one --train.")
    if streaming:
        raise InputError("--folds cuts all of the data, and a stream is not known beforehand", fix="Leave one out.")
    if recipe.model.get("sharing") is not None:
        fix = "Choose a recipe without sharing, such as ner."
        raise InputError("--folds is for a tagger of one head, and this recipe trains several", fix=fix)


def cross_validate(recipe: Any, corpora: Mapping[str, Any], output_dir: Path, folds: int, resume: bool) -> None:
    """Cross-validate a recipe on one corpus, and print what comes of it.

    Raises:
        InputError: the folder has an earlier cross-validation that is not to be continued, or another one.
    """
    from tagsmith.training.doubts.cross_validation import NAMES, RESULTS
    from tagsmith.training.doubts.cross_validation import cross_validate as validate

    if not resume and output_dir.is_dir() and (there := sorted(output_dir.glob("fold-*"))):
        fix = "Name another --output-dir, or continue with --resume."
        raise InputError("an earlier cross-validation is here", path=there[0], fix=fix)
    (corpus,) = corpora.values()
    result = validate(recipe, corpus, output_dir, folds, messages, say, resume)
    if not messages.quiet:
        parts = [
            f"{'F1' if name == 'f1' else name} {result['mean'][name] * 100:.2f} ± {result['spread'][name] * 100:.2f}"
            for name in NAMES
        ]
        sys.stdout.write(f"{folds} folds: {', '.join(parts)}\n")
    say(f"the taggers are in {output_dir}, all scores in {output_dir / RESULTS}")

"""The folder of a tagger: the files that it must have, and the one that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.families import FAMILIES

# The tagger that comes with the package: people, places and organisations in thirty-three languages.
DEFAULT_TAGGER: str = str(Path(__file__).parents[2] / "model_cards" / "ner-multilingual")


def check_folder(folder: str | os.PathLike[str]) -> None:
    """See that a folder has the files of a tagger.

    Where what its tokenizer was made of is missing, transformers takes the defaults, and the tagger would read other
    words than it was trained on.

    Raises:
        InputError: one of them is missing, or holds no JSON that can be read in one way alone.
    """
    if os.path.isdir(os.path.join(folder, "checkpoints")) and not os.path.isfile(os.path.join(folder, "config.json")):
        fix = "If its run has not finished, continue it with its command and --resume."
        raise _not_a_tagger(folder, "config.json is missing", fix)
    family = FAMILIES.get(str(_read_json(folder, "config.json").get("model_type")))
    _read_json(folder, "tokenizer_config.json")
    if os.path.isfile(os.path.join(folder, "generation_config.json")):
        _read_json(folder, "generation_config.json")
    for name in family.files if family else ():
        _check_file(folder, name)


def _check_file(folder: str | os.PathLike[str], name: str) -> None:
    if not os.path.isfile(os.path.join(folder, name)):
        raise _not_a_tagger(folder, f"{name} is missing")


def _read_json(folder: str | os.PathLike[str], name: str) -> dict[str, Any]:
    _check_file(folder, name)
    try:
        return read_json(os.path.join(folder, name))
    except InputError as error:
        raise _not_a_tagger(folder, f"{name} cannot be read: {error.message}") from error


def _not_a_tagger(folder: str | os.PathLike[str], reason: str, fix: str | None = None) -> InputError:
    return InputError(f"this is not the folder of a tagger: {reason}", path=os.fspath(folder), fix=fix)

"""The files that a tagger's folder has, by their names."""

from __future__ import annotations

import os
from pathlib import Path

import tagsmith.modeling
import tagsmith.tokenization
from tagsmith.modeling.remote_code import check_model_files
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

_FILES = {
    "README.md",
    "added_tokens.json",
    "config.json",
    "gazetteer.json",
    "generation_config.json",
    "model.safetensors",
    "recipe.yaml",
    "results.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.json",
}


def tagger_files() -> set[str]:
    """The names of all files that a tagger's folder may have, its code among them."""
    folders = [Path(package.__path__[0]) for package in (tagsmith.modeling, tagsmith.tokenization)]
    code = {path.name for folder in folders for path in folder.glob("*.py")} - {"__init__.py"}
    return _FILES | code


def check_tagger_files(folder: str | os.PathLike[str]) -> None:
    """See that a model and its tokenizer can be saved in a folder and overwrite no file of a person's own.

    Raises:
        FileExistsError: the names of files that they would overwrite.
    """
    check_model_files(folder)
    HierarchicalTaggerTokenizer.check_files(folder)

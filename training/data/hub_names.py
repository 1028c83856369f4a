"""Which names may be looked up on the Hub: a mistyped path must not be sent there, nor blamed on the network."""

from __future__ import annotations

import logging
import os
import re

_HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
# Endings of files: what has one of them is meant as a file here. Versions, as in `tagger-v1.5`, are none.
_FILE_ENDING = re.compile(
    r"\.(conll\w*|iob2?|bioe?s?|bilou|tsv|csv|txt|text|jsonl?|ndjson|ya?ml|toml|ini|cfg|md|rst|html?|xml|tei|log"
    r"|pdf|docx?|odt|rtf|ann|tags?|data|dat|train|dev|test|gz|bz2|xz|zst|zip|tar|tgz|7z|parquet|arrow|safetensors|bin"
    r"|pt|pth|ckpt|onnx|pkl|npz?|py|ipynb|png|jpe?g|svg)",
    re.IGNORECASE,
)
_said: set[str] = set()


def is_file_name(name: str) -> bool:
    """Whether a name ends as one of a file does."""
    return _FILE_ENDING.fullmatch(os.path.splitext(name)[1]) is not None


def may_be_on_hub(name: str) -> bool:
    """Whether a name that is not here may be a repository's: `owner/name`, no path and no file.

    A path begins with `.`, `/` or `~`, has a backslash, more than one slash or a file's ending, or its first part is
    a folder here.
    """
    return bool(_HUB_NAME.fullmatch(name)) and not is_file_name(name) and not os.path.isdir(name.partition("/")[0])


def say_shadowed(name: str) -> None:
    """Log, once, that a folder here is read where its name could be a repository's too."""
    if _HUB_NAME.fullmatch(name) and name not in _said and not is_file_name(name):
        _said.add(name)
        logging.getLogger(__name__).warning(
            "%s: the folder here is read, not a repository of that name on the Hub; ./%s says so", name, name
        )

"""Which names may be looked up on the Hub: a mistyped path must not be sent there, nor blamed on the network."""

from __future__ import annotations

import logging
import os
import re
from typing import NamedTuple

from tagsmith.tokenization.input_error import InputError

_HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
# Endings of files: what has one of them is meant as a file here. Versions, as in `tagger-v1.5`, are none.
_FILE_ENDING = re.compile(
    r"\.(conll\w*|iob2?|bioe?s?|bilou|tsv|csv|txt|text|jsonl?|ndjson|ya?ml|toml|ini|cfg|md|rst|html?|xml|tei|log"
    r"|pdf|docx?|odt|rtf|ann|tags?|data|dat|train|dev|test|gz|bz2|xz|zst|zip|tar|tgz|7z|parquet|arrow|safetensors|bin"
    r"|pt|pth|ckpt|onnx|pkl|npz?|py|ipynb|png|jpe?g|svg)",
    re.IGNORECASE,
)
_HUB_DATA = re.compile(r"([^:@]+)(?::([^@]*))?(?:@(.*))?")
_LISTED = re.compile(r"\[[^\]]*\]")
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


class HubData(NamedTuple):
    """A data set on the Hub, maybe one of its configurations, maybe one of its splits."""

    id: str
    config: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        """As it is written: `owner/name:config@split`."""
        config = f":{self.config}" if self.config else ""
        return f"{self.id}{config}" + (f"@{self.split}" if self.split else "")


def hub_data(name: str | os.PathLike[str]) -> HubData | None:
    """A name like `owner/name:config@split` in its parts; None where there is such a file, or it can be no such name.

    Raises:
        InputError: nothing after `:` or `@`.
    """
    text = os.fspath(name)
    match = _HUB_DATA.fullmatch(text)
    if match is None or os.path.exists(text) or not may_be_on_hub(match[1]):
        return None
    if "" in (match[2], match[3]):
        fix = "Write owner/name:config@split; configuration and split may be left out with their marks."
        raise InputError("a name of the Hub without its configuration or split", path=text, fix=fix)
    return HubData(match[1], match[2], match[3])


def hub_reason(error: Exception, named: HubData) -> tuple[str, str]:
    """Why a data set could not be loaded, and what to do."""
    text = " ".join(str(error).split())
    listed = _LISTED.search(text)
    if "onfig" in text and listed and ("missing" in text or "not found" in text):
        names = ", ".join(re.findall(r"'([^']+)'", listed[0]))
        found = f"there is no configuration {named.config!r}" if named.config else "it has several configurations"
        return f"{found}: {names}", f"Name one: {named.id}:CONFIG."
    if text.startswith(("Unknown split", "Invalid split")) and listed:
        names = ", ".join(re.findall(r"'([^']+)'", listed[0]))
        return f"there is no split {named.split!r}, only {names}", f"Name one: {named._replace(split=None)}@SPLIT."
    reason = str(error).strip().splitlines()[0].rstrip(".")
    fix = "Check the name, or the network if it is a data set's id on the Hub."
    return f"no such file, and no data set of that name: {reason}", fix


def say_shadowed(name: str) -> None:
    """Log, once, that a folder here is read where its name could be a repository's too."""
    if _HUB_NAME.fullmatch(name) and name not in _said and not is_file_name(name):
        _said.add(name)
        logging.getLogger(__name__).warning(
            "%s: the folder here is read, not a repository of that name on the Hub; ./%s says so", name, name
        )

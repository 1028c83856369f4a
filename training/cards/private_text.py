"""What a text says of the machine that it was written on: where its files are, and tokens. Neither is published."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Any

from tagsmith.training.cards.run_facts import base_name

_TOKEN = re.compile(r"\b(hf|api)_[A-Za-z0-9]{8,}\b")
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.I)
# How a path begins that says where this machine has its files.
_ROOTED = re.compile(r"file:/|[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]", re.I)
_RELATIVE = re.compile(r"[^/\\]+[/\\].*[^/\\]", re.S)
_FILE_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")
# A word of a sentence, without the marks around it.
_WORD = re.compile(r"[^\s\"'`()<>\[\]{},;=|]+")


def public(value: Any, found: list[str]) -> Any:
    """A value of JSON or YAML without tokens, and with the names of files in place of where they are.

    Args:
        value: whatever such a file holds.
        found: gets what was left out or cut.
    """
    if isinstance(value, dict):
        if "hub_token" in value:
            found.append("hub_token")
        return {key: public(inner, found) for key, inner in value.items() if key != "hub_token"}
    if isinstance(value, list):
        return [public(inner, found) for inner in value]
    if not isinstance(value, str):
        return value
    if _is_path(value):
        found.append(value)
        return base_name(value)
    return public_text(value, found)


def public_text(text: str, found: list[str]) -> str:
    """A text in sentences, with the paths and tokens in it cut as `public` does."""

    def cut(match: re.Match[str]) -> str:
        word = match[0].rstrip(".:!?")
        if not _is_path(word):
            return match[0]
        found.append(word)
        return base_name(word) + match[0][len(word) :]

    text = _WORD.sub(cut, text)
    for place in _places():  # what is left of them, in paths with blanks
        if place in text:
            found.append(place)
            text = text.replace(place, "")
    if _TOKEN.search(text):
        found.append("a token")
        text = _TOKEN.sub("HIDDEN", text)
    return text


def _is_path(text: str) -> bool:
    """Whether a text as a whole is the path of a file or folder, and not an address, a name on the Hub or a label."""
    if _ADDRESS.match(text) or not re.search(r"[/\\]", text) or "\n" in text:
        return False
    if _ROOTED.match(text):
        return len(text) > 1 and not re.fullmatch(r"[/\\~.]+", text)
    if not _RELATIVE.fullmatch(text) or (re.search(r"\s", text) and not Path(text).exists()):
        return False
    parts = re.split(r"[/\\]", text)
    several = len(parts) > 2 and not all(part.isdigit() or part.isupper() for part in parts)  # a date, labels
    return several or "\\" in text or _FILE_ENDING.search(text) is not None or Path(text).exists()


def _places() -> list[str]:
    """Folders of this machine whose names are nobody's business, longest first."""
    places = {str(Path.cwd()), tempfile.gettempdir()}
    with contextlib.suppress(RuntimeError):  # a user without a home
        places.add(str(Path.home()))
    return sorted((place for place in places if len(place) > 1), key=len, reverse=True)

"""What a text says of the machine that it was written on: where its files are, and secrets. Neither is published."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

# Names of values that are nobody's business. Those of a tokenizer's own tokens (`pad_token`) are not among them.
_NAME = (
    r"(?:\w*[_-])?(?:password|passwd|passphrase|pwd|secrets?|api[_-]?keys?|access[_-]?keys?|private[_-]?keys?"
    r"|credentials?|authorization)(?:[_-]id)?|(?:\w+[_-])?(?:hub|hf|huggingface|access|auth|api|refresh|bearer|session"
    r"|github|gitlab|wandb|secret)[_-]?token"
)
_SECRET_NAME = re.compile(rf"{_NAME}|token", re.I)
_SECRET_VALUE = re.compile(
    rf"(?<![\w-])(-*(?:[\w.]+\.)?(?:{_NAME})(?:[\"']?\s*=\s*|[\"']?:\s+|[\"']:))(\"[^\"]*\"|'[^']*'|[^\s,;&\"'{{}}]+)",
    re.I,
)
_OPTION_VALUE = re.compile(rf"(?<!\S)(--(?:{_NAME})\s+)(\S+)", re.I)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9+/_.=-]{8,}")
_TOKEN = re.compile(
    r"\b(?:(?:hf|api)_[A-Za-z0-9]{8,}|gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[\w-]{16,}"
    r"|AKIA[0-9A-Z]{12,}|xox[abeprs]-[\w-]{10,})"
)
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/\"'<>]*:[^\s\"'<>/]*@|(?<=://)[^\s/@\"'<>]{12,}@")
_IN_QUERY = re.compile(r"(?<=[?&])((?:\w*[_-])?(?:token|key|signature|sig)=)[^\s&\"'<>]+", re.I)
_HIDDEN = "HIDDEN"

_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.I)
# How a path begins that says where this machine has its files.
_ROOTED = re.compile(r"file:/|[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]", re.I)
_RELATIVE = re.compile(r"[^/\\]+[/\\].*[^/\\]", re.S)
_FILE_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")
# A word of a sentence, without the marks around it; `</p>` is no path.
_WORD = re.compile(r"(?<!<)[^\s\"'`()<>\[\]{},;=|]+")
# In a person's own text: a path from the root or a home, and a file of data in a folder. Links to code are no secret.
_OWN_ROOTED = re.compile(r"file:/|~[/\\]|[A-Za-z]:[/\\]|\\\\|/(?!usr/|bin/|etc/|dev/|opt/|path/)[^/\s]+/[^/\s]", re.I)
_OWN_DATA = re.compile(r"[/\\].*\.(?:conllu?|iob2?|bioe?s?|jsonl?|tsv|csv|txt|ann|xml|parquet|arrow)(?:\.gz)?$", re.I)


def base_name(path: str) -> str:
    """The last part of a path, with either kind of slash."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def is_secret(name: str) -> bool:
    """Whether a value of that name is a secret, as `hub_token` or `api_key`."""
    return _SECRET_NAME.fullmatch(name.rpartition(".")[2]) is not None


def _is_secret_entry(key: Any, value: Any) -> bool:
    """Scores of a label that is called PASSWORD are none."""
    values = value if isinstance(value, list) else [value]
    return is_secret(str(key)) and bool(values) and all(isinstance(inner, str) and inner for inner in values)


def without_secrets(value: Any) -> Any:
    """A value of JSON or YAML without those whose names say that they are secrets."""
    if isinstance(value, dict):
        return {key: without_secrets(inner) for key, inner in value.items() if not _is_secret_entry(key, inner)}
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def public(value: Any, found: list[str], kept: Collection[str] = ()) -> Any:
    """A value of JSON or YAML without secrets, and with the names of files in place of where they are.

    Args:
        value: whatever such a file holds.
        found: gets what was left out or cut.
        kept: keys whose values stay as they are.
    """
    if isinstance(value, dict):
        shown = {}
        for key, inner in value.items():
            if _is_secret_entry(key, inner):
                found.append(str(key))
            else:
                shown[key] = inner if key in kept else public(inner, found, kept)
        return shown
    if isinstance(value, list):
        return [public(inner, found, kept) for inner in value]
    if not isinstance(value, str):
        return value
    if _is_path(value):
        found.append(value)
        return base_name(value)
    return public_text(value, found)


def public_text(text: str, found: list[str]) -> str:
    """A text in sentences, with the paths and secrets in it cut as `public` does."""

    def cut(match: re.Match[str]) -> str:
        word = match[0].rstrip(".:!?")
        if not _is_path(word):
            return match[0]
        found.append(word)
        return base_name(word) + match[0][len(word) :]

    text = _WORD.sub(cut, hide_secrets(text, found))
    for place in _places():  # what is left of them, in paths with blanks
        if place in text:
            found.append(place)
            text = text.replace(place, "")
    return text


def hide_secrets(text: str, found: list[str] | None = None) -> str:
    """A text with HIDDEN in place of passwords, keys and tokens, and addresses without those of a user."""
    hidden = _IN_ADDRESS.sub("", text)
    hidden = _BEARER.sub(rf"\1 {_HIDDEN}", hidden)
    hidden = _IN_QUERY.sub(rf"\1{_HIDDEN}", hidden)
    hidden = _SECRET_VALUE.sub(rf"\1{_HIDDEN}", hidden)
    hidden = _OPTION_VALUE.sub(rf"\1{_HIDDEN}", hidden)
    hidden = _TOKEN.sub(_HIDDEN, hidden)
    if hidden != text and found is not None:
        found.append("a token or password")
    return hidden


def private_lines(text: str, folder: Path) -> Iterator[tuple[int, str]]:
    """The lines of a person's own text that hold secrets or say where this machine has its files.

    Args:
        text: of the card.
        folder: of the tagger, which is such a place too.

    Yields:
        The number of the line, from 1, and what it holds; of a secret not the secret.
    """
    places = [str(folder.absolute()), *_places()]
    for number, line in enumerate(text.splitlines(), 1):
        if hide_secrets(line) != line:
            yield number, "a token or password"
        words = [match[0].rstrip(".:!?") for match in _WORD.finditer(line)]
        own = [
            word for word in words if not _ADDRESS.match(word) and (_OWN_ROOTED.match(word) or _OWN_DATA.search(word))
        ]
        inside = [place for place in places if place in line and not any(place in word for word in own)]
        yield from ((number, place) for place in [*own, *inside])


def _is_path(text: str) -> bool:
    """Whether a text as a whole is the path of a file or folder, and not an address, a name on the Hub or a label."""
    if _ADDRESS.match(text) or not re.search(r"[/\\]", text) or "\n" in text:
        return False
    if _ROOTED.match(text):
        return len(text) > 1 and not re.fullmatch(r"[/\\~.]+", text)
    if not _RELATIVE.fullmatch(text) or (re.search(r"\s", text) and not _exists(text)):
        return False
    parts = re.split(r"[/\\]", text)
    several = len(parts) > 2 and not all(part.isdigit() or part.isupper() for part in parts)  # a date, labels
    return several or "\\" in text or _FILE_ENDING.search(text) is not None or _exists(text)


def _exists(text: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # a name that is too long, or holds NUL
        return Path(text).exists()
    return False


def _places() -> list[str]:
    """Folders of this machine whose names are nobody's business, longest first."""
    places = {str(Path.cwd()), tempfile.gettempdir()}
    with contextlib.suppress(RuntimeError):  # a user without a home
        places.add(str(Path.home()))
    return sorted((place for place in places if len(place) > 1), key=len, reverse=True)

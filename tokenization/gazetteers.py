"""Gazetteers: lists of names, matched against words and given to a tagger as features in label space.

The features are those of the code of Yang, Salakhutdinov and Cohen, *Multi-Task Cross-Lingual Sequence Tagging from
Scratch* (2016): one bit for "no match", then four bits a label, for the beginning, inside, end and whole of an entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .composed import NORMALIZATIONS, check_normalization, composed
from .input_error import InputError
from .strict_json import parse_json

_BEGIN, _INSIDE, _END, _SINGLE = range(4)


class Gazetteer:
    """Lists of entries by label; each entry is one or more words.

    Entries are split on white space. Blank entries and repeated ones say nothing new and are passed over.

    Args:
        entries: for each label a file with one entry a line, or the entries themselves.
        case_sensitive: False compares words and entries in lower case.
        encoding: of the files; the SENNA lists are `latin-1`.
        normalization: "nfc" compares words and entries in Unicode's composed form, None as they stand.

    Raises:
        InputError: a file that cannot be read or decoded, an unknown encoding, a list without any entry.
        ValueError: an unknown normalization.
    """

    def __init__(
        self,
        entries: Mapping[str, str | Path | Iterable[str]],
        *,
        case_sensitive: bool = False,
        encoding: str = "utf-8",
        normalization: str | None = "nfc",
    ) -> None:
        check_normalization(normalization)
        self.case_sensitive, self.normalization = case_sensitive, normalization
        self._entries: dict[str, set[tuple[str, ...]]] = {}
        # First word -> for each label that has entries beginning with it, their lengths, longest first.
        self._lengths: dict[str, list[tuple[int, list[int]]]] = {}
        for number, (label, source) in enumerate(entries.items()):
            lines = _read_lines(source, encoding) if isinstance(source, str | Path) else source
            found = {tuple(words) for line in lines if (words := self._fold(line).split())}
            if not found:
                raise InputError(
                    f"no gazetteer entries for label {label!r}",
                    path=source if isinstance(source, str | Path) else None,
                    fix="Give one entry a line",
                )
            self._entries[label] = found
            self._index(number, found)

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of their bits."""
        return list(self._entries)

    @property
    def num_features(self) -> int:
        """The width of `match`'s rows: 1 + 4 x labels."""
        return 1 + 4 * len(self._entries)

    def match(self, words: Sequence[str]) -> np.ndarray:
        """Find the entries in a sentence: left to right, the longest first, without overlap within a label.

        Returns:
            uint8 `(words, num_features)`. Column 0 is on where no entry of any label matches; columns
            `1 + 4 * i` to `4 + 4 * i` are B, I, E and S of label `i`. Matches of several labels may overlap.
        """
        folded = tuple(self._fold(word) for word in words)
        features = np.zeros((len(folded), self.num_features), dtype=np.uint8)
        entries = list(self._entries.values())
        free_from = [0] * len(entries)  # by label: the first word that no match of it covers
        for start, word in enumerate(folded):
            for label, lengths in self._lengths.get(word, ()):
                if start < free_from[label]:
                    continue
                for length in lengths:
                    if folded[start : start + length] in entries[label]:
                        _mark(features[start : start + length, 1 + 4 * label : 5 + 4 * label])
                        free_from[label] = start + length
                        break
        features[:, 0] = ~features.any(axis=1)
        return features

    def to_json(self) -> str:
        """Everything as compact JSON, the same for equal gazetteers; `from_json` reads it."""
        entries = {label: sorted(map(" ".join, found)) for label, found in self._entries.items()}
        content: dict[str, Any] = {"case_sensitive": self.case_sensitive, "entries": entries}
        if self.normalization:  # older files have none, and stay as they are
            content["normalization"] = self.normalization
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Gazetteer:
        """Build a gazetteer from what `to_json` wrote.

        Raises:
            InputError: the text is not such JSON.
        """
        fix = "Give what Gazetteer.to_json wrote"
        content: Any = parse_json(text, fix=fix)
        if not (
            isinstance(content, dict)
            and isinstance(content.get("case_sensitive"), bool)
            and content.get("normalization") in (None, *NORMALIZATIONS)
            and isinstance(content.get("entries"), dict)
            and all(isinstance(found, list) for found in content["entries"].values())
            and all(isinstance(entry, str) for found in content["entries"].values() for entry in found)
        ):
            raise InputError("JSON, but not a gazetteer: expected case_sensitive and entries by label", fix=fix)
        normalization = content.get("normalization")
        return cls(content["entries"], case_sensitive=content["case_sensitive"], normalization=normalization)

    def _fold(self, text: str) -> str:
        text = composed(text, self.normalization)
        return text if self.case_sensitive else text.lower()

    def _index(self, label: int, found: Iterable[tuple[str, ...]]) -> None:
        lengths: dict[str, set[int]] = {}
        for entry in found:
            lengths.setdefault(entry[0], set()).add(len(entry))
        for word, kinds in lengths.items():
            self._lengths.setdefault(word, []).append((label, sorted(kinds, reverse=True)))


def _mark(bits: np.ndarray) -> None:
    """Set the bits of one match, in place; `bits`: `(words of the match, 4)`."""
    if len(bits) == 1:
        bits[0, _SINGLE] = 1
    else:
        bits[0, _BEGIN] = bits[-1, _END] = 1
        bits[1:-1, _INSIDE] = 1


def _read_lines(path: str | Path, encoding: str) -> list[str]:
    try:
        raw = Path(path).read_bytes()
        text = raw.decode(encoding)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", path=path, fix="Give the path of a gazetteer file"
        ) from None
    except LookupError:
        raise InputError(
            f"unknown encoding {encoding!r}", path=path, fix="Give one that Python knows, such as utf-8 or latin-1"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not {encoding}: byte 0x{raw[error.start]:02X}",
            path=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            fix='Name the file\'s encoding, for instance encoding="latin-1" for the SENNA lists',
        ) from None
    if "\0" in text:
        raise InputError(
            "not a text file: it holds a zero character",
            path=path,
            line=text.count("\n", 0, text.index("\0")) + 1,
            fix="Give one entry a line",
        )
    # Not splitlines: the SENNA lists hold the byte 0x85, which Unicode takes for a line end.
    return text.removeprefix("\ufeff").split("\n")

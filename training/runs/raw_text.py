"""Text without annotations, as words: what a tagger learns from its teachers beside the training data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.words import iterate_sentences
from tagsmith.training.data.rereadable import rereadable
from tagsmith.training.tagging.tag_files import check_file, read_texts

_MAX_WORDS = 500  # of a sentence: a longer line is read in stretches, as it is where it is tagged


class RawText:
    """Text files in UTF-8, a sentence a line, or what gzip makes of them; read as often as wanted, a line at a time.

    Args:
        files: their paths.

    Raises:
        InputError: a file is missing, or has no words; with its name.
    """

    def __init__(self, files: Sequence[str | os.PathLike[str]]) -> None:
        self.files = [os.fspath(file) for file in files]
        for name in self.files:
            check_file(name)
        self._paths = [str(rereadable(Path(name))) for name in self.files]
        for name, path in zip(self.files, self._paths, strict=True):
            if next(self._of(path, "words"), None) is None:
                raise InputError("the raw text has no words", path=name, fix="Give a file with a sentence a line.")

    def sentences(self, splitter: str) -> Iterator[list[str]]:
        """The words of each sentence."""
        for path in self._paths:
            yield from self._of(path, splitter)

    def _of(self, path: str, splitter: str) -> Iterator[list[str]]:
        for line in read_texts([path]):
            for words in iterate_sentences(line or "", splitter, _MAX_WORDS):
                yield [word.text for word in words]

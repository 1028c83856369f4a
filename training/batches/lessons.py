"""What teachers find probable in each training sentence, in memory-mapped files, and how it joins a batch.

The cross entropy of a linear chain needs no more of a teacher than the marginals of each word and, of each sentence,
how many of each pair of neighbouring tags are expected in it: transitions have the same scores at every word.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.whole_files import write_whole

_PROGRESS = "lessons.json"
_SMALLEST = 1e-12  # what sums of probabilities are held above


class Lessons:
    """Marginals of sentences, in 16 bits: of each word by tag, and of each sentence by pair of tags.

    They are written from the first sentence to the last; a folder that was left half written is gone on with.

    Args:
        folder: for the files, made where it is missing.
        lengths: words of each sentence.
        legal: bool `(tags, tags)`, pairs that can stand side by side; others are not stored.
        key: what the marginals depend on; a folder that has another is begun again.

    Attributes:
        done: how many sentences are written.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path, lengths: Sequence[int], legal: np.ndarray, key: str) -> None:
        self.folder, self.legal, self.key = folder, legal, key
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.starts = np.concatenate([[0], self.lengths.cumsum()])
        paths = {name: folder / f"{name}.npy" for name in ("tags", "pairs")}
        self.done = self._done_before() if all(path.is_file() for path in paths.values()) else 0
        shapes = {"tags": (int(self.starts[-1]), len(legal)), "pairs": (len(self.lengths), int(legal.sum()))}
        with writing(folder, "Name another --output-dir"):
            folder.mkdir(parents=True, exist_ok=True)
            if not self.done:
                (folder / _PROGRESS).unlink(missing_ok=True)  # of other files than those that are made now
                for name, shape in shapes.items():
                    open_memmap(paths[name], mode="w+", dtype=np.float16, shape=shape)
                    _take_space(paths[name])
        self._tags, self._pairs = (open_memmap(paths[name], mode="r+") for name in shapes)

    def _done_before(self) -> int:
        path = self.folder / _PROGRESS
        if not path.is_file():
            return 0
        progress = read_json(path)
        return int(progress["done"]) if progress["key"] == self.key else 0

    @property
    def nbytes(self) -> int:
        """What the files take."""
        return int(self._tags.nbytes + self._pairs.nbytes)

    def __len__(self) -> int:
        return len(self.lengths)

    def write(self, tags: Sequence[np.ndarray], pairs: np.ndarray) -> None:
        """The next sentences: of each `(words, tags)`, and `(sentences, tags, tags)`."""
        end = self.done + len(tags)
        with writing(self.folder, "Name another --output-dir"):
            self._tags[self.starts[self.done] : self.starts[end]] = np.concatenate(tags)
            self._pairs[self.done : end] = pairs[:, self.legal]
            self._tags.flush()
            self._pairs.flush()
            self.done = end
            write_whole(self.folder / _PROGRESS, json.dumps({"key": self.key, "done": end}))

    def padded(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of sentences by their numbers: float32 `(batch, words, tags)`, 0 at padding, and `(batch, tags, tags)`.

        What 16 bits have rounded sums to 1 for each word, and to its words less one for each sentence, again.
        """
        lengths, count = self.lengths[list(numbers)], len(self.legal)
        tags = np.zeros((len(lengths), int(lengths.max()), count), dtype=np.float32)
        for row, number in zip(tags, numbers, strict=True):
            row[: self.lengths[number]] = self._tags[self.starts[number] : self.starts[number + 1]]
        pairs = np.zeros((len(lengths), count, count), dtype=np.float32)
        pairs[:, self.legal] = self._pairs[list(numbers)]
        tags /= tags.sum(2, keepdims=True).clip(_SMALLEST)
        pairs *= ((lengths - 1) / pairs.sum((1, 2)).clip(_SMALLEST))[:, None, None].astype(np.float32)
        return torch.from_numpy(tags), torch.from_numpy(pairs)


def _take_space(path: Path) -> None:
    """Have the disk hold all of a file: a full one would end the process at a write into memory, without an error."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


@dataclass
class LessonCollator(TaggerCollator):
    """As `TaggerCollator`; sentences that have a number `lesson` bring `teacher_tags` and `teacher_pairs` too."""

    lessons: Lessons

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Tensor | str]:
        """Pad a list of encoded sentences, and what the teachers find in them."""
        batch = super().__call__(features)
        if "lesson" in features[0]:
            numbers = [feature["lesson"] for feature in features]
            batch["teacher_tags"], batch["teacher_pairs"] = self.lessons.padded(numbers)
        return batch

"""A feature CRF by python-crfsuite, as an adapter of peers.py: the features and settings of baselines.py.

A step of training is `PASSES` passes of L-BFGS over all of the data; features are made with the first. The job's
`min_count` leaves out features that are rarer, and `passes` stops before the 100th.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pycrfsuite
from crf_features import sentence_features
from peer_protocol import Peer, main

PASSES = 10
SETTINGS = {"c1": 0.1, "c2": 0.01, "feature.possible_transitions": True}


class FeatureCrf(Peer):
    """CRFsuite's L-BFGS: 100 passes at most."""

    warm, packages = 1, ("python-crfsuite",)

    def __init__(self, job: dict[str, Any]) -> None:
        self.job, self.model, self.tagger = job, b"", pycrfsuite.Tagger()

    @cached_property
    def trainer(self) -> pycrfsuite.Trainer:
        """With all features of all sentences."""
        settings = {**SETTINGS, "feature.minfreq": self.job.get("min_count", 1)}
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=settings, verbose=False)
        for words, tags in self.job["train"]:
            trainer.append(sentence_features(words), tags)
        return trainer

    def fit(self, passes: int) -> None:
        """Train from scratch, so many passes at most."""
        self.trainer.set("max_iterations", passes)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            self.trainer.train(str(path))
            self.model = path.read_bytes()
        self.tagger.open_inmemory(self.model)

    def steps(self) -> Iterator[int]:
        """The same ten passes again and again."""
        words = sum(len(words) for words, _ in self.job["train"])
        while True:
            self.fit(PASSES)
            yield PASSES * words

    def evaluations(self) -> Iterator[None]:
        """One, when it is done."""
        self.fit(self.job.get("passes", 100))
        yield

    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """Features included."""
        return [self.tagger.tag(sentence_features(words)) for words in sentences]

    def save(self, folder: Path) -> None:
        """CRFsuite's own format."""
        (folder / "model").write_bytes(self.model)

    def load(self, folder: Path) -> None:
        """From there."""
        self.model = (folder / "model").read_bytes()
        self.tagger.open_inmemory(self.model)


if __name__ == "__main__":
    main(FeatureCrf)

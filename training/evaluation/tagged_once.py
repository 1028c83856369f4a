"""A corpus tagged once, and gone over twice: what a pipeline found is remembered, and given again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tagsmith.modeling.score_calibration import ScoreCalibration


class Recording:
    """A pipeline that remembers what it finds.

    Args:
        pipeline: of a tagger of either family, whose configuration keeps every span and leaves scores as they are.
    """

    def __init__(self, pipeline: Any) -> None:
        self.model, self.tokenizer = pipeline.model, pipeline.tokenizer
        self.found: list[list[Mapping[str, Any]]] = []
        self._pipeline = pipeline

    def __call__(self, texts: Iterable[Any], **options: Any) -> Iterator[list[Mapping[str, Any]]]:
        """The spans of each text."""
        for entities in self._pipeline(texts, **options):
            self.found.append(entities)
            yield entities


class Replay:
    """Stands for a pipeline that is given the texts of a recording again, in the same order: none is tagged.

    Thresholds and calibration are those that the configuration has now.
    """

    def __init__(self, recording: Recording) -> None:
        self.model, self.tokenizer = recording.model, recording.tokenizer
        self._found = iter(recording.found)

    def __call__(self, texts: Iterable[Any], head: str | None = None, **_: Any) -> Iterator[list[Mapping[str, Any]]]:
        """The spans of each text that reach their thresholds."""
        config = self.model.config
        calibration, otherwise = ScoreCalibration.of(config, head), getattr(config, "min_score", 0.0)
        for _text in texts:
            scored = [{**entity, "score": calibration(entity["score"])} for entity in next(self._found)]
            yield [own for own in scored if calibration.keeps(own["entity_group"], own["score"], None, otherwise)]

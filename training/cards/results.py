"""What a tagger's folder says of its training and its scores: `results.json`, checked and written here alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.cards.private_text import base_name
from tagsmith.training.machine.whole_files import write_whole

RESULTS_FILE = "results.json"
VERSION = 1  # files without one are of this
_SPLITS = ("dev", "test")


@dataclass
class Results:
    """What is known of a tagger; a field that is empty or None is left out of the file.

    Attributes:
        command: that trained it, without folders.
        base_model: the name on the Hub of the tagger that it was trained from.
        minutes: of the training.
        evaluation_minutes: of these, what scoring on dev data took.
        seed: of the training.
        parameters: their number.
        best_epoch: whose checkpoint was kept; None where there were no dev data.
        versions: of packages, by their names.
        machine: "processor", "cores", "threads", "float32_products", "gpu".
        emissions: of the training, in grams of CO2 equivalent, where they were measured.
        course: of the training, by step: `{"step", "epoch", "loss", "f1", "accuracy", "by_name"}`, where known.
        teachers: of a student, "names", "weight", and of its "raw" text "files", "sentences" and "words".
        train_sentences: that it was trained on, once each.
        train_windows: that a byte-to-span tagger was trained on.
        data: by corpus, a single one under the empty string, the sizes of its splits, and "examples".
        dev: scores by head or corpus; those of a tagger of one under the empty string.
        test: scores on test data, in the same form.
        words_per_second: as the dev data were tagged.
        intervals: of scores, by split and by head or corpus, as `training.evaluation.bootstrap` finds them.
        calibration: of the spans' scores, by head.
        pictures: "learning_curve", and "confusion" by head, as names of files in the folder.
        scored_with: by split, the settings that it was scored with, where they are not the tagger's any more.
        languages: F1 on dev texts, from 0 to 1, by what was trained on ("gold", "weak", "untrained") and by code.
        letters: of the training data of a byte-to-span tagger, by script.
        most_unknown_words: the share of unknown words, from 0 to 1, above which a text is of another language.
        show_examples: whether the card shows spans of the training data.
        others: what the file has besides.
    """

    command: str = ""
    base_model: str = ""
    minutes: float | None = None
    evaluation_minutes: float | None = None
    seed: int | None = None
    parameters: int | None = None
    best_epoch: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    emissions: float | None = None
    course: list[dict[str, Any]] = field(default_factory=list)
    teachers: dict[str, Any] = field(default_factory=dict)
    train_sentences: int | None = None
    train_windows: int | None = None
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    dev: dict[str, dict[str, Any]] = field(default_factory=dict)
    test: dict[str, dict[str, Any]] = field(default_factory=dict)
    words_per_second: int | None = None
    intervals: dict[str, dict[str, Any]] = field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    scored_with: dict[str, Any] = field(default_factory=dict)
    languages: dict[str, dict[str, float]] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)
    most_unknown_words: float | None = None
    show_examples: bool = False
    others: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Of a tagger's folder; empty ones where there is no such file.

        Raises:
            InputError: it is no JSON object, cannot be read in one way alone, or is of a newer version.
        """
        path = Path(folder, RESULTS_FILE)
        return cls.of(read_json(path), path) if path.is_file() else cls()

    @classmethod
    def of(cls, content: Mapping[str, Any], path: Path | None = None) -> Self:
        """From what a file holds.

        Raises:
            InputError: a field of another kind, or a newer version.
        """
        known = dict(content)
        version = known.pop("version", VERSION)
        if type(version) is not int or version > VERSION:
            message = f"it is of version {version!r}, and this tagsmith knows {VERSION}"
            raise InputError(message, path=path, fix="Update tagsmith.")
        empty = cls()
        fields: dict[str, Any] = {}
        for item in dataclasses.fields(cls):
            if item.name == "others" or (value := known.pop(item.name, None)) is None:
                continue
            kind = type(getattr(empty, item.name))
            kinds = (int, float) if kind is type(None) else (kind,)
            if not isinstance(value, kinds) or isinstance(value, bool) != (kind is bool):
                raise InputError(f"{item.name} is {value!r}", path=path, fix="Restore the file, or remove it.")
            fields[item.name] = value
        for split in _SPLITS:
            if "f1" in (scores := fields.get(split, {})) and "labels" in scores:  # of one head, without a name
                fields[split] = {"": scores}
        return cls(**fields, others=known)

    def to_dict(self) -> dict[str, Any]:
        """As the file holds it."""
        content: dict[str, Any] = {"version": VERSION, **self.others}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name in _SPLITS and list(value) == [""]:
                value = value[""]
            if item.name != "others" and value is not None and value is not False and value not in ("", {}, []):
                content[item.name] = value
        return content

    def write(self, folder: str | Path) -> None:
        """Into a tagger's folder."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(folder, RESULTS_FILE), text)

    def shown(self) -> Self:
        """Without spans of the training data, unless the card was asked to show them."""
        if self.show_examples:
            return self
        data = {
            name: {key: own for key, own in facts.items() if key != "examples"} for name, facts in self.data.items()
        }
        return dataclasses.replace(self, data=data)

    def scores(self, split: str) -> dict[str, dict[str, Any]]:
        """Of "dev" or "test", by head or corpus."""
        by_name: dict[str, dict[str, Any]] = getattr(self, split)
        return by_name

    def set_scores(self, split: str, by_name: Mapping[str, Mapping[str, Any]]) -> None:
        """Of "dev" or "test", by head or corpus, with or without "intervals"; those of other names go."""
        found = {name: own["intervals"] for name, own in by_name.items() if "intervals" in own}
        kept = {name: own for name, own in self.intervals.get(split, {}).items() if name in by_name}
        if intervals := {**kept, **found}:
            self.intervals = {**self.intervals, split: intervals}
        scores = {name: {key: own[key] for key in own if key != "intervals"} for name, own in by_name.items()}
        setattr(self, split, scores)

    @property
    def picture_names(self) -> list[str]:
        """The pictures of the folder that it names."""
        named = [self.pictures.get("learning_curve"), *self.pictures.get("confusion", {}).values()]
        return [name for name in map(base_name, filter(None, named)) if name.endswith(".png")]

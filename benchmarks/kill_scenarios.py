"""What is killed: commands that write, in folders as people have them, on an invented corpus."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

OWN_TEXT = "My own words about this tagger."
NOTES = "what I must not forget\n"
_RECIPE = """\
model: {word_embedding_size: 8, character_embedding_size: 6, character_hidden_size: 6, character_num_layers: 1,
  hidden_size: 12, num_hidden_layers: 1}
training: {seed: 5, num_train_epochs: 3, per_device_train_batch_size: 8, learning_rate: 0.03, use_cpu: true}
"""
_BYTE_RECIPE = """\
model_type: byte-to-span
model: {window_size: 16, embedding_size: 8, hidden_size: 16, num_hidden_layers: 1, encoder: bidirectional,
  encoder_hidden_size: 8, encoder_num_layers: 1, attention: true}
training: {seed: 1, max_steps: 9, per_device_train_batch_size: 8, eval_steps: 3, save_steps: 3, logging_steps: 3,
  bf16: false, use_cpu: true}
"""

Run = Callable[[Path, list[str]], None]  # a command to its end, in a folder


@dataclass
class Scenario:
    """A command that is killed.

    Attributes:
        name: for the table.
        command: with paths relative to its folder.
        prepare: makes the folder's content, beside the corpus.
        again: what is added to the command when it is started once more after a kill.
        tagger: the folder that has to hold a tagger, or to say that it does not; empty for none.
        was_tagger: whether there is a whole one from the beginning to the end.
        same: files that a command that is started again has to make as one that was never killed.
    """

    name: str
    command: list[str]
    prepare: Callable[[Path, Run], None]
    again: list[str] = field(default_factory=list)
    tagger: str = "tagger"
    was_tagger: bool = False
    same: tuple[str, ...] = ("tagger/model.safetensors",)


_DATA = ["--train", "train.conll", "--dev", "dev.conll", "--output-dir", "tagger"]
_TRAIN = ["train", "recipe.yaml", *_DATA]
_TRAIN_BYTES = ["train", "bytes.yaml", *_DATA]


def write_corpus(folder: Path) -> None:
    """Training and dev data, recipes and a text."""
    chance = random.Random(1)
    for name, sentences in (("train.conll", 40), ("dev.conll", 10)):
        (folder / name).write_text("\n".join(_sentence(chance) for _ in range(sentences)), encoding="utf-8")
    words = ["".join(chance.choices("abc", k=3)) for _ in range(30)]
    lines = [" ".join(chance.choices(words, k=6)) for _ in range(40)]
    (folder / "texts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "recipe.yaml").write_text(_RECIPE, encoding="utf-8")
    (folder / "bytes.yaml").write_text(_BYTE_RECIPE, encoding="utf-8")
    (folder / "NOTES.txt").write_text(NOTES, encoding="utf-8")


def _sentence(chance: random.Random) -> str:
    rows = []
    for _ in range(chance.randint(2, 5)):
        word, named = "".join(chance.choices("abc", k=3)), chance.random() < 0.4
        rows.append(f"{word.upper()} B-LOC\n" if named else f"{word} O\n")
    return "".join(rows)


def _empty(folder: Path, run: Run) -> None:
    (folder / "tagger").mkdir()
    (folder / "tagger" / "NOTES.txt").write_text(NOTES, encoding="utf-8")


def _earlier(folder: Path, run: Run, command: list[str] = _TRAIN) -> None:
    """A tagger of another seed, whose card a person has gone on with."""
    _empty(folder, run)
    run(folder, [*command, "--set", "training.seed=9"])
    card = folder / "tagger" / "README.md"
    card.write_text(f"{card.read_text(encoding='utf-8')}\n{OWN_TEXT}\n", encoding="utf-8")


def _earlier_bytes(folder: Path, run: Run) -> None:
    _earlier(folder, run, _TRAIN_BYTES)


def _with_output(folder: Path, run: Run) -> None:
    _earlier(folder, run)
    (folder / "out.jsonl").write_text("an earlier output\n", encoding="utf-8")


SCENARIOS = [
    Scenario("train, a new folder", _TRAIN, _empty, ["--resume"]),
    Scenario("train, from bytes", _TRAIN_BYTES, _empty, ["--resume"]),
    Scenario("train, over a tagger", [*_TRAIN, "--overwrite-output-dir"], _earlier),
    Scenario(
        "card",
        ["card", "tagger", "--language", "en", "--license", "mit", "--test", "dev.conll"],
        _earlier,
        was_tagger=True,
    ),
    Scenario(
        "evaluate --save-best",
        ["evaluate", "tagger", "dev.conll", "--curve", "curve.png", "--save-best", "--overwrite"],
        _earlier_bytes,
        was_tagger=True,
        same=("tagger/model.safetensors", "tagger/config.json", "curve.csv"),
    ),
    Scenario(
        "tag --output",
        ["tag", "tagger", "texts.txt", "--format", "jsonl", "--output", "out.jsonl"],
        _with_output,
        was_tagger=True,
        same=("out.jsonl",),
    ),
    Scenario(
        "tag --shards",
        ["tag", "tagger", "texts.txt", "--format", "jsonl", "--output", "out.jsonl", "--shards", "4"],
        _with_output,
        was_tagger=True,
        same=("out.jsonl",),
    ),
]


def copy_of(template: Path, folder: Path) -> Path:
    """A folder to run a command in."""
    copytree(template, folder, symlinks=True)
    return folder

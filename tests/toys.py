"""What several test files play with: the console command in this process, and toys to train on."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from tagsmith.training.commands import command_line

WORD_MODEL: dict[str, Any] = {
    "word_embedding_size": 8,
    "character_embedding_size": 6,
    "character_hidden_size": 6,
    "character_num_layers": 1,
    "ngram_sizes": [2, 3],
    "ngram_rows": 100,
    "ngram_embedding_size": 5,
    "ngram_min_count": 2,
    "ngram_dropout": 0.1,
    "hidden_size": 12,
    "num_hidden_layers": 1,
}
WORD_TRAINING: dict[str, Any] = {
    "seed": 5,
    "num_train_epochs": 6,
    "per_device_train_batch_size": 4,
    "learning_rate": 0.03,
    "lr_scheduler_type": "constant",
    "use_cpu": True,
}
DROPOUT = {"rare_word_dropout": 0.5, "embedding_dropout": 0.3, "character_dropout": 0.1, "hidden_dropout": 0.3}
BYTE_MODEL: dict[str, Any] = {
    "window_size": 16,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "encoder": "bidirectional",
    "encoder_hidden_size": 8,
    "encoder_num_layers": 1,
    "attention": True,
    "ngram_sizes": [1, 2, 4],
    "ngram_rows": 60,
    "ngram_min_count": 3,
    "ngram_dropout": 0.1,
    "tag_loss": 1.0,
    "embedding_dropout": 0.1,
    "hidden_dropout": 0.1,
    "byte_dropout": 0.1,
}
BYTE_TRAINING: dict[str, Any] = {
    "seed": 1,
    "max_steps": 24,
    "per_device_train_batch_size": 8,
    "learning_rate": 0.01,
    "eval_steps": 8,
    "save_steps": 8,
    "logging_steps": 8,
    "save_total_limit": 5,
    "bf16": False,
}


class Outcome(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


class Input(io.TextIOWrapper):
    """Bytes as standard input."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def script(name: str) -> Any:
    """A module of the folder of benchmarks, whose scripts import each other by their bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
        return importlib.import_module(name)


def tagsmith(*arguments: Any, stdin: bytes = b"", stdout: io.StringIO | None = None) -> Outcome:
    """What the console command does, in this process."""
    out, err = stdout or io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["tagsmith", *map(str, arguments)])
        patch.setattr(sys, "stdin", Input(stdin))
        code: Any = 0
        try:
            command_line.main()
        except SystemExit as stop:
            code = stop.code
    return Outcome(code or 0, out.getvalue(), err.getvalue())


def assert_one_line(outcome: Outcome, *words: Any) -> None:
    """Bad input: exit code 2, nothing on standard output, one line that says these words."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1 and outcome.err.endswith("\n"), outcome.err
    assert "Traceback" not in outcome.err
    for word in words:
        assert str(word) in outcome.err


def assert_last_line(outcome: Outcome, *words: Any) -> None:
    """Bad input that shows after the data has been read and reported on."""
    *before, last = outcome.err.splitlines()
    assert not any("Traceback" in line or line.startswith("error") for line in before), outcome.err
    assert_one_line(Outcome(outcome.code, outcome.out, last + "\n"), *words)


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=io.StringIO())


def results_of(folder: Path) -> dict[str, Any]:
    """What a run wrote of itself."""
    return dict(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def card_of(folder: Path) -> str:
    """The model card."""
    return (folder / "README.md").read_text(encoding="utf-8")


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a tagger that has been saved."""
    return load_file(folder / "model.safetensors")


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a model's weights as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    """Tensors of the same names, the same to the bit."""
    assert left.keys() == right.keys()
    assert not [name for name in left if not torch.equal(left[name], right[name])]


def without(name: str) -> Callable[[Path], Any]:
    """What takes a file out of a folder."""
    return lambda folder: (folder / name).unlink()


def with_content(name: str, content: bytes) -> Callable[[Path], Any]:
    """What puts other content into a file of a folder."""
    return lambda folder: (folder / name).write_bytes(content)


def toy_file(path: Path, sentences: int, seed: int, label: str = "LOC", plain: bool = False) -> Path:
    """Words in capitals are names, with plain tags they are NAME and others WORD."""
    chance = random.Random(seed)
    lines = ["word pos"] * plain  # names the column, so that so few tags are no question
    for _ in range(sentences):
        for _ in range(chance.randint(2, 5)):
            word = "".join(chance.choices("abc", k=3))
            named = chance.random() < 0.4
            tag = ("NAME" if named else "WORD") if plain else f"B-{label}" if named else "O"
            lines.append(f"{word.upper() if named else word} {tag}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def people_and_places(path: Path, count: int, seed: int, plain: bool = False, label: str = "LOC") -> Path:
    """A made-up language: what ends in `ville` is a place, what follows `mr` a person; with plain tags, kinds."""
    chance = random.Random(seed)
    lines = ["word pos"] * plain  # names the column, so that so few tags are no question
    for _ in range(count):
        words: list[tuple[str, str, str]] = []
        for _ in range(chance.randint(2, 5)):
            stem = "".join(chance.choices("abc", k=2))
            kind = chance.random()
            if kind < 0.25:
                words.append((stem + "ville", f"B-{label}", "NOUN"))
            elif kind < 0.5:
                words += [("mr", "O", "TITLE"), (stem, "B-PER", "NAME"), (stem, "I-PER", "NAME")]
            else:
                words.append((stem, "O", "WORD"))
        lines += [f"{word} {kind if plain else tag}" for word, tag, kind in words] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path

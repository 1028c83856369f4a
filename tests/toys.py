"""What several test files play with: the console command in this process, and toys to train on."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tagsmith.training import command_line

BYTE_MODEL: dict[str, Any] = {
    "window_size": 16,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "encoder": "bidirectional",
    "encoder_hidden_size": 8,
    "encoder_num_layers": 1,
    "attention": True,
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


def toy_file(path: Path, sentences: int, seed: int, label: str = "LOC", plain: bool = False) -> Path:
    """Words in capitals are names, with plain tags they are NAME and others WORD."""
    chance = random.Random(seed)
    lines = []
    for _ in range(sentences):
        for _ in range(chance.randint(2, 5)):
            word = "".join(chance.choices("abc", k=3))
            named = chance.random() < 0.4
            tag = ("NAME" if named else "WORD") if plain else f"B-{label}" if named else "O"
            lines.append(f"{word.upper() if named else word} {tag}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path

"""Two processes under torchrun train as one does with their batches together, by the console command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import BYTE_MODEL, BYTE_TRAINING, WORD_MODEL, WORD_TRAINING, results_of, toy_file, weights_in

STEPS, BATCH = 12, 16
NO_DROPOUT = ("embedding_dropout", "hidden_dropout", "ngram_dropout")  # each process draws its own
FAMILIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ner": (WORD_MODEL | {"rare_word_dropout": 0, "character_dropout": 0}, WORD_TRAINING),
    "byte-ner": (BYTE_MODEL | {"byte_dropout": 0}, BYTE_TRAINING),
}


def train(recipe: str, folder: Path, output: Path, processes: int, streaming: bool) -> None:
    model, training = FAMILIES[recipe]
    choices = {f"model.{name}": value for name, value in {**model, **dict.fromkeys(NO_DROPOUT, 0)}.items()}
    training = {name: value for name, value in training.items() if name != "use_cpu"}  # as users have it
    training |= {"max_steps": STEPS, "logging_steps": 1, "eval_steps": STEPS, "save_steps": STEPS}
    training |= {"per_device_train_batch_size": BATCH // processes, "eval_strategy": "steps", "save_strategy": "steps"}
    choices |= {f"training.{name}": value for name, value in training.items()}
    launch = [] if processes == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [sys.executable, *launch, "-m", "tagsmith", "train", recipe, "--output-dir", str(output)]
    command += [f"--{split}={folder / split}.conll" for split in ("train", "dev")]
    command += [f"--set={key}={json.dumps(value)}" for key, value in choices.items()]
    command += ["--streaming"] * streaming
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, timeout=240, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


def losses(folder: Path) -> list[float]:
    state = json.loads(
        (folder / "checkpoints" / f"checkpoint-{STEPS}" / "trainer_state.json").read_text(encoding="utf-8")
    )
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("recipe", list(FAMILIES))
def test_two_processes_train_as_one(recipe: str, streaming: bool, tmp_path: Path) -> None:
    toy_file(tmp_path / "train.conll", 6 * BATCH, 1)
    toy_file(tmp_path / "dev.conll", 10, 2)
    one, two = tmp_path / "one", tmp_path / "two"
    train(recipe, tmp_path, one, 1, streaming)
    train(recipe, tmp_path, two, 2, streaming)
    assert len(losses(one)) == STEPS
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    assert losses(one)[-1] < 0.9 * losses(one)[0]
    weights = weights_in(one), weights_in(two)
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-2, atol=1e-3, msg=name)
    assert results_of(two)["dev"]["f1"] == pytest.approx(results_of(one)["dev"]["f1"], abs=0.02)

"""Checkpoints of a run: written whole or not at all, and looked over before a run continues from one."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import EarlyStoppingCallback, TrainerState
from transformers.trainer import OPTIMIZER_NAME, SCALER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.whole_files import PART, sync

# Beside model.safetensors, which holds the average of the weights: the weights that training continues with.
RAW_WEIGHTS_FILE = "training_weights.safetensors"
_RAW_WEIGHTS_FILES = (RAW_WEIGHTS_FILE, "weight_average.safetensors")  # the second is that of earlier versions
CHECKPOINT_PART = f"{PART}checkpoint"
_PREFIX = "checkpoint-"


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, readable or not, from the first to the last."""
    found = (path for path in folder.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdecimal())
    return sorted(found, key=lambda path: int(path.name.removeprefix(_PREFIX)))


def unreadable(folder: Path) -> dict[Path, str]:
    """The checkpoints in a folder that a run cannot continue from, and why."""
    return {path: why for path in checkpoints_in(folder) if (why := _problem(path))}


def last_readable(folder: Path, say: Callable[[str], Any]) -> Path | None:
    """The last checkpoint that a run can continue from; None where there are none at all.

    Args:
        folder: of the checkpoints.
        say: takes a line on those that cannot be read.

    Raises:
        InputError: there are some, and none of them can be read.
    """
    found, torn = checkpoints_in(folder), unreadable(folder)
    whole = [path for path in found if path not in torn]
    if found and not whole:
        reasons = "; ".join(f"{path.name}: {why}" for path, why in torn.items())
        fix = "Train from the beginning with --overwrite-output-dir, or name another folder."
        raise InputError(f"none of the checkpoints can be read ({reasons})", path=folder, fix=fix)
    for path, why in torn.items():
        say(f"{path} cannot be read ({why}); the run continues from {whole[-1].name}")
    return whole[-1] if whole else None


def _problem(checkpoint: Path) -> str | None:
    """Why a run cannot continue from a checkpoint, if it cannot: a kill or a full disk may have cut it short."""
    if not checkpoint.is_dir() or not any(checkpoint.iterdir()):
        return "it is empty"
    random = sorted(path.name for path in checkpoint.glob("rng_state*.pth")) or ["rng_state.pth"]
    checks: dict[Callable[[Path], Any], list[str]] = {
        _read_json: [TRAINER_STATE_NAME, CONFIG_NAME],
        _read_tensors: [SAFE_WEIGHTS_NAME, *_there(checkpoint, *_RAW_WEIGHTS_FILES)],
        _read_pickle: [OPTIMIZER_NAME, SCHEDULER_NAME, *random, *_there(checkpoint, SCALER_NAME)],
    }
    for check, names in checks.items():
        for name in names:
            try:
                check(checkpoint / name)
            except FileNotFoundError:
                return f"{name} is missing"
            except (OSError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
                return f"{name} is damaged: {' '.join(str(error).split())}"
    try:
        steps = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).global_step
    except (TypeError, ValueError, AttributeError) as error:
        return f"{TRAINER_STATE_NAME} is damaged: {error}"
    if f"{_PREFIX}{steps}" != checkpoint.name:
        return f"{TRAINER_STATE_NAME} is of step {steps}"
    return None


def raw_weights(checkpoint: Path) -> Path | None:
    """The file of the weights that training continues with, where a run kept an average of them."""
    return next((checkpoint / name for name in _there(checkpoint, *_RAW_WEIGHTS_FILES)), None)


def _there(checkpoint: Path, *names: str) -> list[str]:
    """Those files that a checkpoint has, of some that not every run has."""
    return [name for name in names if (checkpoint / name).exists()]


def _read_json(path: Path) -> None:
    if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
        raise ValueError("it is no JSON object")


def _read_tensors(path: Path) -> None:
    with path.open("rb"), safe_open(path, framework="pt"):  # which compares the file's length with what it announces
        pass


def _read_pickle(path: Path) -> None:
    """`torch.save` writes a zip file with checksums: what is in it need not be unpickled."""
    with zipfile.ZipFile(path) as file:
        if (damaged := file.testzip()) is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")


@contextmanager
def staged_checkpoint(
    run_folder: Path, state: TrainerState, is_writer: bool, wait: Callable[[], None]
) -> Iterator[Path]:
    """The folder of a checkpoint under way, which is renamed once all processes have written and it is on the disk.

    Args:
        run_folder: of the checkpoints.
        state: the trainer's, at the step that is saved.
        is_writer: whether this process is the one that writes for all.
        wait: for the other processes.

    Raises:
        OSError: why it could not be written; what was is removed, and earlier checkpoints stay.
    """
    part, name = run_folder / CHECKPOINT_PART, f"{_PREFIX}{state.global_step}"
    if is_writer:
        rmtree(part, ignore_errors=True)  # of a run that was killed
        (part / name).mkdir(parents=True)
    wait()
    try:
        with writing(run_folder):
            yield part / name
            if state.best_model_checkpoint == str(part / name):
                state.best_model_checkpoint = str(run_folder / name)
                if is_writer:
                    state.save_to_json(str(part / name / TRAINER_STATE_NAME))
            wait()
            if is_writer:
                _put_in_place(part / name, run_folder / name)
        wait()
    finally:
        if is_writer:
            rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, checkpoint: Path) -> None:
    for path in part.rglob("*"):
        if path.is_file():
            sync(path)
    if checkpoint.exists():  # one that could not be read, or of a run that this one repeats
        rmtree(checkpoint)
    part.rename(checkpoint)


def has_ended(checkpoint: str | Path, max_steps: int, callbacks: Iterable[Any]) -> bool:
    """Whether the run that has left a checkpoint was at its end: all steps are done, or its patience was over.

    Args:
        checkpoint: its folder.
        max_steps: the number of steps of the run; below 1 if it counts epochs.
        callbacks: of the trainer.
    """
    path = Path(checkpoint, TRAINER_STATE_NAME)
    if not path.is_file():  # `Trainer` says what it thinks of that
        return False
    state = TrainerState.load_from_json(str(path))
    if 0 < max_steps <= state.global_step:
        return True
    patience = [callback for callback in callbacks if isinstance(callback, EarlyStoppingCallback)]
    stored: Any = state.stateful_callbacks.get(EarlyStoppingCallback.__name__, {})
    failures = stored.get("attributes", {}).get("early_stopping_patience_counter", 0) if stored else 0
    return any(failures >= callback.early_stopping_patience for callback in patience)

"""What training runs of every family share: their folder, its checkpoints, and what is written in the end."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, PreTrainedConfig, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.progress import ProgressReport
from tagsmith.training.recipe import RunRecipe
from tagsmith.training.tagger_trainer import TaggerTrainer

CHECKPOINTS = "checkpoints"


def last_checkpoint(folder: Path, resume: bool) -> str | None:
    """The last whole checkpoint, to go on from, if there is any; an interrupt may have cut one short."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    if found and not resume:
        # A new run's checkpoints would lie among the old ones, and be taken for each other.
        raise InputError(
            "checkpoints of an earlier run are here",
            path=folder,
            fix="Go on with --resume, remove this folder, or choose another output folder.",
        )
    whole = [path for path in found if (path / TRAINER_STATE_NAME).is_file()]
    return str(max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")))) if whole else None


def check_shape(config: PreTrainedConfig, checkpoint: str) -> None:
    """A checkpoint of another corpus or another recipe cannot be gone on with."""
    earlier = type(config).from_pretrained(checkpoint)
    for name in type(config).__annotations__:
        if getattr(earlier, name) != getattr(config, name):
            raise InputError(
                f"the checkpoint has {name} {getattr(earlier, name)!r}, and this run has {getattr(config, name)!r}",
                path=checkpoint,
                fix="Resume with the same data and recipe, or choose another output folder.",
            )
    if earlier.id2label != config.id2label:
        raise InputError(
            "the checkpoint has other labels than this run", path=checkpoint, fix="Resume with the same data."
        )


def training_arguments(recipe: RunRecipe, folder: Path) -> TrainingArguments:
    """`TrainingArguments` of a recipe, with the checkpoints inside the run's folder."""
    _check_numbers(recipe.training)
    choices = {"dataloader_pin_memory": torch.cuda.is_available(), **recipe.training}
    if choices.get("bf16") and not torch.accelerator.is_available():
        choices["use_cpu"] = True  # else transformers asks for a GPU
    try:
        return TrainingArguments(output_dir=str(folder / CHECKPOINTS), **choices)
    except (TypeError, ValueError) as error:
        raise InputError(f"the recipe's training arguments do not fit: {error}") from error


def _check_numbers(training: Mapping[str, Any]) -> None:
    """What `TrainingArguments` takes without a look, and stumbles over later."""
    kinds = {item.name: str(item.type) for item in dataclasses.fields(TrainingArguments)}
    for name, value in training.items():
        if kinds.get(name) in ("int", "<class 'int'>") and type(value) is not int:
            raise InputError(f"training.{name} is {value!r}, and must be a whole number")
    for name in ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"):
        if training.get(name, 1) < 1:
            raise InputError(f"training.{name} is {training[name]}, and must be at least 1")


def make_trainer(trainer: type[TaggerTrainer], recipe: RunRecipe, progress: ProgressReport, **parts: Any) -> Any:
    """A trainer by a recipe.

    Args:
        trainer: its class.
        recipe: gives the learning rate's course, the average's decay and the patience.
        progress: shows the run.
        **parts: the rest of what the class takes.

    Raises:
        InputError: arguments that do not fit each other.
    """
    callbacks: list[Any] = [progress]
    if recipe.early_stopping_patience and parts.get("eval_dataset") is not None:
        callbacks.append(EarlyStoppingCallback(recipe.early_stopping_patience))
    choices = {name: getattr(recipe, name) for name in ("average_decay", "epoch_decay", "halving_from")}
    try:
        made = trainer(callbacks=callbacks, **choices, **parts)
        made.create_optimizer()  # now, since it is the optimizer that judges its arguments
    except (TypeError, ValueError) as error:
        raise InputError(f"the recipe's training arguments do not fit: {error}") from error
    for callback in (PrinterCallback, ProgressCallback):
        made.remove_callback(callback)
    return made


def write_results(trainer: TaggerTrainer, recipe: RunRecipe, results: Mapping[str, Any], folder: Path) -> None:
    """The model and its tokenizer, `recipe.yaml` and `results.json`."""
    if trainer.is_world_process_zero():
        trainer.save_model(str(folder))
        Path(folder, "training_args.bin").unlink(missing_ok=True)  # a pickle, and the recipe says the same
        Path(folder, "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        Path(folder, "results.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")


def run_facts(trainer: TaggerTrainer, minutes: float) -> dict[str, Any]:
    """What there is to say of a run besides its data and scores."""
    best = trainer.state.best_global_step
    return {
        "minutes": round(minutes, 2),
        "seed": trainer.args.seed,
        "parameters": trainer.model.num_parameters(),
        # the epoch whose checkpoint was kept; None without dev data
        "best_epoch": next((entry["epoch"] for entry in trainer.state.log_history if entry["step"] == best), None),
    }

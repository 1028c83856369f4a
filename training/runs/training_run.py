"""What training runs of every family share: folder, checkpoints, trainer, and what is written in the end."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from datasets import disable_progress_bars
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import (
    EarlyStoppingCallback,
    PreTrainedConfig,
    PreTrainedModel,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME

from tagsmith.modeling.remote_code import is_tagger
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.model_card import write_card
from tagsmith.training.cards.private_text import without_secrets
from tagsmith.training.cards.results import Results
from tagsmith.training.cards.run_facts import command_said, course, hub_name, machine_facts, package_versions
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.processes import is_main_process
from tagsmith.training.machine.whole_files import move_files, write_whole
from tagsmith.training.runs.recipe import RunRecipe, model_fields
from tagsmith.training.runs.run_folder import CHECKPOINTS, STAGED
from tagsmith.training.tagging.tagger_files import tagger_files
from tagsmith.training.trainers.checkpoints import checkpoints_in, last_readable, unreadable
from tagsmith.training.trainers.progress import ProgressReport
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer
from tagsmith.training.trainers.trainer_arguments import check_reporting

_STORED_AS = {"float32": torch.float32, "float16": torch.float16}


class FinishedRun(dict[str, Any]):
    """What `results.json` of a run holds, and the run's parts.

    Attributes:
        recipe: its choices, as the data settled them (`recipe.yaml`).
        trainer: with the trained model, the log and the state; the weights are those that were written.
    """

    def __init__(self, results: Results, recipe: RunRecipe, trainer: TaggerTrainer) -> None:
        super().__init__(results.to_dict())
        self.recipe = recipe
        self.trainer = trainer


class TrainingRun:
    """A run in its folder, from its recipe to its results.

    Args:
        recipe: the run's choices.
        defaults: training arguments of the family where the recipe leaves them open.
        has_dev: whether there is dev data, to score checkpoints on.
        output_dir: the folder, which `claimed_folder` has made and keeps from others.
        resume: continue from the last checkpoint in the folder, if there is one.
        console: where progress is shown; by default standard error, of the main process.
        callbacks: for the trainer, beside the run's own.

    Attributes:
        training: the training arguments, ours and the recipe's.

    Raises:
        InputError: training arguments that do not fit.
    """

    def __init__(
        self,
        recipe: RunRecipe,
        defaults: Mapping[str, Any],
        has_dev: bool,
        output_dir: str | Path,
        resume: bool,
        console: Console | None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.callbacks = callbacks
        self.console = console or Console(stderr=True, quiet=not is_main_process())
        if self.console.quiet or not self.console.is_terminal:
            disable_progress_bars()
        self.folder = Path(output_dir)
        self.resume, self.checkpoint = resume, self._last_checkpoint() if resume else None
        self.training = {**_rhythm(recipe.training, has_dev), **defaults, **recipe.training}
        self.arguments = _training_arguments(self.training, self.folder)
        if recipe.stored_as not in _STORED_AS:
            found = f"stored_as is {recipe.stored_as!r}"
            raise InputError(found, fix=f"Use one of {', '.join(_STORED_AS)}.")
        if recipe.early_stopping_patience < 0:
            found = f"early_stopping_patience is {recipe.early_stopping_patience}, and counts evaluations"
            raise InputError(found, fix="Use 0 to train to the end.")
        set_seed(self.arguments.seed)

    def _last_checkpoint(self) -> str | None:
        found = last_readable(self.folder / CHECKPOINTS, self._warn)
        if found is None:
            return None
        written = datetime.fromtimestamp(found.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        self.console.print(f"continues from {found.name}, written {written}", markup=False, highlight=False)
        return str(found)

    def _warn(self, line: str) -> None:
        self.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def train(
        self, trainer_class: Callable[..., TaggerTrainer], recipe: RunRecipe, model: PreTrainedModel, **parts: Any
    ) -> Results:
        """Train, and keep the trainer.

        Args:
            trainer_class: of the trainer, or what makes one.
            recipe: the run's choices, as the data have settled them.
            model: to be trained.
            **parts: the rest of what the class takes.

        Returns:
            What there is to say of the run besides its data and scores.

        Raises:
            InputError: arguments that do not fit each other; a checkpoint of another model.
        """
        fields = model_fields(type(model.config))
        settled = {name: getattr(model.config, name) for name in fields}
        self.recipe = dataclasses.replace(recipe, model=settled, training=without_secrets(self.training))
        if self.checkpoint is not None:
            _check_shape(model.config, self.checkpoint)
        progress = ProgressReport(self.console)
        callbacks = [progress, *self.callbacks]
        trainer = _make_trainer(trainer_class, recipe, callbacks, model=model, args=self.arguments, **parts)
        if trainer.is_world_process_zero():  # now that this run can begin
            folder = self.folder / CHECKPOINTS
            for earlier in unreadable(folder) if self.resume else checkpoints_in(folder):
                rmtree(earlier)
        started = time.monotonic()
        try:
            trainer.train(resume_from_checkpoint=self.checkpoint)
        finally:
            progress.close()
        self.trainer, best = trainer, trainer.state.best_global_step
        round_weights(trainer.model, _STORED_AS[recipe.stored_as])
        return Results(
            command=command_said(sys.argv),
            base_model=hub_name(recipe.start_from) or "",
            minutes=round((time.monotonic() - started) / 60, 2),
            evaluation_minutes=round(trainer.evaluation_seconds / 60, 4) or None,
            seed=trainer.args.seed,
            parameters=trainer.model.num_parameters(),
            best_epoch=next((entry["epoch"] for entry in trainer.state.log_history if entry["step"] == best), None),
            versions=package_versions(),
            machine=machine_facts(trainer.args.device),
            emissions=trainer.emissions,
            course=course(trainer.state.log_history),
        )

    def finish(self, results: Results) -> FinishedRun:
        """Write the tagger, and give what there is of the run."""
        self.write(results)
        return FinishedRun(results, self.recipe, self.trainer)

    def write(self, results: Results) -> None:
        """Write the model and its tokenizer, `recipe.yaml` (resolved), `results.json` and the card, `README.md`.

        All of it is written beside the folder's files first, and moves in together.
        """
        if not self.trainer.is_world_process_zero():
            return
        staged = self.folder / STAGED
        rmtree(staged, ignore_errors=True)  # of a run that was killed
        try:
            with writing(self.folder, "name another --output-dir"):
                staged.mkdir()
                self.trainer.save_model(str(staged))
                if self.recipe.stored_as != "float32":
                    store_weights(staged / SAFE_WEIGHTS_NAME, _STORED_AS[self.recipe.stored_as])
                write_whole(staged / "recipe.yaml", self.recipe.to_yaml())
                results.write(staged)
                names = {path.name for path in staged.iterdir()}
                move_files(staged, self.folder, CONFIG_NAME, self._earlier_files() - names)
        finally:
            rmtree(staged, ignore_errors=True)
        try:
            write_card(self.folder)
        except (InputError, OSError) as error:  # of what a person wrote into the card that was there; a full disk
            self._warn(f"no model card was written: {error}")

    def _earlier_files(self) -> set[str]:
        """The names of an earlier tagger's files in the folder, except for the card, which is rewritten."""
        names = tagger_files() - {"README.md"}
        if is_tagger(self.folder):
            with suppress(InputError, AttributeError, TypeError):  # of results that another hand has changed
                names |= set(Results.read(self.folder).picture_names)
        return names


@torch.no_grad()
def round_weights(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Round weights to what `dtype` can hold; they stay of the type that they are."""
    for weight in model.parameters():
        weight.copy_(weight.to(dtype))


def store_weights(path: Path, dtype: torch.dtype) -> None:
    """Rewrite a file of weights in `dtype`; config.json still says in which they are computed with."""
    stored = load_file(path)
    weights = {name: weight.to(dtype) if weight.is_floating_point() else weight for name, weight in stored.items()}
    mode = path.stat().st_mode
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod(mode)


def stored_bytes(model: torch.nn.Module, stored_as: str) -> int:
    """How many bytes of weights a run writes that has `stored_as` in its recipe."""
    dtype = _STORED_AS[stored_as]
    return sum(weight.numel() * min(weight.element_size(), dtype.itemsize) for weight in model.state_dict().values())


def _rhythm(training: Mapping[str, Any], has_dev: bool) -> dict[str, Any]:
    """A checkpoint an epoch, or every `eval_steps` where these are given, and the best on dev kept in the end."""
    rhythm = "steps" if "eval_steps" in training else "epoch"
    return {
        "save_strategy": rhythm,
        "save_steps": training.get("eval_steps", 500),
        "logging_steps": training.get("eval_steps", 500),
        "logging_strategy": rhythm,
        "save_total_limit": 2,
        "eval_strategy": rhythm if has_dev else "no",
        "load_best_model_at_end": has_dev,
        "metric_for_best_model": "f1" if has_dev else None,
        "disable_tqdm": True,
    }


def _check_shape(config: PreTrainedConfig, checkpoint: str) -> None:
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


def _training_arguments(training: Mapping[str, Any], folder: Path) -> TrainingArguments:
    """`TrainingArguments` of a recipe, with the checkpoints inside the run's folder."""
    _check_numbers(training)
    choices = {"dataloader_pin_memory": torch.cuda.is_available(), **training}
    if not torch.accelerator.is_available():
        choices["use_cpu"] = True  # else processes of torchrun train each for itself, and bfloat16 asks for a GPU
    try:
        _check_rhythm(choices)
        arguments = TrainingArguments(output_dir=str(folder / CHECKPOINTS), **choices)
        check_reporting(arguments)
        return arguments
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


def _check_rhythm(training: Mapping[str, Any]) -> None:
    """The best of the checkpoints can be kept only where each is scored."""
    every, saved = training.get("eval_steps"), training.get("save_steps")
    if not training.get("load_best_model_at_end") or training.get("save_strategy") != "steps":
        return
    if isinstance(every, int) and isinstance(saved, int) and every > 0 and saved % every:
        found = f"training.save_steps is {saved}, and no multiple of training.eval_steps, {every}"
        fix = f"Pass --set training.save_steps={every} too: the best checkpoint is one that was scored."
        raise InputError(found, fix=fix)


def _make_trainer(
    trainer: Callable[..., TaggerTrainer], recipe: RunRecipe, callbacks: list[TrainerCallback], **parts: Any
) -> Any:
    """A trainer by a recipe: its learning rate's course, its average's decay and its patience."""
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

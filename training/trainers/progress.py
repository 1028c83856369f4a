"""What a person sees of a training run: a bar, and a line for each evaluation or epoch, on standard error."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def counting_bar(name: str, console: Console) -> Progress:
    """A bar with how many are done of how many, where the console is a terminal; it goes when it ends."""
    return Progress(
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


class ProgressReport(TrainerCallback):
    """A bar over the steps on a terminal; everywhere a line for each evaluation, or each epoch without dev data."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = counting_bar("training", console)
        self.loss: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        self.started = time.monotonic()
        self.bar.start()
        self.task = self.bar.add_task("training", total=state.max_steps, completed=state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self.bar.update(self.task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        if logs and "loss" in logs:
            self.loss = logs["loss"]
            if state.is_world_process_zero and args.eval_strategy == "no":
                self._line(state, [])

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and metrics and hasattr(self, "started"):
            self._line(state, [f"dev {name} {metrics[f'eval_{name}'] * 100:6.2f}" for name in ("f1", "accuracy")])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away and give the terminal its cursor back; also after an error or an interrupt."""
        if self.bar.live.is_started:
            self.bar.stop()

    def _line(self, state: TrainerState, scores: list[str]) -> None:
        parts = [f"epoch {state.epoch:5.1f}", f"{(time.monotonic() - self.started) / 60:6.1f} min"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:8.4f}")
        self.console.print("  ".join([*parts, *scores]), highlight=False)

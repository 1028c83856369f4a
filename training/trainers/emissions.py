"""What training emits, measured by codecarbon where that is installed."""

from __future__ import annotations

import warnings
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class EmissionsCallback(TrainerCallback):
    """Measures a training run in the main process. codecarbon writes no file of its own and logs nothing.

    Attributes:
        grams: of CO2 equivalent; None where nothing was measured.
    """

    def __init__(self) -> None:
        self.grams: float | None = None
        self._tracker: Any = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to measure. What goes wrong in codecarbon is a warning, and does not stop training."""
        self.grams = self._tracker = None
        if not state.is_world_process_zero:
            return
        try:
            from codecarbon import EmissionsTracker
        except ImportError:
            return
        try:
            self._tracker = EmissionsTracker(save_to_file=False, log_level="critical")
            self._tracker.start()
        except Exception as error:
            self._warn(error)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep what was measured; codecarbon counts in kilograms."""
        tracker, self._tracker = self._tracker, None
        if tracker is None:
            return
        try:
            kilograms = tracker.stop()
        except Exception as error:
            self._warn(error)
            return
        if kilograms is not None:
            self.grams = round(1000 * float(kilograms), 3)

    def _warn(self, error: Exception) -> None:
        self._tracker = None
        reason = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(f"codecarbon could not measure what this run emits: {reason}", stacklevel=2)

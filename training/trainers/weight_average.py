"""An exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows a model's parameters: `average = d * average + (1 - d) * weights` after each optimizer step.

    In the first steps `d` is held down to `(1 + steps) / (10 + steps)`, so that the random start is soon forgotten.
    The averaged weights tag better than the last ones, most of all before the learning rate has come down (Polyak
    and Juditsky 1992).

    Args:
        model: the model to follow; its parameters are read in place.
        decay: d, below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"The decay of the weights' average is {decay}; it must lie between 0 and 1.")
        self.decay, self.steps = decay, 0
        self._in_place = False
        self.weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.average = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after an optimizer step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and the average."""
        for weight, average in zip(self.weights, self.average, strict=True):
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averaged weights inside, its own again after it; one inside another does nothing."""
        if self._in_place:
            yield
            return
        self.swap()
        self._in_place = True
        try:
            yield
        finally:
            self._in_place = False
            self.swap()

    def state(self) -> dict[str, Tensor]:
        """The average and the count of steps, as tensors to save."""
        return {"steps": torch.tensor(self.steps), **{str(i): average for i, average in enumerate(self.average)}}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a saved `state`."""
        self.steps = int(state["steps"])
        for index, average in enumerate(self.average):
            average.copy_(state[str(index)])

"""How fast the linear recurrences learn beside the same recurrences as a loop over time.

    python benchmarks/scan_speed.py [--time 512] [--batch 32] [--width 300] [--runs 7] [--threads 1]

Prints median seconds of a forward and a backward pass, one way, over a full batch: of the recurrence alone, of an SRU
layer and of a linear RNN layer. The loop has autograd through each of its steps. It takes the steps of its inputs by
one `unbind`; written with `x[:, t]`, whose gradient is as large as all of `x` at every step, it would be quadratic in
time. `--indexed` measures that loop too. In both layers the products with the words are the same on either side, one
for all words; "products" is what they take, and no recurrence can save it. The sides take turns in one process.
"""

from __future__ import annotations

import statistics
import time as clock
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated
from unittest.mock import patch

import torch
import typer
from torch import Tensor, nn

from tagsmith.modeling import linear_recurrence
from tagsmith.modeling.linear_recurrence import LinearRecurrentStack, exponential_filter, linear_scan
from tagsmith.modeling.packing import Packing
from tagsmith.training.commands.command_options import prepare_torch

AtLeastOne = Annotated[int, typer.Option(min=1)]


def stepped_scan(decay: Tensor, x: Tensor) -> Tensor:
    """`linear_scan` as a loop."""
    state, states = torch.zeros_like(x[:, 0]), []
    for a, b in zip(decay.unbind(1), x.unbind(1), strict=True):
        state = a * state + b
        states.append(state)
    return torch.stack(states, 1)


def indexed_scan(decay: Tensor, x: Tensor) -> Tensor:
    """`linear_scan` as a loop that indexes its inputs."""
    state, states = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        state = decay[:, t] * state + x[:, t]
        states.append(state)
    return torch.stack(states, 1)


def stepped_filter(x: Tensor, log_decay: Tensor, weight: Tensor) -> Tensor:
    """`exponential_filter` as a loop."""
    decay, weight = log_decay.exp()[:, None], weight[:, None]
    state, outputs = x.new_zeros(()), []
    for step in x.unbind(1):
        state = decay * state + step[..., None]
        outputs.append((weight * state).sum(-1))
    return torch.stack(outputs, 1)


def compare(name: str, sides: dict[str, Callable[[], Tensor]], inputs: list[Tensor], runs: int) -> None:
    """Time forward and backward passes, the sides in turn, and print medians."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    gradient = None
    for run in range(runs + 1):  # the first warms up
        for side, forward in sides.items():
            started = clock.perf_counter()
            output = forward()
            if gradient is None:
                gradient, started = torch.randn_like(output), clock.perf_counter()
            torch.autograd.grad(output, inputs, gradient)
            if run:
                seconds[side].append(clock.perf_counter() - started)
    medians = {side: statistics.median(taken) for side, taken in seconds.items()}
    ours = medians.pop("blocks")
    others = "".join(f", {side} {taken:.3f} s ({taken / ours:.1f}x)" for side, taken in medians.items())
    print(f"{name}: in blocks {ours:.3f} s{others}")


def layer_sides(cell: str, packing: Packing, x: Tensor, width: int) -> tuple[dict[str, Callable], list[Tensor]]:
    """One layer with the recurrence in blocks, with it as a loop, and without any."""
    stack = LinearRecurrentStack(cell, width, width, num_layers=1, directions=1)
    ours = {"sru": "linear_scan", "linear-rnn": "exponential_filter"}[cell]
    loop, nothing = {
        "sru": (stepped_scan, lambda decay, x: decay + x),
        "linear-rnn": (stepped_filter, lambda x, decay, weight: x * (decay + weight).sum(-1)[:, None, None]),
    }[cell]

    def side(function: Callable | None) -> Callable[[], Tensor]:
        def forward() -> Tensor:
            with patch.object(linear_recurrence, ours, function) if function else nullcontext():
                return stack(x, packing)[0]

        return forward

    return {"blocks": side(None), "loop": side(loop), "products": side(nothing)}, [x, *stack.parameters()]


def main(
    time: AtLeastOne = 512,
    batch: AtLeastOne = 32,
    width: AtLeastOne = 300,
    runs: AtLeastOne = 7,
    threads: AtLeastOne = 1,
    indexed: bool = False,
) -> None:
    """Seconds of forward and backward passes, in blocks and as a loop."""
    prepare_torch(threads)
    torch.manual_seed(1)
    decay = torch.rand(1, time, batch, width, requires_grad=True)
    x = torch.randn(1, time, batch, width, requires_grad=True)
    sides: dict[str, Callable[[], Tensor]] = {
        "blocks": lambda: linear_scan(decay, x),
        "loop": lambda: stepped_scan(decay, x),
    }
    if indexed:
        sides["indexed loop"] = lambda: indexed_scan(decay, x)
    compare("recurrence of SRU", sides, [decay, x], runs)
    log_decay = nn.Parameter(-torch.logspace(0, -2, 8).expand(1, width, 8).clone())
    weight = nn.Parameter(torch.randn(1, width, 8))
    sides = {
        "blocks": lambda: exponential_filter(x, log_decay, weight),
        "loop": lambda: stepped_filter(x, log_decay, weight),
    }
    compare("recurrence of the linear RNN", sides, [x, log_decay, weight], runs)
    packing = Packing.of(torch.ones(batch, time, dtype=torch.bool))
    words = packing.pack(torch.randn(batch, time, width)).requires_grad_()
    for cell in ("sru", "linear-rnn"):
        compare(f"{cell} layer", *layer_sides(cell, packing, words, width), runs)


if __name__ == "__main__":
    typer.run(main)

"""Whether a module is as it was: every way in which weights change is seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tagsmith.modeling.int8 import quantize
from tagsmith.modeling.recurrent import RecurrentStack
from tagsmith.modeling.unchanged import Unchanged


def made() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(RecurrentStack("lstm", 4, 3, 1), nn.Linear(6, 2))
    model.register_buffer("beside", torch.zeros(2, dtype=torch.float16))
    return model.eval()


def step(model: nn.Sequential) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model[1](torch.ones(1, 6)).sum().backward()
    optimizer.step()


def replace(model: nn.Sequential) -> None:
    model[1] = nn.Linear(6, 2).eval()


def give(model: nn.Sequential) -> None:
    model[1].bias = None


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "one number": lambda model: nn.init.constant_(model[1].weight[0, :1], 7.0),
    "an optimizer": step,
    "all, by data": lambda model: model[1].weight.data.mul_(1.5),
    "other memory": lambda model: setattr(model[1].weight, "data", model[1].weight.data.clone()),
    "other weights": lambda model: model.load_state_dict(made().state_dict(), assign=True),
    "the same weights": lambda model: model.load_state_dict(made().state_dict()),
    "another part": replace,
    "a part that is gone": give,
    "a buffer": lambda model: model.beside.add_(1),
    "a type": lambda model: model.double(),
    "training": lambda model: model[0].train(),
    "8-bit weights": quantize,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change: str) -> None:
    model = made()
    unchanged = Unchanged(model)
    with torch.no_grad():
        model[1](torch.ones(1, 6))
    assert unchanged()
    with torch.set_grad_enabled(change == "an optimizer"):
        CHANGES[change](model)
    assert not unchanged()


def test_weights_of_inference_mode() -> None:
    with torch.inference_mode():
        model = made()
    unchanged = Unchanged(model)
    assert unchanged()
    with torch.inference_mode():
        model[1].weight.mul_(2)
    assert not unchanged()

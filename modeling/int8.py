"""Dynamic int8 quantisation: recurrent layers that tag with 8-bit weights on a CPU.

A product `x W + b` becomes one of whole numbers: each output column of `W` is divided by its largest magnitude over
127 and rounded, and so is each row of `x` as it comes. The sums are exact in 32 bits, and are scaled back. As a row
has its own scale, what else is in its batch changes nothing. States lie between -1 and 1: their scale is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .recurrent import RecurrentStack

_ROWS = 512  # that are multiplied at a time: what lies between the steps of a product then stays in the cache
_TINY = 1e-30  # in place of the largest magnitude of zeros, by which they are divided


class Int8Product:
    """`x W + b` of each direction with weights of 8 bits; for inference on a CPU, in float32.

    Args:
        weight: `(directions, in_features, out_features)`, float32.
        bias: `(directions, 1, out_features)`, if any.
        bound: what no magnitude of `x` exceeds; by default each row is measured.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, bound: float | None = None) -> None:
        scale = weight.detach().abs().amax(1, keepdim=True).clamp(min=_TINY) / 127
        self.weights = list((weight.detach() / scale).round().to(torch.int8))
        self.scale, self.bound = scale / 127, bound
        self.bias = torch.zeros_like(scale) if bias is None else bias.detach().clone()
        self._of_one: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, x: Tensor, onto: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """`(directions, rows, in_features)` to `(directions, rows, out_features)`; see `Product` of the cells.

        Raises:
            RuntimeError: gradients are asked for, autocast is on, or `x` is not float32 on a CPU.
        """
        if torch.is_grad_enabled():
            raise RuntimeError("A tagger with 8-bit weights has no gradients. Call it under torch.no_grad().")
        if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            raise RuntimeError(
                f"8-bit weights are for float32 on a CPU without autocast, and the inputs are {x.dtype} on {x.device}."
            )
        if out is None:
            out = x.new_empty(*x.shape[:2], self.bias.shape[2])
        beside = (self.bias if onto is None else onto).expand(out.shape)
        pieces = (tensor.split(_ROWS, dim=1) for tensor in (x, beside, out))
        for rows, added, shares in zip(*pieces, strict=True):
            largest = self.bound or rows.abs().amax(2, keepdim=True).clamp_(min=_TINY)
            whole = (rows * (127 / largest)).round_().to(torch.int8)
            for share, row, weight in zip(shares, whole, self.weights, strict=True):
                share.copy_(torch._int_mm(row, weight))
            torch.addcmul(added, shares, self.scale * largest, out=shares)
        return out

    def of_one(self, direction: int) -> Callable[[np.ndarray, np.ndarray], None]:
        """The product of one direction and one row at a time, without the bias, for `one_sequence`.

        It multiplies whole numbers in float32, whose sums are exact below 2²⁴: for up to 1,040 features.

        Raises:
            ValueError: no bound was given.
        """
        if self.bound is None:
            raise ValueError("The product of one row has a fixed scale. Give the product a bound.")
        if direction not in self._of_one:
            scales = self.scale[direction] * self.bound
            self._of_one[direction] = self.weights[direction].float().numpy(), scales.numpy()
        weight, scale = self._of_one[direction]
        whole, to_whole = np.empty((1, len(weight)), np.float32), np.float32(127 / self.bound)

        def multiply(row: np.ndarray, out: np.ndarray) -> None:
            np.multiply(row, to_whole, out=whole)
            np.rint(whole, out=whole)
            np.matmul(whole, weight, out=out)
            out *= scale

        return multiply


def quantize(model: nn.Module) -> nn.Module:
    """Let a model's recurrent layers (GRU, LSTM, RNN) multiply with 8-bit weights, made of those it has now.

    The float weights stay, and are what is saved; whoever changes them quantises again. All other layers compute with
    them as before.

    Args:
        model: a tagger in float32 on a CPU; it is changed in place.

    Returns:
        The model, in evaluation mode. It can tag, but not be trained.

    Raises:
        ValueError: the model is not on a CPU, or not in float32; it has no such layers; or this build of torch has no
            oneDNN, whose products are the quick ones.
    """
    if not torch.backends.mkldnn.is_available():
        raise ValueError("This build of torch has no oneDNN, without which 8-bit weights are slow. Leave int8 out.")
    for parameter in model.parameters():
        if parameter.device.type != "cpu":
            raise ValueError(
                f"8-bit weights are for a CPU, and the model is on {parameter.device}. Pass device='cpu'."
            )
        if parameter.dtype != torch.float32:
            raise ValueError(f"8-bit weights are made of float32, not {parameter.dtype}. Pass dtype=torch.float32.")
    stacks = [module for module in model.modules() if isinstance(module, RecurrentStack)]
    if not stacks:  # nor would a model with another copy of the code have any
        raise ValueError("This model has no GRU, LSTM or RNN layers for 8-bit weights. Leave int8 out.")
    for stack in stacks:
        bound: float | None = None
        layer: Any
        for layer in stack.layers:
            layer.products = (
                Int8Product(layer.input_weight, layer.projection_bias, bound),
                [Int8Product(part, layer.state_bias, 1.0) for part in layer.state_weights],
            )
            bound = 1.0  # the next one reads states
    return model.eval()

"""The recurrences of `linear_recurrence.py` over a padded grid, `c_t = a_t c_{t-1} + x_t`, in blocks side by side."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def _steps(x: Tensor, length: int) -> tuple[Tensor, ...]:
    """The `length` steps within the blocks of `(directions, time, ...)`, each for all blocks that are whole."""
    count = x.shape[1] // length
    return x[:, : count * length].unflatten(1, (count, length)).unbind(2)


class _LinearScan(torch.autograd.Function):
    """`linear_scan` and its gradient, which is the same recurrence from the other end.

    Time is cut into blocks. One pass over the steps within them, side by side, gives what each block adds to a state
    and by how much it scales it; these run from block to block; a second pass goes through the blocks again from the
    right states. Reading the inputs twice is cheaper than writing and reading their running products.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, x: Tensor) -> Tensor:
        time = x.shape[1]
        length = math.isqrt(time)
        whole = time // length * length
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        decays, inputs = _steps(decay, length), _steps(x, length)
        product, end = decays[0].clone(), inputs[0].clone()
        for a, b in zip(decays[1:], inputs[1:], strict=True):
            torch.addcmul(b, a, end, out=end)
            product.mul_(a)
        state = torch.zeros_like(end)
        for block in range(1, state.shape[1]):
            before = block - 1
            torch.addcmul(end[:, before], product[:, before], state[:, before], out=state[:, block])
        for a, b, o in zip(decays, inputs, _steps(out, length), strict=True):
            state = torch.addcmul(b, a, state, out=o)
        for t in range(whole, time):
            torch.addcmul(x[:, t], decay[:, t], out[:, t - 1], out=out[:, t])
        ctx.save_for_backward(decay, product, out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        decay, product, out = ctx.saved_tensors
        time = out.shape[1]
        length = math.isqrt(time)
        d_x, d_decay = torch.empty_like(out), torch.empty_like(out)
        passed = torch.zeros_like(out[:, 0])  # what a step's state gives to the state before it
        for t in range(time - 1, time // length * length - 1, -1):
            torch.add(grad[:, t], passed, out=d_x[:, t])
            torch.mul(decay[:, t], d_x[:, t], out=passed)
        decays, grads = _steps(decay, length)[::-1], _steps(grad, length)[::-1]
        start = torch.zeros_like(product)
        for a, g in zip(decays, grads, strict=True):
            start.add_(g).mul_(a)
        state = torch.empty_like(product)
        state[:, -1] = passed
        for block in range(state.shape[1] - 2, -1, -1):
            after = block + 1
            torch.addcmul(start[:, after], product[:, after], state[:, after], out=state[:, block])
        for a, g, d in zip(decays, grads, _steps(d_x, length)[::-1], strict=True):
            torch.add(g, state, out=d)
            torch.mul(a, d, out=state)
        d_decay[:, 0] = 0
        torch.mul(d_x[:, 1:], out[:, :-1], out=d_decay[:, 1:])
        return d_decay, d_x


@torch.compiler.disable  # its loop would be unrolled into one graph for each length
def linear_scan(decay: Tensor, x: Tensor) -> Tensor:
    """The recurrence `c_t = decay_t c_{t-1} + x_t` from `c = 0`, in about `3 sqrt(time)` steps.

    Args:
        decay: `(directions, time, ...)`, of any size; nothing is divided by their products.
        x: the same shape, one step at least.

    Returns:
        All states, the same shape.
    """
    return _LinearScan.apply(decay, x)


class _GatedScan(torch.autograd.Function):
    """`gated_scan` and its gradient: a loop over time of operations on all sequences and dimensions at once."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, candidate: Tensor, weight: Tensor) -> Tensor:
        forget, out = torch.empty_like(candidate), torch.empty_like(candidate)
        state = torch.zeros_like(candidate[:, 0])
        for t in range(candidate.shape[1]):
            torch.addcmul(gate[:, t], weight, state, out=forget[:, t]).sigmoid_()
            state = torch.lerp(candidate[:, t], state, forget[:, t], out=out[:, t])
        ctx.save_for_backward(candidate, weight, forget, out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        candidate, weight, forget, out = ctx.saved_tensors
        before = nn.functional.pad(out[:, :-1], (0, 0, 0, 0, 1, 0))
        slope = (before - candidate) * forget * (1 - forget)  # of a state to what its gate is the sigmoid of
        back = torch.addcmul(forget, slope, weight.unsqueeze(1))  # and to the state before it
        d_state = grad.clone()
        for t in range(grad.shape[1] - 1, 0, -1):
            d_state[:, t - 1].addcmul_(d_state[:, t], back[:, t])
        d_gate = d_state * slope
        return d_gate, d_state * (1 - forget), (d_gate * before).sum((1, 2)).unsqueeze(1)


@torch.compiler.disable  # its loop would be unrolled into one graph for each length
def gated_scan(gate: Tensor, candidate: Tensor, weight: Tensor) -> Tensor:
    """`c_t = f_t c_{t-1} + (1 - f_t) candidate_t` from `c = 0`, where `f_t = sigmoid(gate_t + weight * c_{t-1})`.

    Args:
        gate: `(directions, time, batch, width)`.
        candidate: the same shape.
        weight: `(directions, 1, width)`.

    Returns:
        All states, the same shape.
    """
    states: Tensor = _GatedScan.apply(gate, candidate, weight)
    return states


def _toeplitz(kernel: Tensor) -> Tensor:
    """Kernels `(..., time)` to the matrices `(..., time, time)` that convolve causally with them."""
    time = kernel.shape[-1]
    return nn.functional.pad(kernel, (time - 1, 0)).unfold(-1, time, 1).flip(-1)


def exponential_filter(x: Tensor, log_decay: Tensor, weight: Tensor) -> Tensor:
    """Each dimension's weighted sum of running sums that forget at different rates.

    `y_t = sum_n weight_n s_{t,n}` with `s_t = exp(log_decay) s_{t-1} + x_t` from `s = 0`: a causal convolution. It is
    done in blocks: within them as a product with the kernel's Toeplitz matrix, between them through the states at
    their ends, the only ones that are kept. On a CPU, transforms (FFT) take half as long again.

    Args:
        x: `(directions, time, batch, width)`, one step at least.
        log_decay: `(directions, width, n)`, negative.
        weight: `(directions, width, n)`.

    Returns:
        The same shape as `x`.
    """
    directions, time, batch, width = x.shape
    length = math.ceil(math.sqrt(time))
    count = math.ceil(time / length)
    rows = nn.functional.pad(x, (0, 0, 0, 0, 0, count * length - time)).unflatten(1, (count, length))
    rows = rows.permute(0, 4, 2, 1, 3).reshape(directions * width, length, count * batch)
    log_decay, weight = log_decay.flatten(0, 1)[..., None], weight.flatten(0, 1)[..., None]  # (rows, n, 1)
    powers = torch.exp(log_decay * torch.arange(length + 1, device=x.device))  # (rows, n, length + 1)
    within = _toeplitz((weight * powers[..., :-1]).sum(1))
    ends = torch.bmm(powers[..., :-1].flip(-1), rows).view(-1, count, batch)  # of each block by itself
    running = linear_scan(powers[..., -1:].reshape(-1, 1, 1).expand_as(ends), ends)
    starts = nn.functional.pad(running[:, :-1], (0, 0, 1, 0)).view(len(rows), -1, count * batch)
    y = torch.baddbmm(torch.bmm(within, rows), (weight * powers[..., 1:]).transpose(1, 2), starts)
    y = y.view(directions, width, length, count, batch).permute(0, 3, 2, 4, 1)
    return y.flatten(1, 2)[:, :time]

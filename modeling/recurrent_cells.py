"""The cells of recurrent layers, a time step of each and its gradient: GRU, LSTM and the plain (Elman) RNN.

A step takes the inputs' share of the gates, the products that give the states' share, and the states `(directions,
sequences, size)`. It writes the new states into `out`, and what its gradient needs into `kept`. There is one product
for each of the cell's `blocks`, numbers of gates; the first one is of the states as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Product(Protocol):
    """States `(directions, rows, size)` to their share of the gates, `(directions, rows, gates * size)`.

    With `onto`, of that shape, the sum of both goes into `out`; without it the bias is added.
    """

    def __call__(self, states: Tensor, onto: Tensor | None = None, out: Tensor | None = None) -> Tensor: ...


Pull = Callable[[int, Tensor], Tensor]
"""The gradient of a block's share of the gates to that of what the block's product was taken of."""


def _tanh(x: Tensor, out: Tensor) -> Tensor:
    """The hyperbolic tangent into `out`: on a CPU by the logistic function, which is several times faster there."""
    if x.is_cuda:
        return torch.tanh(x, out=out)
    return torch.mul(x, 2, out=out).sigmoid_().mul_(2).sub_(1)


class GRUCell:
    """Gated recurrent unit (Cho et al. 2014), reset gate after the product, as cuDNN and PyTorch compute it."""

    blocks = (3,)
    states = 1
    saved = 4  # reset, update, candidate, and the candidate's recurrent part
    additive = False  # the states' share of the candidate has a gradient, and a bias, of its own

    @staticmethod
    def forward(x: Tensor, products: Sequence[Product], state: list[Tensor], out: list[Tensor], kept: Tensor) -> None:
        size, recurrent = out[0].shape[-1], products[0](state[0])
        gates = kept[..., : 2 * size]
        torch.add(x[..., : 2 * size].to(kept.dtype), recurrent[..., : 2 * size], out=gates).sigmoid_()
        reset, update = gates[..., :size], gates[..., size:]
        candidate, hidden = kept[..., 2 * size : 3 * size], kept[..., 3 * size :]
        hidden.copy_(recurrent[..., 2 * size :])
        _tanh(candidate.copy_(x[..., 2 * size :]).addcmul_(reset, hidden), out=candidate)
        torch.lerp(candidate, state[0], update, out=out[0])

    @staticmethod
    def backward(
        grad: list[Tensor], state: list[Tensor], out: list[Tensor], kept: Tensor, dx: Tensor, dr: Tensor, pull: Pull
    ) -> list[Tensor | None]:
        size = out[0].shape[-1]
        reset, update, candidate, hidden = kept.split(size, -1)
        dh = grad[0]
        keep = dh * update
        d_candidate = dx[..., 2 * size :]
        torch.mul(dh - keep, 1 - candidate * candidate, out=d_candidate)
        d_update = dx[..., size : 2 * size]
        torch.mul(keep * (1 - update), state[0] - candidate, out=d_update)
        d_reset = dx[..., :size]
        torch.mul(d_candidate * hidden, reset * (1 - reset), out=d_reset)
        dr[..., : 2 * size] = dx[..., : 2 * size]
        torch.mul(d_candidate, reset, out=dr[..., 2 * size :])
        return [keep]


class GRUResetBeforeCell:
    """Gated recurrent unit, reset gate before the product: `tanh(W x + U (r * h) + b)` (Cho et al. 2014, eq. 8)."""

    blocks = (2, 1)  # reset and update of the state; the candidate of what the reset gate leaves of it
    states = 1
    saved = 4  # reset, update, candidate, and what the reset gate left
    additive = True

    @staticmethod
    def forward(x: Tensor, products: Sequence[Product], state: list[Tensor], out: list[Tensor], kept: Tensor) -> None:
        size = out[0].shape[-1]
        reset, update, candidate, left = kept.split(size, -1)
        products[0](state[0], onto=x[..., : 2 * size], out=kept[..., : 2 * size]).sigmoid_()
        torch.mul(reset, state[0], out=left)
        _tanh(products[1](left, onto=x[..., 2 * size :], out=candidate), out=candidate)
        torch.lerp(candidate, state[0], update, out=out[0])

    @staticmethod
    def backward(
        grad: list[Tensor], state: list[Tensor], out: list[Tensor], kept: Tensor, dx: Tensor, dr: Tensor, pull: Pull
    ) -> list[Tensor | None]:
        size = out[0].shape[-1]
        reset, update, candidate, _ = kept.split(size, -1)
        d_reset, d_update, d_candidate = dx.split(size, -1)
        keep = grad[0] * update
        torch.mul(grad[0] - keep, 1 - candidate * candidate, out=d_candidate)
        torch.mul(keep * (1 - update), state[0] - candidate, out=d_update)
        d_left = pull(1, d_candidate)
        torch.mul(d_left * state[0], reset * (1 - reset), out=d_reset)
        return [keep.addcmul_(d_left, reset)]

    @staticmethod
    def multiplied(block: int, states: Tensor, kept: Tensor) -> Tensor:
        """What a block's product was taken of: states `(directions, steps, size)`, or what was left of them."""
        return kept[..., 3 * states.shape[-1] :] if block else states


class LSTMCell:
    """Long short-term memory with a forget gate (Gers et al. 2000); gates in the order input, forget, cell, output."""

    blocks = (4,)
    states = 2
    saved = 5  # the four gates and tanh of the cell
    additive = True  # the shares of inputs and states are added, and have the same gradient, and the same bias

    @staticmethod
    def forward(x: Tensor, products: Sequence[Product], state: list[Tensor], out: list[Tensor], kept: Tensor) -> None:
        size = out[0].shape[-1]
        gates = products[0](state[0], onto=x, out=kept[..., : 4 * size])
        enter, forget, cell, leave, cell_tanh = kept.split(size, -1)
        if x.is_cuda:
            gates[..., : 2 * size].sigmoid_()
            cell.tanh_()
            leave.sigmoid_()
        else:  # all in one pass; see `_tanh`
            cell.mul_(2)
            gates.sigmoid_()
            cell.mul_(2).sub_(1)
        torch.mul(forget, state[1], out=out[1]).addcmul_(enter, cell)
        torch.mul(leave, _tanh(out[1], out=cell_tanh), out=out[0])

    @staticmethod
    def backward(
        grad: list[Tensor], state: list[Tensor], out: list[Tensor], kept: Tensor, dx: Tensor, dr: Tensor, pull: Pull
    ) -> list[Tensor | None]:
        size = out[0].shape[-1]
        enter, forget, cell, leave, cell_tanh = kept.split(size, -1)
        dh, dc = grad
        d_leave = dh * leave
        dc = torch.addcmul(dc, d_leave, 1 - cell_tanh * cell_tanh)
        d_enter, d_forget, d_cell, d_output = dx.split(size, -1)
        torch.mul(dc * cell, enter * (1 - enter), out=d_enter)
        torch.mul(dc * state[1], forget * (1 - forget), out=d_forget)
        torch.mul(dc * enter, 1 - cell * cell, out=d_cell)
        torch.mul(d_leave * cell_tanh, 1 - leave, out=d_output)
        return [None, dc.mul_(forget)]


class RNNCell:
    """The plain recurrence `h_t = tanh(W x_t + U h_{t-1} + b)` (Elman 1990)."""

    blocks = (1,)
    states = 1
    saved = 0
    additive = True

    @staticmethod
    def forward(x: Tensor, products: Sequence[Product], state: list[Tensor], out: list[Tensor], kept: Tensor) -> None:
        _tanh(products[0](state[0], onto=x, out=out[0]), out=out[0])

    @staticmethod
    def backward(
        grad: list[Tensor], state: list[Tensor], out: list[Tensor], kept: Tensor, dx: Tensor, dr: Tensor, pull: Pull
    ) -> list[Tensor | None]:
        torch.mul(grad[0], 1 - out[0] * out[0], out=dx)
        return [None]


CELLS: dict[str, Any] = {"gru": GRUCell, "gru-reset-before": GRUResetBeforeCell, "lstm": LSTMCell, "rnn": RNNCell}

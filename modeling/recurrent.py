"""Recurrent layers over ragged batches, one way or both ways: GRU, LSTM and the plain (Elman) RNN.

Batches are packed (see `packing.py`), so nothing is computed for padding, and two directions run in one batched matrix
product a step.

The loop over time is one `torch.autograd.Function` for all cells. Its backward pass walks the steps in reverse and
leaves the weights' gradient to a single product at the end, where autograd would make one a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .dropout import Dropout
from .forked import one_thread_when_forked
from .fused_lstm import fits_fused, fits_small, run_fused, run_small
from .one_sequence import fits_one, run_one
from .packing import Packing
from .recurrent_cells import CELLS, Product


def _product(
    weight: Tensor, bias: Tensor | None, states: Tensor, onto: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """The plain product, of each direction; see `Product`."""
    states = states.to(weight.dtype)
    if onto is None or out is None:
        return torch.bmm(states, weight) if bias is None else torch.baddbmm(bias, states, weight)
    if onto.dtype == weight.dtype == out.dtype:
        return torch.baddbmm(onto, states, weight, out=out)
    return torch.add(onto.to(out.dtype), torch.bmm(states, weight), out=out)


def gates_of(cell: str) -> int:
    """How many times its state's size a cell's gates are wide."""
    return sum(CELLS[cell].blocks)


def in_blocks(cell: Any, size: int, tensor: Tensor) -> tuple[Tensor, ...]:
    """`(..., gates * size)` cut into one `(..., gates of a block * size)` for each of a cell's products."""
    if len(cell.blocks) == 1:
        return (tensor,)
    return tuple(part.contiguous() for part in tensor.split([gates * size for gates in cell.blocks], -1))


def _products(cell: Any, weight: Tensor, bias: Tensor | None) -> list[Product]:
    """A cell's plain products; only a cell of one block has a bias in it."""
    return [partial(_product, part, bias) for part in in_blocks(cell, weight.shape[1], weight)]


def _run(
    x: Tensor, products: Sequence[Product], sizes: list[int], cell: Any, initial: list[Tensor], keep: bool
) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """The loop over time: states `(directions, steps, size)`, what the backward pass needs if kept, last states."""
    directions, steps, _ = x.shape
    size = initial[0].shape[-1]
    out = [initial[0].new_empty(directions, steps, size) for _ in range(cell.states)]
    kept = out[0].new_empty(directions, steps if keep else sizes[0], cell.saved * size)
    final = [state.clone() for state in initial]
    state, start = initial, 0
    for n in sizes:
        rows = slice(start, start + n)
        for ended, states in zip(final, state, strict=True):  # those that ran a step ago and run no more
            if start and states.shape[1] > n:
                ended[:, n : states.shape[1]] = states[:, n:]
        state = [s[:, :n] for s in state]
        now = [o[:, rows] for o in out]
        cell.forward(x[:, rows], products, state, now, kept[:, rows if keep else slice(n)])
        state = now
        start += n
    for ended, states in zip(final, state, strict=True):
        ended[:, : states.shape[1]] = states
    return out, kept, final


class _Scan(torch.autograd.Function):
    """`_run` and its gradient.

    `x` is `(directions, steps, gates * size)`, the weight `(directions, size, gates * size)`. States are float32 at
    least. Products are in the type of `weight`, which under autocast is a shorter one.

    Returns the hidden states `(directions, steps, size)`, and each sequence's last states `(directions, batch, size)`,
    as the initial ones come: longest first.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, sizes: list[int], cell: Any, *initial: Tensor
    ) -> tuple[Tensor, ...]:
        out, kept, final = _run(x, _products(cell, weight, bias), sizes, cell, list(initial), keep=True)
        ctx.save_for_backward(weight, kept, *initial, *out)
        ctx.sizes, ctx.cell, ctx.x_dtype = sizes, cell, x.dtype
        return out[0], *final

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *grad_final: Tensor) -> tuple[Tensor | None, ...]:
        weight, kept, *states = ctx.saved_tensors
        sizes, cell = ctx.sizes, ctx.cell
        initial, out = states[: cell.states], states[cell.states :]
        directions, steps, size = out[0].shape
        dx = grad.new_empty(directions, steps, sum(cell.blocks) * size)
        dr = dx if cell.additive else torch.empty_like(dx)
        previous: list[Tensor] = []  # the state that each step started from, the last step first
        carry = [final.clone() for final in grad_final]
        transposed = [part.transpose(1, 2) for part in in_blocks(cell, size, weight)]

        def pull(block: int, d_share: Tensor) -> Tensor:
            return torch.bmm(d_share.to(weight.dtype), transposed[block]).to(grad.dtype)

        end = steps
        for t in range(len(sizes) - 1, -1, -1):
            n = sizes[t]
            rows = slice(end - n, end)
            before = slice(end - n - sizes[t - 1], end - sizes[t - 1]) if t else None
            state = [o[:, before] for o in out] if before else [s[:, :n] for s in initial]
            previous.append(state[0])
            incoming = [c[:, :n] for c in carry]
            incoming[0] = incoming[0] + grad[:, rows]
            now = [o[:, rows] for o in out]
            passed = cell.backward(incoming, state, now, kept[:, rows], dx[:, rows], dr[:, rows], pull)
            pulled = pull(0, dr[:, rows, : cell.blocks[0] * size])
            passed[0] = pulled if passed[0] is None else passed[0].add_(pulled)
            for index, p in enumerate(passed):
                if carry[index].shape == p.shape:
                    carry[index] = p
                else:
                    carry[index][:, :n] = p
            end -= n
        before_all = torch.cat([state.to(weight.dtype) for state in reversed(previous)], dim=1)
        d_weight = _weight_gradient(cell, before_all, kept, dr.to(weight.dtype))
        d_bias = None if cell.additive else dr.sum(1, keepdim=True)
        return dx.to(ctx.x_dtype), d_weight, d_bias, None, None, *carry


def _weight_gradient(cell: Any, states: Tensor, kept: Tensor, d_share: Tensor) -> Tensor:
    """Of all steps by one product a block: states that the steps started from, `(directions, steps, size)`."""
    if len(cell.blocks) == 1:
        return torch.bmm(states.transpose(1, 2), d_share)
    parts = enumerate(d_share.split([gates * states.shape[-1] for gates in cell.blocks], -1))
    taken = [(cell.multiplied(block, states, kept).to(states.dtype), part) for block, part in parts]
    return torch.cat([torch.bmm(of.transpose(1, 2), part) for of, part in taken], -1)


def scan(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: list[int],
    cell: str,
    initial: list[Tensor] | None = None,
    products: Sequence[Product] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Run a cell over packed sequences.

    Args:
        x: `(directions, steps, gates * size)`, the inputs' share of the gates.
        weight: `(directions, size, gates * size)`, recurrent.
        bias: `(directions, 1, gates * size)`, of the recurrent product; None where `x` has it (not of a GRU).
        sizes: sequences running at each time step, never rising.
        cell: "gru", "gru-reset-before", "lstm" or "rnn".
        initial: the states to start from, the hidden one and with an LSTM the cell, `(directions, batch, size)` each,
            longest sequence first; zeros by default.
        products: in place of weight and bias, from states to their share of the gates; for inference alone.

    Returns:
        Hidden states `(directions, steps, size)`, and the states that each sequence ends with, as the initial ones
        come; an empty sequence ends with what it started from.
    """
    if initial is None:
        batch = sizes[0] if sizes else 0
        initial = [x.new_zeros(x.shape[0], batch, weight.shape[1]) for _ in range(CELLS[cell].states)]
    if not sizes:
        return x.new_zeros(x.shape[0], 0, weight.shape[1]), initial
    if CELLS[cell].additive and bias is not None:
        x, bias = x + bias, None
    device = x.device.type
    if torch.is_autocast_enabled(device):
        short = torch.get_autocast_dtype(device)
        weight, bias = weight.to(short), None if bias is None else bias.to(short)
        initial = [state.float() for state in initial]
    with torch.autocast(device, enabled=False):
        if not torch.is_grad_enabled():
            products = products or _products(CELLS[cell], weight, bias)
            out, _, final = _run(x, products, sizes, CELLS[cell], initial, keep=False)
            return out[0], final
        hidden, *final = _Scan.apply(x, weight, bias, sizes, CELLS[cell], *initial)
    return hidden, final


def project_rows(layer: Any, inputs: Tensor) -> Tensor:
    """What a layer makes of inputs `(rows, input_size)` wherever they stand: `(directions, rows, ...)`."""
    inputs = inputs.to(layer.input_weight.device)  # of a model that is spread over several
    projected: Tensor = layer.project(inputs.expand(len(layer.input_weight), -1, -1))
    return projected


def project_steps(layer: Any, packed: Tensor, packing: Packing, table: Tensor | None) -> Tensor:
    """The same of packed steps, each direction in its own order: of inputs, or of rows `(steps,)` of a table."""
    if table is not None:
        return packing.look_up(table, packed)
    projected: Tensor = layer.project(packing.ways(packed, len(layer.input_weight)))
    return projected


class RecurrentLayer(nn.Module):
    """One layer, read one way or both ways: packed `(steps, input_size)` to `(steps, directions * hidden_size)`."""

    def __init__(self, cell: str, input_size: int, hidden_size: int, directions: int = 2) -> None:
        super().__init__()
        self.cell, self.directions = cell, directions
        width = gates_of(cell) * hidden_size
        self.input_weight = nn.Parameter(torch.empty(directions, input_size, width))
        self.input_bias = nn.Parameter(torch.empty(directions, 1, width))
        self.recurrent_weight = nn.Parameter(torch.empty(directions, hidden_size, width))
        self.recurrent_bias = nn.Parameter(torch.empty(directions, 1, width))
        self.products: tuple[Product, list[Product]] | None = None  # of inputs and states, with quantised weights
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, initializer: str = "uniform") -> None:
        """Start the weights: "uniform", "orthogonal", "glorot" or "normal", as the configuration describes them."""
        size = self.recurrent_weight.shape[1]
        if initializer == "uniform":
            for parameter in self.parameters():
                init.uniform_(parameter, -math.sqrt(1 / size), math.sqrt(1 / size))
            return
        of_states = init.orthogonal_ if initializer == "orthogonal" else init.xavier_uniform_
        for weight, start in ((self.input_weight, init.xavier_uniform_), (self.recurrent_weight, of_states)):
            if initializer == "normal":
                init.normal_(weight, 0.0, 0.1)
            elif not getattr(weight, "_is_hf_initialized", False):  # a block for each direction and gate
                for direction in weight:
                    for block in direction.split(size, dim=1):
                        start(block)
        init.zeros_(self.input_bias)
        init.zeros_(self.recurrent_bias)
        forgets = self.cell == "lstm" and initializer != "normal"
        if forgets and not getattr(self.input_bias, "_is_hf_initialized", False):
            self.input_bias[..., size : 2 * size] = 1.0  # remember at first (Jozefowicz et al. 2015)

    def project(self, inputs: Tensor) -> Tensor:
        """`(directions, rows, input_size)` to the inputs' share of the gates, `(directions, rows, gates * size)`."""
        if self.products is not None and self.training:
            raise RuntimeError("Layers with quantised weights cannot be trained. Call model.eval().")
        if self.products is not None:
            return self.products[0](inputs)
        return _product(self.input_weight, self.projection_bias, inputs)

    @property
    def projection_bias(self) -> Tensor:
        """Of the inputs' share of the gates; where the states' share is only added to it, with the bias of that."""
        return self.input_bias + self.recurrent_bias if CELLS[self.cell].additive else self.input_bias

    @property
    def state_weights(self) -> tuple[Tensor, ...]:
        """Of the states' share of the gates, `(directions, hidden_size, ...)` for each product that the cell takes."""
        return in_blocks(CELLS[self.cell], self.recurrent_weight.shape[1], self.recurrent_weight)

    @property
    def state_bias(self) -> Tensor | None:
        """What is left for the states' share."""
        return None if CELLS[self.cell].additive else self.recurrent_bias

    def fits_fused(self, like: Tensor, packing: Packing, ends: bool = True) -> bool:
        """Whether one kernel reads all steps of a batch, which no table helps; see `fused_lstm`."""
        return self.cell == "lstm" and self.products is None and fits_fused(like, packing, ends)

    def forward(
        self,
        packed: Tensor,
        packing: Packing,
        initial: list[Tensor],
        table: Tensor | None = None,
        ends: bool = True,
    ) -> tuple[Tensor, list[Tensor]]:
        """Read packed sequences.

        Args:
            packed: `(steps, input_size)`; with a table `(steps,)` ids, rows of it.
            packing: of the sequences.
            initial: as `scan` takes them.
            table: of `project`.
            ends: whether the last states are wanted.

        Returns:
            `(steps, directions * hidden_size)`, the forward half first, and the last states as `scan` gives them, if
            they are wanted.
        """
        if table is None and self.products is None:
            parameters = self.input_weight, self.recurrent_weight, self.input_bias, self.recurrent_bias
            if fits_small(self.cell, packed, packing):
                return run_small(self.cell, packed, packing, parameters, initial)
            if self.fits_fused(packed, packing, ends):
                return run_fused(packed, packing, parameters, initial)
        if self.products is not None and (initial[0].abs() > 1).any():
            raise ValueError("The initial hidden states go beyond 1, as none that these cells make do.")
        projected = project_steps(self, packed, packing, table)
        of_states = None if self.products is None else self.products[1]
        weights = self.recurrent_weight, self.state_bias
        hidden, final = scan(projected, *weights, packing.sizes, self.cell, initial, of_states)
        return packing.side_by_side(hidden), final


class RecurrentStack(nn.Module):
    """Layers upon each other, dropout before each but the first."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        directions: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.directions, self.output_size = directions, directions * hidden_size
        widths = [input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(cell, width, hidden_size, directions) for width in widths)
        self.dropout = Dropout(dropout)

    def project(self, inputs: Tensor) -> Tensor:
        """What the first layer makes of inputs wherever they stand: to be made once for each that recurs.

        Args:
            inputs: `(rows, input_size)`.

        Returns:
            `(directions, rows, gates * hidden_size)`.
        """
        return project_rows(self.layers[0], inputs)

    def read(
        self,
        embedding: nn.Embedding,
        dropout: Dropout,
        ids: Tensor,
        packing: Packing,
        initial: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, of ids `(steps,)` and their embeddings; each is projected once, where that is less work."""
        rows, dropped = embedding.weight, dropout.training and dropout.p
        fused = self.layers[0].fits_fused(rows, packing)  # type: ignore[operator]
        # On another device its module has to fetch it.
        if len(rows) < len(ids) and rows.device == ids.device and not dropped and not fused:
            return self(ids, packing, initial, self.project(rows))
        return self(dropout(embedding(ids)), packing, initial)

    def forward(
        self, packed: Tensor, packing: Packing, initial: Tensor | None = None, table: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read packed sequences.

        Args:
            packed: `(steps, input_size)`; with a table `(steps,)` ids, rows of it.
            packing: of the sequences.
            table: of `project`.
            initial: `(batch, layers, states, directions * hidden_size)`, the state that each layer starts from (an
                LSTM has two, hidden and cell), in the order of the padded batch; zeros by default.

        Returns:
            `(steps, directions * hidden_size)`, the top layer's; and the states that it ends with, as the initial ones
            come: of the backward direction, those at the sequence's first step.
        """
        packed, finals = self._read(packed, packing, initial, table, ends=True)
        final_states = torch.stack([torch.stack(final) for final in finals]).permute(3, 0, 1, 2, 4).flatten(3)
        return packed, torch.empty_like(final_states).index_copy(0, packing.order, final_states)

    def outputs(self, packed: Tensor, packing: Packing, table: Tensor | None = None) -> Tensor:
        """As `forward`, without the last states: what is read faster where they are not wanted."""
        like = packed if table is None else table
        if fits_one(like, packing.sizes):
            for index, layer in enumerate(self.layers):
                packed = run_one(layer, packed, None if index else table)
            return packed
        return self._read(packed, packing, None, table, ends=False)[0]

    def _read(
        self, packed: Tensor, packing: Packing, initial: Tensor | None, table: Tensor | None, ends: bool
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """The top layer's states; and those that each layer ends with, as `scan` gives them, if they are wanted."""
        batch, order = packing.shape[0], packing.order
        if initial is None:
            states = CELLS[self.layers[0].cell].states  # type: ignore[index]
            like = packed if table is None else table
            initial = like.new_zeros(batch, len(self.layers), states, self.output_size)
        # To the form of `scan`: (layers, states, directions, batch, size), longest first.
        sorted_states = initial[order].unflatten(-1, (self.directions, -1)).permute(1, 2, 3, 0, 4)
        finals = []
        for index, layer in enumerate(self.layers):
            dropped = self.dropout(packed) if index else packed
            packed, final = layer(dropped, packing, list(sorted_states[index]), None if index else table, ends)
            finals.append(final)
        return packed, finals


one_thread_when_forked()

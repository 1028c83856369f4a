"""Recurrent layers whose state enters its own recurrence linearly, element by element: SRU and the linear RNN.

Nothing of the state goes through a matrix on its way from step to step, so that all matrix products are over all
words at once and the recurrence itself runs in blocks, side by side: some `sqrt(time)` steps where an LSTM takes
`time`. Both layers read packed sequences as those of `recurrent.py` do; the recurrence alone is over a padded grid.

SRU (Lei, Zhang, Wang, Dai, Artzi 2018, *Simple Recurrent Units for Highly Parallelizable Recurrence*):

    f_t = sigmoid(W_f x_t + v_f * c_{t-1} + b_f)        forget gate
    r_t = sigmoid(W_r x_t + v_r * c_{t-1} + b_r)        highway gate
    c_t = f_t c_{t-1} + (1 - f_t) (W x_t)               state
    h_t = r_t c_t + (1 - r_t) alpha x'_t                x' is x, or a projection where widths differ

Without the terms of `c_{t-1}` (v = 0) the gates depend on the words alone, and the state runs in blocks. With them the
paper's gates look at the state; then `f` must be known before the next `c`, and the state goes step by step.

Linear RNN: a dense map `z_t = W x_t + b`, and for each of its dimensions a state of `n` numbers that decay at `n`
rates. A highway gate chooses between what the states hold and the present word, since without something nonlinear
layers upon each other would be no more than one:

    s_t = A s_{t-1} + beta z_t                          A diagonal, within (0, 1)
    h_t = g_t (eta . s_t) + (1 - g_t) z_t               g_t = sigmoid(W_g x_t + b_g)

The plain form has no gate, `h_t = eta . s_t`: a convolution of `z` with the kernel `k_j = eta . A^j beta`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .dropout import Dropout
from .linear_scans import exponential_filter, gated_scan, linear_scan
from .packing import Packing
from .recurrent import project_rows, project_steps


class _Grid(NamedTuple):
    """The padded, time-major grid of packed sequences. Padding follows a sequence, and never enters its states.

    Attributes:
        rows: `(steps,)`, the position of each packed row in the flattened `(time * batch)` grid.
        time: of the longest sequence.
        batch: how many sequences.
    """

    rows: Tensor
    time: int
    batch: int

    @classmethod
    def of(cls, packing: Packing) -> _Grid:
        batch, time = packing.shape
        return cls(packing.gather % time * batch + packing.gather // time, len(packing.sizes), batch)

    def spread(self, packed: Tensor) -> Tensor:
        """`(directions, steps, width)` to `(directions, time, batch, width)`, zeros at padding."""
        directions, steps, width = packed.shape
        if steps == self.time * self.batch:  # no padding, and the rows in order
            return packed.view(directions, self.time, self.batch, width)
        grid = packed.new_zeros(directions, self.time * self.batch, width)
        return grid.index_copy_(1, self.rows, packed).unflatten(1, (self.time, self.batch))

    def collect(self, grid: Tensor) -> Tensor:
        """Back to `(directions, steps, width)`."""
        flat = grid.flatten(1, 2)
        return flat if flat.shape[1] == len(self.rows) else flat[:, self.rows]


def _state_type(dtype: torch.dtype) -> torch.dtype:
    """States are float32 at least."""
    return torch.promote_types(dtype, torch.float32)


class SRULayer(nn.Module):
    """One layer of simple recurrent units, read one way or both ways; the formulas stand at the top of this file.

    Where the input is as wide as the output of all directions together, the highway carries it as it is, to each
    direction its own part; elsewhere projected.

    Args:
        input_size: width of the input.
        hidden_size: width of the state and of the output, for each direction.
        directions: 1 or 2.
        state_gates: have gates that look at the state, as in the paper.
    """

    alpha = math.sqrt(3)  # the highway's scale, at which variance passes (section 3.2, at highway biases of 0)

    def __init__(self, input_size: int, hidden_size: int, directions: int = 2, state_gates: bool = False) -> None:
        super().__init__()
        self.directions, self.hidden_size = directions, hidden_size
        self.projects = input_size != directions * hidden_size
        # in the order candidate, forget gate, highway gate, projection
        self.input_weight = nn.Parameter(torch.empty(directions, input_size, (3 + self.projects) * hidden_size))
        self.gate_bias = nn.Parameter(torch.empty(directions, 1, 2 * hidden_size))
        # in the order forget gate, highway gate
        self.state_weight = nn.Parameter(torch.empty(directions, 1, 2 * hidden_size)) if state_gates else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start the weights as the paper does (section 3.2): variance 1 / input_size, biases 0. The states' are 0."""
        bound = math.sqrt(3 / self.input_weight.shape[1])
        init.uniform_(self.input_weight, -bound, bound)
        init.zeros_(self.gate_bias)
        if self.state_weight is not None:
            init.zeros_(self.state_weight)

    def project(self, inputs: Tensor) -> Tensor:
        """`(directions, rows, input_size)` to candidate, gates and highway, `(directions, rows, 4 * hidden_size)`."""
        size = self.hidden_size
        bias = nn.functional.pad(self.gate_bias, (size, size * self.projects))
        x = torch.baddbmm(bias, inputs, self.input_weight)
        return x if self.projects else torch.cat([x, self._own_part(inputs).to(x.dtype)], dim=-1)

    def forward(self, packed: Tensor, packing: Packing, grid: _Grid, table: Tensor | None = None) -> Tensor:
        """Packed `(steps, input_size)`, or rows `(steps,)` of a table, to `(directions, steps, hidden_size)`."""
        projected = project_steps(self, packed, packing, table)
        size = self.hidden_size
        candidate, gates, skip = projected.to(_state_type(projected.dtype)).split([size, 2 * size, size], -1)
        if self.state_weight is not None:
            return self._with_state_gates(candidate, gates, skip, grid)
        forget, highway = gates.sigmoid().chunk(2, -1)
        enters = torch.addcmul(candidate, candidate, forget, value=-1)
        state = grid.collect(linear_scan(grid.spread(forget), grid.spread(enters)))
        return torch.lerp(self.alpha * skip, state, highway).to(self.input_weight.dtype)

    def _with_state_gates(self, candidate: Tensor, gates: Tensor, skip: Tensor, grid: _Grid) -> Tensor:
        assert self.state_weight is not None
        of_forget, of_highway = self.state_weight.to(gates.dtype).chunk(2, -1)
        forget, highway = gates.chunk(2, -1)
        states = gated_scan(grid.spread(forget), grid.spread(candidate), of_forget)
        before = grid.collect(nn.functional.pad(states[:, :-1], (0, 0, 0, 0, 1, 0)))
        highway = torch.addcmul(highway, of_highway, before).sigmoid()
        return torch.lerp(self.alpha * skip, grid.collect(states), highway).to(self.input_weight.dtype)

    def _own_part(self, inputs: Tensor) -> Tensor:
        """Of the input of each direction what the layer below read in that direction."""
        return inputs.unflatten(-1, (self.directions, -1)).diagonal(dim1=0, dim2=2).permute(2, 0, 1)


class LinearRNNLayer(nn.Module):
    """One linear recurrent layer with its gate, read one way or both ways; the formulas stand at the top of this file.

    Args:
        input_size: width of the input.
        hidden_size: width of the dense map and of the output, for each direction.
        directions: 1 or 2.
        state_size: numbers of the state of each dimension.
        gated: choose by a gate between the past and the present word; without it the layer is linear.
    """

    longest = 100  # time scale at the start, in words; the shortest is 1

    def __init__(
        self, input_size: int, hidden_size: int, directions: int = 2, state_size: int = 8, gated: bool = True
    ) -> None:
        super().__init__()
        self.gated = gated
        width = (1 + gated) * hidden_size  # dense map, gate
        self.input_weight = nn.Parameter(torch.empty(directions, input_size, width))
        self.input_bias = nn.Parameter(torch.empty(directions, 1, width))
        shape = directions, hidden_size, state_size
        self.decay_logit = nn.Parameter(torch.empty(shape))
        self.state_input = nn.Parameter(torch.empty(shape))  # beta
        self.state_output = nn.Parameter(torch.empty(shape))  # eta
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start the weights: time scales spread evenly on a logarithmic scale, states and outputs of unit variance."""
        bound = math.sqrt(3 / self.input_weight.shape[1])
        init.uniform_(self.input_weight, -bound, bound)
        init.zeros_(self.input_bias)
        size = self.decay_logit.shape[-1]
        rate = torch.logspace(0, -math.log10(self.longest), size, device=self.decay_logit.device)
        init.copy_(self.decay_logit, -rate.expm1().log().expand_as(self.decay_logit))  # sigmoid of it is exp(-rate)
        init.copy_(self.state_input, (-(-2 * rate).expm1()).sqrt().expand_as(self.state_input))
        init.normal_(self.state_output, 0.0, math.sqrt(1 / size))

    def project(self, inputs: Tensor) -> Tensor:
        """`(directions, rows, input_size)` to dense map and gate, `(directions, rows, hidden_size * (1 or 2))`."""
        return torch.baddbmm(self.input_bias, inputs, self.input_weight)

    def forward(self, packed: Tensor, packing: Packing, grid: _Grid, table: Tensor | None = None) -> Tensor:
        """Packed `(steps, input_size)`, or rows `(steps,)` of a table, to `(directions, steps, hidden_size)`."""
        projected = project_steps(self, packed, packing, table)
        dense, *gate = projected.to(_state_type(projected.dtype)).chunk(1 + self.gated, -1)
        log_decay = nn.functional.logsigmoid(self.decay_logit.to(dense.dtype))
        weight = self.state_input.to(dense.dtype) * self.state_output.to(dense.dtype)
        with torch.autocast(projected.device.type, enabled=False):
            past = grid.collect(exponential_filter(grid.spread(dense), log_decay, weight))
        return (torch.lerp(dense, past, gate[0].sigmoid()) if gate else past).to(self.input_weight.dtype)


LINEAR_LAYERS: dict[str, Any] = {
    "sru": SRULayer,
    "sru-state-gates": partial(SRULayer, state_gates=True),
    "linear-rnn": LinearRNNLayer,
    "linear-rnn-plain": partial(LinearRNNLayer, gated=False),
}


class LinearRecurrentStack(nn.Module):
    """Layers upon each other, dropout before each but the first; `RecurrentStack` for these recurrences.

    Args:
        cell: one of `LINEAR_LAYERS`.
        input_size: width of the input.
        hidden_size: width of each layer's output, for each direction.
        num_layers: layers.
        directions: 2 to read both ways, 1 to read forward alone.
        dropout: between the layers.
    """

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
        self.layers = nn.ModuleList(LINEAR_LAYERS[cell](width, hidden_size, directions) for width in widths)
        self.dropout = Dropout(dropout)

    def project(self, inputs: Tensor) -> Tensor:
        """What the first layer makes of inputs `(rows, input_size)` wherever they stand: `(directions, rows, ...)`."""
        return project_rows(self.layers[0], inputs)

    def forward(self, packed: Tensor, packing: Packing, table: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read packed sequences.

        Args:
            packed: `(steps, input_size)`; with a table `(steps,)` ids, rows of it.
            packing: of the sequences.
            table: of `project`.

        Returns:
            `(steps, directions * hidden_size)`, the top layer's; and `(batch, layers, 1, directions * hidden_size)`,
            what each layer gives where a sequence ends: of the backward direction, at the sequence's first step.
            Zeros for an empty sequence.
        """
        batch = packing.shape[0]
        if not packing.sizes:
            like = packed if table is None else table
            ends = like.new_zeros(batch, len(self.layers), 1, self.output_size)
            return like.new_zeros(0, self.output_size), ends
        grid, filled = _Grid.of(packing), packing.last[:, None] >= 0
        finals = []
        for index, layer in enumerate(self.layers):
            dropped = self.dropout(packed) if index else packed
            hidden = layer(dropped, packing, grid, None if index else table)
            finals.append((hidden[:, packing.last.clamp(min=0)] * filled).transpose(0, 1).flatten(1))
            packed = packing.side_by_side(hidden)
        return packed, torch.stack(finals, dim=1)[:, :, None]

    def outputs(self, packed: Tensor, packing: Packing, table: Tensor | None = None) -> Tensor:
        """As `forward`, without the last states."""
        return self(packed, packing, table)[0]

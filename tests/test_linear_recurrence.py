"""SRU and the linear RNN against plain loops over time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tagsmith.modeling.linear_recurrence import (
    LINEAR_LAYERS,
    LinearRecurrentStack,
    LinearRNNLayer,
    SRULayer,
)
from tagsmith.modeling.linear_scans import exponential_filter, linear_scan
from tagsmith.modeling.packing import Packing

CELL_NAMES = sorted(LINEAR_LAYERS)
LENGTHS = [3, 0, 5, 1, 5, 2]


def mask_of(lengths: list[int], time: int | None = None) -> Tensor:
    return torch.arange(max(lengths) if time is None else time) < torch.tensor(lengths)[:, None]


def stack_of(cell: str, layers: int = 2, directions: int = 2) -> LinearRecurrentStack:
    """Of 4 inputs and 3 outputs for each direction, in float64, its biases not 0."""
    torch.manual_seed(0)
    stack = LinearRecurrentStack(cell, 4, 3, layers, directions).double()
    for parameter in stack.parameters():
        nn.init.normal_(parameter, std=0.7)
    return stack


def stepped_scan(decay: Tensor, x: Tensor) -> Tensor:
    state, states = torch.zeros_like(x[:, 0]), []
    for a, b in zip(decay.unbind(1), x.unbind(1), strict=True):
        state = a * state + b
        states.append(state)
    return torch.stack(states, 1)


def stepped_filter(x: Tensor, log_decay: Tensor, weight: Tensor) -> Tensor:
    decay, weight = log_decay.exp()[:, None], weight[:, None]  # (directions, 1, width, n)
    state, outputs = x.new_zeros(()), []
    for step in x.unbind(1):
        state = decay * state + step[..., None]
        outputs.append((weight * state).sum(-1))
    return torch.stack(outputs, 1)


def stepped_sru(layer: SRULayer, x: Tensor, direction: int) -> Tensor:
    """One sequence `(time, input_size)` in one direction, as the paper writes it."""
    weight, bias = layer.input_weight[direction], layer.gate_bias[direction, 0]
    candidate_weight, forget_weight, highway_weight, *projection = weight.split(layer.hidden_size, 1)
    forget_bias, highway_bias = bias.chunk(2)
    state, outputs = x.new_zeros(layer.hidden_size), []
    of_state = x.new_zeros(2 * layer.hidden_size) if layer.state_weight is None else layer.state_weight[direction, 0]
    forget_state, highway_state = of_state.chunk(2)
    for word in x:
        forget = torch.sigmoid(word @ forget_weight + forget_state * state + forget_bias)
        highway = torch.sigmoid(word @ highway_weight + highway_state * state + highway_bias)
        state = forget * state + (1 - forget) * (word @ candidate_weight)
        skip = word @ projection[0] if projection else word.split(layer.hidden_size)[direction]
        outputs.append(highway * state + (1 - highway) * math.sqrt(3) * skip)
    return torch.stack(outputs)


def stepped_linear_rnn(layer: LinearRNNLayer, x: Tensor, direction: int) -> Tensor:
    dense_weight, *gate_weight = layer.input_weight[direction].chunk(1 + layer.gated, 1)
    dense_bias, *gate_bias = layer.input_bias[direction, 0].chunk(1 + layer.gated)
    decay, beta, eta = (p[direction] for p in (layer.decay_logit.sigmoid(), layer.state_input, layer.state_output))
    state, outputs = torch.zeros_like(decay), []
    for word in x:
        dense = word @ dense_weight + dense_bias
        state = decay * state + beta * dense[:, None]
        gate = torch.sigmoid(word @ gate_weight[0] + gate_bias[0]) if layer.gated else 1.0
        outputs.append(gate * (eta * state).sum(1) + (1 - gate) * dense)
    return torch.stack(outputs)


STEPPED: dict[str, Any] = {
    "sru": stepped_sru,
    "sru-state-gates": stepped_sru,
    "linear-rnn": stepped_linear_rnn,
    "linear-rnn-plain": stepped_linear_rnn,
}


def stepped_stack(cell: str, stack: LinearRecurrentStack, x: Tensor) -> Tensor:
    for layer in stack.layers:
        ways = [STEPPED[cell](layer, x, 0)]
        if stack.directions == 2:
            ways.append(STEPPED[cell](layer, x.flip(0), 1).flip(0))
        x = torch.cat(ways, 1)
    return x


def gradients_of(output: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(9)
    return torch.autograd.grad((output * torch.randn(output.shape, dtype=output.dtype)).sum(), inputs)


def single(layer: nn.Module) -> LinearRecurrentStack:
    """A stack of just this layer."""
    stack = LinearRecurrentStack("linear-rnn-plain", 4, 3, 1, 1)
    stack.layers[0] = layer
    return stack


times = st.one_of(st.integers(1, 12), st.integers(13, 60))


class TestLinearScan:
    @settings(max_examples=40, deadline=None)
    @given(times, st.integers(0, 3))
    def test_equals_the_loop_in_states_and_gradients(self, time: int, batch: int) -> None:
        torch.manual_seed(time)
        decay = torch.randn(2, time, batch, 3, dtype=torch.float64, requires_grad=True)  # above 1 and below 0 too
        x = torch.randn(2, time, batch, 3, dtype=torch.float64, requires_grad=True)
        states, expected = linear_scan(decay, x), stepped_scan(decay, x)
        torch.testing.assert_close(states, expected)
        for ours, theirs in zip(gradients_of(states, [decay, x]), gradients_of(expected, [decay, x]), strict=True):
            torch.testing.assert_close(ours, theirs)

    @pytest.mark.parametrize("time", [1, 2, 7])
    def test_passes_gradcheck(self, time: int) -> None:
        torch.manual_seed(0)
        inputs = [torch.randn(2, time, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
        assert torch.autograd.gradcheck(linear_scan, inputs)

    def test_takes_views_and_expanded_gradients(self) -> None:
        torch.manual_seed(0)
        both = torch.rand(1, 11, 2, 6, dtype=torch.float64, requires_grad=True)
        ours, theirs = linear_scan(*both.chunk(2, -1)), stepped_scan(*both.chunk(2, -1))
        torch.testing.assert_close(torch.autograd.grad(ours.sum(), both), torch.autograd.grad(theirs.sum(), both))

    def test_products_of_decays_may_vanish(self) -> None:
        torch.manual_seed(0)
        decay = (torch.rand(1, 400, 2, 3) * 1e-3).requires_grad_()
        decay.data[:, 50:60] = 0
        x = torch.randn(1, 400, 2, 3, requires_grad=True)
        states = linear_scan(decay, x)
        torch.testing.assert_close(states, stepped_scan(decay, x))
        assert all(g.isfinite().all() for g in gradients_of(states, [decay, x]))

    def test_is_accurate_over_long_sequences_in_float32(self) -> None:
        torch.manual_seed(0)
        decay, x = torch.rand(1, 2000, 2, 8) ** 0.01, torch.randn(1, 2000, 2, 8)  # remembers a hundred steps
        exact = stepped_scan(decay.double(), x.double())
        ours, theirs = ((f(decay, x) - exact).abs().max().item() for f in (linear_scan, stepped_scan))
        assert ours < 1.5 * theirs + 1e-6 < 1e-4


class TestExponentialFilter:
    def inputs(self, time: int, batch: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        torch.manual_seed(time)
        x = torch.randn(2, time, batch, 3, dtype=dtype, requires_grad=True)
        log_decay = (-(torch.rand(2, 3, 4, dtype=dtype) ** 3)).requires_grad_()
        return [x, log_decay, torch.randn(2, 3, 4, dtype=dtype, requires_grad=True)]

    @settings(max_examples=40, deadline=None)
    @given(times, st.integers(1, 3))
    def test_equals_the_loop_in_outputs_and_gradients(self, time: int, batch: int) -> None:
        inputs = self.inputs(time, batch)
        outputs, expected = exponential_filter(*inputs), stepped_filter(*inputs)
        torch.testing.assert_close(outputs, expected)
        for ours, theirs in zip(gradients_of(outputs, inputs), gradients_of(expected, inputs), strict=True):
            torch.testing.assert_close(ours, theirs)

    @pytest.mark.parametrize("time", [1, 2, 7])
    def test_passes_gradcheck(self, time: int) -> None:
        assert torch.autograd.gradcheck(exponential_filter, self.inputs(time, 2))

    def test_is_accurate_over_long_sequences_in_float32(self) -> None:
        inputs = self.inputs(2000, 2, torch.float32)
        exact = stepped_filter(*(x.double() for x in inputs))
        error = (exponential_filter(*inputs) - exact).abs().max()
        assert error < 1e-5 * exact.abs().max()


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELL_NAMES)
class TestStack:
    def test_equals_a_loop_over_each_sequence_in_outputs_and_gradients(self, cell: str, directions: int) -> None:
        """The batch is padded, and holds an empty sequence: a sequence is given what it is given alone."""
        stack = stack_of(cell, 3, directions)  # the second layer is as wide as its input, the first is not
        mask = mask_of(LENGTHS, 9)
        x = torch.randn(*mask.shape, 4, dtype=torch.float64)
        x[~mask] = float("nan")
        x.requires_grad_()
        packing = Packing.of(mask)
        packed, ends = stack(packing.pack(x), packing)
        outputs = packing.unpack(packed)
        expected = torch.zeros_like(outputs)
        for row, length in enumerate(LENGTHS):
            if length:
                expected[row, :length] = stepped_stack(cell, stack, x[row, :length])
        torch.testing.assert_close(outputs, expected)
        parameters = [x, *stack.parameters()]
        for ours, theirs in zip(gradients_of(outputs, parameters), gradients_of(expected, parameters), strict=True):
            torch.testing.assert_close(ours, theirs)
        assert ends.shape == (6, 3, 1, directions * 3)

    def test_gives_what_stands_at_the_ends(self, cell: str, directions: int) -> None:
        stack = stack_of(cell, 2, directions)
        packing = Packing.of(mask_of(LENGTHS))
        packed, ends = stack(torch.randn(sum(LENGTHS), 4, dtype=torch.float64), packing)
        outputs = packing.unpack(packed)
        for row, length in enumerate(LENGTHS):
            if length:
                at_ends = torch.cat([outputs[row, length - 1, :3], outputs[row, 0, 3:]])
                torch.testing.assert_close(ends[row, -1, 0], at_ends, rtol=0, atol=0)
            else:
                assert not ends[row].any()

    def test_a_batch_without_padding_is_the_same(self, cell: str, directions: int) -> None:
        stack = stack_of(cell, 2, directions)
        x = torch.randn(3, 6, 4, dtype=torch.float64)
        full, longer = Packing.of(mask_of([6, 6, 6])), Packing.of(mask_of([6, 6, 6, 7]))
        outputs = full.unpack(stack(full.pack(x), full)[0])
        padded = nn.functional.pad(x, (0, 0, 0, 1, 0, 1))
        torch.testing.assert_close(outputs, longer.unpack(stack(longer.pack(padded), longer)[0])[:3, :6])

    def test_of_nothing_is_nothing(self, cell: str, directions: int) -> None:
        packing = Packing.of(torch.zeros(2, 3, dtype=torch.bool))
        outputs, ends = stack_of(cell, 2, directions)(torch.empty(0, 4, dtype=torch.float64), packing)
        assert outputs.shape == (0, 3 * directions)
        assert ends.shape == (2, 2, 1, 3 * directions) and not ends.any()

    def test_runs_under_autocast_with_states_in_float32(self, cell: str, directions: int) -> None:
        stack = stack_of(cell, 2, directions).float()
        packing = Packing.of(mask_of(LENGTHS))
        x = torch.randn(sum(LENGTHS), 4)
        with torch.autocast("cpu", torch.bfloat16):
            outputs, ends = stack(x, packing)
            outputs.sum().backward()
        assert outputs.dtype == ends.dtype == torch.float32
        torch.testing.assert_close(outputs, stack(x, packing)[0], rtol=0.05, atol=0.1)
        assert all(p.grad is not None and p.grad.isfinite().all() for p in stack.parameters())

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_runs_in_half_precision(self, cell: str, directions: int, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        stack = LinearRecurrentStack(cell, 4, 3, 2, directions).double()
        packing = Packing.of(mask_of(LENGTHS))
        x = torch.randn(sum(LENGTHS), 4, dtype=torch.float64)
        expected = stack(x, packing)[0]
        outputs, ends = stack.to(dtype)(x.to(dtype), packing)
        assert outputs.dtype == ends.dtype == dtype
        torch.testing.assert_close(outputs.double(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("cell", CELL_NAMES)
class TestStart:
    def test_dropout_stands_between_layers_alone(self, cell: str) -> None:
        packing = Packing.of(mask_of([4, 2]))
        x = torch.randn(6, 4)
        for layers, changes in ((1, False), (2, True)):
            torch.manual_seed(0)
            stack = LinearRecurrentStack(cell, 4, 3, layers, dropout=0.5)
            assert torch.equal(stack(x, packing)[0], stack(x, packing)[0]) is not changes
            stack.eval()
            assert torch.equal(stack(x, packing)[0], stack(x, packing)[0])

    def test_variance_passes_through_layers(self, cell: str) -> None:
        torch.manual_seed(0)
        stack = LinearRecurrentStack(cell, 100, 50, 2)
        packing = Packing.of(mask_of([200, 150]))
        outputs, _ = stack(torch.randn(350, 100), packing)
        assert (
            0.25 < outputs.std() < (3 if cell == "linear-rnn-plain" else 2)
        )  # its states are alike from word to word

    def test_leaves_alone_what_a_checkpoint_filled(self, cell: str) -> None:
        layer = LINEAR_LAYERS[cell](3, 2)
        for parameter in layer.parameters():
            nn.init.constant_(parameter, 7.0)
            parameter._is_hf_initialized = True
        layer.reset_parameters()
        assert all((parameter == 7).all() for parameter in layer.parameters())


def test_gates_of_the_state_change_what_is_read() -> None:
    """They start as those of the words alone, whose weights they share."""
    torch.manual_seed(0)
    layer = stack_of("sru-state-gates", 1)
    packing = Packing.of(mask_of(LENGTHS))
    x = torch.randn(sum(LENGTHS), 4, dtype=torch.float64)
    changed = layer(x, packing)[0]
    nn.init.zeros_(layer.layers[0].state_weight)
    plain = stack_of("sru", 1)
    plain.load_state_dict(layer.state_dict(), strict=False)
    torch.testing.assert_close(layer(x, packing)[0], plain(x, packing)[0])
    assert not torch.allclose(changed, plain(x, packing)[0])


@pytest.mark.parametrize("time", [1, 2, 9, 40])
def test_the_plain_linear_rnn_is_a_convolution(time: int) -> None:
    """`y = sum_j k_j z_{t-j}` with `k_j = eta . A^j beta`, as recurrences of this form unroll."""
    torch.manual_seed(time)
    layer = LinearRNNLayer(4, 3, directions=1, gated=False).double()
    nn.init.normal_(layer.input_bias)
    packing = Packing.of(mask_of([time]))
    x = torch.randn(time, 4, dtype=torch.float64)
    outputs, _ = single(layer)(x, packing)
    z = x @ layer.input_weight[0] + layer.input_bias[0]
    powers = layer.decay_logit[0].sigmoid()[..., None] ** torch.arange(time)
    kernel = (layer.state_output[0, ..., None] * powers * layer.state_input[0, ..., None]).sum(1)  # (width, time)
    padded = nn.functional.pad(z.t()[None], (time - 1, 0))
    expected = nn.functional.conv1d(padded, kernel.flip(1)[:, None], groups=3)[0].t()
    torch.testing.assert_close(outputs, expected)


def test_time_scales_start_between_one_word_and_a_hundred() -> None:
    decay = LinearRNNLayer(3, 2, state_size=3).decay_logit.sigmoid()
    expected = torch.exp(-1 / torch.tensor([1.0, 10.0, 100.0]))
    torch.testing.assert_close(decay, expected.expand(2, 2, 3))


def test_states_start_with_unit_variance() -> None:
    layer = LinearRNNLayer(3, 2)
    power = layer.state_input**2 / (1 - layer.decay_logit.sigmoid() ** 2)  # of a state, at steps of variance 1
    torch.testing.assert_close(power, torch.ones_like(power), rtol=1e-4, atol=0)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # the compiler looks at it
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_compiles(cell: str) -> None:
    stack = stack_of(cell, 1)
    compiled = torch.compile(stack, backend="eager")
    packing = Packing.of(mask_of(LENGTHS))
    x = torch.randn(sum(LENGTHS), 4, dtype=torch.float64, requires_grad=True)
    ours, theirs = compiled(x, packing)[0], stack(x, packing)[0]
    torch.testing.assert_close(ours, theirs)
    inputs = [x, *stack.parameters()]
    for got, expected in zip(gradients_of(ours, inputs), gradients_of(theirs, inputs), strict=True):
        torch.testing.assert_close(got, expected)

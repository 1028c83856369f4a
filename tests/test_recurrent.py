"""Recurrent layers against PyTorch's own, and their packing."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tagsmith.modeling.linear_recurrence import LinearRecurrentStack
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.recurrent import CELLS, RecurrentLayer, RecurrentStack, gates_of, scan

CELL_NAMES = sorted(CELLS)
REFERENCES = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
LENGTHS = [3, 0, 5, 1, 5, 2]


def mask_of(lengths: list[int], time: int | None = None) -> Tensor:
    return torch.arange(max(lengths, default=0) if time is None else time) < torch.tensor(lengths).long()[:, None]


def encoder_of(cell: str, layers: int = 2, seed: int = 0) -> RecurrentStack:
    torch.manual_seed(seed)
    return RecurrentStack(cell, 4, 3, layers).double()


def reference_of(encoder: RecurrentStack) -> nn.RNNBase:
    """PyTorch's module with the same weights."""
    cell, layers = encoder.layers[0].cell, len(encoder.layers)
    reference = REFERENCES[cell](4, 3, num_layers=layers, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for index, layer in enumerate(encoder.layers):
            for direction, suffix in enumerate(("", "_reverse")):
                for theirs, ours in named_pairs(layer):
                    getattr(reference, f"{theirs}_l{index}{suffix}").copy_(ours[direction].t().squeeze(1))
    return reference


def named_pairs(layer: RecurrentLayer) -> list[tuple[str, Tensor]]:
    return [
        ("weight_ih", layer.input_weight),
        ("weight_hh", layer.recurrent_weight),
        ("bias_ih", layer.input_bias),
        ("bias_hh", layer.recurrent_bias),
    ]


lengths_of_batches = st.lists(st.integers(0, 5), max_size=6)


class TestPacking:
    @settings(max_examples=60, deadline=None)
    @given(lengths_of_batches, st.integers(0, 2))
    def test_what_is_packed_unpacks_with_zeros_at_padding(self, lengths: list[int], extra: int) -> None:
        mask = mask_of(lengths, max(lengths, default=0) + extra)
        packing = Packing.of(mask)
        padded = torch.rand(*mask.shape, 3) + 1
        packed = packing.pack(padded)
        assert packed.shape == (sum(lengths), 3)
        assert torch.equal(packing.unpack(packed), padded * mask[..., None])
        assert packing.shape == mask.shape
        assert sum(packing.sizes) == sum(lengths)
        assert packing.sizes == sorted(packing.sizes, reverse=True) and 0 not in packing.sizes

    @settings(max_examples=60, deadline=None)
    @given(lengths_of_batches)
    def test_mirror_reads_each_row_backwards_and_last_is_its_last_step(self, lengths: list[int]) -> None:
        mask = mask_of(lengths)
        packing = Packing.of(mask)
        batch, time = mask.shape
        grid = torch.arange(batch * time).view(batch, time)
        packed = packing.pack(grid)
        mirrored = packing.unpack(packed[packing.mirror])
        for row, length in enumerate(lengths):
            assert mirrored[row, :length].tolist() == grid[row, :length].flip(0).tolist()
            if length:
                assert packed[packing.last[row]] == grid[row, length - 1]
            else:
                assert packing.last[row] == -1

    @settings(max_examples=30, deadline=None)
    @given(lengths_of_batches)
    def test_steps_lie_together_longest_sequence_first(self, lengths: list[int]) -> None:
        packing = Packing.of(mask_of(lengths))
        time = packing.shape[1]
        rows, start = [], 0
        for step, size in enumerate(packing.sizes):
            block = packing.gather[start : start + size]
            assert (block % time == step).all()
            rows.append((block // time).tolist())
            start += size
        assert all(after == before[: len(after)] for before, after in pairwise(rows))

    @pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 0)])
    def test_takes_empty_grids(self, shape: tuple[int, int]) -> None:
        packing = Packing.of(torch.ones(shape, dtype=torch.bool))
        assert packing.sizes == [] and packing.shape == shape
        assert packing.unpack(packing.pack(torch.ones(*shape, 2))).shape == (*shape, 2)

    def test_takes_rows_that_are_all_empty(self) -> None:
        packing = Packing.of(torch.zeros(3, 4, dtype=torch.bool))
        assert packing.sizes == [] and packing.last.tolist() == [-1, -1, -1]

    @pytest.mark.parametrize("row", [[False, True], [True, False, True]])
    def test_refuses_padding_before_a_word(self, row: list[bool]) -> None:
        with pytest.raises(ValueError, match="1 rows of the mask have padding before a word"):
            Packing.of(torch.tensor([row, [True] * len(row)]))


def cho(layer: RecurrentLayer, x: Tensor) -> Tensor:
    """A sentence `(steps, size)` through a layer whose reset gate comes before the product, by the equations.

    Cho et al. (2014), equations 5 to 8; Yang et al. (2016), section 3.1, whose update gate is the share of the old
    state, too.
    """
    size = layer.recurrent_weight.shape[1]
    ways = []
    for direction in range(layer.directions):
        of_input = [part.t() for part in layer.input_weight[direction].split(size, 1)]
        of_state = [part.t() for part in layer.recurrent_weight[direction].split(size, 1)]
        bias = (layer.input_bias + layer.recurrent_bias)[direction, 0].split(size)
        h, states = x.new_zeros(size), []
        for step in x.flip(0) if direction else x:
            r = torch.sigmoid(of_input[0] @ step + of_state[0] @ h + bias[0])
            z = torch.sigmoid(of_input[1] @ step + of_state[1] @ h + bias[1])
            new = torch.tanh(of_input[2] @ step + of_state[2] @ (r * h) + bias[2])
            h = z * h + (1 - z) * new
            states.append(h)
        ways.append(torch.stack(states[::-1] if direction else states))
    return torch.cat(ways, -1)


def test_reset_before_the_product_is_the_papers() -> None:
    encoder, mask = encoder_of("gru-reset-before"), mask_of(LENGTHS)
    packing = Packing.of(mask)
    x = torch.randn(*mask.shape, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(*mask.shape, 6, dtype=torch.float64) * mask[..., None]
    ours = packing.unpack(encoder(packing.pack(x), packing)[0])
    theirs = torch.zeros_like(ours)
    for row, length in enumerate(LENGTHS):
        if length:
            states = x[row, :length]
            for layer in encoder.layers:
                states = cho(layer, states)
            theirs[row, :length] = states
    torch.testing.assert_close(ours, theirs)
    parameters = [x, *encoder.parameters()]
    gradients = [torch.autograd.grad((states * weights).sum(), parameters) for states in (ours, theirs)]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("cell", sorted(REFERENCES))
def test_agree_with_pytorch_in_outputs_and_all_gradients(cell: str) -> None:
    encoder = encoder_of(cell)
    reference = reference_of(encoder)
    torch.manual_seed(1)
    mask = mask_of(LENGTHS)
    packing = Packing.of(mask)
    ours_in = torch.randn(*mask.shape, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(*mask.shape, 6, dtype=torch.float64)
    ours = packing.unpack(encoder(packing.pack(ours_in), packing)[0])
    (ours * weights).sum().backward()

    theirs_in = ours_in.detach().clone().requires_grad_()
    filled = [row for row, length in enumerate(LENGTHS) if length]  # PyTorch refuses empty sequences
    sequence = nn.utils.rnn.pack_padded_sequence(
        theirs_in[filled], torch.tensor(LENGTHS)[filled], batch_first=True, enforce_sorted=False
    )
    theirs, _ = nn.utils.rnn.pad_packed_sequence(reference(sequence)[0], batch_first=True)
    (theirs * weights[filled]).sum().backward()

    torch.testing.assert_close(ours[filled], theirs)
    torch.testing.assert_close(ours_in.grad, theirs_in.grad)
    assert not ours[1].any()
    for index, layer in enumerate(encoder.layers):
        for direction, suffix in enumerate(("", "_reverse")):
            for name, parameter in named_pairs(layer):
                expected = getattr(reference, f"{name}_l{index}{suffix}").grad
                assert parameter.grad is not None
                torch.testing.assert_close(parameter.grad[direction].t().squeeze(1), expected)


@pytest.mark.parametrize("cell", CELL_NAMES)
class TestCells:
    def test_scan_passes_gradcheck(self, cell: str) -> None:
        torch.manual_seed(2)
        width = gates_of(cell) * 2
        sizes = [3, 2, 2, 1]
        inputs = [
            torch.randn(2, sum(sizes), width, dtype=torch.float64, requires_grad=True),
            torch.randn(2, 2, width, dtype=torch.float64, requires_grad=True),
            torch.randn(2, 1, width, dtype=torch.float64, requires_grad=True),
        ]
        inputs += [
            torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True) for _ in range(CELLS[cell].states)
        ]  # of four sequences, the last empty

        def run(x: Tensor, weight: Tensor, bias: Tensor, *initial: Tensor) -> tuple[Tensor, ...]:
            hidden, final = scan(x, weight, bias, sizes, cell, list(initial))
            return hidden, *final

        assert torch.autograd.gradcheck(run, inputs)

    @pytest.mark.parametrize("directions", [1, 2])
    def test_goes_on_from_the_states_that_it_ended_with(self, cell: str, directions: int) -> None:
        torch.manual_seed(3)
        stack = RecurrentStack(cell, 4, 3, 2, directions).double()
        if directions == 2:  # read both ways a sequence cannot be cut, but its last states still are what it ends with
            packing = Packing.of(mask_of(LENGTHS))
            outputs, last = stack(torch.randn(sum(LENGTHS), 4, dtype=torch.float64), packing)
            padded = packing.unpack(outputs)
            for row, length in enumerate(LENGTHS):
                if length:
                    expected = torch.cat([padded[row, length - 1, :3], padded[row, 0, 3:]])
                    torch.testing.assert_close(last[row, -1, 0], expected, rtol=0, atol=0)
                else:
                    assert not last[row].any()
            return
        first, second = [3, 1, 4, 2], [2, 4, 0, 1]
        whole = [a + b for a, b in zip(first, second, strict=True)]
        x = torch.randn(4, max(whole), 4, dtype=torch.float64)
        packing = Packing.of(mask_of(whole))
        at_once, last = stack(packing.pack(x), packing)
        at_once = packing.unpack(at_once)
        head, tail = Packing.of(mask_of(first)), Packing.of(mask_of(second))
        rest = torch.stack([torch.roll(row, -n, 0) for row, n in zip(x, first, strict=True)])
        _, states = stack(head.pack(x[:, : max(first)]), head)
        continued, states = stack(tail.pack(rest[:, : max(second)]), tail, states)
        continued = tail.unpack(continued)
        torch.testing.assert_close(states, last)
        for row, (n, m) in enumerate(zip(first, second, strict=True)):
            torch.testing.assert_close(continued[row, :m], at_once[row, n : n + m])

    def test_scan_of_nothing_is_nothing(self, cell: str) -> None:
        width = gates_of(cell) * 2
        out, _ = scan(torch.empty(2, 0, width), torch.empty(2, 2, width), torch.empty(2, 1, width), [], cell)
        assert out.shape == (2, 0, 2)

    def test_ends_with_zeros_where_all_is_empty(self, cell: str) -> None:
        packing = Packing.of(torch.zeros(2, 3, dtype=torch.bool))
        outputs, last = encoder_of(cell)(torch.empty(0, 4, dtype=torch.float64), packing)
        assert outputs.shape == (0, 6) and last.shape == (2, 2, CELLS[cell].states, 6) and not last.any()

    def test_padding_and_company_change_nothing(self, cell: str) -> None:
        encoder = encoder_of(cell)
        mask = mask_of(LENGTHS, 9)
        x = torch.randn(*mask.shape, 4, dtype=torch.float64)
        x[~mask] = float("nan")
        packing = Packing.of(mask)
        together = packing.unpack(encoder(packing.pack(x), packing)[0])
        for row, length in enumerate(LENGTHS):
            alone = Packing.of(torch.ones(1, length, dtype=torch.bool))
            expected = alone.unpack(encoder(alone.pack(x[row : row + 1, :length]), alone)[0])
            torch.testing.assert_close(together[row : row + 1, :length], expected)
            assert not together[row, length:].any()

    def test_runs_under_autocast(self, cell: str) -> None:
        encoder = encoder_of(cell).float()
        packing = Packing.of(mask_of(LENGTHS))
        x = torch.randn(sum(LENGTHS), 4)
        with torch.autocast("cpu", torch.bfloat16):
            out = encoder(x, packing)[0]
            out.float().sum().backward()
        torch.testing.assert_close(out.float(), encoder(x, packing)[0], rtol=0.05, atol=0.05)
        assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_runs_in_half_precision(self, cell: str, dtype: torch.dtype) -> None:
        encoder = encoder_of(cell)
        packing = Packing.of(mask_of(LENGTHS))
        x = torch.randn(sum(LENGTHS), 4, dtype=torch.float64)
        expected = encoder(x, packing)[0]
        out, _ = encoder.to(dtype)(x.to(dtype), packing)
        assert out.dtype == dtype
        torch.testing.assert_close(out.double(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("cell", [*CELL_NAMES, "sru", "linear-rnn"])
@pytest.mark.parametrize("directions", [1, 2])
class TestTable:
    """Inputs that recur are projected once."""

    def stack(self, cell: str, directions: int, width: int = 4) -> RecurrentStack | LinearRecurrentStack:
        torch.manual_seed(0)
        kind = RecurrentStack if cell in CELLS else LinearRecurrentStack
        return kind(cell, width, 3, 2, directions).double()

    @pytest.mark.parametrize("width", [4, 6])  # 6 is what the highway of SRU passes as it is
    def test_is_as_good_as_the_inputs(self, cell: str, directions: int, width: int) -> None:
        stack = self.stack(cell, directions, width)
        inputs = torch.randn(5, width, dtype=torch.float64, requires_grad=True)
        ids, packing = torch.randint(5, (sum(LENGTHS),)), Packing.of(mask_of(LENGTHS))
        found = []
        for results in (stack(inputs[ids], packing), stack(ids, packing, table=stack.project(inputs))):
            loss = sum((result.sin() * torch.arange(result.numel()).view_as(result)).sum() for result in results)
            gradients = torch.autograd.grad(loss, [inputs, *stack.parameters()])
            found.append([*results, *gradients])
        for plain, ours in zip(*found, strict=True):
            torch.testing.assert_close(ours, plain)

    def test_of_no_steps(self, cell: str, directions: int) -> None:
        stack = self.stack(cell, directions)
        packing = Packing.of(torch.zeros(2, 3, dtype=torch.bool))
        table = stack.project(torch.randn(5, 4, dtype=torch.float64))
        outputs, last = stack(torch.empty(0, dtype=torch.long), packing, table=table)
        assert outputs.shape == (0, 3 * directions) and len(last) == 2 and last.dtype == torch.float64


class TestRead:
    @pytest.mark.parametrize("rows", [5, 50])  # fewer than steps, and more
    @pytest.mark.parametrize("rate", [0.0, 0.5])
    @pytest.mark.parametrize("training", [False, True])
    def test_embedded_ids(self, rows: int, rate: float, training: bool) -> None:
        stack = encoder_of("lstm")
        embedding, dropout = nn.Embedding(rows, 4).double(), nn.Dropout(rate).train(training)
        ids, packing = torch.randint(rows, (sum(LENGTHS),)), Packing.of(mask_of(LENGTHS))
        found = []
        for read in (partial(stack.read, embedding, dropout, ids), lambda p: stack(dropout(embedding(ids)), p)):
            torch.manual_seed(1)
            outputs, _ = read(packing)
            found.append([outputs, *torch.autograd.grad(outputs.sin().sum(), [embedding.weight, *stack.parameters()])])
        for ours, plain in zip(*found, strict=True):
            torch.testing.assert_close(ours, plain)


class TestDropout:
    def test_stands_between_layers_alone(self) -> None:
        packing = Packing.of(mask_of([4, 2]))
        x = torch.randn(6, 4)
        for layers, changes in ((1, False), (2, True)):
            torch.manual_seed(0)
            encoder = RecurrentStack("gru", 4, 3, layers, dropout=0.5)
            assert torch.equal(encoder(x, packing)[0], encoder(x, packing)[0]) is not changes
            encoder.eval()
            assert torch.equal(encoder(x, packing)[0], encoder(x, packing)[0])


@pytest.mark.parametrize("cell", CELL_NAMES)
class TestInitializers:
    def layer(self, cell: str, initializer: str) -> RecurrentLayer:
        torch.manual_seed(0)
        layer = RecurrentLayer(cell, 30, 25)
        layer.reset_parameters(initializer)
        return layer

    def test_uniform_stays_within_its_bound(self, cell: str) -> None:
        for parameter in self.layer(cell, "uniform").parameters():
            assert 0.15 < parameter.abs().max() <= 0.2

    def test_orthogonal_has_an_orthogonal_block_for_each_direction_and_gate(self, cell: str) -> None:
        layer = self.layer(cell, "orthogonal")
        for direction in range(2):
            for block in layer.recurrent_weight[direction].split(25, dim=1):
                torch.testing.assert_close(block @ block.t(), torch.eye(25), rtol=0, atol=1e-5)
            for block in layer.input_weight[direction].split(25, dim=1):
                bound = (6 / (30 + 25)) ** 0.5
                assert 0.9 * bound < block.abs().max() <= bound
        assert not layer.recurrent_bias.any()

    def test_glorot_draws_each_block_within_its_bound(self, cell: str) -> None:
        layer = self.layer(cell, "glorot")
        for weight, rows in ((layer.input_weight, 30), (layer.recurrent_weight, 25)):
            bound = (6 / (rows + 25)) ** 0.5
            for block in weight.flatten(0, 1).split(25, dim=1):
                assert 0.9 * bound < block.abs().max() <= bound
        assert not layer.recurrent_bias.any()

    @pytest.mark.parametrize("initializer", ["orthogonal", "glorot"])
    def test_an_lstm_remembers_at_first(self, cell: str, initializer: str) -> None:
        gates = self.layer(cell, initializer).input_bias.view(2, -1, 25)
        expected = torch.zeros_like(gates)
        if cell == "lstm":
            expected[:, 1] = 1
        assert torch.equal(gates, expected)

    def test_normal_has_the_papers_deviation(self, cell: str) -> None:
        layer = self.layer(cell, "normal")
        assert layer.input_weight.std().item() == pytest.approx(0.1, rel=0.1)
        assert layer.recurrent_weight.std().item() == pytest.approx(0.1, rel=0.1)
        assert not layer.input_bias.any() and not layer.recurrent_bias.any()

    @pytest.mark.parametrize("initializer", ["uniform", "orthogonal", "glorot", "normal"])
    def test_leave_alone_what_a_checkpoint_filled(self, cell: str, initializer: str) -> None:
        layer = RecurrentLayer(cell, 3, 2)
        for parameter in layer.parameters():
            nn.init.constant_(parameter, 7.0)
            parameter._is_hf_initialized = True
        layer.reset_parameters(initializer)
        assert all((parameter == 7).all() for parameter in layer.parameters())

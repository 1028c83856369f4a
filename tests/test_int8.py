"""Tagging with 8-bit weights: products, recurrent layers, pipelines of both families, and the commands."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from toys import tagsmith as command

import tagsmith
from tagsmith.modeling.int8 import Int8Product, quantize
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.recurrent import CELLS, RecurrentStack

FROZEN = Path(__file__).parent / "frozen"
FAMILIES = ["hierarchical", "bytes"]
LENGTHS = [3, 0, 5, 1, 5, 2]

each_cell = pytest.mark.parametrize("cell", sorted(CELLS))
each_family = pytest.mark.parametrize("family", FAMILIES)


def packing_of(lengths: list[int]) -> Packing:
    return Packing.of(torch.arange(max(lengths, default=0)) < torch.tensor(lengths).long()[:, None])


def stacks(cell: str, directions: int = 2) -> tuple[RecurrentStack, RecurrentStack]:
    """The same weights twice, in float and quantised."""
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 12, 10, 2, directions, dropout=0.5).eval()
    return stack, quantize(copy.deepcopy(stack))


@torch.no_grad()
def test_no_difference_is_larger_than_rounding_makes_it() -> None:
    torch.manual_seed(1)
    for rows in (0, 1, 3, 1300):  # more than are multiplied at a time
        x = torch.randn(2, rows, 20) * torch.rand(2, rows, 1).mul(8).exp()
        weight, bias = torch.randn(2, 20, 30) * torch.rand(2, 1, 30).mul(4).exp(), torch.randn(2, 1, 30)
        x_step, weight_step = x.abs().amax(2, keepdim=True) / 127, weight.abs().amax(1, keepdim=True) / 127
        exact = (x / x_step).round().double() @ (weight / weight_step).round().double() * x_step * weight_step + bias
        found = Int8Product(weight, bias)(x)
        bound = x_step / 2 * weight.abs().sum(1, keepdim=True) + weight_step / 2 * (x.abs().sum(2, keepdim=True))
        bound = bound + 20 * x_step * weight_step / 4
        assert ((found - (x @ weight + bias)).abs() <= bound * 1.001 + 1e-4).all()
        # A value just between two whole numbers may be rounded either way.
        assert ((found - exact).abs() > 1e-4 * (1 + exact.abs())).double().mean().nan_to_num() < 0.01


@torch.no_grad()
def test_zeros_stay_zeros() -> None:
    bias = torch.randn(1, 1, 5)
    assert torch.equal(Int8Product(torch.zeros(1, 4, 5), bias)(torch.randn(1, 3, 4)), bias.expand(1, 3, 5))
    assert torch.equal(Int8Product(torch.randn(1, 4, 5), bias)(torch.zeros(1, 3, 4)), bias.expand(1, 3, 5))


@each_cell
class TestLayers:
    @settings(max_examples=20, deadline=None)
    @given(lengths=st.lists(st.integers(0, 6), max_size=6), directions=st.integers(1, 2))
    @torch.no_grad()
    def test_states_are_close_to_those_of_float(self, cell: str, lengths: list[int], directions: int) -> None:
        plain, quantized = stacks(cell, directions)
        packing = packing_of(lengths)
        x = torch.randn(sum(lengths), 12)
        initial = torch.rand(len(lengths), 2, CELLS[cell].states, plain.output_size) * 2 - 1
        for expected, found in zip(plain(x, packing, initial), quantized(x, packing, initial), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0.05)

    @pytest.mark.parametrize("lengths", [[7], [0, 1]])
    @torch.no_grad()
    def test_one_sequence_has_the_states_of_the_loop(
        self, cell: str, lengths: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, quantized = stacks(cell)
        packing, x = packing_of(lengths), torch.randn(sum(lengths), 12)
        expected = quantized(x, packing)[0]
        monkeypatch.setattr("tagsmith.modeling.recurrent.scan", None)
        torch.testing.assert_close(quantized.outputs(x, packing), expected, rtol=0, atol=1e-6)

    @torch.no_grad()
    def test_are_quantised(self, cell: str) -> None:
        plain, quantized = stacks(cell)
        packing, x = packing_of(LENGTHS), torch.randn(sum(LENGTHS), 12)
        assert not torch.equal(plain(x, packing)[0], quantized(x, packing)[0])

    @torch.no_grad()
    def test_company_changes_nothing(self, cell: str) -> None:
        _, quantized = stacks(cell)
        packing, x = packing_of([4, 2, 4]), torch.randn(10, 12)
        together = packing.unpack(quantized(x * 1.0, packing)[0])
        padded = packing.unpack(x)
        alone = quantized(padded[1, :2], packing_of([2]))[0]
        torch.testing.assert_close(together[1, :2], alone)

    def test_refuse_what_they_cannot_do(self, cell: str) -> None:
        _, quantized = stacks(cell)
        packing, x = packing_of(LENGTHS), torch.randn(sum(LENGTHS), 12)
        with pytest.raises(RuntimeError, match="no gradients"):
            quantized(x, packing)
        with torch.no_grad():
            with pytest.raises(RuntimeError, match="without autocast"), torch.autocast("cpu", torch.bfloat16):
                quantized(x, packing)
            with pytest.raises(RuntimeError, match=r"torch\.float64 on cpu"):
                quantized(x.double(), packing)
            with pytest.raises(ValueError, match="initial hidden states go beyond 1"):
                quantized(x, packing, torch.full((len(LENGTHS), 2, CELLS[cell].states, 20), 1.5))
            with pytest.raises(RuntimeError, match="cannot be trained"):
                quantized.train()(x, packing)


@pytest.mark.parametrize(("change", "message"), [("double", "not torch.float64"), ("meta", "the model is on meta")])
def test_only_float32_on_a_cpu_is_quantised(change: str, message: str) -> None:
    stack = RecurrentStack("gru", 4, 3, 1)
    with pytest.raises(ValueError, match=message):
        quantize(stack.double() if change == "double" else stack.to("meta"))


def test_a_model_without_such_layers() -> None:
    with pytest.raises(ValueError, match="no GRU, LSTM or RNN layers"):
        quantize(torch.nn.Linear(2, 3))


def test_without_onednn_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no oneDNN"):
        quantize(RecurrentStack("gru", 4, 3, 1))


@each_family
class TestPipelines:
    def test_find_nearly_what_is_recorded(self, family: str) -> None:
        pipeline = tagsmith.pipeline(FROZEN / family, int8=True, device="cpu")
        same = either = 0
        for row in json.loads((FROZEN / family / "spans.json").read_text(encoding="utf-8")):
            found = {(span["start"], span["end"], span["entity_group"]) for span in pipeline(row["text"])}
            expected = {(span["start"], span["end"], span["entity_group"]) for span in row["entities"]}
            same, either = same + len(found & expected), either + len(found | expected)
        assert same > 0.9 * either > 0

    def test_save_the_weights_that_they_were_made_of(self, family: str, tmp_path: Path) -> None:
        tagsmith.pipeline(FROZEN / family, int8=True, device="cpu").save_pretrained(tmp_path)
        before, after = (load_file(folder / "model.safetensors") for folder in (FROZEN / family, tmp_path))
        assert before.keys() == after.keys()
        assert all(torch.equal(weight, after[name]) for name, weight in before.items())
        assert (tmp_path / "int8.py").is_file()

    def test_the_commands(self, family: str, tmp_path: Path) -> None:
        text = tmp_path / "text.txt"
        text.write_text("Ada lives in London .\n", encoding="utf-8")
        assert command("tag", str(FROZEN / family), str(text), "--int8").code == 0
        sharded = ["--shards", "2", "--output", str(tmp_path / "tagged.txt")]
        assert command("tag", str(FROZEN / family), str(text), "--int8", *sharded).code == 0

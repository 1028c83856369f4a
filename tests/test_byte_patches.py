"""Patches of bytes: where they begin, against a rule by characters; and the layer that reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_modeling_byte_to_span import LENGTHS, batch_of, bytes_of, config_of, model_of
from torch import nn

from tagsmith.modeling.byte_patches import patch_starts
from tagsmith.modeling.patch_layer import PatchLayer, patches_of
from tagsmith.runtime import byte_network

PATCHED: dict[str, Any] = {"encoder": "bidirectional", "patch_hidden_size": 3}


def codes_of(*texts: bytes) -> torch.Tensor:
    return nn.utils.rnn.pad_sequence(
        [torch.tensor(list(text), dtype=torch.long) for text in texts], batch_first=True, padding_value=-1
    )


def joins(character: str) -> bool:
    """Whether a character goes with others like it, by its code point."""
    point = ord(character)
    if point < 0x80:
        return character.isalnum()
    return not (point < 0xC0 or 0x2000 <= point < 0xA000 or point >= 0xF000)


def by_characters(text: str) -> list[str]:
    """The patches of a text, one character after another."""
    patches: list[str] = []
    for place, character in enumerate(text):
        before = text[place - 1 : place]
        goes_on = character <= " " or (before > " " and joins(before) and joins(character))
        if patches and goes_on:
            patches[-1] += character
        else:
            patches.append(character)
    return patches


@pytest.mark.parametrize(
    ("text", "patches"),
    [
        ("Wien, die U.S.-Bank", ["Wien", ", ", "die ", "U", ".", "S", ".", "-", "Bank"]),
        ("«Straße»  5.000 €", ["«", "Straße", "»  ", "5", ".", "000 ", "€"]),
        ("日本、Tokyo へ", ["日", "本", "、", "Tokyo ", "へ"]),
        ("Привет, мир!", ["Привет", ", ", "мир", "!"]),
        ("สวัสดี ครับ", ["สวัสดี ", "ครับ"]),
        (" \nx", [" \n", "x"]),
    ],
)
def test_patches_of_scripts(text: str, patches: list[str]) -> None:
    data = text.encode()
    _, edges, counts = patches_of(codes_of(data))
    found = [data[first : last + 1].decode() for first, last in edges[0].tolist()]
    assert found == patches == by_characters(text) and counts.tolist() == [len(patches)]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_texts(texts: list[str]) -> None:
    """Of all of Unicode; in torch and in numpy."""
    rows = [text.encode(errors="surrogatepass") for text in texts]
    codes = codes_of(*rows)
    found = patches_of(codes)
    for own, other in zip(found, byte_network.patches_of(codes.numpy()), strict=True):
        assert own.tolist() == other.tolist()
    patches, edges, counts = found
    for row, text in enumerate(texts):
        expected = [part.encode(errors="surrogatepass") for part in by_characters(text)]
        own = edges[row, : counts[row]].tolist()
        assert [rows[row][first : last + 1] for first, last in own] == expected
        numbers = [number for number, (first, last) in enumerate(own) for _ in range(first, last + 1)]
        assert patches[row, : len(rows[row])].tolist() == numbers and not patches[row, len(rows[row]) :].any()
        assert not edges[row, counts[row] :].any()


@given(st.binary(max_size=20))
def test_any_bytes(data: bytes) -> None:
    """Whatever a window begins and ends within, its patches are all of it, and none begins with a space."""
    codes = codes_of(data, b"a")
    starts = patch_starts(codes, torch.where)
    assert starts[0].tolist() == patch_starts(codes.numpy(), np.where)[0].tolist()
    assert starts[0, :1].tolist() == [bool(data)]
    later = [data[place] for place in starts[0].nonzero()[:, 0].tolist() if place]
    assert all(byte > 32 and not 0x80 <= byte < 0xC0 for byte in later)


def test_the_layer_is_an_lstm_over_patches() -> None:
    """The same by PyTorch's own LSTM, of a window at a time."""
    torch.manual_seed(1)
    layer, texts = PatchLayer(2, 3, 0.5).double().eval(), (b"Ada, in Lund.", b"x", b"", "é ü".encode())
    lstm = nn.LSTM(4, 3, bidirectional=True, batch_first=True).double()
    own = layer.stack.layers[0]
    for way, suffix in enumerate(("", "_reverse")):
        weights = (
            own.input_weight[way].T,
            own.recurrent_weight[way].T,
            own.input_bias[way, 0],
            own.recurrent_bias[way, 0],
        )
        for name, weight in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True):
            getattr(lstm, f"{name}_l0{suffix}").data = weight.data.contiguous()
    codes = codes_of(*texts)
    states = torch.randn(*codes.shape, 2, dtype=torch.float64)
    found, ends = layer(states, codes)
    for row, text in enumerate(texts):
        assert not found[row, len(text) :, 2:].any()
        if not text:
            continue
        starts = patch_starts(codes[row : row + 1, : len(text)], torch.where)[0].nonzero()[:, 0].tolist()
        patches = list(zip(starts, [*starts[1:], len(text)], strict=True))
        read = torch.stack([torch.cat([states[row, first], states[row, end - 1]]) for first, end in patches])
        above, (hidden, cell) = lstm(read[None])
        expected = above[0].repeat_interleave(torch.tensor([end - first for first, end in patches]), 0)
        torch.testing.assert_close(found[row, : len(text)], torch.cat([states[row, : len(text)], expected], -1))
        torch.testing.assert_close(ends[row, 0], torch.stack([hidden[:, 0].flatten(), cell[:, 0].flatten()]))


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_rows_are_independent(attention: bool, order: str) -> None:
    model = model_of(attention=attention, input_order=order, **PATCHED).double()
    batch = batch_of(model.config)
    together = model(**batch)
    for row, length in enumerate(LENGTHS):
        own = {"labels": batch["labels"][row : row + 1], "input_ids": batch["input_ids"][row : row + 1, :length]}
        torch.testing.assert_close(model(**own).logits[0], together.logits[row])


def test_loss_reaches_every_parameter() -> None:
    model = model_of(attention=True, **PATCHED).train()
    model(**batch_of(model.config)).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_patches_are_of_the_bytes_that_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read as DROP still stands where it stood."""
    model, seen = model_of(byte_dropout=0.9, **PATCHED).train(), list[torch.Tensor]()
    layer = model.model.patches
    assert layer is not None

    def watching(states: torch.Tensor, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(codes)
        return PatchLayer.forward(layer, states, codes)

    monkeypatch.setattr(layer, "forward", watching)
    batch = bytes_of(LENGTHS)
    model.model(**batch)
    assert torch.equal(seen[0], batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -1))


def test_no_windows() -> None:
    model = model_of(attention=True, **PATCHED)
    empty = {name: tensor[:0] for name, tensor in batch_of(model.config).items()}
    assert model(**empty).loss == 0
    assert config_of(**PATCHED).patch_hidden_size == 3

"""Byte-to-span models saved and loaded, in sixteen bits, and with other labels."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_modeling_byte_to_span import batch_of, codec_of, config_of, every_shape, labels_of, model_of
from transformers import AutoModelForSeq2SeqLM

from tagsmith.modeling.configuration_byte_to_span import FIRST_START, GO_ID, PAD_ID
from tagsmith.modeling.modeling_byte_to_span import (
    ByteToSpanForSpanTagging,
    ByteToSpanModel,
)
from tagsmith.training.families import register


@every_shape
def test_save_and_load(encoder: str, attention: bool, tmp_path: Path) -> None:
    model = model_of(encoder=encoder, attention=attention, initializer_range=0.5)
    batch = batch_of(model.config)
    model.save_pretrained(tmp_path)
    loaded, report = ByteToSpanForSpanTagging.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    for other in (loaded, copy.deepcopy(model)):
        assert torch.equal(other(**batch).logits, model(**batch).logits)
        assert torch.equal(other.decode_spans(batch["input_ids"])[0], model.decode_spans(batch["input_ids"])[0])
    reader = ByteToSpanModel.from_pretrained(tmp_path)
    read = reader(batch["input_ids"]), model.model(batch["input_ids"])
    assert torch.equal(read[0].last_hidden_state, read[1].last_hidden_state)
    assert torch.equal(read[0].states, read[1].states)


@every_shape
def test_sixteen_bits(encoder: str, attention: bool, tmp_path: Path) -> None:
    model = model_of(encoder=encoder, attention=attention)
    batch = batch_of(model.config)
    model.save_pretrained(tmp_path)
    half = ByteToSpanForSpanTagging.from_pretrained(tmp_path, dtype=torch.bfloat16)
    output = half(**batch)
    assert output.logits.dtype == torch.bfloat16 and output.loss.dtype == torch.float32
    assert abs(output.loss - model(**batch).loss) < 0.1 * output.loss
    symbols, chances = half.decode_spans(batch["input_ids"], batch["attention_mask"])
    assert chances.isfinite().all() and symbols.shape == chances.shape
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.train()(**batch).loss.isfinite()


def test_missing_weights_start_afresh(tmp_path: Path) -> None:
    model = model_of(encoder="bidirectional", attention=True, initializer_range=0.3)
    assert (model.model.embedding.weight[PAD_ID] == 0).all()
    assert all(p.abs().max() <= 0.3 and p.abs().max() > 0 for p in model.parameters())
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    gone = ["model.embedding.weight", "model.writer.layers.1.recurrent_weight", "model.bridge.bias", "query.weight"]
    save_file({name: tensor for name, tensor in weights.items() if name not in gone}, path, {"format": "pt"})
    loaded = ByteToSpanForSpanTagging.from_pretrained(tmp_path)
    for name, tensor in loaded.state_dict().items():
        if name in gone:
            assert tensor.isfinite().all() and 0 < tensor.abs().max() <= 0.3
            assert not torch.equal(tensor, weights[name])
        else:
            assert torch.equal(tensor, weights[name])
    assert (loaded.model.embedding.weight[PAD_ID] == 0).all()


def test_labels_can_be_changed(tmp_path: Path) -> None:
    model = model_of(attention=True, initializer_range=0.3)
    model.save_pretrained(tmp_path)
    labels = ["NEW", "L2", "L0", "OTHER", "NEWER"]
    changed = ByteToSpanForSpanTagging.from_pretrained(tmp_path, labels=labels)
    first = model.config.stop_id + 1
    assert changed.config.span_labels == labels and changed.config.label2id["OTHER"] == 3
    assert changed.config.vocab_size == first + 5 == len(changed.model.embedding.weight)
    old, new = model.state_dict(), changed.state_dict()
    tables = {"model.embedding.weight": first, "label_scores.weight": 0, "label_scores.bias": 0}
    for name, start in tables.items():
        assert torch.equal(new[name][:start], old[name][:start])
        assert torch.equal(new[name][start + 1 : start + 3], old[name][start:][[2, 0]])
        fresh = new[name][start:][[0, 3, 4]]
        assert 0 < fresh.abs().max() <= 0.3 and len(set(fresh.flatten().tolist())) == fresh.numel()
    assert all(torch.equal(new[name], old[name]) for name in old if name not in tables)

    batch = batch_of(config_of())
    stop = model.config.stop_id
    known = {"input_ids": batch["input_ids"], "decoder_input_ids": torch.tensor([[GO_ID, FIRST_START, stop - 1]] * 4)}
    before, after = model(**known).logits, changed(**known).logits
    assert torch.equal(after[..., :first], before[..., :first])
    assert torch.equal(after[..., first + 1 : first + 3], before[..., first:][..., [2, 0]])

    changed.train()
    codec = codec_of(changed.config)
    gold = torch.tensor([codec.encode([(0, 1, "NEWER")])] * 4)
    changed(batch["input_ids"], labels=gold).loss.backward()
    assert all(parameter.grad is not None for parameter in changed.parameters())
    changed.save_pretrained(tmp_path / "changed")
    again = ByteToSpanForSpanTagging.from_pretrained(tmp_path / "changed")
    assert all(torch.equal(again.state_dict()[name], new[name]) for name in new)


def test_labels_by_the_auto_class(tmp_path: Path) -> None:
    register()
    model_of().save_pretrained(tmp_path)
    loaded, report = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, labels=["L1", "X"], output_loading_info=True)
    assert loaded.config.span_labels == ["L1", "X"] and not any(report.values())
    half = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, labels=["X"], dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("labels", [[], "PER", ["A", ""], ["A", 1], ["A", "B", "A"]], ids=str)
def test_labels_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match="label"):
        model_of().set_labels(labels)


def test_the_table_has_the_rows_that_there_are_symbols() -> None:
    model = model_of()
    size, table = model.config.vocab_size, model.model.embedding
    assert model.resize_token_embeddings() is model.resize_token_embeddings(size) is table
    assert model.model.resize_token_embeddings(size) is table
    assert model.resize_token_embeddings(pad_to_multiple_of=1) is table
    for resize in (model.resize_token_embeddings, model.model.resize_token_embeddings):
        with pytest.raises(ValueError, match=rf"cannot have {size + 2}\. For other labels call set_labels"):
            resize(size + 2)
    with pytest.raises(ValueError, match="cannot have"):
        model.resize_token_embeddings(pad_to_multiple_of=1000)
    assert model.model.embedding is table and len(table.weight) == size


def test_more_labels_in_the_config_alone_are_refused(tmp_path: Path) -> None:
    model_of().save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="mismatch"):
        ByteToSpanForSpanTagging.from_pretrained(tmp_path, **labels_of(5))
    with pytest.raises(RuntimeError, match="mismatch"):
        ByteToSpanForSpanTagging.from_pretrained(tmp_path, window_size=12)

"""The byte-to-span model: its layout beside the tokenizer's, every shape of it, decoding, learning, saving, labels."""

from __future__ import annotations

import ast
import copy
import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from byte_references import legal_after
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from tagsmith.modeling import configuration_byte_to_span
from tagsmith.modeling.byte_states import BytesRead
from tagsmith.modeling.configuration_byte_to_span import DROP_ID, GO_ID, PAD_ID, ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import (
    ByteToSpanForSpanTagging,
)
from tagsmith.modeling.recurrent import RecurrentStack
from tagsmith.modeling.span_grammar import SpanGrammar
from tagsmith.modeling.symbol_rules import FIRST_START
from tagsmith.tokenization import span_codec
from tagsmith.tokenization.span_codec import SpanCodec, SymbolLayout

ENCODERS = ["shared", "separate", "bidirectional"]
SHAPES = [(encoder, attention) for encoder in ENCODERS for attention in (False, True)]
every_shape = pytest.mark.parametrize(("encoder", "attention"), SHAPES)
LENGTHS = [7, 10, 1, 4]

Batch = dict[str, Tensor]


def labels_of(count: int) -> dict[str, Any]:
    names = [f"L{index}" for index in range(count)]
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def config_of(labels: int = 3, **options: Any) -> ByteToSpanConfig:
    defaults: dict[str, Any] = {
        "window_size": 10,
        "embedding_size": 6,
        "hidden_size": 5,
        "num_hidden_layers": 2,
        "encoder_hidden_size": 4,
        "encoder_num_layers": 2,
    }
    return ByteToSpanConfig(**{**defaults, **labels_of(labels), **options})


def model_of(seed: int = 0, **options: Any) -> ByteToSpanForSpanTagging:
    torch.manual_seed(seed)
    return ByteToSpanForSpanTagging(config_of(**options)).eval()


def codec_of(config: ByteToSpanConfig) -> SpanCodec:
    return SpanCodec(SymbolLayout(config.window_size, config.span_labels))


def bytes_of(lengths: list[int], seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(0, 256, mask.shape, generator=generator)
    return {"input_ids": ids.masked_fill(~mask, PAD_ID), "attention_mask": mask.long()}


def pad_labels(rows: list[list[int]]) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=-100)


def spans_of(length: int) -> list[tuple[int, int, str]]:
    """Spans that lie in a window of so many bytes: more in a longer one, none in a window of one byte."""
    return [(start, min(start + 3, length), f"L{start % 3}") for start in range(0, length - 1, 4)]


def batch_of(config: ByteToSpanConfig, lengths: list[int] | None = None) -> Batch:
    lengths = LENGTHS if lengths is None else lengths
    codec = codec_of(config)
    return {**bytes_of(lengths), "labels": pad_labels([codec.encode(spans_of(length)) for length in lengths])}


def with_go(labels: Tensor) -> Tensor:
    go = labels.new_full((len(labels), 1), GO_ID)
    return torch.cat([go, labels[:, :-1].masked_fill(labels[:, :-1] < 0, PAD_ID)], dim=1)


def generate(model: ByteToSpanForSpanTagging, batch: Batch, **options: Any) -> Any:
    return model.generate(**batch, do_sample=False, **options)


def until_stop(config: ByteToSpanConfig, symbols: Tensor) -> list[list[int]]:
    """Each row's symbols before its first STOP or PAD, without GO."""
    rows = []
    for row in symbols.tolist():
        row = row[1:] if row[:1] == [GO_ID] else row
        ends = [index for index, symbol in enumerate(row) if symbol in (config.stop_id, PAD_ID)]
        rows.append(row[: ends[0]] if ends else row)
    return rows


# --- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 8, 60, 64])
@pytest.mark.parametrize("count", [1, 4, 300])
def test_symbols_are_the_tokenizers(k: int, count: int) -> None:
    config = config_of(count, window_size=k)
    layout = SymbolLayout(k, config.span_labels)
    assert (GO_ID, DROP_ID, PAD_ID) == (span_codec.GO_ID, span_codec.DROP_ID, span_codec.PAD_ID)
    assert layout.first_start == FIRST_START
    assert (config.first_length_id, config.stop_id) == (layout.first_length, layout.stop)
    assert config.vocab_size == layout.vocab_size
    assert (config.eos_token_id, config.pad_token_id, config.decoder_start_token_id) == (layout.stop, PAD_ID, GO_ID)


@pytest.mark.parametrize(("k", "count"), [(1, 1), (2, 3), (5, 2)])
def test_grammar_lets_through_what_makes_spans(k: int, count: int) -> None:
    config = config_of(count, window_size=k)
    layout, grammar = codec_of(config).layout, SpanGrammar(config)
    previous = torch.arange(config.vocab_size).repeat(k + 1)
    lengths = torch.arange(k + 1).repeat_interleave(config.vocab_size)
    ours = grammar.legal(previous, lengths).numpy()
    expected = [legal_after(layout, *pair) for pair in zip(previous.tolist(), lengths.tolist(), strict=True)]
    assert np.array_equal(ours, expected)
    whole = grammar(previous[: config.vocab_size, None], torch.zeros(config.vocab_size, config.vocab_size))
    assert np.array_equal(whole.isfinite().numpy(), [legal_after(layout, symbol) for symbol in range(len(whole))])


def test_config_saves_and_loads(tmp_path: Path) -> None:
    others: dict[str, Any] = {"merge": "paper", "span_order": "first_first", "input_order": "reversed"}
    others |= {"span_grammar": False, "output_dropout": 0.25}
    config = config_of(window_size=12, attention=True, encoder="separate", recall_bias=1.5, min_score=0.25, **others)
    config.save_pretrained(tmp_path)
    loaded = ByteToSpanConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == {**config.to_dict(), "transformers_version": loaded.transformers_version}
    assert loaded.span_labels == ["L0", "L1", "L2"]
    config.window_size = 3
    assert config.eos_token_id == config.stop_id == FIRST_START + 7
    wider = ByteToSpanConfig.from_pretrained(tmp_path, window_size=20)
    assert wider.eos_token_id == wider.stop_id == FIRST_START + 41


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_size": 0},
        {"window_size": "60"},
        {"hidden_size": 1.5},
        {"num_hidden_layers": 0},
        {"encoder": "both"},
        {"attention": "yes"},
        {"byte_dropout": 1.0},
        {"hidden_dropout": -0.1},
        {"output_dropout": 1.0},
        {"merge": "first"},
        {"span_grammar": "no"},
        {"span_order": "rising"},
        {"input_order": "backwards"},
        {"min_score": 1.1},
        {"tag_loss": -1.0},
        {"decode": "tags"},
        {"ngram_sizes": [0]},
        {"ngram_sizes": [2, 2]},
        {"ngram_rows": -1},
        {"ngram_min_count": 0},
        {"ngram_dropout": 1.0},
        {"patch_hidden_size": -1},
        {"patch_hidden_size": 4},
        {"patch_hidden_size": 4, "encoder": "separate"},
        {"pad_token_id": 0},
        {"decoder_start_token_id": 0},
        {"id2label": {}, "label2id": {}},
        {"id2label": {0: "A", 2: "B"}, "label2id": {"A": 0, "B": 2}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_config_refuses(wrong: dict[str, Any]) -> None:
    field = next(iter(wrong))
    with pytest.raises(StrictDataclassError, match="PAD is" if field.endswith("token_id") else field):
        config_of(**wrong)


def test_config_keeps_its_types() -> None:
    # Postponed annotations would be text, and `strict` would check nothing.
    tree = ast.parse(inspect.getsource(configuration_byte_to_span))
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


# --- training pass -------------------------------------------------------------------------------------------------


@every_shape
def test_loss_reaches_every_parameter(encoder: str, attention: bool) -> None:
    model = model_of(encoder=encoder, attention=attention).train()
    loss = model(**batch_of(model.config)).loss
    loss.backward()
    assert loss.isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@every_shape
def test_rows_are_independent(encoder: str, attention: bool) -> None:
    model = model_of(encoder=encoder, attention=attention).double()
    batch = batch_of(model.config)
    together = model(**batch)
    losses = []
    for row, length in enumerate(LENGTHS):
        symbols = int((batch["labels"][row] >= 0).sum())
        alone = model(
            input_ids=batch["input_ids"][row : row + 1, :length], labels=batch["labels"][row : row + 1, :symbols]
        )
        torch.testing.assert_close(alone.logits[0], together.logits[row, :symbols])
        torch.testing.assert_close(alone.past_key_values.states[0], together.past_key_values.states[row])
        losses.append(alone.loss)
    torch.testing.assert_close(together.loss, torch.stack(losses).mean())


@every_shape
def test_loss_is_summed_over_symbols(encoder: str, attention: bool) -> None:
    model = model_of(encoder=encoder, attention=attention).double()
    batch = batch_of(model.config)
    output = model(**batch)
    assert output.logits.shape == (*batch["labels"].shape, model.config.vocab_size)
    assert output.logits[..., :FIRST_START].isneginf().all() and output.logits[..., FIRST_START:].isfinite().all()
    total = 0.0
    for row, labels in enumerate(batch["labels"].tolist()):
        for step, label in enumerate(labels):
            if label >= 0:
                total -= output.logits[row, step].softmax(-1)[label].log().item()
    assert math.isclose(output.loss.item(), total / len(LENGTHS), rel_tol=1e-6)


@pytest.mark.parametrize("layers", [1, 3])
def test_shared_encoder_is_one_causal_pass(layers: int) -> None:
    model = model_of(num_hidden_layers=layers, initializer_range=0.5).double()
    lstm = nn.LSTM(6, 5, layers, batch_first=True).double()
    for index, layer in enumerate(model.model.writer.layers):
        for name, weight in (
            ("weight_ih", layer.input_weight),
            ("weight_hh", layer.recurrent_weight),
            ("bias_ih", layer.input_bias),
            ("bias_hh", layer.recurrent_bias),
        ):
            getattr(lstm, f"{name}_l{index}").data = weight.data[0].T.contiguous().squeeze(1)
    batch = batch_of(model.config)
    logits = model(**batch).logits
    for row, length in enumerate(LENGTHS):
        labels = batch["labels"][row][batch["labels"][row] >= 0]
        ids = torch.cat([batch["input_ids"][row, :length], torch.tensor([GO_ID]), labels[:-1]])
        hidden = lstm(model.model.embedding(ids)[None])[0][0, length:]
        expected = torch.cat([model.positions(hidden), model.label_scores(hidden)], dim=-1)
        torch.testing.assert_close(logits[row, : len(labels), FIRST_START:], expected)


def test_forward_refuses() -> None:
    model = model_of()
    batch = batch_of(model.config)
    with pytest.raises(ValueError, match="input_ids"):
        model(labels=batch["labels"])
    with pytest.raises(ValueError, match="labels to train"):
        model(input_ids=batch["input_ids"])
    with pytest.raises(ValueError, match="11 bytes; this model reads 10"):
        model.decode_spans(torch.zeros(1, 11, dtype=torch.long))
    with pytest.raises(ValueError, match="padding"):
        model.decode_spans(torch.tensor([[65, PAD_ID, 66]]))


def test_labels_of_an_empty_batch() -> None:
    model = model_of(attention=True)
    empty = {name: tensor[:0] for name, tensor in batch_of(model.config).items()}
    assert model(**empty).loss == 0


def test_attention_points_at_starts() -> None:
    model = model_of(attention=True, hidden_size=8, embedding_size=4)
    for module in (model.positions, model.label_scores):
        nn.init.zeros_(module.weight)
        nn.init.zeros_(module.bias)
    nn.init.eye_(model.query.weight)
    lengths = torch.tensor([6, 4])
    mask = torch.arange(6) < lengths[:, None]
    memory = torch.eye(6, 8).expand(2, 6, 8) * mask[..., None]
    looking_for = torch.tensor([[5, 0, 3], [2, 3, 1]])
    scores = model.score_next(7.0 * torch.eye(8)[looking_for], BytesRead(memory, mask))
    k, length_id = model.config.window_size, model.config.first_length_id
    starts = scores[..., FIRST_START:length_id]
    expected = 7.0 * nn.functional.one_hot(looking_for, k).float()
    beyond = (torch.arange(k) >= lengths[:, None])[:, None].expand_as(starts)
    assert torch.equal(starts[~beyond], expected[~beyond])
    assert (starts[beyond] <= -9000).all()
    assert torch.equal(starts.argmax(-1), looking_for)
    assert (scores[..., length_id:] == 0).all()


def test_byte_dropout_only_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(byte_dropout=0.5, attention=True, initializer_range=0.5)
    clean = copy.deepcopy(model)
    clean.config.byte_dropout = 0.0
    batch = batch_of(model.config)
    assert torch.equal(model(**batch).logits, clean(**batch).logits)

    seen: list[Tensor] = []
    read = RecurrentStack.read

    def watching(stack: RecurrentStack, embedding: Any, dropout: Any, ids: Tensor, *rest: Any) -> Any:
        seen.append(ids)
        return read(stack, embedding, dropout, ids, *rest)

    monkeypatch.setattr(RecurrentStack, "read", watching)
    model.train()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(model(**batch).loss)
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(seen[0], seen[2]) and (seen[0] == DROP_ID).any() and (seen[0] < GO_ID).any()
    assert not (seen[1] == DROP_ID).any()  # what is written is never dropped

    seen.clear()
    wide = bytes_of([10] * 300)
    model.model(**wide)
    assert 0.45 < (seen[0] == DROP_ID).float().mean() < 0.55


def test_the_dropout_before_the_output_is_apart() -> None:
    assert model_of(hidden_dropout=0.5).dropout.p == 0.5  # as taggers have it that were saved without the other
    model = model_of(hidden_dropout=0.5, output_dropout=0.25)
    assert (model.dropout.p, model.model.writer.dropout.p) == (0.25, 0.5)
    batch = batch_of(model.config)
    apart = {rate: model_of(output_dropout=rate, embedding_dropout=0.0).train() for rate in (0.0, 0.5)}
    torch.testing.assert_close(apart[0.0](**batch).logits, model_of()(**batch).logits)
    logits, batch_again = apart[0.5](**batch).logits, apart[0.5](**batch).logits
    assert not torch.equal(logits, batch_again)
    kept = [apart[rate](**batch).past_key_values.states for rate in (0.0, 0.5)]
    torch.testing.assert_close(*kept)  # nowhere else

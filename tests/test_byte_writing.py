"""How a byte-to-span model writes symbols: greedily, by transformers' generate, by beams, and what it learns."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from test_modeling_byte_to_span import (
    Batch,
    bytes_of,
    codec_of,
    config_of,
    every_shape,
    generate,
    model_of,
    pad_labels,
    until_stop,
    with_go,
)
from torch import Tensor, nn
from transformers import GenerationConfig
from transformers.utils import logging as transformers_logging

from tagsmith.modeling.configuration_byte_to_span import GO_ID, PAD_ID
from tagsmith.modeling.modeling_byte_to_span import (
    ByteToSpanForSpanTagging,
)
from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer


def log_chances(model: ByteToSpanForSpanTagging, batch: Batch, symbols: Tensor) -> Tensor:
    """Log probabilities of symbols that are known, in one pass."""
    scores = model(batch["input_ids"], batch["attention_mask"], decoder_input_ids=with_go(symbols)).logits
    return scores.log_softmax(-1).gather(2, symbols[..., None])[..., 0]


@pytest.mark.slow
@pytest.mark.parametrize("span_order", ["last_first", "first_first"])
@pytest.mark.parametrize("input_order", ["forward", "reversed"])
def test_orders_are_learnt_and_read_back(span_order: Any, input_order: str) -> None:
    model = toy_training(130, span_order=span_order, input_order=input_order)
    batch, spans = toy_windows(40, seed=0)
    assert found_spans(model, batch) == spans
    decoded = [codec_of(model.config).decode(row).spans for row in model.decode_spans(**batch)[0].numpy()]
    assert decoded == [[*map(Span._make, row)][:: 1 if span_order == "first_first" else -1] for row in spans]


class TestWithoutTheGrammar:
    @every_shape
    def test_the_most_probable_symbol_is_written(self, encoder: str, attention: bool) -> None:
        model = model_of(encoder=encoder, attention=attention, initializer_range=1.0, span_grammar=False)
        batch = bytes_of([10, 3, 1, 8, 10, 5])
        symbols, chances = model.decode_spans(**batch)
        assert until_stop(model.config, symbols) == until_stop(model.config, generate(model, batch))
        before = torch.cat([torch.full((6, 1), GO_ID), symbols[:, :-1]], dim=1)
        logits = model(**batch, decoder_input_ids=before).logits
        written = (symbols == model.config.stop_id).cumsum(1) <= 1
        assert torch.equal(logits.argmax(-1)[written], symbols[written])
        rescored = log_chances(model, batch, symbols)
        torch.testing.assert_close(chances, rescored.where(written, 0.0), rtol=1e-4, atol=1e-4)

    def test_what_is_no_span_is_passed_over(self) -> None:
        model = model_of(initializer_range=1.0, span_grammar=False)
        batch = bytes_of([10] * 8)
        decoded = codec_of(model.config).decode_batch(model.decode_spans(**batch)[0].numpy())
        assert decoded.skipped.any()  # an untrained model makes mistakes
        grammatical = model_of(initializer_range=1.0).decode_spans(**batch)[0].numpy()
        assert not codec_of(model.config).decode_batch(grammatical).skipped.any()

    def test_a_trained_model_finds_the_same(self) -> None:
        batch, spans = toy_windows(40, seed=0)
        assert found_spans(toy_training(130, span_grammar=False), batch) == spans


@every_shape
def test_decode_is_greedy_generate(encoder: str, attention: bool) -> None:
    for seed in range(2):
        model = model_of(seed, encoder=encoder, attention=attention, initializer_range=1.0)
        batch = bytes_of([10, 3, 1, 8, 10, 5], seed)
        symbols, chances = model.decode_spans(**batch)
        assert until_stop(model.config, symbols) == until_stop(model.config, generate(model, batch))
        decoded = codec_of(model.config).decode_batch(symbols.numpy(), batch["attention_mask"].sum(1).numpy())
        assert not decoded.skipped.any()
        assert len(decoded.rows) * 3 == sum(map(len, until_stop(model.config, symbols)))
        written = (symbols == model.config.stop_id).cumsum(1) <= 1
        rescored = log_chances(model, batch, symbols)
        torch.testing.assert_close(chances, rescored.where(written, 0.0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("k", "count"), [(8, 300), (64, 2), (1, 1)])
def test_decode_windows_of_other_sizes(k: int, count: int) -> None:
    model = model_of(window_size=k, labels=count, attention=True, encoder="bidirectional", initializer_range=1.0)
    batch = bytes_of([k, max(k // 2, 1), 1])
    symbols, _ = model.decode_spans(**batch)
    assert until_stop(model.config, symbols) == until_stop(model.config, generate(model, batch))
    decoded = codec_of(model.config).decode_batch(symbols.numpy(), batch["attention_mask"].sum(1).numpy())
    assert symbols.shape[1] <= 3 * k and not decoded.skipped.any()


@every_shape
def test_decode_little(encoder: str, attention: bool) -> None:
    model = model_of(encoder=encoder, attention=attention)
    stop = model.config.stop_id
    for shape in ((0, 0), (0, 5)):
        symbols, chances = model.decode_spans(torch.zeros(shape, dtype=torch.long))
        assert symbols.shape == chances.shape == (0, 0)
    for nothing in (torch.zeros(2, 0, dtype=torch.long), torch.full((2, 4), PAD_ID)):
        assert model.decode_spans(nothing, recall_bias=1e6)[0].tolist() == [[stop]] * 2
    symbols, _ = model.decode_spans(torch.tensor([[65]]), recall_bias=1e6)
    spans = codec_of(model.config).decode(symbols[0].numpy(), 1).spans
    assert spans and {(span.start, span.end) for span in spans} == {(0, 1)}
    with_one = model.decode_spans(torch.tensor([[65, PAD_ID], [PAD_ID, PAD_ID]]), recall_bias=1e6)[0]
    assert with_one[1].tolist() == [stop] * with_one.shape[1] and torch.equal(with_one[:1], symbols)


def test_generate_does_not_warn(caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(attention=True)
    transformers_logging.enable_propagation()
    try:
        with caplog.at_level(logging.WARNING), warnings.catch_warnings():
            warnings.simplefilter("error")
            generate(model, bytes_of([4, 2]))
            generate(model, bytes_of([4, 2]), num_beams=2)
    finally:
        transformers_logging.disable_propagation()
    assert not caplog.records


def toy_windows(count: int, seed: int) -> tuple[Batch, list[list[tuple[int, int, str]]]]:
    """Windows of 16 bytes, of words; those with a capital are spans, "S" up to three letters and "L" above."""
    generator = np.random.default_rng(seed)
    texts, spans = [], []
    for _ in range(count):
        text, found = "", []
        while True:
            word = "".join(generator.choice(list("abcd"), generator.integers(2, 6)))
            name = generator.random() < 0.5
            if len(text) + len(word) > 16:
                break
            if name:
                found.append((len(text), len(text) + len(word), "L" if len(word) > 3 else "S"))
            text += (word.title() if name else word) + " "
        texts.append(text[:16])
        spans.append(found)
    lengths = torch.tensor([len(text) for text in texts])
    ids = torch.tensor([list(text.encode()) + [PAD_ID] * (16 - len(text)) for text in texts])
    return {"input_ids": ids, "attention_mask": (torch.arange(16) < lengths[:, None]).long()}, spans


def toy_training(steps: int, **options: Any) -> ByteToSpanForSpanTagging:
    torch.manual_seed(0)
    config = config_of(
        window_size=16,
        id2label={0: "S", 1: "L"},
        label2id={"S": 0, "L": 1},
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=1,
        encoder="bidirectional",
        encoder_hidden_size=16,
        encoder_num_layers=1,
        attention=True,
        initializer_range=0.25,
        **options,
    )
    model = ByteToSpanForSpanTagging(config).train()
    batch, spans = toy_windows(40, seed=0)
    codec = codec_of(config)
    labels = pad_labels([codec.encode(row, config.span_order) for row in spans])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(steps):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def unsure_model() -> ByteToSpanForSpanTagging:
    """A tagger that has begun to learn the toy task. Shared: copy it before you change it."""
    return toy_training(20)


def found_spans(model: ByteToSpanForSpanTagging, batch: Batch) -> list[list[tuple[int, int, str]]]:
    codec = codec_of(model.config)
    symbols, _ = model.decode_spans(**batch)
    return [sorted(tuple(span) for span in codec.decode(row).spans) for row in symbols.numpy()]


def test_toy_task_is_learnt() -> None:
    batch, spans = toy_windows(40, seed=0)
    assert sum(map(len, spans)) > 60
    assert found_spans(toy_training(110), batch) == spans


def test_recall_bias_only_moves_stop(unsure_model: ByteToSpanForSpanTagging) -> None:
    model = copy.deepcopy(unsure_model)
    batch, _ = toy_windows(40, seed=1)
    counts, before = [], None
    for bias in (-20.0, -2.0, 0.0, 2.0, 20.0, 1e6):
        rows = until_stop(model.config, model.decode_spans(**batch, recall_bias=bias)[0])
        if before is not None:  # what a smaller bias wrote, and then more
            assert all(row[: len(less)] == less for row, less in zip(rows, before, strict=True))
        before = rows
        counts.append(sum(map(len, rows)))
    assert counts == sorted(counts) and len(set(counts)) > 4
    assert counts[-1] == 40 * 3 * 16  # k spans in each window
    model.config.recall_bias = 2.0
    by_config, chances = model.decode_spans(**batch)
    assert torch.equal(by_config, model.decode_spans(**batch, recall_bias=2.0)[0])
    written = (by_config == model.config.stop_id).cumsum(1) <= 1  # the bias is no part of the probabilities
    rescored = log_chances(model, batch, by_config).where(written, 0.0)
    torch.testing.assert_close(chances, rescored, rtol=1e-4, atol=1e-4)


def test_finished_rows_leave_the_batch(
    unsure_model: ByteToSpanForSpanTagging, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = copy.deepcopy(unsure_model)
    seen: list[int] = []
    write = model.model.write

    def counting(symbols: Tensor, *arguments: Any) -> Any:
        seen.append(len(symbols))
        return write(symbols, *arguments)

    monkeypatch.setattr(model.model, "write", counting)
    batch, _ = toy_windows(40, seed=1)
    symbols, _ = model.decode_spans(**batch)
    rows = until_stop(model.config, symbols)
    assert seen == sorted(seen, reverse=True) and len(set(seen)) > 3
    assert sum(seen) == sum(min(len(row) + 1, 3 * 16) for row in rows)


def test_beam_search_is_no_worse(unsure_model: ByteToSpanForSpanTagging) -> None:
    model = unsure_model
    batch, _ = toy_windows(40, seed=1)
    symbols, chances = model.decode_spans(**batch)
    beams = generate(model, batch, num_beams=3, length_penalty=0.0, output_scores=True, return_dict_in_generate=True)
    written = beams.sequences[:, 1:]
    written, mask = written.where(written != PAD_ID, model.config.stop_id), written != PAD_ID
    rescored = log_chances(model, batch, written).where(mask, 0.0).sum(1)
    torch.testing.assert_close(beams.sequences_scores, rescored, rtol=1e-4, atol=1e-4)
    # A beam may lose the greedy path early and end below it: seldom.
    better = rescored - chances.sum(1)
    assert better.mean() > 0.1 and (better > -1e-4).float().mean() >= 0.9
    assert until_stop(model.config, beams.sequences) != until_stop(model.config, symbols)
    decoded = codec_of(model.config).decode_batch(written.numpy(), batch["attention_mask"].sum(1).numpy())
    assert not decoded.skipped.any()


def test_the_default_of_beams_is_no_length_penalty(unsure_model: ByteToSpanForSpanTagging) -> None:
    model, (batch, _) = unsure_model, toy_windows(40, seed=1)
    default = generate(model, batch, num_beams=3)
    assert torch.equal(default, generate(model, batch, num_beams=3, length_penalty=0.0))
    longer = generate(model, batch, num_beams=3, length_penalty=1.0)
    assert sum(map(len, until_stop(model.config, longer))) > sum(map(len, until_stop(model.config, default)))
    given = GenerationConfig(num_beams=3, length_penalty=2.0, max_new_tokens=48, do_sample=False)
    given.decoder_start_token_id, given.eos_token_id = GO_ID, model.config.stop_id
    given.pad_token_id = PAD_ID
    found = generate(model, batch, generation_config=given)
    assert torch.equal(found, generate(model, batch, num_beams=3, length_penalty=2.0)), "what is given is taken"


@pytest.mark.parametrize("bias", [None, 0.0, 2.0, -2.0])
def test_beams_are_read_as_the_greedy_symbols_are(unsure_model: ByteToSpanForSpanTagging, bias: float | None) -> None:
    model, (batch, _) = unsure_model, toy_windows(40, seed=1)
    symbols, chances = model.decode_spans(**batch, recall_bias=bias, num_beams=3)
    assert symbols.shape == chances.shape and len(symbols) == 40
    if not bias:
        assert until_stop(model.config, symbols) == until_stop(model.config, generate(model, batch, num_beams=3))
    written = (symbols == model.config.stop_id).cumsum(1) <= 1
    rescored = log_chances(model, batch, symbols).where(written, 0.0)
    torch.testing.assert_close(chances, rescored, rtol=1e-4, atol=1e-4)
    decoded = codec_of(model.config).decode_batch(symbols.numpy(), batch["attention_mask"].sum(1).numpy())
    assert not decoded.skipped.any()
    plain = model.decode_spans(**batch, recall_bias=0.0, num_beams=3)[0]
    counts = [sum(map(len, until_stop(model.config, found))) for found in (symbols, plain)]
    assert (counts[0] > counts[1]) == ((bias or 0) > 0) and (counts[0] < counts[1]) == ((bias or 0) < 0)


def test_the_pipeline_takes_beams(unsure_model: ByteToSpanForSpanTagging) -> None:
    tokenizer = ByteToSpanTokenizer(16, ["S", "L"])
    tagger: Any = ByteSpanTaggingPipeline(model=unsure_model, tokenizer=tokenizer, task="span-tagging")
    text = "abc Abcd da Bab cacb Dd abcd Cab " * 5
    greedy, beams = tagger(text), tagger(text, num_beams=3)
    assert greedy == tagger(text, num_beams=1) != beams
    for entity in beams:
        assert text[entity["start"] : entity["end"]] == entity["word"] and 0 < entity["score"] <= 1
    always: Any = ByteSpanTaggingPipeline(model=unsure_model, tokenizer=tokenizer, task="span-tagging", num_beams=3)
    assert always(text) == beams
    assert tagger("", num_beams=3) == []

"""What a word was at its other places: against plain Python, its gradient, and what a model makes of it."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given, settings
from hypothesis import strategies as st
from test_modeling_hierarchical_tagger import model_of
from test_runtime import assert_same, make_tagger
from torch import Tensor

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.word_cache import WordCache
from tagsmith.modeling.word_kinds import WordKinds
from tagsmith.modeling.word_memory import elsewhere, elsewhere_padded
from tagsmith.runtime import load
from tagsmith.runtime.packed_rows import Packed
from tagsmith.runtime.recurring_words import elsewhere as elsewhere_in_numpy
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.tagging.export import export_tagger

SIZE = 3
SENTENCES = st.lists(st.lists(st.integers(0, 3), max_size=9), min_size=1, max_size=5)


def plainly(words: list[list[int]], states: Tensor) -> Tensor:
    """By loops: of each word the mean of the states at its other places, `(batch, time, SIZE)`."""
    found = torch.zeros_like(states)
    for row, own in enumerate(words):
        for place, word in enumerate(own):
            others = [states[row, other] for other, same in enumerate(own) if same == word and other != place]
            if others:
                found[row, place] = torch.stack(others).mean(0)
    return found


def padded(words: list[list[int]]) -> tuple[Tensor, Tensor, Tensor]:
    mask = torch.arange(max(map(len, words))) < torch.tensor(list(map(len, words)))[:, None]
    ids = torch.zeros(mask.shape, dtype=torch.long).masked_scatter(mask, torch.tensor([*chain(*words)]).long())
    return ids, mask, torch.randn(*mask.shape, SIZE, dtype=torch.float64)


@settings(deadline=None)
@given(SENTENCES)
def test_all_ways_are_the_plain_one(words: list[list[int]]) -> None:
    ids, mask, states = padded(words)
    expected = plainly(words, states)
    packing = Packing.of(mask)
    found = packing.unpack(elsewhere(packing.pack(states), packing.pack(ids), packing))
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.allclose(elsewhere_padded(states, ids, mask) * mask[..., None], expected, atol=1e-12)
    packed = Packed.of(np.array(list(map(len, words)), dtype=np.int64))
    own = elsewhere_in_numpy(states[mask].numpy()[packed.gather], ids[mask].numpy()[packed.gather], packed)
    assert np.allclose(own, expected[mask].numpy()[packed.gather], atol=1e-12)


def test_gradients() -> None:
    ids, mask, states = padded([[0, 1, 0, 2, 0], [1, 1], [3]])
    packing = Packing.of(mask)
    packed = packing.pack(states).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: elsewhere(x, packing.pack(ids), packing), packed)


def test_a_model_sees_both() -> None:
    model = model_of(word_memory=True).double()
    ids = torch.tensor([[2, 3, 2, 4]])
    characters = torch.tensor([[[2, 3], [4, 0], [2, 3], [3, 2]]])
    hidden = model(input_ids=ids, character_ids=characters).hidden_states
    size = 2 * model.config.hidden_size
    assert hidden.shape[2] == model.encoder.output_size == 2 * size
    assert torch.allclose(hidden[0, [0, 2], size:], hidden[0, [2, 0], :size])
    assert not hidden[0, [1, 3], size:].any()


def test_a_tagger_without_characters_is_refused() -> None:
    with pytest.raises(StrictDataclassError, match="word_memory tells words by their characters"):
        HierarchicalTaggerConfig(word_memory=True, character_encoder="none")


def test_words_are_alike_whose_characters_are() -> None:
    tokenizer = HierarchicalTaggerTokenizer.train([["été", "ab", "ba"]])
    kinds = WordKinds(tokenizer)
    kinds.add(["été", "ab", "e\u0301te\u0301", "ba", "a?", "a!"])
    assert kinds.of([0, 1, 2, 3, 4, 5]) == [0, 1, 0, 3, 4, 4]


TEXT = "Ada saw Lund .\nLund saw Ada .\ne\u0301te\u0301 saw été , Ada !"


@pytest.mark.parametrize("fields", [{}, {"word_encoder": "lstm", "sharing": "encoder"}])
def test_model_pipeline_and_runtime_agree(tmp_path: Path, fields: dict[str, Any]) -> None:
    if "sharing" in fields:
        heads = {name: {"tags": ["O", "B-X", "I-X"], "tag_scheme": "IOB2"} for name in ("a", "b")}
        fields = {**fields, "heads": heads, "scheme": "none"}
        folder = tagger_of_heads(tmp_path, fields)
    else:
        folder = make_tagger(tmp_path, passage_words=100, word_memory=True, **fields)
    pipeline = tagsmith.pipeline(folder)
    expected = pipeline(TEXT)
    assert expected
    assert_same(load(folder)(TEXT), expected)
    batch = pipeline.tokenizer([word.text for word in pipeline.tokenizer.split(TEXT)], is_split_into_words=True)
    tensors = {name: torch.tensor([value]) for name, value in _padded_characters(batch).items()}
    for head in pipeline.model.config.head_names:
        spans, _ = pipeline.model.predict_spans(head=head, **tensors)
        own = expected if head is None else expected[head]
        assert len(spans) == len(own)


def _padded_characters(batch: Any) -> dict[str, list[Any]]:
    longest = max(map(len, batch["character_ids"]))
    return {**batch, "character_ids": [own + [0] * (longest - len(own)) for own in batch["character_ids"]]}


def tagger_of_heads(folder: Path, fields: dict[str, Any]) -> Path:
    from test_runtime import SIZES, make_tokenizer, save

    tokenizer = make_tokenizer(passage_words=100)
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    own = {name: value for name, value in fields.items() if name != "scheme"}
    return save(folder, tokenizer, HierarchicalTaggerConfig.for_tags([], word_memory=True, **own, **SIZES, **sizes))


def test_kinds_stay_with_their_words_when_others_need_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagsmith.modeling.word_cache._ROWS", 3)
    pipeline = tagsmith.pipeline(make_tagger(tmp_path, word_memory=True))
    cache = WordCache(pipeline.model.encoder, pipeline.tokenizer, None)
    for words in (["Ada", "Lund", "été"], ["Lund", "e\u0301te\u0301", "été"]):
        cache.read(words)
    assert cache.kinds is not None
    kinds = dict(zip(cache.rows, cache.kinds.of(cache.rows.values()), strict=True))
    assert kinds["été"] == kinds["e\u0301te\u0301"] != kinds["Lund"]


def test_an_export_says_how_its_tagger_reads(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    folder = make_tagger(tmp_path / "own", word_memory=True, passage_words=9)
    export_tagger(tagsmith.pipeline(folder), tmp_path / "exported", str(folder))
    manifest = json.loads((tmp_path / "exported" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["word_memory"] is True and manifest["words"]["passage_words"] == 9

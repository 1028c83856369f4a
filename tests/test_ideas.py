"""The plain versions that ideas.py puts in an idea's place give the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from toys import script

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.modeling.recurrent import CELLS, RecurrentStack, scan

SIZES = [4, 4, 2, 1]


@pytest.fixture(scope="module")
def ideas() -> Any:
    return script("ideas")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("name", ["scan_apart", "scan_by_autograd"])
def test_recurrences(ideas: Any, name: str, cell: str) -> None:
    torch.manual_seed(1)
    gates, size = sum(CELLS[cell].blocks), 3
    shapes = [(2, sum(SIZES), gates * size), (2, size, gates * size), (2, 1, gates * size)]
    values = []
    for function in (scan, getattr(ideas, name)):
        torch.manual_seed(2)
        inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        hidden, final = function(*inputs, SIZES, cell, None)
        (hidden.sin().sum() + sum(state.cos().sum() for state in final)).backward()
        values.append([hidden, *final, *(tensor.grad for tensor in inputs)])
    for ours, plain in zip(*values, strict=True):
        torch.testing.assert_close(plain, ours)


def test_partition(ideas: Any) -> None:
    torch.manual_seed(1)
    layer = ConditionalRandomField(5)
    emissions = torch.randn(3, 6, 5)
    mask = torch.arange(6) < torch.tensor([[6], [1], [4]])
    torch.testing.assert_close(
        ideas.partition_by_logarithms(layer, emissions, mask), layer.log_partition(emissions, mask)
    )


class TestOneReading:
    """Words and bytes that recur, read again and again."""

    def test_of_words(self, ideas: Any, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:

        def tag(texts: list[str]) -> Any:  # by a new pipeline, which keeps no words of another
            return SpanTaggingPipeline(model=tiny_model, tokenizer=tiny_tokenizer, batch_size=2)(texts)

        texts = ["Ada lived in Lund", "Lund", "Ada in New York", "New York", "Lund in Ada"]
        ours = tag(texts)
        with ideas.words_projected_each():
            assert rounded(tag(texts)) == rounded(ours)
        monkeypatch.setattr(SpanTaggingPipeline, "_BUFFERED", 1)
        with ideas.patched(ideas.WordCache, "read", ideas.forget_first):
            assert rounded(tag(texts)) == rounded(ours)

    def test_of_bytes(self, ideas: Any) -> None:
        torch.manual_seed(1)
        stack, embedding, dropout = RecurrentStack("lstm", 4, 3, 2), nn.Embedding(3, 4), nn.Dropout(0.0)
        ids, packing = torch.tensor([2, 1, 2, 2, 0, 1]), Packing.of(torch.tensor([[1, 1, 1], [1, 1, 1]]).bool())
        expected = stack.read(embedding, dropout, ids, packing)
        torch.testing.assert_close(ideas.embed_each(stack, embedding, dropout, ids, packing), expected)


def rounded(found: list[list[dict[str, Any]]]) -> list[Any]:
    return [[{**entity, "score": round(entity["score"], 4)} for entity in entities] for entities in found]


def test_a_patch_ends(ideas: Any) -> None:
    before = ConditionalRandomField.__dict__["_partition"]
    with ideas.patched(ConditionalRandomField, "_partition", None):
        assert ConditionalRandomField._partition is None
    assert ConditionalRandomField.__dict__["_partition"] is before


def test_all_patches_find_what_they_replace(ideas: Any) -> None:
    for idea in ideas.ideas():
        with idea.patch():
            pass


def test_lines_of_a_file_are_tagged(ideas: Any) -> None:
    cases = [idea.case for idea in ideas.ideas("lines.txt")]
    assert {(case.mode, case.text) for case in cases} == {("train", None), ("tag", "lines.txt")}


@pytest.mark.slow
def test_an_idea_is_measured(ideas: Any) -> None:
    idea = next(idea for idea in ideas.ideas() if "distinct" in idea.name)
    small = ideas.replace(idea.case, settings=("model.hidden_size=8",), batch_size=4)
    assert all(ratio > 0 for ratio in ideas.measured(ideas.replace(idea, case=small), 2, 1))

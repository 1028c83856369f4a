from __future__ import annotations

from typing import Any

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import SCHEMES, spans_to_tags, tag_names, tags_to_spans
from tagsmith.training.batches.endless import EndlessStream
from tagsmith.training.batches.head_sampler import HeadBatchSampler
from tagsmith.training.batches.length_sampler import LengthGroupedSampler
from tagsmith.training.batches.mention_replacement import ReplacedMentions

SPANS = [scheme for scheme in SCHEMES if scheme != "plain"]


def head(scheme: str, *labels: str) -> HeadShape:
    return HeadShape(tag_names(labels, scheme), scheme)


def row(shape: HeadShape, pieces: list[tuple[str, list[int]]], name: str | None = None) -> dict[str, Any]:
    """A sentence of words outside (label "") and spans; a word's characters are its id, so often as the id says."""
    words: list[int] = []
    spans = []
    for label, own in pieces:
        if label:
            spans.append(Span(len(words), len(words) + len(own), label))
        words += own
    tags = spans_to_tags(spans, len(words), shape.tag_scheme)
    encoded = {"input_ids": words, "character_ids": [[word] * word for word in words], "length": len(words)}
    encoded["labels"] = [shape.tags.index(tag) for tag in tags]
    return encoded if name is None else {**encoded, "head": name}


def pieces_of(encoded: dict[str, Any], shape: HeadShape) -> list[tuple[str, tuple[int, ...]]]:
    """Words outside one by one, and spans."""
    words, found, last = encoded["input_ids"], [], 0
    assert encoded["length"] == len(words) == len(encoded["labels"])
    assert encoded["character_ids"] == [[word] * word for word in words]
    for span in tags_to_spans([shape.tags[tag] for tag in encoded["labels"]], shape.tag_scheme, strict=True):
        found += [("", (word,)) for word in words[last : span.start]]
        found.append((span.label, tuple(words[span.start : span.end])))
        last = span.end
    return found + [("", (word,)) for word in words[last:]]


PIECES = st.lists(
    st.one_of(
        st.tuples(st.just(""), st.lists(st.integers(2, 9), min_size=1, max_size=1)),
        st.tuples(st.sampled_from(["LOC", "PER"]), st.lists(st.integers(2, 9), min_size=1, max_size=3)),
    ),
    min_size=1,
    max_size=6,
)


@given(data=st.lists(PIECES, min_size=1, max_size=5), scheme=st.sampled_from(SPANS), rate=st.sampled_from([0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_spans_are_others_of_their_label_and_nothing_else_changes(data: Any, scheme: str, rate: float) -> None:
    shape = head(scheme, "LOC", "PER")
    known = {(label, tuple(words)) for pieces in data for label, words in pieces if label}
    rows = Dataset.from_list([row(shape, pieces) for pieces in data])
    if not known:
        with pytest.raises(ValueError, match="have none"):
            ReplacedMentions(rows, {None: shape}, rate, 1)
        return
    replaced = ReplacedMentions(rows, {None: shape}, rate, 1)
    for item in range(3 * len(rows)):
        before, after = pieces_of(rows[item % len(rows)], shape), pieces_of(replaced[item], shape)
        assert [label for label, _ in before] == [label for label, _ in after]
        for old, new in zip(before, after, strict=True):
            if not old[0]:
                assert new == old
                continue
            assert new in known
            others = {mention for mention in known if mention[0] == old[0]} - {old}
            if rate == 1:
                assert (new != old) == bool(others), "any but itself"


def test_every_other_span_comes_about_as_often() -> None:
    shape = head("BIOES", "LOC")
    rows = Dataset.from_list([row(shape, [("LOC", [word])]) for word in (2, 3, 4, 5, 5)])
    replaced = ReplacedMentions(rows, {None: shape}, 0.75, 3)
    counts = torch.zeros(6)
    for number in range(4000):
        counts[replaced[number * len(rows)]["input_ids"][0]] += 1
    torch.testing.assert_close(counts[2:] / 4000, torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_items_are_a_function_of_seed_pass_and_sentence() -> None:
    shape = head("BIOES", "LOC")
    rows = Dataset.from_list([row(shape, [("LOC", [word]), ("", [9])]) for word in range(2, 9)])
    first, again, other = (ReplacedMentions(rows, {None: shape}, 0.9, seed) for seed in (1, 1, 2))
    items = list(range(28))
    assert first.__getitems__(items) == [again[item] for item in reversed(items)][::-1]
    assert first.__getitems__(items) != other.__getitems__(items)
    assert first.__getitems__(items[:7]) != first.__getitems__(items[7:14]), "each pass has its own"


def test_each_head_has_its_own_spans_and_plain_tags_stay() -> None:
    heads: Any = {"a": head("BIOES", "LOC"), "b": head("IOB2", "LOC"), "pos": HeadShape(["LOC", "X"], "plain")}
    made = [
        row(heads[name], [("LOC", [word])], name) for name, words in (("a", (2, 3)), ("b", (4, 5))) for word in words
    ]
    made += [row(heads["pos"], [("LOC", [word]), ("X", [9])], "pos") for word in (6, 7)]
    replaced = ReplacedMentions(Dataset.from_list(made), heads, 1.0, 1)
    assert [replaced[item]["input_ids"] for item in range(6, 12)] == [[3], [2], [5], [4], [6, 9], [7, 9]]
    assert [replaced[item]["head"] for item in range(6)] == ["a", "a", "b", "b", "pos", "pos"]


def test_samplers_count_on_from_pass_to_pass() -> None:
    lengths = [3, 1, 2, 5, 4]
    for number in range(3):
        plain, numbered = LengthGroupedSampler(lengths, 2, 1), LengthGroupedSampler(lengths, 2, 1, numbered=True)
        plain.set_epoch(number)
        numbered.set_epoch(number)
        assert list(numbered) == [item + 5 * number for item in plain]
    heads = [[1] * 4, [1] * 6]
    found: list[set[int]] = [set(), set()]
    for number in range(3):
        joint, plain_joint = HeadBatchSampler(heads, 2, 1, numbered=True), HeadBatchSampler(heads, 2, 1)
        joint.set_epoch(number)
        plain_joint.set_epoch(number)
        for items, indices in zip(joint, plain_joint, strict=True):
            assert [item % 10 for item in items] == indices
            drawn = found[indices[0] >= 4]
            assert drawn.isdisjoint(items), "no item comes twice"
            drawn.update(items)
    assert sorted(found[0])[:16] == [10 * number + index for number in range(4) for index in range(4)]


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_no_probability(rate: float) -> None:
    with pytest.raises(ValueError, match=f"mention_replacement is {rate}, and must lie between 0 and 1"):
        ReplacedMentions(Dataset.from_list([row(head("BIOES", "LOC"), [("LOC", [2])])]), {}, rate, 1)


def test_what_it_does_not_go_with() -> None:
    shape = head("BIOES", "LOC")
    with pytest.raises(ValueError, match="a Dataset, and this is a EndlessStream"):
        ReplacedMentions(EndlessStream(lambda: iter(())), {None: shape}, 0.5, 1)
    rows = Dataset.from_list([{**row(shape, [("LOC", [2])]), "gazetteer_features": [[1.0]]}])
    with pytest.raises(ValueError, match="does not go with gazetteers"):
        ReplacedMentions(rows, {None: shape}, 0.5, 1)

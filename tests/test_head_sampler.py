from __future__ import annotations

from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.training.batches.head_sampler import HeadBatchSampler

LENGTHS = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=30), min_size=1, max_size=4)
SIZE = st.integers(1, 7)
SEED = st.integers(0, 3)


def batches_of(
    lengths: list[list[int]],
    size: int,
    seed: int,
    epochs: int = 1,
    parts: int = 1,
    part: int = 0,
    group_by_length: bool = True,
) -> list[list[int]]:
    sampler = HeadBatchSampler(lengths, size, seed, parts, part, group_by_length=group_by_length)
    found: list[list[int]] = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        found += sampler
    return found


def sentences_of(lengths: list[list[int]]) -> list[range]:
    """The numbers of each head's sentences."""
    bounds = [sum(map(len, lengths[:number])) for number in range(len(lengths) + 1)]
    return [range(*pair) for pair in pairwise(bounds)]


@given(lengths=LENGTHS, size=SIZE, seed=SEED)
@settings(max_examples=60, deadline=None)
def test_heads_in_turn_a_full_batch_of_one_each(lengths: list[list[int]], size: int, seed: int) -> None:
    batches = batches_of(lengths, size, seed)
    assert len(batches) == len(HeadBatchSampler(lengths, size, seed))
    for number, batch in enumerate(batches):
        assert len(batch) == size
        assert set(batch) <= set(sentences_of(lengths)[number % len(lengths)])
        assert all(type(index) is int for index in batch)


@given(lengths=LENGTHS, size=SIZE, seed=SEED, epochs=st.integers(1, 4), grouped=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_head_goes_through_all_its_sentences_before_it_begins_anew(
    lengths: list[list[int]], size: int, seed: int, epochs: int, grouped: bool
) -> None:
    batches = batches_of(lengths, size, seed, epochs, group_by_length=grouped)
    for number, own in enumerate(sentences_of(lengths)):
        drawn = list(chain.from_iterable(batches[number :: len(lengths)]))
        for start in range(0, len(drawn), len(own)):
            one_pass = drawn[start : start + len(own)]
            assert len(set(one_pass)) == len(one_pass), "also over the end of an epoch"
        assert len(drawn) >= epochs * len(own), "as many passes as epochs, or more"


@given(lengths=LENGTHS, size=SIZE, seed=SEED)
@settings(max_examples=30, deadline=None)
def test_the_first_epoch_has_all_sentences(lengths: list[list[int]], size: int, seed: int) -> None:
    assert set(chain.from_iterable(batches_of(lengths, size, seed))) == set(range(sum(map(len, lengths))))


@given(lengths=LENGTHS, size=SIZE, seed=SEED, processes=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_processes_divide_each_batch(lengths: list[list[int]], size: int, seed: int, processes: int) -> None:
    whole = batches_of(lengths, size * processes, seed, 2)
    parts = [batches_of(lengths, size * processes, seed, 2, processes, index) for index in range(processes)]
    assert all(len(part) == size for part in chain.from_iterable(parts))
    for batch, *own in zip(whole, *parts, strict=True):
        assert sorted(chain.from_iterable(own)) == sorted(batch)


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = [[1 + index % 7 for index in range(50)], [2] * 30]

    def order(seed: int, epoch: int) -> tuple[tuple[int, ...], ...]:
        sampler = HeadBatchSampler(lengths, 4, seed)
        sampler.set_epoch(epoch)
        return tuple(map(tuple, sampler))

    assert order(1, 2) == order(1, 2)
    assert len({order(seed, epoch) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6
    sampler = HeadBatchSampler(lengths, 4, 1)
    assert list(sampler) == list(sampler), "an epoch that is begun twice, as after a resume, has one order"


def test_an_epoch_goes_on_where_the_one_before_stopped() -> None:
    lengths = [[3] * 10, [3] * 7]
    # Three turns of four: twelve sentences of each head an epoch, so that no pass ends where an epoch does.
    drawn = list(chain.from_iterable(batches_of(lengths, 4, 5, epochs=7)[1::2]))
    assert len(drawn) == 7 * 12
    passes = [drawn[start : start + 7] for start in range(0, 84, 7)]
    assert all(sorted(own) == list(range(10, 17)) for own in passes)
    assert len(set(map(tuple, passes))) > 6, "each pass in an order of its own"


@pytest.mark.parametrize("grouped, least, most", [(True, 0, 3), (False, 14, 19)])
def test_batches_within_a_pass_are_of_like_length_or_random(grouped: bool, least: float, most: float) -> None:
    lengths = [[1 + index % 20 for index in range(400)], [5] * 20]
    spreads = [
        max(lengths[0][index] for index in batch) - min(lengths[0][index] for index in batch)
        for batch in batches_of(lengths, 10, 1, group_by_length=grouped)[::2]
    ]
    assert least <= sum(spreads) / len(spreads) < most


def test_a_random_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = [list(range(1, 31)), [2] * 30]

    def order(seed: int, epochs: int) -> tuple[tuple[int, ...], ...]:
        return tuple(map(tuple, batches_of(lengths, 4, seed, epochs, group_by_length=False)))

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(2, 2)
    assert order(1, 2)[:16] != order(1, 2)[16:], "each epoch in an order of its own"


@given(lengths=LENGTHS, size=SIZE, seed=SEED, data=st.data())
@settings(max_examples=40, deadline=None)
def test_heads_with_several_batches_in_a_turn(
    lengths: list[list[int]], size: int, seed: int, data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.integers(1, 4), min_size=len(lengths), max_size=len(lengths)))
    epoch_head = data.draw(st.none() | st.integers(0, len(lengths) - 1))
    sampler = HeadBatchSampler(lengths, size, seed, epoch_head=epoch_head, head_batches=counts)
    own, epochs = sentences_of(lengths), []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
        assert len(epochs[-1]) == len(sampler)
    turn = [head for head, count in enumerate(counts) for _ in range(count)]
    heads = [next(head for head, among in enumerate(own) if batch[0] in among) for batch in epochs[0]]
    assert heads == turn * (len(heads) // len(turn))
    for head in range(len(lengths)) if epoch_head is None else [epoch_head]:
        batches = [batch for batch in chain(*epochs) if batch[0] in own[head]]
        drawn = list(chain.from_iterable(batches))
        assert len(drawn) >= 3 * len(own[head])
        if head == epoch_head:
            assert len(drawn) < 3 * (len(own[head]) + counts[head] * size), "an epoch is one pass of it"
        for start in range(0, len(drawn), len(own[head])):
            one_pass = drawn[start : start + len(own[head])]
            assert len(set(one_pass)) == len(one_pass), "none twice in a pass, over the ends of epochs too"


@pytest.mark.parametrize("counts", [[1, 0], [1], [1, 1, 1]])
def test_a_head_without_batches(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="Each of 2 heads needs at least one batch a turn"):
        HeadBatchSampler([[1, 2], [3]], 2, 1, head_batches=counts)


@pytest.mark.parametrize("lengths", [[[1, 2], []], [[]]])
def test_a_head_without_sentences(lengths: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="needs sentences"):
        HeadBatchSampler(lengths, 2, 1)


def test_a_batch_that_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="A batch of 5 sentences cannot be divided among 2"):
        HeadBatchSampler([[1, 2]], 5, 1, 2)

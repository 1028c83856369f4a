from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.training.batches.length_sampler import LengthGroupedSampler


@given(
    lengths=st.lists(st.integers(1, 60), max_size=200),
    batch_size=st.integers(1, 16),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_each_sentence_comes_once(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    sampler = LengthGroupedSampler(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert sorted(order) == list(range(len(lengths)))
    assert len(sampler) == len(lengths)
    assert all(type(index) is int for index in order)


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 100).tolist()

    def order(seed: int, epoch: int) -> list[int]:
        sampler = LengthGroupedSampler(lengths, 4, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6
    sampler = LengthGroupedSampler(lengths, 4, 1)
    assert list(sampler) == list(sampler), "an epoch that is begun twice, as after a resume, has one order"


def test_batches_are_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 2000)
    batches = np.array(list(LengthGroupedSampler(lengths, 10, 1))).reshape(-1, 10)
    grouped = np.ptp(lengths[batches], axis=1).mean()
    shuffled = np.ptp(np.random.default_rng(1).permutation(lengths).reshape(-1, 10), axis=1).mean()
    assert grouped < shuffled / 5


def test_batches_do_not_come_in_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 2000)
    means = lengths[list(LengthGroupedSampler(lengths, 10, 1))].reshape(-1, 10).mean(axis=1)
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_a_smaller_batch_comes_last() -> None:
    # 23 sentences in batches of 5: were the rest of 3 in the middle, the batches behind it would mix lengths.
    lengths = np.repeat(np.arange(1, 24), 1)
    order = list(LengthGroupedSampler(lengths, 5, 3))
    for first in range(0, 20, 5):
        assert np.ptp(lengths[order[first : first + 5]]) == 4


def test_no_sentence_and_fewer_than_a_batch() -> None:
    assert list(LengthGroupedSampler([], 4, 1)) == []
    assert sorted(LengthGroupedSampler([3, 1], 4, 1)) == [0, 1]

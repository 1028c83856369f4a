from __future__ import annotations

import numpy as np
import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.bootstrap import compare, intervals, resampled_units, scores_of, summed


def test_scores() -> None:
    assert scores_of(np.array([2, 4, 5])).tolist() == pytest.approx([0.5, 0.4, 4 / 9])
    assert scores_of(np.array([0, 0, 0])).tolist() == [0.0, 0.0, 0.0]


def test_what_is_drawn() -> None:
    many = resampled_units([number // 3 for number in range(90)])
    assert (many.size, many.said) == (30, "documents")
    one = resampled_units([0] * 400)
    assert (one.size, one.said) == (40, "stretches of 10 sentences")
    few = resampled_units([0] * 15)
    assert (few.size, few.said) == (15, "sentences")
    for documents in ([], [0]):
        with pytest.raises(InputError, match="leave out --bootstrap"):
            resampled_units(documents)


def test_sums() -> None:
    units = resampled_units([0] * 5 + [1] * 5)
    counts = np.ones((10, 3))
    assert summed(counts, units).sum() == 30


def test_intervals_hold_the_value_and_shrink_with_data() -> None:
    chance = np.random.default_rng(1)
    wide, narrow = (
        intervals(np.stack([chance.binomial(5, 0.8, size), np.full(size, 5), np.full(size, 5)], 1))["f1"]
        for size in (30, 3000)
    )
    for found in (wide, narrow):
        assert found.low < found.value < found.high
    # The spread of a mean of n units of 5 trials: sqrt(0.8 * 0.2 / (5 n)), times 1.96 on each side.
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * (0.16 / 15_000) ** 0.5, rel=0.15)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_a_sure_difference_and_none() -> None:
    first = np.tile([9, 10, 10], (50, 1))
    second = np.tile([6, 10, 10], (50, 1))
    sure = compare(first, second)
    assert sure.difference == pytest.approx((0.3, 0.3, 0.3)) and sure.p < 0.01 and sure.first_better == 1.0
    none = compare(first, first)
    assert none.p == 1.0 and none.first_better == 0.5 and none.difference.value == 0.0

"""Mean, spread and paired differences against figures worked out by hand and textbook quantiles."""

import pytest

from lanenet_sad.ablation.statistics import mean_and_deviation, paired_difference


def test_mean_and_sample_deviation():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_deviation([5.0]) == (5.0, None)


def test_a_difference_is_taken_seed_by_seed():
    found = paired_difference({0: 0.62, 1: 0.52, 2: 0.43}, {0: 0.60, 1: 0.50, 2: 0.40, 7: 0.99})
    assert found.num_seeds == 3
    assert found.mean == pytest.approx(0.07 / 3)
    half = 4.302652729911275 * (0.01 / 3**0.5) / 3**0.5  # t(0.975, 2) times deviation over the root of n
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)


def test_one_common_seed_has_no_interval_and_none_has_no_difference():
    found = paired_difference({0: 0.5, 1: 0.6}, {1: 0.5})
    assert (found.low, found.high, found.num_seeds) == (None, None, 1)
    assert found.mean == pytest.approx(0.1)
    assert paired_difference({0: 0.5}, {1: 0.5}) is None

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lanenet_sad.metrics.matching import match

SHAPES = st.tuples(st.integers(0, 5), st.integers(0, 5))
IOUS = arrays(np.float64, SHAPES, elements=st.floats(0, 1))


def best_sum(ious: np.ndarray) -> float:
    """The largest sum of a one-to-one pairing, by trying all."""
    small = ious if ious.shape[0] <= ious.shape[1] else ious.T
    return max(
        sum(small[i, j] for i, j in enumerate(order)) for order in permutations(range(small.shape[1]), len(small))
    )


@pytest.mark.parametrize(
    ("ious", "pairs"),
    [
        ([[0.9, 0.0], [0.0, 0.8]], [0, 1]),
        ([[0.0, 0.9], [0.8, 0.0]], [1, 0]),
        ([[0.6, 0.5], [0.55, 0.0]], [1, 0]),
        ([[0.1, 0.7, 0.2]], [1]),
        ([[0.1], [0.7], [0.2]], [-1, 0, -1]),
        (np.zeros((2, 0)), [-1, -1]),
        (np.zeros((0, 3)), []),
    ],
    ids=["diagonal", "crossed", "sum-beats-greed", "one-label", "one-prediction", "no-prediction", "no-label"],
)
def test_hand_made_pairings(ious: object, pairs: list[int]) -> None:
    assert match(ious) == pairs


def test_first_of_two_near_equal_predictions_is_taken() -> None:
    assert match([[0.700, 0.709]]) == [0]
    assert match([[0.700, 0.711]]) == [1]


def test_a_lane_without_any_number_stops_the_matching() -> None:
    nan = np.nan
    assert match([[nan, nan], [0.2, 0.9]]) == [-1, -1]
    assert match([[0.2, 0.9], [nan, nan]]) == [1, -1]


def test_many_equal_lanes_are_matched_without_recursion() -> None:
    pairs = match(np.ones((150, 150)))
    assert sorted(pairs) == list(range(150))


@given(IOUS)
def test_pairs_are_one_to_one_and_nearly_optimal(ious: np.ndarray) -> None:
    pairs = match(ious)
    used = [pair for pair in pairs if pair >= 0]
    assert len(used) == len(set(used)) == min(ious.shape)
    if used:
        total = sum(ious[label, pair] for label, pair in enumerate(pairs) if pair >= 0)
        assert total >= best_sum(ious) - 0.01 * (2 * len(used) + 1)

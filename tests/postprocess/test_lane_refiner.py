"""Curves of lanes: what was drawn comes back from dashes, noise and strays, and nothing folds or crosses."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.postprocess.refine import LaneRefiner

SIZE = (590, 1640)
ROWS = np.arange(589.0, 250.0, -10.0)
BOTH = pytest.mark.parametrize("curve", ["polynomial", "spline"])


def cubic(rows: np.ndarray, *, start: float = 500.0, lean: float = 0.9, bend: float = 0.0, turn: float = 0.0):
    share = (589 - rows) / 339
    return start + lean * 339 * share + bend * share**2 + turn * share**3


def refine(*lanes: Lane, row_anchors=None, **chosen) -> tuple[Lane, ...]:
    return LaneRefiner(**chosen)(LanePrediction(lanes, SIZE, row_anchors=row_anchors)).lanes


def make_lane(x: np.ndarray, rows: np.ndarray = ROWS, sure: float = 0.9) -> Lane:
    return Lane(np.stack([x, rows], axis=1), 2, 0.8, np.full(len(rows), sure))


def assert_sound(lane: Lane) -> None:
    """Rows fall, all is finite, and confidences are some."""
    assert np.isfinite(lane.points).all()
    assert (np.diff(lane.points[:, 1]) < 0).all()
    assert (lane.points[:, 0] >= 0).all()
    assert (lane.points[:, 0] <= SIZE[1] - 1).all()
    assert ((lane.point_confidences >= 0) & (lane.point_confidences <= 1)).all()
    assert 0 <= lane.confidence <= 1


@BOTH
@settings(max_examples=40, deadline=None)
@given(
    start=st.floats(500, 1000),
    lean=st.floats(-0.9, 0.9),
    bend=st.floats(-150, 150),
    turn=st.floats(-100, 100),
    dash=st.integers(4, 6),
    seed=st.integers(0, 2**16),
)
def test_dashes_noise_and_strays_give_the_true_curve(curve, start, lean, bend, turn, dash, seed):
    random = np.random.default_rng(seed)
    fine = np.arange(589.0, 250.0, -5.0)
    true = cubic(fine, start=start, lean=lean, bend=bend, turn=turn)
    seen = np.arange(len(fine)) % (dash + 2) < dash  # two rows in six to eight are missing
    rows, x = fine[seen], true[seen] + random.normal(0, 0.5, seen.sum())
    strays = random.choice(len(rows), len(rows) // 5, replace=False)
    x[strays] += random.choice([-1, 1], len(strays)) * random.uniform(40, 250, len(strays))
    (lane,) = refine(make_lane(x.clip(0, 1639), rows), curve=curve)
    assert_sound(lane)
    off = np.abs(lane.points[:, 0] - cubic(lane.points[:, 1], start=start, lean=lean, bend=bend, turn=turn))
    good = np.delete(rows, strays)
    assert off[np.isin(lane.points[:, 1], good)].max() < 1.5
    assert off.max() < 2.5  # also in gaps and below strays
    assert np.isin(good, lane.points[:, 1]).all()
    between = fine[(fine < good[0]) & (fine > good[-1])]
    assert np.isin(between, lane.points[:, 1]).all()  # gaps closed


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(st.floats(-200, 2000), st.floats(-50, 650)), max_size=12),
    extra=st.sampled_from([(), ((np.nan, 300.0),), ((500.0, np.inf), (510.0, 400.0))]),
    curve=st.sampled_from(["polynomial", "spline"]),
)
def test_whatever_comes_in_sound_lanes_come_out(points, extra, curve):
    line = np.array([*points, *extra], dtype=np.float64).reshape(-1, 2)
    for lane in refine(Lane(line, 1, 0.7), Lane(line[::-1] + 3, 2, 0.9), curve=curve):
        assert np.isfinite(lane.points).all()
        if len(lane.points) >= 3:
            assert_sound(lane)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_lanes_of_fewer_than_three_points_stay_as_they_are(count):
    short = make_lane(cubic(ROWS)[:count], ROWS[:count])
    long = make_lane(cubic(ROWS, start=900, lean=-1.5))
    assert refine(long, short)[1] is short


@BOTH
def test_a_gap_is_closed_with_falling_confidence(curve):
    seen = (ROWS > 495) | (ROWS < 400)
    (lane,) = refine(make_lane(cubic(ROWS, bend=60)[seen], ROWS[seen]), curve=curve)
    assert lane.points[:, 1].tolist() == ROWS.tolist()
    np.testing.assert_allclose(lane.points[:, 0], cubic(ROWS, bend=60), atol=0.5)
    gap = lane.point_confidences[~seen]
    middle = len(gap) // 2
    assert (np.diff(gap[: middle + 1]) < 0).all()
    assert (np.diff(gap[middle:]) > 0).all()
    assert gap.max() < 0.85 * lane.point_confidences[seen].min()
    assert gap.min() > 0


def test_gaps_get_the_anchors_of_the_picture():
    anchors = np.array([280.0, 300.0, 330.0, 370.0, 420.0, 480.0, 540.0])
    rows = np.array([540.0, 480.0, 370.0, 330.0, 280.0])
    (lane,) = refine(make_lane(cubic(rows), rows), row_anchors=anchors)
    assert lane.points[:, 1].tolist() == anchors[::-1].tolist()


def test_the_farther_off_the_less_sure_and_strays_lower_the_lane():
    x = cubic(ROWS)
    x[10] += 4
    (near,) = refine(make_lane(x))
    assert near.point_confidences.argmin() == 10
    assert near.confidence == pytest.approx(0.8 * 0.9, rel=0.02)
    x = cubic(ROWS)
    x[[5, 12, 20, 21, 30]] += 70
    (strays,) = refine(make_lane(x))
    assert strays.confidence == pytest.approx(0.8 * 0.9 * 29 / 34)
    assert strays.slot == 2


@BOTH
def test_a_far_end_along_the_horizon_is_cut(curve):
    (lane,) = refine(make_lane(cubic(ROWS, start=100, lean=0.0, turn=1450.0)), curve=curve)  # 12.5 columns per row
    assert 25 < len(lane.points) < len(ROWS)
    slopes = np.abs(np.diff(lane.points[:, 0]) / np.diff(lane.points[:, 1]))
    assert slopes[len(ROWS) // 2 :].max() <= 10


@pytest.mark.parametrize("weaker", [0, 1], ids=["left", "right"])
def test_of_two_lanes_that_cross_the_less_sure_one_ends(weaker):
    left, right = cubic(ROWS, start=500, lean=1.2), cubic(ROWS, start=800, lean=0.1)  # meet four fifths up
    sure = [0.9, 0.9]
    sure[weaker] = 0.6
    lanes = refine(make_lane(left, sure=sure[0]), make_lane(right, sure=sure[1]))
    assert len(lanes[1 - weaker].points) == len(ROWS)
    assert 20 < len(lanes[weaker].points) < len(ROWS)
    assert not crosses(*lanes)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(100, 1500), st.floats(-2, 2), st.floats(-200, 200), st.integers(3, 34)), max_size=4)
)
def test_no_two_lanes_of_a_picture_cross(shapes):
    lanes = [make_lane(cubic(ROWS[:n], start=s, lean=k, bend=b).clip(0, 1639), ROWS[:n]) for s, k, b, n in shapes]
    found = refine(*lanes)
    assert len(found) <= len(lanes)
    for one, other in combinations(found, 2):
        assert not crosses(one, other)


def crosses(one: Lane, other: Lane) -> bool:
    """Whether the polylines change sides, at any of the rows of both."""
    rows = np.unique(np.concatenate([one.points[:, 1], other.points[:, 1]]))
    at = [
        np.interp(rows, lane.points[::-1, 1], lane.points[::-1, 0], left=np.nan, right=np.nan) for lane in (one, other)
    ]
    apart = (at[1] - at[0])[~np.isnan(at[0] + at[1])]
    return bool((apart > 0).any() and (apart < 0).any())


@BOTH
def test_the_same_picture_gives_the_same_lanes_at_any_size(curve):
    x = cubic(ROWS, bend=80)
    x[::6] += 120
    lane = make_lane(x)
    refiner = LaneRefiner(curve=curve)
    first, again = (refiner(LanePrediction((lane,), SIZE)).lanes[0] for _ in range(2))
    refiner.reset()
    double = refiner(LanePrediction((lane.scaled(2),), (1180, 3280))).lanes[0]
    assert first.points.tolist() == again.points.tolist()
    np.testing.assert_allclose(double.points, first.points * 2, atol=1e-6)
    np.testing.assert_allclose(double.point_confidences, first.point_confidences, atol=1e-9)


def test_what_else_a_prediction_says_stays():
    lane = replace(make_lane(cubic(ROWS)), track_id=7)
    before = LanePrediction((lane,), SIZE, name="a.jpg", run_time=0.5)
    after = LaneRefiner()(before)
    assert (after.name, after.run_time, after.image_size, after.lanes[0].track_id) == ("a.jpg", 0.5, SIZE, 7)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"curve": "circle"}, "polynomial or spline"),
        ({"degree": 0}, "degree: expected at least 1"),
        ({"stiffness": 0.0}, "stiffness: expected more than 0"),
        ({"tolerance": float("nan")}, "tolerance: expected more than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        LaneRefiner(**chosen)

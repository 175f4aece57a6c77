from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import make_straight_lane
from hypothesis import given
from hypothesis import strategies as st

from lanenet_sad.lanes.files import read_culane_lines, read_culane_list
from lanenet_sad.lanes.lane import Lane
from lanenet_sad.lanes.slots import assign_slots, bottom_crossing, slot_origins, slots_by_existence, slots_by_geometry

SIZE = (100, 201)  # the centre is x = 100


@pytest.mark.parametrize(
    ("num_lanes", "crossings", "slots"),
    [
        pytest.param(4, [20, 60, 140, 190], [1, 2, 3, 4], id="culane-full"),
        pytest.param(4, [140, 60], [3, 2], id="any-order"),
        pytest.param(4, [140], [3], id="only-right"),
        pytest.param(4, [-90, 10, 60, 140], [None, 1, 2, 3], id="beyond-outermost-left"),
        pytest.param(4, [120, 150, 180], [3, 4, None], id="beyond-outermost-right"),
        pytest.param(6, [60, 120, 150, 180], [3, 4, 5, 6], id="tusimple"),
        pytest.param(5, [60, 120, 150, 180], [2, 3, 4, 5], id="odd-has-more-on-the-right"),
        pytest.param(2, [99, 100], [1, 2], id="centre-counts-as-right"),
        pytest.param(4, [], [], id="no-lanes"),
    ],
)
def test_slots_by_geometry(num_lanes: int, crossings: list[float], slots: list[int | None]) -> None:
    lanes = [make_straight_lane(x, SIZE) for x in crossings]
    assert slots_by_geometry(lanes, SIZE, num_lanes) == slots
    assigned = assign_slots(lanes, SIZE, num_lanes)
    assert [lane.slot for lane in assigned] == sorted(slot for slot in slots if slot is not None)
    assert all(lane.points is lanes[slots.index(lane.slot)].points for lane in assigned)


@given(st.lists(st.integers(-150, 350).filter(lambda x: x != 100), unique=True, max_size=7), st.sampled_from([2, 4, 6]))
def test_mirrored_lanes_get_mirrored_slots(crossings: list[int], num_lanes: int) -> None:
    slots = slots_by_geometry([make_straight_lane(x, SIZE) for x in crossings], SIZE, num_lanes)
    mirrored = slots_by_geometry([make_straight_lane(200 - x, SIZE) for x in crossings], SIZE, num_lanes)
    assert mirrored == [None if slot is None else num_lanes + 1 - slot for slot in slots]


def test_far_piece_is_extended_straight_to_the_bottom() -> None:
    whole = make_straight_lane(20, SIZE)
    assert bottom_crossing(whole, 100) == pytest.approx(20)
    assert bottom_crossing(Lane(whole.points[4:]), 100) == pytest.approx(20)
    assert bottom_crossing(Lane(whole.points[::-1]), 100) == pytest.approx(20)


def test_curve_is_extended_along_its_near_end() -> None:
    rows = np.arange(80.0, 10.0, -5.0)
    curved = Lane(np.stack([60 + 0.05 * np.maximum(50 - rows, 0) ** 2, rows], axis=1))  # upright below row 50
    assert bottom_crossing(curved, 100) == pytest.approx(60)


@pytest.mark.parametrize(
    ("points", "crossing"),
    [
        pytest.param([[7.0, 5.0]], 7, id="one-point"),
        pytest.param([[7.0, 5.0], [90.0, 5.0]], 7, id="one-row"),
        pytest.param([[50.0, 109.0], [60.0, 119.0]], 40, id="below-the-image"),
        pytest.param([[40.0, 99.0], [np.inf, 50.0]], 40, id="infinite-point"),
    ],
)
def test_crossing_of_odd_lanes(points: list[list[float]], crossing: float) -> None:
    assert bottom_crossing(Lane(np.array(points)), 100) == pytest.approx(crossing)


def test_lanes_without_points_have_no_slot() -> None:
    lanes = [Lane(np.empty((0, 2))), make_straight_lane(60, SIZE), Lane(np.array([[np.inf, np.inf]]))]
    assert slots_by_geometry(lanes, SIZE, 4) == [None, 2, None]
    assert slots_by_existence(lanes, SIZE, (0, 0, 0, 1)) == [None, 4, None]
    with pytest.raises(ValueError, match=r"expected at least one point"):
        bottom_crossing(lanes[0], 100)


def test_existence_flags_say_the_slots() -> None:
    lanes = [make_straight_lane(x, SIZE) for x in (180, 120, 150)]  # geometry alone would say 3, 4 and none
    assert slots_by_existence(lanes, SIZE, (0, 1, 1, 1)) == [4, 2, 3]
    assert slots_by_existence(lanes, SIZE, (0, 1, 1, 0)) is None


def test_geometry_agrees_with_real_labels(shared: Path) -> None:
    root = shared / "data/roads"
    right = total = 0
    for entry in read_culane_list(root / "list/val_gt.txt", 4)[::4]:
        assert entry.mask is not None
        mask = cv2.imread(str(root / entry.mask[1:]), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        lanes = read_culane_lines((root / entry.image[1:]).with_suffix(".lines.txt"))
        for lane in assign_slots(lanes, mask.shape[:2], 4):
            x, y = np.rint(lane.points).astype(int).T
            inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
            counts = np.bincount(mask[y[inside], x[inside]], minlength=5)
            right += counts[1:].argmax() + 1 == lane.slot
            total += 1
    assert total > 100
    assert right / total > 0.98


@pytest.mark.parametrize(
    ("num_lanes", "origin_lanes", "expected"),
    [
        pytest.param(4, 4, {1: 1, 2: 2, 3: 3, 4: 4}, id="same"),
        pytest.param(6, 4, {2: 1, 3: 2, 4: 3, 5: 4}, id="more"),
        pytest.param(2, 4, {1: 2, 2: 3}, id="fewer"),
        pytest.param(5, 4, {1: 1, 2: 2, 3: 3, 4: 4}, id="one-more-is-on-the-right"),
        pytest.param(1, 4, {1: 3}, id="one-is-the-ego-lanes-right-line"),
    ],
)
def test_slots_of_two_lane_counts_are_matched_from_the_ego_lane_outwards(num_lanes, origin_lanes, expected):
    assert slot_origins(num_lanes, origin_lanes) == expected


@pytest.mark.parametrize("num_lanes", range(1, 8))
def test_matched_slots_are_those_that_geometry_gives_the_same_line(num_lanes):
    lanes = [Lane(np.array([[x, 99.0], [100.0, 40.0]])) for x in (10, 40, 70, 130, 160, 190)]
    ours, theirs = (slots_by_geometry(lanes, SIZE, count) for count in (num_lanes, 4))
    both = {one: other for one, other in zip(ours, theirs, strict=True) if one and other}
    assert both == slot_origins(num_lanes, 4)

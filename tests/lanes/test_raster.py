from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lanenet_sad.lanes.curves import natural_spline, sample_at_rows
from lanenet_sad.lanes.lane import Lane
from lanenet_sad.lanes.raster import LanePatch, draw_lanes, label_line_width, lane_patch

SIZE = (590, 1640)
POINTS = st.integers(0, 6).flatmap(
    lambda n: arrays(np.float64, (n, 2), elements=st.floats(-900, 2500, width=32, allow_subnormal=False))
)


def upright(x: float, slot: int | None = 1) -> Lane:
    return Lane(np.array([[x, 700.0], [x, 400.0], [x, -100.0]]), slot)


def pasted(patch: LanePatch, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The whole mask that a patch stands for."""
    whole = np.zeros(size, np.uint8)
    height, width = patch.mask.shape
    whole[patch.top : patch.top + height, patch.left : patch.left + width] = patch.mask
    return whole


def drawn_segment_by_segment(points: np.ndarray, line_width: int) -> np.ndarray:
    """The evaluator's recipe word for word: OpenCV lines between rounded neighbours on the whole canvas."""
    mask = np.zeros(SIZE, np.uint8)
    if len(points) >= 2:
        curve = np.rint(natural_spline(points)).astype(int)
        for start, end in pairwise(curve):
            cv2.line(mask, start.tolist(), end.tolist(), 1, line_width)
    return mask


@given(POINTS, st.sampled_from([30, 10, 7, 1]))
@pytest.mark.filterwarnings("ignore:OpenCV .* draws two-point lanes")
def test_patch_is_the_lane_drawn_on_the_whole_canvas(points: np.ndarray, line_width: int) -> None:
    patch = lane_patch(points, SIZE, line_width=line_width)
    np.testing.assert_array_equal(pasted(patch), drawn_segment_by_segment(points, line_width))


@given(POINTS)
@pytest.mark.filterwarnings("ignore:OpenCV .* draws two-point lanes")
def test_mask_of_one_lane_is_its_patch(points: np.ndarray) -> None:
    mask = draw_lanes([Lane(points, slot=3)], SIZE, line_width=16)
    np.testing.assert_array_equal(mask, 3 * pasted(lane_patch(points, SIZE, line_width=16)))


@given(st.lists(st.floats(200, 1400), min_size=6, max_size=6))
def test_mask_has_the_lane_in_its_middle(x: list[float]) -> None:
    points = np.stack([x, np.linspace(580, 100, 6)], axis=1)
    mask = draw_lanes([Lane(points, slot=2)], SIZE, line_width=16)
    rows = np.arange(110, 580)
    at = sample_at_rows(natural_spline(points), rows)
    inside = (at > 0) & (at < SIZE[1] - 1)
    assert (mask[rows, np.rint(np.where(inside, at, 0)).astype(int)][inside] == 2).all()


def test_later_lanes_cover_earlier_ones() -> None:
    tilted = Lane(np.array([[600.0, 500.0], [800.0, 300.0], [1000.0, 100.0]]), slot=4)
    mask = draw_lanes([upright(800, 2), tilted], SIZE, line_width=16)
    assert mask.dtype == np.uint8
    assert mask[300, 800] == 4
    assert mask[500, 800] == 2
    assert set(np.unique(mask)) == {0, 2, 4}


@pytest.mark.parametrize("slot", [None, 0, 255], ids=str)
def test_lanes_without_a_usable_slot_are_refused(slot: int | None) -> None:
    with pytest.raises(ValueError, match=rf"lane 1 of 2: expected a slot from 1 to 254, got {slot}"):
        draw_lanes([upright(10, 1), upright(20, slot)], SIZE, line_width=16)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.array([[50.0, 50.0]])], ids=["none", "one"])
def test_fewer_than_two_points_leave_no_trace(points: np.ndarray) -> None:
    assert not draw_lanes([Lane(points, 1)], SIZE, line_width=16).any()
    assert lane_patch(points, SIZE, line_width=16).mask.size == 0


def test_points_on_one_spot_are_a_dot() -> None:
    patch = lane_patch(np.full((2, 2), 100.0), SIZE, line_width=30)
    assert patch.mask.sum() == drawn_segment_by_segment(np.full((2, 2), 100.0), 30).sum() > 600


def far_reaching(x: float) -> np.ndarray:
    return np.array([[800.0, 500.0], [800.0, 400.0], [x, 300.0]])


def test_far_points_are_drawn_as_on_the_whole_canvas() -> None:
    patch = lane_patch(far_reaching(1e9), SIZE, line_width=30)
    np.testing.assert_array_equal(pasted(patch), drawn_segment_by_segment(far_reaching(1e9), 30))


@pytest.mark.parametrize("far", [3e9, 1e38, 1e39, np.inf], ids=str)
@pytest.mark.filterwarnings("ignore:OpenCV .* draws two-point lanes")
def test_coordinates_beyond_integers_take_the_whole_canvas(far: float) -> None:
    assert lane_patch(far_reaching(far), SIZE, line_width=30).mask.shape == SIZE


def test_rounding_takes_ties_to_the_even_pixel() -> None:
    half = np.array([[10.5, 20.0], [11.5, 20.0]])
    patch = lane_patch(half, SIZE, line_width=1)
    assert np.argwhere(pasted(patch)).tolist() == [[20, 10], [20, 11], [20, 12]]


@pytest.mark.parametrize(("width", "expected"), [(1640, 16), (1280, 12), (800, 8), (50, 1), (10, 1)])
def test_label_width_follows_the_image_width(width: int, expected: int) -> None:
    assert label_line_width(width) == expected


@pytest.mark.parametrize(
    ("version", "points", "warned"),
    [
        ("4.13.0", [[100.0, 700.0], [300.0, 100.0]], True),
        ("5.0.0", [[100.0, 700.0], [300.0, 100.0]], True),
        ("4.12.0", [[100.0, 700.0], [300.0, 100.0]], False),
        ("4.13.0", [[100.0, 500.0], [300.0, 100.0]], False),
        ("4.13.0", [[100.0, 700.0], [200.0, 400.0], [300.0, 100.0]], False),
    ],
    ids=["4.13", "5.0", "4.12", "inside", "three-points"],
)
def test_opencv_that_draws_otherwise_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
    version: str,
    points: list[list[float]],
    warned: bool,
) -> None:
    monkeypatch.setattr(cv2, "__version__", version)
    lane_patch(np.array(points), SIZE, line_width=30)
    assert any("older than 4.13" in str(warning.message) for warning in recwarn) == warned

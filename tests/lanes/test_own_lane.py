import math

import numpy as np
import pytest
from road_factories import make_camera

from lanenet_sad.lanes.own_lane import HeightFromLane, own_line_distances
from lanenet_sad.lanes.road_model import RoadFit


def make_fit(*offsets: float, direction: float = 0.0, errors: tuple[float, ...] = ()) -> RoadFit:
    """A straight road whose lines pass so many heights of the camera right of it."""
    covariance = np.diag([*(errors or (0.01,) * len(offsets)), 0.0, 0.0, 0.0, 0.0]) ** 2
    return RoadFit(np.array(offsets), direction, 0.0, 0.0, 0.0, covariance, 0.0)


def test_distances_are_square_to_the_road_and_positive_on_their_own_side():
    fit = make_fit(-4.0, -1.5, 1.0, direction=0.3)
    left, right = own_line_distances(fit, (1, 2, 3), 4, height=2.0)
    assert (left, right) == (pytest.approx(3.0 * math.cos(0.291457)), pytest.approx(2.0 * math.cos(0.291457)))
    assert own_line_distances(fit, (1, 2, 3), 6, height=2.0) == (pytest.approx(-right), None)


@pytest.mark.parametrize(("height", "distances"), [(1.0, (1.0, 2.0)), (3.0, (3.0, None))])
def test_a_line_whose_place_is_not_certain_was_not_measured(height: float, distances):
    fit = make_fit(-1.0, 2.0, errors=(0.01, 0.2))
    assert own_line_distances(fit, (2, 3), 4, height=height) == distances


def test_the_height_is_the_one_at_which_most_lanes_are_as_usual():
    height_of, camera = HeightFromLane(3.6, 4), make_camera(height=None, origin="boards")
    assert height_of.mount(camera) == camera
    height_of.see(make_fit(-1.0, 1.0), (1, 2))  # not the own lane
    height_of.see(make_fit(1.0, -1.0), (2, 3))  # crossed lines
    assert height_of.mount(camera) == camera
    for width in (2.4, 2.0, 2.4, 9.0, 2.4):
        height_of.see(make_fit(-1.0, width - 1.0), (2, 3))
    mounted = height_of.mount(camera)
    assert (mounted.height, mounted.scale) == (pytest.approx(1.5), "assumed")
    assert mounted.origin == "boards; height from a lane of 3.6 m"
    assert height_of.mount(make_camera()) == make_camera()
    height_of.reset()
    assert height_of.mount(camera) == camera


def test_a_height_that_changes_too_little_to_be_noticed_stays():
    height_of, camera = HeightFromLane(3.6, 4), make_camera(height=None)
    heights = []
    for width in (2.4, 2.405, 2.41, 2.5, 2.5, 2.5, 2.5):
        height_of.see(make_fit(-1.0, width - 1.0), (2, 3))
        heights.append(height_of.mount(camera).height)
    assert heights[:4] == [1.5] * 4
    assert heights[-1] == pytest.approx(3.6 / 2.5)

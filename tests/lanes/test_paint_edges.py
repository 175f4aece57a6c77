"""Lines labelled by two edges: which belong together, and what lies between them."""

import numpy as np
import pytest
from benchmark_factories import make_edges
from factories import distance_to_polyline, make_straight_lane
from hypothesis import given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.paint_edges import centre_lines

SIZE = (720, 1280)
HEIGHT = SIZE[0]


def paint(edges, groups=None):
    return centre_lines(edges, HEIGHT, groups)


@pytest.mark.parametrize("bottom_x", [-900, 100, 640, 1100, 2400])
def test_the_line_between_two_edges(bottom_x):
    (line,) = paint(make_edges(bottom_x, SIZE, 46))
    expected = make_straight_lane(bottom_x, SIZE).points
    assert distance_to_polyline(line, expected).max() < 0.5
    assert line[0, 1] > line[-1, 1]
    assert np.abs(line[[0, -1], 1] - expected[[0, -1], 1]).max() < 0.5


def test_lane_lines_next_to_each_other_stay_apart():
    lanes = [make_straight_lane(x, SIZE).points for x in (200, 1000, 1800)]
    kept = paint(lanes)
    assert all(one is other for one, other in zip(kept, lanes, strict=True))


def test_the_edges_of_several_stripes_in_any_order():
    bottoms = (-500, 250, 900, 1700)
    edges = [edge for x in bottoms for edge in make_edges(x, SIZE, 40)]
    shuffled = [edges[i] for i in np.random.default_rng(3).permutation(len(edges))]
    lines = sorted(paint(shuffled), key=lambda line: line[0, 0])
    assert len(lines) == 4
    for line, x in zip(lines, bottoms, strict=True):
        assert distance_to_polyline(line, make_straight_lane(x, SIZE).points).max() < 0.5


def test_a_double_line_with_four_edges_becomes_two_lines():
    """The gap between the stripes is narrower than they are; every edge still gets a partner."""
    edges = [*make_edges(600, SIZE, 46), *make_edges(660, SIZE, 46)]
    lines = paint(edges)
    assert [round(float(line[0, 0])) for line in lines] == [600, 660]


def test_a_stripe_stands_where_its_first_edge_stood():
    left, right = make_edges(300, SIZE, 40)
    lone = make_straight_lane(900, SIZE).points
    lines = paint([left, lone, right])
    assert len(lines) == 2
    assert lines[1] is lone


def test_lines_of_two_kinds_are_no_pair():
    edges = make_edges(300, SIZE, 40)
    assert len(paint(edges, ["single white", "single yellow"])) == 2
    assert len(paint(edges, ["single white", "single white"])) == 1


def test_a_curved_stripe():
    rows = np.linspace(719, 400, 30)
    middle = 500 + 0.002 * (rows - 400) ** 2
    half = 0.06 * (rows - 330)
    (line,) = paint([np.stack([middle + sign * half, rows], axis=1) for sign in (-1, 1)])
    assert distance_to_polyline(line, np.stack([middle, rows], axis=1)).max() < 1


def test_edges_of_unequal_length_lie_around_the_centre():
    left, right = make_edges(300, SIZE, 40)
    shorter = right[: len(right) - 2]
    (line,) = paint([left, shorter])
    assert distance_to_polyline(line, make_straight_lane(300, SIZE).points).max() < 20  # half the paint


def test_dashes_behind_each_other_are_not_joined():
    left, right = make_edges(300, SIZE, 40)
    assert len(paint([left[:4], right[4:]])) == 2


def test_crossing_lines_are_no_pair():
    rows = np.array([700.0, 400.0])
    assert len(paint([np.stack([x, rows], axis=1) for x in (np.array([600, 640.0]), np.array([640, 600.0]))])) == 2


def test_a_stop_line_across_the_road():
    edges = [np.array([[200.0, y], [1000.0, y + 2]]) for y in (600, 616)]
    (line,) = paint(edges)
    assert line[:, 1].min() == pytest.approx(608)
    assert line[:, 1].max() == pytest.approx(610)


def test_a_crowd_of_lines_is_no_matter_of_minutes():
    edges = [np.array([[600.0 + 3 * i, 719.0], [620.0 + i, 400.0]]) for i in range(30)]
    assert 15 <= len(paint(edges)) < 30


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2), max_size=5), max_size=6))
def test_any_lines_give_lines(lines):
    edges = [np.array(line, dtype=np.float64).reshape(-1, 2) for line in lines]
    found = paint(edges)
    assert len(edges) / 2 <= len(found) <= len(edges)
    assert all(np.isfinite(line).all() for line in found)

"""CurveLanes' files, there and back, and whatever else stands in them."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.curvelanes_files import (
    curvelanes_label_path,
    read_curvelanes,
    read_curvelanes_list,
    write_curvelanes,
)
from lanenet_sad.lanes.lane import Lane

POINTS = st.lists(st.tuples(*[st.floats(-1e5, 1e5)] * 2), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(POINTS, max_size=4))
def test_there_and_back(tmp_path, lanes):
    sorted_lanes = [np.array(sorted(lane, key=lambda point: -point[1])).reshape(-1, 2) for lane in lanes]
    write_curvelanes(tmp_path / "a.lines.json", [Lane(lane) for lane in sorted_lanes])
    again = read_curvelanes(tmp_path / "a.lines.json")
    assert len(again) == len(sorted_lanes)
    for one, other in zip(again, sorted_lanes, strict=True):
        assert np.abs(one.points - other).max(initial=0) <= 0.0051


def test_strings_and_numbers_near_to_far(tmp_path):
    path = tmp_path / "a.lines.json"
    path.write_text('{"Lines": [[{"x": "1.5", "y": "20"}, {"x": 3, "y": "90.25"}], []]}')
    lanes = read_curvelanes(path)
    assert [lane.points.tolist() for lane in lanes] == [[[3, 90.25], [1.5, 20]], []]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected JSON"),
        ("[]", "expected an object with 'Lines', a list"),
        ('{"Lines": 3}', "expected an object with 'Lines', a list"),
        ('{"Lines": [3]}', "line 0: expected a list of points, got 3"),
        ('{"Lines": [[{"x": "1"}]]}', "line 0: expected points with x and y"),
        ('{"Lines": [[], [{"x": "1", "y": "nan"}]]}', "line 1: expected a coordinate in pixels, got 'nan'"),
        ('{"Lines": [[{"x": true, "y": "1"}]]}', "expected a coordinate in pixels, got True"),
    ],
)
def test_broken_labels(tmp_path, text, said):
    path = tmp_path / "a.lines.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as error:
        read_curvelanes(path)
    assert "a.lines.json" in str(error.value)


def test_lists(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("images/a.jpg\r\n\nimages/b.jpg\n")
    assert read_curvelanes_list(path) == ["images/a.jpg", "images/b.jpg"]
    assert curvelanes_label_path(tmp_path, "images/a.b.jpg") == tmp_path / "labels/a.b.lines.json"
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"train\.txt: expected one picture per line, got an empty list"):
        read_curvelanes_list(path)
    path.write_text("../a.jpg")
    with pytest.raises(ValueError, match=r"train\.txt: expected the name of a file inside"):
        read_curvelanes_list(path)
    with pytest.raises(FileNotFoundError, match=r"CurveLanes list .*none\.txt"):
        read_curvelanes_list(tmp_path / "none.txt")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_any_bytes(tmp_path, data):
    path = tmp_path / "a.lines.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.lines\.json"):
        read_curvelanes(path)
    try:
        assert read_curvelanes_list(path)
    except ValueError as error:
        assert "a.lines.json" in str(error)  # noqa: PT017 - a result is as good


ODD = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["Lines", "line", "point", "x"]), ODD)
def test_mutated_labels(tmp_path, place, value):
    x = value if place == "x" else "1"
    point = value if place == "point" else {"x": x, "y": "2"}
    line = value if place == "line" else [point, {"x": "5", "y": "6"}]
    path = tmp_path / "a.lines.json"
    path.write_text(json.dumps({"Lines": value if place == "Lines" else [line]}))
    try:
        lanes = read_curvelanes(path)
    except ValueError as error:
        assert "a.lines.json" in str(error)  # noqa: PT017 - a result is as good
        return
    assert all(np.isfinite(lane.points).all() for lane in lanes)

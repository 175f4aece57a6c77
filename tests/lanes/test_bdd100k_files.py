"""BDD100K label files: both forms, curves, and whatever else stands in a file."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_factories import bdd100k_label, write_bdd100k_root
from factories import make_straight_lane
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.bdd100k_files import read_bdd100k, write_lane_png

LINE = np.array([[10.0, 50.0], [30.0, 20.0]])


def read(path: Path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_bdd100k(path)


def one_line(path: Path, label):
    (frame,) = read(path, [{"name": "a.jpg", "labels": [label]}])
    assert not frame.fault
    (line,) = frame.lines
    return line


@pytest.mark.parametrize("form", [2018, 2020])
def test_both_forms_say_the_same(tmp_path, form):
    root = write_bdd100k_root(tmp_path, form=form)
    (path,) = root.glob("labels/**/*.json")
    frames = read_bdd100k(path)
    assert [frame.name for frame in frames] == [f"{n:08x}-0000.jpg" for n in range(3)]
    assert [line.kind for line in frames[0].lines] == ["single white"] * 4 + ["road curb", "single white"]
    assert [line.crosswise for line in frames[0].lines] == [False] * 5 + [True]


def test_points_run_from_near_to_far(tmp_path):
    assert one_line(tmp_path / "a.json", bdd100k_label(LINE)).points.tolist() == LINE.tolist()
    assert one_line(tmp_path / "a.json", bdd100k_label(LINE[::-1])).points.tolist() == LINE.tolist()


@pytest.mark.parametrize("types", ["LCCC", "LCCL"])
def test_a_cubic_bezier_curve(tmp_path, types):
    control = np.array([[0.0, 90.0], [0.0, 30.0], [60.0, 30.0], [60.0, 0.0]])
    points = one_line(tmp_path / "a.json", bdd100k_label(control, types=types)).points
    assert points[0].tolist() == [0, 90]
    assert points[-1].tolist() == [60, 0]
    middle = (control[0] + 3 * control[1] + 3 * control[2] + control[3]) / 8
    assert np.hypot(*(points - middle).T).min() < 1e-9
    assert not (points == control[1]).all(axis=1).any()  # a control point is not on the curve


def test_lines_and_curves_follow_each_other(tmp_path):
    corners = np.array([[0.0, 90], [0, 80], [0, 70], [10, 60], [20, 60], [30, 50]])
    points = one_line(tmp_path / "a.json", bdd100k_label(corners, types="LLCCCL")).points
    assert points[:2].tolist() == [[0, 90], [0, 80]]
    assert points[-2:].tolist() == [[20, 60], [30, 50]]
    assert len(points) == 2 + 24 + 1


def test_the_dashed_style_and_several_paths(tmp_path):
    label = bdd100k_label(LINE, laneStyle="dashed")
    label["poly2d"] *= 2
    (frame,) = read(tmp_path / "a.json", {"frames": [{"name": "a.jpg", "labels": [label]}], "config": None})
    assert [line.dashed for line in frame.lines] == [True, True]


def test_frames_without_labels_are_roads_without_lines(tmp_path):
    frames = read(tmp_path / "a.json", [{"name": "a.jpg"}, {"name": "b.jpg", "labels": None}])
    assert [(frame.lines, frame.fault) for frame in frames] == [((), "")] * 2


@pytest.mark.parametrize(
    ("label", "said"),
    [
        pytest.param({"category": 3}, "expected an object with 'category', a str", id="category"),
        pytest.param(bdd100k_label(LINE, types="LLL"), "expected types of 2 letters L or C", id="too many types"),
        pytest.param(bdd100k_label(LINE, types="LC"), "expected a curve of two control points", id="half a curve"),
        pytest.param(bdd100k_label(np.array([[1.0], [2.0]])), r"expected vertices \[x, y\]", id="vertex"),
        pytest.param(bdd100k_label(LINE * 1e9), "expected a coordinate in pixels, got 10000000000.0", id="far"),
    ],
)
def test_a_broken_label_spoils_its_frame_alone(tmp_path, label, said):
    good = {"name": "b.jpg", "labels": [bdd100k_label(LINE)]}
    frames = read(tmp_path / "lanes.json", [{"name": "a.jpg", "labels": [label]}, good])
    assert "lanes.json, frame 0 (a.jpg), label 0" in frames[0].fault
    with pytest.raises(ValueError, match=said):
        raise ValueError(frames[0].fault)
    assert len(frames[1].lines) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected JSON, got ''"),
        ("[]", "expected a list of frames, got an empty list"),
        ("{}", "expected a list, or an object with a list 'frames'"),
        ('[{"name": "a.jpg"}', "expected a comma or the end of the list"),
        ('[{"name": "a.jpg"},', "expected JSON, got something else"),
        ('[{"name": "a.jpg"}] x', "expected nothing behind the list, got ' x'"),
        ("[7]", "frame 0: expected an object with 'name', a str, got 7"),
        ('[{"name": "../a.jpg"}]', "expected the name of a file inside the dataset's folder"),
        ("[" * 100_000, "expected JSON"),
    ],
)
def test_a_file_that_is_no_label_file(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as error:
        read(tmp_path / "lanes.json", text)
    assert "lanes.json" in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"BDD100K labels .*lanes\.json: there is no such file"):
        read_bdd100k(tmp_path / "lanes.json")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path, data):
    path = tmp_path / "lanes.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"lanes\.json"):
        read_bdd100k(path)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLACES = [(), (0,), (0, "name"), (0, "labels"), (0, "labels", 0), (0, "labels", 0, "category")]
PLACES += [(0, "labels", 0, "attributes"), (0, "labels", 0, "attributes", "laneTypes"), (0, "labels", 0, "poly2d")]
PLACES += [(0, "labels", 0, "poly2d", 0), (0, "labels", 0, "poly2d", 0, "types")]
PLACES += [(0, "labels", 0, "poly2d", 0, "vertices"), (0, "labels", 0, "poly2d", 0, "vertices", 1)]
PLACES += [(0, "labels", 0, "poly2d", 0, "vertices", 1, 0)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), ANY_JSON)
def test_mutated_labels(tmp_path, place, value):
    content = [{"name": "a.jpg", "labels": [bdd100k_label(LINE)]}]
    holder = {"root": content}
    at = holder
    for key in ("root", *place)[:-1]:
        at = at[key]
    at[("root", *place)[-1]] = value
    path = tmp_path / "lanes.json"
    path.write_text(json.dumps(holder["root"]))
    try:
        frames = read_bdd100k(path)
    except ValueError as error:
        assert "lanes.json" in str(error)  # noqa: PT017 - a result is as good
        return
    assert all("lanes.json" in frame.fault or not frame.fault for frame in frames)
    assert all(np.isfinite(line.points).all() for frame in frames for line in frame.lines)


def test_a_binary_mask_file(tmp_path):
    size = (72, 128)
    write_lane_png(tmp_path / "out/a.png", [make_straight_lane(30, size, slot=300), make_straight_lane(90, size)], size)
    mask = cv2.imread(str(tmp_path / "out/a.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == size
    assert set(np.unique(mask)) == {0, 255}
    assert 4 <= np.count_nonzero(mask[60]) <= 8  # two lines of 2 px, which OpenCV may draw one wider

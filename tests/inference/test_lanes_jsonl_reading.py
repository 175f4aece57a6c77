"""Reading lanes.jsonl: old versions, cut-off files, and errors that name file and line."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanenet_sad.inference.lanes_jsonl import FrameHeader, describe_lanes, read_lanes_jsonl
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction, LaneType

SIZE = (60, 80)
VERSION_1 = (
    '{"source": "old.mp4", "frame": 3, "time": 0.12, "width": 80, "height": 60, '
    '"lanes": [{"slot": null, "confidence": 0.5, "points": [[1.0, 59], [2.5, 40.25]]}]}'
)


def make_full_line() -> dict[str, Any]:
    """A line of version 2 with all kinds of keys."""
    lane = Lane(np.array([[10.0, 59.0], [20.0, 30.25]]), 2, 0.9, np.array([1.0, 0.25]), 7, LaneType("solid", "white"))
    road = RoadMeasures(curvature=-0.002, time_to_crossing=3.5, crossing_side="right")
    event = DrivingEvent("departure", "left", 1.04, 26, duration=0.5, minimum_distance=-0.125, is_over=True)
    frame = Frame(np.zeros((*SIZE, 3), np.uint8), "drive.mp4", 26, 1.04)
    return describe_lanes(frame, LanePrediction((lane,), SIZE, road=road, events=(event,)))


def test_lines_of_version_1_are_read(tmp_path):
    path = tmp_path / "lanes.jsonl"
    path.write_text(f"\ufeff{VERSION_1}\n\n{VERSION_1}", encoding="utf-8")
    first, second = read_lanes_jsonl(path)
    assert first[0] == second[0] == FrameHeader("old.mp4", 3, 0.12, SIZE, version=1)
    prediction = first[1]
    assert (prediction.name, prediction.image_size, prediction.road, prediction.events) == ("old.mp4", SIZE, None, ())
    assert prediction.lanes[0].points.tolist() == [[1.0, 59.0], [2.5, 40.25]]
    assert (prediction.lanes[0].slot, prediction.lanes[0].confidence, prediction.lanes[0].track_id) == (None, 0.5, None)


@pytest.mark.parametrize("kept", [1, 60, -1, -30], ids=str)
def test_a_last_line_that_is_cut_off_is_reported(tmp_path, kept):
    path, faults = tmp_path / "lanes.jsonl", []
    path.write_text(f"{VERSION_1}\n{VERSION_1[:kept]}")
    assert len(list(read_lanes_jsonl(path, on_fault=faults.append))) == 1
    (fault,) = faults
    assert fault.endswith("lanes.jsonl, line 2: the file ends in the middle of this line, which was left out.")
    with pytest.warns(UserWarning, match="line 2: the file ends"):
        assert len(list(read_lanes_jsonl(path))) == 1


def changed(**keys: Any) -> str:
    return json.dumps({**json.loads(VERSION_1), **keys})


def changed_lane(**keys: Any) -> str:
    content = json.loads(VERSION_1)
    return changed(lanes=[content["lanes"][0], {**content["lanes"][0], **keys}])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (VERSION_1[:60], "expected a JSON object, got"),
        ("[]", "expected an object with 'source'"),
        (changed(source=3), "expected an object with 'source', a str"),
        (changed(version=3), "expected a version up to 2, got 3; read it with a newer lanenet_sad"),
        (changed(version="2"), "expected a whole number from 1 as 'version', got '2'"),
        (changed(height=0), "expected a whole number from 1 as 'height', got 0"),
        (changed(frame=1.5), "expected a whole number from 0 as 'frame', got 1.5"),
        (changed(time=None), "expected a number as 'time', got None"),
        (changed(time=10**400), "expected a number as 'time'"),
        (changed(lanes={}), "expected an object with 'lanes', a list"),
        (changed_lane(points=[[1, 2, 3]]), r"lane 2: expected points as \[x, y\], got \[\[1, 2, 3\]\]"),
        (changed_lane(points=[[1, 2], [3]]), "lane 2: expected finite numbers as 'points'"),
        (changed_lane(points=[["1", "2"]]), "lane 2: expected finite numbers as 'points'"),
        (VERSION_1.replace("2.5", "NaN"), "expected a JSON object, got .*NaN is no number of JSON"),
        (VERSION_1.replace("2.5", "1e999"), "lane 1: expected finite numbers as 'points'"),
        (changed_lane(confidence=1.2), "lane 2: expected a number from 0 to 1 as 'confidence', got 1.2"),
        (changed_lane(confidence=True), "lane 2: expected a number from 0 to 1 as 'confidence', got True"),
        (changed_lane(point_confidences=[1.0]), "lane 2: expected a confidence of 0 to 1 for each of 2 points"),
        (changed_lane(slot=0), "lane 2: expected a whole number from 1 as 'slot', got 0"),
        (changed_lane(type={"style": "wavy", "colour": "white"}), "lane 2: expected one of solid, dashed, double"),
        (changed(road={}), "road: expected one of calibration, assumed as 'scale', got None"),
        (changed(road={"scale": "assumed", "heading": "left"}), "road: expected a number as 'heading', got 'left'"),
        (changed(events=[{"kind": "departure"}]), "event 1: expected an object with 'is_over', a bool"),
        (
            changed(events=[{"kind": "jump", "is_over": True}]),
            "event 1: expected one of departure, lane_change as 'kind', got 'jump'",
        ),
    ],
)
def test_errors_name_file_and_line(tmp_path, line, message):
    path = tmp_path / "lanes.jsonl"
    path.write_text(f"{VERSION_1}\n{line}\n{VERSION_1}\n")
    reader = read_lanes_jsonl(path)
    next(reader)
    with pytest.raises(ValueError, match=rf"^Lanes .*lanes\.jsonl, line 2.*{message}"):
        next(reader)


def test_what_is_no_file_of_lanes_is_refused(tmp_path):
    (tmp_path / "road.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(FileNotFoundError, match=r"Lanes .*none\.jsonl: there is no such file"):
        next(read_lanes_jsonl(tmp_path / "none.jsonl"))
    with pytest.raises(ValueError, match="expected a file, got a folder"):
        next(read_lanes_jsonl(tmp_path))
    with pytest.raises(ValueError, match=r"road\.png, line 1: expected a JSON object"):
        next(read_lanes_jsonl(tmp_path / "road.png"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a JSON object."""
    if path:
        yield path
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield from places(content[key], (*path, key))


FULL = make_full_line()


@settings(max_examples=80, deadline=None)
@given(place=st.sampled_from(list(places(FULL))), value=JSON_VALUES)
def test_a_reader_says_no_or_reads_whatever_stands_there(tmp_path_factory, place, value):
    content = copy.deepcopy(FULL)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path_factory.getbasetemp() / "any.lanes.jsonl"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    try:
        ((header, prediction),) = read_lanes_jsonl(path)
    except ValueError as error:
        told = str(error)
    else:
        told = f"{header.source}, line 1" if prediction.image_size == header.size else "two sizes"
    assert ", line 1" in told


def test_unknown_keys_are_passed_over(tmp_path):
    path = tmp_path / "lanes.jsonl"
    known = make_full_line()
    path.write_text(json.dumps({**known, "weather": "rain", "road": {**known["road"], "bank": 0.1}}))
    ((header, prediction),) = read_lanes_jsonl(path)
    assert (header.version, header.index, header.time) == (2, 26, 1.04)
    assert prediction.road == RoadMeasures(curvature=-0.002, time_to_crossing=3.5, crossing_side="right")
    assert prediction.lanes[0].line_type == LaneType("solid", "white")

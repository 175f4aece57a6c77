"""lanes.jsonl: what is written holds to the schema, and comes back as it was."""

import copy
import json
import re
from configparser import ConfigParser
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.inference.lanes_jsonl import (
    FrameHeader,
    LanesJsonl,
    describe_lanes,
    lanes_schema,
    read_lanes_jsonl,
)
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction, LaneType, LineColour, LineStyle

SIZE = (60, 80)
ROAD_DECIMALS = {"curvature": 7, "heading": 5}


def make_frame(index: int = 0, source: str = "drive one.mp4") -> Frame:
    return Frame(np.zeros((*SIZE, 3), np.uint8), source, index, index / 25)


def make_full_prediction() -> LanePrediction:
    lane = Lane(
        np.array([[10.0, 59.0], [20.0, 30.25]]),
        slot=2,
        confidence=0.9,
        point_confidences=np.array([1.0, 0.25]),
        track_id=7,
        line_type=LaneType("dashed", "yellow"),
    )
    road = RoadMeasures(
        curvature=-0.0021234,
        lateral_offset=0.25,
        lane_width=3.7,
        heading=-0.01,
        left_distance=1.6,
        right_distance=2.1,
        lateral_speed=0.3,
        time_to_crossing=3.5,
        crossing_side="right",
        scale="calibration",
    )
    event = DrivingEvent("departure", "left", 1.04, 26, duration=0.5, minimum_distance=-0.125, is_over=True)
    return LanePrediction((lane,), SIZE, road=road, events=(event,))


def strict_schema() -> dict[str, Any]:
    """The schema, with no key that it does not name."""
    schema = copy.deepcopy(lanes_schema())
    for part in (schema, *schema["$defs"].values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return schema


def write(path: Path, *pairs: tuple[Frame, LanePrediction], **settings: bool) -> list[dict[str, Any]]:
    with LanesJsonl(path, **settings) as sink:
        for frame, prediction in pairs:
            sink.write(frame, prediction)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_dict(prediction: LanePrediction) -> dict[str, Any]:
    """What makes up a prediction, to compare with."""
    lanes = [
        {
            **{name: getattr(lane, name) for name in ("slot", "confidence", "track_id", "line_type")},
            "points": lane.points.tolist(),
            "point_confidences": None if lane.point_confidences is None else lane.point_confidences.tolist(),
        }
        for lane in prediction.lanes
    ]
    return {"lanes": lanes, "size": prediction.image_size, "road": prediction.road, "events": prediction.events}


def decimals(places: int, low: float, high: float) -> st.SearchStrategy[float]:
    scale = 10**places
    return st.integers(round(low * scale), round(high * scale)).map(lambda number: round(number / scale, places))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def lanes(draw: st.DrawFn) -> Lane:
    number = draw(st.integers(0, 4))
    coordinate = decimals(2, -3000, 9000)
    points = [[draw(coordinate), draw(coordinate)] for _ in range(number)]
    sure = draw(optional(st.lists(decimals(2, 0, 1), min_size=number, max_size=number)))
    return Lane(
        np.array(points, dtype=np.float64).reshape(-1, 2),
        slot=draw(optional(st.integers(1, 8))),
        confidence=draw(decimals(4, 0, 1)),
        point_confidences=None if sure is None else np.array(sure, dtype=np.float64),
        track_id=draw(optional(st.integers(1, 10**6))),
        line_type=draw(
            optional(st.builds(LaneType, st.sampled_from(get_args(LineStyle)), st.sampled_from(get_args(LineColour))))
        ),
    )


@st.composite
def roads(draw: st.DrawFn) -> RoadMeasures:
    numbers = {
        field.name: draw(optional(decimals(ROAD_DECIMALS.get(field.name, 3), -20, 20)))
        for field in fields(RoadMeasures)
        if field.name not in ("crossing_side", "scale")
    }
    side = draw(st.sampled_from([None, "left", "right"]))
    return RoadMeasures(**numbers, crossing_side=side, scale=draw(st.sampled_from(["calibration", "assumed"])))


EVENTS = st.builds(
    DrivingEvent,
    kind=st.sampled_from(["departure", "lane_change"]),
    side=st.sampled_from(["left", "right"]),
    start=decimals(6, 0, 1e4),
    frame=st.integers(0, 10**6),
    duration=decimals(3, 0, 100),
    minimum_distance=optional(decimals(3, -2, 2)),
    is_over=st.booleans(),
)
PREDICTIONS = st.builds(
    LanePrediction,
    st.lists(lanes(), max_size=3).map(tuple),
    st.just(SIZE),
    road=optional(roads()),
    events=st.lists(EVENTS, max_size=2).map(tuple),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(predictions=st.lists(PREDICTIONS, min_size=1, max_size=2), source=st.text(max_size=8))
def test_what_is_written_is_read_again_and_fits_the_schema(tmp_path_factory, predictions, source):
    path = tmp_path_factory.getbasetemp() / "any.lanes.jsonl"
    frames = [make_frame(number, source) for number in range(len(predictions))]
    with LanesJsonl(path) as sink:
        for frame, prediction in zip(frames, predictions, strict=True):
            sink.write(frame, prediction)
    validator = jsonschema.Draft202012Validator(strict_schema())
    for line in path.read_bytes().split(b"\n")[:-1]:
        validator.validate(json.loads(line))
    read = list(read_lanes_jsonl(path))
    assert [header for header, _ in read] == [FrameHeader(source, frame.index, frame.time, SIZE) for frame in frames]
    assert [as_dict(prediction) for _, prediction in read] == [as_dict(prediction) for prediction in predictions]


def test_the_schema_is_one_and_its_words_are_those_of_the_types():
    schema = lanes_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = schema["$defs"]["type"]["properties"]
    assert properties["style"]["enum"] == list(get_args(LineStyle))
    assert properties["colour"]["enum"] == list(get_args(LineColour))
    assert schema["$defs"]["road"]["properties"].keys() == {field.name for field in fields(RoadMeasures)}
    assert schema["$defs"]["event"]["properties"].keys() == {field.name for field in fields(DrivingEvent)}


def test_every_key_is_written_where_it_is_known(tmp_path):
    with LanesJsonl(tmp_path / "lanes.jsonl") as sink:
        sink.write(make_frame(26), make_full_prediction(), drawn="cam/26.jpg")
    line = json.loads((tmp_path / "lanes.jsonl").read_text(encoding="utf-8"))
    assert line["drawn"] == "cam/26.jpg"
    schema = strict_schema()
    jsonschema.Draft202012Validator(schema).validate(line)
    assert line.keys() == schema["properties"].keys()
    assert line["lanes"][0].keys() == schema["$defs"]["lane"]["properties"].keys()
    assert line["road"].keys() == schema["$defs"]["road"]["properties"].keys()
    assert line["events"][0].keys() == schema["$defs"]["event"]["properties"].keys()
    assert line["lanes"][0]["type"] == {"style": "dashed", "colour": "yellow"}
    assert line["road"]["curvature"] == -0.0021234


def test_a_single_picture_has_only_what_it_had_before(tmp_path):
    lane = Lane(np.array([[10.123456, 59.0], [20.0, 30.005]]), slot=2, confidence=0.98765)
    first, second = write(
        tmp_path / "lanes.jsonl",
        (make_frame(0), LanePrediction((lane, Lane(np.zeros((0, 2)))), SIZE)),
        (make_frame(3), LanePrediction((), SIZE)),
    )
    assert first == {
        "version": 2,
        "source": "drive one.mp4",
        "frame": 0,
        "time": 0.0,
        "width": 80,
        "height": 60,
        "lanes": [
            {"slot": 2, "confidence": 0.9877, "points": [[10.12, 59.0], [20.0, 30.0]]},
            {"slot": None, "confidence": 1.0, "points": []},
        ],
    }
    assert (second["frame"], second["time"], second["lanes"]) == (3, 0.12, [])


def test_point_confidences_can_be_left_out(tmp_path):
    (line,) = write(tmp_path / "lanes.jsonl", (make_frame(), make_full_prediction()), point_confidences=False)
    assert "point_confidences" not in line["lanes"][0]


def test_a_measure_that_is_no_number_is_not_known():
    prediction = LanePrediction((), SIZE, road=RoadMeasures(curvature=float("nan"), time_to_crossing=float("inf")))
    assert describe_lanes(make_frame(), prediction)["road"] == {"scale": "assumed"}


def test_a_coordinate_that_is_no_number_is_an_error(tmp_path):
    prediction = LanePrediction((Lane(np.array([[np.nan, 3.0]])),), SIZE)
    message = r"drive one\.mp4, frame 4, lane 1: expected finite coordinates"
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "lanes.jsonl", (make_frame(0), LanePrediction((), SIZE)), (make_frame(4), prediction))
    assert len(list(read_lanes_jsonl(tmp_path / "lanes.jsonl"))) == 1


def test_names_that_are_no_text_survive(tmp_path):
    name = b"road \xff.jpg".decode("utf-8", "surrogateescape")  # what Python makes of such a file's name
    write(tmp_path / "lanes.jsonl", (make_frame(0, name), LanePrediction((), SIZE)))
    ((header, _),) = read_lanes_jsonl(tmp_path / "lanes.jsonl")
    assert header.source == name


@pytest.mark.parametrize("error_type", [RuntimeError, KeyboardInterrupt], ids=["error", "ctrl-c"])
def test_interrupted_lanes_keep_their_lines(tmp_path: Path, error_type: type[BaseException]) -> None:
    path = tmp_path / "lanes.jsonl"

    def write_one() -> None:
        with LanesJsonl(path) as sink:
            sink.write(make_frame(), LanePrediction((), SIZE))
            assert sink.num_lines == 1
            raise error_type

    with pytest.raises(error_type):
        write_one()
    assert len(path.read_text().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_lanes_without_a_line_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "lanes.jsonl"
    path.write_text("old\n")
    with pytest.raises(RuntimeError, match="no network"), LanesJsonl(path):
        raise RuntimeError("no network")
    with LanesJsonl(path):
        pass
    assert path.read_text() == "old\n"  # nothing could be read: that is no reason to lose what was there


def test_the_schema_is_installed_with_the_package():
    installed = ConfigParser()
    installed.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    assert "inference/*.json" in installed["options.package_data"]["lanenet_sad"].split()


def test_the_documented_line_and_keys_are_those_of_the_schema():
    text = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    schema = strict_schema()
    jsonschema.Draft202012Validator(schema).validate(json.loads(example))
    documented = {word for row in re.findall(r"^\|(.*?)\|", text, flags=re.MULTILINE) for word in words_of(row)}
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert {key for part in parts for key in part["properties"]} - {"style", "colour"} <= documented


def words_of(cell: str) -> list[str]:
    return [name.split(".")[-1] for name in re.findall(r"`([^`]*)`", cell)]

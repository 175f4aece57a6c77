"""The table of a drive's measures."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lanenet_sad.inference.metrics_csv import COLUMNS, MetricsCsv
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction

SIZE = (60, 80)


def make_frame(index: int) -> Frame:
    return Frame(np.zeros((*SIZE, 3), np.uint8), "drive.mp4", index, index / 25)


def rows_of(path: Path, *predictions: LanePrediction) -> list[dict[str, str]]:
    with MetricsCsv(path) as table:
        for index, prediction in enumerate(predictions):
            table.write(make_frame(index), prediction)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    return rows


def test_every_measure_has_its_column(tmp_path):
    road = RoadMeasures(
        curvature=-0.004,
        lateral_offset=0.25,
        lane_width=3.7,
        heading=-0.0123,
        left_distance=-0.05,
        right_distance=1.6,
        lateral_speed=-0.5,
        time_to_crossing=0.0,
        crossing_side="left",
        scale="calibration",
    )
    lanes = (Lane(np.array([[1.0, 2.0]])), Lane(np.array([[3.0, 4.0]])))
    events = (DrivingEvent("departure", "left", 0.0, 0), DrivingEvent("lane_change", "right", 0.0, 0))
    (row,) = rows_of(tmp_path / "a.csv", LanePrediction(lanes, SIZE, road=road, events=events))
    assert row == {
        "frame": "0",
        "time": "0.000000",
        "num_lanes": "2",
        "curvature": "-0.0040000",
        "radius": "-250.0",
        "lateral_offset": "0.250",
        "lane_width": "3.700",
        "heading": "-0.01230",
        "left_distance": "-0.050",
        "right_distance": "1.600",
        "lateral_speed": "-0.500",
        "time_to_crossing": "0.000",
        "crossing_side": "left",
        "scale": "calibration",
        "event": "departure_left lane_change_right",
    }


def test_what_is_not_known_is_empty(tmp_path):
    nothing, straight = rows_of(
        tmp_path / "a.csv",
        LanePrediction((), SIZE),
        LanePrediction((), SIZE, road=RoadMeasures(curvature=1e-6, time_to_crossing=float("inf"))),
    )
    assert [name for name, value in nothing.items() if value] == ["frame", "time", "num_lanes"]
    assert [name for name, value in straight.items() if value] == ["frame", "time", "num_lanes", "curvature", "scale"]


def test_the_end_of_a_departure_is_told_apart(tmp_path):
    ended = DrivingEvent("departure", "right", 0.0, 0, duration=1.2, is_over=True)
    changed = DrivingEvent("lane_change", "left", 0.0, 0, is_over=True)
    (row,) = rows_of(tmp_path / "a.csv", LanePrediction((), SIZE, events=(ended, changed)))
    assert row["event"] == "departure_right_over lane_change_left"


def test_an_interrupted_table_keeps_its_rows_and_an_empty_one_is_none(tmp_path):
    def write_one() -> None:
        with MetricsCsv(tmp_path / "a.csv") as table:
            table.write(make_frame(0), LanePrediction((), SIZE))
            assert table.num_rows == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_one()
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2
    with MetricsCsv(tmp_path / "b.csv"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "a.csv"]

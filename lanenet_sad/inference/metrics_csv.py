"""The measures of a drive as a table, one row a frame, for spreadsheets and plots (see docs/outputs.md)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lanenet_sad.inference.growing_file import GrowingFile
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Frame, LanePrediction

COLUMNS = (
    "frame",
    "time",
    "num_lanes",
    "curvature",
    "radius",
    "lateral_offset",
    "lane_width",
    "heading",
    "left_distance",
    "right_distance",
    "lateral_speed",
    "time_to_crossing",
    "crossing_side",
    "scale",
    "event",
)

STRAIGHTEST = 1e-5
"""Curvature in 1/m below which a road counts as straight and has no radius (100 km)."""

_NOTHING = RoadMeasures()


class MetricsCsv:
    """Writes a comma-separated table with a row for every frame; what is not known is an empty field.

    A context manager. The file appears under its name when the block ends, also after an error, a full disk or Ctrl-C:
    then it holds the finished rows. Without a single row nothing is written, and a file already there stays.
    """

    def __init__(self, path: Path) -> None:
        self._lines = GrowingFile(path, header=",".join(COLUMNS))
        self.path = self._lines.path

    @property
    def num_rows(self) -> int:
        """How many rows there are so far."""
        return self._lines.num_lines

    def __enter__(self) -> MetricsCsv:
        self._lines.__enter__()
        return self

    def write(self, frame: Frame, prediction: LanePrediction) -> None:
        """Append the row of one frame.

        Raises:
            OSError: the disk is full or gone; the message names the file.
        """
        self._lines.write_line(",".join(_row(frame, prediction)))

    def __exit__(self, *error: Any) -> None:
        self._lines.__exit__(*error)


def _row(frame: Frame, prediction: LanePrediction) -> list[str]:
    road = prediction.road or _NOTHING
    return [
        str(frame.index),
        f"{frame.time:.6f}",
        str(len(prediction.lanes)),
        _number(road.curvature, 7),
        _number(_radius(road.curvature), 1),
        _number(road.lateral_offset, 3),
        _number(road.lane_width, 3),
        _number(road.heading, 5),
        _number(road.left_distance, 3),
        _number(road.right_distance, 3),
        _number(road.lateral_speed, 3),
        _number(road.time_to_crossing, 3),
        road.crossing_side or "",
        road.scale if prediction.road is not None else "",
        " ".join(_word(event) for event in prediction.events),
    ]


def _radius(curvature: float | None) -> float | None:
    return None if curvature is None or abs(curvature) < STRAIGHTEST else 1 / curvature


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def _word(event: DrivingEvent) -> str:
    """`departure_left` where it begins, `departure_left_over` where it ends."""
    ends = event.kind == "departure" and event.is_over
    return f"{event.kind}_{event.side}" + "_over" * ends

"""What is true of a frame of a drive: its lines, and what they say about road and vehicle in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lanenet_sad.datasets.synthetic.labels import road_lines
from lanenet_sad.datasets.synthetic.road import Road
from lanenet_sad.datasets.synthetic.view import Pose
from lanenet_sad.lanes.driving import RoadMeasures
from lanenet_sad.lanes.lane import Lane, LanePrediction

_WIDEST = 1.4  # times the road's usual lane: what lies between lines farther apart is not one lane
_SLOPE_OVER = 2.0  # metres before and behind the vehicle over which a lane's direction is taken


@dataclass(frozen=True, eq=False)
class DriveTruth:
    """What is true of one frame of a drive, whatever hides it.

    Attributes:
        lanes: labelled lines as in `RenderedScene`; `track_id` says which line of the road it is, throughout the drive
            and through lane changes, and `line_type` what kind of line.
        road: measures of road and vehicle from those of `lanes` that the vehicle is between. Lane width and lateral
            offset are None where these do not bound one lane, a line's distance where it is missing or farther away
            than a lane is wide; curvature, heading and lateral speed are always known. `heading` is the way in which
            the vehicle moves: the camera's own yaw, `RenderedDrive.camera_yaw`, is not in it.
        time: seconds since the start.
        image_size: (height, width) in pixels.
    """

    lanes: tuple[Lane, ...]
    road: RoadMeasures
    time: float
    image_size: tuple[int, int]

    def as_prediction(self, name: str = "") -> LanePrediction:
        """The truth in the form of a perfect prediction."""
        return LanePrediction(self.lanes, self.image_size, name, road=self.road)


def measure_road(
    road: Road, pose: Pose, *, towards: float, speed: float, lines: Sequence[int], mirrored: bool
) -> RoadMeasures:
    """The measures of the lane in which a vehicle is.

    Args:
        road: the road.
        pose: of the vehicle.
        towards: radians by which it moves to the right of the road's direction.
        speed: in m/s.
        lines: numbers of the road's lines that count, from 1 as in `LaneLabels`.
        mirrored: whether the picture is flipped; the signs are those of the picture.
    """
    at = pose.s + np.array([-_SLOPE_OVER, 0.0, _SLOPE_OVER])
    every = road_lines(road)
    courses = sorted((tuple(every[number - 1][0].offset_at(at)) for number in lines), key=lambda course: course[1])
    left = next((c for c in reversed(courses) if 0 <= pose.lateral - c[1] < road.lane_width), None)
    right = next((c for c in courses if 0 < c[1] - pose.lateral < road.lane_width), None)
    width = right[1] - left[1] if left and right else None
    if width is not None and width > _WIDEST * road.lane_width:
        width = None
    middle = np.mean([course for course in (left, right) if course] or [(pose.lateral,) * 3], axis=0)
    slope = float(middle[2] - middle[0]) / (2 * _SLOPE_OVER)
    curvature = float(road.alignment.curvature_at(at[1:2])[0])
    aside = float(middle[1]) if width is not None else pose.lateral
    measures = RoadMeasures(
        curvature=curvature / (1 - curvature * aside),
        lateral_offset=float(pose.lateral - middle[1]) if width is not None else None,
        lane_width=float(width) if width is not None else None,
        heading=towards - slope,
        left_distance=float(pose.lateral - left[1]) if left else None,
        right_distance=float(right[1] - pose.lateral) if right else None,
        lateral_speed=(towards - slope) * speed,
        scale="calibration",
    )
    return _flipped(measures) if mirrored else measures


def _flipped(measures: RoadMeasures) -> RoadMeasures:
    """The measures as a picture flipped left to right shows them."""

    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return replace(
        measures,
        curvature=minus(measures.curvature),
        lateral_offset=minus(measures.lateral_offset),
        heading=minus(measures.heading),
        lateral_speed=minus(measures.lateral_speed),
        left_distance=measures.right_distance,
        right_distance=measures.left_distance,
    )

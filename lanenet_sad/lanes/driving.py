"""What a video says about the drive: measures of road and vehicle in metres, and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right"]

LANE_WIDTH = 3.7
"""Metres that a lane is taken to be wide where nothing says so: 12 feet, as on US interstates."""

CAMERA_HEIGHT = 1.4
"""Metres above the road at which a camera behind a windscreen usually hangs."""

VEHICLE_HALF_WIDTH = 0.9
"""Metres from the camera, which is taken to be in the middle of the vehicle, to the wheels on either side."""


@dataclass(frozen=True)
class RoadMeasures:
    """The own lane and the vehicle in it, on the ground plane; what is not known is None.

    Signs follow the picture: right is positive. The vehicle's place is that of its camera.

    Attributes:
        curvature: of the own lane at the vehicle in 1/m; positive where the road bends to the right.
        lateral_offset: metres by which the vehicle is right of the middle of its lane.
        lane_width: metres between the two lines of the own lane.
        heading: radians by which the vehicle points to the right of the lane's direction.
        left_distance: metres from the vehicle to the line on its left; negative once it has been crossed.
        right_distance: the same to the right.
        lateral_speed: metres per second to the right, against the lane.
        time_to_crossing: seconds until the vehicle's nearer wheels reach the line it moves towards; None while it
            moves to neither.
        crossing_side: the line that `time_to_crossing` is about.
        scale: where metres come from: a `calibration` with the camera's height, or the assumption that lanes are as
            wide as `lane_width` says (`assumed`).
    """

    curvature: float | None = None
    lateral_offset: float | None = None
    lane_width: float | None = None
    heading: float | None = None
    left_distance: float | None = None
    right_distance: float | None = None
    lateral_speed: float | None = None
    time_to_crossing: float | None = None
    crossing_side: Side | None = None
    scale: Literal["calibration", "assumed"] = "assumed"

    def distance(self, side: Side) -> float | None:
        """Metres from the vehicle to the line on a side."""
        return self.left_distance if side == "left" else self.right_distance

    def wheel_distance(self, side: Side, half_width: float = VEHICLE_HALF_WIDTH) -> float | None:
        """Metres from the wheels on a side, `half_width` from the camera, to its line; negative beyond it."""
        distance = self.distance(side)
        return None if distance is None else distance - half_width


@dataclass(frozen=True)
class DrivingEvent:
    """A lane departure or a lane change.

    Attributes:
        kind: what it is.
        side: towards which side.
        start: second of the video at which it began.
        frame: number of the frame at which it began.
        duration: seconds so far, or in all once it is over.
        minimum_distance: metres that the vehicle's nearer wheels came to the line, negative beyond it; None if unknown.
        is_over: a departure is told when it begins and, with the same `start`, when it has ended.
    """

    kind: Literal["departure", "lane_change"]
    side: Side
    start: float
    frame: int
    duration: float = 0.0
    minimum_distance: float | None = None
    is_over: bool = False

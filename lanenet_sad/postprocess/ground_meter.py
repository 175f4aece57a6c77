"""Lanes of a video -> the own lane and the vehicle in it, in metres."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lanenet_sad.lanes.driving import LANE_WIDTH, VEHICLE_HALF_WIDTH, RoadMeasures, Side
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.own_lane import HeightFromLane, own_line_distances
from lanenet_sad.lanes.perspective import FIELD_OF_VIEW, CameraCalibration, Scale
from lanenet_sad.lanes.road_model import RoadFit, fit_road, gather
from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.lanes.vanishing_point import CameraFromLanes, point_weights

_FEWEST_POINTS = 4
_NOD_ERROR = 0.005  # radians by which springs and hills tip a camera
_OUTER_WEIGHT = 0.5  # of lines beside the own lane: ramps and kerbs leave it
_WORST_CURVATURE = 0.003  # 1/m
_CURVATURE_DRIFT = 5e-4  # 1/m by which the curvature below a vehicle changes within a second
_LANE_WIDTHS = (0.5, 2.0)  # of the usual width: what is narrower or wider is no lane
_SLOWEST = 0.1  # m/s: below this a vehicle keeps to its place
_SPEED_SPAN = 0.25  # seconds of history that a speed needs


@dataclass(frozen=True)
class _Seen:
    """Metres from the camera to the two own lines, positive on their own side; None where not certain."""

    left: float | None
    right: float | None


class GroundMeter:
    """Measures, frame by frame, where the vehicle is in its lane and how the road bends.

    The lines are fitted together as parallel curves on the ground (`fit_road`), each point weighted by its confidence
    and by how well a pixel there tells the ground, and the camera's nod is fitted along. The own lane is that between
    the slots `num_lanes // 2` and the next. With one of its lines the distance to that is measured, and what the other
    line has to do with follows from the lane's last known width, as long as that is no older than `memory`.

    Without a calibration, or with one that does not say where the camera looks, `CameraFromLanes` finds that out; the
    first frames then have measures that are all None. Without a height of the camera metres assume a lane width, and
    `RoadMeasures.scale` says `assumed`.
    """

    def __init__(
        self,
        calibration: CameraCalibration | None = None,
        *,
        lane_width: float = LANE_WIDTH,
        vehicle_half_width: float = VEHICLE_HALF_WIDTH,
        camera_height: float | None = None,
        field_of_view: float = FIELD_OF_VIEW,
        num_lanes: int = 4,
        memory: float = 2.0,
        speed_window: float = 0.6,
    ) -> None:
        """Begin a drive.

        Args:
            calibration: of the camera, for pictures of the video's shape; None: all is found out from the lanes.
            lane_width: metres that lanes are taken to be wide where the camera's height is unknown.
            vehicle_half_width: metres from the camera to either side of the wheels.
            camera_height: metres from the road to the lens, where there is no calibration that says it.
            field_of_view: degrees across the longer side of the picture, where there is no calibration.
            num_lanes: L of the network.
            memory: seconds for which the width of the own lane is remembered.
            speed_window: seconds over which the lateral speed is averaged.
        """
        for name, value in (("lane_width", lane_width), ("vehicle_half_width", vehicle_half_width)):
            if not 0 < value < 20:
                raise ValueError(f"Ground meter, {name}: expected metres between 0 and 20, got {value}.")
        if memory < 0 or not speed_window >= _SPEED_SPAN:
            raise ValueError(
                f"Ground meter: expected a memory of 0 seconds or more and a speed window of {_SPEED_SPAN} or more, "
                f"got {memory} and {speed_window}."
            )
        self._given = None if calibration is None else calibration.mounted(height=camera_height)
        # Of all frames alike: whether a height was measured is known from the beginning.
        known = self._given.scale if self._given is not None and self._given.height is not None else None
        self._scale: Scale = known or ("assumed" if camera_height is None else "calibration")
        self._lane_width, self._half_width = lane_width, vehicle_half_width
        is_aimed = self._given is not None and self._given.pitch is not None
        self._height_of = HeightFromLane(lane_width, num_lanes) if is_aimed and known is None else None
        self._num_lanes, self._memory, self._speed_window = num_lanes, memory, speed_window
        self._estimator = CameraFromLanes(
            self._given,
            lane_width=lane_width,
            field_of_view=field_of_view,
            height=camera_height,
            num_lanes=num_lanes,
        )
        self.reset()

    def reset(self) -> None:
        """Begin another drive, perhaps with another camera of the same calibration."""
        self._estimator.reset()
        if self._height_of is not None:
            self._height_of.reset()
        self._calibration: CameraCalibration | None = None
        self.begin_scene()

    def begin_scene(self) -> None:
        """Go on at another place or time with the same camera: forget the lane, keep what is known of the camera."""
        self._width: tuple[float, float] | None = None  # (time, metres)
        self._curvature: tuple[float, float, float] | None = None  # (time, 1/m, variance)
        self._offsets: deque[tuple[float, float]] = deque()  # (time, metres)

    @property
    def calibration(self) -> CameraCalibration | None:
        """The camera as it is known by now: lens, pitch, yaw and their errors, height, scale and origin.

        None as long as nothing is known; a calibration given without pitch or height is without until they are found.
        """
        return self._calibration or self._given

    @property
    def assumed_lane_width(self) -> float | None:
        """Metres that the lane is taken to be wide, on which all measures rest; None if the height is known otherwise.

        A calibration's own height counts as known, also if its `scale` says that it rests on a lane's width.
        """
        is_given = self._given is not None and self._given.height is not None
        return None if is_given or self._scale == "calibration" else self._lane_width

    def __call__(self, prediction: LanePrediction, time: float) -> LanePrediction:
        """Measure the road of a frame.

        Args:
            prediction: lanes of the frame.
            time: of the frame in seconds.

        Returns:
            The prediction with `road`, and with `camera` if that is known by now.

        Raises:
            ValueError: the calibration is for pictures of another shape.
        """
        lines = [lane for lane in prediction.lanes if len(lane.points) >= _FEWEST_POINTS]
        camera = self._calibration = self._look(prediction, time)
        if camera is None or not lines:
            return replace(prediction, road=RoadMeasures(scale=self._scale), camera=camera)
        own = ego_slots(self._num_lanes)
        weights = [point_weights(lane) * (1.0 if lane.slot in own else _OUTER_WEIGHT) for lane in lines]
        fit = fit_road(gather([camera.rays(lane.points) for lane in lines], weights), nod_error=_NOD_ERROR)
        if self._height_of is not None:
            self._height_of.see(fit, [lane.slot for lane in lines])
            camera = self._calibration = self._height_of.mount(camera)
        if camera.height is None:
            return replace(prediction, road=RoadMeasures(scale=self._scale), camera=camera)
        return replace(prediction, road=self._measures(fit, lines, camera.height, time), camera=camera)

    def _look(self, prediction: LanePrediction, time: float) -> CameraCalibration | None:
        """The camera, with a pitch."""
        if self._given is not None and self._given.pitch is not None:
            if self._given.image_size != prediction.image_size:
                self._given = self._given.scaled_to(prediction.image_size)
            return self._given if self._height_of is None else self._height_of.mount(self._given)
        return self._estimator(prediction, time)

    def _measures(self, fit: RoadFit, lines: Sequence[Lane], height: float, time: float) -> RoadMeasures:
        slots = [lane.slot for lane in lines]
        seen = _Seen(*own_line_distances(fit, slots, self._num_lanes, height=height))
        width = None
        if seen.left is not None and seen.right is not None:
            width = seen.left + seen.right
            if not _LANE_WIDTHS[0] < width / self._lane_width < _LANE_WIDTHS[1]:
                seen, width = _Seen(None, None), None
            else:
                self._width = (time, width)
        elif self._width is not None and 0 <= time - self._width[0] <= self._memory:
            width = self._width[1]
            if seen.left is not None:
                seen = replace(seen, right=width - seen.left)
            elif seen.right is not None:
                seen = replace(seen, left=width - seen.right)
            else:
                width = None
        offset = None if seen.left is None or seen.right is None else (seen.left - seen.right) / 2
        speed = self._lateral_speed(offset, width, time)
        crossing, side = self._crossing(seen, speed)
        is_measured = seen.left is not None or seen.right is not None
        return RoadMeasures(
            curvature=self._smooth_curvature(fit, height, time),
            lateral_offset=offset,
            lane_width=width,
            heading=-math.atan(fit.direction) if is_measured else None,
            left_distance=seen.left,
            right_distance=seen.right,
            lateral_speed=speed,
            time_to_crossing=crossing,
            crossing_side=side,
            scale=self._scale,
        )

    def _smooth_curvature(self, fit: RoadFit, height: float, time: float) -> float | None:
        """The frame's curvature and those before, each as far as it is certain: a Kalman filter of one number."""
        place = len(fit.offsets) + 1
        value, variance = fit.curvature / height, float(fit.covariance[place, place]) / height**2
        if self._curvature is not None and 0 <= time - self._curvature[0] <= self._memory:
            then, mean, before = self._curvature
            before += _CURVATURE_DRIFT**2 * (time - then)
            share = before / (before + variance)
            value, variance = mean + share * (value - mean), (1 - share) * before
        self._curvature = (time, value, variance)
        return value if math.sqrt(variance) < _WORST_CURVATURE else None

    def _lateral_speed(self, offset: float | None, width: float | None, time: float) -> float | None:
        """The slope of the offsets over the last moments; None until these are long enough."""
        history = self._offsets
        if history and not 0 <= time - history[-1][0] <= self._speed_window:
            history.clear()
        if offset is None or width is None:
            return None
        if history and abs(offset - history[-1][1]) > width / 2:  # into the next lane, from whose middle is counted now
            jump = offset - history[-1][1]
            self._offsets = history = deque((then, before + jump) for then, before in history)
        if not history or time > history[-1][0]:
            history.append((time, offset))
        while time - history[0][0] > self._speed_window:
            history.popleft()
        if len(history) < 3 or time - history[0][0] < _SPEED_SPAN:
            return None
        times, offsets = np.array(history).T
        times = times - times.mean()
        return float((times * offsets).sum() / (times**2).sum())

    def _crossing(self, seen: _Seen, speed: float | None) -> tuple[float | None, Side | None]:
        if speed is None or abs(speed) < _SLOWEST:
            return None, None
        side: Side = "right" if speed > 0 else "left"
        distance = seen.right if speed > 0 else seen.left
        if distance is None:
            return None, None
        return max(0.0, (distance - self._half_width) / abs(speed)), side

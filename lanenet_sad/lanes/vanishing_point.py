"""Where a camera looks, from the lanes of a video: the vanishing point of lines that run along the road."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lanenet_sad.lanes.driving import CAMERA_HEIGHT, LANE_WIDTH
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.own_lane import HeightFromLane
from lanenet_sad.lanes.perspective import FIELD_OF_VIEW, CameraCalibration, assumed_camera, is_same_shape
from lanenet_sad.lanes.road_model import FloatArray, fit_road, gather

_FEWEST_POINTS = 4
_FIRST_GUESSES = np.radians(np.arange(-24.0, 25.0, 2.0))
_UNKNOWN = math.radians(2.0)  # how far a first guess may be off
_BLURRED = 8.0  # factor on the noise while guessing, so that a guess nearby is better than one far off
_KNOWN = math.radians(1.5)  # how far the camera may nod in a frame
_SURE = math.radians(1.0)  # a frame that leaves the horizon less certain says nothing
_GOOD_COST, _WORST_COST = 0.3, 2.0  # of a fit: up to the first its errors hold, beyond the second it is no road
_SPACING = 0.2  # seconds between the frames that are kept, once there are some
_MEMORY = 1500
_BLOCK = 3.0  # seconds over which a vehicle's sway and nod are one and the same
_NOD, _SWAY = math.radians(0.25), math.radians(0.5)  # scatter of pitch and heading, before the frames tell
_BEND_DOUBT = 1.0  # radians times metres: by this much over the radius a bend makes a frame less certain
_NOTICEABLE = math.radians(0.03)


@dataclass(frozen=True)
class VanishingPoint:
    """Where the lines of the road meet, as seen over a video.

    Attributes:
        x: column in pixels of the picture.
        y: row in pixels.
        x_error: standard deviation of x in pixels.
        y_error: the same of y.
        num_frames: how many frames it rests on.
    """

    x: float
    y: float
    x_error: float
    y_error: float
    num_frames: int


class _View(NamedTuple):
    """What one frame says: pitch and yaw of the camera, and their variances."""

    time: float
    pitch: float
    yaw: float
    pitch_variance: float
    yaw_variance: float


class CameraFromLanes:
    """Estimates where a camera looks, and how high it hangs, while a video runs.

    Each frame with two lines or more is fitted with a road (`fit_road`), bends included; that gives the direction in
    which the road runs off and the row of the horizon, each with its uncertainty. The mean over the frames, weighted by
    certainty (long, straight lines count more than short ones and bends) and robust against outliers, is pitch and yaw,
    as a vehicle drives along its lane on average. Their errors follow from the scatter, frames of 3 seconds counting
    as one. Frames of the last five minutes or more count, memory and time for a frame stay the same.
    """

    def __init__(
        self,
        camera: CameraCalibration | None = None,
        *,
        lane_width: float = LANE_WIDTH,
        field_of_view: float = FIELD_OF_VIEW,
        height: float | None = None,
        min_frames: int = 5,
        num_lanes: int = 4,
    ) -> None:
        """Begin without having seen anything.

        Args:
            camera: what is known of it: its lens, and its height if that is not None. None: a lens of `field_of_view`.
            lane_width: metres that the own lane is taken to be wide, if the height is unknown.
            field_of_view: degrees across the longer side of the picture, for a camera without a calibration.
            height: metres from the road to the lens of a camera without a calibration; None if unknown.
            min_frames: with lanes in them before there is an estimate.
            num_lanes: L of the network, which says which slots are the ego lines.
        """
        if not lane_width > 0 or min_frames < 1:
            raise ValueError(
                f"Camera from lanes: expected a lane width above 0 and 1 frame or more, got {lane_width}, {min_frames}."
            )
        self._camera, self._is_given = camera, camera is not None
        self._field_of_view, self._height = field_of_view, height
        self._min_frames, self._height_of = min_frames, HeightFromLane(lane_width, num_lanes)
        self.reset()

    def reset(self) -> None:
        """Forget all frames, for a camera that has not been seen yet."""
        self._views: deque[_View] = deque(maxlen=_MEMORY)
        self._calibration: CameraCalibration | None = None
        self._looks, self._last_look = 0, 0.0
        self._height_of.reset()

    @property
    def calibration(self) -> CameraCalibration | None:
        """The estimate so far; None before there are enough frames with lanes.

        Its height is that of the camera given, or `scale` is `assumed`.
        """
        return self._calibration

    @property
    def vanishing_point(self) -> VanishingPoint | None:
        """The estimate so far as a point of the picture; None before there is one."""
        camera = self._calibration
        if camera is None or camera.pitch is None or camera.pitch_error is None or camera.yaw_error is None:
            return None
        x, y = camera.vanishing_point
        x_error, y_error = camera.focal[0] * camera.yaw_error, camera.focal[1] * camera.pitch_error
        return VanishingPoint(x, y, x_error, y_error, len(self._views))

    def __call__(self, prediction: LanePrediction, time: float) -> CameraCalibration | None:
        """Take the lanes of a frame in.

        Args:
            prediction: of the frame.
            time: of the frame in seconds.

        Returns:
            The estimate so far, see `calibration`. It is the same object until it changes by what can be noticed.
        """
        self._camera = self._fit_to(prediction.image_size)
        if self._looks >= 2 * self._min_frames and 0 <= time - self._last_look < _SPACING:
            return self._calibration
        self._looks, self._last_look = self._looks + 1, time
        view = self._look(prediction.lanes, time)
        if view is not None:
            self._views.append(view)
            if len(self._views) >= self._min_frames:
                self._update(self._camera)
        return self._calibration

    def _fit_to(self, size: tuple[int, int]) -> CameraCalibration:
        """The lens for pictures of a size; those of another shape are another camera's, of which nothing is known."""
        known = self._camera
        if known is not None and known.image_size == size:
            return known
        if known is not None and not self._is_given and not is_same_shape(known.image_size, size):
            self.reset()
        if known is None or not self._is_given:
            known = assumed_camera(size, field_of_view=self._field_of_view, height=self._height)
        self._calibration = None if self._calibration is None else self._calibration.scaled_to(size)
        return known.scaled_to(size)

    def _look(self, lanes: Sequence[Lane], time: float) -> _View | None:
        assert self._camera is not None
        lines = [lane for lane in lanes if len(lane.points) >= _FEWEST_POINTS]
        if len(lines) < 2:
            return None
        known = self._calibration
        camera = known or replace(self._camera, pitch=0.0, yaw=0.0)
        rays = gather([camera.rays(lane.points) for lane in lines], [point_weights(lane) for lane in lines])
        if known is not None:
            fit = fit_road(rays, nod_error=_KNOWN)
        else:
            fits = [fit_road(rays, nod=guess, nod_error=_UNKNOWN, noise=_BLURRED, rounds=3) for guess in _FIRST_GUESSES]
            fit = fit_road(rays, nod=min(fits, key=lambda each: each.cost).nod, nod_error=_KNOWN)
        errors = fit.covariance.diagonal()[-4:]
        if fit.cost > _WORST_COST or errors[3] > _SURE**2 or not fit.offsets.min() < fit.offsets.max():
            return None
        doubt = (_BEND_DOUBT * fit.curvature / (camera.height or CAMERA_HEIGHT)) ** 2
        errors = errors * (1 + (fit.cost / _GOOD_COST) ** 2)
        self._height_of.see(fit, [lane.slot for lane in lines])
        assert camera.pitch is not None
        return _View(
            time,
            camera.pitch + fit.nod,
            camera.yaw - math.atan(fit.direction),
            float(errors[3]) + doubt,
            float(errors[0]) + doubt,
        )

    def _update(self, camera: CameraCalibration) -> None:
        views = np.array(self._views)  # (N, 5)
        pitch, pitch_error = _robust_mean(views[:, 0], views[:, 1], views[:, 3], _NOD)
        yaw, yaw_error = _robust_mean(views[:, 0], views[:, 2], views[:, 4], _SWAY)
        origin = f"{camera.origin}; pitch and yaw from the lanes".strip("; ")
        new = replace(camera, pitch=pitch, yaw=yaw, pitch_error=pitch_error, yaw_error=yaw_error, origin=origin)
        new = self._height_of.mount(new)
        if self._calibration is None or _differ(self._calibration, new):
            self._calibration = new


def point_weights(lane: Lane) -> FloatArray:
    """(N,) how much each point of a lane counts in a fit, 0..1; a lane of many points counts as one of 40."""
    confidences = np.ones(len(lane.points)) if lane.point_confidences is None else lane.point_confidences
    weights: FloatArray = np.nan_to_num(confidences) * lane.confidence * min(1.0, 40 / max(1, len(lane.points)))
    return weights


def _differ(old: CameraCalibration, new: CameraCalibration) -> bool:
    """Whether one would notice: a birds-eye view that is made anew for every frame trembles."""
    assert old.pitch is not None
    assert new.pitch is not None
    apart = max(abs(old.pitch - new.pitch), abs(old.yaw - new.yaw))
    surer = (old.pitch_error or 0.0) > 1.2 * (new.pitch_error or 0.0)
    return apart > _NOTICEABLE or old.height != new.height or surer


def _robust_mean(times: FloatArray, values: FloatArray, variances: FloatArray, expected: float) -> tuple[float, float]:
    """The mean of what frames say, and its standard deviation; outliers count little (Cauchy weights).

    The frames' scatter is taken to be as `expected` until there are frames enough to tell.
    """
    scatter, mean = expected, float(np.median(values))
    weights = np.ones(len(values))
    for _ in range(6):
        total = variances + scatter**2
        weights = 1 / (total * (1 + (values - mean) ** 2 / (4 * total)))
        mean = float((weights * values).sum() / weights.sum())
        spread = float((weights * (values - mean) ** 2).sum() / weights.sum())
        scatter = max(math.sqrt((spread * len(values) + 10 * expected**2) / (len(values) + 10)), 1e-4)
    blocks = len(np.unique(np.floor(times / _BLOCK)))
    return mean, math.sqrt(scatter**2 / max(blocks, 1) + 1 / float((1 / (variances + 1e-8)).sum()))

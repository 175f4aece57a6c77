"""The own lane between its two lines: how far they are, and how high a camera hangs if that lane is as usual."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lanenet_sad.lanes.driving import CAMERA_HEIGHT
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.lanes.road_model import RoadFit
from lanenet_sad.lanes.slots import ego_slots

_WORST_OFFSET = 0.5  # metres: a line whose place beside the camera is less certain was not measured
_NOTICEABLE = 0.005  # of the height
_MEMORY = 1500


def own_line_distances(
    fit: RoadFit, slots: Sequence[int | None], num_lanes: int, *, height: float
) -> tuple[float | None, float | None]:
    """Metres from the camera to the left and to the right line of the own lane, each positive on its own side.

    Args:
        fit: of some lines.
        slots: of these lines, in the fit's order.
        num_lanes: L of the network.
        height: of the camera in metres.

    Returns:
        Both distances, square to the road; None for a line that is not there or whose place is not certain.
    """
    left, right = (_offset(fit, slots, slot, height) for slot in ego_slots(num_lanes))
    return None if left is None else -left, right


class HeightFromLane:
    """The height of a camera at which the own lane is, in the middle of many frames, as wide as lanes are taken to be.

    What does not change noticeably stays as it is, so that pictures made with it do not tremble.
    """

    def __init__(self, lane_width: float, num_lanes: int) -> None:
        """Begin without having seen a lane.

        Args:
            lane_width: metres that the own lane is taken to be wide.
            num_lanes: L of the network.
        """
        self._lane_width, self._num_lanes = lane_width, num_lanes
        self.reset()

    def reset(self) -> None:
        """Forget all lanes, for another camera."""
        self._widths: deque[float] = deque(maxlen=_MEMORY)  # in heights
        self._height: float | None = None

    def see(self, fit: RoadFit, slots: Sequence[int | None]) -> None:
        """Take the lines of a frame in.

        Args:
            fit: of the frame's lines.
            slots: of these lines, in the fit's order.
        """
        left, right = own_line_distances(fit, slots, self._num_lanes, height=CAMERA_HEIGHT)
        if left is not None and right is not None and left + right > 0:
            self._widths.append((left + right) / CAMERA_HEIGHT)
            height = self._lane_width / float(np.median(self._widths))
            if self._height is None or abs(height / self._height - 1) > _NOTICEABLE:
                self._height = height

    def mount(self, camera: CameraCalibration) -> CameraCalibration:
        """A camera at that height, which says so; one whose height is known, or cannot be told yet, as it is."""
        if camera.height is not None or self._height is None:
            return camera
        origin = f"{camera.origin}; height from a lane of {self._lane_width:g} m".strip("; ")
        return replace(camera, height=self._height, scale="assumed", origin=origin)


def _offset(fit: RoadFit, slots: Sequence[int | None], slot: int, height: float) -> float | None:
    """Metres by which a line is right of the camera."""
    if slot not in slots:
        return None
    index = slots.index(slot)
    if math.sqrt(fit.covariance[index, index]) * height >= _WORST_OFFSET:
        return None
    return float(fit.offsets[index]) * height * math.cos(math.atan(fit.direction))

"""The road from above as an inset, and the measures of the drive in words."""

from __future__ import annotations

from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.driving import LANE_WIDTH, VEHICLE_HALF_WIDTH, RoadMeasures
from lanenet_sad.lanes.lane import Image, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.visualization.annotators import Annotator
from lanenet_sad.visualization.palette import slot_color

_FONT = cv2.FONT_HERSHEY_DUPLEX
_WHITE = (255, 255, 255)
_MARK_SPACING = 10
_STRAIGHTEST = 5000.0  # metres: a larger radius is called straight
_SOON = 4.0  # seconds
_WIDEST_INSET = 0.5  # of the picture
_SMALLEST_INSET = 24  # px: in tinier pictures there is nothing to see
_SHIFT = 4


@final
class BirdsEyeAnnotator(Annotator):
    """Puts the road as seen from above into the upper right corner: lanes in their colours, the vehicle, a scale.

    Metres across are drawn larger than metres ahead, or a road would be a thread. What the camera does not see is dark.
    The picture stays as it is while the camera is not known.
    """

    def __init__(
        self,
        camera: CameraCalibration | None = None,
        *,
        num_lanes: int = 4,
        share: float = 0.27,
        ahead: float = 45.0,
        across: float = 16.0,
    ) -> None:
        """Fix the style.

        Args:
            camera: with height and pitch; None: that which comes with each prediction.
            num_lanes: L of the network, which says which slots are the ego lines.
            share: height of the inset as a share of the picture's, at most of three quarters of its width; an inset
                that would not fit, or be wider than half the picture, is drawn as large as fits.
            ahead: metres ahead of the camera that the inset shows.
            across: metres from its left to its right border.
        """
        if not (0 < share <= 1 and ahead > 0 and across > 0):
            raise ValueError(
                f"Bird's-eye inset: expected a share of the picture's height up to 1 and metres above 0, got {share}, "
                f"{ahead} and {across}."
            )
        self.num_lanes, self.share, self.ahead, self.across = num_lanes, share, ahead, across
        self._camera = camera
        self._lookup: tuple[CameraCalibration, tuple[int, int], NDArray[Any], NDArray[Any]] | None = None

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Draw the inset, in place."""
        camera = self._camera or prediction.camera
        margin = max(4, image.shape[1] // 80)
        side = self.share * min(image.shape[0], 0.75 * image.shape[1])  # upright pictures have no room for more
        side = min(side, image.shape[0] - 2 * margin, _WIDEST_INSET / 0.8 * image.shape[1])
        height, width = round(side), round(side * 0.8)
        if camera is None or camera.height is None or camera.pitch is None or height < _SMALLEST_INSET:
            return
        try:
            camera = camera.scaled_to((int(image.shape[0]), int(image.shape[1])))
        except ValueError:  # the video has changed its shape, and the camera of the new one is not known yet
            return
        inset = self._warp(image, camera, (height, width))
        self._draw_lanes(inset, prediction, camera)
        self._draw_scale(inset)
        corners = np.array([[-VEHICLE_HALF_WIDTH, -2.6], [VEHICLE_HALF_WIDTH, 1.8]])
        _draw_vehicle(inset, self._to_inset(corners, inset))
        left = image.shape[1] - margin - width
        image[margin - 1 : margin + height + 1, left - 1 : left + width + 1] = 235
        image[margin : margin + height, left : left + width] = inset

    @property
    def _behind(self) -> float:
        """Metres that the inset shows behind the camera, for the vehicle to stand on."""
        return 0.06 * self.ahead

    def _warp(self, image: Image, camera: CameraCalibration, size: tuple[int, int]) -> Image:
        """The road from above, (h, w, 3)."""
        if self._lookup is None or self._lookup[0] != camera or self._lookup[1] != size:
            height, width = size
            columns, rows = np.meshgrid(np.arange(width), np.arange(height))
            x = ((columns + 0.5) / width - 0.5) * self.across
            y = self.ahead - (rows + 0.5) / height * (self.ahead + self._behind)
            pixels = np.nan_to_num(camera.to_image(np.stack([x, y], axis=-1).reshape(-1, 2)), nan=-1e4)
            maps = np.clip(pixels, -1e4, 1e4).astype(np.float32).T.reshape(2, height, width)
            self._lookup = (camera, size, *cv2.convertMaps(maps[0], maps[1], cv2.CV_16SC2))
        _, _, first, second = self._lookup
        seen = cv2.remap(
            image, first, second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(28, 30, 34)
        )
        return np.asarray(seen, dtype=np.uint8)

    def _to_inset(self, ground: NDArray[np.float64], inset: Image) -> NDArray[np.float64]:
        """Metres -> pixels of the inset, (N, 2) -> (N, 2)."""
        height, width = inset.shape[:2]
        x = (ground[:, 0] / self.across + 0.5) * width - 0.5
        y = (self.ahead - ground[:, 1]) / (self.ahead + self._behind) * height - 0.5
        return np.column_stack([x, y])

    def _draw_lanes(self, inset: Image, prediction: LanePrediction, camera: CameraCalibration) -> None:
        thickness = max(1, round(inset.shape[0] / 90))
        for lane in prediction.lanes:
            ground = camera.to_ground(lane.points)
            kept = np.isfinite(ground).all(axis=1) & (np.abs(ground) < 3 * self.ahead).all(axis=1)
            if kept.sum() < 2:
                continue
            points = np.round(self._to_inset(ground[kept], inset) * (1 << _SHIFT)).astype(np.int32)
            color = slot_color(lane.slot, self.num_lanes)
            for width, shade in ((thickness + 2, (0, 0, 0)), (thickness, color)):
                cv2.polylines(inset, [points], False, shade, width, cv2.LINE_AA, _SHIFT)

    def _draw_scale(self, inset: Image) -> None:
        size = max(0.25, inset.shape[0] / 550)
        for metres in range(_MARK_SPACING, int(self.ahead), _MARK_SPACING):
            row = round(float(self._to_inset(np.array([[0.0, metres]]), inset)[0, 1]))
            length = max(3, inset.shape[1] // 20)
            cv2.line(inset, (0, row), (length, row), _WHITE, 1)
            cv2.putText(inset, f"{metres} m", (length + 2, row + round(9 * size)), _FONT, size, _WHITE, 1, cv2.LINE_AA)


@final
class MeasuresAnnotator(Annotator):
    """Writes the measures of road and vehicle, and the types of the own lane's lines, into the upper left corner."""

    def __init__(self, *, lane_width: float | None = LANE_WIDTH, num_lanes: int = 4) -> None:
        """Fix the style.

        Args:
            lane_width: metres that are assumed where they come from no calibration; None: it is not known which, as
                with a calibration whose height came from an assumed lane.
            num_lanes: L of the network, which says which slots are the lines of the own lane.
        """
        self.lane_width, self.num_lanes = lane_width, num_lanes

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Write the measures, in place; nothing without any."""
        lines = [] if prediction.road is None else describe_road(prediction.road, lane_width=self.lane_width)
        lines += describe_line_types(prediction, num_lanes=self.num_lanes)
        if not lines:
            return
        size = max(0.35, image.shape[1] / 1900)
        margin = max(4, image.shape[1] // 80)
        extents = [cv2.getTextSize(line, _FONT, size, 1)[0] for line in lines]
        step = round(1.9 * max(height for _, height in extents))
        right = margin + max(width for width, _ in extents) + step
        strip = image[margin : margin + step * len(lines) + step // 2, margin:right]
        if strip.size:
            strip[:] = cv2.convertScaleAbs(strip, alpha=0.35)
        for number, line in enumerate(lines, 1):
            cv2.putText(image, line, (margin + step // 2, margin + step * number), _FONT, size, _WHITE, 1, cv2.LINE_AA)


def describe_line_types(prediction: LanePrediction, *, num_lanes: int = 4) -> list[str]:
    """The types of the own lane's lines in words, `left solid yellow | right dashed white`; empty if none is known."""
    types = {lane.slot: lane.line_type for lane in prediction.lanes if lane.line_type is not None}
    slots = zip(("left", "right"), ego_slots(num_lanes), strict=True)
    parts = [
        f"{side} {types[slot].style.replace('_', ' ')} {types[slot].colour}" for side, slot in slots if slot in types
    ]
    return [" | ".join(parts)] if parts else []


def describe_road(road: RoadMeasures, *, lane_width: float | None = LANE_WIDTH) -> list[str]:
    """The measures in words: `radius 420 m right | offset +0.21 m | width 3.6 m`; what is not known is left out."""
    parts = []
    if road.curvature is not None:
        radius = 1 / max(abs(road.curvature), 1e-9)
        side = "right" if road.curvature > 0 else "left"
        parts.append("straight" if radius > _STRAIGHTEST else f"radius {_rounded(radius):.0f} m {side}")
    if road.lateral_offset is not None:
        parts.append(f"offset {road.lateral_offset:+.2f} m")
    elif road.left_distance is not None:
        parts.append(f"{road.left_distance:.2f} m to the left line")
    elif road.right_distance is not None:
        parts.append(f"{road.right_distance:.2f} m to the right line")
    if road.lane_width is not None:
        parts.append(f"width {road.lane_width:.1f} m")
    lines = [" | ".join(parts)] if parts else []
    if road.time_to_crossing is not None and road.time_to_crossing < _SOON:
        lines.append(f"{road.crossing_side} line in {road.time_to_crossing:.1f} s")
    if lines and road.scale == "assumed":
        lines.append("metres assume a lane width" + ("" if lane_width is None else f" of {lane_width:g} m"))
    return lines


def _rounded(radius: float) -> float:
    """To two digits: what lies beyond is noise, and flickers."""
    digits = 10.0 ** (len(str(int(radius))) - 2)
    return round(radius / digits) * digits


def _draw_vehicle(inset: Image, corners: NDArray[np.float64]) -> None:
    """A small car from above in place."""
    (left, bottom), (right, top) = corners
    outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    outline[:2, 0] = left + (right - left) * np.array([0.15, 0.85])
    points = np.round(outline * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(inset, [points], _WHITE, cv2.LINE_AA, _SHIFT)

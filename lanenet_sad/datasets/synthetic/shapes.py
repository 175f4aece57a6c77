"""Antialiased polygons, boxes seen in perspective, and the list of lamps that shine into the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.road import Colour
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.lane import Image

_SHIFT = 4  # polygon corners are given to 1/16 pixel
_LIMIT = 8000.0


@dataclass
class Lamps:
    """Lamps of a scene: drawn last, with their glare, on top of everything.

    Attributes:
        points: (column, row, radius in pixels, RGB colour, brightness) of each lamp.
    """

    points: list[tuple[float, float, float, Colour, float]] = field(default_factory=list)

    def hide(self, silhouette: FloatArray) -> None:
        """Removes the lamps behind a solid that is drawn now, given its silhouette (N, 2) on the canvas."""
        outline = silhouette.astype(np.float32)
        self.points = [lamp for lamp in self.points if cv2.pointPolygonTest(outline, lamp[:2], False) < 0]

    def add(self, at: FloatArray, radius: float, colour: Colour, brightness: float) -> None:
        """One lamp at canvas pixel `at`."""
        self.points.append((float(at[0]), float(at[1]), radius, colour, brightness))


def fill(canvas: Image, corners: FloatArray, colour: Colour | FloatArray) -> None:
    """A filled polygon with soft edges, in place; `corners` (N, 2) canvas pixels."""
    fixed = np.rint(np.clip(corners, -_LIMIT, _LIMIT) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], _bytes(colour), lineType=cv2.LINE_AA, shift=_SHIFT)


def shade(canvas: Image, corners: FloatArray, darkness: float, softness: float) -> None:
    """Darkens a polygon of the canvas in place; its border fades over `softness` pixels."""
    height, width = canvas.shape[:2]
    grow = 2 * softness + 2
    low = np.floor(np.clip(corners.min(axis=0) - grow, 0, [width, height])).astype(int)
    high = np.ceil(np.clip(corners.max(axis=0) + grow, 0, [width, height])).astype(int)
    if np.any(high - low < 1):
        return
    # A soft border needs no fine pixels.
    step = max(1, int(softness / 1.5))
    cover = np.zeros(((high[1] - low[1]) // step + 1, (high[0] - low[0]) // step + 1), dtype=np.uint8)
    fixed = np.rint((np.clip(corners, -_LIMIT, _LIMIT) - low) / step * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(cover, [fixed], (255 * darkness,), lineType=cv2.LINE_AA, shift=_SHIFT)
    if softness > 0.4:
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), softness / step), dtype=np.uint8)
    if step > 1:
        cover = np.asarray(cv2.resize(cover, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    left = 255 - cover[: high[1] - low[1], : high[0] - low[0]]
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[...] = cv2.multiply(part, cv2.merge((left, left, left)), scale=1 / 255)


def _bytes(colour: Colour | FloatArray) -> tuple[int, int, int]:
    red, green, blue = (int(min(max(value, 0.0), 255.0)) for value in colour)
    return red, green, blue


@dataclass(frozen=True)
class Box:
    """A place on the road with axes of its own, in which vehicles and buildings are described in metres.

    Attributes:
        view: the row table.
        s: distance along the road of the near end.
        lateral: of the middle of the near end.
    """

    view: RoadView
    s: float
    lateral: float

    def pixels(self, points: list[tuple[float, float, float]]) -> FloatArray:
        """Canvas pixels (N, 2) of points (right, up, ahead) in metres of this box."""
        right, up, ahead = np.asarray(points, dtype=np.float64).T
        x, depth, elevation, sine, cosine = self._frame
        return self.view.to_canvas(
            x + right * cosine + ahead * sine, depth + ahead * cosine - right * sine, elevation, up
        )

    def place(self) -> tuple[float, float]:
        """(metres right of the camera, metres ahead of it) of the middle of the near end."""
        return self._frame[0], self._frame[1]

    @cached_property
    def _frame(self) -> tuple[float, float, float, float, float]:
        """x, depth and elevation of the middle of the near end, sine and cosine of the road's heading there."""
        x, depth, elevation = self.view.ground_point(self.s, self.lateral)
        heading = self.view.heading_at(self.s)
        return float(x), float(depth), float(elevation), math.sin(heading), math.cos(heading)


def hull(points: FloatArray) -> FloatArray:
    """The convex hull of canvas pixels, (N, 2) -> (M, 2): the silhouette of a convex solid."""
    return np.asarray(cv2.convexHull(points.astype(np.float32)).reshape(-1, 2), dtype=np.float64)


def prism(
    bottom: tuple[float, float, float, float], top: tuple[float, float, float, float], low: float, high: float
) -> list[tuple[float, float, float]]:
    """The eight corners of a solid with (left, right, near, far) given at its lower and its upper height."""
    corners = []
    for (left, right, near, far), up in ((bottom, low), (top, high)):
        corners += [(left, up, near), (right, up, near), (right, up, far), (left, up, far)]
    return corners

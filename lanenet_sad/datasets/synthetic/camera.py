"""The pinhole camera of a rendered scene, the canvas on which the scene is painted, and its picture's border."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Image, Points


@dataclass(frozen=True)
class Border:
    """What lies round the camera's picture: bars, and the wedges that a later rotation leaves in the corners.

    Attributes:
        bars: shares of the picture's height (top, bottom) and width (left, right) that bars cover.
        turn: rotation of the finished picture in radians, positive is clockwise.
        colour: RGB of bars and wedges.
    """

    bars: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    turn: float = 0.0
    colour: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Camera:
    """Where the camera hangs and how it looks at the road.

    Pitch is given by the horizon's row. Roll is not part of the projection: the scene is painted upright on a
    canvas a little larger than the window, which is then turned by the roll angle. The window is what the camera
    sees; it is the whole picture unless there is a border.

    Attributes:
        image_size: (height, width) of the picture in pixels.
        focal_x: focal length in pixels of the window's width.
        focal_y: focal length in pixels of the window's height; differs from `focal_x` in squeezed pictures.
        centre_x: column of the window towards which the camera looks.
        horizon: row of the horizon on a flat road; may lie outside the window.
        height: of the lens above the road in metres.
        roll: in radians, positive turns the picture clockwise.
        border: what lies round the window; None for nothing.
    """

    image_size: tuple[int, int]
    focal_x: float
    focal_y: float
    centre_x: float
    horizon: float
    height: float
    roll: float
    border: Border | None = None

    @cached_property
    def window(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the window in the picture, before the border's turn."""
        height, width = self.image_size
        if self.border is None:
            return 0, 0, height, width
        shares = np.asarray(self.border.bars) * [height, height, width, width]
        top, bottom, left, right = (round(float(share)) for share in shares)
        return top, left, max(height - top - bottom, 8), max(width - left - right, 8)

    @cached_property
    def margin(self) -> tuple[int, int]:
        """(rows, columns) that the canvas has more than the window on either side."""
        height, width = self.window[2:]
        sine = abs(math.sin(self.roll))
        return math.ceil(width / 2 * sine) + 2, math.ceil(height / 2 * sine) + 2

    @cached_property
    def canvas_size(self) -> tuple[int, int]:
        """(height, width) of the canvas in pixels."""
        rows, columns = self.margin
        return self.window[2] + 2 * rows, self.window[3] + 2 * columns

    @property
    def canvas_centre_x(self) -> float:
        """`centre_x` on the canvas."""
        return self.centre_x + self.margin[1]

    @property
    def canvas_horizon(self) -> float:
        """`horizon` on the canvas."""
        return self.horizon + self.margin[0]

    def to_image(self, points: Points) -> Points:
        """Canvas pixels -> picture pixels, (N, 2) -> (N, 2); a border's window may not hold all of them."""
        return _apply(self._window_to_image, _apply(self._canvas_to_window, points))

    def turn(self, canvas: Image) -> Image:
        """The window that the canvas shows through the rolled camera."""
        height, width = self.window[2:]
        if abs(self.roll) < 1e-6:
            rows, columns = self.margin
            return np.ascontiguousarray(canvas[rows : rows + height, columns : columns + width])
        turned = cv2.warpAffine(
            canvas, self._canvas_to_window, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(turned, dtype=np.uint8)

    def frame(self, window: Image, *, mirrored: bool) -> Image:
        """The picture: the window with its border. A mirrored window gets a mirrored border."""
        if self.border is None:
            return window
        height, width = self.image_size
        shown = np.ascontiguousarray(window[:, ::-1]) if mirrored else window
        framed = cv2.warpAffine(
            shown,
            self._window_to_image,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=self.border.colour,
        )
        return np.ascontiguousarray(framed[:, ::-1] if mirrored else framed, dtype=np.uint8)

    def shows(self, points: Points, *, mirrored: bool) -> NDArray[np.bool_]:
        """Which points of the picture lie in it and show the window, not the border; (N, 2) -> (N,), NaN does not."""
        size = np.array(self.image_size[::-1])
        in_picture = ((points >= 0) & (points <= size - 1)).all(axis=1)
        if self.border is None:
            return np.asarray(in_picture)
        seen = points.copy()
        if mirrored:
            seen[:, 0] = size[0] - 1 - seen[:, 0]
        to_window = np.asarray(cv2.invertAffineTransform(self._window_to_image), dtype=np.float64)
        inside = _apply(to_window, seen)
        height, width = self.window[2:]
        return np.asarray(in_picture & ((inside >= 0) & (inside <= [width - 1, height - 1])).all(axis=1))

    @cached_property
    def _canvas_to_window(self) -> NDArray[np.float64]:
        """(2, 3) affine map: a turn about the middle."""
        return _turn_about(self.roll, self.canvas_size, self.window[2:])

    @cached_property
    def _window_to_image(self) -> NDArray[np.float64]:
        """(2, 3) affine map: the place between the bars, and the border's turn about the picture's middle."""
        top, left = self.window[:2]
        turn = _turn_about(self.border.turn if self.border else 0.0, self.image_size, self.image_size)
        return np.hstack([turn[:, :2], (turn[:, 2] + turn[:, :2] @ [left, top])[:, None]])


def _turn_about(angle: float, source: tuple[int, int], target: tuple[int, int]) -> NDArray[np.float64]:
    """The affine map that turns by `angle` and brings the middle of one size to the middle of another."""
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    middles = [(np.array([size[1], size[0]]) - 1) / 2 for size in (source, target)]
    return np.hstack([turn, (middles[1] - turn @ middles[0])[:, None]])


def _apply(matrix: NDArray[np.float64], points: Points) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)

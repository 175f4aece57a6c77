"""The pinhole camera of a rendered scene, and the canvas on which the scene is painted before the camera rolls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Image, Points


@dataclass(frozen=True)
class Camera:
    """Where the camera hangs and how it looks at the road.

    Pitch is given by the horizon's row. Roll is not part of the projection: the scene is painted upright on a
    canvas a little larger than the picture, which is then turned by the roll angle.

    Attributes:
        image_size: (height, width) of the picture in pixels.
        focal_x: focal length in pixels of the picture's width.
        focal_y: focal length in pixels of the picture's height; differs from `focal_x` in squeezed pictures.
        centre_x: column towards which the camera looks.
        horizon: row of the horizon on a flat road; may lie outside the picture.
        height: of the lens above the road in metres.
        roll: in radians, positive turns the picture clockwise.
    """

    image_size: tuple[int, int]
    focal_x: float
    focal_y: float
    centre_x: float
    horizon: float
    height: float
    roll: float

    @cached_property
    def margin(self) -> tuple[int, int]:
        """(rows, columns) that the canvas has more than the picture on either side."""
        height, width = self.image_size
        sine = abs(math.sin(self.roll))
        return math.ceil(width / 2 * sine) + 2, math.ceil(height / 2 * sine) + 2

    @cached_property
    def canvas_size(self) -> tuple[int, int]:
        """(height, width) of the canvas in pixels."""
        rows, columns = self.margin
        return self.image_size[0] + 2 * rows, self.image_size[1] + 2 * columns

    @property
    def canvas_centre_x(self) -> float:
        """`centre_x` on the canvas."""
        return self.centre_x + self.margin[1]

    @property
    def canvas_horizon(self) -> float:
        """`horizon` on the canvas."""
        return self.horizon + self.margin[0]

    @property
    def canvas_to_image(self) -> NDArray[np.float64]:
        """(2, 3) affine map from canvas pixels to picture pixels: a turn about the middle."""
        (canvas_height, canvas_width), (height, width) = self.canvas_size, self.image_size
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        canvas_middle = np.array([canvas_width - 1, canvas_height - 1]) / 2
        middle = np.array([width - 1, height - 1]) / 2
        return np.hstack([turn, (middle - turn @ canvas_middle)[:, None]])

    def to_image(self, points: Points) -> Points:
        """Canvas pixels -> picture pixels, (N, 2) -> (N, 2)."""
        matrix = self.canvas_to_image
        return points @ matrix[:, :2].T + matrix[:, 2]

    def turn(self, canvas: Image) -> Image:
        """The picture that the canvas shows through the rolled camera."""
        height, width = self.image_size
        if abs(self.roll) < 1e-6:
            rows, columns = self.margin
            return np.ascontiguousarray(canvas[rows : rows + height, columns : columns + width])
        turned = cv2.warpAffine(
            canvas, self.canvas_to_image, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(turned, dtype=np.uint8)

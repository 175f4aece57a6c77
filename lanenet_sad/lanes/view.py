"""Which part of a picture a network looks at, and the way from network pixels back to image pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.lanes.lane import Image, Points


@dataclass(frozen=True)
class Placement:
    """The rectangle of one image that fills the network's input.

    Attributes:
        top: first image row of the rectangle; negative if rows are padded above the image.
        height: rows of the rectangle.
        width: columns of the rectangle (the full image width).
        input_size: (height, width) of the network's input.
    """

    top: int
    height: int
    width: int
    input_size: tuple[int, int]

    def to_input(self, points: Points) -> Points:
        """Image pixels -> network pixels, (N, 2) -> (N, 2); pixel centres map onto pixel centres."""
        height, width = self.input_size
        scale = np.array([width / self.width, height / self.height])
        moved: Points = (points - np.array([0.0, self.top]) + 0.5) * scale - 0.5
        return moved

    def to_image(self, points: Points) -> Points:
        """Network pixels -> image pixels, the inverse of `to_input`."""
        height, width = self.input_size
        scale = np.array([self.width / width, self.height / height])
        moved: Points = (points + 0.5) * scale - 0.5 + np.array([0.0, self.top])
        return moved


@dataclass(frozen=True)
class InputView:
    """The one rule by which any camera's picture becomes the network's input.

    The network looks at the full width of the picture and, from its bottom row up, at as many rows as the
    aspect asks for (`width / aspect`); the rectangle is resized to `input_size`. A picture wider than that
    aspect is padded with black rows at the top. CULane's whole 1640x590 frame has aspect 2.78, so a 16:9
    picture loses its top 36 %.

    Attributes:
        input_size: (height, width) of the network's input; each a multiple of 8.
        aspect: width / height of the rectangle in the picture.
        crop_top: if given, a fraction 0..1 of the picture's height to cut off the top *instead of* following
            the aspect; what is left is resized to `input_size` whatever its shape.
    """

    input_size: tuple[int, int]
    aspect: float
    crop_top: float | None = None

    def __post_init__(self) -> None:
        height, width = (int(n) for n in self.input_size)
        object.__setattr__(self, "input_size", (height, width))
        if height < 8 or width < 8 or height % 8 or width % 8:
            fitting = f"{max(8, -(-height // 8) * 8)}x{max(8, -(-width // 8) * 8)}"
            raise ValueError(
                f"Input of {height}x{width} pixels: height and width must be multiples of 8; "
                f"the next fitting size is {fitting}."
            )
        if not self.aspect > 0:
            raise ValueError(f"View aspect: expected a positive width / height, got {self.aspect}.")
        if self.crop_top is not None and not 0 <= self.crop_top < 1:
            raise ValueError(f"crop_top: expected a fraction in [0, 1), got {self.crop_top}.")

    def place(self, image_size: tuple[int, int]) -> Placement:
        """The rectangle for an image of `image_size` = (height, width)."""
        image_height, width = image_size
        if self.crop_top is not None:
            top = min(round(self.crop_top * image_height), image_height - 1)
        else:
            top = image_height - max(1, round(width / self.aspect))
        return Placement(top, image_height - top, width, self.input_size)


def extract_view(image: Image, placement: Placement) -> Image:
    """Cut `placement` out of a picture and resize it to the network's input, (H, W, 3) -> (h, w, 3) uint8.

    Validation and inference both go through here, so that they see identical pixels. Shrinking averages over
    areas, enlarging is bilinear; rows above the picture are black.
    """
    height, width = placement.input_size
    cut = image[max(placement.top, 0) : placement.top + placement.height]
    if placement.top < 0:
        cut = np.pad(cut, ((-placement.top, 0), (0, 0), (0, 0)))
    shrinks = cut.shape[0] >= height and cut.shape[1] >= width
    resized = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized, dtype=np.uint8)

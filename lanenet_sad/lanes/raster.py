"""Lanes drawn into masks, as the CULane label maps and the CULane evaluator draw them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import natural_spline, unrepeated
from lanenet_sad.lanes.lane import IGNORE_INDEX, IntMask, Lane, Points

_INT32 = np.iinfo(np.int32)
_FAR_AWAY = 2**30  # beyond this a shift of the origin could leave the 32-bit integers that OpenCV takes


class LanePatch(NamedTuple):
    """A drawn lane and the place of its bounding box in the image: what is outside `mask` is 0.

    Attributes:
        mask: (h, w) uint8, 0 or 1; may have no pixel.
        top: image row of the mask's first row.
        left: image column of the mask's first column.
    """

    mask: IntMask
    top: int
    left: int


def draw_lanes(lanes: Sequence[Lane], size: tuple[int, int], *, line_width: int) -> IntMask:
    """The lane mask of an image: each lane drawn as a thick curve with the value of its slot.

    Args:
        lanes: in pixels of `size`; later lanes cover earlier ones; lanes of fewer than two points leave no trace.
        size: (height, width) of the mask.
        line_width: in pixels; see `label_line_width` for the width of CULane's own label maps.

    Returns:
        (H, W) uint8, 0 where there is no lane.

    Raises:
        ValueError: a lane has no slot, or one that a mask cannot hold.
    """
    mask: IntMask = np.zeros(size, dtype=np.uint8)
    for number, lane in enumerate(lanes):
        if lane.slot is None or not 0 < lane.slot < IGNORE_INDEX:
            raise ValueError(
                f"Drawing lane {number} of {len(lanes)}: expected a slot from 1 to {IGNORE_INDEX - 1}, "
                f"got {lane.slot}; assign slots to the lanes first (lanes.slots.assign_slots)."
            )
        _draw(mask, _curve_pixels(lane.points), lane.slot, line_width)
    return mask


def lane_patch(points: Points, size: tuple[int, int], *, line_width: int) -> LanePatch:
    """One lane as the CULane evaluator draws it: a natural spline, thick, with round ends, cut off at the border.

    Samples of the spline are rounded to whole pixels (ties to even) and joined by OpenCV's 8-connected lines.
    Only the bounding box is drawn, which gives the same pixels as the whole image at a fraction of the cost.

    Args:
        points: (N, 2) in pixels of the image; fewer than two points leave no trace.
        size: (height, width) of the image.
        line_width: in pixels.
    """
    return polyline_patch(_curve_pixels(points), size, line_width=line_width)


def polyline_patch(pixels: NDArray[np.int32], size: tuple[int, int], *, line_width: int) -> LanePatch:
    """Whole pixels joined by thick lines with round ends, cut off at the border; see `whole_pixels`.

    Args:
        pixels: (M, 2) x and y without repeated neighbours; none leave no trace, one a dot.
        size: (height, width) of the image.
        line_width: in pixels.
    """
    if len(pixels) == 0:
        return LanePatch(np.zeros((0, 0), dtype=np.uint8), 0, 0)
    left = top = 0
    height, width = size
    margin = line_width // 2 + 2
    low, high = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
    if max(map(abs, low + high)) < _FAR_AWAY:
        left, top = (max(0, edge - margin) for edge in low)
        width, height = (min(end, edge + margin + 1) for end, edge in zip((width, height), high, strict=True))
    mask: IntMask = np.zeros((max(0, height - top), max(0, width - left)), dtype=np.uint8)
    pixels = pixels - np.array([left, top], dtype=np.int32)
    if len(pixels) == 2:
        _check_opencv_draws_as_evaluator(mask, pixels)
    _draw(mask, pixels, 1, line_width)
    return LanePatch(mask, top, left)


def whole_pixels(points: Points) -> NDArray[np.int32]:
    """Rounded coordinates as OpenCV takes them, (N, 2) -> (M, 2) without repeated neighbours.

    A coordinate that no 32-bit integer can hold becomes the smallest one, as the CPU's conversion does.
    """
    inside = (points >= _INT32.min) & (points <= _INT32.max)
    pixels = np.where(inside, points, _INT32.min).astype(np.int32)
    return pixels[unrepeated(pixels)]


def label_line_width(image_width: int, at_1640: int = 16) -> int:
    """Line width of label masks for an image of this width; CULane's labels are 16 px wide at 1640 px."""
    return max(1, round(at_1640 * image_width / 1640))


def _curve_pixels(points: Points) -> NDArray[np.int32]:
    """The whole pixels that the evaluator joins by lines, (N, 2) -> (M, 2) without repeated neighbours."""
    if len(points) < 2:
        return np.zeros((0, 2), dtype=np.int32)
    return whole_pixels(np.rint(natural_spline(points)))


def _draw(mask: IntMask, pixels: NDArray[np.int32], value: int, line_width: int) -> None:
    """Joins pixels (M, 2) by thick lines in `mask`, in place; one pixel alone becomes a dot."""
    if len(pixels) == 0 or mask.size == 0:
        return
    # OpenCV draws no line through a single point, but one from a point to itself.
    line = pixels if len(pixels) > 1 else np.repeat(pixels, 2, axis=0)
    cv2.polylines(mask, [line], False, (value,), thickness=line_width, lineType=cv2.LINE_8)


def _check_opencv_draws_as_evaluator(mask: IntMask, ends: NDArray[np.int32]) -> None:
    """Warns of the one case that OpenCV 4.13 and later draw otherwise: a long segment cut off at the border."""
    height, width = mask.shape
    outside = ((ends < 0) | (ends >= (width, height))).any()
    if outside and tuple(int(part) for part in cv2.__version__.split(".")[:2]) >= (4, 13):
        warnings.warn(
            f"OpenCV {cv2.__version__} draws two-point lanes that leave the image differently from the official "
            "CULane evaluator (IoU off by up to 0.02). Install an OpenCV older than 4.13 for official figures.",
            stacklevel=4,
        )

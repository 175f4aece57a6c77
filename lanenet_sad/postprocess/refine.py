"""What makes a lane of the points that a network saw: strays go, and the line runs on to the bottom of the picture."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Points

_FEWEST = 5  # with fewer points than this nobody can tell which one is wrong
_TOLERANCE = 0.012  # of the picture's width: how far a point may lie off a smooth curve, up to a factor of 2.5
_DEGREES = (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
_REACH = 0.5  # of the view's height: how far a line is drawn on towards the bottom


def drop_strays(points: Points, image_width: int) -> Points:
    """Leaves out points that jump to another line, or away from any.

    A cubic through the points by iteratively reweighted least squares (Cauchy weights), from a straight line on, so
    that a handful of strays cannot draw it to them. What lies farther off than 3 % of the picture's width goes. Points
    that are kept stay where they are.

    Args:
        points: (N, 2) of one line, near to far.
        image_width: of the picture they are in.

    Returns:
        (M, 2); none if the larger part would go, as then there is no line.
    """
    if len(points) < _FEWEST:
        return points
    x, y = points.T
    scale = _TOLERANCE * image_width
    highest = 1 if len(points) < 6 else 2 if len(points) < 10 else 3
    weights, off = np.ones(len(points)), np.zeros(len(points))
    for degree in _DEGREES:
        curve = Polynomial.fit(y, x, min(degree, highest), w=np.sqrt(weights))
        off = np.abs(x - curve(y))
        weights = np.maximum(1 / (1 + (off / scale) ** 2), 1e-4)
    kept = off < 2.5 * scale
    return points[kept] if 2 * kept.sum() >= len(points) else points[:0]


def run_to_bottom(points: Points, rows: NDArray[np.float64], image_size: tuple[int, int], view_height: float) -> Points:
    """Draws a line on from its nearest point, straight, as labels run on across the bonnet.

    Args:
        points: (N, 2) of one line, near to far.
        rows: image rows, near to far, of which those nearer than the line get a point.
        image_size: (height, width) of the picture; points beside it are left out.
        view_height: rows of the picture that the network sees. A line that begins higher up than half of it stays.
    """
    nearer = rows[rows > points[0, 1] + 1e-9] if len(points) >= 2 else rows[:0]
    if len(nearer) == 0 or image_size[0] - 1 - points[0, 1] > _REACH * view_height:
        return points
    part = points[: max(3, len(points) // 3)]
    slope = Polynomial.fit(part[:, 1], part[:, 0], 1).convert().coef[1]
    columns = points[0, 0] + slope * (nearer - points[0, 1])
    inside = (columns >= 0) & (columns <= image_size[1] - 1)
    return np.concatenate([np.stack([columns, nearer], axis=1)[inside], points])

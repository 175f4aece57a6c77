"""What makes lanes of the points that a network saw: strays go, and lines run on to the bottom and to the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Points

_FEWEST = 5  # with fewer points than this nobody can tell which one is wrong
_TOLERANCE = 0.012  # of the picture's width: how far a point may lie off a smooth curve, up to a factor of 2.5
_DEGREES = (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
_NARROWEST = 0.12  # where a line that is drawn on ends: the width of the road against that at the bottom
_REACH = 0.5  # of the view's height: how far a line is drawn on towards the bottom


def drop_strays(points: Points, image_width: int) -> Points:
    """Leaves out points that jump to another line, or away from any; see `seen_on_a_line`.

    Args:
        points: (N, 2) of one line, near to far.
        image_width: of the picture they are in.

    Returns:
        (M, 2); none if the larger part would go, as then there is no line.
    """
    (kept,) = seen_on_a_line([points], image_width)
    return points if kept.all() else points[kept]


def seen_on_a_line(lines: Sequence[Points], image_width: int) -> list[NDArray[np.bool_]]:
    """Which points of each line lie on a smooth curve through it, all lines of a picture at once.

    A cubic through the points by iteratively reweighted least squares (Cauchy weights), from a straight line on, so
    that a handful of strays cannot draw it to them. What lies farther off than 3 % of the picture's width goes. Points
    that are kept stay where they are.

    Args:
        lines: (N, 2) each, near to far.
        image_width: of the picture they are in.

    Returns:
        (N,) for each line: all where there are too few to tell, none if the larger part would go, as then there is no
        line.
    """
    long = [points for points in lines if len(points) >= _FEWEST]
    found = iter(_near_a_cubic(long, _TOLERANCE * image_width) if long else [])
    return [next(found) if len(points) >= _FEWEST else np.ones(len(points), dtype=bool) for points in lines]


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
    columns = points[0, 0] + _slope(part) * (nearer - points[0, 1])
    inside = (columns >= 0) & (columns <= image_size[1] - 1)
    return np.concatenate([np.stack([columns, nearer], axis=1)[inside], points])


def run_to_horizon(
    lines: Sequence[Points], rows: NDArray[np.float64], image_size: tuple[int, int], view_top: float
) -> list[Points]:
    """Draws lines that the upper border of the network's view cuts on towards their vanishing point.

    Of a 16:9 picture the network does not see the top third; where the horizon lies in it, lines go on there. They are
    drawn on straight until the road is an eighth as wide as at the bottom. Without two lines, or where these do not
    meet above the border, or only far above the picture, all stay as they are.

    Args:
        lines: (N, 2) each, near to far.
        rows: image rows above the border, near to far, that get points.
        image_size: (height, width) of the picture; points beside it are left out.
        view_top: the border.
    """
    height, width = image_size
    long = [points for points in lines if len(points) >= _FEWEST]
    if len(rows) == 0 or len(long) < 2:
        return list(lines)
    slopes = {id(points): _far_slope(points) for points in long}
    # x - slope * y = x0 - slope * y0 for each line: the point nearest to all of them
    equations = np.array([[1.0, -slopes[id(points)]] for points in long])
    values = np.array([points[-1, 0] - slopes[id(points)] * points[-1, 1] for points in long])
    (_, horizon), _, rank, _ = np.linalg.lstsq(equations, values, rcond=None)
    if rank < 2 or not -height < horizon < view_top + 0.3 * (height - view_top):
        return list(lines)
    wanted = rows[rows > horizon + _NARROWEST * (height - 1 - horizon)]
    reach = 2.5 * abs(float(np.diff(long[0][:2, 1])[0]))  # of the border, within which a line counts as cut by it
    extended = []
    for points in lines:
        if id(points) in slopes and points[-1, 1] < view_top + reach:
            columns = points[-1, 0] + slopes[id(points)] * (wanted - points[-1, 1])
            inside = (columns >= 0) & (columns <= width - 1)
            points = np.concatenate([points, np.stack([columns, wanted], axis=1)[inside]])
        extended.append(points)
    return extended


def _far_slope(points: Points) -> float:
    """Columns per row of a line's farther third."""
    return _slope(points[-max(4, len(points) // 3) :])


def _slope(points: Points) -> float:
    """Columns per row of the straight line through some points, by least squares."""
    x, y = (points - points.mean(axis=0)).T
    return float(x @ y / (y @ y))


def _near_a_cubic(lines: Sequence[Points], scale: float) -> list[NDArray[np.bool_]]:
    """`seen_on_a_line` of lines with enough points: the normal equations of all of them, padded to one length."""
    counts = np.array([len(points) for points in lines])
    there = np.arange(counts.max()) < counts[:, None]  # (L, N)
    x, y = np.zeros(there.shape), np.zeros(there.shape)
    x[there], y[there] = np.concatenate(lines).T
    middle = np.array([(points[0, 1] + points[-1, 1]) / 2 for points in lines])[:, None]
    half = np.array([np.ptp(points[:, 1]) / 2 for points in lines])[:, None]
    highest = np.where(counts < 6, 1, np.where(counts < 10, 2, 3))
    fitted = (np.arange(4) <= highest[:, None])[:, None] & there[..., None]  # (L, N, 4)
    powers = ((y - middle) / half)[..., None] ** np.arange(4) * fitted
    weights, off = there.astype(np.float64), np.zeros(there.shape)
    for degree, group in groupby(_DEGREES):
        used = powers[..., : degree + 1]
        unused = np.eye(degree + 1) * ~fitted[:, :1, : degree + 1]  # or powers that a short line lacks were singular
        products = used[..., :, None] * np.concatenate([used, x[..., None]], axis=2)[..., None, :]  # (L, N, D, D + 1)
        products = products.reshape(*there.shape, -1)
        for _ in group:
            sums = (weights[:, None] @ products).reshape(len(lines), degree + 1, degree + 2)
            coefficients = np.linalg.solve(sums[..., :-1] + unused, sums[..., -1:])
            off = np.abs(x - (used @ coefficients)[..., 0])
            weights = np.maximum(1 / (1 + (off / scale) ** 2), 1e-4) * there
    kept = (off < 2.5 * scale) & there
    kept &= 2 * kept.sum(axis=1, keepdims=True) >= counts[:, None]
    return [row[:count] for row, count in zip(kept, counts, strict=True)]

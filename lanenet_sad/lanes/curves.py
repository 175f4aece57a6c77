"""Curves through the points of a lane: the evaluator's spline, sampling at rows, polynomial fits, resampling."""

from __future__ import annotations

from bisect import insort
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from lanenet_sad.lanes.lane import Points

FloatArray = NDArray[np.float64]


def natural_spline(points: ArrayLike, samples_per_span: int = 50) -> Points:
    """The curve that the CULane evaluator draws through a lane.

    A natural cubic spline (zero second derivative at both ends) of x and of y separately against the chord
    length; every span between neighbouring points is sampled at equal steps and the last point closes the
    curve. As in the official tool (XingangPan/SCNN) coordinates are rounded to single precision on the way in
    and on the way out, and a lane of two points is that one segment. Consecutive equal points, on which the
    official tool divides by zero, count once.

    Args:
        points: (N, 2).
        samples_per_span: samples per span, its first point included.

    Returns:
        (M, 2): M = N for N <= 2, else `(N - 1) * samples_per_span + 1` for N different points.
    """
    with np.errstate(all="ignore"):  # absurd coordinates become infinite or NaN, as in the official tool
        return _natural_spline(np.asarray(points, dtype=np.float64).reshape(-1, 2), samples_per_span)


def natural_spline_by_length(points: ArrayLike, step: float = 1.0) -> Points:
    """The natural cubic spline of `natural_spline` in double precision, sampled at equal steps of its parameter.

    The samples of a span between two points start anew at its first one; the last point closes the curve. So the
    CurveLanes metric draws lanes (VEGA's `lane_metric.py`). Consecutive points without a distance count once.

    Args:
        points: (N, 2) finite.
        step: of the parameter, the chord length; `chord length / step` samples have to fit into memory.

    Returns:
        (M, 2); for N < 2 the points themselves.
    """
    with np.errstate(all="ignore"):  # points that all but coincide become infinite or NaN
        return _natural_spline_by_length(np.asarray(points, dtype=np.float64).reshape(-1, 2), step)


def sample_at_rows(points: ArrayLike, rows: ArrayLike) -> FloatArray:
    """Where a polyline crosses image rows.

    Where the polyline crosses a row several times, the crossing nearest to the camera along the lane counts:
    the first one, walking from the end that lies lower in the image. A point that lies on a row gives its own
    x exactly.

    Args:
        points: (N, 2) in either order, joined by straight lines.
        rows: (R,) y coordinates.

    Returns:
        (R,) x coordinates; NaN where the polyline does not reach the row, all NaN for an empty polyline.
    """
    line = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    at = np.asarray(rows, dtype=np.float64).reshape(-1)
    if len(line) == 0:
        return np.full(len(at), np.nan)
    if line[0, 1] < line[-1, 1]:
        line = line[::-1]
    if len(line) == 1:
        line = np.repeat(line, 2, axis=0)
    x, y = line[:-1, 0:1], line[:-1, 1:2]  # (N-1, 1)
    x_next, y_next = line[1:, 0:1], line[1:, 1:2]
    crosses = (np.minimum(y, y_next) <= at) & (at <= np.maximum(y, y_next))  # (N-1, R)
    height = y_next - y
    share = (at - y) / np.where(height == 0, 1.0, height)
    crossing = np.where(share == 1, x_next, x + share * (x_next - x))
    first = crosses.argmax(axis=0)
    columns = np.arange(len(at))
    return np.where(crosses.any(axis=0), crossing[first, columns], np.nan)


def fit_polynomial(points: ArrayLike, degree: int, weights: ArrayLike | None = None) -> Polynomial:
    """The least-squares polynomial x(y) through a lane.

    The degree is lowered where the points lie on too few different rows to determine it.

    Args:
        points: (N, 2), N >= 1.
        degree: of the polynomial, 0 or more.
        weights: (N,) by which each point's residual is multiplied; all 1 if None.

    Returns:
        A polynomial to call with rows: `x = polynomial(y)`.

    Raises:
        ValueError: there is no point, or the degree is negative.
    """
    line = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(line) == 0 or degree < 0:
        raise ValueError(
            f"Polynomial fit: expected at least one point and a degree >= 0, got {len(line)} points, degree {degree}."
        )
    weight = np.ones(len(line)) if weights is None else np.asarray(weights, dtype=np.float64)
    degree = min(degree, len(np.unique(line[:, 1])) - 1)
    if degree == 0:  # also one single row, onto which no domain could be scaled
        square = weight**2
        return Polynomial([float((square * line[:, 0]).sum() / square.sum())])
    return Polynomial.fit(line[:, 1], line[:, 0], degree, w=weight)


def resample(points: ArrayLike, num_points: int) -> Points:
    """The same polyline with its points at equal distances along it.

    Args:
        points: (N, 2); N = 0 gives back no points.
        num_points: how many points to return, at least 2; the first and the last point stay.

    Returns:
        (num_points, 2).

    Raises:
        ValueError: fewer than two points are asked for.
    """
    if num_points < 2:
        raise ValueError(f"Resampling a lane: expected at least 2 points to place, got {num_points}.")
    line = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(line) == 0:
        return line
    line = line[unrepeated(line)]
    distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])  # (N,)
    target = np.linspace(0.0, distance[-1], num_points)
    return np.stack([np.interp(target, distance, line[:, i]) for i in (0, 1)], axis=1)


def thin(points: ArrayLike, tolerance: float = 1.0, max_points: int = 12) -> Points:
    """The same polyline with few of its points, such that a person can move them.

    Follows Douglas and Peucker (1973), the farthest point first: the point farthest from the line so far is added
    until all lie within `tolerance` of it, or `max_points` are reached; the first and the last point stay.

    Args:
        points: (N, 2).
        tolerance: in pixels.
        max_points: at least 2.

    Returns:
        (M, 2), M <= N.
    """
    line = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(line) < 3:
        return line
    kept = [0, len(line) - 1]
    while len(kept) < max_points:
        distance = _distance_to_chords(line, kept)
        farthest = int(distance.argmax())
        if distance[farthest] <= tolerance:
            break
        insort(kept, farthest)
    return line[kept]


def near_to_far(points: Points) -> Points:
    """The same line, (N, 2), beginning at the end that lies lower in the picture."""
    return points[::-1].copy() if len(points) and points[0, 1] < points[-1, 1] else points


def unrepeated(points: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points differ from the one before, (N, 2) -> (N,); the first always does."""
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = (points[1:] != points[:-1]).any(axis=1)
    return keep


def _distance_to_chords(line: Points, kept: list[int]) -> FloatArray:
    """(N,) distance of each point to the straight line between the kept points on either side of it."""
    index = np.arange(len(line))
    span = (np.searchsorted(kept, index, side="right") - 1).clip(0, len(kept) - 2)
    start, end = line[kept][span], line[kept][span + 1]  # (N, 2)
    chord, offset = end - start, line - start
    square = (chord**2).sum(axis=1)
    share = ((offset * chord).sum(axis=1) / np.where(square == 0, 1.0, square)).clip(0, 1)
    distance: FloatArray = np.hypot(*(offset - share[:, None] * chord).T)
    return distance


def _natural_spline(points: Points, samples_per_span: int) -> Points:
    knots = points.astype(np.float32)
    if len(knots) > 2:
        different = knots[unrepeated(knots)]
        knots = different if len(different) > 1 else knots[:2]
    if len(knots) <= 2:
        return knots.astype(np.float64)
    # The official tool subtracts in single precision and computes everything else in double precision.
    steps = np.diff(knots, axis=0).astype(np.float64)
    spans = np.sqrt((steps**2).sum(axis=1))
    slopes = steps / spans[:, None]
    curvature = _second_derivatives(spans, slopes)

    h = spans[:, None]
    start = knots[:-1].astype(np.float64)
    linear = slopes - h * (2 * curvature[:-1] + curvature[1:]) / 6
    cubic = np.diff(curvature, axis=0) / (6 * h)
    t = (h / samples_per_span * np.arange(samples_per_span))[..., None]  # (N-1, S, 1)
    curve = start[:, None] + t * (linear[:, None] + t * (curvature[:-1, None] / 2 + t * cubic[:, None]))
    curve = np.concatenate([curve.reshape(-1, 2), knots[-1:]])  # (M, 2)
    return curve.astype(np.float32).astype(np.float64)


def _natural_spline_by_length(knots: Points, step: float) -> Points:
    """See `natural_spline_by_length`; in the order of the original's operations, on which the last bit depends."""
    chords = np.diff(knots, axis=0)
    while ((h := np.sqrt((chords * chords).sum(axis=1))[:, None]) == 0).any():  # (N-1, 1)
        knots = knots[np.concatenate([[True], h[:, 0] > 0])]
        chords = np.diff(knots, axis=0)
    if len(knots) < 2:
        return knots
    slopes = chords / h
    curvature = _second_derivatives(h[:, 0], slopes)
    linear = slopes - (2 * h * curvature[:-1] + h * curvature[1:]) / 6
    cubic = np.diff(curvature, axis=0) / (6 * h)
    counts = np.ceil(h[:, 0] / step).astype(np.int64)
    span = np.repeat(np.arange(len(h)), counts)  # (M-1,)
    t = (step * (np.arange(len(span)) - np.repeat(np.cumsum(counts) - counts, counts)))[:, None]
    curve = knots[span] + linear[span] * t + curvature[span] / 2 * t * t + cubic[span] * t * t * t
    return np.concatenate([curve, knots[-1:]])


def _second_derivatives(spans: FloatArray, slopes: FloatArray) -> FloatArray:
    """Second derivatives of a natural cubic spline at its N knots, (N, 2), from (N-1,) spans and (N-1, 2) slopes.

    Solves the tridiagonal system of the inner knots by elimination (Thomas algorithm).
    """
    h = spans.tolist()
    right_side = (6 * np.diff(slopes, axis=0)).tolist()  # (N-2, 2)
    upper: list[float] = []
    reduced: list[tuple[float, float]] = []
    above, x, y = 0.0, 0.0, 0.0
    for i, (side_x, side_y) in enumerate(right_side):
        pivot = 2 * (h[i] + h[i + 1]) - h[i] * above
        above = h[i + 1] / pivot
        x, y = (side_x - h[i] * x) / pivot, (side_y - h[i] * y) / pivot
        upper.append(above)
        reduced.append((x, y))
    solution = np.zeros((len(h) + 1, 2))
    x, y = 0.0, 0.0
    for i in range(len(reduced) - 1, -1, -1):
        x, y = reduced[i][0] - upper[i] * x, reduced[i][1] - upper[i] * y
        solution[i + 1] = x, y
    return solution

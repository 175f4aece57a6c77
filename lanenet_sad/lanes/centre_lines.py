"""The line in the middle of an area that somebody drew around the paint."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from lanenet_sad.lanes.curves import resample, thin, unrepeated
from lanenet_sad.lanes.lane import Points

CONTOUR_POINTS = 256
LINE_POINTS = 48
ROUNDS = 6
ENDS = 4  # points of the line by which the corner that it ends in may lie aside
TOLERANCE = 0.5  # of the thinned result, in pixels


def centre_line(polygon: Points) -> Points:
    """The line along the middle of a long area, from one end to the other.

    The two points of the outline that lie farthest apart part it into two sides, which are averaged at equal shares
    of their lengths. This line is then moved, a few times, to the middle of the area across its own direction, and
    its ends are led straight on, as far as the area goes. So areas may be bent, unevenly wide (as by perspective),
    noisy and of any order and number of points; one that crosses itself gives a line as well.

    Args:
        polygon: (N, 2) outline; whether the first point is repeated at the end makes no difference.

    Returns:
        (M, 2) with at most 24 points, in no particular direction; fewer than two for an area of a single point.
    """
    outline = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    if len(outline) == 0:
        return outline
    closed = np.concatenate([outline, outline[:1]])
    closed = closed[unrepeated(closed)]
    if len(closed) < 4:  # a point, or a line there and back
        return closed[:2]
    contour = resample(closed, CONTOUR_POINTS + 1)[:-1]  # (256, 2)
    line = _average_of_sides(contour)
    for _ in range(ROUNDS):
        line = _smoothed(_moved_to_middle(line, closed))
    return thin(_with_straight_ends(line), tolerance=TOLERANCE, max_points=24)


def is_open_line(points: Points) -> bool:
    """Whether points that a program wrote as an area are rather a line: nowhere a sharp turn and never back.

    An outline around paint has to turn back at its far end; a line runs on from its first point to its last.
    """
    if len(points) < 3:
        return True
    steps = np.diff(points[unrepeated(points)], axis=0)
    if len(steps) < 2:
        return True
    chord = points[-1] - points[0]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    turns = (steps[:-1] * steps[1:]).sum(axis=1) / (lengths[:-1] * lengths[1:])
    return bool((steps @ chord > 0).all() and (turns > 0.5).all())  # cos 60 degrees


def _average_of_sides(contour: Points) -> Points:
    """The mean of the two sides between the two points that lie farthest apart, (48, 2)."""
    first, last = sorted(int(i) for i in np.unravel_index(cdist(contour, contour).argmax(), (len(contour),) * 2))
    one = contour[first : last + 1]
    other = np.concatenate([contour[last:], contour[: first + 1]])[::-1]
    return (resample(one, LINE_POINTS) + resample(other, LINE_POINTS)) / 2


def _moved_to_middle(line: Points, closed: Points) -> Points:
    """Inner points moved to the middle between the outline's nearest crossings on both sides, (N, 2).

    Points whose crossings are missing, or lie far more apart than usual (along the area), stay.
    """
    tangents = np.gradient(line, axis=0)
    lengths = np.hypot(tangents[:, 0], tangents[:, 1])
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1) / np.where(lengths == 0, 1, lengths)[:, None]
    before, after = _nearest_crossings(line, normals, closed)
    span = after - before
    known = np.isfinite(span) & (lengths > 0)
    if not known.any():
        return line
    known &= span <= 4 * np.median(span[known])
    known[[0, -1]] = False
    return line + np.where(known, (before + after) / 2, 0.0)[:, None] * normals


def _smoothed(line: Points) -> Points:
    """A line without the jitter of its outline, between the same ends, its points at equal distances again."""
    soft = line.copy()
    kernel = np.array([0.25, 0.5, 0.25])
    for axis in (0, 1):
        soft[1:-1, axis] = np.convolve(line[:, axis], kernel, mode="valid")
    return resample(soft, LINE_POINTS)


def _with_straight_ends(line: Points) -> Points:
    """The line with its ends, which are corners of the outline, led straight on from what lies before them."""
    ends = []
    for end, near, far in ((line[0], line[ENDS], line[3 * ENDS]), (line[-1], line[-1 - ENDS], line[-1 - 3 * ENDS])):
        direction = near - far
        length = float(direction @ direction)
        share = float((end - near) @ direction) / length if length else 0.0
        ends.append(near + max(share, 0.0) * direction)
    return np.concatenate([ends[0][None], line[ENDS:-ENDS], ends[1][None]])


def _nearest_crossings(points: Points, directions: Points, closed: Points) -> tuple[Points, Points]:
    """Distances (N,) along directions of the outline's last crossing behind and the first ahead; NaN for none."""
    start, edge = closed[:-1], np.diff(closed, axis=0)  # (E, 2)
    offset = start[None] - points[:, None]  # (N, E, 2)
    direction = directions[:, None]
    denominator = direction[..., 0] * edge[:, 1] - direction[..., 1] * edge[:, 0]  # (N, E)
    with np.errstate(all="ignore"):
        along = (offset[..., 0] * edge[:, 1] - offset[..., 1] * edge[:, 0]) / denominator
        share = (offset[..., 0] * direction[..., 1] - offset[..., 1] * direction[..., 0]) / denominator
    crosses = (denominator != 0) & (share >= 0) & (share <= 1)
    before = np.where(crosses & (along <= 0), along, -np.inf).max(axis=1)
    after = np.where(crosses & (along >= 0), along, np.inf).min(axis=1)
    return np.where(np.isfinite(before), before, np.nan), np.where(np.isfinite(after), after, np.nan)

"""The line in the middle of an area that somebody drew around the paint."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from lanenet_sad.lanes.curves import FloatArray, resample, thin, unrepeated
from lanenet_sad.lanes.lane import Points

CONTOUR_POINTS = 256
LINE_POINTS = 48
ROUNDS = 6
ENDS, MOST_LEANING = 4, 12  # points at each end that may lean towards a corner: at least, at most
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
    return thin(_with_straight_ends(line, closed), tolerance=TOLERANCE, max_points=24)


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
    return bool((steps @ chord > 0).all() and (turns > 0.8).all())  # some 37 degrees


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
    normals, lengths = _normals(line)
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


def _with_straight_ends(line: Points, closed: Points) -> Points:
    """The line with both ends, which lean towards corners of the outline, led straight on to the outline instead.

    As much is replaced as the area is wide there, since no farther do the corners reach.
    """
    halves = (line[: len(line) // 2], line[: len(line) // 2 - 1 : -1])
    outer = [_straight_end(half, closed) for half in halves]
    return np.concatenate([outer[0], outer[1][::-1]])


def _straight_end(half: Points, closed: Points) -> Points:
    """Half a line, from its end inwards, with the straight end in the place of the part that leans."""
    before, after = _nearest_crossings(half, _normals(half)[0], closed)
    width = float(np.nan_to_num(after - before)[ENDS : MOST_LEANING + 1].max())
    distance = np.hypot(*(half - half[0]).T)
    start = int(np.clip((distance < width).sum(), ENDS, MOST_LEANING))
    near, far = half[start], half[start + 2 * ENDS]
    direction = near - far
    length = float(np.hypot(*direction))
    if length == 0:
        return half
    direction = direction / length
    ahead = float(_nearest_crossings(near[None], direction[None], closed)[1][0])
    corner = max(float((half[0] - near) @ direction), 0.0)
    # A straight end that leaves a bent area far before the corner leaves it through its side.
    reach = ahead if np.isfinite(ahead) and ahead > corner - 0.75 * width else corner
    return np.concatenate([(near + reach * direction)[None], half[start:]])


def _normals(line: Points) -> tuple[Points, FloatArray]:
    """Unit normals (N, 2) and the lengths (N,) of the tangents that they stand on."""
    tangents = np.gradient(line, axis=0)
    lengths = np.hypot(tangents[:, 0], tangents[:, 1])
    return np.stack([-tangents[:, 1], tangents[:, 0]], axis=1) / np.where(lengths == 0, 1, lengths)[:, None], lengths


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

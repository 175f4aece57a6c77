"""From the points that a network saw to lanes: strays go, lines run on to bottom and horizon, curves are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.postprocess.crossings import uncrossed
from lanenet_sad.postprocess.curve_fit import Curve, Search, SmoothCurves

Rows = NDArray[np.float64]
_FEWEST = 5  # with fewer points than this nobody can tell which one is wrong
_TOLERANCE = 0.012  # of the picture's width: how far a point may lie off a smooth curve, up to a factor of 2.5
_DEGREES = (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
_NARROWEST = 0.12  # where a line that is drawn on ends: the width of the road against that at the bottom
_REACH = 0.5  # of the view's height: how far a line is drawn on towards the bottom


@dataclass(frozen=True, kw_only=True)
class LaneRefiner:
    """Makes smooth lanes of decoded points: one x for each row, strays out, gaps of dashed lines closed.

    Each lane becomes a curve x(y) through the points that agree with each other, so it cannot fold back; it is sampled
    at its own rows and, where nothing was seen, at rows between them. A far end that runs along the horizon is cut,
    and where two lanes cross, the less sure one ends. Lanes of fewer than three points stay as they are.

    A point is as sure as the network was of it, less the farther it lies off the curve: half at the tolerance. The
    confidence of a lane becomes its existence times the mean over its points, strays as zero: a lane
    that the network is sure of but sees badly is told apart from one that it sees well.

    Attributes:
        curve: "spline" (a smoothing cubic spline) or "polynomial".
        degree: highest degree of the polynomial, also of that by which strays are found.
        points_per_degree: a lane gets a degree for every so many of its points, at least a straight line.
        stiffness: of the spline: far less follows every point, far more gives parabolas; the size of pictures does
            not matter.
        tolerance: share of the picture's width within which points agree with a curve.
        max_trials: random samples drawn at most for a lane with strays.
        seed: of these samples; the same picture always gives the same lanes.
        max_slope: columns per row above which a far end counts as running along the horizon.
        halving_distance: share of the picture's height in which, into a gap, the confidence of points halves.

    Raises:
        ValueError: a setting makes no sense.
    """

    curve: Curve = "spline"
    degree: int = 3
    points_per_degree: int = 3
    stiffness: float = 1e-6
    tolerance: float = 0.0125
    max_trials: int = 40
    seed: int = 0
    max_slope: float = 10.0
    halving_distance: float = 0.05

    def __post_init__(self) -> None:
        if self.curve not in ("polynomial", "spline"):
            raise ValueError(f"curve: expected polynomial or spline, got {self.curve!r}.")
        for name, least in {"degree": 1, "points_per_degree": 1, "max_trials": 1, "seed": 0}.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}.")
        for name in ("stiffness", "tolerance", "max_slope", "halving_distance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}.")

    def __call__(self, prediction: LanePrediction) -> LanePrediction:
        """The same picture's lanes, refined; a lane of which no line is left goes."""
        refined = [self._refined(lane, prediction) for lane in prediction.lanes]
        return replace(prediction, lanes=tuple(uncrossed([lane for lane in refined if lane is not None])))

    def reset(self) -> None:
        """Nothing is kept from picture to picture."""

    def _refined(self, lane: Lane, prediction: LanePrediction) -> Lane | None:
        """One lane on its curve; None if no three of its points agree on one."""
        height, width = prediction.image_size
        lane = _near_to_far(lane)
        x, rows = lane.points.T
        if len(rows) < 3:
            return lane
        sure = np.ones(len(rows)) if lane.point_confidences is None else lane.point_confidences
        if rows[0] - rows[-1] < 1:
            return None
        sampled = _with_gap_rows(rows, prediction.row_anchors, height)
        within = self.tolerance * width
        degree = min(self.degree, max(1, len(np.unique(rows)) // self.points_per_degree))
        curve = self.curve if degree > 1 else "polynomial"
        curves = SmoothCurves(sampled, curve=curve, degree=degree, stiffness=self.stiffness, height=height)
        place, weights = np.searchsorted(-sampled, -rows), np.maximum(sure, 1e-3)
        columns = curves.fit(place, x, weights, within)
        close = np.abs(columns[place] - x) < within
        if not close.all():
            agree = curves.agreeing(place, x, weights, close, Search(within, self.max_trials, self.seed))
            x, sure, place, weights = x[agree], sure[agree], place[agree], weights[agree]
            if len(x) < 3 or place[0] == place[-1]:
                return None
            columns = curves.fit(place, x, weights, within)
        trust = np.zeros(len(sampled))
        np.maximum.at(trust, place, sure / (1 + ((columns[place] - x) / within) ** 2))
        confidence = lane.confidence * min(1.0, float(trust.sum()) / len(rows))
        if len(place) < len(sampled):
            trust = _into_gaps(trust, sampled, place, self.halving_distance * height)
        kept = _before_the_horizon(columns, sampled, self.max_slope) & (columns >= 0) & (columns <= width - 1)
        kept[: place[0]] = kept[place[-1] + 1 :] = False
        points = np.stack([columns, sampled], axis=1)[kept]
        return replace(lane, points=points, confidence=confidence, point_confidences=trust[kept])


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


def _near_to_far(lane: Lane) -> Lane:
    """The same lane with its rows falling and without points that are none."""
    finite = np.isfinite(lane.points).all(axis=1)
    if not finite.all():
        sure = lane.point_confidences
        lane = replace(lane, points=lane.points[finite], point_confidences=None if sure is None else sure[finite])
    if len(lane.points) < 3 or (np.diff(lane.points[:, 1]) < 0).all():
        return lane
    order = np.argsort(-lane.points[:, 1], kind="stable")
    sure = lane.point_confidences
    return replace(lane, points=lane.points[order], point_confidences=None if sure is None else sure[order])


def _with_gap_rows(rows: Rows, row_anchors: Rows | None, height: int) -> Rows:
    """A lane's own rows and rows that are missing between them, falling, each once.

    These are the anchors of the picture, or else as far apart as most rows; in one gap at most `height`.
    """
    steps = rows[:-1] - rows[1:]
    if row_anchors is None and steps.max() < 1.5 * steps.min():
        return rows
    if row_anchors is None:
        spacing = max(1.0, float(np.median(steps[steps > 0])))
        wide = np.flatnonzero(steps > 1.5 * spacing)
        counts = np.minimum(np.round(steps[wide] / spacing), height).astype(np.intp)
        between = [np.linspace(rows[i], rows[i + 1], n + 1)[1:-1] for i, n in zip(wide, counts, strict=True)]
        rows = np.concatenate([rows, *between])
    else:
        rows = np.concatenate([rows, row_anchors[(row_anchors < rows[0]) & (row_anchors > rows[-1])]])
    falling: Rows = np.unique(rows)[::-1]
    return falling


def _into_gaps(confidences: Rows, rows: Rows, seen: NDArray[np.intp], halving_distance: float) -> Rows:
    """Confidences (N,) where points were `seen`; elsewhere that of the less sure end of the gap, falling into it."""
    there = np.unique(seen)
    gaps = np.setdiff1d(np.arange(there[0], there[-1]), there, assume_unique=True)
    farther = np.searchsorted(there, gaps)
    near, far = there[farther - 1], there[farther]
    distance = np.minimum(rows[near] - rows[gaps], rows[gaps] - rows[far])
    filled = confidences.copy()
    filled[gaps] = np.minimum(confidences[near], confidences[far]) * 0.5 ** (distance / halving_distance)
    return filled


def _before_the_horizon(columns: Rows, rows: Rows, max_slope: float) -> NDArray[np.bool_]:
    """The points (N,) up to the first in the farther half from which on the lane runs along the horizon."""
    flat = np.abs(np.diff(columns)) > max_slope * -np.diff(rows)
    flat[: len(rows) // 2] = False
    kept = np.ones(len(rows), dtype=bool)
    if flat.any():
        kept[int(flat.argmax()) + 1 :] = False
    return kept


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

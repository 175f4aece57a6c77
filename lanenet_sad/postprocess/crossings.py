"""Lanes of one picture that cross each other: the less sure one ends there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Lane

_FEWEST = 3  # shorter lanes are left as they are


def uncrossed(lanes: Sequence[Lane]) -> list[Lane]:
    """Ends lanes where they would cross a surer one: below the horizon the lines of a road do not.

    Two lanes are in the order in which they are on the whole, which the near rows decide, where lanes lie far apart.
    The lane whose points are less sure where that order is broken keeps the longest stretch in which it is not.

    Args:
        lanes: rows of each strictly decreasing; those of fewer than three points stay as they are.

    Returns:
        The lanes in their order, without those of which no line is left.
    """
    if sum(len(lane.points) >= _FEWEST for lane in lanes) < 2:
        return list(lanes)
    grid = np.unique(np.concatenate([lane.points[:, 1] for lane in lanes if len(lane.points) >= _FEWEST]))  # (R,)
    columns = np.full((len(lanes), len(grid)), np.nan)
    for row, lane in zip(columns, lanes, strict=True):
        if len(lane.points) >= _FEWEST:
            row[:] = np.interp(grid, lane.points[::-1, 1], lane.points[::-1, 0], left=np.nan, right=np.nan)
    kept = ~np.isnan(columns)  # (L, R)
    for one, other in combinations(range(len(lanes)), 2):
        apart = columns[other] - columns[one]
        both = kept[one] & kept[other]
        wrong = both & (apart * np.where(apart[both].sum() < 0, -1, 1) <= 0)
        if wrong.any():
            weaker = min(one, other, key=lambda index: _sureness(lanes[index], grid[wrong]))
            kept[weaker] = _longest_run(kept[weaker] & ~wrong)
    cut = [lane if len(lane.points) < _FEWEST else _cut(lane, grid[row]) for lane, row in zip(lanes, kept, strict=True)]
    return [new for new, old in zip(cut, lanes, strict=True) if len(new.points) >= min(2, len(old.points))]


def _sureness(lane: Lane, rows: NDArray[np.float64]) -> float:
    """Mean confidence at some rows that the lane reaches."""
    if lane.point_confidences is None:
        return lane.confidence
    return float(np.interp(rows, lane.points[::-1, 1], lane.point_confidences[::-1]).mean())


def _longest_run(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The longest stretch of neighbouring true values alone, (R,) -> (R,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    run = np.zeros_like(flags)
    if len(edges):
        longest = int(np.argmax(edges[1::2] - edges[::2]))
        run[edges[2 * longest] : edges[2 * longest + 1]] = True
    return run


def _cut(lane: Lane, rows: NDArray[np.float64]) -> Lane:
    """The part of a lane within some of the rows it reaches, rows increasing."""
    y = lane.points[:, 1]
    inside = (y >= rows[0]) & (y <= rows[-1]) if len(rows) else np.zeros(len(y), dtype=bool)
    if inside.all():
        return lane
    sure = lane.point_confidences
    return replace(lane, points=lane.points[inside], point_confidences=None if sure is None else sure[inside])

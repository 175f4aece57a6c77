"""Painted lines that are labelled by their two edges: which edges belong together, and the line between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import resample, sample_at_rows
from lanenet_sad.lanes.lane import Points

# A stripe W wide on a flat road, seen from a camera at height h, is W / h * (row - horizon) pixels wide in each row,
# wherever it lies. A double line measures up to half a metre, cameras stand 1.2 m high or higher; lanes of 2.5 m and
# more are five times as wide. What lies across the road is foreshortened.
WIDEST_ALONG = 0.4
WIDEST_ACROSS = 0.15
HORIZON = 0.45
"""Where the horizon is taken to be, as a share of the image height, unless lines reach above it."""
NARROWEST = 1 / 90
"""Gap that edges may always have, as a share of the image height; 8 px of 720."""

_LEAST_OVERLAP = 0.6
_FLAT = 1 / 60
_NUM_POINTS = 48
_CROWD = 12


def centre_lines(edges: Sequence[Points], image_height: int, groups: Sequence[Hashable] | None = None) -> list[Points]:
    """One line for each pair of edges, and the lines that have no partner as they are.

    Two lines are the edges of one stripe if they run side by side over most of their length without crossing, no
    farther apart than paint is wide at their place in the picture. Of all ways to form pairs the one with the most
    pairs is taken, and of these the one with the narrowest. The line between two edges is the mean of their points
    at equal shares of their lengths, as the authors of ENet-SAD describe it for BDD100K
    (cardwing/Codes-for-Lane-Detection, issues 127, 273 and 310).

    Args:
        edges: each (N, 2), from near to far.
        image_height: in pixels.
        groups: of each line, such as its colour: only lines of one group form pairs; None: all are of one.

    Returns:
        Each (M, 2), near to far, in the order of `edges`; a pair stands where its first edge stood.
    """
    horizon = min([HORIZON * image_height, *(edge[:, 1].min() for edge in edges if len(edge))])
    gaps = {}
    for one in range(len(edges)):
        for other in range(one + 1, len(edges)):
            if groups is None or groups[one] == groups[other]:
                gap = _relative_gap(edges[one], edges[other], image_height, max(0.0, horizon))
                if gap is not None:
                    gaps[one, other] = gap
    partner = dict(_pairs(gaps))
    seconds = set(partner.values())
    return [
        _between(edges[index], edges[partner[index]]) if index in partner else edges[index]
        for index in range(len(edges))
        if index not in seconds
    ]


@np.errstate(all="ignore")  # lines of absurd coordinates are no stripe
def _relative_gap(one: Points, other: Points, image_height: int, horizon: float) -> float | None:
    """Mean gap between two lines, in widths of the widest paint at their place; None if they are not one stripe."""
    if len(one) < 2 or len(other) < 2:
        return None
    flat = min(np.ptp(one[:, 1]), np.ptp(other[:, 1])) < _FLAT * image_height
    if flat:  # lines across the picture: gaps are measured in columns
        one, other = one[:, ::-1], other[:, ::-1]
    low, high = max(one[:, 1].min(), other[:, 1].min()), min(one[:, 1].max(), other[:, 1].max())
    longer = max(np.ptp(one[:, 1]), np.ptp(other[:, 1]))
    if not high > low or high - low < _LEAST_OVERLAP * longer:
        return None
    steps = np.linspace(low, high, 16)
    first, second = sample_at_rows(one, steps), sample_at_rows(other, steps)
    rows = (first + second) / 2 if flat else steps
    widest = (WIDEST_ACROSS if flat else WIDEST_ALONG) * (rows - horizon)
    allowed = np.maximum(widest, NARROWEST * image_height)
    shares: NDArray[np.float64] = (second - first) / allowed
    shares *= np.sign(np.median(shares)) or 1.0
    return float(np.abs(shares).mean()) if shares.min() > -0.25 and shares.max() <= 1 else None


def _pairs(gaps: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The largest number of pairs, and of all ways to form so many the one with the smallest sum of gaps."""
    found: list[tuple[int, int]] = []
    for group in _connected(gaps):
        inside = {pair: gap for pair, gap in gaps.items() if pair[0] in group}
        found += _narrowest_first(inside) if len(group) > _CROWD else _best(inside, tuple(sorted(group)))
    return found


def _connected(gaps: Mapping[tuple[int, int], float]) -> list[set[int]]:
    """The lines that possible pairs connect, group by group."""
    groups: list[set[int]] = []
    for pair in gaps:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    return groups


def _best(gaps: Mapping[tuple[int, int], float], lines: tuple[int, ...]) -> list[tuple[int, int]]:
    @cache
    def best(rest: tuple[int, ...]) -> tuple[int, float, tuple[tuple[int, int], ...]]:
        """Minus the number of pairs, sum of gaps, pairs: the smallest is the best."""
        if not rest:
            return 0, 0.0, ()
        first, others = rest[0], rest[1:]
        choices = [best(others)]
        for other in others:
            if (first, other) in gaps:
                count, total, pairs = best(tuple(line for line in others if line != other))
                choices.append((count - 1, total + gaps[first, other], ((first, other), *pairs)))
        return min(choices)

    return list(best(lines)[2])


def _narrowest_first(gaps: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    taken: set[int] = set()
    pairs = []
    for pair in sorted(gaps, key=lambda pair: gaps[pair]):
        if not taken & set(pair):
            taken |= set(pair)
            pairs.append(pair)
    return pairs


def _between(one: Points, other: Points) -> Points:
    near, far = np.hypot(*(one[0] - other[0])), np.hypot(*(one[0] - other[-1]))
    if far < near:
        other = other[::-1]
    centre: Points = (resample(one, _NUM_POINTS) + resample(other, _NUM_POINTS)) / 2
    return centre

"""Strips of road along lanes, unwrapped: how much paint there is where, and which colours it and the ground have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.driving import LANE_WIDTH
from lanenet_sad.lanes.lane import Image, Points

Array = NDArray[np.float32]

USUAL_SPREAD = 2.6  # pixels of lane width gained per row below the horizon: a lens 1.4 m above the road
_SPREADS = (0.8, 7.0)
_FOCAL = 0.85  # focal length as a share of the picture's width, for lengths along the road
_NARROWEST = 55.0  # pixels of lane width where a line is still two pixels wide
_FARTHEST = 8.0  # times the distance of a strip's nearest row
_NUM_ROWS = 64
_NUM_COLUMNS = 41
_STEP = 0.045  # metres from column to column
_KERNEL = np.ones((1, 13), np.uint8)  # 0.58 m: what is wider is no paint
_HALO = 10  # columns of an aligned strip on either side of its middle
_WINDOWS = (0.6, 0.35)  # metres about the line within which paint draws the line to it, from try to try
_FARTHEST_ASIDE = 0.45  # metres from the curve within which its paint is looked for
_STIFFNESS = (0.02, 0.1, 0.3)  # of the line's offset, slope and bend against a strip that is painted all along


@dataclass(frozen=True)
class RoadScale:
    """How large the road is where: a lane spans `spread * (row - horizon)` pixels of a row.

    Attributes:
        horizon: row at which a flat road ends.
        spread: pixels of a lane's width gained per row.
    """

    horizon: float
    spread: float


@dataclass(frozen=True, eq=False)
class PaintStrips:
    """L strips of R rows, near to far, and C columns, left to right, the line in their middle.

    Attributes:
        paint: (L, R, C) how much brighter than the ground on both sides, as a share of the ground's brightness.
        beside: (L, R) the same of the most paint-like thing a little beside the line, on the emptier side.
        metres: (L, R) distance along the road.
        colour: (L, R, 3) RGB of the line.
        ground: (L, R, 3) RGB of the ground beside it.
    """

    paint: Array
    beside: Array
    metres: Array
    colour: Array
    ground: Array


def road_scale(lines: Sequence[Points], image_size: tuple[int, int]) -> RoadScale | None:
    """Measures the scale of the road between the two lines next to the middle of the picture.

    Args:
        lines: (N, 2) each, near to far.
        image_size: (height, width) of the picture.

    Returns:
        The scale, None if no two lines run together in the way in which lines of a road do.
    """
    height, width = image_size
    rising = sorted(((_foot(points, height), points[::-1]) for points in lines if len(points) >= 4), key=_first)
    found: list[tuple[float, RoadScale]] = []
    for (left_foot, left), (right_foot, right) in pairwise(rising):
        top, bottom = max(left[0, 1], right[0, 1]), min(left[-1, 1], right[-1, 1])
        if bottom - top < 0.08 * height:
            continue
        rows = np.linspace(top, bottom, 12)
        widths = np.interp(rows, right[:, 1], right[:, 0]) - np.interp(rows, left[:, 1], left[:, 0])
        centred = rows - rows.mean()
        spread = float(centred @ widths / (centred @ centred))
        if _SPREADS[0] < spread < _SPREADS[1]:
            horizon = float(rows.mean() - widths.mean() / spread)
            found.append((abs((left_foot + right_foot - width) / 2), RoadScale(horizon, spread)))
    return min(found, key=_first)[1] if found else None


def usual_scale(points: Points) -> RoadScale:
    """The scale of the road as it would be with a usual camera and a line that is seen nearly up to the horizon."""
    return RoadScale(float(points[-1, 1]) - 0.1 * float(points[0, 1] - points[-1, 1]), USUAL_SPREAD)


def unwrap(image: Image, lines: Sequence[Points], scale: RoadScale) -> PaintStrips:
    """Unwraps strips of road 1.8 m wide along lines, and straightens them along the paint that they find.

    Rows are as far apart as the picture resolves: their distances along the road grow with the distance.

    Args:
        image: (H, W, 3) RGB.
        lines: (N, 2) each, near to far, N >= 2.
        scale: of the road.
    """
    column, row, pixels = _rows(lines, scale, image.shape[0])  # (L, R) each
    aside = (np.arange(_NUM_COLUMNS) - _NUM_COLUMNS // 2) * _STEP  # (C,)
    map_x = (column[..., None] + pixels[..., None] * aside).astype(np.float32)
    map_y = np.broadcast_to(row[..., None], map_x.shape).astype(np.float32)
    flat = (-1, _NUM_COLUMNS)
    colour: Image = np.asarray(
        cv2.remap(image, map_x.reshape(flat), map_y.reshape(flat), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )
    value = np.maximum(np.maximum(colour[..., 0], colour[..., 1]), colour[..., 2])
    raised = cv2.morphologyEx(value, cv2.MORPH_TOPHAT, _KERNEL, borderType=cv2.BORDER_REPLICATE)
    ground = (value - raised).astype(np.float32) + 20
    paint: Array = np.asarray(cv2.blur(raised / ground, (3, 1)), dtype=np.float32).reshape(map_x.shape)
    metres = (_FOCAL * image.shape[1] / pixels).astype(np.float32)
    return _straightened(paint, colour.reshape(*map_x.shape, 3), metres, aside.astype(np.float32))


def _foot(points: Points, height: int) -> float:
    """The column at which a line meets the bottom of the picture, if it goes on straight."""
    near = points[: max(4, len(points) // 4)]
    rise = min(float(near[-1, 1] - near[0, 1]), -1e-6)
    return float(near[0, 0] + (near[-1, 0] - near[0, 0]) / rise * (height - 1 - near[0, 1]))


def _first(pair: tuple[float, object]) -> float:
    return pair[0]


def _rows(lines: Sequence[Points], scale: RoadScale, height: int) -> tuple[NDArray[np.float64], ...]:
    """(L, R) column and row of the picture of every strip's rows, and pixels per metre across the road."""
    share = np.linspace(0, 1, _NUM_ROWS)
    columns, rows, pixels = [], [], []
    for points in lines:
        near = scale.spread * (min(float(points[0, 1]), height - 1) - scale.horizon)
        far = max(scale.spread * (float(points[-1, 1]) - scale.horizon), _NARROWEST, near / _FARTHEST)
        near = max(near, 1.3 * far)
        widths = near * (far / near) ** share
        row = scale.horizon + widths / scale.spread
        rising = points[::-1]
        columns.append(np.interp(row, rising[:, 1], rising[:, 0]))
        rows.append(row)
        pixels.append(widths / LANE_WIDTH)
    return np.stack(columns), np.stack(rows), np.stack(pixels)


def _straightened(paint: Array, colour: Image, metres: Array, aside: Array) -> PaintStrips:
    """The strips with the paint in their middle."""
    offset = _offsets(paint, metres, aside)  # (L, R)
    middle = np.rint(offset / _STEP).astype(np.intp)[..., None] + _NUM_COLUMNS // 2
    columns = middle + np.arange(-_HALO, _HALO + 1)  # (L, R, 2 * _HALO + 1), all within the strip
    aligned = np.take_along_axis(paint, columns, axis=2)
    flank = 8
    beside = np.minimum(paint[..., :flank].max(axis=2), paint[..., -flank:].max(axis=2))
    strongest = _HALO - 4 + aligned[..., _HALO - 4 : _HALO + 5].argmax(axis=2)[..., None]
    at = np.take_along_axis(columns, strongest, axis=2)
    places = np.clip(at + np.array([0, -8, 8]), 0, _NUM_COLUMNS - 1)  # (L, R, 3): line, ground, ground
    lane, row = np.ogrid[: paint.shape[0], : paint.shape[1]]
    seen = colour[lane[..., None], row[..., None], places].astype(np.float32)  # (L, R, 3, 3)
    return PaintStrips(aligned, beside, metres, seen[:, :, 0], (seen[:, :, 1] + seen[:, :, 2]) / 2)


def _offsets(paint: Array, metres: Array, aside: Array) -> Array:
    """(L, R) metres right of the curve at which the paint lies: a parabola that follows it, where there is some."""
    # Every other row is enough for a parabola.
    along = np.log(metres / metres[:, :1])
    along = 2 * along / along[:, -1:] - 1
    base = np.stack([np.ones_like(along), along, along * along], axis=2)  # (L, R, 3)
    few = base[:, ::2]
    paint = np.ascontiguousarray(paint[:, ::2])
    offset = np.zeros_like(metres)
    for window in _WINDOWS:
        near = np.maximum(1 - np.abs(aside - offset[:, ::2, None]) / window, 0) * paint
        weight = near.sum(axis=2)
        middle = (near @ aside) / (weight + 1e-6)
        # What is far brighter than the rest, a lamp or a white car, must not draw the line to it alone.
        weight = np.minimum(weight, 1.5 * weight.mean(axis=1, keepdims=True) + 1e-3)
        weighted = (few * weight[..., None]).transpose(0, 2, 1)  # (L, 3, R / 2)
        # Without any paint, as in the dark, the line stays where it is.
        stiff = np.diag(_STIFFNESS).astype(np.float32) * (weight.sum(axis=1) + 0.01)[:, None, None]
        solved = np.linalg.solve(weighted @ few + stiff, weighted @ middle[..., None])
        offset = np.clip((base @ solved)[..., 0], -_FARTHEST_ASIDE, _FARTHEST_ASIDE).astype(np.float32)
    return offset

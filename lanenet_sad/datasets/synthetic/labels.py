"""The lane labels of a rendered scene, from the same curves that the paint follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.markings import Marking
from lanenet_sad.datasets.synthetic.road import Road
from lanenet_sad.datasets.synthetic.view import RoadView
from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane, Points

_ROW_STEP = 10 / 590  # CULane labels one point every 10 rows of 590
_NARROWEST = 0.016  # a lane narrower than this share of the picture's width is too far away to be labelled
_MIN_POINTS = 3
_FAINTEST = 0.04  # share of the contrast that haze must leave of a labelled line


def label_lanes(view: RoadView, road: Road, light: Light, *, mirrored: bool, num_lanes: int) -> tuple[Lane, ...]:
    """The labelled lines of a scene in pixels of the picture, left to right, points near to far.

    Lines continue behind vehicles, as CULane labels them, and end at a crest, at the border of the picture, and
    where the lane becomes too narrow or the air too thick to see it. Slots count from the middle of the picture's
    bottom row: the nearest line left of it is `num_lanes // 2`, the nearest one right of it the next; lines for
    which no slot is left have none.
    """
    visible = _visible_rows(view, road, light)
    lanes = []
    for marking in road.markings:
        if marking.labelled and visible.sum() >= 2:
            curve, foot = _curve(view, marking, visible, mirrored=mirrored)
            points = _at_label_rows(curve, view.camera.image_size)
            if len(points) >= _MIN_POINTS:
                lanes.append((foot, Lane(points)))
    lanes.sort(key=lambda item: item[0])
    middle = (view.camera.image_size[1] - 1) / 2
    num_left = sum(foot < middle for foot, _ in lanes)
    slots = [num_lanes // 2 - num_left + 1 + number for number in range(len(lanes))]
    return tuple(
        replace(lane, slot=slot if 1 <= slot <= num_lanes else None)
        for (_, lane), slot in zip(lanes, slots, strict=True)
    )


def _visible_rows(view: RoadView, road: Road, light: Light) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(R,) which ground rows are near enough to be labelled."""
    lane_pixels = road.lane_width / view.pixel_width
    return (lane_pixels > _NARROWEST * view.camera.image_size[1]) & (light.clear_share(view.depth) > _FAINTEST)


def _curve(
    view: RoadView, marking: Marking, visible: np.ndarray[tuple[int], np.dtype[np.bool_]], *, mirrored: bool
) -> tuple[Points, float]:
    """A marking as a dense polyline of the picture, near to far, and its column on the picture's bottom row."""
    columns = view.columns(marking.offset_at(view.s))
    canvas = np.stack([columns, view.rows], axis=1)[visible][::-1]
    points = view.camera.to_image(canvas)
    height, width = view.camera.image_size
    if mirrored:
        points[:, 0] = width - 1 - points[:, 0]
    near = points[: max(2, min(6, len(points)))]
    slope = (near[-1, 0] - near[0, 0]) / min(near[-1, 1] - near[0, 1], -1e-6)
    foot = near[0, 0] + slope * (height - 1 - near[0, 1])
    return points, float(foot)


def _at_label_rows(curve: Points, image_size: tuple[int, int]) -> Points:
    """The part of a polyline inside the picture, one point per label row, near to far."""
    height, width = image_size
    rows = np.arange(height - 1, -1e-6, -_ROW_STEP * height)
    columns = sample_at_rows(curve, rows)
    inside = np.isfinite(columns) & (columns >= 0) & (columns <= width - 1)
    points = np.stack([columns, rows], axis=1)
    if not inside.any():
        return points[:0]
    # A line that leaves the picture and comes back counts up to where it first leaves.
    first = int(np.argmax(inside))
    left = np.flatnonzero(~inside[first:])
    return points[first : first + int(left[0])] if len(left) else points[first:]

"""The lane labels of a rendered scene, from the same curves that the paint follows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.light import LUMA, Light
from lanenet_sad.datasets.synthetic.markings import Knots, Marking, Stripe
from lanenet_sad.datasets.synthetic.road import Road
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane, LaneType, Points

_ROW_STEP = 10 / 590  # CULane labels one point every 10 rows of 590
_NARROWEST = 0.016  # a lane narrower than this share of the picture's width is too far away to be labelled
_MIN_POINTS = 4
_WEBER = 0.08  # contrast against the ground, as a share of its brightness, below which nobody sees a line
_FAINTEST = 3.0  # grey levels before the exposure that a line must stand out by at least
_LONGEST_GAP = 20.0  # metres of road without a visible line that a label bridges

BoolArray = NDArray[np.bool_]


class LaneLabels(NamedTuple):
    """The labelled lines of a picture.

    Attributes:
        lanes: left to right.
        types: what kind of line each of `lanes` is.
        between_lines: whether there is a line on either side of the middle of the picture's bottom row.
        numbers: which of the road's lines, from 1, each of `lanes` is; the same from wherever it is seen.
    """

    lanes: tuple[Lane, ...]
    types: tuple[LaneType, ...]
    between_lines: bool
    numbers: tuple[int, ...]


class _Line(NamedTuple):
    """A labelled line before it has a slot.

    Attributes:
        points: in pixels of the picture, near to far.
        kind: what kind of line it is.
        foot: its column on the picture's bottom row, to which it goes on if it begins ahead.
        course: (R,) how far right of the road's reference line it runs or would run, in whole pixels, near to far.
        number: which of the road's lines it is.
    """

    points: Points
    kind: LaneType
    foot: float
    course: tuple[float, ...]
    number: int


def label_lanes(view: RoadView, road: Road, light: Light, *, mirrored: bool, num_lanes: int) -> LaneLabels:
    """The labelled lines of a scene in pixels of the picture, left to right, points near to far.

    Lines continue behind vehicles, as CULane labels them, and end at a crest, at the border of the picture, and
    where the lane becomes too narrow to see it or the paint does not stand out from the ground any more: worn,
    snowed under, in the dark or in fog. A line that is nowhere visible has no label. Of two lines that run together
    at first, as where a lane opens or a ramp leaves the road, the left one is that which parts to the left. Slots
    count from the middle of the picture's bottom row: the nearest line left of it is `num_lanes // 2`, the nearest
    one right of it the next; lines for which no slot is left have none.
    """
    near_enough = road.lane_width / view.pixel_width > _NARROWEST * view.camera.image_size[1]
    found: list[_Line] = []
    for number, pieces in enumerate(road_lines(road), start=1):
        visible = [contrast(view, road, piece, light) > 1 for piece in pieces]
        exists = np.any([piece.existing_share(view) > 0.5 for piece in pieces], axis=0)
        rows = labelled_rows(view, np.any(visible, axis=0), exists) & near_enough
        if rows.sum() >= 2:
            curve, foot = _curve(view, pieces[0], rows, mirrored=mirrored)
            points = _at_label_rows(curve, view.camera, mirrored=mirrored)
            if len(points) >= _MIN_POINTS:
                kind = pieces[int(np.argmax([seen.sum() for seen in visible]))].lane_type
                found.append(_Line(points, kind, foot, _course(view, pieces[0], mirrored=mirrored), number))
    found.sort(key=lambda line: line.course)
    middle = (view.camera.image_size[1] - 1) / 2
    num_left = sum(line.foot < middle for line in found)
    slots = [num_lanes // 2 - num_left + 1 + number for number in range(len(found))]
    lanes = tuple(
        Lane(line.points, slot if 1 <= slot <= num_lanes else None) for line, slot in zip(found, slots, strict=True)
    )
    return LaneLabels(
        lanes,
        tuple(line.kind for line in found),
        0 < num_left < len(found),
        tuple(line.number for line in found),
    )


def road_lines(road: Road) -> list[list[Marking]]:
    """The labelled markings; pieces of one line that changes its kind on the way stand together."""
    lines: dict[tuple[float, Knots], list[Marking]] = {}
    for marking in road.markings:
        if marking.labelled:
            lines.setdefault((marking.offset, marking.drift), []).append(marking)
    return list(lines.values())


def labelled_rows(view: RoadView, visible: BoolArray, exists: BoolArray) -> BoolArray:
    """(R,) the rows in which a line is labelled: its longest visible stretch, short gaps included.

    Args:
        view: the row table.
        visible: (R,) where the line stands out from the ground.
        exists: (R,) where there is a line, visible or not.
    """
    seen = np.flatnonzero(visible)
    labelled = np.zeros_like(visible)
    if len(seen) == 0:
        return labelled
    # Rows run far to near. A piece ends where the road between two visible rows is longer than a label bridges.
    ends = np.flatnonzero(view.s[seen[:-1]] - view.s[seen[1:]] > _LONGEST_GAP)
    firsts = np.concatenate([[0], ends + 1])
    lasts = np.concatenate([ends, [len(seen) - 1]])
    longest = int(np.argmax(seen[lasts] - seen[firsts]))
    first, last = int(seen[firsts[longest]]), int(seen[lasts[longest]])
    labelled[first : last + 1] = True
    # The dark right before the headlights hides nothing that one would not report.
    if exists[last:].all() and view.s[last] - view.s[-1] < _LONGEST_GAP:
        labelled[last:] = True
    return labelled


def contrast(view: RoadView, road: Road, marking: Marking, light: Light) -> FloatArray:
    """(R,) how much a line stands out in every row, as a multiple of what it takes to see it.

    The difference in colour of paint and ground, less what is worn off, covered and thinner than a pixel, in the
    light of that place and through the air before it; against the brightness of the ground with its haze.
    """
    offset = marking.offset_at(view.s)
    x = (view.columns(offset) - view.camera.canvas_centre_x) * view.depth / view.camera.focal_x
    reaches_eye = (light.at(view.depth, x, view.s) @ LUMA) * light.clear_share(view.depth)
    ground = np.asarray(road.ground_at(marking.offset))
    paint = np.max([_painted_contrast(view, stripe, ground) for stripe in marking.stripes], axis=0)
    uncovered, covering = road.covered_at(view.s, offset)
    paint = paint * marking.existing_share(view) * uncovered * reaches_eye
    haze = (1 - light.clear_share(view.depth)) * float(np.asarray(light.horizon) @ LUMA)
    behind = (float(ground @ LUMA) * uncovered + covering @ LUMA) * reaches_eye + haze
    return np.asarray(paint * (1 - 0.6 * light.wet) / (_WEBER * behind + _FAINTEST))


def _painted_contrast(view: RoadView, stripe: Stripe, ground: FloatArray) -> FloatArray:
    """(R,) grey levels in daylight by which a stripe differs from the ground in its own painted places."""
    difference = float(np.sqrt(np.mean((np.asarray(stripe.colour) - ground) ** 2)))
    across = np.minimum(1.0, stripe.width / view.pixel_width)
    seen = np.full_like(across, 1.0)
    if stripe.painted > 0:
        seen = np.minimum(1.0, (stripe.painted + stripe.rise * view.depth / view.camera.height) / view.pixel_length)
    return np.asarray(difference * stripe.strength * stripe.paint_left * across * seen)


def _curve(view: RoadView, marking: Marking, rows: BoolArray, *, mirrored: bool) -> tuple[Points, float]:
    """A marking as a dense polyline of the picture, near to far, and its column on the picture's bottom row.

    The column is that of the line as if it went on to the bottom, so that a line that begins ahead has its place.
    """
    height, width = view.camera.image_size
    canvas = np.stack([view.columns(marking.offset_at(view.s)), view.rows], axis=1)
    points = view.camera.to_image(canvas)
    if mirrored:
        points[:, 0] = width - 1 - points[:, 0]
    near = points[::-1][:6]
    slope = (near[-1, 0] - near[0, 0]) / min(near[-1, 1] - near[0, 1], -1e-6)
    foot = near[0, 0] + slope * (height - 1 - near[0, 1])
    return points[rows][::-1], float(foot)


def _course(view: RoadView, marking: Marking, *, mirrored: bool) -> tuple[float, ...]:
    """The `course` of a line: compared like words, courses say which line parts from the other to which side."""
    aside = np.rint(marking.offset_at(view.s) / view.pixel_width)[::-1]
    return tuple((-aside if mirrored else aside).tolist())


def _at_label_rows(curve: Points, camera: Camera, *, mirrored: bool) -> Points:
    """The part of a polyline that the picture shows, one point per label row, near to far."""
    height = camera.image_size[0]
    rows = np.arange(height - 1, -1e-6, -_ROW_STEP * height)
    points = np.stack([sample_at_rows(curve, rows), rows], axis=1)
    shown = camera.shows(points, mirrored=mirrored)
    if not shown.any():
        return points[:0]
    # A line that leaves the picture and comes back counts up to where it first leaves.
    first = int(np.argmax(shown))
    left = np.flatnonzero(~shown[first:])
    return points[first : first + int(left[0])] if len(left) else points[first:]

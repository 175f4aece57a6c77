"""BDD100K's lane labels, read, and its binary lane masks, written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from lanenet_sad.lanes.curves import near_to_far
from lanenet_sad.lanes.files import check_names, replacing
from lanenet_sad.lanes.json_files import coordinate, member, read_json_list
from lanenet_sad.lanes.lane import Lane, Points
from lanenet_sad.lanes.raster import draw_lanes

#: The kinds of lines in BDD100K's labels, as its toolkit lists them.
LINE_KINDS = (
    "crosswalk",
    "double other",
    "double white",
    "double yellow",
    "road curb",
    "single other",
    "single white",
    "single yellow",
)

_CURVE_POINTS = 24


class BDD100KLine(NamedTuple):
    """One labelled line: a painted stripe, one edge of it, or a kerb.

    Attributes:
        points: (N, 2), near to far, in pixels; Bezier curves are sampled.
        kind: one of `LINE_KINDS`, or what an older file says instead.
        crosswise: whether it lies across the way of traffic (`laneDirection` is `vertical`).
        dashed: whether its `laneStyle` is `dashed`.
    """

    points: Points
    kind: str
    crosswise: bool
    dashed: bool


class BDD100KFrame(NamedTuple):
    """The lines of one picture.

    Attributes:
        name: of the picture's file.
        lines: in the file's order.
        fault: why the lines cannot be read, as a sentence; empty if they can.
    """

    name: str
    lines: tuple[BDD100KLine, ...]
    fault: str = ""


def read_bdd100k(path: str | Path) -> list[BDD100KFrame]:
    """The frames of a BDD100K label file: of 2020 (`lane_train.json`) or of 2018 (`bdd100k_labels_images_train.json`).

    Labels of 2020 have the kind of line as their category, those of 2018 the category `lane` and the kind in
    `laneTypes`; labels of other things are passed over. `types` has a letter for each vertex: `L` a straight line to
    it; three `C` (or two and an `L`) two control points and the end of a cubic Bezier curve, as the official toolkit
    draws them. `closed` is not looked at: the toolkit draws lane labels open.

    A frame whose lines are broken keeps the reason as its `fault`, so that the rest can be used.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON list of frames with names, or has none; the message says which.
    """
    what = f"BDD100K labels {path}"
    advice = "Check the path, or the dataset's root folder."
    frames = []
    for number, content in enumerate(read_json_list(Path(path), what, advice, key="frames")):
        where = f"{what}, frame {number}"
        name = member(content, "name", str, where)
        check_names([name], where)
        frames.append(_frame(name, content.get("labels"), f"{where} ({name})"))
    if not frames:
        raise ValueError(f"{what}: expected a list of frames, got an empty list.")
    return frames


def write_lane_png(path: str | Path, lanes: Sequence[Lane], size: tuple[int, int], *, line_width: int = 2) -> None:
    """Writes the lanes of a picture as a binary mask: 255 where a lane is, 0 elsewhere.

    Args:
        path: of the PNG.
        lanes: in pixels of `size`.
        size: (height, width).
        line_width: in pixels; 2 is that of the labels that are scored.

    Raises:
        OSError: the folder cannot be written to.
    """
    mask = draw_lanes([Lane(lane.points, 1) for lane in lanes], size, line_width=line_width) * 255
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", mask)[1].tobytes())


def _frame(name: str, labels: Any, where: str) -> BDD100KFrame:
    try:
        if not isinstance(labels, list | None):
            raise ValueError(f"{where}: expected a list of labels, got {labels!r:.40}.")
        lines = [
            line for number, label in enumerate(labels or ()) for line in _lines(label, f"{where}, label {number}")
        ]
    except ValueError as error:
        return BDD100KFrame(name, (), str(error))
    return BDD100KFrame(name, tuple(lines))


def _lines(label: Any, where: str) -> list[BDD100KLine]:
    kind = member(label, "category", str, where)
    if kind != "lane" and kind not in LINE_KINDS:
        return []
    attributes = label.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if kind == "lane":
        kind = str(attributes.get("laneTypes", attributes.get("laneType", kind)))
    crosswise, dashed = attributes.get("laneDirection") == "vertical", attributes.get("laneStyle") == "dashed"
    paths = label.get("poly2d") or ()
    if not isinstance(paths, list | tuple):
        raise ValueError(f"{where}: expected poly2d to be a list, got {paths!r:.40}.")
    return [BDD100KLine(_path_points(one, where), kind, crosswise, dashed) for one in paths]


def _path_points(path: Any, where: str) -> Points:
    corners = member(path, "vertices", list, where)
    types = path.get("types") or "L" * len(corners)
    if not isinstance(types, str) or len(types) != len(corners) or set(types) - set("LC"):
        raise ValueError(
            f"{where}: expected types of {len(corners)} letters L or C, one per vertex, got {types!r:.40}."
        )
    points: Points = np.array([_corner(corner, where) for corner in corners]).reshape(-1, 2)
    parts, position = [points[:1]], 1
    while position < len(points):
        if types[position] == "L":
            parts.append(points[position : position + 1])
            position += 1
            continue
        if not types.startswith("CC", position) or position + 3 > len(points):
            raise ValueError(f"{where}: expected a curve of two control points and an end in {types!r:.40}.")
        parts.append(_bezier(points[position - 1 : position + 3]))
        position += 3
    line = np.concatenate(parts)
    return near_to_far(line)


def _corner(corner: Any, where: str) -> tuple[float, float]:
    if not isinstance(corner, list) or len(corner) != 2:
        raise ValueError(f"{where}: expected vertices [x, y], got {corner!r:.40}.")
    return coordinate(corner[0], where), coordinate(corner[1], where)


def _bezier(control: Points) -> Points:
    """Points of a cubic Bezier curve, its start left out, (4, 2) -> (N, 2)."""
    t = np.linspace(0, 1, _CURVE_POINTS + 1)[1:, None]
    start, one, other, end = control
    curve: Points = (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * other + t**3 * end
    return curve

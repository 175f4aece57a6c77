"""CurveLanes' files: lists of pictures and one JSON with key points per picture, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lanenet_sad.lanes.curves import near_to_far
from lanenet_sad.lanes.files import check_finite, check_names, read_text, replacing
from lanenet_sad.lanes.json_files import coordinate, member, read_json
from lanenet_sad.lanes.lane import Lane, Points


def read_curvelanes_list(path: str | Path) -> list[str]:
    """The pictures of `train.txt`, `valid.txt` or `test.txt`: names below the list's folder, such as `images/a.jpg`.

    Raises:
        FileNotFoundError: there is no such list.
        ValueError: the list is empty or no text, or has a name outside the dataset's folder.
    """
    what = f"CurveLanes list {path}"
    lines = read_text(Path(path), what, "Check the path, or the dataset's root folder.").split("\n")
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"{what}: expected one picture per line, got an empty list.")
    check_names(names, what)
    return names


def curvelanes_label_path(folder: Path, name: str) -> Path:
    """The label of a picture of a list: `images/a.jpg` -> `labels/a.lines.json`, below `folder`."""
    return folder / "labels" / f"{Path(name.lstrip('/')).stem}.lines.json"


def read_curvelanes(path: str | Path) -> list[Lane]:
    """The lanes of a `*.lines.json`, in the file's order, without slots, their points near to far.

    Coordinates are strings in the official files; numbers are read too.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such label; the message says why.
    """
    return [Lane(near_to_far(points)) for points in read_key_points(path, "CurveLanes label")]


def read_key_points(path: str | Path, what: str) -> list[Points]:
    """The lanes of a `*.lines.json` as they stand in it, each (N, 2), on whose order the official score depends.

    Args:
        path: of the file.
        what: it is, with which errors begin.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such label; the message says why.
    """
    what = f"{what} {path}"
    lines = member(read_json(Path(path), what, "Check the folder."), "Lines", list, what)
    return [_points(line, f"{what}, line {number}") for number, line in enumerate(lines)]


def write_curvelanes(path: str | Path, lanes: Iterable[Lane]) -> None:
    """Writes a `*.lines.json`, the inverse of `read_curvelanes`, with two decimals as the official files.

    Raises:
        ValueError: a coordinate is not finite.
        OSError: the folder cannot be written to.
    """
    lines = []
    for number, lane in enumerate(lanes):
        check_finite(lane, f"Lane {number} for {path}")
        lines.append([{"y": str(round(y, 2)), "x": str(round(x, 2))} for x, y in lane.points.tolist()])
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"Lines": lines}) + "\n", encoding="ascii")


def _points(line: Any, where: str) -> Points:
    if not isinstance(line, list):
        raise ValueError(f"{where}: expected a list of points, got {line!r:.40}.")
    return np.array([_point(point, where) for point in line]).reshape(-1, 2)


def _point(point: Any, where: str) -> tuple[float, float]:
    if not isinstance(point, dict) or not {"x", "y"} <= set(point):
        raise ValueError(f"{where}: expected points with x and y, got {point!r:.40}.")
    return coordinate(point["x"], where), coordinate(point["y"], where)

"""Files of polylines as the official Python scripts read them: in double precision and without forgiveness."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from lanenet_sad.lanes.files import read_text
from lanenet_sad.lanes.lane import Points

_ADVICE = "Check the folder."


def read_polylines(path: Path, what: str) -> list[Points]:
    """The lanes of a `*.lines.txt` file, `x y x y ...` on each line, each (N, 2); blank lines are none.

    Args:
        path: of the file.
        what: it is, with which errors begin.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line has something else than pairs of finite numbers; the message says which.
    """
    what = f"{what} {path}"
    lanes = []
    for n, line in enumerate(read_text(path, what, _ADVICE).split("\n"), 1):
        try:
            numbers = [float(part) for part in line.split()]
        except ValueError as error:
            raise ValueError(f"{what}, line {n}: expected a lane as x y x y ...; {error}.") from error
        if len(numbers) % 2 or not all(map(math.isfinite, numbers)):
            raise ValueError(f"{what}, line {n}: expected pairs of finite numbers, got {len(numbers)} numbers.")
        if numbers:
            lanes.append(np.array(numbers).reshape(-1, 2))
    return lanes


def read_lines_json(path: Path, what: str) -> list[Points]:
    """The lanes of a `*.lines.json` file of CurveLanes, each (N, 2), in the file's order; lanes without points go.

    The file holds `{"Lines": [[{"x": "1.0", "y": "2.0"}, ...], ...]}`, where numbers may be strings or not.

    Args:
        path: of the file.
        what: it is, with which errors begin.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else; the message says where.
    """
    what = f"{what} {path}"
    text = read_text(path, what, _ADVICE)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: expected JSON; {error}.") from error
    lines = content.get("Lines") if isinstance(content, dict) else None
    if not isinstance(lines, list):
        raise ValueError(f'{what}: expected a JSON object with a list "Lines".')
    lanes = [_points(line, f"{what}, lane {number}") for number, line in enumerate(lines)]
    return [lane for lane in lanes if len(lane)]


def _points(line: Any, where: str) -> Points:
    try:
        points = np.array([(float(point["x"]), float(point["y"])) for point in line]).reshape(-1, 2)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{where}: expected a list of points with x and y; {type(error).__name__}: {error}."
        ) from error
    if not np.isfinite(points).all():
        raise ValueError(f"{where}: expected finite coordinates.")
    return points

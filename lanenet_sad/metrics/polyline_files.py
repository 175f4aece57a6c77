"""Files of polylines as the official Python scripts read them: in double precision and without forgiveness."""

from __future__ import annotations

import math
from pathlib import Path

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

"""The markers of a LLAMAS label file as the official scripts turn them into x at every image row."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.files import read_text

FloatArray = NDArray[np.float64]

#: (height, width) of the pictures.
LLAMAS_SIZE = (717, 1276)
#: The lanes that are evaluated, from left to right.
LLAMAS_LANES = ("l1", "l0", "r0", "r1")

_NUM_ROWS, _WIDTH = LLAMAS_SIZE
_LAST_ROW = _NUM_ROWS - 1
_MIN_HEIGHT = 20  # pixels between the highest and the lowest start of a marker
_MIN_MARKERS = 2
_ABSENT = -1


class Marker(NamedTuple):
    """One dash of a lane in whole pixels, from the end near to the camera to the far one.

    Attributes:
        x, y: of the near end.
        far_x, far_y: of the far end.
        distance: of the near end from the camera, in metres.
    """

    x: int
    y: int
    far_x: int
    far_y: int
    distance: float


def read_llamas_label(path: str | Path) -> FloatArray:
    """The lanes of a label file with markers, as LLAMAS has one for each image; see `parse_llamas_label`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else; the message names it.
    """
    what = f"LLAMAS label {path}"
    try:
        return parse_llamas_label(read_text(Path(path), what, "Check the folder."))
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(what) else f"{what}: {error}") from error


def parse_llamas_label(text: str) -> FloatArray:
    """The lanes l1, l0, r0 and r1 of a label file as x at the 717 image rows.

    As the official script has it (unsupervised_llamas, `spline_creator.py` and `label_file_scripts.py`): lanes whose
    markers start within less than 20 rows of one another, and lanes of a single marker, are left out, and the names of
    the others close the gaps. The nearest marker is drawn out to the border of the picture; in each row the rounded x
    of all markers are averaged, and between markers x runs in a straight line. (The official names speak of splines;
    the official code draws none.) On made-up labels it equals the official functions to the last bit, on which the
    truncation to whole pixels in the official score depends; no official label or figure was at hand to compare with.

    Markers outside the picture, on which the official script stops, are an error here as well. It also stops where all
    markers of a lane are upright or level, so that none can be drawn out; here that lane stays as it is.

    Returns:
        (4, 717), NaN where there is no lane.

    Raises:
        ValueError: the text is no such label.
    """
    found: dict[str, FloatArray] = {}
    for name, markers in _named(_lanes(text)):
        if name in LLAMAS_LANES:
            found[name] = _x_at_rows(markers)
    nothing = np.full(_NUM_ROWS, np.nan)
    return np.stack([found.get(name, nothing) for name in LLAMAS_LANES])


def _lanes(text: str) -> list[tuple[str, list[Marker]]]:
    """Name and markers of all lanes that are long enough."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON; {error}.") from error
    lanes = content.get("lanes") if isinstance(content, dict) else None
    if not isinstance(lanes, list):
        raise ValueError("expected a JSON object with a list of lanes.")
    read = []
    for number, lane in enumerate(lanes):
        try:
            markers = [_marker(marker) for marker in lane["markers"]]
            name = lane["lane_id"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"lane {number}: expected a lane_id, and markers with pixel_start, pixel_end and world_start; "
                f"{type(error).__name__}: {error}."
            ) from error
        if not isinstance(name, str) or name[:1] not in ("l", "r"):
            raise ValueError(f"lane {number}: expected a lane_id that begins with l or r, got {name!r}.")
        starts = [marker.y for marker in markers]
        if len(markers) >= _MIN_MARKERS and max(starts) - min(starts) >= _MIN_HEIGHT:
            read.append((name, markers))
    return read


def _marker(marker: Any) -> Marker:
    near, far = marker["pixel_start"], marker["pixel_end"]
    distance = float(marker["world_start"]["z"])
    return Marker(int(near["x"]), int(near["y"]), int(far["x"]), int(far["y"]), distance)


def _named(lanes: list[tuple[str, list[Marker]]]) -> list[tuple[str, list[Marker]]]:
    """The lanes with their names counted anew from the car outwards: l0, l2, r1 become l0, l1, r0."""
    new: dict[str, str] = {}
    counts = {"l": 0, "r": 0}
    for name in sorted(name for name, _ in lanes):
        side = name[0]
        new[name] = f"{side}{counts[side]}"
        counts[side] += 1
    return [(new[name], markers) for name, markers in lanes]


def _x_at_rows(markers: list[Marker]) -> FloatArray:
    xs: list[list[int]] = [[] for _ in range(_NUM_ROWS)]
    for marker in [*_extension(markers), *markers]:
        for y in (marker.y, marker.far_y):
            if not 0 <= y < _NUM_ROWS:
                raise ValueError(f"expected markers in the image rows 0 to {_LAST_ROW}, got row {y}.")
        xs[marker.y].append(marker.x)
        height = marker.y - marker.far_y
        if height > 2:
            slope = (marker.far_x - marker.x) / height
            for i in range(height + 1):
                xs[marker.y - i].append(_rounded(marker.x + slope * i))
    means = [sum(row) / len(row) if row else float(_ABSENT) for row in xs]
    array = np.array(_filled(means))
    return np.where(array == _ABSENT, np.nan, array)


def _extension(markers: list[Marker]) -> list[Marker]:
    """A marker from the nearest one down to the border of the picture."""
    sloping = [marker for marker in markers if marker.y != marker.far_y and marker.x != marker.far_x]
    if not sloping:
        return []
    nearest = min(sloping, key=lambda marker: marker.distance)
    if nearest.distance < 0:
        return []
    across, down = nearest.far_x - nearest.x, nearest.far_y - nearest.y
    x, y = nearest.x + (_LAST_ROW - nearest.y) * (across / down), float(_LAST_ROW)
    if x < 0:
        x, y = 0.0, nearest.y - nearest.x * (down / across)
    elif x > _WIDTH:
        x, y = float(_WIDTH), nearest.y + (_WIDTH - nearest.x) * (down / across)
    return [Marker(_rounded(x), _rounded(y), nearest.x, nearest.y, 1.0)]


def _rounded(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError("expected markers in the picture, got coordinates that are too large.")
    return round(value)


def _filled(means: list[float]) -> list[float]:
    """Rows between two with an x, step by step as the official script fills them: on a straight line."""
    known = [y for y, x in enumerate(means) if x != _ABSENT]
    for y, following in pairwise(known):
        for row in range(y + 1, following):
            means[row] = means[row - 1] + (means[following] - means[row - 1]) / (following - row + 1)
    return means

"""The label files of the Unsupervised LLAMAS dataset: lane markers -> where each lane is in every image row."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.json_files import coordinate, member, read_json
from lanenet_sad.lanes.lane import Points

LLAMAS_SIZE = (717, 1276)
#: The four lines next to the car, left to right; slots 1 to 4.
LLAMAS_LANES = ("l1", "l0", "r0", "r1")

_LEAST_HEIGHT = 20
_LEAST_MARKERS = 2


class _Marker(NamedTuple):
    """One dash; its start is the end nearer to the car. Pixels are whole."""

    start: tuple[int, int]
    end: tuple[int, int]
    distance: float


def read_llamas(path: str | Path) -> NDArray[np.float64]:
    """Where the lines l1, l0, r0, r1 are in each row of a picture.

    Follows `get_horizontal_values_for_four_lanes` of the official scripts (karstenBehrendt/unsupervised_llamas): lines
    of one marker or lower than 20 px are dropped and the rest counted anew from the car outwards; the nearest
    marker is extended to the border of the picture; rows between markers are filled by straight lines, and several
    markers in one row are averaged. Where that script stops with an exception (a line whose markers are all upright
    or level has none to extend) the line stays unextended.

    Args:
        path: of a JSON file with `lanes`, each with a `lane_id` and `markers`.

    Returns:
        (4, 717) x in pixels, NaN where a line has no point.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such label; the message says why.
    """
    what = f"LLAMAS label {path}"
    content = read_json(Path(path), what, "Check the dataset's root folder.")
    lanes = [
        (member(lane, "lane_id", str, f"{what}, lane {n}"), _markers(lane, f"{what}, lane {n}"))
        for n, lane in enumerate(member(content, "lanes", list, what))
    ]
    kept = [(name, markers) for name, markers in lanes if _is_kept(markers)]
    rows = np.full((len(LLAMAS_LANES), LLAMAS_SIZE[0]), np.nan)
    names = _counted_anew([name for name, _ in kept], what)
    for name, markers in kept:
        if names[name] in LLAMAS_LANES:
            rows[LLAMAS_LANES.index(names[name])] = _filled(_extended(markers))
    return rows


def llamas_points(x: NDArray[np.float64]) -> Points:
    """The points of one line from its x in each row, near to far, (717,) -> (N, 2).

    As in the official scripts what lies left of the picture is no point, and a single point is no line.
    """
    rows = np.nonzero(np.nan_to_num(x, nan=-1.0) >= 0)[0][::-1]
    rows = rows if len(rows) > 1 else rows[:0]
    return np.stack([x[rows], rows.astype(np.float64)], axis=1)


def _markers(lane: dict[str, Any], where: str) -> list[_Marker]:
    found = []
    for number, marker in enumerate(member(lane, "markers", list, where)):
        place = f"{where}, marker {number}"
        start, end = (
            _pixel(member(marker, key, dict, place), f"{place}, {key}") for key in ("pixel_start", "pixel_end")
        )
        world = member(marker, "world_start", dict, place)
        found.append(_Marker(start, end, coordinate(world.get("z"), f"{place}, world_start z")))
    return found


def _pixel(point: dict[str, Any], where: str) -> tuple[int, int]:
    x, y = (int(coordinate(point.get(key), f"{where} {key}")) for key in ("x", "y"))
    if not 0 <= y < LLAMAS_SIZE[0]:
        raise ValueError(f"{where}: expected a row from 0 to {LLAMAS_SIZE[0] - 1}, got {y}.")
    return x, y


def _is_kept(markers: list[_Marker]) -> bool:
    rows = [marker.start[1] for marker in markers]
    return len(markers) >= _LEAST_MARKERS and max(rows) - min(rows) >= _LEAST_HEIGHT


def _counted_anew(names: list[str], what: str) -> dict[str, str]:
    """Old name -> new: l0, l1, … and r0, r1, … in the order of the names, so that no number is left out."""
    new, counts = {}, {"l": 0, "r": 0}
    for name in sorted(names):
        side = name[:1]
        if side not in counts:
            raise ValueError(f"{what}: expected a lane_id such as l0 or r1, got {name!r:.40}.")
        new[name] = f"{side}{counts[side]}"
        counts[side] += 1
    return new


def _extended(markers: list[_Marker]) -> list[_Marker]:
    """The markers and one more, from the nearest one on to the border of the picture."""
    slanted = [one for one in markers if one.start[0] != one.end[0] and one.start[1] != one.end[1]]
    nearest = min(slanted, key=lambda one: one.distance, default=None)
    if nearest is None or nearest.distance < 0:
        return markers
    (x, y), (end_x, end_y) = nearest.start, nearest.end
    bottom, right = LLAMAS_SIZE[0] - 1, LLAMAS_SIZE[1]
    along_y, along_x = (end_x - x) / (end_y - y), (end_y - y) / (end_x - x)
    at_bottom = x + (bottom - y) * along_y
    border = (at_bottom, float(bottom))
    if at_bottom < 0:
        border = (0.0, y - x * along_x)
    elif at_bottom > right:
        border = (float(right), y + (right - x) * along_x)
    start = round(border[0]), round(border[1])
    is_inside = 0 <= start[1] <= bottom  # not so where the nearest marker lies beside the picture
    return [_Marker(start, nearest.start, 1.0), *markers] if is_inside else markers


def _filled(markers: list[_Marker]) -> NDArray[np.float64]:
    """The x in each row between the first and the last one that a marker touches, (717,), NaN elsewhere."""
    height = LLAMAS_SIZE[0]
    sums, counts = np.zeros(height), np.zeros(height)
    for (x, y), (end_x, end_y), _ in markers:
        points = [(x, y)]
        if y - end_y > 2:
            slope = (end_x - x) / (y - end_y)
            points += [(round(x + slope * step), y - step) for step in range(y - end_y + 1)]
        for column, row in points:
            sums[row] += column
            counts[row] += 1
    means = sums / np.maximum(counts, 1)
    touched = np.nonzero((counts > 0) & (means != -1))[0]  # the official scripts take -1 for "no point"
    if len(touched) == 0:
        return np.full(height, np.nan)
    return np.interp(np.arange(height), touched, means[touched], left=np.nan, right=np.nan)

"""One picture, its mask and its lines looked at; each fault found is counted and described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lanenet_sad.lanes.files import parse_culane_lines
from lanenet_sad.lanes.images import probe_image, read_image, read_lane_mask
from lanenet_sad.lanes.lane import IGNORE_INDEX, IntMask, Lane, Points

MARGIN = 0.1
"""How far outside its picture a point may lie before it is worth a word, as a share of the width or height."""

_FEW = 16  # values of a mask
_NUM_ROWS = 64  # of a mask that are looked at for the order of its slots
_LOW = 0.75  # share of the height below which a mask tells on which side of the car a line is
_SWAPPED, _CROSSED = 0.95, 0.25  # share of common rows in which two slots are on the wrong sides of each other
_ALL_VALUES = IGNORE_INDEX - 1

Report = Callable[[str, str], None]  # kind, detail


class MaskFacts(NamedTuple):
    """What a lane mask shows.

    Attributes:
        slots: that have pixels.
        values: of its pixels that are neither a slot nor background nor ignored.
    """

    slots: tuple[int, ...]
    values: tuple[int, ...]


def look_at_image(path: Path, report: Report, *, decode: bool) -> tuple[tuple[int, int] | None, int]:
    """The (height, width) of a picture and its fingerprint; None and 0 where it is missing or broken."""
    try:
        probed = probe_image(path)
        if decode:
            read_image(path)
    except FileNotFoundError:
        report("image_missing", "there is no such picture")
        return None, 0
    except ValueError as error:
        report("image_unreadable", _reason(error, path))
        return None, 0
    return probed.size, probed.fingerprint


def look_at_mask(path: Path, image_size: tuple[int, int] | None, num_lanes: int, report: Report) -> MaskFacts | None:
    """What a lane mask shows, having reported its faults; None where it cannot be used.

    Args:
        path: of a file that is there.
        image_size: of its picture, if that can be read.
        num_lanes: L.
        report: is told of each fault.
    """
    try:
        size = probe_image(path).size
        if image_size is not None and size != image_size:
            got, expected = (f"{height}x{width}" for height, width in (size, image_size))
            report("mask_size", f"the mask has {got} pixels (height x width), its picture {expected}")
            return None
        mask = read_lane_mask(path, size, _ALL_VALUES)
    except (FileNotFoundError, ValueError) as error:
        report("mask_unreadable", _reason(error, path))
        return None
    values = _values(mask)
    slots = tuple(value for value in values if 0 < value <= num_lanes)
    wrong = tuple(value for value in values if num_lanes < value < IGNORE_INDEX)
    if wrong:
        report("mask_values", f"values {_listed(wrong)} where 0 to {num_lanes} or {IGNORE_INDEX} are expected")
    _look_at_order(mask, slots, num_lanes, report)
    return MaskFacts(slots, wrong)


def look_at_lines(
    data: bytes, image_size: tuple[int, int] | None, report: Callable[[str, int, str], None]
) -> list[Lane]:
    """The lanes of a `*.lines.txt` file, having reported what is odd about each.

    Args:
        data: of the file.
        image_size: of its picture, if that can be read.
        report: is told of a kind, the text line and a detail.
    """
    text = data.decode("latin-1")
    lanes = parse_culane_lines(text)
    for number, (lane, line) in enumerate(zip(lanes, text.split("\n"), strict=False), 1):

        def tell(kind: str, detail: str, number: int = number) -> None:
            report(kind, number, detail)

        words = line.split()
        num_read = 2 * len(lane.points)
        if num_read < len(words) - len(words) % 2 or not np.isfinite(lane.points).all():
            word = words[num_read] if num_read < len(words) else "a number too large"
            tell("no_number", f"{word!r:.40} after {num_read} of {len(words)} numbers")
        elif num_read < len(words):
            tell("unpaired_number", f"{len(words)} numbers")
        look_at_points(lane.points[np.isfinite(lane.points).all(axis=1)], image_size, tell)
    return lanes


def look_at_points(points: Points, image_size: tuple[int, int] | None, report: Report) -> None:
    """Reports what is odd about the points of one lane, (N, 2)."""
    if len(points) < 2:
        kind, detail = (
            ("single_point", f"one point at {_place(points[0])}") if len(points) else ("no_points", "no point")
        )
        report(kind, detail)
    steps = np.diff(points, axis=0)
    repeated = (steps == 0).all(axis=1)
    if repeated.any():
        report(
            "repeated_points",
            f"{int(repeated.sum())} of {len(points)} points, as at {_place(points[repeated.argmax()])}",
        )
    if (steps[:, 1] > 0).any() and (steps[:, 1] < 0).any():
        turn = np.flatnonzero(np.sign(steps[:, 1]) == -np.sign(steps[np.flatnonzero(steps[:, 1])[0], 1]))[0]
        report("turning_back", f"at {_place(points[turn])}, point {int(turn) + 1} of {len(points)}")
    if image_size is None or len(points) == 0:
        return
    extent = np.array(image_size[::-1], dtype=np.float64)  # width, height
    if ((points < 0) | (points >= extent)).any(axis=1).all() and _misses(points, extent):
        report("lane_outside", f"from {_place(points[0])} to {_place(points[-1])} in {_pixels(image_size)}")
        return
    far = ((points < -MARGIN * extent) | (points >= (1 + MARGIN) * extent)).any(axis=1)
    if far.any():
        report(
            "points_outside",
            f"{int(far.sum())} of {len(points)}, as {_place(points[far.argmax()])} in {_pixels(image_size)}",
        )


def count_drawn(lanes: Sequence[Lane]) -> int:
    """Lanes with two points or more, as masks can show."""
    return sum(len(lane.points) >= 2 for lane in lanes)


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, which may be longer or odder than a file's."""
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than a file system takes
        return False


def _values(mask: IntMask) -> list[int]:
    """The values of a mask; asking for one after the other is fastest where they are few."""
    highest = int(mask.max())
    if highest > _FEW:
        return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    return [value for value in range(highest + 1) if (mask == value).any()]


def _look_at_order(mask: IntMask, slots: tuple[int, ...], num_lanes: int, report: Report) -> None:
    """Reports slots of a mask that do not go from left to right, and those on the other side of the car."""
    height, width = mask.shape
    rows = np.arange(height - 1, -1, -max(1, height // _NUM_ROWS))  # bottom up
    places = _mean_columns(mask[rows], slots)  # (slots, rows)
    for left, right, slot, next_slot in zip(places, places[1:], slots, slots[1:], strict=False):
        both = ~np.isnan(left) & ~np.isnan(right)
        wrong = float((left[both] > right[both]).mean()) if both.any() else 0.0
        if wrong >= _SWAPPED:
            report("mask_order", f"slot {next_slot} is left of slot {slot}")
        elif wrong >= _CROSSED:
            report("lanes_cross", f"slot {next_slot} is left of slot {slot} in {wrong:.0%} of their common rows")
    for slot, columns in zip(slots, places, strict=True):
        seen = np.flatnonzero(~np.isnan(columns))
        if len(seen) == 0 or rows[seen[0]] < _LOW * height:
            continue
        column = columns[seen[0]]
        if (slot <= num_lanes // 2) != (column < width / 2):
            report(
                "side_of_car", f"slot {slot} of {num_lanes} is at x = {column:.0f} of {width} in row {rows[seen[0]]}"
            )


def _mean_columns(rows: IntMask, slots: tuple[int, ...]) -> Points:
    """The mean column of each slot in each row, (slots, rows); NaN where it has no pixel."""
    where_row, where_column = np.nonzero(rows)
    values = rows[where_row, where_column]
    means = np.full((len(slots), len(rows)), np.nan)
    for number, slot in enumerate(slots):
        mine = values == slot
        counts = np.bincount(where_row[mine], minlength=len(rows))
        sums = np.bincount(where_row[mine], weights=where_column[mine], minlength=len(rows))
        np.divide(sums, counts, out=means[number], where=counts > 0)
    return means


def _misses(points: Points, extent: Points) -> bool:
    """Whether no segment of a polyline, all of whose points are outside, crosses the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    if (high < 0).any() or (low >= extent).any():
        return True
    if np.abs(points).max() > 1e6:
        return False
    share = np.linspace(0, 1, 65)[:, None, None]
    between = points[:-1] + share * (points[1:] - points[:-1])
    return not ((between >= 0) & (between < extent)).all(axis=2).any()


def _reason(error: Exception, path: Path) -> str:
    """An error of a picture without the name of its file, which the finding has already."""
    return str(error).replace(f"Image {path}: ", "").replace(f"Lane mask {path}: ", "")


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:5])) + (" …" if len(values) > 5 else "")


def _place(point: Points) -> str:
    return f"({point[0]:.6g}, {point[1]:.6g})"


def _pixels(size: tuple[int, int]) -> str:
    return f"a picture of {size[0]}x{size[1]} pixels (height x width)"

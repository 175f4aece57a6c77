"""What a labelling program's file says about pictures, whatever the program, and the checks that all readers share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lanenet_sad.lanes.centre_lines import centre_line
from lanenet_sad.lanes.curves import near_to_far, unrepeated
from lanenet_sad.lanes.json_files import FARTHEST
from lanenet_sad.lanes.lane import Points

_NUMBER_AT_END = re.compile(r"(?:^|[^0-9])([0-9]{1,3})$", re.ASCII)


class LabelledLine(NamedTuple):
    """One lane line that a person drew.

    Attributes:
        label: the name that the program gives it.
        points: (N, 2), N >= 2, near to far, in pixels of the picture as the program shows it.
        number: the slot that the label names (`lane_2`), or an attribute `slot`; None if there is none.
    """

    label: str
    points: Points
    number: int | None = None


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """One picture of a label file.

    Attributes:
        name: of the picture as the file has it; may be a path, with slashes of either kind.
        lines: what was drawn; none for a picture that was looked at and has no lane.
        image_size: (height, width) that the program saw; None if the file does not say.
        passed_over: what is no line: a shape's label and kind, once for each such shape.
        embedded: the picture's own file, where the label file holds it.
    """

    name: str
    lines: tuple[LabelledLine, ...]
    image_size: tuple[int, int] | None = None
    passed_over: tuple[str, ...] = ()
    embedded: bytes | None = None


class LabelFile(NamedTuple):
    """What could be read of a file that labels many pictures.

    Attributes:
        pictures: in the file's order.
        faults: a sentence for each picture whose labels are broken.
    """

    pictures: tuple[LabelledPicture, ...]
    faults: tuple[str, ...] = ()


def picture_name(value: object, where: str) -> str:
    """The name of a picture, checked to be text that can name a file."""
    if not isinstance(value, str) or not value.strip() or "\0" in value or not _is_unicode(value):
        raise ValueError(f"{where}: expected the name of a picture, got {value!r}.")
    return value


def picture_size(height: object, width: object, where: str) -> tuple[int, int] | None:
    """(height, width) where both are given; ValueError where they are no counts of pixels."""
    if height is None or width is None:
        return None
    try:
        size = int(height), int(width)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: expected a height and a width in pixels, got {height!r} and {width!r}.") from error
    if not all(0 < side < FARTHEST for side in size):
        raise ValueError(f"{where}: expected a height and a width in pixels, got {height!r} and {width!r}.")
    return size


def checked_points(values: object, where: str) -> Points:
    """Points (N, 2) out of a list of pairs; ValueError for anything else and for places that are in no picture."""
    expected = f"{where}: expected points as pairs of finite numbers"
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{expected}, got {_shown(values)}.")
    rows = []
    for pair in values:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2 or not all(map(_is_place, pair)):
            raise ValueError(f"{expected}, none beyond {FARTHEST:.0f} pixels, got {_shown(pair)}.")
        rows.append([float(value) for value in pair])
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def drawn_line(label: str, points: Points, *, closed: bool = False) -> LabelledLine | None:
    """A line near to far from points as drawn; of a closed area its centre line. None where they make no line."""
    line = centre_line(points) if closed else points
    if len(line):
        line = line[unrepeated(line)]
    number = _NUMBER_AT_END.search(label)
    return LabelledLine(label, near_to_far(line), int(number[1]) if number else None) if len(line) >= 2 else None


def _is_place(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and abs(value) <= FARTHEST if isinstance(value, float) else abs(value) <= FARTHEST


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

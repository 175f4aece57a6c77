"""Label and prediction files of many images, read as the official CULane evaluator reads them, but many at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.files import parse_culane_lines
from lanenet_sad.lanes.lane import Points

LABELS, PREDICTIONS = 0, 1
SIDES = ("labels", "predictions")

_EMPTY = "without points"
_SINGLE = "with a single point"
_UNPAIRED = "with an unpaired last number"
_CUT = "cut short by something that is no number"
_REPEATED = "with repeated points"
_TURNING = "that turn back in y"
_ODDITIES = {
    _EMPTY: "a lane all the same: it matches nothing",
    _SINGLE: "it matches nothing",
    _UNPAIRED: "that number is not used",
    _CUT: "what follows on its line is not used",
    _REPEATED: "equal neighbours count once; the official tool divides by zero there",
    _TURNING: "drawn as they are",
}
_PLAIN = b"0123456789+-.eE \t\r\n"
_MAX_EXAMPLES = 3


@dataclass
class Oddities:
    """Lanes that are hardly meant as they stand in their files; the official tool scores them without a word.

    Attributes:
        counts: lanes by (side, what is odd), see `SIDES`.
        examples: the first names of images of each kind.
    """

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    examples: dict[tuple[int, str], list[str]] = field(default_factory=dict)

    def add(self, side: int, what: str, name: str, number: int = 1) -> None:
        """Counts `number` lanes of an image."""
        self.counts[side, what] += number
        names = self.examples.setdefault((side, what), [])
        if len(names) < _MAX_EXAMPLES and name not in names:
            names.append(name)

    def merge(self, other: Oddities) -> None:
        """Adds what another part of the images has."""
        self.counts.update(other.counts)
        for key, names in other.examples.items():
            self.examples[key] = [*self.examples.get(key, []), *names][:_MAX_EXAMPLES]

    def sentences(self) -> list[str]:
        """One for each kind, with what the score does about it."""
        return [
            f"{SIDES[side]}: {number} lane{'s' * (number != 1)} {what} ({_ODDITIES[what]}), "
            f"in {', '.join(self.examples[side, what])}{' …' * (number > len(self.examples[side, what]))}"
            for (side, what), number in sorted(self.counts.items())
        ]


class LaneBatch(NamedTuple):
    """The lanes of many images in flat arrays, in each image the label lanes before the predicted ones.

    Attributes:
        names: of the images.
        points: (N, 2) single precision, as the official tool keeps them.
        lane_ends: (M,) index behind the last point of each lane.
        image_ends: (I, 2) index behind the last label lane and behind the last predicted lane of each image.
    """

    names: Sequence[str]
    points: NDArray[np.float32]
    lane_ends: NDArray[np.int64]
    image_ends: NDArray[np.int64]

    @classmethod
    def of(cls, images: Iterable[tuple[str, Sequence[Points], Sequence[Points]]]) -> LaneBatch:
        """From name, label lanes and predicted lanes of each image."""
        names, lanes, ends = [], [], []
        for name, truth, prediction in images:
            names.append(name)
            lanes += [*truth, *prediction]
            ends.append((len(lanes) - len(prediction), len(lanes)))
        points = np.concatenate([np.zeros((0, 2)), *lanes])
        return cls(names, _single(points), np.cumsum([len(lane) for lane in lanes], dtype=np.int64), _pairs(ends))

    def lanes(self, image: int, side: int) -> list[Points]:
        """The label lanes or the predicted lanes of an image, each (N, 2)."""
        first = 0 if image == 0 else int(self.image_ends[image - 1, 1])
        start, end = (first, int(self.image_ends[image, 0])) if side == LABELS else self.image_ends[image].tolist()
        return [self.lane(number) for number in range(start, end)]

    def lane(self, number: int) -> Points:
        """One lane, (N, 2)."""
        start = 0 if number == 0 else self.lane_ends[number - 1]
        return self.points[start : self.lane_ends[number]].astype(np.float64)


class ReadFiles(NamedTuple):
    """What the files of some images hold.

    Attributes:
        batch: their lanes.
        missing: names without a file, labels and predictions.
        oddities: of the lanes, by the text alone.
    """

    batch: LaneBatch
    missing: tuple[list[str], list[str]]
    oddities: Oddities


def read_lane_files(annotations: Path, predictions: Path, names: Sequence[str]) -> ReadFiles:
    """Reads the `*.lines.txt` files of images below two folders; a file that is not there has no lanes.

    Raises:
        OSError: a file is there but cannot be read.
    """
    folders = (f"{annotations}/", f"{predictions}/")
    values: list[float] = []
    counts: list[int] = []
    ends: list[tuple[int, ...]] = []
    missing: tuple[list[str], list[str]] = ([], [])
    oddities = Oddities()
    for name in names:
        stem = (name[: name.rfind(".")] if "." in name else name).lstrip("/")
        image_ends = []
        for side, folder in enumerate(folders):
            try:
                with open(f"{folder}{stem}.lines.txt", "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes as long
                    data = file.read()
            except (FileNotFoundError, NotADirectoryError):
                missing[side].append(name)
            except OSError as error:
                raise OSError(f"Lane file {folder}{stem}.lines.txt: cannot be read: {error.strerror}.") from error
            else:
                _read_lanes(data, values, counts, oddities, side, name)
            image_ends.append(len(counts))
        ends.append(tuple(image_ends))
    points = _single(np.array(values, dtype=np.float64).reshape(-1, 2))
    batch = LaneBatch(names, points, np.cumsum(counts, dtype=np.int64), _pairs(ends))
    _note_shapes(batch, oddities)
    return ReadFiles(batch, missing, oddities)


def _read_lanes(data: bytes, values: list[float], counts: list[int], oddities: Oddities, side: int, name: str) -> None:
    """Appends the numbers of a file, and the number of points of each of its lanes."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()  # what follows the last line feed is no line
    lanes = _plain_numbers(data, lines)
    if lanes is None:  # numbers that only a C++ stream reads so, or none at all
        lanes = [lane.points.ravel().tolist() for lane in parse_culane_lines(data.decode("latin-1"))]
        for line, numbers in zip(lines, lanes, strict=True):
            if len(words := line.split()) > len(numbers):
                unpaired = len(words) == len(numbers) + 1 and _is_number(words[-1])
                oddities.add(side, _UNPAIRED if unpaired else _CUT, name)
    for numbers in lanes:
        if len(numbers) % 2:
            numbers.pop()
            oddities.add(side, _UNPAIRED, name)
        if len(numbers) < 4:
            oddities.add(side, _SINGLE if numbers else _EMPTY, name)
        values += numbers
        counts.append(len(numbers) // 2)


def _plain_numbers(data: bytes, lines: list[bytes]) -> list[list[float]] | None:
    """The numbers of each line where Python reads the same ones as a C++ stream; None where it might not."""
    if data.translate(None, _PLAIN):
        return None
    try:
        lanes = [[*map(float, line.split())] for line in lines]
    except ValueError:
        return None
    return lanes if all(map(math.isfinite, map(sum, lanes))) else None


def _is_number(word: bytes) -> bool:
    return word.translate(None, _PLAIN) == b"" and word.strip(b"+-.eE") != b""


def _note_shapes(batch: LaneBatch, oddities: Oddities) -> None:
    """Notes lanes with repeated points and such that turn back."""
    if len(batch.points) < 2:
        return
    lane_of = np.repeat(np.arange(len(batch.lane_ends)), np.diff(batch.lane_ends, prepend=0))
    within = lane_of[1:] == lane_of[:-1]
    with np.errstate(invalid="ignore"):
        steps = np.diff(batch.points, axis=0)
    down, up = (np.bincount(lane_of[1:][within & way], minlength=len(batch.lane_ends)) for way in _ways(steps))
    repeated = lane_of[1:][within & (steps == 0).all(axis=1)]
    for what, lanes in ((_REPEATED, np.unique(repeated)), (_TURNING, np.flatnonzero((down > 0) & (up > 0)))):
        for lane in lanes.tolist():
            image = int(np.searchsorted(batch.image_ends[:, 1], lane, side="right"))
            side = LABELS if lane < batch.image_ends[image, 0] else PREDICTIONS
            oddities.add(side, what, batch.names[image])


def _ways(steps: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which steps lead down the picture, and which up."""
    return steps[:, 1] > 0, steps[:, 1] < 0


def _single(points: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond single precision is infinite, in the official evaluator too
        return np.ascontiguousarray(points, dtype=np.float32)


def _pairs(ends: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    return np.array(ends, dtype=np.int64).reshape(-1, 2)

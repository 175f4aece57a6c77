"""The frames of a video that say most about it, in one picture: where to look first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad.inference.run_summary import describe_event
from lanenet_sad.inference.sinks import write_image
from lanenet_sad.lanes.lane import Frame, Image, LanePrediction
from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.visualization.contact_sheet import contact_sheet

_MOST_EVENTS = 6
_MOST_SPREAD = 10
_SURE = 5  # frames in a row with both lines before their loss counts
_CLOSEST = 30  # frames that fill up are at least this part of the video away from others
_STRAIGHT = 1e-3  # 1/m; a curve of less has no place here


@dataclass(frozen=True, eq=False)
class _Moment:
    """A small picture of a frame, and why it was taken."""

    number: int
    time: float
    picture: Image
    why: str = ""


class InterestingFrames:
    """Collects the most telling frames of a video while it is worked through, and lays them out as one picture.

    Taken are the first frame, events, the longest loss of the own lane, the fewest and the most lanes, the lowest
    confidence and the sharpest curve; frames spread over the video fill up the rest. However long the video is, at
    most 24 small pictures are held.
    """

    def __init__(self, *, num_frames: int = 12, cell_size: tuple[int, int] = (480, 400), num_lanes: int = 4) -> None:
        """Fix what the picture will be.

        Args:
            num_frames: in the picture, at most.
            cell_size: (height, width) in pixels that each frame is made to fit into.
            num_lanes: L of the network, which says which slots are the lines of the own lane.

        Raises:
            ValueError: a number or size is not positive.
        """
        if num_frames < 1 or min(cell_size) < 1:
            raise ValueError(
                f"Interesting frames: expected a number and cell size of 1 or more, got {num_frames} and {cell_size}."
            )
        self.num_frames = num_frames
        self.cell_size = cell_size
        self._own_slots = ego_slots(num_lanes)
        self._number = -1
        self._stride = 1
        self._spread: list[_Moment] = []
        self._events: list[_Moment] = []
        self._records: dict[str, tuple[float, _Moment]] = {}
        self._num_lanes_seen: set[int] = set()
        self._loss = _LossOfOwnLane()

    def add(self, frame: Frame, drawn: Image, prediction: LanePrediction) -> None:
        """Look at one frame.

        Args:
            frame: says when it is.
            drawn: (H, W, 3) RGB uint8, the frame with its lanes drawn; it is not kept.
            prediction: its lanes, road and events.
        """
        self._number += 1
        small: Image | None = None

        def moment(why: str = "") -> _Moment:
            nonlocal small
            small = self._fitted(drawn) if small is None else small
            return _Moment(self._number, frame.time, small, why)

        if self._number % self._stride == 0:
            self._spread.append(moment())
            if len(self._spread) > _MOST_SPREAD:
                self._spread, self._stride = self._spread[::2], 2 * self._stride
        for event in prediction.events:
            if event.kind == "lane_change" or not event.is_over:
                self._events = _thinned([*self._events, moment(describe_event(event))], _MOST_EVENTS)
        for name, (value, margin, why) in self._measures(prediction).items():
            if name not in self._records or value > self._records[name][0] + margin:
                self._records[name] = value, moment(why)
        has_own_lane = {lane.slot for lane in prediction.lanes}.issuperset(self._own_slots)
        if self._loss.begins(has_own_lane, frame.time):
            self._loss.moment = moment()

    def chosen(self) -> list[tuple[float, str, Image]]:
        """Time in seconds, reason (empty for frames that fill up) and small picture of each frame, in order."""
        records = dict(self._records)
        if len(self._num_lanes_seen) < 2:  # always as many: then neither the fewest nor the most say anything
            records = {name: record for name, record in records.items() if not name.endswith("lanes")}
        told = [*self._events, *self._loss.longest(), *(moment for _, moment in records.values())]
        reasons: dict[int, list[str]] = {}
        pictures = {moment.number: moment for moment in [*self._spread, *told]}
        for moment in [*self._spread[:1], *told]:
            reasons.setdefault(moment.number, [])
            if moment.why:
                reasons[moment.number].append(moment.why)
        numbers = list(reasons)[: self.num_frames]
        free = [moment.number for moment in self._spread if moment.number not in numbers]
        while free and len(numbers) < self.num_frames:
            gaps = [min(abs(number - other) for other in numbers) for number in free]
            if max(gaps) * _CLOSEST < self._number:
                break
            numbers.append(free.pop(int(np.argmax(gaps))))
        return [
            (pictures[number].time, ", ".join(reasons.get(number, [])), pictures[number].picture)
            for number in sorted(numbers)
        ]

    def sheet(self) -> Image | None:
        """The frames in one picture, (rows, columns, 3) RGB uint8, each with its time and reason; None without any."""
        chosen = self.chosen()
        if not chosen:
            return None
        captions = [f"{_clock(time)}  {why}" for time, why, _ in chosen]
        widest = max(picture.shape[1] for _, _, picture in chosen)
        return contact_sheet([picture for _, _, picture in chosen], captions, cell_width=widest)

    def write(self, path: Path) -> bool:
        """Write the picture; without a frame nothing is written, and a file already there stays.

        Returns:
            Whether there was a frame.

        Raises:
            OSError: the folder cannot be written to.
        """
        sheet = self.sheet()
        if sheet is None:
            return False
        write_image(path, sheet)
        return True

    def _measures(self, prediction: LanePrediction) -> dict[str, tuple[float, float, str]]:
        """What a frame may hold a record in: value, by how much it must be beaten, words for the caption."""
        number = len(prediction.lanes)
        self._num_lanes_seen.add(number)
        measures = {
            "fewest lanes": (float(-number), 0.0, "no lane" if number == 0 else f"fewest lanes ({number})"),
            "most lanes": (float(number), 0.0, f"most lanes ({number})"),
        }
        if prediction.lanes:
            confidence = sum(float(lane.confidence) for lane in prediction.lanes) / number
            measures["confidence"] = -confidence, 0.02, f"lowest confidence {confidence:.2f}"
        curvature = prediction.road.curvature if prediction.road is not None else None
        if curvature is not None and abs(curvature) >= _STRAIGHT:
            side = "right" if curvature > 0 else "left"
            why = f"sharpest curve, {1 / abs(curvature):.0f} m to the {side}"
            measures["curve"] = abs(curvature), 0.05 * abs(curvature), why
        return measures

    def _fitted(self, image: Image) -> Image:
        height, width = image.shape[:2]
        scale = min(self.cell_size[0] / height, self.cell_size[1] / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale >= 1:
            return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        times = int(1 / scale)
        rows, columns = height // times, width // times
        # Means of whole pixels, and then a little smaller: half the time of means of parts of pixels.
        whole = image[: rows * times, : columns * times]
        image = np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


class _LossOfOwnLane:
    """Finds the longest time without both lines of the own lane, after they had been there for some frames."""

    def __init__(self) -> None:
        self.moment: _Moment | None = None
        self._longest: tuple[float, _Moment] | None = None
        self._num_seen = 0
        self._latest = 0.0

    def begins(self, has_own_lane: bool, time: float) -> bool:
        """Whether the own lane is lost in this frame, which then has to be given as `moment`."""
        if not has_own_lane:
            begins = self._num_seen >= _SURE
            self._num_seen = 0
            self._latest = time
            return begins
        self._num_seen += 1
        if self._num_seen == _SURE:
            self._longest, self.moment = self._longer(), None
        return False

    def longest(self) -> Sequence[_Moment]:
        """The frame in which it began, if there was any."""
        longest = self._longer()
        if longest is None:
            return ()
        duration, moment = longest
        why = f"own lane lost for {duration:.1f} s" if duration >= 0.1 else "own lane lost for a moment"
        return [_Moment(moment.number, moment.time, moment.picture, why)]

    def _longer(self) -> tuple[float, _Moment] | None:
        if self.moment is None:
            return self._longest
        duration = self._latest - self.moment.time
        return (duration, self.moment) if self._longest is None or duration > self._longest[0] else self._longest


def _thinned(moments: list[_Moment], most: int) -> list[_Moment]:
    """Without the one that comes soonest after another, if there are too many."""
    if len(moments) <= most:
        return moments
    gaps = [after.number - before.number for before, after in pairwise(moments)]
    soonest = int(np.argmin(gaps)) + 1
    return moments[:soonest] + moments[soonest + 1 :]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"

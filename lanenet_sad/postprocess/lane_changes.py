"""Which slot each tracked line has, and when the car has crossed one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lanenet_sad.lanes.driving import DrivingEvent, Side

_USUAL_WIDTH = 0.45  # of a lane at the bottom row, as a share of the picture's width, until two lines were seen
_APPROACH = 0.35  # of the lane's width: so near to a line, a lane change may have begun
_SETTLED = 0.3  # seconds for which a line must have been followed before it can be crossed
_LONGEST = 4.0  # seconds that a lane change takes at most; a car that drove on a line before did not begin it yet


class LaneChanges:
    """Slots of tracked lines by which side of the car they are on, with hysteresis.

    A line stays on its side until the camera is `margin` past it. So a car that drives on a line gives one lane change
    at most as long as it does not swing out by `margin` on both sides.
    """

    def __init__(self, *, num_lanes: int, margin: float) -> None:
        """Fix the settings.

        Args:
            num_lanes: lane slots.
            margin: share of the lane's width, below a half.

        Raises:
            ValueError: the margin is out of range.
        """
        if not 0 <= margin < 0.5:
            raise ValueError(f"lane_change_margin: expected a share of 0 or more and less than 0.5, got {margin}.")
        self.num_lanes = num_lanes
        self.margin = margin
        self.reset()

    def reset(self) -> None:
        """Forget all lines."""
        self._sides: dict[int, Side] = {}
        self._since: dict[int, float] = {}  # when a line was first seen
        self._away: dict[int, tuple[float, int]] = {}  # time and frame at which each line was last clearly aside
        self._width = _USUAL_WIDTH
        self._latest: tuple[float, int] | None = None  # time and frame of the latest lane change

    def __call__(
        self, crossings: Mapping[int, float], time: float, frame: int, step: float
    ) -> tuple[dict[int, int | None], list[DrivingEvent]]:
        """The slots of one frame's lines.

        Args:
            crossings: track id -> where the line crosses the bottom row, as a share of the picture's width.
            time: of the frame in seconds.
            frame: its number.
            step: seconds since the last one.

        Returns:
            Track id -> slot, None beyond the outermost; and the lane changes that this frame completed.
        """
        for number in [number for number in self._sides if number not in crossings]:
            del self._sides[number], self._since[number], self._away[number]
        events = []
        for number, crossing in crossings.items():
            offset = (crossing - 0.5) / self._width
            side = self._sides.get(number)
            if side is None:
                self._sides[number], self._since[number] = "left" if offset < 0 else "right", time
            elif offset * (1 if side == "left" else -1) > self.margin:
                self._sides[number] = "right" if side == "left" else "left"
                if time - self._since[number] >= _SETTLED:
                    start, first = self._beginning(number, time, frame)
                    events.append(DrivingEvent("lane_change", side, start, first, time - start, is_over=True))
                    self._latest = time, frame
            if abs(offset) >= _APPROACH or number not in self._away:
                self._away[number] = time, frame
        self._measure_width(crossings, step)
        order = sorted(crossings, key=lambda number: crossings[number])
        num_left = sum(self._sides[number] == "left" for number in order)
        first_slot = self.num_lanes // 2 + 1 - num_left
        slots = {number: first_slot + index for index, number in enumerate(order)}
        return {number: slot if 1 <= slot <= self.num_lanes else None for number, slot in slots.items()}, events

    def _beginning(self, number: int, time: float, frame: int) -> tuple[float, int]:
        """Time and frame at which the crossing of a line began: not before the one before it was over."""
        start, first = max(self._away.get(number, (time, frame)), self._latest or (-np.inf, 0))
        if time - start > _LONGEST:
            share = _LONGEST / (time - start)
            return time - _LONGEST, round(frame - share * (frame - first))
        return start, first

    def _measure_width(self, crossings: Mapping[int, float], step: float) -> None:
        left = [crossing for number, crossing in crossings.items() if self._sides[number] == "left"]
        right = [crossing for number, crossing in crossings.items() if self._sides[number] == "right"]
        if left and right:
            width = float(np.clip(min(right) - max(left), 0.15, 1.5))
            self._width += (1 - np.exp(-max(step, 0.02) / 0.5)) * (width - self._width)

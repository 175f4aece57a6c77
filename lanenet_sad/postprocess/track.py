"""One lane line that is followed over the frames of a video."""

from __future__ import annotations

import numpy as np

from lanenet_sad.lanes.lane import Lane
from lanenet_sad.postprocess.line_filter import LineFilter
from lanenet_sad.postprocess.line_rows import REFERENCE_WIDTH, Array, Sighting

_STALE = 0.2  # seconds after which a row where a line is not seen any more is no longer part of it
_SMOOTH = 0.15  # seconds over which confidence and the ends of a line are averaged
_SLACK = 1.0  # pixels by which a row may lie beyond an end of the line that is averaged over time
_NEAR_SHARE = 0.3  # of a line's rows, from its near end, that say where it goes on to


class Track:
    """A line over time.

    Attributes:
        line: its course.
        number: its track id, from 1; 0 while it is not told.
        age: seconds from the first to the latest sighting.
        gap: seconds since the latest sighting.
        num_sightings: how often it was seen.
    """

    def __init__(self, line: LineFilter, sighting: Sighting) -> None:
        """Begin a track with its first sighting."""
        self.line = line
        self.number = 0
        self.age = 0.0
        self.gap = 0.0
        self.num_sightings = 1
        self._far, self._near = sighting.far, sighting.near
        self._lane = sighting.lane
        self._confidence = sighting.lane.confidence
        self._confidences = sighting.confidences.copy()

    @property
    def is_told(self) -> bool:
        """Whether it was seen often enough to be told."""
        return self.number > 0

    @property
    def course(self) -> Array:
        """(K,) where it crosses the rows, NaN beyond its ends."""
        course: Array = np.where(self.line.known, self.line.columns, np.nan)
        return course

    @property
    def crossing(self) -> float:
        """Where it crosses the bottom row, as a share of the picture's width; drawn on straight if it ends above."""
        known, columns = np.flatnonzero(self.line.known), self.line.columns
        last = int(known[-1])
        if last == len(columns) - 1:
            return float(columns[last]) / REFERENCE_WIDTH
        reach = max(1, round(_NEAR_SHARE * (last - known[0])))
        slope = (columns[last] - columns[max(last - reach, 0)]) / min(reach, max(last, 1))
        return float(columns[last] + slope * (len(columns) - 1 - last)) / REFERENCE_WIDTH

    def see(self, sighting: Sighting, step: float) -> None:
        """Take in a sighting, `step` seconds after the last frame."""
        passed = step + self.gap
        self.line.correct(sighting.columns, sighting.confidences, step, stale=_STALE)
        share = 1 - float(np.exp(-passed / _SMOOTH))
        self._far += share * (sighting.far - self._far)
        self._near += share * (sighting.near - self._near)
        self._confidence += share * (sighting.lane.confidence - self._confidence)
        self._confidences += share * (sighting.confidences - self._confidences)
        self.age, self.gap, self.num_sightings = self.age + passed, 0.0, self.num_sightings + 1
        self._lane = sighting.lane

    def miss(self, step: float) -> None:
        """Go on without having been seen."""
        self.gap += step

    def lane(
        self, columns: Array, rows: Array, grid_rows: Array, image_width: int, fading: float, *, is_free: bool
    ) -> Lane | None:
        """What is told of it.

        Args:
            columns: (R,) where it crosses the rows that are asked for, in pixels of the picture.
            rows: (R,) these, near to far.
            grid_rows: (K,) those at which it is followed.
            image_width: of the picture in pixels; points beside it are left out.
            fading: by which its confidence is multiplied.
            is_free: whether it may have points in other rows too; then its ends are where they were seen.

        Returns:
            A lane without a slot; None if less than two of its points are in the picture.
        """
        known = grid_rows[self.line.known]
        near, far = min(self._near, known[-1]), max(self._far, known[0])
        if is_free:
            within = rows[(rows < near) & (rows > far)]
            at = np.concatenate([[near], within, [far]])
            columns = np.interp(at, rows[::-1], columns[::-1])
        else:
            within = (rows <= near + _SLACK) & (rows >= far - _SLACK)
            at, columns = rows[within], columns[within]
        inside = (columns >= 0) & (columns <= image_width - 1)
        if np.count_nonzero(inside) < 2:
            return None
        points = np.stack([columns[inside], at[inside]], axis=1)
        sure = np.interp(points[:, 1], grid_rows, self._confidences) * fading
        return Lane(points, None, self._confidence * fading, sure, self.number, self._lane.line_type)

"""How steadily lane lines are told over a video whose true lines are known, and whether they keep their identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane, LanePrediction

_REFERENCE_WIDTH = 1640.0
_FEWEST_ROWS = 2
_HIGHEST = 0.35  # of the picture's height: the farthest row that is looked at


@dataclass(frozen=True)
class StabilityScore:
    """The result of `StabilityMetric`; what is undefined is None.

    Attributes:
        jitter: root mean square of how much the error of a line changes from one frame to the next, in pixels at a
            picture width of 1640. What the road does is in prediction and truth alike and does not count.
        error: root mean square of the error itself, in the same pixels.
        id_switches: how often the track id of a true line's prediction was another than before.
        num_changes: pairs of rows of consecutive frames that `jitter` is over.
        num_lines: different true lines.
        found: share of the true lines of all frames that a prediction was given to.
        num_frames: that were looked at.
    """

    jitter: float | None
    error: float | None
    id_switches: int | None
    num_changes: int
    num_lines: int
    found: float | None
    num_frames: int

    def __str__(self) -> str:
        jitter = "unknown" if self.jitter is None else f"{self.jitter:.2f} px"
        error = "unknown" if self.error is None else f"{self.error:.2f} px"
        switches = "unknown" if self.id_switches is None else str(self.id_switches)
        found = "none" if self.found is None else f"{self.found:.1%}"
        return (
            f"jitter {jitter}, error {error} (at width 1640), id switches {switches}, {self.num_lines} lines, "
            f"found {found} of {self.num_frames} frames"
        )


class StabilityMetric:
    """Collects errors of lines and their changes over the frames of a video.

    True lines and predictions of a frame are paired at the least sum of mean distances over common rows (Hungarian
    algorithm); pairs further apart than `gate` do not count.
    """

    def __init__(self, *, num_rows: int = 16, gate: float = 65.0, longest_step: float = 1.0) -> None:
        """Fix the settings.

        Args:
            num_rows: at which errors are taken, from the bottom of the picture up at even distances.
            gate: pixels at a picture width of 1640.
            longest_step: seconds between two frames, beyond which they are not consecutive.

        Raises:
            ValueError: a setting is out of range.
        """
        if num_rows < _FEWEST_ROWS:
            raise ValueError(f"num_rows: expected {_FEWEST_ROWS} or more, got {num_rows}.")
        for name, value in (("gate", gate), ("longest_step", longest_step)):
            if not value > 0:
                raise ValueError(f"{name}: expected a positive number, got {value}.")
        self.num_rows = num_rows
        self.gate = gate
        self.longest_step = longest_step
        self._errors: dict[int, NDArray[np.float64]] = {}  # true line -> (R,) error in the latest frame
        self._time: float | None = None
        self._ids: dict[int, int] = {}  # true line -> latest track id
        self._lines: set[tuple[int, int]] = set()
        self._video = 0
        self._squares = np.zeros(4)  # sum of squared changes, their number, sum of squared errors, their number
        self._num_switches = 0
        self._has_ids = False
        self._counts = np.zeros(3, dtype=np.int64)  # frames, true lines in them, those with a prediction

    def begin_video(self) -> None:
        """Say that the next frame is of another video, whose track ids and lines have nothing to do with the last."""
        self._video += 1
        self._errors, self._ids, self._time = {}, {}, None

    def update(self, prediction: LanePrediction, truth: Sequence[Lane], time: float) -> None:
        """Add the next frame of a video.

        Args:
            prediction: of the frame.
            truth: its lines, with the identity of each as `track_id`.
            time: of the frame, in seconds.

        Raises:
            ValueError: a true line has no `track_id`, or two of them have the same.
        """
        numbers = [lane.track_id for lane in truth]
        if None in numbers or len(set(numbers)) != len(numbers):
            raise ValueError(
                f"Truth at {time:.3f} s: expected a track_id of its own for every line, got {numbers}; they say which "
                "line of one frame is which of the next."
            )
        is_next = self._time is not None and 0 < time - self._time <= self.longest_step
        before, self._errors, self._time = (self._errors if is_next else {}), {}, time
        pairs = self._pair(prediction, truth)
        self._lines |= {(self._video, number) for number in numbers if number is not None}
        self._counts += (1, len(truth), len(pairs))
        for line, (lane, error) in pairs.items():
            self._errors[line] = error
            self._add(error, 2)
            if line in before:
                self._add(error - before[line], 0)
            if lane.track_id is not None:
                self._has_ids = True
                self._num_switches += self._ids.get(line, lane.track_id) != lane.track_id
                self._ids[line] = lane.track_id

    def compute(self) -> StabilityScore:
        """The figures of all frames so far."""
        changes, num_changes, errors, num_errors = self._squares
        num_frames, num_true, num_found = (int(count) for count in self._counts)
        return StabilityScore(
            jitter=float(np.sqrt(changes / num_changes)) if num_changes else None,
            error=float(np.sqrt(errors / num_errors)) if num_errors else None,
            id_switches=self._num_switches if self._has_ids else None,
            num_changes=int(num_changes),
            num_lines=len(self._lines),
            found=num_found / num_true if num_true else None,
            num_frames=num_frames,
        )

    def _pair(self, prediction: LanePrediction, truth: Sequence[Lane]) -> dict[int, tuple[Lane, NDArray[np.float64]]]:
        """True line -> its prediction and (R,) by how much that is too far right, NaN where one of them is not."""
        from scipy.optimize import linear_sum_assignment  # takes a while to import

        height, width = prediction.image_size
        rows = np.linspace(height - 1, _HIGHEST * height, self.num_rows)
        lanes = [lane for lane in prediction.lanes if len(lane.points)]
        if not lanes or not truth:
            return {}
        found = np.stack([sample_at_rows(lane.points, rows) for lane in lanes])
        true = np.stack([sample_at_rows(lane.points, rows) for lane in truth])
        off = (found - true[:, None]) * (_REFERENCE_WIDTH / width)  # (T, P, R)
        common = np.isfinite(off).sum(axis=2)
        mean = np.nansum(np.abs(off), axis=2) / np.maximum(common, 1)
        far = np.where((common >= _FEWEST_ROWS) & (mean <= self.gate), mean, 1e6)
        pairs = zip(*linear_sum_assignment(far), strict=True)
        return {int(truth[t].track_id or 0): (lanes[p], off[t, p]) for t, p in pairs if far[t, p] <= self.gate}

    def _add(self, values: NDArray[np.float64], place: int) -> None:
        finite = values[np.isfinite(values)]
        self._squares[place : place + 2] += float((finite**2).sum()), len(finite)

"""Lane lines over the frames of a video: identity, smooth courses, bridged gaps and lane changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import linear_sum_assignment

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane, LanePrediction, LaneType, Points
from lanenet_sad.postprocess.camera_motion import common_motion
from lanenet_sad.postprocess.lane_changes import LaneChanges
from lanenet_sad.postprocess.line_filter import REFERENCE_WIDTH, Array, FilterNoise, LineFilter

_NUM_ROWS = 25  # at which a line is followed, from the top to the bottom of the picture
_ROW_SPACING = 10 / 590  # of the picture's height, between the points that are told
_FEWEST_ROWS = 2  # that two lines must share to be compared
_STALE = 0.2  # seconds after which a row where a line was not seen any more is no longer its


class LaneTracker:
    """Follows the lane lines of a video from frame to frame.

    Each line of a frame is given to the track that it lies nearest to (Hungarian algorithm), and each track's course is
    a Kalman filter's, see `LineFilter`. What all lines do at once is the camera nodding or turning, and is followed
    without delay. A line that is not seen is kept for `longest_gap` at most, or for as long as it had been seen if that
    is shorter, and its confidence falls to 0. Slots are given anew by where the tracks cross the bottom row, the
    camera being taken to look ahead from the middle of the car; when the car crosses a line, the slots shift by one,
    the track ids stay, and a `lane_change` is told.

    A track is told once it was seen for `birth_time`; those of a first frame at once, as no frame before could have
    shown them. Where time goes back or jumps, where the picture changes its size, or where none of the lines fits any
    track, a new scene begins: tracks start anew, with new ids.
    """

    def __init__(
        self,
        *,
        num_lanes: int = 4,
        longest_gap: float = 1.0,
        birth_time: float = 0.1,
        gate: float = 0.08,
        lane_change_margin: float = 0.2,
        noise: FilterNoise = FilterNoise(),  # noqa: B008  (frozen)
    ) -> None:
        """Fix the settings.

        Args:
            num_lanes: lane slots; lines beyond the outermost are followed, but not told.
            longest_gap: seconds for which a line may be hidden; also between two frames, before a new scene begins.
            birth_time: seconds for which a new line has to be seen before it is told, in 2 frames at least.
            gate: how far a line may lie from its track, at the bottom row, as a share of the picture's width.
            lane_change_margin: share of the lane's width that the camera must be past a line before the lane is
                taken to have changed, so that a car that drives on a line does not change it all the time.
            noise: how much lines move and how badly they are seen.

        Raises:
            ValueError: a setting is out of range.
        """
        if num_lanes < 2:
            raise ValueError(f"num_lanes: expected at least 2, got {num_lanes}.")
        for name, value in (("longest_gap", longest_gap), ("gate", gate)):
            if not value > 0:
                raise ValueError(f"{name}: expected a positive number, got {value}.")
        if not birth_time >= 0:
            raise ValueError(f"birth_time: expected 0 seconds or more, got {birth_time}.")
        self.num_lanes = num_lanes
        self.longest_gap = longest_gap
        self.birth_time = birth_time
        self.gate = gate
        self.noise = noise
        self._changes = LaneChanges(num_lanes=num_lanes, margin=lane_change_margin)
        self._tracks: list[_Track] = []
        self._time: float | None = None
        self._size: tuple[int, int] | None = None
        self._horizon: float | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all tracks, for a new source; ids and frames are counted from the beginning."""
        self._next_id = 1
        self._frame = -1
        self._time = None
        self._begin_scene()

    def __call__(self, prediction: LanePrediction, time: float, frame: int | None = None) -> LanePrediction:
        """Take in the lanes of the next frame.

        Args:
            prediction: of one frame; its slots are not used.
            time: of the frame, in seconds.
            frame: its number, which lane changes are told with; None counts the calls.

        Returns:
            The same with the tracks as lanes, left to right, and the lane changes that this frame completed added to
            its events.
        """
        self._frame = self._frame + 1 if frame is None else frame
        step = 0.0 if self._time is None else time - self._time
        if prediction.image_size != self._size or not 0 <= step <= self.longest_gap:
            self._begin_scene()
            step = 0.0
        self._time, self._size = time, prediction.image_size
        grid = _Grid.of(prediction.image_size)
        sightings = [_Sighting.of(lane, grid) for lane in prediction.lanes if len(lane.points) >= 2]
        sightings = [sighting for sighting in sightings if np.isfinite(sighting.columns).sum() >= _FEWEST_ROWS]
        widths = self._road_widths(sightings, grid, step)
        for track in self._tracks:
            track.line.predict(step)
        pairs = self._assign(sightings, widths)
        if not pairs and len(sightings) > 1 and sum(track.is_told for track in self._tracks) > 1:
            self._begin_scene()
        self._correct(pairs, sightings, widths, grid, step)
        self._begin_tracks([s for i, s in enumerate(sightings) if i not in pairs.values()], widths, grid)
        self._end_tracks(widths)
        return self._tell(prediction, grid, time, step)

    def _begin_scene(self) -> None:
        self._tracks = []
        self._horizon = None
        self._changes.reset()

    def _road_widths(self, sightings: Sequence[_Sighting], grid: _Grid, step: float) -> Array:
        """(K,) how wide the road is at each row against the bottom one, from where its lines end."""
        if sightings:
            height = grid.rows[-1]
            farthest = min(float(sighting.lane.points[:, 1].min()) for sighting in sightings) - 0.03 * height
            share = 1.0 if self._horizon is None else 1 - np.exp(-step)
            self._horizon = farthest * share + (self._horizon or 0.0) * (1 - share)
        horizon = 0.4 * grid.rows[-1] if self._horizon is None else self._horizon
        widths: Array = np.clip((grid.rows - horizon) / max(grid.rows[-1] - horizon, 1.0), 0.06, 1.0)
        return widths

    def _assign(self, sightings: Sequence[_Sighting], widths: Array) -> dict[int, int]:
        """Index of each track that was seen -> index of its line."""
        if not sightings or not self._tracks:
            return {}
        tracks = np.stack([np.where(track.line.known, track.line.columns, np.nan) for track in self._tracks])
        lines = np.stack([sighting.columns for sighting in sightings])
        far = _distances(tracks, lines, widths)  # (T, S)
        gate = self.gate * REFERENCE_WIDTH
        rows, columns = linear_sum_assignment(np.minimum(far, 2 * gate))
        return {int(t): int(s) for t, s in zip(rows, columns, strict=True) if far[t, s] < gate}

    def _correct(
        self, pairs: dict[int, int], sightings: Sequence[_Sighting], widths: Array, grid: _Grid, step: float
    ) -> None:
        lines = [self._tracks[t].line for t in pairs]
        off = [sightings[s].columns - line.columns for s, line in zip(pairs.values(), lines, strict=True)]
        slopes = [line.slopes for line in lines]
        nod, turn = common_motion(off, slopes, [line.deviation for line in lines])
        for index, track in enumerate(self._tracks):
            track.line.shift(turn - nod * track.line.slopes)
            if index in pairs:
                track.see(sightings[pairs[index]], grid, step)
            else:
                track.miss(step)

    def _begin_tracks(self, sightings: Sequence[_Sighting], widths: Array, grid: _Grid) -> None:
        at_once = not any(track.is_told for track in self._tracks)
        for sighting in sightings:
            others = [np.where(track.line.known, track.line.columns, np.nan) for track in self._tracks]
            if others:
                near = _distances(np.stack(others), sighting.columns[None], widths).min()
                if near < self.gate * REFERENCE_WIDTH / 2:
                    continue  # a second sighting of a line
            track = _Track(
                LineFilter(sighting.columns, self.noise, widths, grid.together, grid.scale * grid.rows[1]), sighting
            )
            self._tracks.append(track)
            if at_once:
                self._number(track)

    def _number(self, track: _Track) -> None:
        track.number, self._next_id = self._next_id, self._next_id + 1

    def _end_tracks(self, widths: Array) -> None:
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: -track.age):
            if track.gap > min(self.longest_gap, max(track.age, self.birth_time)) + 1e-9:
                continue
            columns = np.where(track.line.known, track.line.columns, np.nan)
            if kept:
                others = np.stack([np.where(other.line.known, other.line.columns, np.nan) for other in kept])
                if _distances(others, columns[None], widths).min() < self.gate * REFERENCE_WIDTH / 4:
                    continue  # two tracks have come to follow one line; the older one goes on
            kept.append(track)
        self._tracks = kept
        for track in kept:
            if not track.is_told and track.gap == 0 and track.age >= self.birth_time - 1e-9 and track.sightings > 1:
                self._number(track)

    def _tell(self, prediction: LanePrediction, grid: _Grid, time: float, step: float) -> LanePrediction:
        told = [track for track in self._tracks if track.is_told]
        crossings = {track.number: track.crossing(grid) for track in told}
        slots, events = self._changes(crossings, time, self._frame, step)
        width = prediction.image_size[1]
        lanes = []
        for track in sorted(told, key=lambda track: crossings[track.number]):
            slot = slots[track.number]
            lane = track.lane(grid, width, prediction.row_anchors, slot, self.longest_gap) if slot else None
            if lane is not None:
                lanes.append(lane)
        return replace(prediction, lanes=tuple(lanes), events=(*prediction.events, *events))


@dataclass(frozen=True, eq=False)
class _Grid:
    """The rows at which lines are followed.

    Attributes:
        rows: (K,) y in pixels, from the top down.
        scale: from pixels of the picture to those of the filter.
        together: (K, K) correlation of neighbouring rows.
    """

    rows: Array
    scale: float
    together: Array

    @classmethod
    def of(cls, image_size: tuple[int, int], reach: float = 0.25) -> _Grid:
        height, width = image_size
        rows = np.linspace(0.0, height - 1.0, _NUM_ROWS)
        apart = np.subtract.outer(rows, rows) / (reach * height)
        return cls(rows, REFERENCE_WIDTH / width, np.exp(-(apart**2)) + 1e-6 * np.eye(_NUM_ROWS))


@dataclass(frozen=True, eq=False)
class _Sighting:
    """A line as one frame shows it: its (K,) columns and confidences at the grid's rows, NaN where it is not."""

    lane: Lane
    columns: Array
    confidences: Array

    @classmethod
    def of(cls, lane: Lane, grid: _Grid) -> _Sighting:
        points = lane.points
        confidences = lane.point_confidences
        if confidences is None:
            confidences = np.full(len(points), lane.confidence)
        if (np.diff(points[:, 1]) < 0).all():
            rows, columns = points[::-1, 1], points[::-1, 0]
            sure = np.interp(grid.rows, rows, confidences[::-1])
            columns, sure = _drawn_on(
                np.interp(grid.rows, rows, columns, left=np.nan, right=np.nan), sure, points, grid
            )
        else:  # not from near to far throughout
            columns = sample_at_rows(points, grid.rows)
            sure = np.full(len(columns), float(confidences.mean()))
        return cls(lane, columns * grid.scale, sure)


class _Track:
    """A line over time.

    Attributes:
        line: its course.
        number: its track id, from 1; 0 while it is not told.
        age: seconds from the first to the latest sighting.
        gap: seconds since the latest sighting.
        sightings: how often it was seen.
    """

    def __init__(self, line: LineFilter, sighting: _Sighting) -> None:
        self.line = line
        self.number = 0
        self.age = 0.0
        self.gap = 0.0
        self.sightings = 1
        points = sighting.lane.points
        self._far, self._near = float(points[:, 1].min()), float(points[:, 1].max())
        self._confidence = sighting.lane.confidence
        self._sure = sighting.confidences.copy()
        self._unseen = np.zeros(len(self._sure))  # seconds for which each row was not seen
        self._line_type: LaneType | None = sighting.lane.line_type

    @property
    def is_told(self) -> bool:
        return self.number > 0

    def see(self, sighting: _Sighting, grid: _Grid, step: float) -> None:
        del grid
        passed = step + self.gap
        self.line.correct(sighting.columns, sighting.confidences, passed)
        share = 1 - np.exp(-passed / 0.15)
        points, confidence = sighting.lane.points, sighting.lane.confidence
        self._far += share * (float(points[:, 1].min()) - self._far)
        self._near += share * (float(points[:, 1].max()) - self._near)
        self._confidence += share * (confidence - self._confidence)
        seen = np.isfinite(sighting.columns)
        self._sure[seen] += share * (sighting.confidences[seen] - self._sure[seen])
        self._unseen = np.where(seen, 0.0, self._unseen + step)
        self.line.known &= self._unseen <= _STALE
        self.age, self.gap, self.sightings = self.age + passed, 0.0, self.sightings + 1
        self._line_type = sighting.lane.line_type or self._line_type

    def miss(self, step: float) -> None:
        self.gap += step
        self._unseen += step

    def crossing(self, grid: _Grid) -> float:
        """Where it crosses the bottom row, drawn on straight if it ends above, as a share of the picture's width."""
        rows = np.flatnonzero(self.line.known)
        last = rows[-1]
        columns = self.line.columns
        if last == len(columns) - 1:
            return float(columns[last]) / REFERENCE_WIDTH
        first = max(rows[0], last - max(1, round(0.3 * (last - rows[0]))))
        slope = (columns[last] - columns[first]) / max(last - first, 1)
        return float(columns[last] + slope * (len(columns) - 1 - last)) / REFERENCE_WIDTH

    def lane(
        self, grid: _Grid, width: int, anchors: NDArray[np.float64] | None, slot: int, longest_gap: float
    ) -> Lane | None:
        """What is told of it; None if nothing of it is in the picture."""
        known = np.flatnonzero(self.line.known)
        height = grid.rows[-1] + 1
        if anchors is None:
            spacing = max(1.0, height * _ROW_SPACING)
            rows = np.arange(height - 1, -1.0, -spacing)
        else:
            rows = np.sort(np.asarray(anchors, dtype=np.float64))[::-1]
        rows = rows[(rows <= self._near + 1e-6) & (rows >= self._far - 1e-6)]
        if len(known) < _FEWEST_ROWS or len(rows) < 2:
            return None
        span = slice(known[0], known[-1] + 1)
        at = grid.rows[span]
        columns = CubicSpline(at, self.line.columns[span], bc_type="natural")(rows) / grid.scale
        inside = (columns >= 0) & (columns <= width - 1)
        points: Points = np.stack([columns, rows], axis=1)[inside]
        if len(points) < 2:
            return None
        fading = max(0.0, 1 - self.gap / longest_gap)
        sure = np.interp(points[:, 1], at, (self._sure * np.clip(1 - self._unseen / longest_gap, 0, 1))[span])
        return Lane(points, slot, self._confidence * fading, sure, self.number, self._line_type)


def _drawn_on(columns: Array, sure: Array, points: Points, grid: _Grid) -> tuple[Array, Array]:
    """One row more at either end, straight on, so that the line has a course right up to its ends."""
    columns, sure = columns.copy(), sure.copy()
    part = min(len(points), max(3, len(points) // 6))
    seen = np.flatnonzero(np.isfinite(columns))
    if len(seen) == 0:
        return columns, sure
    for row, end in ((seen[0] - 1, points[-part:]), (seen[-1] + 1, points[:part])):
        if 0 <= row < len(columns):
            y = end[:, 1] - end[:, 1].mean()
            slope = (y * end[:, 0]).sum() / max((y * y).sum(), 1e-9)
            columns[row] = end[:, 0].mean() + slope * (grid.rows[row] - end[:, 1].mean())
            sure[row] *= 0.3
    return columns, sure


def _distances(tracks: Array, lines: Array, widths: Array) -> Array:
    """(T, K), (S, K) -> (T, S) mean distance over common rows, as it would be at the bottom row."""
    apart = np.abs(tracks[:, None] - lines)  # (T, S, K)
    common = np.isfinite(apart)
    total = np.where(common, widths, 0.0).sum(axis=2)
    distance = np.where(common, apart, 0.0).sum(axis=2) / np.maximum(total, 1e-9)
    far: Array = np.where(common.sum(axis=2) >= _FEWEST_ROWS, distance, np.inf)
    return far

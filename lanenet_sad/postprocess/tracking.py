"""Lane lines over the frames of a video: identity, smooth courses, bridged gaps and lane changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.postprocess.camera_motion import common_motion
from lanenet_sad.postprocess.lane_changes import LaneChanges
from lanenet_sad.postprocess.line_filter import FilterNoise, LineFilter
from lanenet_sad.postprocess.line_rows import FEWEST_ROWS, REFERENCE_WIDTH, Array, RowGrid, Sighting, distances
from lanenet_sad.postprocess.track import Track

_ROW_SPACING = 10 / 590  # of the picture's height, between the points that are told
# Between two frames that are farther apart than usual, lines come farther from their tracks; but half a lane's width
# away, nothing tells a line from the next one.
_USUAL_STEP = 0.1  # seconds
_FASTEST = 0.3  # of the picture's width a second, by which a line can move aside unforeseen
_HALF_A_LANE = 0.22  # of the picture's width


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

    Attributes:
        scene: grows with every new scene.
    """

    def __init__(
        self,
        *,
        num_lanes: int = 4,
        longest_gap: float = 1.0,
        birth_time: float = 0.1,
        gate: float = 0.14,
        lane_change_margin: float = 0.2,
        noise: FilterNoise | None = None,
    ) -> None:
        """Fix the settings.

        Args:
            num_lanes: lane slots; lines beyond the outermost are followed, but not told.
            longest_gap: seconds for which a line may be hidden; also between two frames, before a new scene begins.
            birth_time: seconds for which a new line has to be seen before it is told, in 2 frames at least.
            gate: how far a line may lie from its track, at the bottom row, as a share of the picture's width; at less
                than 10 frames a second it grows, up to half a lane.
            lane_change_margin: share of the lane's width that the camera must be past a line before the lane is
                taken to have changed, so that a car that drives on a line does not change it all the time.
            noise: how much lines move and how badly they are seen; None takes the defaults.

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
        self.noise = noise or FilterNoise()
        self._changes = LaneChanges(num_lanes=num_lanes, margin=lane_change_margin)
        self._told_at: tuple[Array, Array] | None = None  # rows that are told, and how to get there from the grid
        self.reset()

    def reset(self) -> None:
        """Forget all tracks, for a new source; ids and frames are counted from the beginning."""
        self._next_id = 1
        self.scene = 0
        self._frame = -1
        self._time: float | None = None
        self._size: tuple[int, int] | None = None
        self._begin_scene()

    def __call__(self, prediction: LanePrediction, time: float, frame: int | None = None) -> LanePrediction:
        """Take in the lanes of the next frame.

        Args:
            prediction: of one frame; its slots are not used.
            time: of the frame, in seconds.
            frame: its number, which lane changes are told with; None counts the calls.

        Returns:
            The same with the tracks as lanes, left to right, and the lane changes that this frame completed added to
            its events. Points lie in the rows of `row_anchors`, or at even distances.
        """
        self._frame = self._frame + 1 if frame is None else frame
        step = 0.0 if self._time is None else time - self._time
        if prediction.image_size != self._size or not 0 <= step <= self.longest_gap + 1e-6:
            self._begin_scene()
            step, self._told_at = 0.0, None
        self._time, self._size = time, prediction.image_size
        grid = RowGrid.of(prediction.image_size)
        sightings = [Sighting.of(lane, grid) for lane in prediction.lanes if len(lane.points) >= 2]
        sightings = [sighting for sighting in sightings if np.isfinite(sighting.columns).sum() >= FEWEST_ROWS]
        widths = self._road_widths(sightings, grid, step)
        for track in self._tracks:
            track.line.predict(step)
        pairs = self._assign(sightings, widths, step)
        if not pairs and len(sightings) > 1 and sum(track.is_told for track in self._tracks) > 1:
            self._begin_scene()
        self._correct(pairs, sightings, step)
        self._begin_tracks([s for i, s in enumerate(sightings) if i not in pairs.values()], widths, grid)
        self._end_tracks(widths)
        return self._tell(prediction, grid, time, step)

    def _begin_scene(self) -> None:
        self.scene += 1
        self._is_first = True
        self._tracks: list[Track] = []
        self._horizon: float | None = None
        self._changes.reset()

    def _road_widths(self, sightings: Sequence[Sighting], grid: RowGrid, step: float) -> Array:
        """(K,) how wide the road is at each row against the bottom one, from where its lines end."""
        bottom = float(grid.rows[-1])
        if sightings:
            farthest = min(sighting.far for sighting in sightings) - 0.03 * bottom
            share = 1.0 if self._horizon is None else 1 - float(np.exp(-step))
            self._horizon = farthest * share + (self._horizon or 0.0) * (1 - share)
        horizon = 0.4 * bottom if self._horizon is None else self._horizon
        widths: Array = np.clip((grid.rows - horizon) / max(bottom - horizon, 1.0), 0.06, 1.0)
        return widths

    def _assign(self, sightings: Sequence[Sighting], widths: Array, step: float) -> dict[int, int]:
        """Index of each track that was seen -> index of its line."""
        if not sightings or not self._tracks:
            return {}
        tracks = np.stack([track.course for track in self._tracks])
        far = distances(tracks, np.stack([sighting.columns for sighting in sightings]), widths)  # (T, S)
        gate = max(self.gate, min(self.gate + _FASTEST * max(0.0, step - _USUAL_STEP), _HALF_A_LANE)) * REFERENCE_WIDTH
        rows, columns = linear_sum_assignment(np.minimum(far, 2 * gate))
        return {int(t): int(s) for t, s in zip(rows, columns, strict=True) if far[t, s] < gate}

    def _correct(self, pairs: dict[int, int], sightings: Sequence[Sighting], step: float) -> None:
        seen = [(self._tracks[t].line, sightings[s].columns) for t, s in pairs.items()]
        off = [columns - line.columns for line, columns in seen]
        nod, turn = common_motion(
            off, [line.slopes for line, _ in seen], [line.deviation for line, _ in seen], self.noise
        )
        for index, track in enumerate(self._tracks):
            track.line.shift(turn - nod * track.line.slopes)
            if index in pairs:
                track.see(sightings[pairs[index]], step)
            else:
                track.miss(step)

    def _begin_tracks(self, sightings: Sequence[Sighting], widths: Array, grid: RowGrid) -> None:
        at_once, self._is_first = self._is_first, False
        for sighting in sightings:
            if self._tracks:
                others = np.stack([track.course for track in self._tracks])
                if distances(others, sighting.columns[None], widths).min() < self.gate * REFERENCE_WIDTH / 2:
                    continue  # a second sighting of a line
            track = Track(LineFilter(sighting.columns, self.noise, widths, grid), sighting)
            self._tracks.append(track)
            if at_once:
                self._number(track)

    def _number(self, track: Track) -> None:
        track.number, self._next_id = self._next_id, self._next_id + 1

    def _end_tracks(self, widths: Array) -> None:
        """Ends what was not seen for too long; of two tracks that have come to follow one line the older goes on."""
        kept = [
            track
            for track in sorted(self._tracks, key=lambda track: -track.age)
            if track.gap <= min(self.longest_gap, max(track.age, self.birth_time)) + 1e-9
        ]
        if len(kept) > 1:
            courses = np.stack([track.course for track in kept])
            near = distances(courses, courses, widths) < self.gate * REFERENCE_WIDTH / 4
            kept = [track for index, track in enumerate(kept) if not near[index, :index].any()]
        self._tracks = kept
        for track in kept:
            ripe = track.gap == 0 and track.age >= self.birth_time - 1e-9 and track.num_sightings > 1
            if ripe and not track.is_told:
                self._number(track)

    def _tell(self, prediction: LanePrediction, grid: RowGrid, time: float, step: float) -> LanePrediction:
        crossings = {track.number: track.crossing for track in self._tracks if track.is_told}
        told = sorted((track for track in self._tracks if track.is_told), key=lambda track: crossings[track.number])
        slots, events = self._changes(crossings, time, self._frame, step)
        lanes = []
        if told:
            rows, spline = self._rows_to_tell(prediction.row_anchors, grid)
            columns = np.stack([track.line.columns for track in told]) @ spline.T / grid.scale  # (T, R)
            for track, course in zip(told, columns, strict=True):
                fading = max(0.0, 1 - track.gap / self.longest_gap)
                lane = track.lane(
                    course, rows, grid.rows, prediction.image_size[1], fading, is_free=prediction.row_anchors is None
                )
                if lane is not None and slots[track.number] is not None:
                    lanes.append(replace(lane, slot=slots[track.number]))
        return replace(prediction, lanes=tuple(lanes), events=(*prediction.events, *events))

    def _rows_to_tell(self, anchors: NDArray[np.float64] | None, grid: RowGrid) -> tuple[Array, Array]:
        """(R,) rows that get a point, near to far, and (R, K) that takes the grid's columns there."""
        if anchors is None:
            height = grid.rows[-1] + 1
            rows = np.arange(height - 1, -1.0, -max(1.0, height * _ROW_SPACING))
        else:
            rows = np.sort(np.asarray(anchors, dtype=np.float64))[::-1]
        if self._told_at is None or not np.array_equal(self._told_at[0], rows):
            self._told_at = rows, grid.smooth_at(rows)
        return self._told_at

"""The course of one lane line over time: a Kalman filter on where it crosses fixed rows of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.postprocess.line_rows import Array, RowGrid

_UNKNOWN = 1e6  # variance of a row where the line has not been seen, in square pixels
_SCALES = (0.1, 400.0)  # between which the variance of a row's sightings is learnt, in units of the setting
_PERSISTENCE = 0.35  # share of the latest surprise in their mean
_CHANCE = 0.2  # product of two surprises that noise alone may have
_FARTHEST_OFF = 4.0  # standard deviations beyond which a surprise is no larger
_BEND = 0.2  # columns at a fifth of the width, by which a road bends whose bend is told as 1
_STEEPEST = 5.0  # columns per row up to which a line that runs across the picture counts as seen worse


@dataclass(frozen=True, kw_only=True)
class FilterNoise:
    """How much lines move and how badly they are seen, in pixels at a picture width of 1640, at the bottom row.

    Attributes:
        sighting: standard deviation of where a line is seen to cross a row.
        farthest: the same at the horizon, as a share; between the two it grows with the width of the road.
        alike: share of its variance that neighbouring rows have in common.
        reach: over how much of the picture's height neighbouring rows have something in common.
        wander: by how much a line moves or bends aside in a second without going on in that way.
        acceleration: by how much the speed of a line changes in a second, in pixels per second.
        memory: seconds over which a speed that nothing confirms fades.
        outlier: standard deviations from which on a sighting counts less.
        learning: seconds over which a row's own noise is learnt from how much its sightings scatter.
        haste: how much more motion is expected of a line that is off to one side all the time.
        nod: rows, as a share of the picture's height, by which the camera nods between two frames.
        turn: by how much the picture moves aside between two frames as the camera turns.
    """

    sighting: float = 8.0
    farthest: float = 0.25
    alike: float = 0.8
    reach: float = 0.25
    wander: float = 8.0
    acceleration: float = 40.0
    memory: float = 0.6
    outlier: float = 2.5
    learning: float = 1.0
    nod: float = 0.002
    haste: float = 20.0
    turn: float = 1.0


class LineFilter:
    """One line: its columns at fixed rows and the speeds of turning, of moving aside and of bending.

    All columns are pixels at a picture width of 1640. Rows wander together with their neighbours, so that a row that
    is hidden for a while follows those beside it. The rows at which the line is seen may be others in every frame, and
    how much each row's sightings scatter is learnt.

    Attributes:
        known: (K,) the rows from the line's far end to its near end.
        columns: (K,) where it crosses the rows; beyond its ends it goes straight on.
        slopes: (K,) by how much the columns change from one row to the next.
        deviation: (K,) standard deviation of the next sighting from `columns`.
    """

    def __init__(self, columns: Array, noise: FilterNoise, widths: Array, grid: RowGrid) -> None:
        """Begin a line.

        Args:
            columns: (K,) where it crosses the rows; NaN where it is not seen.
            noise: settings.
            widths: (K,) of the road at the rows, as a share of that at the bottom.
            grid: the rows.
        """
        self._noise, self._spacing = noise, grid.spacing
        # How the columns move with each speed: as the camera turns, as the car moves aside, as the road bends.
        self._modes = np.stack([np.ones_like(widths), widths, _BEND * (1 / widths - 1)], axis=1)  # (K, 3)
        speeds = np.diag(np.square([noise.acceleration / 4, noise.acceleration, noise.acceleration / 4]))
        count = self._count = len(columns)
        spread = noise.farthest + (1 - noise.farthest) * widths  # (K,)
        together = grid.together(noise.reach)
        self._alike = noise.alike * together + (1 - noise.alike) * np.eye(count)
        self._usual = (noise.sighting * spread) ** 2
        size = count + len(speeds)
        self._moves = np.zeros((size, size))  # process noise of one second
        self._moves[:count, :count] = noise.wander**2 * np.outer(spread, spread) * together
        self._moves[count:, count:] = speeds
        self._scale = np.ones(count)
        self._drift = 0.0  # mean of the latest surprises, in standard deviations
        self._before = np.stack([columns, np.full(count, np.nan)])  # the two latest sightings
        self._unseen = np.zeros(count)  # seconds for which each row was not seen
        self.known = _filled(np.isfinite(columns))
        self._state = np.zeros(size)
        rows = np.flatnonzero(np.isfinite(columns))
        self._state[:count] = np.interp(np.arange(count), rows, columns[rows])
        variance = np.where(self.known, self._usual, _UNKNOWN)
        self._covariance = np.diag(np.concatenate([variance, np.diagonal(speeds)]))
        self._kalman = cv2.KalmanFilter(size, count, 0, cv2.CV_64F)
        self._transition, self._rows = np.eye(size), np.eye(size)
        self.columns: Array = self._state[:count]
        self._look()

    def predict(self, step: float) -> None:
        """Move on by `step` seconds."""
        count, fading = self._count, float(np.exp(-step / self._noise.memory))
        travel = self._noise.memory * (1 - fading)
        self._transition[:count, count:] = travel * self._modes
        self._transition[count:, count:] = fading * np.eye(self._modes.shape[1])
        kalman = self._kalman
        kalman.statePost, kalman.errorCovPost = self._state[:, None], self._covariance
        kalman.transitionMatrix, kalman.processNoiseCov = self._transition, self._moves * step
        kalman.predict()
        self._state, self._covariance = np.array(kalman.statePre[:, 0]), np.array(kalman.errorCovPre)
        self._look()

    def shift(self, by: Array) -> None:
        """Move the line by (K,) pixels, as all lines of the picture moved."""
        self._state[: self._count] += by
        self._before = self._before + by
        self.columns = self.columns + by

    def correct(self, columns: Array, confidences: Array, step: float, *, stale: float) -> None:
        """Take in one sighting.

        Args:
            columns: (K,) where the line crosses the rows; NaN where it is not seen.
            confidences: (K,) how sure each is, 0..1.
            step: seconds since the last frame.
            stale: seconds of sightings after which a row that they do not have is no longer part of the line.
        """
        is_seen = np.isfinite(columns)
        seen = np.flatnonzero(is_seen)
        self._begin_rows(np.flatnonzero(is_seen & ~self.known), columns)
        self._learn(columns, step)
        variance = (self._usual * self._oblique * self._scale)[seen] / np.clip(confidences[seen], 0.05, 1.0)
        surprise = columns[seen] - self._state[seen]
        self._hurry(surprise / np.sqrt(self._covariance[seen, seen] + variance), step)
        expected = self._covariance[seen, seen] + variance
        deviation = np.sqrt(variance * np.maximum(surprise**2 / (self._noise.outlier**2 * expected), 1.0))
        kalman = self._kalman
        kalman.statePre, kalman.errorCovPre = self._state[:, None], self._covariance
        kalman.measurementMatrix = self._rows[seen]
        # What a network gets wrong it gets wrong in neighbouring rows alike.
        kalman.measurementNoiseCov = deviation[:, None] * deviation * self._alike[np.ix_(seen, seen)]
        kalman.correct(columns[seen, None])
        self._state, self._covariance = np.array(kalman.statePost[:, 0]), np.array(kalman.errorCovPost)
        self._unseen = np.where(is_seen, 0.0, self._unseen + step)
        self.known = _filled(is_seen | (self.known & (self._unseen <= stale)))
        self._look()

    def _hurry(self, surprises: Array, step: float) -> None:
        """Expect more motion of a line that is off to the same side in one frame after the other.

        Noise is not, so that what scatters is smoothed and what moves is followed.
        """
        surprise = float(np.clip(surprises, -_FARTHEST_OFF, _FARTHEST_OFF).mean())
        haste = self._noise.haste * max(0.0, self._drift * surprise - _CHANCE)
        self._drift += _PERSISTENCE * (surprise - self._drift)
        if haste:
            self._covariance = self._covariance + self._moves * (step * haste)

    def _look(self) -> None:
        """Work out what others see of the line."""
        span = np.flatnonzero(self.known)
        first, last = int(span[0]), int(span[-1])
        columns = self._state[: self._count].copy()
        slopes = np.empty(self._count)
        slopes[first + 1 : last] = (columns[first + 2 : last + 1] - columns[first : last - 1]) / 2
        if last > first:
            slopes[: first + 1], slopes[last:] = columns[first + 1] - columns[first], columns[last] - columns[last - 1]
        else:
            slopes[:] = 0.0
        columns[:first] = columns[first] - slopes[first] * np.arange(first, 0, -1)
        columns[last + 1 :] = columns[last] + slopes[last] * np.arange(1, self._count - last)
        self.columns, self.slopes = columns, slopes
        self._oblique = 1 + np.minimum((slopes / self._spacing) ** 2, _STEEPEST**2)
        variance = self._usual * self._oblique * self._scale + np.diagonal(self._covariance)[: self._count]
        self.deviation = np.sqrt(variance)

    def _learn(self, columns: Array, step: float) -> None:
        """Take the scatter of a row's sightings from how they bend over time, which no steady motion does."""
        bend = (columns - 2 * self._before[0] + self._before[1]) ** 2 / 6  # of white noise: its variance
        self._before = np.stack([columns, self._before[0]])
        share = min(1.0, step / self._noise.learning)
        found = np.clip(bend / (self._usual * self._oblique), *_SCALES)
        # In logarithms: a line that jumps once does not scatter.
        scale = self._scale * (found / self._scale) ** share
        self._scale = np.where(np.isfinite(bend), scale, self._scale)

    def _begin_rows(self, rows: NDArray[np.intp], columns: Array) -> None:
        """Begin anew at rows where the line was not seen before."""
        if len(rows):
            self._state[rows] = columns[rows]
            self._covariance[rows, :] = 0.0
            self._covariance[:, rows] = 0.0
            self._covariance[rows, rows] = _UNKNOWN


def _filled(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(K,) all rows between the first and the last that are true."""
    where = np.flatnonzero(rows)
    filled = np.zeros(len(rows), dtype=bool)
    filled[where[0] : where[-1] + 1] = True
    return filled

"""The course of one lane line over time: a Kalman filter on where it crosses fixed rows of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

#: Width in pixels to which columns are scaled inside, so that the noise settings hold for every picture.
REFERENCE_WIDTH = 1640.0
_UNKNOWN = 1e6  # variance of a row where the line has not been seen, in square pixels
_LARGEST_SCALE = 400.0  # up to which the variance of a row's measurements is learnt, in units of the setting


@dataclass(frozen=True, kw_only=True)
class FilterNoise:
    """How much lines move and how badly they are seen, in pixels at a picture width of 1640, at the bottom row.

    Attributes:
        measurement: standard deviation of one sighting of a line where it crosses a row.
        farthest: the same at the horizon, as a share; between the two it grows with the width of the road.
        wander: by how much a line moves or bends aside in a second without going on in that way.
        reach: over how much of the picture's height neighbouring rows wander together.
        acceleration: by how much the speed of a line changes in a second, in pixels per second.
        memory: seconds over which a speed that nothing confirms fades.
        outlier: standard deviations from which on a sighting counts less.
        learning: seconds over which a row's own noise is learnt from how much its sightings scatter.
    """

    measurement: float = 4.0
    farthest: float = 0.25
    wander: float = 12.0
    reach: float = 0.25
    acceleration: float = 60.0
    memory: float = 0.6
    outlier: float = 2.5
    learning: float = 1.0


class LineFilter:
    """One line: its columns at fixed rows and two speeds, that of turning and that of moving aside.

    All columns are pixels at a picture width of 1640. Rows wander together with their neighbours, so that a row that
    is hidden for a while follows those beside it. What is measured may be other rows in every frame.
    """

    def __init__(self, columns: Array, noise: FilterNoise, widths: Array, together: Array, row_height: float) -> None:
        """Begin a line.

        Args:
            columns: (K,) where it crosses the rows; NaN where it is not seen.
            noise: settings.
            widths: (K,) of the road at the rows, as a share of that at the bottom.
            together: (K, K) correlation of the rows' wandering.
            row_height: distance of two rows, in the pixels of the columns.
        """
        self._noise, self._widths, self._together = noise, widths, together
        self._spread = noise.farthest + (1 - noise.farthest) * widths  # (K,)
        self._row_height = row_height
        count = len(columns)
        self._count = count
        self._kalman = cv2.KalmanFilter(count + 2, count, 0, cv2.CV_64F)
        self._moves = np.zeros((count + 2, count + 2))  # process noise of one second
        self._moves[:count, :count] = noise.wander**2 * np.outer(self._spread, self._spread) * together
        self._moves[count:, count:] = np.diag([(noise.acceleration / 4) ** 2, noise.acceleration**2])
        self._scale = np.ones(count)
        self._before = np.full((2, count), np.nan)  # the two latest sightings
        self._before[0] = columns
        self.known = np.isfinite(columns)
        rows = np.arange(count)
        state = np.zeros((count + 2, 1))
        state[:count, 0] = np.interp(rows, rows[self.known], columns[self.known])
        variance = np.where(self.known, (noise.measurement * self._spread) ** 2, _UNKNOWN)
        covariance = np.diag([*variance, (noise.acceleration / 4) ** 2, noise.acceleration**2])
        self._kalman.statePost, self._kalman.errorCovPost = state, covariance

    @property
    def columns(self) -> Array:
        """(K,) where the line crosses the rows; outside of the rows where it has been seen a mere guess."""
        return np.asarray(self._kalman.statePost[: self._count, 0], dtype=np.float64)

    @property
    def slopes(self) -> Array:
        """(K,) by how much the columns change from one row to the next; beyond the known rows as at their ends."""
        span = np.flatnonzero(self.known)
        inside = slice(span[0], span[-1] + 1)
        slopes = np.zeros(self._count)
        if span[-1] > span[0]:
            slopes[inside] = np.gradient(self.columns[inside])
            slopes[: span[0]], slopes[span[-1] + 1 :] = slopes[span[0]], slopes[span[-1]]
        return slopes

    @property
    def deviation(self) -> Array:
        """(K,) standard deviation of the next sighting from what is expected."""
        usual = (self._noise.measurement * self._spread) ** 2 * self._oblique() * self._scale
        deviation: Array = np.sqrt(usual + np.diagonal(self._kalman.errorCovPre)[: self._count])
        return deviation

    def _oblique(self) -> Array:
        """(K,) how much larger the variance of a line's columns is where it runs across the picture."""
        return 1 + np.minimum((self.slopes / self._row_height) ** 2, 25.0)

    def predict(self, step: float) -> None:
        """Move on by `step` seconds."""
        count, fading = self._count, float(np.exp(-step / self._noise.memory))
        travel = self._noise.memory * (1 - fading)
        transition = np.eye(count + 2)
        transition[:count, count] = travel
        transition[:count, count + 1] = travel * self._widths
        transition[count, count] = transition[count + 1, count + 1] = fading
        self._kalman.transitionMatrix = transition
        self._kalman.processNoiseCov = self._moves * step
        self._kalman.predict()
        # cv2's own copy holds only after a correction
        self._kalman.statePost = self._kalman.statePre
        self._kalman.errorCovPost = self._kalman.errorCovPre

    def shift(self, by: Array) -> None:
        """Move the line by (K,) pixels, as all lines of the picture moved."""
        state = self._kalman.statePost.copy()
        state[: self._count, 0] = self.columns + by
        self._before = self._before + by
        self._kalman.statePost = self._kalman.statePre = state

    def correct(self, columns: Array, confidences: Array, step: float) -> None:
        """Take in one sighting.

        Args:
            columns: (K,) where the line crosses the rows; NaN where it is not seen.
            confidences: (K,) how sure each is, 0..1.
            step: seconds since the last one.
        """
        seen = np.flatnonzero(np.isfinite(columns))
        if len(seen) == 0:
            return
        noise, kalman = self._noise, self._kalman
        fresh = seen[~self.known[seen]]
        if len(fresh):
            self._forget(fresh, columns[fresh])
        self._learn(columns, step)
        usual = (noise.measurement * self._spread) ** 2 * self._oblique()
        variance = usual[seen] / np.clip(confidences[seen], 0.05, 1.0)
        state, covariance = kalman.statePre, kalman.errorCovPre
        surprise = columns[seen] - state[seen, 0]
        uncertainty = np.diagonal(covariance)[seen]
        scale = self._scale[seen]
        excess = surprise**2 / (noise.outlier**2 * (uncertainty + variance * scale))
        used = np.zeros((len(seen), self._count + 2))
        used[np.arange(len(seen)), seen] = 1.0
        kalman.measurementMatrix = used
        deviation = np.sqrt(variance * scale * np.maximum(excess, 1.0))
        # What a network gets wrong it gets wrong in neighbouring rows alike.
        alike = 0.2 * np.eye(len(seen)) + 0.8 * self._together[np.ix_(seen, seen)]
        kalman.measurementNoiseCov = deviation[:, None] * deviation * alike
        kalman.correct(np.ascontiguousarray(columns[seen, None]))
        self.known[seen] = True

    def _learn(self, columns: Array, step: float) -> None:
        """Take the scatter of a row's sightings from how they bend over time, which no steady motion does."""
        bend = (columns - 2 * self._before[0] + self._before[1]) ** 2 / 6  # of white noise: its variance
        self._before = np.stack([columns, self._before[0]])
        usual = (self._noise.measurement * self._spread) ** 2 * self._oblique()
        share = min(1.0, step / self._noise.learning)
        scale = self._scale * (np.clip(bend / usual, 0.1, _LARGEST_SCALE) / self._scale) ** share
        self._scale = np.where(np.isfinite(bend), scale, self._scale)

    def _forget(self, rows: NDArray[np.intp], columns: Array) -> None:
        """Begin anew at rows where the line was not seen before."""
        state, covariance = self._kalman.statePre.copy(), self._kalman.errorCovPre.copy()
        state[rows, 0] = columns
        covariance[rows, :] = 0.0
        covariance[:, rows] = 0.0
        covariance[rows, rows] = _UNKNOWN
        self._kalman.statePre, self._kalman.errorCovPre = state, covariance

"""The fixed rows of a picture at which lane lines are compared and followed over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane

Array: TypeAlias = NDArray[np.float64]

#: Width in pixels to which columns are scaled, so that settings hold for pictures of every size.
REFERENCE_WIDTH = 1640.0
FEWEST_ROWS = 2  # that two lines must share to be compared
_NUM_ROWS = 25
_END = 3  # points whose mean says where a line goes on
_DRAWN_ON = 0.3  # how sure a row is into which a line is drawn on, against its end


@dataclass(frozen=True, eq=False)
class RowGrid:
    """The rows of one picture size.

    Attributes:
        rows: (K,) y in pixels, from the top of the picture to its bottom at equal distances.
        scale: from pixels of the picture to those of `REFERENCE_WIDTH`.
        spacing: distance of two rows, in pixels of `REFERENCE_WIDTH`.
    """

    rows: Array
    scale: float
    spacing: float

    @staticmethod
    @lru_cache(maxsize=4)
    def of(image_size: tuple[int, int]) -> RowGrid:
        """The grid of pictures of one (height, width)."""
        height, width = image_size
        rows, scale = np.linspace(0.0, max(height - 1.0, 1.0), _NUM_ROWS), REFERENCE_WIDTH / width
        return RowGrid(rows, scale, float(rows[1]) * scale)

    def together(self, reach: float) -> Array:
        """(K, K) correlation of rows that fades over `reach`, a share of the picture's height."""
        apart = np.subtract.outer(self.rows, self.rows) / (max(reach, 1e-3) * self.rows[-1])
        correlation: Array = np.exp(-(apart**2)) + 1e-6 * np.eye(len(self.rows))
        return correlation

    def smooth_at(self, rows: Array) -> Array:
        """(R, K) that takes (K,) columns at the grid's rows to those at other rows, by a natural cubic spline."""
        spline: Array = CubicSpline(self.rows, np.eye(len(self.rows)), bc_type="natural")(rows)
        return spline


@dataclass(frozen=True, eq=False)
class Sighting:
    """A line as one frame shows it.

    Attributes:
        lane: as it came.
        columns: (K,) where it crosses the grid's rows, in pixels of `REFERENCE_WIDTH`; NaN where it does not. At
            either end it goes straight on to one row more, so that it has a course right up to its ends.
        confidences: (K,) how sure that is, 0..1.
        far: its highest row, in pixels of the picture.
        near: its lowest one.
    """

    lane: Lane
    columns: Array
    confidences: Array
    far: float
    near: float

    @classmethod
    def of(cls, lane: Lane, grid: RowGrid) -> Sighting:
        """Look at a lane of two points or more."""
        points, sure = lane.points, lane.point_confidences
        x, y = points.T
        if bool((y[1:] < y[:-1]).all()):
            columns = np.interp(grid.rows, y[::-1], x[::-1], left=np.nan, right=np.nan)
        else:  # not from near to far throughout
            columns = sample_at_rows(points, grid.rows)
            order = np.argsort(-y, kind="stable")
            points, sure = points[order], None if sure is None else sure[order]
            y = points[:, 1]
        if sure is None:
            confidences = np.full(len(grid.rows), lane.confidence)
        else:
            confidences = np.interp(grid.rows, y[::-1], sure[::-1])
        seen = np.flatnonzero(np.isfinite(columns))
        if len(seen) and len(points) >= 2 * _END:
            for row, part in ((seen[0] - 1, points[: -2 * _END - 1 : -1]), (seen[-1] + 1, points[: 2 * _END])):
                if 0 <= row < len(columns):
                    end, inner = part.reshape(2, _END, 2).sum(axis=1) / _END
                    rise = end[1] - inner[1]
                    slope = (end[0] - inner[0]) / rise if rise else 0.0
                    columns[row] = end[0] + slope * (grid.rows[row] - end[1])
                    confidences[row] *= _DRAWN_ON
        return cls(lane, columns * grid.scale, confidences, float(y[-1]), float(y[0]))


def distances(some: Array, others: Array, widths: Array) -> Array:
    """How far lines lie apart: the mean over the rows that both have, as it would be at the bottom row.

    Args:
        some: (T, K) columns, NaN where there is none.
        others: (S, K).
        widths: (K,) of the road at the rows, as a share of that at the bottom.

    Returns:
        (T, S) in pixels of `REFERENCE_WIDTH`; infinite for lines that share less than two rows.
    """
    apart = np.abs(some[:, None] - others)  # (T, S, K)
    common = np.isfinite(apart)
    total = common @ widths
    mean = np.where(common, apart, 0.0).sum(axis=2) / np.maximum(total, 1e-9)
    far: Array = np.where(common.sum(axis=2) >= FEWEST_ROWS, mean, np.inf)
    return far

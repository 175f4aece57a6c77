"""How far predicted lanes lie from their labels, by image row, and over which rows they are there at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import FloatArray, sample_at_rows
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.visualization.error_figures import FrameOutcome

NUM_BANDS = 20
_ROWS_IN_BAND = 6

_STEP = 0.1  # pixels; distances are rounded to it
_MAX_STEPS = 4096

#: Ends of lanes that differ by more than this share of the picture's height are too early or too late.
END_TOLERANCE = 0.03


class RowErrors:
    """Distances along image rows between found label lanes and their predictions, by band of rows.

    Every picture is cut into `NUM_BANDS` bands of equal height with `_ROWS_IN_BAND` rows looked at in each. Rows
    where a lane lies outside the picture do not count.
    """

    def __init__(self) -> None:
        self._distances: dict[int | None, _Distances] = {None: _Distances()}  # by slot; None: all lanes
        # (B, 4) rows of label lanes: found; found lane, prediction not there; lane not found; prediction alone.
        self._rows = np.zeros((NUM_BANDS, 4), dtype=np.int64)
        self._ends = np.zeros((2, 3), dtype=np.int64)  # far and near end: too short, as the label, too long
        self._gaps = np.zeros((2, 2))  # far and near end: sum and sum of absolute values, in pixels
        self._heights: set[int] = set()

    def add(self, prediction: LanePrediction, truth: LanePrediction, outcome: FrameOutcome, scale: float) -> None:
        """Adds one image.

        Args:
            prediction: its lanes are joined by straight lines, and their points are finite.
            truth: likewise.
            outcome: which lanes belong together.
            scale: turns pixels of the image into those in which distances are told.
        """
        height, width = truth.image_size
        if len(self._heights) < 2:
            self._heights.add(height)
        num_rows = NUM_BANDS * _ROWS_IN_BAND
        # Pixel 0 is where y is 0, so that the picture ends half a pixel above it.
        rows = np.asarray((np.arange(num_rows) + 0.5) * (height / num_rows) - 0.5, dtype=np.float64)
        for lane, partner, found in zip(truth.lanes, outcome.partners, outcome.found, strict=True):
            label_x = _x_inside(lane, rows, width)  # (R,)
            label = np.isfinite(label_x)
            if not found:
                self._rows[:, 2] += _by_band(label)
                continue
            found_x = _x_inside(prediction.lanes[partner], rows, width)
            predicted = np.isfinite(found_x)
            for column, there in ((0, label & predicted), (1, label & ~predicted), (3, predicted & ~label)):
                self._rows[:, column] += _by_band(there)
            both = label & predicted
            distances = (found_x[both] - label_x[both]) * scale
            bands = np.flatnonzero(both) // _ROWS_IN_BAND
            for slot in {None, lane.slot}:
                self._distances.setdefault(slot, _Distances()).add(bands, distances)
            if label.any() and predicted.any():
                self._add_ends(rows[label], rows[predicted], height, scale)

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON can hold them, bands from the top of the picture to its bottom."""
        slots = sorted(slot for slot in self._distances if slot is not None)
        columns = ("found", "too_short", "missed", "too_long")
        share = 1 / NUM_BANDS
        bands = [
            {
                "from": round(band * share, 6),
                "to": round((band + 1) * share, 6),
                "rows": dict(zip(columns, self._rows[band].tolist(), strict=True)),
                **self._distances[None].figures(band),
            }
            for band in range(NUM_BANDS)
        ]
        return {
            "image_height": next(iter(self._heights)) if len(self._heights) == 1 else None,
            "rows_in_band": _ROWS_IN_BAND,
            "bands": bands,
            "all": self._distances[None].figures(),
            "slots": {
                str(slot): {
                    "all": self._distances[slot].figures(),
                    "bands": [self._distances[slot].figures(band) for band in range(NUM_BANDS)],
                }
                for slot in slots
            },
            "ends": {name: self._end_figures(n) for n, name in enumerate(("far", "near"))},
        }

    def _add_ends(self, label_rows: FloatArray, found_rows: FloatArray, height: int, scale: float) -> None:
        gaps = (found_rows[0] - label_rows[0], label_rows[-1] - found_rows[-1])  # positive: the prediction is short
        for end, gap in enumerate(gaps):
            kind = 0 if gap > END_TOLERANCE * height else 2 if gap < -END_TOLERANCE * height else 1
            self._ends[end, kind] += 1
            self._gaps[end] += (gap * scale, abs(gap) * scale)

    def _end_figures(self, end: int) -> dict[str, Any]:
        number = int(self._ends[end].sum())
        mean, absolute = (float(value) / number if number else None for value in self._gaps[end])
        counts = dict(zip(("too_short", "as_label", "too_long"), self._ends[end].tolist(), strict=True))
        return {**counts, "mean_gap": mean, "mean_absolute_gap": absolute}


class _Distances:
    """Signed distances by band: their sums, and how often each absolute value comes, rounded to 0.1 px."""

    def __init__(self) -> None:
        self._sums = np.zeros((NUM_BANDS, 2))  # of signed and of absolute values
        self._counts = np.zeros((NUM_BANDS, _MAX_STEPS), dtype=np.int64)

    def add(self, bands: NDArray[np.intp], distances: FloatArray) -> None:
        steps = np.rint(np.abs(distances) / _STEP).clip(0, _MAX_STEPS - 1).astype(np.intp)
        np.add.at(self._counts, (bands, steps), 1)
        np.add.at(self._sums, bands, np.stack([distances, np.abs(distances)], axis=1))

    def figures(self, band: int | None = None) -> dict[str, Any]:
        """Mean, median and 90th percentile of one band, or of all."""
        counts = self._counts.sum(axis=0) if band is None else self._counts[band]
        sums = self._sums.sum(axis=0) if band is None else self._sums[band]
        number = int(counts.sum())
        if number == 0:
            return {"num_rows": 0, "bias": None, "mean": None, "median": None, "p90": None}
        below = counts.cumsum()
        median, p90 = (
            round(int(np.searchsorted(below, share * number)) * _STEP, 1) for share in (0.5, 0.9)
        )  # the nearest rank
        bias, mean = (float(value) / number for value in sums)
        return {"num_rows": number, "bias": bias, "mean": mean, "median": median, "p90": p90}


def _x_inside(lane: Lane, rows: FloatArray, width: int) -> FloatArray:
    """(R,) x of a lane at image rows; NaN where it is not, or not inside the picture."""
    x = sample_at_rows(lane.points, rows)
    return np.where((x >= 0) & (x <= width - 1), x, np.nan)


def _by_band(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(R,) -> (B,) how many rows of each band."""
    return np.asarray(there.reshape(NUM_BANDS, _ROWS_IN_BAND).sum(axis=1), dtype=np.int64)

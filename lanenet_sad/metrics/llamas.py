"""The CULane-style score of LLAMAS: F1 of lanes drawn as thick curves, as its official script counts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import sample_at_rows, unrepeated
from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.lanes.llamas_markers import LLAMAS_SIZE
from lanenet_sad.lanes.raster import polyline_patch, whole_pixels
from lanenet_sad.metrics.culane import LaneComparison
from lanenet_sad.metrics.drawn_lanes import DrawnLane
from lanenet_sad.metrics.lane_f1 import LaneF1Metric, LaneF1Score, Look, turned
from lanenet_sad.metrics.llamas_files import pair_llamas_files
from lanenet_sad.metrics.matching import assign
from lanenet_sad.metrics.polyline_files import read_polylines

FloatArray = NDArray[np.float64]

FIRST_ROW = 300  # above it nothing is compared
_ROWS = np.arange(LLAMAS_SIZE[0], dtype=np.float64)
_NUM_SAMPLES = 50


class LLAMASScore(LaneF1Score):
    """The result of `LLAMASMetric`."""

    benchmark = "LLAMAS"


@final
class LLAMASMetric(LaneF1Metric):
    """True positives, false positives and false negatives of LLAMAS's CULane-style script (`culane_metric`, 9b99f46).

    Label lanes are joined from row to row, from row 300 on; predicted lanes are interpolating B-splines at 50 points
    over their whole length. Coordinates are truncated to whole pixels, lanes are drawn 30 px wide on 717x1276 pixels,
    and pairs are those of the largest sum of IoUs.

    Where the official script stops with an error, this goes on: a label lane with fewer than two rows from row 300
    on, and a predicted lane whose points are all one, count and match nothing.

    Args:
        iou_thresholds: at which pairs count; the first one decides the score's `value`.
        lane_width: of the drawn lanes, in pixels.

    Raises:
        ValueError: a threshold is not in [0, 1), or the width is not positive.
    """

    def __init__(self, *, iou_thresholds: Sequence[float] = (0.5,), lane_width: int = 30) -> None:
        super().__init__(iou_thresholds=iou_thresholds, lane_width=lane_width)

    def compare(self, prediction: LanePrediction, truth: LanePrediction) -> LaneComparison:
        """IoUs and pairs of one image; predicted lanes of fewer than two points are left out.

        Label lanes are sampled at the image rows, where labels of LLAMAS have their points.

        Raises:
            ValueError: prediction or truth is not of LLAMAS's size, or a predicted lane has coordinates that no
                spline can join.
        """
        for side, what in ((prediction, "prediction"), (truth, "label")):
            if tuple(side.image_size) != LLAMAS_SIZE:
                expected, got = (f"{height}x{width}" for height, width in (LLAMAS_SIZE, side.image_size))
                raise ValueError(
                    f"LLAMAS {what} of {truth.name or 'an image'}: expected lanes of a picture of {expected} pixels "
                    f"(height x width), got {got}."
                )
        rows = np.array([sample_at_rows(lane.points, _ROWS) for lane in truth.lanes]).reshape(-1, len(_ROWS))
        return self.compare_rows([lane.points for lane in prediction.lanes], rows)

    def compare_rows(self, prediction: Sequence[Points], truth: FloatArray) -> LaneComparison:
        """IoUs and pairs of one image.

        Args:
            prediction: predicted lanes, each (N, 2); those of fewer than two points are left out.
            truth: (L, 717) x of the label lanes at the image rows, negative or NaN where absent; lanes with fewer
                than two rows are left out.

        Raises:
            ValueError: a predicted lane has coordinates that no spline can join.
        """
        labels = [self._drawn(_label_points(x)) for x in truth if (x >= 0).sum() > 1]
        predicted = [self._drawn(predicted_curve(points)) for points in prediction if len(points) > 1]
        ious = np.zeros((len(predicted), len(labels)))  # as the official script has them
        for p, g in np.ndindex(ious.shape):
            ious[p, g] = predicted[p].iou(labels[g])
        ious = np.nan_to_num(ious)
        return LaneComparison(ious.T, turned(assign(ious), len(labels)))

    def compute(self) -> LLAMASScore:
        """The score from the totals of all images so far."""
        return LLAMASScore(*self._figures())

    def _drawn(self, points: Points) -> DrawnLane:
        pixels = whole_pixels(np.trunc(points)) if len(points) > 1 else np.zeros((0, 2), dtype=np.int32)
        return DrawnLane(polyline_patch(pixels, LLAMAS_SIZE, line_width=self.lane_width))


def predicted_curve(points: Points) -> Points:
    """The curve that the official script draws through a predicted lane.

    An interpolating B-spline, cubic where there are points enough, over the chord length; equal neighbours count once.

    Args:
        points: (N, 2).

    Returns:
        (50, 2); the point alone where all are equal.

    Raises:
        ValueError: coordinates are not finite or too large.
    """
    from scipy.interpolate import splev, splprep  # takes a while to import

    points = points[unrepeated(points)]
    if len(points) < 2:
        return points
    with np.errstate(all="ignore"):
        try:
            spline, _ = splprep(list(points.T), s=0, k=min(3, len(points) - 1))
        except ValueError as error:
            raise ValueError(f"LLAMAS lane from {points[0]} to {points[-1]}: no spline goes through it.") from error
        return np.stack(splev(np.linspace(0.0, 1.0, _NUM_SAMPLES), spline), axis=1)


def score_llamas_files(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    iou_thresholds: Sequence[float] = (0.5,),
    lane_width: int = 30,
    allow_missing: bool = False,
    look: Look | None = None,
) -> LLAMASScore:
    """Scores `<recording>/<frame>.lines.txt` files of lanes as `x y x y ...` by LLAMAS's CULane-style rules.

    Args:
        labels: folder of the data set's label files with markers (`labels/valid`), each `<recording>/<frame>.json`; or
            one JSON file with x at the 717 rows by name and lane, `{"<recording>/<frame>": {"l1": [...], ...}}`, -1
            where there is no lane. For the former see `lanes.llamas_markers.parse_llamas_label`.
        predictions: folder of the prediction files; `<frame>_color_rect.lines.txt`, as the picture, is found too.
        names: of the images as `<recording>/<frame>`, or of their files; default: all that have labels.
        iou_thresholds: at which pairs count.
        lane_width: of the drawn lanes, in pixels.
        allow_missing: a prediction file that is not there counts as an image without lanes.
        look: is shown every image.

    Raises:
        FileNotFoundError: a folder or files are missing; the message names the first ones.
        ValueError: a file does not hold what it should; the message names it.
    """
    metric = LLAMASMetric(iou_thresholds=iou_thresholds, lane_width=lane_width)
    for name, truth, path in pair_llamas_files(labels, predictions, names=names, allow_missing=allow_missing):
        lanes = [] if path is None else read_polylines(path, "LLAMAS prediction")
        try:
            comparison = metric.compare_rows(lanes, truth)
        except ValueError as error:
            raise ValueError(f"LLAMAS prediction {path}: {error}") from error
        metric.count(name, comparison, missing=path is None)
        if look is not None:
            labelled = [_label_points(x) for x in truth if (x >= 0).sum() > 1]
            sides = ([points for points in lanes if len(points) > 1], labelled)
            found, label = (LanePrediction(tuple(map(Lane, side)), LLAMAS_SIZE, name) for side in sides)
            look(found, label, comparison)
    return metric.compute()


def _label_points(x: FloatArray) -> Points:
    """The points of a label lane from row 300 on, (717,) -> (N, 2)."""
    rows = np.flatnonzero(x >= 0)
    rows = rows[rows >= FIRST_ROW]
    return np.stack([x[rows], rows.astype(np.float64)], axis=1)

"""The CULane score: F1 of lanes drawn as thick curves, counted as the official evaluator counts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.files import lines_path, read_culane_lines
from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.lanes.raster import LanePatch, lane_patch
from lanenet_sad.metrics.base import LaneMetric
from lanenet_sad.metrics.culane_score import CULaneCounts, CULaneScore
from lanenet_sad.metrics.matching import match

CULANE_CANVAS = (590, 1640)


class MissingFiles(NamedTuple):
    """Names of images for which a folder has no `*.lines.txt`; the score counts them as images without lanes."""

    annotations: list[str]
    predictions: list[str]


class LaneComparison(NamedTuple):
    """How the lanes of one image compare, before any threshold.

    Attributes:
        ious: (G, P) of label lanes with predicted lanes; see `lane_ious`.
        pairs: for each label lane the index of its predicted lane, or -1.
    """

    ious: NDArray[np.float64]
    pairs: list[int]


class CULaneMetric(LaneMetric):
    """True positives, false positives and false negatives of the official CULane evaluator (XingangPan/SCNN).

    Each lane is drawn as a natural spline `lane_width` pixels wide; labels and predictions are paired by the
    evaluator's tolerant Kuhn-Munkres on IoU; a pair above the IoU threshold is a true positive.

    Args:
        iou_thresholds: at which pairs count; the first one decides `CULaneScore.value`.
        lane_width: of the drawn lanes, in pixels of the canvas.
        canvas_size: (height, width) on which lanes are drawn with their coordinates as they are (the official
            way, whatever size the images have).
        canvas_width: if given, each image and its lanes are scaled to this width first, for datasets of mixed
            image sizes; the canvas then has the image's own aspect and `canvas_size` is not used.

    Raises:
        ValueError: a threshold is not in [0, 1), or a width is not positive.
    """

    def __init__(
        self,
        *,
        iou_thresholds: Sequence[float] = (0.5,),
        lane_width: int = 30,
        canvas_size: tuple[int, int] = CULANE_CANVAS,
        canvas_width: int | None = None,
    ) -> None:
        self.iou_thresholds = tuple(float(threshold) for threshold in iou_thresholds)
        self.lane_width = lane_width
        self.canvas_size = canvas_size
        self.canvas_width = canvas_width
        if not self.iou_thresholds or not all(0 <= threshold < 1 for threshold in self.iou_thresholds):
            raise ValueError(f"IoU thresholds: expected one or more in [0, 1), got {list(iou_thresholds)}.")
        if lane_width < 1 or (canvas_width is not None and canvas_width < 1):
            raise ValueError(f"Expected positive widths, got lane_width={lane_width}, canvas_width={canvas_width}.")
        # (T, 3) tp, fp, fn by category; None holds the images of no category.
        self._counts: dict[str | None, NDArray[np.int64]] = {}
        self._num_images = 0
        self._unmarked = np.zeros(2, dtype=np.int64)  # images without a label lane, lanes predicted in them

    def update(self, prediction: LanePrediction, truth: LanePrediction, *, category: str | None = None) -> None:
        """Adds one image, and its counts to those of `category` if given.

        Raises:
            ValueError: `canvas_width` is set and prediction and truth are of different image sizes.
        """
        ious, pairs = self.compare(prediction, truth)
        matched = np.array([ious[label, lane] for label, lane in enumerate(pairs) if lane >= 0])  # (M,)
        hits = (matched[:, None] > np.array(self.iou_thresholds)).sum(axis=0)  # (T,)
        counts = np.stack([hits, len(prediction.lanes) - hits, len(truth.lanes) - hits], axis=1)  # (T, 3)
        self._counts[category] = self._counts.get(category, 0) + counts
        self._num_images += 1
        if not truth.lanes:
            self._unmarked += (1, len(prediction.lanes))

    def compare(self, prediction: LanePrediction, truth: LanePrediction) -> LaneComparison:
        """IoUs and pairs of one image, which is not counted.

        Raises:
            ValueError: `canvas_width` is set and prediction and truth are of different image sizes.
        """
        size, scale = self._canvas(prediction, truth)
        ious = lane_ious(_points(truth.lanes, scale), _points(prediction.lanes, scale), size, self.lane_width)
        return LaneComparison(ious, match(ious))

    def merge(self, other: CULaneMetric) -> None:
        """Adds the counts of another metric with the same settings."""
        if self._settings() != other._settings():
            raise ValueError(f"Merging CULane metrics: expected the same settings, {self._settings()}, got others.")
        for category, counts in other._counts.items():
            self._counts[category] = self._counts.get(category, 0) + counts
        self._num_images += other._num_images
        self._unmarked += other._unmarked

    def compute(self) -> CULaneScore:
        """The score from the totals of all images so far, and per category."""
        total = sum(self._counts.values(), np.zeros((len(self.iou_thresholds), 3), dtype=np.int64))
        named = {category: counts for category, counts in self._counts.items() if category is not None}
        return CULaneScore(
            totals={t: CULaneCounts(*total[i].tolist()) for i, t in enumerate(self.iou_thresholds)},
            categories={
                t: {category: CULaneCounts(*named[category][i].tolist()) for category in sorted(named)}
                for i, t in enumerate(self.iou_thresholds)
            },
            lane_width=self.lane_width,
            num_images=self._num_images,
            num_unmarked=int(self._unmarked[0]),
            false_on_unmarked=int(self._unmarked[1]),
        )

    def _canvas(self, prediction: LanePrediction, truth: LanePrediction) -> tuple[tuple[int, int], float]:
        """The canvas (height, width) for one image and the factor from image to canvas pixels."""
        if self.canvas_width is None:
            return self.canvas_size, 1.0
        if tuple(prediction.image_size) != tuple(truth.image_size):
            raise ValueError(
                f"Scaling lanes of {truth.name or 'an image'} to a canvas: expected prediction and label of one image "
                f"size, got {tuple(prediction.image_size)} and {tuple(truth.image_size)} (height, width)."
            )
        height, width = truth.image_size
        scale = self.canvas_width / width
        return (round(height * scale), self.canvas_width), scale

    def _settings(self) -> tuple[object, ...]:
        return self.iou_thresholds, self.lane_width, self.canvas_size, self.canvas_width


def lane_ious(
    truth: Sequence[Points], prediction: Sequence[Points], canvas_size: tuple[int, int], lane_width: int
) -> NDArray[np.float64]:
    """IoU of every label lane with every predicted lane of one image, drawn as thick curves.

    Args:
        truth: label lanes, each (N, 2) in pixels of the canvas.
        prediction: predicted lanes.
        canvas_size: (height, width).
        lane_width: in pixels.

    Returns:
        (G, P): 0 where a lane has fewer than two points, NaN where both lanes leave no pixel on the canvas.
    """
    rows = [_Drawn(lane_patch(points, canvas_size, line_width=lane_width)) for points in truth]
    columns = [_Drawn(lane_patch(points, canvas_size, line_width=lane_width)) for points in prediction]
    ious = np.zeros((len(truth), len(prediction)))
    for g, p in np.ndindex(ious.shape):
        if len(truth[g]) >= 2 and len(prediction[p]) >= 2:
            ious[g, p] = rows[g].iou(columns[p])
    return ious


def score_culane_files(
    annotations: Path,
    predictions: Path,
    names: Sequence[str],
    metric: CULaneMetric,
    category: str | None = None,
    *,
    image_sizes: dict[str, tuple[int, int]] | None = None,
) -> MissingFiles:
    """Adds the images of one list to a metric, reading `*.lines.txt` files as the official evaluator does.

    The file of an image is its name up to the last dot with `.lines.txt` appended, below each folder. A file
    that is not there counts as an image without lanes, for labels too.

    Args:
        annotations: folder of the label files.
        predictions: folder of the prediction files.
        names: image names of a list, with or without leading slash.
        metric: is updated once per name.
        category: of these images.
        image_sizes: (height, width) by name; needed only when the metric has a `canvas_width`.

    Returns:
        The names without files, so that callers can say so.

    Raises:
        FileNotFoundError: one of the folders does not exist.
        ValueError: the metric scales images to a canvas width and the size of an image is not given.
    """
    for folder, what in ((annotations, "labels"), (predictions, "predictions")):
        if not Path(folder).is_dir():
            raise FileNotFoundError(f"CULane {what}: expected the folder {folder}, but there is none.")
    missing = MissingFiles([], [])
    for name in names:
        size = (image_sizes or {}).get(name)
        if size is None and metric.canvas_width is not None:
            raise ValueError(f"CULane files scaled to a canvas width: the image size of {name} is not given.")
        both = []
        for folder, absent in zip((annotations, predictions), missing, strict=True):
            path = lines_path(Path(folder), name)
            if not path.is_file():
                absent.append(name)
            both.append(LanePrediction(tuple(read_culane_lines(path)), size or metric.canvas_size, name))
        metric.update(both[1], both[0], category=category)
    return missing


class _Drawn:
    """One drawn lane and its number of pixels."""

    def __init__(self, patch: LanePatch) -> None:
        self.mask, self.top, self.left = patch
        self.bottom, self.right = self.top + self.mask.shape[0], self.left + self.mask.shape[1]
        self.area = cv2.countNonZero(self.mask) if self.mask.size else 0

    def iou(self, other: _Drawn) -> float:
        """Shared pixels / pixels of either; NaN if there are none."""
        top, bottom = max(self.top, other.top), min(self.bottom, other.bottom)
        left, right = max(self.left, other.left), min(self.right, other.right)
        shared = 0
        if top < bottom and left < right:
            mine = self.mask[top - self.top : bottom - self.top, left - self.left : right - self.left]
            theirs = other.mask[top - other.top : bottom - other.top, left - other.left : right - other.left]
            shared = cv2.countNonZero(cv2.bitwise_and(mine, theirs))
        union = self.area + other.area - shared
        return shared / union if union else float("nan")


def _points(lanes: Sequence[Lane], scale: float) -> list[Points]:
    return [lane.points * scale if scale != 1 else lane.points for lane in lanes]

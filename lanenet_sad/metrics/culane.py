"""The CULane score: F1 of lanes drawn as thick curves, counted as the official evaluator counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.lanes.raster import lane_patch
from lanenet_sad.metrics.base import LaneMetric
from lanenet_sad.metrics.culane_score import CULaneCounts, CULaneScore
from lanenet_sad.metrics.drawn_lanes import DrawnLane
from lanenet_sad.metrics.matching import Matching, match, match_optimally

CULANE_CANVAS = (590, 1640)
#: Over which `CULaneScore.mean_f1` is taken: 0.5, 0.55, …, 0.95, as in COCO and in CLRNet's tables.
MEAN_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


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
        matching: `official`, or `optimal`: the pairs with the largest sum of IoUs, which the official tool, content
            with less than that by 0.01 a pair, can miss.

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
        matching: Matching = "official",
    ) -> None:
        self.iou_thresholds = checked_thresholds(iou_thresholds)
        self.lane_width = lane_width
        self.canvas_size = canvas_size
        self.canvas_width = canvas_width
        self.matching = matching
        if min(canvas_size) < 1:
            raise ValueError(f"CULane canvas: expected a positive height and width, got {list(canvas_size)}.")
        if lane_width < 1 or (canvas_width is not None and canvas_width < 1):
            raise ValueError(f"Expected positive widths, got lane_width={lane_width}, canvas_width={canvas_width}.")
        self.counted_thresholds = tuple(dict.fromkeys((*self.iou_thresholds, *MEAN_THRESHOLDS)))
        # (T, 3) tp, fp, fn by category; None holds the images of no category.
        self._counts: dict[str | None, NDArray[np.int64]] = {}
        self._num_images = 0
        self._unmarked = np.zeros(2, dtype=np.int64)  # images without a label lane, lanes predicted in them

    def update(self, prediction: LanePrediction, truth: LanePrediction, *, category: str | None = None) -> None:
        """Adds one image, and its counts to those of `category` if given.

        Raises:
            ValueError: `canvas_width` is set and prediction and truth are of different image sizes.
        """
        self.count_comparison(self.compare(prediction, truth), category=category)

    def count_comparison(self, comparison: LaneComparison, *, category: str | None = None) -> None:
        """Adds one image whose lanes were compared."""
        ious, pairs = comparison
        num_labels, num_predictions = ious.shape
        matched = np.array([ious[label, lane] for label, lane in enumerate(pairs) if lane >= 0])  # (M,)
        hits = (matched[:, None] > np.array(self.counted_thresholds)).sum(axis=0)  # (T,)
        counts = np.stack([hits, num_predictions - hits, num_labels - hits], axis=1)  # (T, 3)
        self.count(
            counts,
            category=category,
            num_images=1,
            num_unmarked=int(num_labels == 0),
            false_on_unmarked=num_predictions if num_labels == 0 else 0,
        )

    def count(
        self,
        counts: NDArray[np.int64],
        *,
        category: str | None,
        num_images: int,
        num_unmarked: int,
        false_on_unmarked: int,
    ) -> None:
        """Adds images that were compared elsewhere.

        Args:
            counts: (T, 3) true positives, false positives and false negatives at each of `counted_thresholds`.
            category: of the images.
            num_images: how many they are.
            num_unmarked: those of them without a label lane.
            false_on_unmarked: lanes predicted in these.
        """
        self._counts[category] = self._counts.get(category, 0) + counts
        self._num_images += num_images
        self._unmarked += (num_unmarked, false_on_unmarked)

    def compare(self, prediction: LanePrediction, truth: LanePrediction) -> LaneComparison:
        """IoUs and pairs of one image, which is not counted.

        Raises:
            ValueError: `canvas_width` is set and prediction and truth are of different image sizes.
        """
        size, scale = self._canvas(prediction, truth)
        ious = self.ious(_points(truth.lanes, scale), _points(prediction.lanes, scale), size)
        return LaneComparison(ious, self.pair(ious))

    def ious(
        self, truth: Sequence[Points], prediction: Sequence[Points], canvas_size: tuple[int, int]
    ) -> NDArray[np.float64]:
        """`lane_ious` with the metric's lane width; points are in pixels of the canvas."""
        return lane_ious(truth, prediction, canvas_size, self.lane_width)

    def pair(self, ious: NDArray[np.float64]) -> list[int]:
        """For each label lane of a (G, P) table its predicted lane, or -1, by the metric's matching."""
        return match(ious) if self.matching == "official" else match_optimally(ious)

    @property
    def num_images(self) -> int:
        """That were counted."""
        return self._num_images

    def canvases(
        self, num_images: int, sizes: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """The canvas of each image, (I, 2), and the factors from image to canvas pixels, (I,), None where all are 1.

        Args:
            num_images: I.
            sizes: (I, 2) height and width of the images; not needed without a `canvas_width`.
        """
        if self.canvas_width is None or sizes is None:
            return np.tile(np.array(self.canvas_size, dtype=np.int64), (num_images, 1)), None
        scales = self.canvas_width / sizes[:, 1]
        heights = np.rint(sizes[:, 0] * scales).astype(np.int64)
        return np.stack([heights, np.full(num_images, self.canvas_width)], axis=1), scales

    def empty(self) -> Self:
        """A metric with the same settings that has counted nothing."""
        return type(self)(
            iou_thresholds=self.iou_thresholds,
            lane_width=self.lane_width,
            canvas_size=self.canvas_size,
            canvas_width=self.canvas_width,
            matching=self.matching,
        )

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
        total = sum(self._counts.values(), np.zeros((len(self.counted_thresholds), 3), dtype=np.int64))
        named = {category: counts for category, counts in self._counts.items() if category is not None}
        return CULaneScore(
            totals={t: CULaneCounts(*total[i].tolist()) for i, t in enumerate(self.iou_thresholds)},
            categories={
                t: {category: CULaneCounts(*named[category][i].tolist()) for category in sorted(named)}
                for i, t in enumerate(self.iou_thresholds)
            },
            lane_width=self.lane_width,
            num_images=self._num_images,
            mean_f1=self._mean_f1(total),
            num_unmarked=int(self._unmarked[0]),
            false_on_unmarked=int(self._unmarked[1]),
        )

    def _mean_f1(self, total: NDArray[np.int64]) -> float | None:
        rows = [total[self.counted_thresholds.index(threshold)].tolist() for threshold in MEAN_THRESHOLDS]
        ratios = [CULaneCounts(*row).f1 for row in rows]
        return sum(f1 for f1 in ratios if f1 is not None) / len(ratios) if None not in ratios else None

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
        return self.iou_thresholds, self.lane_width, self.canvas_size, self.canvas_width, self.matching


def checked_thresholds(iou_thresholds: Sequence[float]) -> tuple[float, ...]:
    """IoU thresholds, each once; ValueError if there is none, or one that is not in [0, 1)."""
    if not iou_thresholds or not all(0 <= threshold < 1 for threshold in iou_thresholds):
        raise ValueError(f"IoU thresholds: expected one or more in [0, 1), got {list(iou_thresholds)}.")
    return tuple(dict.fromkeys(map(float, iou_thresholds)))


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
    rows = [DrawnLane(lane_patch(points, canvas_size, line_width=lane_width)) for points in truth]
    columns = [DrawnLane(lane_patch(points, canvas_size, line_width=lane_width)) for points in prediction]
    ious = np.zeros((len(truth), len(prediction)))
    for g, p in np.ndindex(ious.shape):
        if len(truth[g]) >= 2 and len(prediction[p]) >= 2:
            ious[g, p] = rows[g].iou(columns[p])
    return ious


def _points(lanes: Sequence[Lane], scale: float) -> list[Points]:
    return [lane.points * scale if scale != 1 else lane.points for lane in lanes]

"""F1 of lanes by the IoU of what they draw and an exact assignment, as LLAMAS and CurveLanes have it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np

from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.metrics.culane import LaneComparison, checked_thresholds
from lanenet_sad.metrics.culane_score import CULaneCounts

#: Is shown the lanes of an image that count, predicted and labelled, and how they compare.
Look: TypeAlias = Callable[[LanePrediction, LanePrediction, LaneComparison], None]


class ImageCounts(NamedTuple):
    """What one image came to.

    Attributes:
        name: of the image.
        counts: at each of the metric's thresholds.
    """

    name: str
    counts: tuple[CULaneCounts, ...]


@dataclass(frozen=True)
class LaneF1Score(Score):
    """Precision, recall and F1 of lanes, from totals over all images.

    Attributes:
        totals: by IoU threshold. Where nothing was found, all ratios are reported as 0, as officially.
        lane_width: with which lanes were drawn, in pixels of the canvas.
        num_images: that were counted.
        num_missing: those of them without a prediction file.
        images: the counts of each.
    """

    benchmark: ClassVar[str]

    totals: Mapping[float, CULaneCounts]
    lane_width: int
    num_images: int
    num_missing: int = 0
    images: tuple[ImageCounts, ...] = field(default=(), repr=False)

    @property
    def value(self) -> float:
        """F1 at the first IoU threshold."""
        return next(iter(self.totals.values())).f1 or 0.0

    def to_dict(self) -> dict[str, Any]:
        """Counts and ratios at every threshold."""
        results = [
            {
                "iou_threshold": threshold,
                "lane_width": self.lane_width,
                **{name: figure or 0 for name, figure in counts.to_dict().items()},
            }
            for threshold, counts in self.totals.items()
        ]
        return {"metric": f"{self.benchmark} F1", "num_images": self.num_images, "results": results}

    def __str__(self) -> str:
        lines = [f"{self.benchmark} F1, lanes {self.lane_width} px wide, {self.num_images} images"]
        lines.append(f"{'IoU':>6}{'TP':>8}{'FP':>8}{'FN':>8}{'Precision':>11}{'Recall':>8}{'F1':>8}")
        for threshold, counts in self.totals.items():
            precision, recall, f1 = (ratio or 0.0 for ratio in (counts.precision, counts.recall, counts.f1))
            lines.append(
                f"{threshold:>6g}{counts.tp:>8}{counts.fp:>8}{counts.fn:>8}{precision:>11.4f}{recall:>8.4f}{f1:>8.4f}"
            )
        return "\n".join(lines)


class LaneF1Metric(LaneMetric):
    """Counts of lanes that are paired by an exact assignment on IoU and found if the IoU is above a threshold.

    Args:
        iou_thresholds: the first one decides the score's `value`.
        lane_width: of the drawn lanes, in pixels of the canvas.

    Raises:
        ValueError: a threshold is not in [0, 1), or the width is not positive.
    """

    def __init__(self, *, iou_thresholds: Sequence[float], lane_width: int) -> None:
        self.iou_thresholds = checked_thresholds(iou_thresholds)
        self.lane_width = lane_width
        if lane_width < 1:
            raise ValueError(f"Lane width: expected 1 pixel or more, got {lane_width}.")
        self._images: list[ImageCounts] = []
        self._num_missing = 0

    @abstractmethod
    def compare(self, prediction: LanePrediction, truth: LanePrediction) -> LaneComparison:
        """IoUs and pairs of one image, of the lanes that the official tool counts; nothing is added."""

    @abstractmethod
    def compute(self) -> LaneF1Score:
        """The score of all images so far."""

    def update(self, prediction: LanePrediction, truth: LanePrediction) -> None:
        """Adds one image; see `compare` for errors."""
        self.count(truth.name, self.compare(prediction, truth))

    def count(self, name: str, comparison: LaneComparison, *, missing: bool = False) -> None:
        """Adds one image that was compared; `missing` says that it has no prediction file."""
        num_labels, num_predictions = comparison.ious.shape
        matched = np.array([comparison.ious[g, p] for g, p in enumerate(comparison.pairs) if p >= 0])
        counts = []
        for threshold in self.iou_thresholds:
            hits = int((matched > threshold).sum())
            counts.append(CULaneCounts(hits, num_predictions - hits, num_labels - hits))
        self._images.append(ImageCounts(name, tuple(counts)))
        self._num_missing += missing

    def merge(self, other: Self) -> None:
        """Adds the images of another metric with the same settings."""
        if self._settings() != other._settings():
            raise ValueError(
                f"Merging lane metrics: expected the same settings, {self._settings()}, got {other._settings()}."
            )
        self._images += other._images
        self._num_missing += other._num_missing

    def _figures(self) -> tuple[dict[float, CULaneCounts], int, int, int, tuple[ImageCounts, ...]]:
        """The attributes of a score."""
        totals = {
            threshold: CULaneCounts(
                *(sum(getattr(image.counts[i], what) for image in self._images) for what in ("tp", "fp", "fn"))
            )
            for i, threshold in enumerate(self.iou_thresholds)
        }
        return totals, self.lane_width, len(self._images), self._num_missing, tuple(self._images)

    def _settings(self) -> tuple[object, ...]:
        return self.iou_thresholds, self.lane_width


def turned(pairs: Sequence[int], number: int) -> list[int]:
    """From the partner of each row to the partner of each of `number` columns, or -1."""
    partners = [-1] * number
    for row, column in enumerate(pairs):
        if column >= 0:
            partners[column] = row
    return partners

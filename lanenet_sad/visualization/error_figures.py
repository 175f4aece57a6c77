"""What an error page counts: by category, by IoU and by number of lanes, in memory that does not grow with images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.metrics.culane import MEAN_THRESHOLDS, LaneComparison
from lanenet_sad.metrics.culane_score import CULaneCounts


@dataclass(frozen=True)
class FrameOutcome:
    """What became of the lanes of one image.

    Attributes:
        partners: for each label lane the index of the predicted lane that it is paired with, or -1.
        ious: for each label lane the IoU with that lane; 0 without one.
        found: which label lanes are found: their IoU is above the threshold.
        num_predictions: how many lanes were predicted.
    """

    partners: tuple[int, ...]
    ious: tuple[float, ...]
    found: tuple[bool, ...]
    num_predictions: int

    @classmethod
    def from_comparison(cls, comparison: LaneComparison, threshold: float) -> FrameOutcome:
        """Pairs whose IoU is above the threshold are found."""
        partners = tuple(int(lane) for lane in comparison.pairs)
        ious = tuple(float(comparison.ious[g, p]) if p >= 0 else 0.0 for g, p in enumerate(partners))
        return cls(partners, ious, tuple(iou > threshold for iou in ious), int(comparison.ious.shape[1]))

    @property
    def tp(self) -> int:
        """Label lanes that are found."""
        return sum(self.found)

    @property
    def fp(self) -> int:
        """Predicted lanes that find no label lane."""
        return self.num_predictions - self.tp

    @property
    def fn(self) -> int:
        """Label lanes that are not found."""
        return len(self.found) - self.tp

    @property
    def iou_lost(self) -> float:
        """What the IoUs of all label lanes lack to 1, added up."""
        return sum(1 - iou for iou in self.ious)

    @property
    def hits(self) -> frozenset[int]:
        """Indices of the predicted lanes that are true positives."""
        return frozenset(p for p, found in zip(self.partners, self.found, strict=True) if found)


class ErrorFigures:
    """Counts over all images.

    Args:
        threshold: the IoU above which a lane is found, in everything that is not a table over thresholds.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._thresholds = tuple(sorted({*MEAN_THRESHOLDS, threshold}))
        # (T, 3) tp, fp, fn by category; None holds the images of no category.
        self._counts: dict[str | None, NDArray[np.int64]] = {}
        self._images: Counter[str | None] = Counter()
        self._numbers: Counter[tuple[int, int]] = Counter()  # (label lanes, predicted lanes) -> images
        self._found: Counter[int] = Counter()  # label lanes -> true positives

    def add(self, outcome: FrameOutcome, category: str | None) -> None:
        """Adds one image."""
        num_labels, num_predictions = len(outcome.ious), outcome.num_predictions
        paired = np.array([iou for iou, p in zip(outcome.ious, outcome.partners, strict=True) if p >= 0])  # (M,)
        hits = (paired[:, None] > np.array(self._thresholds)).sum(axis=0)  # (T,)
        counts = np.stack([hits, num_predictions - hits, num_labels - hits], axis=1)  # (T, 3)
        self._counts[category] = self._counts.get(category, 0) + counts
        self._images[category] += 1
        self._numbers[num_labels, num_predictions] += 1
        self._found[num_labels] += outcome.tp

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON can hold them; what is undefined is None."""
        total = sum(self._counts.values(), np.zeros((len(self._thresholds), 3), dtype=np.int64))
        named = sorted(category for category in self._counts if category is not None)
        return {
            "iou_threshold": self.threshold,
            "totals": self._summary(total, self._images.total()),
            "categories": {name: self._summary(self._counts[name], self._images[name]) for name in named},
            "by_num_lanes": self._by_num_lanes(),
            "lane_numbers": [[*numbers, images] for numbers, images in sorted(self._numbers.items())],
        }

    def _summary(self, counts: NDArray[np.int64], num_images: int) -> dict[str, Any]:
        """Counts and ratios at the threshold, at every threshold, and mF1."""
        by_iou = {t: CULaneCounts(*counts[i].tolist()) for i, t in enumerate(self._thresholds)}
        chosen = by_iou[self.threshold]
        scores = [by_iou[t].f1 for t in MEAN_THRESHOLDS]
        known = [score for score in scores if score is not None]
        return {
            "num_images": num_images,
            "num_labels": chosen.tp + chosen.fn,
            "num_predictions": chosen.tp + chosen.fp,
            **chosen.to_dict(),
            "mean_f1": sum(known) / len(scores) if len(known) == len(scores) else None,
            "by_iou": [{"iou_threshold": t, **each.to_dict()} for t, each in by_iou.items()],
        }

    def _by_num_lanes(self) -> list[dict[str, Any]]:
        rows = []
        for num_lanes in sorted(self._found):
            predicted = {p: images for (g, p), images in self._numbers.items() if g == num_lanes}
            num_images, num_predictions = sum(predicted.values()), sum(p * images for p, images in predicted.items())
            tp = self._found[num_lanes]
            counts = CULaneCounts(tp, num_predictions - tp, num_images * num_lanes - tp)
            rows.append(
                {
                    "num_lanes": num_lanes,
                    "num_images": num_images,
                    "num_predictions": num_predictions,
                    "same_number": predicted.get(num_lanes, 0),
                    "more": sum(images for p, images in predicted.items() if p > num_lanes),
                    "fewer": sum(images for p, images in predicted.items() if p < num_lanes),
                    **counts.to_dict(),
                }
            )
        return rows

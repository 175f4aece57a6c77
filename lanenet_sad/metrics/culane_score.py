"""What the CULane metric reports: counts, ratios and the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanenet_sad.metrics.base import Score

#: CULane's crossroads have no labelled lane, so that only false positives mean anything there.
FALSE_POSITIVES_ONLY = frozenset({"test7_cross", "cross"})


@dataclass(frozen=True)
class CULaneCounts:
    """Lanes found, invented and missed, and the ratios of their totals.

    The official tool prints -1 for an undefined ratio, here it is None, and nan for the F1 of nothing found where
    there was something to find, here it is 0.

    Attributes:
        tp: matched lanes with an IoU above the threshold.
        fp: other predicted lanes.
        fn: other label lanes.
    """

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP), None without predictions."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN), None without labels."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; 0 where both are 0, None where one is undefined."""
        if self.precision is None or self.recall is None:
            return None
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.tp else 0.0

    def to_dict(self) -> dict[str, float | int | None]:
        """Counts and ratios."""
        ratios = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {"tp": self.tp, "fp": self.fp, "fn": self.fn, **ratios}


@dataclass(frozen=True)
class CULaneScore(Score):
    """The result of `CULaneMetric`; totals are of summed counts, not means over categories.

    Attributes:
        totals: by IoU threshold, over all images.
        categories: by IoU threshold, then by category name.
        lane_width: with which lanes were drawn, in pixels.
        num_images: that were counted.
        num_unmarked: those of them that have no label lane at all.
        false_on_unmarked: lanes predicted in these: does the network know when there is nothing?
        mean_f1: mean of the F1 at IoU 0.5, 0.55, …, 0.95 (mF1); None where an F1 is undefined.
    """

    totals: Mapping[float, CULaneCounts]
    categories: Mapping[float, Mapping[str, CULaneCounts]]
    lane_width: int
    num_images: int
    num_unmarked: int = 0
    false_on_unmarked: int = 0
    mean_f1: float | None = None

    @property
    def value(self) -> float:
        """F1 at the first IoU threshold; 0 where it is undefined."""
        return next(iter(self.totals.values())).f1 or 0.0

    def to_dict(self) -> dict[str, Any]:
        """All counts and ratios; for crossroads the false positives alone."""
        results = [
            {
                "iou_threshold": threshold,
                "lane_width": self.lane_width,
                **total.to_dict(),
                "categories": {
                    name: {"fp": counts.fp} if name in FALSE_POSITIVES_ONLY else counts.to_dict()
                    for name, counts in self.categories[threshold].items()
                },
            }
            for threshold, total in self.totals.items()
        ]
        unmarked = {"num_images": self.num_unmarked, "fp": self.false_on_unmarked}
        return {
            "metric": "CULane F1",
            "num_images": self.num_images,
            "unmarked": unmarked,
            "mean_f1": self.mean_f1,
            "results": results,
        }

    def __str__(self) -> str:
        text = "\n\n".join(self._table(threshold) for threshold in self.totals)
        if self.mean_f1 is not None:
            text += f"\nmF1 over IoU 0.50:0.05:0.95: {100 * self.mean_f1:.2f}"
        if not self.num_unmarked:
            return text
        rate = self.false_on_unmarked / self.num_unmarked
        return f"{text}\n{self.num_unmarked} images have no lane to find: {rate:.2f} false lanes an image"

    def _table(self, threshold: float) -> str:
        rows = [("category", "TP", "FP", "FN", "precision", "recall", "F1")]
        for name, counts in self.categories[threshold].items():
            only_fp = name in FALSE_POSITIVES_ONLY
            rows.append((name, "-", str(counts.fp), "-", "-", "-", "-") if only_fp else _row(name, counts))
        rows.append(_row("total", self.totals[threshold]))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        title = f"CULane F1 (%) at IoU > {threshold:g}, lanes {self.lane_width} px wide, {self.num_images} images"
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, len(row)))]) for row in rows
        ]
        return "\n".join([title, *lines])


def _row(name: str, counts: CULaneCounts) -> tuple[str, str, str, str, str, str, str]:
    precision, recall, f1 = (
        "-" if ratio is None else f"{100 * ratio:.2f}" for ratio in (counts.precision, counts.recall, counts.f1)
    )
    return name, str(counts.tp), str(counts.fp), str(counts.fn), precision, recall, f1

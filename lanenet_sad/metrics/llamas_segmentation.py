"""The segmentation score of LLAMAS: the area under precision over recall of lane pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.bdd100k import read_mask
from lanenet_sad.metrics.file_pairs import names_below, pair_files

_NUM_STEPS = 100
#: 1.00, 0.99, …, 0: the thresholds in the official order.
_THRESHOLDS = np.array([(_NUM_STEPS - i) / _NUM_STEPS for i in range(_NUM_STEPS + 1)])


class SegmentationFigures(NamedTuple):
    """The figures of one image and class, 0..1.

    Attributes:
        auc: the area.
        precision: at the corner of the curve, the first point with the largest precision x recall.
        recall: there.
        threshold: there.
    """

    auc: float
    precision: float
    recall: float
    threshold: float


@dataclass(frozen=True)
class LLAMASSegmentationScore(Score):
    """The result of the segmentation metric: plain means over images; None without any.

    Attributes:
        auc: the area under precision over recall.
        precision: at the corner of each image's curve.
        recall: likewise.
        num_images: that were compared.
        num_missing: those of them without a prediction file.
        images: name and figures of each.
    """

    auc: float | None
    precision: float | None
    recall: float | None
    num_images: int
    num_missing: int = 0
    images: tuple[tuple[str, SegmentationFigures], ...] = field(default=(), repr=False)

    @property
    def value(self) -> float:
        """The area; 0 without images."""
        return self.auc or 0.0

    def to_dict(self) -> dict[str, Any]:
        """The means."""
        figures = {"auc": self.auc, "precision": self.precision, "recall": self.recall}
        return {"metric": "LLAMAS segmentation", "num_images": self.num_images, **figures}

    def __str__(self) -> str:
        figures = (self.auc, self.precision, self.recall)
        row = "".join(f"{'-' if figure is None else f'{figure:.4f}':>11}" for figure in figures)
        title = f"LLAMAS segmentation, {self.num_images} images"
        return f"{title}\n{'AUC':>11}{'Precision':>11}{'Recall':>11}\n{row}"


def segmentation_figures(prediction: NDArray[Any], label: NDArray[Any]) -> SegmentationFigures:
    """The official figures of one probability map (unsupervised_llamas, `segmentation_metrics.binary_approx_auc`).

    Precision and recall at 101 thresholds, 1 down to 0, both 0 where undefined; the area is the sum of the steps in
    recall times the precision before each, from precision 1 and recall 0 on.

    Args:
        prediction: (H, W) of probabilities 0..1, or uint8 of probability x 255.
        label: (H, W), where all that is not 0 is lane.

    Raises:
        ValueError: the two are of different sizes.
    """
    if prediction.shape != label.shape:
        raise ValueError(
            f"LLAMAS segmentation: expected a map of the label's shape {label.shape}, got {prediction.shape}."
        )
    is_lane = label != 0
    hits, alarms = (_at_thresholds(prediction[where]) for where in (is_lane, ~is_lane))  # (101,)
    num_lane = int(is_lane.sum())
    area, corner = 0.0, SegmentationFigures(0.0, 0.0, 0.0, 0.0)
    last_precision, last_recall = 1.0, 0.0
    for threshold, tp, fp in zip(_THRESHOLDS.tolist(), hits.tolist(), alarms.tolist(), strict=True):
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / num_lane if num_lane else 0.0
        if precision * recall > corner.precision * corner.recall:
            corner = SegmentationFigures(0.0, precision, recall, threshold)
        area += (recall - last_recall) * last_precision
        last_precision, last_recall = precision, recall
    return corner._replace(auc=area)


def score_llamas_segmentation_files(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    allow_missing: bool = False,
) -> LLAMASSegmentationScore:
    """Scores probability maps, PNGs of probability x 255, against label masks of equal names.

    The official script draws the masks from the label's markers in three dimensions, which is not done here.

    Args:
        labels: folder of the label masks, one for each image and class, where all that is not 0 is lane.
        predictions: folder of the maps, officially `<recording>/<frame>.json_<class>.png`.
        names: of the files without `.png`, below the folders; default: all label masks.
        allow_missing: a map that is not there counts as 0 everywhere.

    Raises:
        FileNotFoundError: a folder or files are missing; the message names the first ones.
        ValueError: a picture is broken, or of another size than its label.
    """
    pairs = pair_files(
        "LLAMAS segmentation",
        names_below(labels, ".png", "LLAMAS segmentation")
        if names is None
        else [n.removesuffix(".png") for n in names],
        lambda name: labels / f"{name}.png",
        lambda name: (predictions / f"{name}.png",),
        predictions=predictions,
        allow_missing=allow_missing,
    )
    images, num_missing = [], 0
    for pair in pairs:
        label = read_mask(pair.label)
        num_missing += pair.prediction is None
        prediction = np.zeros_like(label) if pair.prediction is None else read_mask(pair.prediction, label)
        images.append((pair.name, segmentation_figures(prediction, label)))
    auc, precision, recall, _ = np.mean([figures for _, figures in images], axis=0).tolist()
    return LLAMASSegmentationScore(auc, precision, recall, len(images), num_missing, tuple(images))


def _at_thresholds(values: NDArray[Any]) -> NDArray[np.int64]:
    """How many values reach each of the thresholds, (N,) -> (101,)."""
    rising = _THRESHOLDS[::-1]
    if values.dtype == np.uint8:
        counts = np.bincount(values, minlength=256)
        reached = np.searchsorted(rising, np.arange(256) / 255, side="right")
    else:
        counts = np.ones(len(values), dtype=np.int64)
        reached = np.searchsorted(rising, np.nan_to_num(values, nan=-1.0), side="right")  # thresholds up to the value
    per_number = np.bincount(reached, weights=counts, minlength=len(rising) + 1)
    return np.cumsum(per_number[::-1])[:-1].astype(np.int64)

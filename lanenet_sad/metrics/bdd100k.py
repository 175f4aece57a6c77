"""The BDD100K lane score of the ENet-SAD protocol: accuracy and IoU of lane pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from lanenet_sad.lanes.images import image_size, read_lane_mask
from lanenet_sad.lanes.lane import IntMask, Lane, LanePrediction
from lanenet_sad.lanes.raster import draw_lanes
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.metrics.file_pairs import FilePair, names_below, pair_files, stem_of

#: Of the protocol's test labels, in pixels at an image width of 1280.
LABEL_LINE_WIDTH = 2
#: Of the protocol's training labels, and so of what a network learns to predict.
PREDICTION_LINE_WIDTH = 8
_REFERENCE_WIDTH = 1280
_HIGHEST = 255  # what a mask of 8 bits can hold: masks here have no slots


class LanePixels(NamedTuple):
    """The figures of one image, 0..1.

    Attributes:
        name: of the image.
        accuracy: the share of the label's lane pixels that are predicted, which is a recall; 0 without any, officially.
        iou: pixels of both / pixels of either; 0 where both are empty, officially.
    """

    name: str
    accuracy: float
    iou: float


@dataclass(frozen=True)
class BDD100KScore(Score):
    """The result of the ENet-SAD protocol on BDD100K: plain means over images.

    Attributes:
        accuracy: recall of lane pixels in percent; None without images.
        iou: of lane pixels in percent; None without images.
        num_images: that were compared.
        num_missing: those of them without a prediction file.
        images: the figures of each.
    """

    accuracy: float | None
    iou: float | None
    num_images: int
    num_missing: int = 0
    images: tuple[LanePixels, ...] = field(default=(), repr=False)

    @property
    def value(self) -> float:
        """The IoU, 0..1; the accuracy alone would be best where everything is called a lane."""
        return (self.iou or 0.0) / 100

    def to_dict(self) -> dict[str, Any]:
        """The figures in percent, as the official tool has them."""
        figures = {"accuracy": self.accuracy, "iou": self.iou}
        return {"metric": "BDD100K lane pixels", "num_images": self.num_images, **figures}

    def __str__(self) -> str:
        row = "".join(f"{'-' if figure is None else f'{figure:.4f}':>12}" for figure in (self.accuracy, self.iou))
        return f"BDD100K lane pixels (%), {self.num_images} images\n{'Accuracy':>12}{'IoU':>12}\n{row}"


class BDD100KMetric(LaneMetric):
    """Accuracy and IoU of lane pixels, as ENet-SAD counts them on BDD100K (cardwing, ENet-BDD100K-Torch `train.lua`).

    What is official: the figures of two masks (`update_masks`), the plain mean over images, and that test labels are
    drawn 2 px wide. What is ours: how `update` turns lanes into masks. It draws natural splines through their points,
    labels 2 px wide and predictions 8 px, the width of the protocol's training labels, both at an image width of 1280
    and in proportion at others. The official network predicts pixels without lanes, so that figures of `update` depend
    on the width of predictions: a wider line finds more and costs IoU. Compare only what was drawn alike.

    The official code's own comment calls this a preliminary measure of the segmentation.

    Args:
        prediction_line_width: in pixels, at an image width of 1280.
        label_line_width: likewise.

    Raises:
        ValueError: a width is not positive.
    """

    def __init__(
        self, *, prediction_line_width: int = PREDICTION_LINE_WIDTH, label_line_width: int = LABEL_LINE_WIDTH
    ) -> None:
        if min(prediction_line_width, label_line_width) < 1:
            raise ValueError(
                "BDD100K metric: expected positive line widths, got "
                f"{prediction_line_width} for predictions and {label_line_width} for labels."
            )
        self.prediction_line_width = prediction_line_width
        self.label_line_width = label_line_width
        self._images: list[LanePixels] = []
        self._num_missing = 0

    def update(self, prediction: LanePrediction, truth: LanePrediction) -> None:
        """Adds one image by drawing its lanes.

        Raises:
            ValueError: prediction and truth are of different image sizes.
        """
        self.update_masks(
            _drawn(prediction, self.prediction_line_width), _drawn(truth, self.label_line_width), name=truth.name
        )

    def update_masks(self, prediction_mask: IntMask, label_mask: IntMask, *, name: str = "") -> None:
        """Adds one image by its masks, (H, W) uint8, where all that is not 0 is lane.

        Raises:
            ValueError: the masks are of different sizes.
        """
        self._images.append(compare_lane_pixels(prediction_mask, label_mask, name=name))

    def update_missing(self, label_mask: IntMask, *, name: str = "") -> None:
        """Adds an image for which nothing was predicted since its file is missing."""
        self.update_masks(np.zeros_like(label_mask), label_mask, name=name)
        self._num_missing += 1

    def merge(self, other: BDD100KMetric) -> None:
        """Adds the images of another metric with the same line widths."""
        mine, theirs = ((metric.prediction_line_width, metric.label_line_width) for metric in (self, other))
        if mine != theirs:
            raise ValueError(f"Merging BDD100K metrics: expected the same line widths, {mine}, got {theirs}.")
        self._images += other._images
        self._num_missing += other._num_missing

    def compute(self) -> BDD100KScore:
        """The means over all images so far."""
        if not self._images:
            return BDD100KScore(None, None, 0)
        accuracy, iou = (
            100 * sum(getattr(image, figure) for image in self._images) / len(self._images)
            for figure in ("accuracy", "iou")
        )
        return BDD100KScore(accuracy, iou, len(self._images), self._num_missing, tuple(self._images))


def compare_lane_pixels(prediction_mask: IntMask, label_mask: IntMask, *, name: str = "") -> LanePixels:
    """The official figures of two masks, (H, W) uint8, where all that is not 0 is lane.

    Raises:
        ValueError: the masks are of different sizes.
    """
    if prediction_mask.shape != label_mask.shape:
        got, expected = (f"{mask.shape[0]}x{mask.shape[1]}" for mask in (prediction_mask, label_mask))
        raise ValueError(
            f"BDD100K masks of {name or 'an image'}: expected a prediction of {expected} pixels (height x width) "
            f"as the label, got {got}."
        )
    labelled, predicted = cv2.countNonZero(label_mask), cv2.countNonZero(prediction_mask)
    shared = cv2.countNonZero(cv2.min(prediction_mask, label_mask))
    union = labelled + predicted - shared
    return LanePixels(name, shared / labelled if labelled else 0.0, shared / union if union else 0.0)


def score_bdd100k_files(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    allow_missing: bool = False,
) -> BDD100KScore:
    """Scores mask files: PNGs of equal names in two folders, where 0 is no lane and any other value is lane.

    Args:
        labels: folder of the label masks, drawn 2 px wide in the official protocol.
        predictions: folder of the predicted masks.
        names: of the images or masks, with or without suffix, below the folders; default: all label masks.
        allow_missing: a mask that is not there counts as one without lanes.

    Raises:
        FileNotFoundError: a folder or files are missing; the message names the first ones.
        ValueError: a mask is broken, of another size than its label, or a label is not a binary mask.
    """
    metric = BDD100KMetric()
    for pair in pair_masks(labels, predictions, names=names, allow_missing=allow_missing):
        label = read_mask(pair.label)
        _check_binary(label, pair.label)
        if pair.prediction is None:
            metric.update_missing(label, name=pair.name)
        else:
            metric.update_masks(read_mask(pair.prediction, label), label, name=pair.name)
    return metric.compute()


def pair_masks(labels: Path, predictions: Path, *, names: Sequence[str] | None, allow_missing: bool) -> list[FilePair]:
    """The mask files of every image, see `score_bdd100k_files`."""
    found = names_below(labels, ".png", "BDD100K") if names is None else [stem_of(name) for name in names]
    return pair_files(
        "BDD100K",
        found,
        lambda name: labels / f"{name}.png",
        lambda name: (predictions / f"{name}.png",),
        predictions=predictions,
        allow_missing=allow_missing,
    )


def read_mask(path: Path, label: IntMask | None = None) -> IntMask:
    """A mask of any values, (H, W) uint8; ValueError where it is broken or not of its label's size."""
    return read_lane_mask(path, image_size(path) if label is None else label.shape, _HIGHEST)


def _check_binary(label: IntMask, path: Path) -> None:
    """Refuses the official toolkit's lane-mark masks, in which the background is 255: all would be lane."""
    if label.size and not (label == 0).any():
        raise ValueError(
            f"BDD100K label {path}: expected 0 where there is no lane, but no pixel is 0. If this is a lane-mark mask "
            "of the official toolkit, in which 255 is background, score it as lane marks."
        )


def _drawn(lanes: LanePrediction, line_width: int) -> IntMask:
    width = max(1, round(line_width * lanes.image_size[1] / _REFERENCE_WIDTH))
    return draw_lanes([Lane(lane.points, slot=1) for lane in lanes.lanes], lanes.image_size, line_width=width)

"""The lane-mark score of the official BDD100K toolkit: boundary F of every class of marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import IntMask
from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.bdd100k import pair_masks, read_mask

FloatArray = NDArray[np.float64]

RADII = (1, 2, 5)
_BACKGROUND = 0b1000
_DISKS = tuple(
    np.array([[x * x + y * y <= r * r for x in range(-r, r + 1)] for y in range(-r, r + 1)], dtype=np.uint8)
    for r in RADII
)


class SubTask(NamedTuple):
    """One way to sort the marks into classes.

    Attributes:
        name: of the sub-task.
        shift: of its bits in a mask.
        bits: of the mask that belong to it, before the shift.
        classes: by value.
    """

    name: str
    shift: int
    bits: int
    classes: tuple[str, ...]


SUB_TASKS = (
    SubTask("direction", 5, 0b1, ("parallel", "vertical")),
    SubTask("style", 4, 0b1, ("solid", "dashed")),
    SubTask(
        "category",
        0,
        0b111,
        (
            *("crosswalk", "double other", "double white", "double yellow"),
            *("road curb", "single other", "single white", "single yellow"),
        ),
    ),
)


class LaneMarkFigures(NamedTuple):
    """The boundary F of one image, 0..1.

    Attributes:
        name: of the image.
        figures: for each of `SUB_TASKS` an array of (classes, `RADII`).
    """

    name: str
    figures: tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class BDD100KLaneMarkScore(Score):
    """The result of the lane-mark evaluation, in percent.

    Attributes:
        classes: for each of `SUB_TASKS` by class name the F at each of `RADII`.
        tasks: by the name of the sub-task the mean over its classes.
        average: the mean over the sub-tasks.
        num_images: that were compared.
        num_missing: those of them without a prediction file.
        images: the figures of each.
    """

    classes: dict[str, dict[str, tuple[float, ...]]]
    tasks: dict[str, tuple[float, ...]]
    average: tuple[float, ...]
    num_images: int
    num_missing: int = 0
    images: tuple[LaneMarkFigures, ...] = field(default=(), repr=False)

    @property
    def value(self) -> float:
        """The average at the largest radius, 0..1; 0 without images. The official tool names none as the one."""
        return self.average[-1] / 100 if self.average else 0.0

    def to_dict(self) -> dict[str, Any]:
        """By radius the figures in percent of every class, of every sub-task and on average."""
        return {
            "metric": "BDD100K lane marks",
            "num_images": self.num_images,
            "results": [
                {
                    "radius": radius,
                    "average": self.average[i] if self.average else None,
                    "tasks": {task: row[i] for task, row in self.tasks.items()},
                    "classes": {
                        task: {name: row[i] for name, row in rows.items()} for task, rows in self.classes.items()
                    },
                }
                for i, radius in enumerate(RADII)
            ],
        }

    def __str__(self) -> str:
        rows = [(name, row) for task in self.classes.values() for name, row in task.items()]
        rows += [(task.upper(), row) for task, row in self.tasks.items()]
        rows.append(("AVERAGE", self.average))
        heading = "".join(f"{f'F1_pix{radius}':>10}" for radius in RADII)
        lines = [
            f"{name:<14}" + ("".join(f"{figure:>10.1f}" for figure in row) if row else f"{'-':>10}" * len(RADII))
            for name, row in rows
        ]
        return "\n".join([f"BDD100K lane marks (%), {self.num_images} images", " " * 14 + heading, *lines])


class BDD100KLaneMarkMetric:
    """The boundary F of lane marks as the official BDD100K toolkit has it (`bdd100k.eval.lane`, 9ac17c6).

    Per class the pixels of label and prediction are compared with a tolerance of 1, 2 and 5 px; F is averaged over
    images, then over classes, then over the three sub-tasks. A class that is neither labelled nor predicted counts
    as right. Marks have classes, which lanes have not: it takes masks only.
    """

    def __init__(self) -> None:
        self._images: list[LaneMarkFigures] = []
        self._num_missing = 0

    def update_masks(self, prediction_mask: IntMask, label_mask: IntMask, *, name: str = "") -> None:
        """Adds one image by its masks, see `compare_lane_marks`."""
        self._images.append(compare_lane_marks(prediction_mask, label_mask, name=name))

    def update_missing(self, label_mask: IntMask, *, name: str = "") -> None:
        """Adds an image without a prediction file, as the toolkit does: as a mask of zeros.

        Zero is not background: it says that all of the picture is a crosswalk, solid and parallel.
        """
        self.update_masks(np.zeros_like(label_mask), label_mask, name=name)
        self._num_missing += 1

    def merge(self, other: BDD100KLaneMarkMetric) -> None:
        """Adds the images of another metric."""
        self._images += other._images
        self._num_missing += other._num_missing

    def compute(self) -> BDD100KLaneMarkScore:
        """The means over all images so far."""
        if not self._images:
            return BDD100KLaneMarkScore({}, {}, (), 0)
        classes, tasks = {}, {}
        for number, task in enumerate(SUB_TASKS):
            means = 100 * np.mean([image.figures[number] for image in self._images], axis=0)  # (classes, radii)
            classes[task.name] = {name: tuple(row) for name, row in zip(task.classes, means.tolist(), strict=True)}
            tasks[task.name] = tuple(means.mean(axis=0).tolist())
        average = tuple(np.mean(list(tasks.values()), axis=0).tolist())
        return BDD100KLaneMarkScore(classes, tasks, average, len(self._images), self._num_missing, tuple(self._images))


def compare_lane_marks(prediction_mask: IntMask, label_mask: IntMask, *, name: str = "") -> LaneMarkFigures:
    """The official figures of two lane-mark masks.

    Args:
        prediction_mask: (H, W) uint8: bits 0-2 category, bit 3 background, bit 4 style, bit 5 direction.
        label_mask: of the same size.
        name: of the image.

    Raises:
        ValueError: the masks are of different sizes.
    """
    if prediction_mask.shape != label_mask.shape:
        got, expected = (f"{mask.shape[0]}x{mask.shape[1]}" for mask in (prediction_mask, label_mask))
        raise ValueError(
            f"BDD100K lane marks of {name or 'an image'}: expected a prediction of {expected} pixels (height x width) "
            f"as the label, got {got}."
        )
    masks, foregrounds = _cropped(prediction_mask, label_mask)
    figures = []
    for task in SUB_TASKS:
        values = [(mask >> task.shift) & task.bits for mask in masks]
        rows = [
            _boundary_f(*((part == value) & there for part, there in zip(values, foregrounds, strict=True)))
            for value in range(len(task.classes))
        ]
        figures.append(np.array(rows))
    return LaneMarkFigures(name, tuple(figures))


def score_bdd100k_lane_marks(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    allow_missing: bool = False,
) -> BDD100KLaneMarkScore:
    """Scores lane-mark mask files of the official toolkit: PNGs of equal names in two folders.

    Args:
        labels: folder of the label masks, `labels/lane/masks/val` in the data set.
        predictions: folder of the predicted masks.
        names: of the images or masks, with or without suffix, below the folders; default: all label masks.
        allow_missing: a mask that is not there counts as one of zeros, as in the official toolkit; zeros are no
            background, see `BDD100KLaneMarkMetric.update_missing`.

    Raises:
        FileNotFoundError: a folder or files are missing; the message names the first ones.
        ValueError: a mask is broken or of another size than its label.
    """
    metric = BDD100KLaneMarkMetric()
    for pair in pair_masks(labels, predictions, names=names, allow_missing=allow_missing):
        label = read_mask(pair.label)
        if pair.prediction is None:
            metric.update_missing(label, name=pair.name)
        else:
            metric.update_masks(read_mask(pair.prediction, label), label, name=pair.name)
    return metric.compute()


def _cropped(*masks: IntMask) -> tuple[list[IntMask], list[NDArray[np.bool_]]]:
    """The masks, cut down to where one of them has marks, and where each has some."""
    foregrounds = [(mask & _BACKGROUND) == 0 for mask in masks]
    left, top, width, height = cv2.boundingRect(np.logical_or(*foregrounds).astype(np.uint8))
    box = np.s_[top : top + height, left : left + width]
    return [mask[box] for mask in masks], [there[box] for there in foregrounds]


def _boundary_f(prediction: NDArray[np.bool_], label: NDArray[np.bool_]) -> tuple[float, ...]:
    """F at each of `RADII`."""
    masks = [np.ascontiguousarray(mask, dtype=np.uint8) for mask in (prediction, label)]
    num_predicted, num_labelled = (cv2.countNonZero(mask) if mask.size else 0 for mask in masks)
    if not num_predicted or not num_labelled:
        return (1.0 if num_predicted == num_labelled else 0.0,) * len(RADII)
    left, top, width, height = cv2.boundingRect(masks[0] | masks[1])
    predicted, labelled = (mask[top : top + height, left : left + width] for mask in masks)
    figures = []
    for disk in _DISKS:
        precision = cv2.countNonZero(cv2.bitwise_and(predicted, cv2.dilate(labelled, disk))) / num_predicted
        recall = cv2.countNonZero(cv2.bitwise_and(labelled, cv2.dilate(predicted, disk))) / num_labelled
        figures.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return tuple(figures)

"""The regression score of LLAMAS: by how many pixels x at the image rows is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.llamas_markers import LLAMAS_LANES
from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.llamas import FIRST_ROW
from lanenet_sad.metrics.llamas_files import label_rows, read_row_lanes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LLAMASRegressionScore(Score):
    """The result of the regression metric, in pixels.

    Attributes:
        lanes: by name of a lane the mean over its images; None where no image has it.
        overall: the mean over all lanes of all images; None without any.
        num_images: that were compared.
        num_missing: labelled images without a prediction, which are left out of the means.
        images: by name the error of the lanes l1, l0, r0, r1, (4,); NaN where the label has no lane.
    """

    lanes: Mapping[str, float | None]
    overall: float | None
    num_images: int
    num_missing: int
    images: Mapping[str, FloatArray]

    @property
    def value(self) -> float:
        """1 / (1 + overall): 1 where nothing is off; 0 without lanes. The official figure is `overall`."""
        return 0.0 if self.overall is None else 1 / (1 + self.overall)

    def to_dict(self) -> dict[str, Any]:
        """The errors in pixels."""
        figures = {"overall": self.overall, "lanes": dict(self.lanes)}
        return {"metric": "LLAMAS mean absolute error", "num_images": self.num_images, **figures}

    def __str__(self) -> str:
        names = [*self.lanes, "overall"]
        errors = [*self.lanes.values(), self.overall]
        row = "".join(f"{'-' if error is None else f'{error:.4f}':>10}" for error in errors)
        title = f"LLAMAS mean absolute error (px), {self.num_images} images"
        return "\n".join([title, "".join(f"{name:>10}" for name in names), row])


def regression_errors(prediction: FloatArray, truth: FloatArray) -> FloatArray:
    """Mean |dx| of every lane over the rows from 300 on where the label has it; NaN where it has none.

    Args:
        prediction: (L, 717) x at the image rows, a number wherever the label has one.
        truth: (L, 717) x, NaN where there is no lane.

    Returns:
        (L,) in pixels.

    Raises:
        ValueError: the prediction says nothing where the label has a lane.
    """
    off = np.abs(truth[:, FIRST_ROW:] - prediction[:, FIRST_ROW:])  # (L, R)
    labelled = ~np.isnan(truth[:, FIRST_ROW:])
    if np.isnan(off[labelled]).any():
        raise ValueError(f"expected a number in every row from {FIRST_ROW} on where the label has a lane.")
    counts = labelled.sum(axis=1)
    sums = np.where(labelled, off, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def score_llamas_regression_files(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    allow_missing: bool = False,
) -> LLAMASRegressionScore:
    """Scores x at image rows as the official script does (unsupervised_llamas, `lane_regression/evaluate.py`).

    Every number of a prediction counts: -1 where the label has a lane is far off.

    Args:
        labels: folder or file of the labels, see `llamas.score_llamas_files`.
        predictions: JSON file `{"<recording>/<frame>": {"l1": [x, ...], "l0": ..., "r0": ..., "r1": ...}}` with 717
            rows or the 417 from row 300 on.
        names: of the images; default: all that have labels.
        allow_missing: images that the predictions lack are left out of the means.

    Raises:
        FileNotFoundError: files, or images among the predictions, are missing; the message names the first ones.
        ValueError: a file does not hold what it should, or a prediction says nothing where there is a lane.
    """
    found = read_row_lanes(predictions, absent=np.nan)
    images: dict[str, FloatArray] = {}
    absent = []
    for name, truth in label_rows(labels, names):
        if name not in found:
            absent.append(name)
            continue
        try:
            images[name] = regression_errors(found[name], truth)
        except ValueError as error:
            raise ValueError(f"LLAMAS lanes {predictions}, image {name}: {error}") from error
    if absent and not allow_missing:
        raise FileNotFoundError(
            f"LLAMAS predictions {predictions}: {len(absent)} of {len(absent) + len(images)} images are missing: "
            f"{', '.join(absent[:3])}{' …' * (len(absent) > 3)}."
        )
    errors = np.array(list(images.values())).reshape(-1, len(LLAMAS_LANES))  # (I, 4)
    lanes = {lane: _mean(errors[:, i]) for i, lane in enumerate(LLAMAS_LANES)}
    return LLAMASRegressionScore(lanes, _mean(errors.T.ravel()), len(images), len(absent), images)


def _mean(errors: FloatArray) -> float | None:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if len(known) else None

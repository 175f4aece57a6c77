"""Accuracy, false positives and false negatives of TuSimple frames, as `lane.py` computes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.metrics.matching import Matching, match_optimally

FloatArray = NDArray[np.float64]

PIXEL_LIMIT = 20.0
MATCH_ACCURACY = 0.85
MAX_RUN_TIME = 200.0  # milliseconds
_ABSENT = -100.0


class FrameScore(NamedTuple):
    """The official figures of one frame; the false positive rate may be negative (see `score_frame`)."""

    accuracy: float
    false_positives: float
    false_negatives: float


def score_frame(
    prediction: FloatArray,
    truth: FloatArray,
    row_anchors: FloatArray,
    run_time: float,
    matching: Matching = "official",
) -> FrameScore:
    """The official figures of one frame.

    Every label takes the best accuracy over the predictions, so that one prediction may match several labels
    and the false positive rate may be negative. With more than four labels the worst one is left out and one
    miss is forgiven. Rows where both label and prediction are absent count as right.

    Args:
        prediction: (P, R) x at the row anchors; negative or NaN is absent.
        truth: (G, R) likewise.
        row_anchors: (R,) y.
        run_time: in milliseconds; above 200, or with more than G + 2 predictions, the frame scores (0, 0, 1).
        matching: `official`, or `optimal`: no prediction for more than one label, in the pairs that have the largest
            sum of accuracies.
    """
    figures = score_frames(prediction[None], truth[None], row_anchors[None], np.array([run_time]), matching)
    return FrameScore(*figures[0].tolist())


def score_frames(
    prediction: FloatArray,
    truth: FloatArray,
    row_anchors: FloatArray,
    run_times: FloatArray,
    matching: Matching = "official",
) -> FloatArray:
    """The figures of many frames with the same numbers of lanes and rows, see `score_frame`.

    Args:
        prediction: (F, P, R).
        truth: (F, G, R).
        row_anchors: (F, R).
        run_times: (F,) in milliseconds.
        matching: see `score_frame`.

    Returns:
        (F, 3) accuracy, false positives and false negatives.
    """
    num_predictions, num_labels = prediction.shape[1], truth.shape[1]
    if num_labels + 2 < num_predictions:
        return np.tile([0.0, 0.0, 1.0], (len(truth), 1))
    accuracies = _label_accuracies(prediction, truth, row_anchors, matching)  # (F, G)
    matched = (accuracies >= MATCH_ACCURACY).sum(axis=1)
    missed = num_labels - matched
    total = accuracies.sum(axis=1)
    if num_labels > 4:
        total = total - accuracies.min(axis=1)
        missed = missed - (missed > 0)
    counted = max(min(num_labels, 4), 1)
    false_positives = (num_predictions - matched) / max(num_predictions, 1)
    figures = np.stack([total / counted, false_positives, missed / counted], axis=1)
    return np.where(run_times[:, None] > MAX_RUN_TIME, np.array([0.0, 0.0, 1.0]), figures)


def _label_accuracies(
    prediction: FloatArray, truth: FloatArray, row_anchors: FloatArray, matching: Matching
) -> FloatArray:
    """The share of rows that the predictions, (F, P, R), have right for each label, (F, G, R) -> (F, G)."""
    if prediction.shape[1] == 0 or truth.shape[1] == 0:
        return np.zeros(truth.shape[:2])
    limits = PIXEL_LIMIT / np.cos(np.arctan(_slopes(truth, row_anchors[:, None])))  # (F, G)
    predicted = np.where(prediction >= 0, prediction, _ABSENT)[:, None]
    label = np.where(truth >= 0, truth, _ABSENT)[:, :, None]
    right = np.abs(predicted - label) < limits[..., None, None]  # (F, G, P, R)
    accuracies: FloatArray = np.count_nonzero(right, axis=3) / max(row_anchors.shape[1], 1)  # (F, G, P)
    if matching == "official":
        best: FloatArray = accuracies.max(axis=2)
        return best
    pairs = [match_optimally(frame) for frame in accuracies]
    return np.array(
        [
            [frame[label, pair] if pair >= 0 else 0.0 for label, pair in enumerate(partners)]
            for frame, partners in zip(accuracies, pairs, strict=True)
        ]
    )


def _slopes(truth: FloatArray, row_anchors: FloatArray) -> FloatArray:
    """Slopes of x over y by least squares through the labels' points, (F, G); 0 where they do not determine one."""
    present = truth >= 0  # (F, G, R)
    count = np.maximum(present.sum(axis=2, keepdims=True), 1)
    y = np.where(present, row_anchors, 0.0)
    x = np.where(present, truth, 0.0)
    y = np.where(present, y - y.sum(axis=2, keepdims=True) / count, 0.0)
    x = np.where(present, x - x.sum(axis=2, keepdims=True) / count, 0.0)
    spread = (y * y).sum(axis=2)
    known = spread > 0
    slopes: FloatArray = np.where(known, (y * x).sum(axis=2) / np.where(known, spread, 1.0), 0.0)
    return slopes

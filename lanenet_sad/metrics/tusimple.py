"""The TuSimple score: accuracy, false positives and false negatives of x at row anchors, as `lane.py` has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.tusimple_files import points_at_rows
from lanenet_sad.metrics.base import LaneMetric, Score

FloatArray = NDArray[np.float64]

PIXEL_LIMIT = 20.0
MATCH_ACCURACY = 0.85
MAX_RUN_TIME = 200.0  # milliseconds
_ABSENT = -100.0

# The texts of the official tool, to which ours add where and what.
_NOT_JSON = "Fail to load json file of the prediction."
_WRONG_NUMBER = "We do not get the predictions of all the test tasks"
_KEY_MISSING = "raw_file or lanes or run_time not in some predictions."
_UNKNOWN_FRAME = "Some raw_file from your predictions do not exist in the test tasks."
_LANES_FORMAT = "Format of lanes error."


class FrameScore(NamedTuple):
    """The official figures of one frame; the false positive rate may be negative (see `score_frame`)."""

    accuracy: float
    false_positives: float
    false_negatives: float


@dataclass(frozen=True)
class TuSimpleScore(Score):
    """The result of the TuSimple metric: means over frames.

    Attributes:
        accuracy: of the rows of the labelled lanes.
        false_positives: rate; negative in total where predictions match several labels each.
        false_negatives: rate.
        num_images: distinct labelled frames, by which the sums were divided.
    """

    accuracy: float | None
    false_positives: float | None
    false_negatives: float | None
    num_images: int

    @property
    def value(self) -> float:
        """The accuracy; 0 without frames."""
        return self.accuracy or 0.0

    def to_dict(self) -> dict[str, Any]:
        """The three figures: rates, as the official script prints them."""
        figures = {"accuracy": self.accuracy, "fp": self.false_positives, "fn": self.false_negatives}
        return {"metric": "TuSimple accuracy", "num_images": self.num_images, **figures}

    def __str__(self) -> str:
        figures = (self.accuracy, self.false_positives, self.false_negatives)
        row = "".join(f"{'-' if figure is None else f'{figure:.4f}':>10}" for figure in figures)
        return f"TuSimple, {self.num_images} images\n{'Accuracy':>10}{'FP':>10}{'FN':>10}\n{row}"


class TuSimpleMetric(LaneMetric):
    """Accuracy, FP and FN of the official TuSimple evaluator (tusimple-benchmark `evaluate/lane.py`).

    Predicted lanes without row anchors are sampled at those of the label; lanes that already are at row anchors
    keep their points and their gaps. A frame that took more than 0.2 s scores accuracy 0, as officially.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(3)
        self._names: list[str] = []

    def update(self, prediction: LanePrediction, truth: LanePrediction) -> None:
        """Adds one frame.

        Raises:
            ValueError: the label has no row anchors.
        """
        if truth.row_anchors is None:
            raise ValueError(f"TuSimple label of {truth.name or 'an image'}: expected row anchors, got none.")
        rows = np.asarray(truth.row_anchors, dtype=np.float64)
        run_time = prediction.run_time * 1000  # ms
        self._sums += score_frame(_x_at_rows(prediction, rows), _x_at_rows(truth, rows), rows, run_time)
        self._names.append(truth.name)

    def merge(self, other: TuSimpleMetric) -> None:
        """Adds the frames of another metric."""
        self._sums = self._sums + other._sums
        self._names += other._names

    def compute(self) -> TuSimpleScore:
        """Sums over the frames so far by the number of distinct names, as officially; None without any.

        Frames without a name count one by one.
        """
        named = [name for name in self._names if name]
        return _mean(self._sums, len(set(named)) + len(self._names) - len(named))


def score_frame(prediction: FloatArray, truth: FloatArray, row_anchors: FloatArray, run_time: float) -> FrameScore:
    """The official figures of one frame.

    Every label takes the best accuracy over the predictions, so that one prediction may match several labels
    and the false positive rate may be negative. With more than four labels the worst one is left out and one
    miss is forgiven. Rows where both label and prediction are absent count as right.

    Args:
        prediction: (P, R) x at the row anchors; negative or NaN is absent.
        truth: (G, R) likewise.
        row_anchors: (R,) y.
        run_time: in milliseconds; above 200, or with more than G + 2 predictions, the frame scores (0, 0, 1).
    """
    num_predictions, num_labels = len(prediction), len(truth)
    if run_time > MAX_RUN_TIME or num_labels + 2 < num_predictions:
        return FrameScore(0.0, 0.0, 1.0)
    predicted = np.where(prediction >= 0, prediction, _ABSENT)  # (P, R)
    accuracies = [_label_accuracy(predicted, label, row_anchors) for label in truth]
    matched = sum(accuracy >= MATCH_ACCURACY for accuracy in accuracies)
    missed = num_labels - matched
    total = sum(accuracies)
    if num_labels > 4:
        total -= min(accuracies)
        missed -= missed > 0
    counted = max(min(num_labels, 4), 1)
    false_positives = (num_predictions - matched) / num_predictions if num_predictions else 0.0
    return FrameScore(total / counted, false_positives, missed / counted)


def score_tusimple_files(label_path: str | Path, prediction_path: str | Path) -> TuSimpleScore:
    """Scores a prediction file against a label file exactly as the official script does.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file does not hold what it should. For predictions the message begins with the official
            text and adds the file, the line and what is wrong.
    """
    frames = score_tusimple_frames(label_path, prediction_path)
    sums = np.zeros(3)
    for figures in frames.figures:
        sums += figures
    return _mean(sums, frames.num_labels)


class FrameScores(NamedTuple):
    """Per-frame figures of a prediction file.

    Attributes:
        names: `raw_file` of every prediction, in file order; may repeat.
        figures: of the same predictions.
        num_labels: distinct `raw_file`s of the labels.
    """

    names: list[str]
    figures: list[FrameScore]
    num_labels: int


def score_tusimple_frames(label_path: str | Path, prediction_path: str | Path) -> FrameScores:
    """As `score_tusimple_files`, but frame by frame."""
    predictions = _json_lines(Path(prediction_path), _NOT_JSON)
    labels = _json_lines(Path(label_path), "TuSimple labels: expected one JSON object per line.")
    if len(labels) != len(predictions):
        raise ValueError(
            f"{_WRONG_NUMBER} ({prediction_path}: {len(predictions)} lines, {label_path}: {len(labels)} lines)."
        )
    truth = dict(_label(label, f"{label_path}, line {n}") for n, label in enumerate(labels, 1))
    scores = FrameScores([], [], len(truth))
    for n, prediction in enumerate(predictions, 1):
        name, figures = _score_line(prediction, truth, f"{prediction_path}, line {n}")
        scores.names.append(name)
        scores.figures.append(figures)
    return scores


def _score_line(prediction: Any, truth: dict[str, tuple[FloatArray, FloatArray]], where: str) -> tuple[str, FrameScore]:
    keys = ("raw_file", "lanes", "run_time")
    absent = [key for key in keys if not isinstance(prediction, dict) or key not in prediction]
    if absent:
        raise ValueError(f"{_KEY_MISSING} ({where}: {', '.join(absent)} missing)")
    name, lanes, run_time = (prediction[key] for key in keys)
    if not isinstance(name, str) or name not in truth:
        raise ValueError(f"{_UNKNOWN_FRAME} ({where}: {name})")
    label, row_anchors = truth[name]
    if isinstance(run_time, bool) or not isinstance(run_time, int | float):
        raise ValueError(f"{_LANES_FORMAT} ({where}: expected run_time in milliseconds, got {run_time!r})")
    try:
        return name, score_frame(_x_array(lanes, len(row_anchors)), label, row_anchors, float(run_time))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_LANES_FORMAT} ({where}: {error})") from error


def _label(label: Any, where: str) -> tuple[str, tuple[FloatArray, FloatArray]]:
    try:
        row_anchors = _x_array([label["h_samples"]], len(label["h_samples"]))[0]
        return str(label["raw_file"]), (_x_array(label["lanes"], len(row_anchors)), row_anchors)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"TuSimple label {where}: expected raw_file, h_samples and lanes; {error}.") from error


def _x_array(lanes: Any, num_rows: int) -> FloatArray:
    """Lanes of a file, each one number per row -> (L, R)."""
    if not isinstance(lanes, list):
        raise ValueError(f"expected a list of lanes, got {lanes!r}")
    for number, lane in enumerate(lanes):
        if not isinstance(lane, list) or len(lane) != num_rows:
            got = f"{len(lane)} numbers" if isinstance(lane, list) else repr(lane)
            raise ValueError(f"expected {num_rows} numbers in lane {number}, got {got}")
        if not all(isinstance(x, int | float) for x in lane):
            raise ValueError(f"expected only numbers in lane {number}")
    return np.array(lanes, dtype=np.float64).reshape(len(lanes), num_rows)


def _json_lines(path: Path, complaint: str) -> list[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"TuSimple file {path}: there is no such file.")
    lines: list[Any] = []
    with path.open(encoding="utf-8") as file:
        try:
            for line in file:
                lines.append(json.loads(line))
        except ValueError as error:  # also text that is not UTF-8
            raise ValueError(f"{complaint} ({path}, line {len(lines) + 1}: {error})") from error
    return lines


def _label_accuracy(predicted: FloatArray, label: FloatArray, row_anchors: FloatArray) -> float:
    """The best share of rows that one of (P, R) predictions has right for one label (R,)."""
    if len(predicted) == 0:
        return 0.0
    limit = PIXEL_LIMIT / np.cos(np.arctan(_slope(label, row_anchors)))
    label = np.where(label >= 0, label, _ABSENT)
    return float((np.abs(predicted - label) < limit).mean(axis=1).max())


def _slope(label: FloatArray, row_anchors: FloatArray) -> float:
    """Slope of x over y by least squares through the label's points; 0 if they do not determine one."""
    present = label >= 0
    if present.sum() < 2:
        return 0.0
    y = row_anchors[present] - row_anchors[present].mean()
    x = label[present] - label[present].mean()
    spread = float(y @ y)
    return float(y @ x) / spread if spread else 0.0


def _x_at_rows(side: LanePrediction, rows: FloatArray) -> FloatArray:
    """The lanes of one frame at the label's row anchors, (L, R), NaN where absent."""
    lanes: Sequence[FloatArray] = [
        sample_at_rows(lane.points, rows) if side.row_anchors is None else points_at_rows(lane, rows)
        for lane in side.lanes
    ]
    return np.array(lanes, dtype=np.float64).reshape(len(lanes), len(rows))


def _mean(sums: FloatArray, num_images: int) -> TuSimpleScore:
    if num_images == 0:
        return TuSimpleScore(None, None, None, 0)
    accuracy, false_positives, false_negatives = (sums / num_images).tolist()
    return TuSimpleScore(accuracy, false_positives, false_negatives, num_images)

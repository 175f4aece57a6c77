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
from lanenet_sad.metrics.matching import Matching
from lanenet_sad.metrics.tusimple_frames import FrameScore, score_frame, score_frames

FloatArray = NDArray[np.float64]

_TOGETHER = 1000  # frames that are compared at once

# The texts of the official tool, to which ours add where and what.
_NOT_JSON = "Fail to load json file of the prediction."
_WRONG_NUMBER = "We do not get the predictions of all the test tasks"
_KEY_MISSING = "raw_file or lanes or run_time not in some predictions."
_UNKNOWN_FRAME = "Some raw_file from your predictions do not exist in the test tasks."
_LANES_FORMAT = "Format of lanes error."


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


def score_tusimple_files(
    label_path: str | Path, prediction_path: str | Path, *, allow_missing: bool = False, matching: Matching = "official"
) -> TuSimpleScore:
    """Scores a prediction file against a label file exactly as the official script does.

    Args:
        label_path: JSON lines with `raw_file`, `lanes` and `h_samples`.
        prediction_path: JSON lines with `raw_file`, `lanes` and `run_time`.
        allow_missing: labelled frames without a line in the prediction file count as frames without lanes; officially
            there must be as many predictions as labels.
        matching: see `score_frame`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file does not hold what it should. For predictions the message begins with the official
            text and adds the file, the line and what is wrong.
    """
    frames = score_tusimple_frames(label_path, prediction_path, allow_missing=allow_missing, matching=matching)
    return tusimple_score(frames)


def tusimple_score(frames: FrameScores) -> TuSimpleScore:
    """The score from the figures of all frames."""
    sums = np.array(frames.figures).reshape(-1, 3).sum(axis=0)
    return _mean(sums, frames.num_labels)


class FrameScores(NamedTuple):
    """Per-frame figures of a prediction file.

    Attributes:
        names: `raw_file` of every prediction, in file order; may repeat.
        figures: of the same predictions.
        num_labels: distinct `raw_file`s of the labels.
        missing: `raw_file`s without a prediction; where these are allowed they stand at the end of the others, else
            they do not count, as officially, where another frame was predicted twice.
    """

    names: list[str]
    figures: list[FrameScore]
    num_labels: int
    missing: list[str]


def score_tusimple_frames(
    label_path: str | Path, prediction_path: str | Path, *, allow_missing: bool = False, matching: Matching = "official"
) -> FrameScores:
    """As `score_tusimple_files`, but frame by frame."""
    predictions = _json_lines(Path(prediction_path), _NOT_JSON)
    labels = _json_lines(Path(label_path), "TuSimple labels: expected one JSON object per line.")
    if len(labels) != len(predictions) and not (allow_missing and len(predictions) < len(labels)):
        raise ValueError(
            f"{_WRONG_NUMBER} ({prediction_path}: {len(predictions)} lines, {label_path}: {len(labels)} lines)."
        )
    truth = dict(_label(label, f"{label_path}, line {n}") for n, label in enumerate(labels, 1))
    frames = [_frame(prediction, truth, f"{prediction_path}, line {n}") for n, prediction in enumerate(predictions, 1)]
    there = {frame.name for frame in frames}
    missing = [name for name in truth if name not in there]
    if allow_missing:
        frames += [_Frame(name, np.zeros((0, len(truth[name][1]))), *truth[name], 0.0) for name in missing]
    return FrameScores([frame.name for frame in frames], _figures(frames, matching), len(truth), missing)


class _Frame(NamedTuple):
    """One frame as it is compared."""

    name: str
    prediction: FloatArray  # (P, R)
    truth: FloatArray  # (G, R)
    row_anchors: FloatArray  # (R,)
    run_time: float  # milliseconds


def _figures(frames: Sequence[_Frame], matching: Matching) -> list[FrameScore]:
    """The figures of all frames; those of the same shape are computed together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        members = alike.setdefault((*frame.prediction.shape, len(frame.truth)), [])
        members.append(index)
    figures = np.zeros((len(frames), 3))
    for members in alike.values():
        for start in range(0, len(members), _TOGETHER):
            chosen = members[start : start + _TOGETHER]
            _, found, truth, rows, run_times = zip(*(frames[index] for index in chosen), strict=True)
            arrays = np.stack(found), np.stack(truth), np.stack(rows), np.array(run_times)
            figures[chosen] = score_frames(*arrays, matching)
    return [FrameScore(*row) for row in figures.tolist()]


def _frame(prediction: Any, truth: dict[str, tuple[FloatArray, FloatArray]], where: str) -> _Frame:
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
        return _Frame(name, _x_array(lanes, len(row_anchors)), label, row_anchors, float(run_time))
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
    if (array := _plain_array(lanes, num_rows)) is not None:
        return array
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


def _plain_array(lanes: Any, num_rows: int) -> FloatArray | None:
    """Lanes that are as they should be, quickly; None where someone has to look closer."""
    try:
        array = np.array(lanes)
    except (ValueError, OverflowError):  # lists of different lengths
        return None
    fits = array.ndim == 2 and array.shape[1] == num_rows and array.dtype.kind in "if"
    return array.astype(np.float64) if fits else None


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

"""The CurveLanes score: F1 of lanes drawn as thin curves on a small square, as CurveLane-NAS's code counts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np

from lanenet_sad.lanes.curvelanes_files import read_key_points
from lanenet_sad.lanes.curves import natural_spline_by_length
from lanenet_sad.lanes.images import image_size as size_of_image
from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.lanes.raster import polyline_patch, whole_pixels
from lanenet_sad.metrics.culane import LaneComparison
from lanenet_sad.metrics.drawn_lanes import DrawnLane
from lanenet_sad.metrics.file_pairs import names_below, pair_files, stem_of
from lanenet_sad.metrics.lane_f1 import LaneF1Metric, LaneF1Score, Look
from lanenet_sad.metrics.matching import assign
from lanenet_sad.metrics.polyline_files import read_polylines

CURVELANES_CANVAS = (224, 224)
_LONGEST = 1e6  # canvas pixels along a lane, of which each is a sample
_LABEL = ".lines.json"
_SUFFIXES = (_LABEL, ".lines.txt")
_PICTURES = (".jpg", ".png", ".jpeg")


class CurveLanesScore(LaneF1Score):
    """The result of `CurveLanesMetric`."""

    benchmark = "CurveLanes"


@final
class CurveLanesMetric(LaneF1Metric):
    """True positives, false positives and false negatives of CurveLanes.

    The data set came without an evaluator. The rules are those of `lane_metric.py` in VEGA (huawei-noah, the code of
    CurveLane-NAS), which CondLaneNet and CLRerNet took over: each picture, whatever its size, becomes 224x224 pixels;
    lanes are natural splines in steps of one pixel, truncated to whole pixels and drawn 5 px wide; pairs are those of
    the largest sum of IoUs; a pair above IoU 0.5 is found. No official figures were at hand to compare with: the rules
    were read from the code, not checked against it.

    Where those programs stop with an error, this goes on: consecutive equal points count once. A lane of one point
    counts and matches nothing; a lane without points does not count.

    Args:
        iou_thresholds: at which pairs count; the first one decides the score's `value`.
        lane_width: of the drawn lanes, in pixels of the canvas.
        canvas_size: (height, width) to which pictures are scaled.

    Raises:
        ValueError: a threshold is not in [0, 1), or a size is not positive.
    """

    def __init__(
        self,
        *,
        iou_thresholds: Sequence[float] = (0.5,),
        lane_width: int = 5,
        canvas_size: tuple[int, int] = CURVELANES_CANVAS,
    ) -> None:
        super().__init__(iou_thresholds=iou_thresholds, lane_width=lane_width)
        if min(canvas_size) < 1:
            raise ValueError(f"CurveLanes canvas: expected a positive height and width, got {tuple(canvas_size)}.")
        self.canvas_size = (canvas_size[0], canvas_size[1])

    def compare(self, prediction: LanePrediction, truth: LanePrediction) -> LaneComparison:
        """IoUs and pairs of one image, of its lanes that have points.

        Raises:
            ValueError: a lane is longer than a million pixels of the canvas, or not finite.
        """
        labels, predicted = (self._drawn_lanes(side, truth.name) for side in (truth, prediction))
        ious = np.array([[label.iou(lane) for lane in predicted] for label in labels])
        ious = np.nan_to_num(ious.reshape(len(labels), len(predicted)))
        return LaneComparison(ious, assign(ious))

    def compute(self) -> CurveLanesScore:
        """The score from the totals of all images so far."""
        return CurveLanesScore(*self._figures())

    def _drawn_lanes(self, side: LanePrediction, name: str) -> list[DrawnLane]:
        ratios = np.array([side.image_size[1] / self.canvas_size[1], side.image_size[0] / self.canvas_size[0]])
        lanes = [lane.points / ratios for lane in side.lanes if len(lane.points)]
        for number, points in enumerate(lanes):
            with np.errstate(over="ignore", invalid="ignore"):
                length = np.hypot(*np.diff(points, axis=0).T).sum()
            if not (length <= _LONGEST and np.isfinite(points).all()):
                raise ValueError(
                    f"CurveLanes, lane {number} of {name or 'an image'}: expected finite points and at most "
                    f"{_LONGEST:.0f} pixels of the canvas along the lane."
                )
        return [self._drawn(points) for points in lanes]

    def _drawn(self, points: Points) -> DrawnLane:
        curve = natural_spline_by_length(points)
        line = curve if len(curve) > 1 else curve[:0]  # a single point leaves no trace
        return DrawnLane(polyline_patch(whole_pixels(np.trunc(line)), self.canvas_size, line_width=self.lane_width))

    def _settings(self) -> tuple[object, ...]:
        return *super()._settings(), self.canvas_size


def score_curvelanes_files(
    labels: Path,
    predictions: Path,
    *,
    names: Sequence[str] | None = None,
    images: Path | None = None,
    image_size: tuple[int, int] | None = None,
    iou_thresholds: Sequence[float] = (0.5,),
    lane_width: int = 5,
    allow_missing: bool = False,
    look: Look | None = None,
) -> CurveLanesScore:
    """Scores lane files against the labels of CurveLanes; see `CurveLanesMetric` for the rules.

    Args:
        labels: folder of the label files `<image>.lines.json`, or a folder such as `valid` that has them in `labels`.
        predictions: folder of the prediction files, `<image>.lines.txt` (`x y x y ...`) or `<image>.lines.json` as the
            labels, in pixels of the picture.
        names: of the images, as in `valid.txt`; default: all that have labels.
        images: folder of the pictures, whose sizes are read from their headers; default: `images` beside `labels`.
        image_size: (height, width) of all pictures, if they are not at hand and all of one size.
        iou_thresholds: at which pairs count.
        lane_width: of the drawn lanes, in pixels of the canvas.
        allow_missing: a prediction file that is not there counts as an image without lanes.
        look: is shown every image.

    Raises:
        FileNotFoundError: a folder or files are missing; the message names the first ones.
        ValueError: a file does not hold what it should; the message names it.
    """
    labels = labels / "labels" if (labels / "labels").is_dir() else labels
    images = labels.parent / "images" if images is None else images
    metric = CurveLanesMetric(iou_thresholds=iou_thresholds, lane_width=lane_width)
    pairs = pair_files(
        "CurveLanes",
        names_below(labels, _LABEL, "CurveLanes") if names is None else [_stem(name) for name in names],
        lambda name: labels / f"{name}{_LABEL}",
        lambda name: [
            folder / f"{name}{suffix}"
            for folder in (predictions, predictions / "images")
            for suffix in (".lines.txt", _LABEL)
        ],
        predictions=predictions,
        allow_missing=allow_missing,
    )
    for name, label, path in pairs:
        size = image_size if image_size is not None else _picture_size(images, name)
        truth = read_key_points(label, "CurveLanes label")
        lanes = [] if path is None else _predicted(path)
        found, label_lanes = (
            LanePrediction(tuple(Lane(points) for points in side if len(points)), size, name) for side in (lanes, truth)
        )
        comparison = metric.compare(found, label_lanes)
        metric.count(name, comparison, missing=path is None)
        if look is not None:
            look(found, label_lanes, comparison)
    return metric.compute()


def _stem(name: str) -> str:
    return stem_of(name, _SUFFIXES).removeprefix("images/")


def _predicted(path: Path) -> list[Points]:
    reader = read_key_points if path.name.endswith(_LABEL) else read_polylines
    return reader(path, "CurveLanes prediction")


def _picture_size(images: Path, name: str) -> tuple[int, int]:
    for suffix in _PICTURES:
        if (path := images / f"{name}{suffix}").is_file():
            return size_of_image(path)
    raise FileNotFoundError(
        f"CurveLanes picture {images / name}.jpg: there is no such file, and without pictures their sizes are unknown. "
        "Name the folder of the pictures, or give one image size for all."
    )

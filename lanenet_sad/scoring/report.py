"""The error-analysis page of prediction files that are scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.images import image_size
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.tusimple_files import read_tusimple
from lanenet_sad.metrics.culane import CULANE_CANVAS
from lanenet_sad.metrics.culane_batch import ScoredImages
from lanenet_sad.metrics.culane_files import LABELS, PREDICTIONS, LaneBatch
from lanenet_sad.scoring.culane import score_culane
from lanenet_sad.scoring.request import Scored, ScoreRequest
from lanenet_sad.visualization.error_report import ErrorReport

_CULANE_THRESHOLD = 0.5


def report_culane(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """Scores CULane files and writes the page, on which the same lanes are paired; see `score_culane`."""
    images = request.images or request.annotations
    report = ErrorReport(
        directory,
        title="Errors on culane",
        image_path=_image_below(images),
        lane_width=request.lane_width or 30,
        canvas_width=request.canvas_width,
        iou_threshold=request.iou[0] if request.iou else _CULANE_THRESHOLD,
    )
    canvas = request.image_size or CULANE_CANVAS

    def look(part: ScoredImages) -> None:
        assert part.batch is not None
        assert part.comparison is not None
        assert images is not None
        for number, (name, comparison) in enumerate(zip(part.batch.names, part.comparison.images, strict=True)):
            size = image_size(images / relative_name(name)) if request.canvas_width else canvas
            prediction, truth = (_lanes(part.batch, number, side, size) for side in (PREDICTIONS, LABELS))
            report.add(prediction, truth, category=part.category, comparison=comparison)

    scored = score_culane(request, look)
    return scored, report.write(scored.score, command)


def report_tusimple(
    request: ScoreRequest, directory: Path, command: str, score: Callable[[ScoreRequest], Scored]
) -> tuple[Scored, Path]:
    """Scores TuSimple files with `score` and writes the page, for which lanes are compared as CULane does."""
    assert request.labels is not None
    images = request.images or request.labels.parent
    report = ErrorReport(directory, title="Errors on tusimple", image_path=_image_below(images))
    scored = score(request)
    truths = {truth.name: truth for truth in read_tusimple(request.labels)}
    rows = {name: np.asarray(truth.row_anchors) for name, truth in truths.items()}
    missing = dict(truths)
    for prediction in read_tusimple(request.predictions, row_anchors=rows):
        report.add(prediction, truths[prediction.name])
        missing.pop(prediction.name, None)
    for truth in missing.values():
        report.add(LanePrediction((), truth.image_size, truth.name), truth)
    return scored, report.write(scored.score, command)


def _lanes(batch: LaneBatch, number: int, side: int, size: tuple[int, int]) -> LanePrediction:
    return LanePrediction(tuple(Lane(points) for points in batch.lanes(number, side)), size, batch.names[number])


def _image_below(folder: Path | None) -> Callable[[str], Path | None]:
    """The file of a name below a folder; none where the name leads out of it."""

    def image_path(name: str) -> Path | None:
        try:
            return None if folder is None else folder / relative_name(name)
        except ValueError:
            return None

    return image_path

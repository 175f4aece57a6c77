"""TuSimple's score of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.tusimple import score_tusimple_frames, tusimple_score
from lanenet_sad.scoring.request import Scored, ScoreRequest, labels_of, warn_unused

_LABELS = "the file of the labels, such as test_label.json"


def score_files(request: ScoreRequest) -> Scored:
    """Scores a JSON-lines file of predictions against one of labels, as the official script does."""
    labels = labels_of(request, _LABELS)
    warn_unused(request, {"matching", "images"})
    frames = score_tusimple_frames(
        labels, request.predictions, allow_missing=request.allow_missing, matching=request.matching
    )
    notes = []
    if repeated := len(frames.names) - len(set(frames.names)):
        notes.append(f"predictions: {repeated} are for frames that have one already; all count, as officially")
    if frames.missing and not request.allow_missing:
        notes.append(f"labels: {len(frames.missing)} frames have no prediction and do not count, as officially")
    return Scored(tusimple_score(frames), len(frames.missing) if request.allow_missing else 0, tuple(notes))


def report_files(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """Scores the files and writes the page of the error analysis, for which lanes are compared as CULane does."""
    from lanenet_sad.lanes.tusimple_files import read_tusimple
    from lanenet_sad.scoring.pages import image_below
    from lanenet_sad.visualization.error_report import ErrorReport

    labels = labels_of(request, _LABELS)
    images = request.images or labels.parent
    report = ErrorReport(directory, title="Errors on tusimple", image_path=image_below(images))
    scored = score_files(request)
    truths = {truth.name: truth for truth in read_tusimple(labels)}
    rows = {name: np.asarray(truth.row_anchors) for name, truth in truths.items()}
    missing = dict(truths)
    for prediction in read_tusimple(request.predictions, row_anchors=rows):
        report.add(prediction, truths[prediction.name])
        missing.pop(prediction.name, None)
    for truth in missing.values() if request.allow_missing else ():
        report.add(LanePrediction((), truth.image_size, truth.name), truth)
    return scored, report.write(scored.score, command)

"""CurveLanes's score of files."""

from __future__ import annotations

from pathlib import Path

from lanenet_sad.metrics.curvelanes import score_curvelanes_files
from lanenet_sad.metrics.lane_f1 import Look
from lanenet_sad.scoring.pages import page_of
from lanenet_sad.scoring.request import Scored, ScoreRequest, chosen, labels_of, read_names, warn_unused

_LABELS = "the folder of the label files, such as valid or valid/labels"


def score_files(request: ScoreRequest, look: Look | None = None) -> Scored:
    """Scores `*.lines.txt` or `*.lines.json` files; `look` is called with the lanes of every image."""
    warn_unused(request, {"lists", "iou", "lane_width", "image_size", "images"})
    if request.image_size is not None and min(request.image_size) < 1:
        raise ValueError(f"--image-size: expected a positive height and width, got {list(request.image_size)}.")
    score = score_curvelanes_files(
        labels_of(request, _LABELS),
        request.predictions,
        names=read_names(request),
        images=request.images,
        image_size=request.image_size,
        iou_thresholds=request.iou or (0.5,),
        lane_width=chosen(request.lane_width, 5),
        allow_missing=request.allow_missing,
        look=look,
    )
    return Scored(score, score.num_missing)


def report_files(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """Scores the files and writes the page of the error analysis, on which lanes are paired as the score pairs them."""
    labels = labels_of(request, _LABELS)
    above = labels if (labels / "labels").is_dir() else labels.parent
    return page_of(request, directory, command, score_files, suffix=".jpg", images=above / "images", lane_width=5)

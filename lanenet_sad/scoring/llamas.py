"""LLAMAS's scores of files: lanes by F1, x at image rows, or probability maps."""

from __future__ import annotations

from pathlib import Path

from lanenet_sad.metrics.lane_f1 import Look
from lanenet_sad.metrics.llamas import score_llamas_files
from lanenet_sad.metrics.llamas_regression import score_llamas_regression_files
from lanenet_sad.metrics.llamas_segmentation import score_llamas_segmentation_files
from lanenet_sad.scoring.pages import page_of
from lanenet_sad.scoring.request import (
    Scored,
    ScoreRequest,
    chosen,
    labels_of,
    no_page,
    protocol_of,
    read_names,
    warn_unused,
)

_PROTOCOLS = ("lanes", "regression", "segmentation")
_LABELS = "the folder of the label files, or one JSON file with x at the image rows"
_PICTURE = "_color_rect.png"


def score_files(request: ScoreRequest, look: Look | None = None) -> Scored:
    """Scores by protocol: `lanes` (the first: `*.lines.txt`), `regression` (a JSON file), `segmentation` (PNGs).

    `look` is called with the lanes of every image and how they compare, where lanes are compared.
    """
    labels, protocol, names = labels_of(request, _LABELS), protocol_of(request, _PROTOCOLS), read_names(request)
    if protocol == "lanes":
        warn_unused(request, {"lists", "iou", "lane_width", "protocol", "images"})
        score = score_llamas_files(
            labels,
            request.predictions,
            names=names,
            iou_thresholds=request.iou or (0.5,),
            lane_width=chosen(request.lane_width, 30),
            allow_missing=request.allow_missing,
            look=look,
        )
        return Scored(score, score.num_missing)
    warn_unused(request, {"lists", "protocol"})
    score_them = score_llamas_regression_files if protocol == "regression" else score_llamas_segmentation_files
    figures = score_them(labels, request.predictions, names=names, allow_missing=request.allow_missing)
    return Scored(figures, figures.num_missing)


def report_files(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """Scores lanes and writes the page of the error analysis, on which they are paired as the score pairs them."""
    if protocol_of(request, _PROTOCOLS) != "lanes":
        raise no_page(request, "only the protocol `lanes` has lanes to show one by one")
    labels = labels_of(request, _LABELS)
    pictures = labels.parent.parent / "color_images" / labels.name
    return page_of(request, directory, command, score_files, suffix=_PICTURE, images=pictures, lane_width=30)

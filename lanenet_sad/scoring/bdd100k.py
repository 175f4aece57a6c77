"""BDD100K's scores of mask files: lane pixels as in ENet-SAD, or lane marks as the official toolkit has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lanenet_sad.metrics.bdd100k import BDD100KScore, score_bdd100k_files
from lanenet_sad.metrics.bdd100k_lane_marks import BDD100KLaneMarkScore, score_bdd100k_lane_marks
from lanenet_sad.scoring.request import Scored, ScoreRequest, labels_of, no_page, protocol_of, read_names, warn_unused

_PROTOCOLS: dict[str, Callable[..., BDD100KScore | BDD100KLaneMarkScore]] = {
    "pixels": score_bdd100k_files,
    "lane_marks": score_bdd100k_lane_marks,
}


def score_files(request: ScoreRequest) -> Scored:
    """Scores PNG masks below two folders; protocol `pixels` (the first) or `lane_marks`."""
    labels, names = labels_of(request, "the folder of the label masks"), read_names(request)
    score_masks = _PROTOCOLS[protocol_of(request, _PROTOCOLS)]
    warn_unused(request, {"lists", "protocol"})
    score = score_masks(labels, request.predictions, names=names, allow_missing=request.allow_missing)
    return Scored(score, score.num_missing)


def report_files(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """There is no page of masks, which have no lanes."""
    raise no_page(request, "mask files have no lanes to show one by one")

"""What the pages of the error analysis need of prediction files that are scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.culane import LaneComparison
from lanenet_sad.metrics.lane_f1 import Look
from lanenet_sad.scoring.request import Scored, ScoreRequest, chosen


def image_below(folder: Path | None) -> Callable[[str], Path | None]:
    """The file of a name below a folder; none where the name leads out of it."""

    def image_path(name: str) -> Path | None:
        try:
            return None if folder is None else folder / relative_name(name)
        except ValueError:
            return None

    return image_path


def page_of(
    request: ScoreRequest,
    directory: Path,
    command: str,
    score: Callable[[ScoreRequest, Look], Scored],
    *,
    suffix: str,
    lane_width: int,
    images: Path | None = None,
) -> tuple[Scored, Path]:
    """Scores files with `score`, which shows the lanes of every image, and writes the page of the error analysis.

    Args:
        request: what is to be scored.
        directory: of the page.
        command: that led here.
        score: the benchmark's own.
        suffix: from the name of an image to the name of its picture.
        lane_width: the benchmark's own.
        images: folder of the pictures, where the request names none.
    """
    from lanenet_sad.visualization.error_report import ErrorReport

    below = image_below(request.images or images)
    report = ErrorReport(
        directory,
        title=f"Errors on {request.benchmark}",
        image_path=lambda name: below(f"{name}{suffix}"),
        lane_width=chosen(request.lane_width, lane_width),
        iou_threshold=request.iou[0] if request.iou else 0.5,
    )

    def look(prediction: LanePrediction, truth: LanePrediction, comparison: LaneComparison) -> None:
        report.add(prediction, truth, comparison=comparison)

    scored = score(request, look)
    return scored, report.write(scored.score, command)

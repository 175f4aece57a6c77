"""Which function scores the files of which benchmark."""

from __future__ import annotations

import warnings
from pathlib import Path

from lanenet_sad.metrics.tusimple import TuSimpleScore, score_tusimple_frames, tusimple_score
from lanenet_sad.scoring.culane import score_culane
from lanenet_sad.scoring.report import report_culane, report_tusimple
from lanenet_sad.scoring.request import Scored, ScoreRequest

_CULANE_OPTIONS = ("annotations", "lists", "iou", "lane_width", "image_size", "canvas_width")


def score_files(request: ScoreRequest, report: Path | None, command: str) -> tuple[Scored, Path | None]:
    """Scores the files of a request, and writes the page of the error analysis into a folder, if one is given.

    `command` is what led here, as one would type it, for that page.

    Raises:
        FileNotFoundError: a file or folder is missing.
        ValueError: there is no such benchmark, an option is missing, or a file does not hold what it should.
    """
    kinds = {"culane": score_culane, "tusimple": score_tusimple}
    if request.benchmark not in kinds:
        raise ValueError(f"Benchmark {request.benchmark!r}: there is none of that name; there are {', '.join(kinds)}.")
    if report is not None and request.benchmark == "culane":
        return report_culane(request, report, command)
    if report is not None and request.benchmark == "tusimple" and request.labels is not None:
        return report_tusimple(request, report, command, score_tusimple)
    return kinds[request.benchmark](request), None


def score_tusimple(request: ScoreRequest) -> Scored:
    """Scores a JSON-lines file of predictions against one of labels."""
    if request.labels is None:
        raise ValueError("score tusimple: expected --labels, the file of the labels, such as test_label.json.")
    for name in _CULANE_OPTIONS:
        if getattr(request, name) is not None:
            warnings.warn(f"--{name.replace('_', '-')} has no effect on TuSimple's score.", stacklevel=3)
    frames = score_tusimple_frames(
        request.labels, request.predictions, allow_missing=request.allow_missing, matching=request.matching
    )
    notes = (
        ()
        if frames.num_labels == len(frames.names)
        else (f"{len(frames.names) - frames.num_labels} predictions are for frames that have one already; all count.",)
    )
    score: TuSimpleScore = tusimple_score(frames)
    return Scored(score, len(frames.missing), notes)

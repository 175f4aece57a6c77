"""Score: prediction files of any model against label files, by a benchmark's official rules, without torch."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.lanes.files import replacing
from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.matching import Matching
from lanenet_sad.scoring.kinds import score_files
from lanenet_sad.scoring.request import ScoreRequest


@dataclass(frozen=True)
class Scoring:
    """What scoring found and wrote.

    Attributes:
        score: the official score.
        json_path: the file with all figures, if one was asked for.
        report_path: the page of the error analysis, if one was asked for.
        faults: what is odd about the files, a sentence each, with `strict`.
    """

    score: Score
    json_path: Path | None
    report_path: Path | None
    faults: tuple[str, ...]


def score(
    benchmark: str,
    *,
    predictions: Path,
    annotations: Path | None = None,
    labels: Path | None = None,
    lists: list[Path] | None = None,
    iou: list[float] | None = None,
    lane_width: int | None = None,
    image_size: tuple[int, int] | None = None,
    canvas_width: int | None = None,
    matching: Matching = "official",
    protocol: str | None = None,
    allow_missing: bool = False,
    strict: bool = False,
    json: Path | None = None,
    report: Path | None = None,
    images: Path | None = None,
    num_workers: int | None = None,
    progress: bool = True,
) -> Scoring:
    """Score prediction files, whichever program wrote them; prints the official table.

    Args:
        benchmark: culane (and all in its layout), tusimple, bdd100k, llamas or curvelanes.
        predictions: folder of the prediction files, or the file (tusimple, llamas regression).
        annotations: folder of the label files; another name for `--labels`.
        labels: folder of the label files, or the label file (tusimple).
        lists: list files, or folders of them, each list a category; default: those of the label folder.
        iou: IoU thresholds of a match.
        lane_width: in pixels, as which lanes are drawn.
        image_size: height and width of the canvas on which lanes are drawn.
        canvas_width: scale each picture's lanes to this width instead, for pictures of mixed sizes.
        matching: official, oddities included; optimal: the best pairs (culane), no prediction twice (tusimple).
        protocol: bdd100k: pixels or lane_marks; llamas: lanes, regression or segmentation; default: the first.
        allow_missing: files that are not there count as pictures without lanes, instead of being an error.
        strict: lanes that are odd (single points, no numbers, turning back) end in exit code 2.
        json: file for all figures.
        report: folder for a page that shows what went wrong where.
        images: folder of the pictures; default: the label folder.
        num_workers: processes; default: as many as pay.
        progress: show progress.
    """
    given = dict(locals())
    request = ScoreRequest(
        benchmark=benchmark,
        predictions=predictions,
        annotations=annotations,
        labels=labels,
        lists=lists,
        iou=iou,
        lane_width=lane_width,
        image_size=image_size,
        canvas_width=canvas_width,
        matching=matching,
        protocol=protocol,
        allow_missing=allow_missing,
        images=images,
        num_workers=num_workers,
        progress=progress,
    )

    def command() -> str:
        from lanenet_sad.visualization.error_report import command_of

        return command_of(score, given)

    scored, report_path = score_files(request, report, command)
    print(scored.score)
    missing = f"{scored.num_missing} pictures without a file were counted as pictures without lanes."
    for note in (*([missing] if scored.num_missing else []), *(() if strict else scored.notes)):
        print(f"note: {note}")
    figures = {"benchmark": benchmark, **scored.score.to_dict(), "missing": scored.num_missing, "notes": scored.notes}
    if json is not None:
        with replacing(json) as temporary:
            temporary.write_text(json_format.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {json}")
    if report_path is not None:
        print(f"wrote {report_path}")
    return Scoring(scored.score, json, report_path, scored.notes if strict else ())

"""CULane's score of files, and of everything that is laid out like CULane."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from lanenet_sad.inference.progress import waiting, with_progress
from lanenet_sad.lanes.files import lines_path, read_culane_list, relative_name
from lanenet_sad.lanes.images import image_size
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics.culane import CULANE_CANVAS, CULaneMetric
from lanenet_sad.metrics.culane_batch import (
    MissingFiles,
    ScoredImages,
    compile_comparison,
    pays_to_compile,
    score_culane_lists,
)
from lanenet_sad.metrics.culane_files import LABELS, PREDICTIONS, LaneBatch, Oddities
from lanenet_sad.metrics.culane_score import CULaneScore
from lanenet_sad.scoring.pages import image_below
from lanenet_sad.scoring.request import Scored, ScoreRequest, chosen, labels_of, list_files, refuse_missing, warn_unused

_LABELS = "the folder of the label files"
_OPTIONS = {"lists", "iou", "lane_width", "image_size", "canvas_width", "matching", "images", "num_workers"}
_NUM_SAMPLED = 200  # pictures whose size is looked at, where all should be of the official size
_IMAGES_A_PROCESS = 10_000  # that pay for another process


def score_files(request: ScoreRequest, look: Callable[[ScoredImages], None] | None = None) -> Scored:
    """Scores `*.lines.txt` files.

    Args:
        request: without lists, those of the labels' `list/test_split/` or their `list/test.txt` count.
        look: is called with every part of the lists, lanes included.

    Raises:
        FileNotFoundError: a folder, a list or, unless missing files are allowed, a file is missing.
        ValueError: a list is empty or broken, or pictures are of another size than the canvas.
    """
    annotations = labels_of(request, _LABELS)
    warn_unused(request, _OPTIONS)
    lists = read_lists(_lists(request, annotations))
    names = [name for part in lists.values() for name in part]
    metric = CULaneMetric(
        iou_thresholds=request.iou or (0.5,),
        lane_width=chosen(request.lane_width, 30),
        canvas_size=request.image_size or CULANE_CANVAS,
        canvas_width=request.canvas_width,
        matching=request.matching,
    )
    sizes = _image_sizes(request, metric, names)
    for folder, what in ((annotations, "labels"), (request.predictions, "predictions"), (request.images, "images")):
        if folder is not None and not folder.is_dir():
            raise FileNotFoundError(f"--{what} {folder}: expected a folder, but there is none of that name.")
    if not request.allow_missing:
        _refuse_wrong_folders(annotations, request.predictions, names)
    if pays_to_compile(metric, len(names)):
        with waiting("making the comparison ready (seconds, once on a machine)", enabled=request.progress):
            compile_comparison(metric)
    parts = score_culane_lists(
        annotations,
        request.predictions,
        lists,
        metric,
        image_sizes=sizes,
        num_workers=_num_workers(request, len(names)),
        keep_lanes=look is not None,
    )
    missing, oddities = _gather(parts, request, len(names), look)
    if not request.allow_missing:
        refuse_missing(missing.annotations, "label files (*.lines.txt)", annotations)
        refuse_missing(missing.predictions, "prediction files (*.lines.txt)", request.predictions)
    score = metric.compute()
    _warn_of_nothing(score)
    notes = oddities.sentences()
    if repeated := len(names) - len(set(names)):
        notes.append(f"lists: {repeated} images stand in them more than once, and count each time")
    return Scored(score, len({*missing.annotations, *missing.predictions}), tuple(notes))


def report_files(request: ScoreRequest, directory: Path, command: str) -> tuple[Scored, Path]:
    """Scores CULane files and writes the page, on which the same lanes are paired; see `score_files`."""
    from lanenet_sad.visualization.error_report import ErrorReport

    images = request.images or labels_of(request, _LABELS)
    report = ErrorReport(
        directory,
        title="Errors on culane",
        image_path=image_below(images),
        lane_width=chosen(request.lane_width, 30),
        canvas_width=request.canvas_width,
        iou_threshold=request.iou[0] if request.iou else 0.5,
    )
    canvas = request.image_size or CULANE_CANVAS

    def look(part: ScoredImages) -> None:
        assert part.batch is not None
        assert part.comparison is not None
        for number, (name, comparison) in enumerate(zip(part.batch.names, part.comparison.images, strict=True)):
            size = image_size(images / relative_name(name)) if request.canvas_width else canvas
            prediction, truth = (_lanes(part.batch, number, side, size) for side in (PREDICTIONS, LABELS))
            report.add(prediction, truth, category=part.category, comparison=comparison)

    scored = score_files(request, look)
    return scored, report.write(scored.score, command)


def read_lists(paths: Sequence[Path]) -> dict[str | None, list[str]]:
    """Image names by category: the stem of the list's name, or None for a list alone.

    Raises:
        FileNotFoundError: a list is missing, or a folder has none.
        ValueError: a list is empty or broken.
    """
    files = list_files(paths)
    stems = [file.stem for file in files]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise ValueError(f"--lists: expected lists of different names, which are the categories, got {twice[0]} twice.")
    alone = len(files) == 1 and not paths[0].is_dir()
    return {None if alone else file.stem: [entry.image for entry in read_culane_list(file)] for file in files}


def _lists(request: ScoreRequest, annotations: Path) -> Sequence[Path]:
    if request.lists:
        return request.lists
    for candidate in (annotations / "list" / "test_split", annotations / "list" / "test.txt"):
        if candidate.exists():
            return [candidate]
    raise FileNotFoundError(
        f"score culane: expected --lists, a file with an image per line or a folder of such files; "
        f"{annotations} has neither list/test_split/ nor list/test.txt."
    )


def _refuse_wrong_folders(annotations: Path, predictions: Path, names: Sequence[str]) -> None:
    """An error before any work where not one of the first names has a file: then the folder is another."""
    for folder, option in ((annotations, "annotations"), (predictions, "predictions")):
        first = names[:: max(1, len(names) // 50)]
        if folder.is_dir() and not any(lines_path(folder, name).is_file() for name in first):
            refuse_missing(
                first, f"of {len(first)} files looked for (*.lines.txt)", folder, _hint(folder, option, first[0])
            )


def _hint(folder: Path, option: str, name: str) -> str:
    """Where the file of a name is, if a level or two above or below."""
    below = lines_path(Path(), relative_name(name))
    for part in range(1, len(below.parts)):
        if (folder / Path(*below.parts[part:])).is_file():
            return f"It lies inside {Path(*below.parts[:part])} already: give --{option} the folder above that."
    for found in (*sorted(folder.glob("*")), *folder.resolve().parents[:2]):
        if found.is_dir() and (found / below).is_file():
            return f"Such files are below {found}: if it is these, give --{option} {found}."
    return f"Expected {below} below it."


def _image_sizes(
    request: ScoreRequest, metric: CULaneMetric, names: Sequence[str]
) -> Mapping[str, tuple[int, int]] | None:
    """Sizes of all pictures where they are needed; else a look at some, where pictures are there."""
    root = request.images or labels_of(request, _LABELS)
    if metric.canvas_width is not None:
        shown = with_progress(names, description="reading sizes", total=len(names), enabled=request.progress)
        return {name: image_size(root / relative_name(name)) for name in shown}
    other: dict[str, tuple[int, int]] = {}
    for name in names[:: max(1, len(names) // _NUM_SAMPLED)]:
        size = _size_if_any(root / relative_name(name))
        if size is not None and size != metric.canvas_size:
            other[name] = size
    if other:
        first, size = next(iter(other.items()))
        expected, got = (f"{height}x{width}" for height, width in (metric.canvas_size, size))
        raise ValueError(
            f"{len(other)} pictures are not of the canvas's {expected} pixels (height x width), as {first} with {got}. "
            f"Give --image-size {size[0]} {size[1]} if all are of one size, or --canvas-width {metric.canvas_size[1]} "
            "to scale each picture's lanes to that width."
        )
    return None


def _size_if_any(path: Path) -> tuple[int, int] | None:
    """Of a picture that is there and whole; scores of files do without pictures."""
    try:
        return image_size(path)
    except (FileNotFoundError, ValueError):
        return None


def _gather(
    parts: Generator[ScoredImages, None, None],
    request: ScoreRequest,
    total: int,
    look: Callable[[ScoredImages], None] | None,
) -> tuple[MissingFiles, Oddities]:
    missing, oddities = MissingFiles([], []), Oddities()

    def by_image() -> Iterator[None]:
        for part in parts:
            for names, more in zip(missing, part.missing, strict=True):
                names += more
            oddities.merge(part.oddities)
            if look is not None:
                look(part)
            for _ in range(part.metric.num_images):
                yield

    with closing(parts):  # an interruption ends the processes as well
        for _ in with_progress(by_image(), description="scoring", total=total, enabled=request.progress):
            pass
    return missing, oddities


def _num_workers(request: ScoreRequest, num_images: int) -> int:
    if request.num_workers is not None:
        if request.num_workers < 1:
            raise ValueError(f"--num-workers: expected 1 or more, got {request.num_workers}.")
        return request.num_workers
    return max(1, min(os.cpu_count() or 1, num_images // _IMAGES_A_PROCESS))


def _warn_of_nothing(score: CULaneScore) -> None:
    counts = next(iter(score.totals.values()))
    if counts.tp + counts.fn == 0:
        warnings.warn("No label file has a single lane; check the folder of the labels.", stacklevel=3)
    elif counts.tp + counts.fp == 0:
        warnings.warn("No prediction file has a single lane; check that the model wrote any.", stacklevel=3)
    elif counts.tp == 0 and counts.fn:
        warnings.warn(
            "Not one of the predicted lanes lies on a label. Are both in pixels of the same picture size? A model that "
            "works on resized or cropped pictures has to scale its lanes back.",
            stacklevel=3,
        )


def _lanes(batch: LaneBatch, number: int, side: int, size: tuple[int, int]) -> LanePrediction:
    return LanePrediction(tuple(Lane(points) for points in batch.lanes(number, side)), size, batch.names[number])

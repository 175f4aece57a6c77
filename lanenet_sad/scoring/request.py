"""What is to be scored and how, and what came out."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from lanenet_sad.lanes.files import read_culane_list
from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.matching import Matching


@dataclass(frozen=True)
class ScoreRequest:
    """The options of `score`, as given; see there. None is the benchmark's own."""

    benchmark: str
    predictions: Path
    annotations: Path | None = None
    labels: Path | None = None
    lists: Sequence[Path] | None = None
    iou: Sequence[float] | None = None
    lane_width: int | None = None
    image_size: tuple[int, int] | None = None
    canvas_width: int | None = None
    matching: Matching = "official"
    allow_missing: bool = False
    protocol: str | None = None
    images: Path | None = None
    num_workers: int | None = None
    progress: bool = True


@dataclass(frozen=True)
class Scored:
    """What came out.

    Attributes:
        score: with the official figures.
        num_missing: images without a label or prediction file, counted as empty.
        notes: what is odd about the files, a sentence each; the figures hold nevertheless.
    """

    score: Score
    num_missing: int = 0
    notes: tuple[str, ...] = ()


def chosen(given: int | None, default: int) -> int:
    """What was given, 0 too, which the metric refuses; else the default."""
    return default if given is None else given


def list_files(paths: Sequence[Path]) -> list[Path]:
    """The list files among files and folders of them.

    Raises:
        FileNotFoundError: a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        if not inside:
            raise FileNotFoundError(f"Lists {path}: expected files *.txt with an image per line, but there are none.")
        files += inside
    return files


def labels_of(request: ScoreRequest, what: str) -> Path:
    """Where the labels are, by whichever of the two options they were given.

    Raises:
        ValueError: by none.
    """
    labels = request.labels or request.annotations
    if labels is None:
        raise ValueError(f"score {request.benchmark}: expected --labels, {what}.")
    return labels


def protocol_of(request: ScoreRequest, known: Collection[str]) -> str:
    """The protocol asked for, by default the first that the benchmark has.

    Raises:
        ValueError: it has none of that name.
    """
    chosen = request.protocol or next(iter(known))
    if chosen not in known:
        raise ValueError(f"score {request.benchmark}: expected a protocol of {', '.join(known)}, got {chosen!r}.")
    return chosen


def read_names(request: ScoreRequest) -> list[str] | None:
    """The images of all lists, one a line; None without lists.

    Raises:
        FileNotFoundError: a list is missing.
        ValueError: a list is empty or broken.
    """
    if request.lists is None:
        return None
    return [entry.image for path in list_files(request.lists) for entry in read_culane_list(path)]


def warn_unused(request: ScoreRequest, used: Collection[str]) -> None:
    """Warns of options that the benchmark has no use for."""
    always = {"benchmark", "predictions", "labels", "annotations", "allow_missing", "progress"}
    for option in fields(request):
        given = getattr(request, option.name) != option.default
        if given and option.name not in always and option.name not in used:
            name = option.name.replace("_", "-")
            warnings.warn(f"--{name} has no effect on the score of {request.benchmark}.", stacklevel=4)


def no_page(request: ScoreRequest, reason: str) -> ValueError:
    """The error for a page that cannot be."""
    return ValueError(f"score {request.benchmark} --report: there is no page of errors here; {reason}.")


def refuse_missing(names: Sequence[str], what: str, where: Path, hint: str = "") -> None:
    """An error that names the images without files.

    Raises:
        FileNotFoundError: there is one.
    """
    if not names:
        return
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise FileNotFoundError(
        f"{len(names)} {what} missing below {where}: {shown}. {hint or 'Check the folder.'} "
        "With --allow-missing they count as images without lanes, as the official tool has it."
    )

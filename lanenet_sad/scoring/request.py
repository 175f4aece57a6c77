"""What is to be scored and how, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

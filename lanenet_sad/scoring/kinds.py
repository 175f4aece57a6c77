"""Which module scores the files of which benchmark; only that one is loaded."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from lanenet_sad.scoring.request import Scored, ScoreRequest

#: Benchmarks; each is a module of this package that has `score_files` and `report_files`.
MODULES = ("culane", "tusimple", "bdd100k", "llamas", "curvelanes")


def score_files(request: ScoreRequest, report: Path | None, command: Callable[[], str]) -> tuple[Scored, Path | None]:
    """Scores the files of a request, and writes the page of the error analysis into a folder, if one is given.

    Args:
        request: what is to be scored.
        report: the folder.
        command: gives what led here, as one would type it, for that page.

    Raises:
        FileNotFoundError: a file or folder is missing.
        ValueError: there is no such benchmark, an option is missing, or a file does not hold what it should.
    """
    if request.benchmark not in MODULES:
        raise ValueError(
            f"Benchmark {request.benchmark!r}: there is none of that name; there are {', '.join(MODULES)}."
        )
    module = import_module(f"lanenet_sad.scoring.{request.benchmark}")
    if report is None:
        scored: Scored = module.score_files(request)
        return scored, None
    both: tuple[Scored, Path] = module.report_files(request, report, command())
    return both

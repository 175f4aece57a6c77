"""A page that shows where a network is wrong: figures, the worst frames, and every frame on request."""

from __future__ import annotations

import inspect
import json
import platform
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.base import Score
from lanenet_sad.metrics.culane import CULANE_CANVAS, CULaneMetric, LaneComparison
from lanenet_sad.visualization.error_figures import ErrorFigures, FrameOutcome
from lanenet_sad.visualization.error_frames import FrameFiles, smoothed, thinned
from lanenet_sad.visualization.error_page import error_page
from lanenet_sad.visualization.error_pictures import BadFrame, WorstFrames
from lanenet_sad.visualization.error_rows import RowErrors

FIGURES_NAME = "figures.json"
PAGE_NAME = "index.html"


class ErrorReport:
    """Collects predictions with their labels and writes an error-analysis page of them.

    What is kept in memory does not grow with the number of images: counts, the worst frames, and the frames that
    are not yet on disk. Nothing in `directory` changes before `write`, apart from a hidden folder.

    Args:
        directory: for `index.html`, `figures.json`, `frames.csv` and `frames/`; an earlier report there is replaced.
        title: of the page.
        image_path: name of an image -> its file, or None; called once for each image. The file need not be there.
        lane_width: of lanes as they are drawn to compare them, in pixels of the canvas.
        canvas_width: to which images are scaled for that and in whose pixels distances are told; None draws on
            CULane's canvas with coordinates as they are, and tells distances in pixels of each image.
        num_worst: how many of the worst frames the page shows without asking.
        iou_threshold: above which a lane is found.

    Raises:
        OSError: the folder cannot be made.
        ValueError: the folder holds other files where the report's would be, or a number is out of range.
    """

    def __init__(
        self,
        directory: Path,
        *,
        title: str,
        image_path: Callable[[str], Path | None],
        lane_width: int = 30,
        canvas_width: int | None = CULANE_CANVAS[1],
        num_worst: int = 24,
        iou_threshold: float = 0.5,
    ) -> None:
        if num_worst < 0:
            raise ValueError(f"Error report: expected 0 worst frames or more, got {num_worst}.")
        self.directory = Path(directory)
        self.title = title
        self._image_path = image_path
        self._metric = CULaneMetric(iou_thresholds=(iou_threshold,), lane_width=lane_width, canvas_width=canvas_width)
        self._figures = ErrorFigures(iou_threshold)
        self._rows = RowErrors()
        self._worst = WorstFrames(num_worst)
        self._frames = FrameFiles(self.directory)
        self._num_compared_here = 0

    def add(
        self,
        prediction: LanePrediction,
        truth: LanePrediction,
        *,
        category: str | None = None,
        comparison: LaneComparison | None = None,
    ) -> None:
        """Adds one image.

        Args:
            prediction: the lanes that were found.
            truth: the lanes of the label, with the image's size and name.
            category: of the image.
            comparison: of its lanes by the official metric; None: the report compares them as CULane does.
        """
        if comparison is None:
            prediction = replace(prediction, image_size=truth.image_size)
            comparison = self._metric.compare(prediction, truth)
            self._num_compared_here += 1
        outcome = FrameOutcome.from_comparison(comparison, self._figures.threshold)
        self._figures.add(outcome, category)
        width, found, label = self._metric.canvas_width, smoothed(prediction), smoothed(truth)
        self._rows.add(found, label, outcome, width / truth.image_size[1] if width else 1.0)
        path = self._image_path(truth.name)
        found, label = thinned(found), thinned(label)
        self._worst.add(BadFrame(self._frames.num_frames, found, label, outcome, category, path))
        self._frames.add(found, label, outcome, category, path)

    def write(self, score: Score, command: str | None = None) -> Path:
        """Writes the page, once, when all images are there.

        Args:
            score: the official one, for the top of the page.
            command: that led to it, as one would type it.

        Returns:
            The page, `index.html`.

        Raises:
            OSError: the folder cannot be written to.
        """
        figures = {**self._described(command), "score": score.to_dict(), **self.figures()}
        page = error_page(self.title, str(score), figures, self._worst.sorted(), list(self._frames.categories))
        self._frames.publish()
        with replacing(self.directory / FIGURES_NAME) as temporary:
            temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        with replacing(self.directory / PAGE_NAME) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
        return self.directory / PAGE_NAME

    def figures(self) -> dict[str, Any]:
        """All figures of the page but the official score, as `figures.json` has them."""
        return {**self._figures.to_dict(), "rows": self._rows.to_dict()}

    def _described(self, command: str | None) -> dict[str, Any]:
        """How the figures came about."""
        versions = {
            "lanenet_sad": _version(),
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "OpenCV": cv2.__version__,
        }
        return {
            "title": self.title,
            "command": command,
            "date": time.strftime("%Y-%m-%d %H:%M %z"),
            "versions": versions,
            "lane_width": self._metric.lane_width,
            "canvas_width": self._metric.canvas_width,
            "compared_by_report": self._num_compared_here > 0,
        }


def command_of(verb: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """The command line that calls a verb with these arguments, those that are not its defaults.

    Args:
        verb: the public function of a verb's module.
        given: all its arguments by name.
    """
    words = ["lanenet-sad", verb.__name__]
    for name, parameter in inspect.signature(verb).parameters.items():
        value, option = given[name], f"--{name.replace('_', '-')}"
        if parameter.kind is not parameter.KEYWORD_ONLY:
            words.append(str(value))
        elif isinstance(value, bool) and value != parameter.default:
            words.append(option if value else option.replace("--", "--no-", 1))
        elif value != parameter.default:
            words += [option, *map(str, value if isinstance(value, list | tuple) else [value])]
    return shlex.join(words)


def _version() -> str:
    """Of this package, which need not be installed."""
    try:
        return version("lanenet-sad")
    except PackageNotFoundError:
        return "(not installed)"

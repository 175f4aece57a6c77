"""The lanes of every frame as small script files beside an error page, written while they come.

A page that is opened from the disk may load scripts but not read files, so that every file is one call of a
function of the page.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import uuid
import weakref
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from lanenet_sad.lanes.curves import natural_spline, thin
from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.visualization.error_figures import FrameOutcome

CHUNK_FRAMES = 200
FOLDER = "frames"
CSV_NAME = "frames.csv"

_INDEX = "index.js"
_OURS = re.compile(r"\d{3,}\.js|index\.js")
_CURVE_POINTS = 60
_MAX_POINTS = 16
_FARTHEST = 1e6
_COLUMNS = ("name", "category", "labels", "predictions", "tp", "fp", "fn", "iou_lost")


def smoothed(lanes: LanePrediction) -> LanePrediction:
    """The same lanes with points that may be joined by straight lines.

    Lanes of few points become the natural spline that the CULane evaluator draws; points that are not finite are
    left out, which leaves some lanes without any.
    """
    return replace(lanes, lanes=tuple(Lane(_curve(lane.points), lane.slot, lane.confidence) for lane in lanes.lanes))


def thinned(lanes: LanePrediction) -> LanePrediction:
    """The same lanes with few points: what a picture of them needs."""
    tolerance = max(lanes.image_size[1], 1) / 1640
    thin_lanes = (Lane(thin(lane.points, tolerance, _MAX_POINTS), lane.slot, lane.confidence) for lane in lanes.lanes)
    return replace(lanes, lanes=tuple(thin_lanes))


class FrameFiles:
    """Writes lanes, counts and picture addresses of frames; nothing is in its place before `publish`.

    Args:
        directory: of the page; it is made. Files are written into a hidden folder in it, which goes away where
            `publish` is never called.

    Raises:
        OSError: the folder cannot be made.
        ValueError: it has a folder `frames` that does not come from an error page.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.categories: dict[str, int] = {}
        self.num_frames = 0
        self._lines: tuple[list[str], list[str]] = ([], [])  # for the chunk and for the index
        self._table = io.StringIO()
        self._rows = csv.writer(self._table, lineterminator="\n")
        _check_replaceable(directory / FOLDER)
        self._staging = directory / f".{uuid.uuid4().hex}"
        try:
            self._staging.mkdir(parents=True)
        except OSError as error:
            reason = error.strerror or error
            raise OSError(f"Error report: cannot make the folder {directory}: {reason}. Choose another.") from error
        self._rows.writerow(_COLUMNS)
        self._append(_INDEX, "errorPage.index([\n")
        # A process that forks off this one (and reads images) must not take the folder along when it ends.
        self._forget = weakref.finalize(self, _remove_in_process, self._staging, os.getpid())

    def add(
        self,
        prediction: LanePrediction,
        truth: LanePrediction,
        outcome: FrameOutcome,
        category: str | None,
        image_path: Path | None,
    ) -> None:
        """Adds a frame; of lanes as `thinned` gives them."""
        height, width = truth.image_size
        labels = [
            [lane.slot or 0, int(found), partner, round(iou, 3), _flat(lane.points, width)]
            for lane, found, partner, iou in zip(
                truth.lanes, outcome.found, outcome.partners, outcome.ious, strict=True
            )
        ]
        hits = outcome.hits
        predicted = [
            [lane.slot or 0, int(number in hits), round(float(lane.confidence), 3), _flat(lane.points, width)]
            for number, lane in enumerate(prediction.lanes)
        ]
        address = None if image_path is None else _address(image_path, self.directory)
        group = -1 if category is None else self.categories.setdefault(category, len(self.categories))
        lost = round(outcome.iou_lost, 3)
        self._lines[0].append(_json([address, width, height, labels, predicted]))
        self._lines[1].append(_json([truth.name, group, outcome.tp, outcome.fp, outcome.fn, lost]))
        counts = (len(labels), len(predicted), outcome.tp, outcome.fp, outcome.fn, lost)
        self._rows.writerow([truth.name, category or "", *counts])
        self.num_frames += 1
        if self.num_frames % CHUNK_FRAMES == 0:
            self._flush()

    def publish(self) -> None:
        """Puts all files into their place; those of an earlier page go."""
        if self._lines[0] or not self.num_frames:
            self._flush()
        self._append(_INDEX, "]);\n")
        (self._staging / CSV_NAME).replace(self.directory / CSV_NAME)
        folder, old = self.directory / FOLDER, self.directory / f".{uuid.uuid4().hex}"
        if folder.exists():
            folder.rename(old)
        self._staging.rename(folder)
        self._forget.detach()
        shutil.rmtree(old, ignore_errors=True)

    def _flush(self) -> None:
        """Empties the memory onto the disk."""
        chunk, index = self._lines
        if chunk:
            number = (self.num_frames - 1) // CHUNK_FRAMES
            self._append(f"{number:03d}.js", f"errorPage.frames({number}, [\n{_joined(chunk)}]);\n")
        self._append(_INDEX, _joined(index))
        self._append(CSV_NAME, self._table.getvalue())
        chunk.clear()
        index.clear()
        self._table.seek(0)
        self._table.truncate()

    def _append(self, name: str, text: str) -> None:
        with (self._staging / name).open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    others = [folder] if not folder.is_dir() else [path for path in folder.iterdir() if not _OURS.fullmatch(path.name)]
    if others:
        raise ValueError(
            f"Error report {folder.parent}: expected a folder of its own, but {others[0]} is there and no part of an "
            "error report. Choose another folder."
        )


def _remove_in_process(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _curve(points: Points) -> Points:
    finite = points[np.isfinite(points).all(axis=1)]
    if not 2 < len(finite) < _CURVE_POINTS:
        return finite
    smooth = natural_spline(finite, samples_per_span=-(-_CURVE_POINTS // (len(finite) - 1)))
    return smooth[np.isfinite(smooth).all(axis=1)]


def _flat(points: Points, width: int) -> list[float]:
    """Coordinates x y x y ..., in whole pixels where pictures are large, without what lies absurdly far away."""
    near = np.clip(points, -_FARTHEST, _FARTHEST).ravel()
    return [int(value) for value in np.rint(near)] if width >= 640 else [round(value, 1) for value in near.tolist()]


def _address(path: Path, directory: Path) -> str:
    """Where a page in `directory` finds a file: relative, so that both may move together."""
    try:
        relative = os.path.relpath(path, directory)
    except ValueError:  # on another drive
        return path.absolute().as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _json(value: Any) -> str:
    """ASCII, so that no byte of a name depends on how a browser reads the file."""
    return json.dumps(value, separators=(",", ":"))


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line},\n" for line in lines)

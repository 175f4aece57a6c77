"""TuSimple's files: one JSON object per frame, x at fixed rows, read and written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.files import check_names, read_text, replacing
from lanenet_sad.lanes.lane import Lane, LanePrediction


def tusimple_rows(height: int) -> NDArray[np.float64]:
    """The benchmark's row anchors, 160, 170, …, 710 of 720 rows, in an image of another height; (R,), all different."""
    rows: NDArray[np.float64] = np.unique(np.round(np.arange(160.0, 720.0, 10.0) * height / 720))
    return rows


def read_tusimple(
    path: str | Path,
    image_size: tuple[int, int] = (720, 1280),
    *,
    row_anchors: Mapping[str, NDArray[np.float64]] | None = None,
) -> list[LanePrediction]:
    """The frames of a TuSimple label or prediction file, one JSON object per line.

    A lane has a point on every row whose x is not negative; a lane without points is kept, as the official
    evaluator counts it. Repeated frames are kept too.

    Args:
        path: of the file.
        image_size: (height, width) to record; TuSimple's images all have 720x1280 pixels.
        row_anchors: rows by `raw_file`, for prediction files, which officially lack `h_samples`.

    Returns:
        One per line: `name` is its `raw_file`, `row_anchors` its `h_samples`, `run_time` in seconds (the file
        has milliseconds), lanes in the file's order without slots, their points near to far.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, or a line is not what it should be; the message says which and why.
    """
    what = f"TuSimple file {path}"
    lines = read_text(Path(path), what, "Check the path, or the dataset's root folder and label file names.").split(
        "\n"
    )
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{what}: expected one JSON object per line, got an empty file.")
    return [parse_tusimple_line(line, f"{what}, line {n}", image_size, row_anchors) for n, line in enumerate(lines, 1)]


def parse_tusimple_line(
    line: str,
    where: str,
    image_size: tuple[int, int] = (720, 1280),
    row_anchors: Mapping[str, NDArray[np.float64]] | None = None,
) -> LanePrediction:
    """One line of a TuSimple file, see `read_tusimple`; `where` begins the message of an error.

    Raises:
        ValueError: the line is not what it should be.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: expected a JSON object, got {line[:40]!r}, which is no JSON ({error}).") from error
    if not isinstance(values, dict) or not isinstance(values.get("raw_file"), str):
        raise ValueError(f"{where}: expected a JSON object with raw_file, lanes and h_samples, got {line[:40]!r}.")
    name = values["raw_file"]
    check_names([name], f"{where}: raw_file")
    known = row_anchors or {}
    rows = np.asarray(known[name]) if name in known else _numbers(values, "h_samples", where)
    if not isinstance(values.get("lanes"), list):
        raise ValueError(f"{where}: expected lanes to be a list of lists of x, got {values.get('lanes')!r:.40}.")
    lanes = []
    near_to_far = np.argsort(-rows, kind="stable")
    for number in range(len(values["lanes"])):
        x = _numbers(values["lanes"], number, f"{where}, lane")
        if len(x) != len(rows):
            raise ValueError(f"{where}: expected {len(rows)} values in lane {number}, one per row, got {len(x)}.")
        points = np.stack([x, rows], axis=1)[near_to_far]
        lanes.append(Lane(points[points[:, 0] >= 0]))
    run_time = _numbers({"run_time": [values.get("run_time", 0.0)]}, "run_time", where)[0]
    return LanePrediction(tuple(lanes), image_size, name, row_anchors=rows, run_time=float(run_time) / 1000)


def write_tusimple(path: str | Path, predictions: Iterable[LanePrediction]) -> None:
    """Writes a TuSimple file: the official keys, x at every row anchor, -2 where a lane has no point.

    A lane whose points all lie on row anchors keeps exactly those (gaps stay gaps); any other is sampled at
    them. What lies left of the image is absent, as the format cannot say it.

    Raises:
        ValueError: a prediction has no row anchors.
        OSError: the folder cannot be written to.
    """
    lines = [tusimple_line(prediction, path) + "\n" for prediction in predictions]
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")


def tusimple_line(prediction: LanePrediction, path: str | Path) -> str:
    """What a TuSimple file says about one picture, see `write_tusimple`; `path` is that of the file.

    Raises:
        ValueError: the prediction has no row anchors.
    """
    return json.dumps(_tusimple_object(prediction, path))


def points_at_rows(lane: Lane, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a lane is at the row anchors: its x, (R,), NaN where it has no point.

    Points that all lie on row anchors are taken as they are, so that a gap between two rows stays a gap;
    otherwise the polyline is sampled.
    """
    if not np.isin(lane.points[:, 1], rows).all():
        return sample_at_rows(lane.points, rows)
    by_row = {y: x for x, y in lane.points[::-1].tolist()}  # reversed: the point nearest to the camera counts
    return np.array([by_row.get(row, math.nan) for row in rows.tolist()])


def _numbers(values: Any, key: str | int, where: str) -> NDArray[np.float64]:
    """The flat list of finite numbers at `values[key]` as an array."""
    try:
        array = np.asarray(values[key])
    except (KeyError, ValueError):  # nothing there, or lists of different lengths inside
        array = np.asarray(None)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"{where} {key}: expected a list of finite numbers, got {array.tolist()!r:.60}.")
    return array.astype(np.float64)


def _tusimple_object(prediction: LanePrediction, path: str | Path) -> dict[str, Any]:
    if prediction.row_anchors is None:
        raise ValueError(
            f"TuSimple file {path}: expected row anchors for {prediction.name}, got a prediction without any."
        )
    rows = np.asarray(prediction.row_anchors, dtype=np.float64)
    columns = [points_at_rows(lane, rows) for lane in prediction.lanes]
    return {
        "raw_file": prediction.name,
        "lanes": [[_compact(x) if x >= 0 else -2 for x in column.tolist()] for column in columns],
        "h_samples": [_compact(row) for row in rows.tolist()],
        "run_time": _compact(round(prediction.run_time * 1000, 3)),
    }


def _compact(value: float) -> int | float:
    """Whole numbers as such, as in the official files."""
    return int(value) if value.is_integer() else value

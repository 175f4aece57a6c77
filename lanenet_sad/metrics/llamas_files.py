"""Label and prediction files of LLAMAS for its official scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.files import read_text
from lanenet_sad.lanes.llamas_markers import LLAMAS_LANES, LLAMAS_SIZE, read_llamas_label
from lanenet_sad.metrics.file_pairs import names_below, pair_files, stem_of

FloatArray = NDArray[np.float64]

_PICTURES = ("_color_rect", "_gray_rect")
_SUFFIXES = (*(f"{kind}.png" for kind in _PICTURES), ".lines.txt", ".json")


def pair_llamas_files(
    labels: Path, predictions: Path, *, names: Sequence[str] | None, allow_missing: bool
) -> Iterator[tuple[str, FloatArray, Path | None]]:
    """Name, label lanes (4, 717) and prediction file of every image; see `llamas.score_llamas_files`."""
    table = _table(labels)
    chosen = _names(labels, table, names)
    pairs = pair_files(
        "LLAMAS",
        chosen,
        lambda name: labels if table is not None else labels / f"{name}.json",
        lambda name: [
            predictions / f"{stem}{kind}.lines.txt" for stem in (_base(name), name) for kind in ("", *_PICTURES)
        ],
        predictions=predictions,
        allow_missing=allow_missing,
    )
    for name, label, prediction in pairs:
        yield name, read_llamas_label(label) if table is None else table[name], prediction


def label_rows(labels: Path, names: Sequence[str] | None) -> Iterator[tuple[str, FloatArray]]:
    """Name and label lanes, (4, 717), of every image; see `llamas.score_llamas_files`."""
    table = _table(labels)
    for name in _names(labels, table, names):
        yield name, read_llamas_label(labels / f"{name}.json") if table is None else table[name]


def read_row_lanes(path: Path, *, absent: float = -1.0) -> dict[str, FloatArray]:
    """A JSON file `{"<recording>/<frame>": {"l1": [x, ...], "l0": ..., "r0": ..., "r1": ...}}`, by name without suffix.

    Each lane has x at the 717 image rows, or at the 417 from row 300 on.

    Args:
        path: of the file.
        absent: the x that stands for no lane in a row, as null does; NaN: there is no such number.

    Returns:
        For each name (4, 717), NaN where there is no lane, and above row 300 where the file does not say.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else; the message names it and the image.
    """
    what = f"LLAMAS lanes {path}"
    text = read_text(path, what, "Check the path.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: expected JSON; {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{what}: expected a JSON object with lanes by image name.")
    lanes = {}
    for name, image in content.items():
        if not isinstance(image, dict):
            raise ValueError(f"{what}, image {name}: expected the lanes {', '.join(LLAMAS_LANES)}.")
        try:
            lanes[_stem(name)] = np.stack([_row_lane(image.get(lane), lane, absent) for lane in LLAMAS_LANES])
        except ValueError as error:
            raise ValueError(f"{what}, image {name}: {error}") from error
    return lanes


def _table(labels: Path) -> dict[str, FloatArray] | None:
    """The label lanes of all images if they are in one file."""
    return read_row_lanes(labels) if labels.is_file() else None


def _names(labels: Path, table: Mapping[str, FloatArray] | None, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return names_below(labels, ".json", "LLAMAS") if table is None else list(table)
    chosen = [_stem(name) for name in names]
    absent = [] if table is None else [name for name in chosen if name not in table]
    if absent:
        shown = ", ".join(absent[:3]) + " …" * (len(absent) > 3)
        raise FileNotFoundError(f"LLAMAS labels {labels}: {len(absent)} of {len(names)} images are missing: {shown}.")
    return chosen


def _stem(name: str) -> str:
    """The name without one of the suffixes that files of LLAMAS have; its numbers may contain dots."""
    return stem_of(f"{name}.json" if not name.endswith(_SUFFIXES) else name, _SUFFIXES)


def _base(name: str) -> str:
    """Recording and frame, whatever folders stand before them."""
    return "/".join(name.split("/")[-2:])


def _row_lane(values: Any, lane: str, absent: float) -> FloatArray:
    num_rows, short = LLAMAS_SIZE[0], LLAMAS_SIZE[0] - 300
    if not isinstance(values, list) or len(values) not in (num_rows, short):
        got = f"{len(values)} values" if isinstance(values, list) else repr(values)
        raise ValueError(f"expected x of lane {lane} at {num_rows} or {short} rows, got {got[:80]}.")
    if not all(x is None or (isinstance(x, int | float) and not isinstance(x, bool)) for x in values):
        raise ValueError(f"expected only numbers in lane {lane}.")
    try:
        x = np.array([np.nan if x is None else x for x in values], dtype=np.float64)
    except OverflowError as error:
        raise ValueError(f"expected numbers of a usual size in lane {lane}; {error}.") from error
    if np.isinf(x).any():
        raise ValueError(f"expected finite numbers in lane {lane}.")
    x[x == absent] = np.nan
    return np.concatenate([np.full(num_rows - len(x), np.nan), x])

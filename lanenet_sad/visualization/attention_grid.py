"""Attention maps laid over the picture they come from, in a grid of encoder blocks and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Image
from lanenet_sad.lanes.view import Placement

Normalization: TypeAlias = Literal["minmax", "softmax", "none"]
AttentionMap: TypeAlias = NDArray[np.floating[Any]]

_FONT = cv2.FONT_HERSHEY_DUPLEX
_GAP = 6
_BACKGROUND = 18


def attention_grid(
    image: Image,
    maps: Sequence[Sequence[AttentionMap | None]],
    *,
    row_titles: Sequence[str] | None = None,
    column_titles: Sequence[str] | None = None,
    normalization: Normalization = "minmax",
    placements: Sequence[Placement] | None = None,
    cell_width: int = 640,
) -> Image:
    """Draw attention maps over one picture, a row for each encoder block and a column for each checkpoint.

    Args:
        image: (H, W, 3) RGB uint8.
        maps: `maps[block][checkpoint]`, each (h, w) of any size; as many checkpoints for every block. None leaves the
            place empty, for a network without that block.
        row_titles: one for each block; None gives E1, E2, ...
        column_titles: one for each checkpoint, for example "before SAD" and "after SAD", written smaller where they
            are too long; None leaves the line out.
        normalization: see `normalize_map`; each map by itself.
        placements: for each checkpoint, the rectangle of the picture that its maps cover; None for the whole picture.
        cell_width: pixels of each small picture; a narrower picture is not enlarged.

    Returns:
        (rows, columns, 3) RGB uint8; its size depends only on the picture's and on the numbers of maps and titles.

    Raises:
        ValueError: if the numbers of maps and titles do not fit together, or a map is not finite or not (h, w).
    """
    num_columns = _count_columns(maps, row_titles, column_titles)
    rows = row_titles if row_titles is not None else [f"E{block}" for block in range(1, len(maps) + 1)]
    whole: list[Placement | None] = [None] * num_columns
    shrunk = [_shrink(image, place, cell_width) for place in placements or whole]
    cell = shrunk[0][0]
    height, width = cell.shape[:2]
    font_size = max(0.4, width / 800)
    margin = _text_width(rows, font_size) + 3 * _GAP
    header = round(34 * font_size) + _GAP if column_titles is not None else _GAP
    size = (header + len(maps) * (height + _GAP), margin + num_columns * (width + _GAP), 3)
    grid = np.full(size, _BACKGROUND, np.uint8)
    for row, (title, of_block) in enumerate(zip(rows, maps, strict=True)):
        top = header + row * (height + _GAP)
        _write(grid, title, (margin / 2, top + height / 2), font_size)
        for column, attention_map in enumerate(of_block):
            if attention_map is None:
                continue
            left = margin + column * (width + _GAP)
            heat = draw_heat(cell, normalize_map(attention_map, normalization), shrunk[column][1])
            grid[top : top + height, left : left + width] = heat
    for column, title in enumerate(column_titles or ()):
        center = (margin + column * (width + _GAP) + width / 2, header / 2)
        _write(grid, title, center, font_size * min(1.0, width / _text_width([title], font_size)))
    return grid


def normalize_map(attention_map: AttentionMap, kind: Normalization = "minmax") -> NDArray[np.float32]:
    """Bring an attention map to 0..1 for the eye.

    A softmax over all pixels, as the loss of the paper (Hou et al., 2019, arXiv:1908.00821) uses it, is a picture
    of a few bright points: the largest activations leave nothing for the others. Hence the default.

    Args:
        attention_map: (h, w), before any softmax.
        kind: "minmax" takes the smallest value to 0 and the largest to 1 (a constant map becomes 0); "softmax" is the
            spatial softmax, scaled so that its peak is 1; "none" takes the values as they are, cut off at 0 and 1.

    Raises:
        ValueError: if the map is not (h, w) or has values that are not finite.
    """
    values = np.asarray(attention_map, np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"Attention map: expected an array of shape (h, w), got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("Attention map: it has values that are not finite; the network's activations overflowed.")
    low, high = values.min(), values.max()
    if kind == "minmax":
        values = (values - low) / (high - low) if high > low else np.zeros_like(values)
    elif kind == "softmax":
        values = np.exp(values - high)
    elif kind == "none":
        values = np.clip(values, 0.0, 1.0)
    else:
        raise ValueError(f"Normalization of attention maps: expected minmax, softmax or none, got {kind!r}.")
    return values.astype(np.float32)


def draw_heat(image: Image, values: NDArray[np.float32], placement: Placement | None = None) -> Image:
    """Lay a map of 0..1 over a picture: the hotter, the more opaque, so that the picture stays visible.

    Args:
        image: (H, W, 3) RGB uint8; a new picture is returned.
        values: (h, w), resized bilinearly.
        placement: the rectangle of the picture that the map covers; None for the whole. What lies outside of it stays
            as it is.
    """
    height, width = image.shape[:2]
    where = placement or Placement(0, height, width, values.shape)
    resized = cv2.resize(values, (where.width, where.height), interpolation=cv2.INTER_LINEAR)
    resized = resized[max(-where.top, 0) : height - where.top, :width]
    top = max(where.top, 0)
    part = (slice(top, top + resized.shape[0]), slice(0, resized.shape[1]))
    colours = cv2.applyColorMap(np.round(resized * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    # Faint values darken a little too, or a bright sky would outshine the map.
    alpha = (0.25 + 0.55 * resized)[..., None]
    drawn = image.copy()
    drawn[part] = np.round(drawn[part] * (1 - alpha) + colours * alpha).astype(np.uint8)
    return drawn


def _count_columns(
    maps: Sequence[Sequence[AttentionMap | None]], row_titles: Sequence[str] | None, column_titles: Sequence[str] | None
) -> int:
    counts = {len(of_block) for of_block in maps}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(f"Attention grid: expected as many maps for every block, at least one, got {sorted(counts)}.")
    num_columns = counts.pop()
    if row_titles is not None and len(row_titles) != len(maps):
        raise ValueError(f"Attention grid: expected {len(maps)} row titles, one for each block, got {len(row_titles)}.")
    if column_titles is not None and len(column_titles) != num_columns:
        raise ValueError(
            f"Attention grid: expected {num_columns} column titles, one for each checkpoint, got {len(column_titles)}."
        )
    return num_columns


def _shrink(image: Image, placement: Placement | None, cell_width: int) -> tuple[Image, Placement | None]:
    height, width = image.shape[:2]
    scale = cell_width / width
    if scale >= 1:
        return image, placement
    size = (cell_width, max(1, round(height * scale)))
    cell = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if placement is not None:
        top, bottom = (round(edge * scale) for edge in (placement.top, placement.top + placement.height))
        placement = Placement(top, max(1, bottom - top), max(1, round(placement.width * scale)), placement.input_size)
    return cell, placement


def _text_width(texts: Sequence[str], font_size: float) -> int:
    return max(1, *(cv2.getTextSize(text, _FONT, font_size, 1)[0][0] for text in texts))


def _write(image: Image, text: str, center: tuple[float, float], font_size: float) -> None:
    (width, height), _ = cv2.getTextSize(text, _FONT, font_size, 1)
    position = (round(center[0] - width / 2), round(center[1] + height / 2))
    cv2.putText(image, text, position, _FONT, font_size, (235, 235, 235), 1, cv2.LINE_AA)

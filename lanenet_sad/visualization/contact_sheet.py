"""Many small pictures on one sheet, to look a whole set over at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lanenet_sad.lanes.lane import Image

_FONT = cv2.FONT_HERSHEY_DUPLEX
_GAP = 6
_BACKGROUND = 18
_INK = (232, 232, 232)


def contact_sheet(
    images: Sequence[Image], captions: Sequence[str] | None = None, columns: int = 4, cell_width: int = 400
) -> Image:
    """Lay pictures out in rows, left to right, each with its caption below.

    Args:
        images: (H, W, 3) RGB uint8 each, of any sizes; one or more.
        captions: one for each picture, of ASCII characters (others become `?`); None leaves the lines out.
        columns: pictures in a row; fewer pictures make a narrower sheet.
        cell_width: pixels of each small picture. A row is as high as its highest picture.

    Returns:
        (rows, columns, 3) RGB uint8.

    Raises:
        ValueError: if there is no picture, the captions are not as many, or a size is not positive.
    """
    if not images:
        raise ValueError("Contact sheet: expected one picture or more, got none.")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"Contact sheet: expected {len(images)} captions, one for each picture, got {len(captions)}.")
    if columns < 1 or cell_width < 1:
        raise ValueError(
            f"Contact sheet: expected columns and cell_width of 1 or more, got {columns} and {cell_width}."
        )
    lines = [""] * len(images) if captions is None else list(captions)
    line_height = 0 if captions is None else round(0.055 * cell_width) + _GAP
    cells = [_cell(image, line, cell_width, line_height) for image, line in zip(images, lines, strict=True)]
    columns = min(columns, len(cells))
    rows = [_row(cells[start : start + columns], columns, cell_width) for start in range(0, len(cells), columns)]
    edge = np.full((_GAP, rows[0].shape[1], 3), _BACKGROUND, np.uint8)
    return np.concatenate([edge, *rows])


def _cell(image: Image, caption: str, width: int, line_height: int) -> Image:
    """One picture at its final width, with its caption's line below."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinks = width < image.shape[1]
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    cell = np.full((height + line_height, width, 3), _BACKGROUND, np.uint8)
    cell[:height] = small
    text = caption.encode("ascii", "replace").decode()
    if text:
        size = width / 900
        (text_width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
        size *= min(1.0, width / max(text_width, 1))
        foot = height + line_height - max(2, line_height // 3)
        cv2.putText(cell, text, (0, foot), _FONT, size, _INK, 1, cv2.LINE_AA)
    return cell


def _row(cells: Sequence[Image], columns: int, cell_width: int) -> Image:
    """Cells side by side with gaps, the row padded to the sheet's width."""
    height = max(cell.shape[0] for cell in cells) + _GAP
    row = np.full((height, columns * (cell_width + _GAP) + _GAP, 3), _BACKGROUND, np.uint8)
    for number, cell in enumerate(cells):
        left = _GAP + number * (cell_width + _GAP)
        row[: cell.shape[0], left : left + cell_width] = cell
    return row


def stacked(images: Sequence[Image], *, background: int) -> Image:
    """Pictures one below the other, at their own size; what is narrower than the widest is filled up on the right.

    Args:
        images: (H, W, 3) RGB uint8 each; one or more.
        background: grey value of the filling.
    """
    width = max(image.shape[1] for image in images)
    pads = [((0, 0), (0, width - image.shape[1]), (0, 0)) for image in images]
    return np.vstack([np.pad(image, pad, constant_values=background) for image, pad in zip(images, pads, strict=True)])

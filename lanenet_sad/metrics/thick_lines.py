"""Thick lines drawn into packed bits, compiled, pixel for pixel as OpenCV draws them.

OpenCV's fixed-point arithmetic (16 fractional bits) is followed step by step: a thick line is a filled rectangle, the
rectangle's outline and a disc at either end, each rounded in its own way. It is that of OpenCV 4.6 to 4.12, whichever
version is installed; tests compare every kind of line with `cv2.line`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
Ints = NDArray[np.int64]

_SHIFT = 16
_ONE = 1 << _SHIFT
_HALF = _ONE >> 1
_ALL_BITS = np.uint64(2**64 - 1)


def compiled(function: Callable[..., Any]) -> Any:
    """Compiled at the first call; kept on disk for the next process where there is a place to keep it."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written to
        return numba.njit(nogil=True, error_model="numpy")(function)


@compiled
def _set_span(bits: Bits, row: int, first: int, last: int, width: int) -> None:
    """Sets the pixels from `first` to `last` of a row, as far as they lie in the picture."""
    first, last = max(first, 0), min(last, width - 1)
    if row < 0 or row >= bits.shape[1] or first > last:
        return
    start, end = first >> 6, last >> 6
    for word in range(start, end + 1):
        low = first - (word << 6) if word == start else 0
        high = last - (word << 6) if word == end else 63
        bits[word, row] |= (_ALL_BITS >> np.uint64(63 - high + low)) << np.uint64(low)


@compiled
def _set_pixel(bits: Bits, row: int, column: int, width: int) -> None:
    if 0 <= row < bits.shape[1] and 0 <= column < width:
        bits[column >> 6, row] |= np.uint64(1) << np.uint64(column & 63)


@compiled
def _quotient(dividend: int, divisor: int) -> int:
    """Rounded towards 0, for a positive divisor."""
    return dividend // divisor if dividend >= 0 else -((-dividend) // divisor)


@compiled
def _outside(x: int, y: int, right: int, bottom: int) -> int:
    """On which sides of the picture a point lies: 1 left, 2 right, 4 above, 8 below."""
    return (x < 0) + 2 * (x > right) + 4 * (y < 0) + 8 * (y > bottom)


@compiled
def _meet(value: int, at: int, other: int, at_other: int, border: int) -> int:
    """Where the line from (`value`, `at`) to (`other`, `at_other`) meets a border, as OpenCV rounds it."""
    return value + int(float(border - at) * float(other - value) / float(at_other - at))


@compiled
def _clip(x1: int, y1: int, x2: int, y2: int, right: int, bottom: int) -> tuple[bool, int, int, int, int]:
    """The part of a line inside the picture, and whether there is any."""
    side1, side2 = _outside(x1, y1, right, bottom), _outside(x2, y2, right, bottom)
    if side1 & side2 == 0 and side1 | side2 != 0:
        if side1 & 12:
            border = 0 if side1 < 8 else bottom
            x1, y1 = _meet(x1, y1, x2, y2, border), border
            side1 = _outside(x1, 0, right, bottom)
        if side2 & 12:
            border = 0 if side2 < 8 else bottom
            x2, y2 = _meet(x2, y2, x1, y1, border), border
            side2 = _outside(x2, 0, right, bottom)
        if side1 & side2 == 0 and side1 | side2 != 0:
            if side1:
                border = 0 if side1 == 1 else right
                x1, y1 = border, _meet(y1, x1, y2, x2, border)
                side1 = 0
            if side2:
                border = 0 if side2 == 1 else right
                x2, y2 = border, _meet(y2, x2, y1, x1, border)
                side2 = 0
    return side1 | side2 == 0, x1, y1, x2, y2


@compiled
def _set_edge(bits: Bits, x1: int, y1: int, x2: int, y2: int, width: int) -> None:
    """A thin line between points with 16 fractional bits."""
    right, bottom = (width << _SHIFT) - 1, (bits.shape[1] << _SHIFT) - 1
    inside, x1, y1, x2, y2 = _clip(x1, y1, x2, y2, right, bottom)
    if not inside:
        return
    flat = abs(x2 - x1) > abs(y2 - y1)
    if (flat and x2 < x1) or (not flat and y2 < y1):
        x1, y1, x2, y2 = x2, y2, x1, y1
    end_x, end_y = (x2 + _HALF) >> _SHIFT, (y2 + _HALF) >> _SHIFT
    _set_pixel(bits, end_y, end_x, width)
    if flat:
        step = _quotient((y2 - y1) * _ONE, (x2 - x1) | 1)
        x, y = (x1 + _HALF) >> _SHIFT, y1 + _HALF
        for _ in range(((x2 - x1) >> _SHIFT) + 1):
            _set_pixel(bits, y >> _SHIFT, x, width)
            x, y = x + 1, y + step
    else:
        step = _quotient((x2 - x1) * _ONE, (y2 - y1) | 1)
        x, y = x1 + _HALF, (y1 + _HALF) >> _SHIFT
        for _ in range(((y2 - y1) >> _SHIFT) + 1):
            _set_pixel(bits, y, x >> _SHIFT, width)
            x, y = x + step, y + 1


@compiled
def _set_rectangle(bits: Bits, xs: Ints, ys: Ints, width: int) -> None:
    """Fills a turned rectangle, (4,) corners in order with 16 fractional bits, without its outline."""
    top = int(np.argmin(ys))
    row = (ys[top] + _HALF) >> _SHIFT
    last = min((ys.max() + _HALF) >> _SHIFT, bits.shape[1] - 1)
    corner, until = np.full(2, top), np.full(2, row)
    x, step = np.full(2, -_ONE), np.zeros(2, np.int64)
    unused = 4
    while row <= last:
        for side in range(2):
            if row < until[side]:
                continue
            origin, way = corner[side], 1 if side == 0 else 3
            while unused > 0:
                unused -= 1
                target = (origin + way) % 4
                end = (ys[target] + _HALF) >> _SHIFT
                if end > row:
                    until[side], corner[side], x[side] = end, target, xs[origin]
                    step[side] = _quotient(2 * (xs[target] - xs[origin]) + end - row, 2 * (end - row))
                    break
                origin = target
            else:
                return
        _set_span(bits, row, (x.min() + _HALF) >> _SHIFT, (x.max() + _HALF) >> _SHIFT, width)
        x += step
        row += 1


@compiled
def disc(lane_width: int) -> Ints:
    """Half the width of the disc at a lane's end by distance from its middle row, (radius + 1,)."""
    radius = ((lane_width << (_SHIFT - 1)) + _HALF) >> _SHIFT
    half = np.zeros(radius + 1, np.int64)
    dx, dy, error, plus, minus = radius, 0, 0, 1, 2 * radius - 1
    while dx >= dy:
        half[dy], half[dx] = max(half[dy], dx), max(half[dx], dy)
        dy, error, plus = dy + 1, error + plus, plus + 2
        if error > 0:
            error, dx, minus = error - minus, dx - 1, minus - 2
    return half


@compiled
def draw_segment(
    bits: Bits, x1: int, y1: int, x2: int, y2: int, lane_width: int, width: int, half: Ints, body: bool, outline: bool
) -> None:
    """A thick line with round ends between two whole pixels.

    Args:
        bits: (words, H) the picture, changed in place: one bit a pixel, 64 columns to a word.
        x1: column of the one end, which may lie outside the picture.
        y1: its row.
        x2: column of the other end.
        y2: its row.
        lane_width: at least 2.
        width: of the picture in pixels.
        half: `disc(lane_width)`.
        body: whether to fill the rectangle and to draw the ends. What lies outside is just cut off.
        outline: whether to draw the rectangle's outline. At a border OpenCV cuts its lines off first and rounds then,
            so the same line elsewhere can have other pixels.
    """
    dx, dy = float(x1 - x2), float(y2 - y1)
    square = dx * dx + dy * dy
    if square > 0:
        scale = ((lane_width << (_SHIFT - 1)) + (lane_width & 1) * _ONE * 0.5) / np.sqrt(square)
        aside_x, aside_y = int(np.rint(dy * scale)), int(np.rint(dx * scale))
        ax, ay, bx, by = x1 << _SHIFT, y1 << _SHIFT, x2 << _SHIFT, y2 << _SHIFT
        xs = (ax + aside_x, ax - aside_x, bx - aside_x, bx + aside_x)
        ys = (ay + aside_y, ay - aside_y, by - aside_y, by + aside_y)
        if body:
            _set_rectangle(bits, np.array(xs), np.array(ys), width)
        if outline:
            for i in range(4):
                _set_edge(bits, xs[i - 1], ys[i - 1], xs[i], ys[i], width)
    if body:
        for k in range(1 - len(half), len(half)):
            reach = half[abs(k)]
            _set_span(bits, y1 + k, x1 - reach, x1 + reach, width)
            _set_span(bits, y2 + k, x2 - reach, x2 + reach, width)

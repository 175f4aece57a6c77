"""Lanes as packed bits, compiled: the evaluator's spline through a lane's points, drawn as thick lines, and counted.

`lanes.curves` and `lanes.raster` say what is drawn. This says it again in numbers only, so that numba can compile it;
tests hold the two against each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.metrics.thick_lines import Bits, Ints, compiled, disc, draw_segment

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: The beginning of the SHA-256 of `thick_lines.py`, whose functions numba keeps on disk inside those of this file: a
#: change there has to be a change here, or an old one would go on being used. A test compares.
DRAWN_BY = "9b6a547976ee"

_SAMPLES = 50  # of the spline in every span
_FARTHEST = 16_000.0  # pixels; lanes with a coordinate beyond are left to `lane_ious`
_REACH = 4  # steps of up to so many pixels in x and in y are drawn with a stamp
WIDEST = 52  # lanes whose stamps fit into words of 64 bits


@compiled
def _second_derivatives(spans: Floats, slopes: Floats) -> Floats:
    """Of the natural spline, (N, 2), from (N-1,) spans and (N-1, 2) slopes; as `lanes.curves` solves for them."""
    solution = np.zeros((len(spans) + 1, 2))
    upper, reduced = np.zeros(len(spans)), np.zeros((len(spans), 2))
    for axis in range(2):
        above, value = 0.0, 0.0
        for i in range(len(spans) - 1):
            side = 6 * (slopes[i + 1, axis] - slopes[i, axis])
            pivot = 2 * (spans[i] + spans[i + 1]) - spans[i] * above
            above = spans[i + 1] / pivot
            value = (side - spans[i] * value) / pivot
            upper[i], reduced[i, axis] = above, value
        value = 0.0
        for i in range(len(spans) - 2, -1, -1):
            value = reduced[i, axis] - upper[i] * value
            solution[i + 1, axis] = value
    return solution


@compiled
def _spline(points: Singles) -> Floats:
    """The evaluator's curve through three or more different points, (N, 2) -> ((N - 1) * 50 + 1, 2)."""
    num_spans = len(points) - 1
    spans, slopes = np.zeros(num_spans), np.zeros((num_spans, 2))
    for i in range(num_spans):
        step_x = np.float64(points[i + 1, 0] - points[i, 0])
        step_y = np.float64(points[i + 1, 1] - points[i, 1])
        spans[i] = np.sqrt(step_x * step_x + step_y * step_y)
        slopes[i, 0], slopes[i, 1] = step_x / spans[i], step_y / spans[i]
    bend = _second_derivatives(spans, slopes)
    curve = np.zeros((num_spans * _SAMPLES + 1, 2))
    for axis in range(2):
        for i in range(num_spans):
            h = spans[i]
            start = np.float64(points[i, axis])
            linear = slopes[i, axis] - h * (2 * bend[i, axis] + bend[i + 1, axis]) / 6
            square = bend[i, axis] / 2
            cubic = (bend[i + 1, axis] - bend[i, axis]) / (6 * h)
            for k in range(_SAMPLES):
                t = h / _SAMPLES * k
                curve[i * _SAMPLES + k, axis] = np.float32(start + t * (linear + t * (square + t * cubic)))
        curve[-1, axis] = points[-1, axis]
    return curve


@compiled
def curve_pixels(points: Singles) -> Ints:
    """The whole pixels that the evaluator joins by lines, (N, 2) -> (M, 2); none where the lane is out of bounds."""
    none = np.zeros((0, 2), np.int64)
    knots = np.zeros_like(points)
    count = 0
    for i in range(len(points)):
        for axis in range(2):
            if not abs(points[i, axis]) <= _FARTHEST:  # also NaN
                return none
        if count == 0 or points[i, 0] != knots[count - 1, 0] or points[i, 1] != knots[count - 1, 1]:
            knots[count] = points[i]
            count += 1
    curve = _spline(knots[:count]) if count > 2 else knots[:count].astype(np.float64)
    result = np.zeros((len(curve), 2), np.int64)
    count = 0
    for i in range(len(curve)):
        if not max(abs(curve[i, 0]), abs(curve[i, 1])) <= _FARTHEST:
            return none
        x, y = int(np.rint(curve[i, 0])), int(np.rint(curve[i, 1]))
        if count == 0 or x != result[count - 1, 0] or y != result[count - 1, 1]:
            result[count, 0], result[count, 1] = x, y
            count += 1
    return result[:count]


class Pen(NamedTuple):
    """Short thick lines, drawn once, by their step of -reach to reach in y and in x.

    Attributes:
        lane_width: in pixels.
        half: `disc(lane_width)`.
        stamps: (2, 2 * reach + 1, 2 * reach + 1, rows) bodies alone, and with their outlines; a row is one word. The
            first bit and row lie `rows // 2` left of and above the line's start.
        corners: (2 * reach + 1, 2 * reach + 1, 2) how far the outline's corners lie from the ends at most, in x and y.
    """

    lane_width: int
    half: Ints
    stamps: Bits
    corners: Ints


def make_pen(lane_width: int) -> Pen:
    """A pen for lanes of a width from 2 to `WIDEST` pixels."""
    return Pen(lane_width, *_make_stamps(lane_width))


@compiled
def _make_stamps(lane_width: int) -> tuple[Ints, Bits, Ints]:
    half = disc(lane_width)
    margin = len(half) + _REACH
    size, side = 2 * margin + 1, 2 * _REACH + 1
    stamps, corners = np.zeros((2, side, side, size), np.uint64), np.zeros((side, side, 2), np.int64)
    for i in range(side):
        for j in range(side):
            step_x, step_y = j - _REACH, i - _REACH
            for outline in range(2):
                picture = stamps[outline, i, j].reshape(1, size)
                end_x, end_y = margin + step_x, margin + step_y
                draw_segment(picture, margin, margin, end_x, end_y, lane_width, size, half, True, outline == 1)
            length = np.sqrt(step_x * step_x + step_y * step_y)
            if length > 0:
                corners[i, j, 0] = int(abs(step_y) / length * (lane_width + 1) / 2) + 1
                corners[i, j, 1] = int(abs(step_x) / length * (lane_width + 1) / 2) + 1
    return half, stamps, corners


@compiled
def draw_lane(bits: Bits, pixels: Ints, width: int, pen: Pen) -> None:
    """Joins pixels by thick lines; most of them are a step or two long and drawn with a stamp."""
    size, height = pen.stamps.shape[3], bits.shape[1]
    margin, count = size // 2, len(pixels)
    for i in range(max(count - 1, 1)):
        x, y = pixels[i, 0], pixels[i, 1]
        end_x, end_y = pixels[min(i + 1, count - 1), 0], pixels[min(i + 1, count - 1), 1]
        row, column = end_y - y + _REACH, end_x - x + _REACH
        if min(row, column) < 0 or max(row, column) > 2 * _REACH:
            draw_segment(bits, x, y, end_x, end_y, pen.lane_width, width, pen.half, True, True)
            continue
        left, top = x - margin, y - margin
        # Rows of the stamp that have a pixel; the rest is there for steps that lead elsewhere.
        start, end = min(row, _REACH), size - _REACH + max(row - _REACH, 0)
        if left >= 0 and left + size <= width and top >= 0 and top + size <= height:
            _put_inside(bits, pen.stamps, row, column, left, top, start, end)
            continue
        far_x, far_y = pen.corners[row, column, 0], pen.corners[row, column, 1]
        uncut = min(x, end_x) >= far_x and max(x, end_x) + far_x < width
        uncut = uncut and min(y, end_y) >= far_y and max(y, end_y) + far_y < height
        stamp = pen.stamps[1 if uncut else 0, row, column]
        _put_cut(bits, stamp, left, top, max(start, -top), min(end, height - top), width)
        if not uncut:
            draw_segment(bits, x, y, end_x, end_y, pen.lane_width, width, pen.half, False, True)


@compiled
def _put_inside(bits: Bits, stamps: Bits, row: int, column: int, left: int, top: int, start: int, end: int) -> None:
    """Sets the pixels of a stamp with its outline that lies inside the picture.

    Half of the time goes here. Unsigned indices and no slices: numba then makes vector instructions of the loops.
    """
    one = np.uint64(1)
    word, shift = np.uint64(left) >> np.uint64(6), np.uint64(left) & np.uint64(63)
    back, origin = np.uint64(63) - shift, np.uint64(top)
    for k in range(np.uint64(start), np.uint64(end)):
        bits[word, origin + k] |= stamps[1, row, column, k] << shift
    if (left & 63) + stamps.shape[3] > 64:
        for k in range(np.uint64(start), np.uint64(end)):
            bits[word + one, origin + k] |= (stamps[1, row, column, k] >> one) >> back


@compiled
def _put_cut(bits: Bits, stamp: Bits, left: int, top: int, start: int, end: int, width: int) -> None:
    """Sets the pixels of a stamp's rows from `start` to before `end`, cut off at the left and the right border."""
    word, shift = left >> 6, np.uint64(left & 63)  # -1 for what begins left of the picture
    back, rest = np.uint64(63) - shift, np.uint64(width & 63)
    cut = left + 64 > width and width & 63 != 0
    for k in range(start, end):
        if 0 <= word < len(bits):
            bits[word, top + k] |= stamp[k] << shift
        if 0 <= word + 1 < len(bits):
            bits[word + 1, top + k] |= (stamp[k] >> np.uint64(1)) >> back
        if cut:
            bits[len(bits) - 1, top + k] &= (np.uint64(1) << rest) - np.uint64(1)


@compiled
def _popcount(word: np.uint64) -> int:
    """Number of set bits; compilers know this form and make one instruction of it."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def count_shared(one: Bits, other: Bits, box: Ints) -> int:
    """Number of pixels that two drawn lanes share in a box: rows from, to before, words from, to before."""
    total = 0
    for word in range(box[2], box[3]):
        first, second = one[word, box[0] : box[1]], other[word, box[0] : box[1]]
        for row in range(len(first)):
            total += _popcount(first[row] & second[row])
    return total

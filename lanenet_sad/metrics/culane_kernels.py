"""The CULane comparison compiled: IoUs and pairs of the lanes of many images in one call.

`lane_ious` and `match` say what is computed. This says it again in numbers only, so that numba can compile it; tests
hold the two against each other.
"""

from __future__ import annotations

import numpy as np

from lanenet_sad.metrics.lane_bits import Floats, Pen, Singles, count_shared, curve_pixels, draw_lane
from lanenet_sad.metrics.thick_lines import Bits, Ints, compiled

#: The beginning of the SHA-256 of `lane_bits.py`, see `lane_bits.DRAWN_BY`.
COUNTED_BY = "14a52ebae54f"

_TOLERANCE = 1e-2  # see `matching`
_LOWEST_LABEL = -1e5

#: What `compare_images` says of an image that it did not compare.
NOT_COMPARED = -2


@compiled
def _smallest_slack(weights: Floats, left: Floats, right: Floats, seen_left: Ints, seen_right: Ints) -> float:
    smallest = np.inf
    for u in range(weights.shape[0]):
        for v in range(weights.shape[1]):
            if seen_left[u] and not seen_right[v] and left[u] + right[v] - weights[u, v] < smallest:
                smallest = left[u] + right[v] - weights[u, v]
    return smallest


@compiled
def _augment(
    weights: Floats,
    left: Floats,
    right: Floats,
    right_of: Ints,
    left_of: Ints,
    start: int,
    seen_left: Ints,
    seen_right: Ints,
) -> bool:
    """Depth-first search for a free right lane along tight edges, right lanes in index order."""
    seen_left[:], seen_right[:] = 0, 0
    seen_left[start] = 1
    path, next_edge = np.zeros(len(left), np.int64), np.zeros(len(left), np.int64)
    path[0], depth = start, 1
    while depth > 0:
        u, v = path[depth - 1], next_edge[depth - 1]
        if v == len(right):
            depth -= 1
            continue
        next_edge[depth - 1] += 1
        if seen_right[v] or not abs(left[u] + right[v] - weights[u, v]) < _TOLERANCE:
            continue
        seen_right[v] = 1
        if left_of[v] < 0:
            for level in range(depth):
                chosen = next_edge[level] - 1
                right_of[path[level]], left_of[chosen] = chosen, path[level]
            return True
        seen_left[left_of[v]] = 1
        path[depth], next_edge[depth] = left_of[v], 0
        depth += 1
    return False


@compiled
def match_kernel(ious: Floats) -> Ints:
    """As `matching.match`: for each label lane, (G,), the index of its predicted lane or -1."""
    swapped = ious.shape[0] > ious.shape[1]
    weights = ious.T.copy() if swapped else ious.copy()
    num_left, num_right = weights.shape
    left, right = np.full(num_left, _LOWEST_LABEL), np.zeros(num_right)
    for u in range(num_left):
        for v in range(num_right):
            if weights[u, v] > left[u]:
                left[u] = weights[u, v]
    right_of, left_of = np.full(num_left, -1), np.full(num_right, -1)
    seen_left, seen_right = np.zeros(num_left, np.int64), np.zeros(num_right, np.int64)
    for u in range(num_left):
        while not _augment(weights, left, right, right_of, left_of, u, seen_left, seen_right):
            slack = _smallest_slack(weights, left, right, seen_left, seen_right)
            if not np.isfinite(slack):
                return left_of if swapped else right_of
            left -= slack * seen_left
            right += slack * seen_right
    return left_of if swapped else right_of


@compiled
def compare_images(
    points: Singles, lane_ends: Ints, image_ends: Ints, sizes: Ints, pen: Pen
) -> tuple[Floats, Ints, Floats]:
    """IoUs and pairs of the lanes of many images.

    Args:
        points: (N, 2) of all lanes, image after image, in each the label lanes before the predicted ones; pixels of
            the canvas.
        lane_ends: (M,) index behind the last point of each lane.
        image_ends: (I, 2) index behind the last label lane and behind the last predicted lane of each image.
        sizes: (I, 2) height and width of each image's canvas.
        pen: that draws the lanes, see `make_pen`.

    Returns:
        The IoUs, image after image, label lane by label lane. For each lane, (M,), the index of its partner: of labels,
        the predicted lane or -1, of predictions -1; all lanes of an image that this cannot compare, for coordinates
        that are too large or no numbers, have `NOT_COMPARED`. And for each lane, (M,), its IoU with its partner, or -1.
    """
    num_images = len(image_ends)
    total, most, first = 0, 0, 0
    for i in range(num_images):
        num_labels, num_predictions = image_ends[i, 0] - first, image_ends[i, 1] - image_ends[i, 0]
        total += num_labels * num_predictions
        most = max(most, num_labels + num_predictions)
        first = image_ends[i, 1]
    height, words = (sizes[:, 0].max(), (sizes[:, 1].max() + 63) // 64) if num_images else (0, 0)
    ious, partners, matched = np.zeros(total), np.full(len(lane_ends), -1), np.full(len(lane_ends), -1.0)
    bits = np.zeros((most, words, height), np.uint64)
    areas, boxes = np.zeros(most, np.int64), np.zeros((most, 4), np.int64)
    position, first = 0, 0
    for i in range(num_images):
        middle, last = image_ends[i]
        num_labels, num_predictions = middle - first, last - middle
        table = ious[position : position + num_labels * num_predictions].reshape(num_labels, num_predictions)
        position += num_labels * num_predictions
        if num_labels and num_predictions:
            drawn = _draw_lanes(points, lane_ends, first, last, bits, areas, boxes, sizes[i], pen)
            if drawn:
                _fill_table(table, bits, areas, boxes)
                partners[first:middle] = match_kernel(table)
                for label in range(num_labels):
                    if partners[first + label] >= 0:
                        matched[first + label] = table[label, partners[first + label]]
            else:
                partners[first:last] = NOT_COMPARED
        first = last
    return ious, partners, matched


@compiled
def _draw_lanes(
    points: Singles,
    lane_ends: Ints,
    first: int,
    last: int,
    bits: Bits,
    areas: Ints,
    boxes: Ints,
    size: Ints,
    pen: Pen,
) -> bool:
    """Draws the lanes of one image, with their areas and boxes; False if one is out of bounds."""
    height, width = size
    words = (width + 63) // 64
    for lane in range(first, last):
        box = boxes[lane - first]
        bits[lane - first, box[2] : box[3], box[0] : box[1]] = 0
        box[:] = 0
        areas[lane - first] = -1
        start = lane_ends[lane - 1] if lane > 0 else 0
        lane_points = points[start : lane_ends[lane]]
        if len(lane_points) < 2:
            continue
        pixels = curve_pixels(lane_points)
        if len(pixels) == 0:
            return False
        picture = bits[lane - first, :words, :height]
        draw_lane(picture, pixels, width, pen)
        reach = len(pen.half) + 1
        box[0], box[1] = max(pixels[:, 1].min() - reach, 0), min(pixels[:, 1].max() + reach + 1, height)
        box[2] = max((pixels[:, 0].min() - reach) >> 6, 0)
        box[3] = min(((pixels[:, 0].max() + reach) >> 6) + 1, words)
        if box[0] >= box[1] or box[2] >= box[3]:
            box[:] = 0
        areas[lane - first] = count_shared(picture, picture, box)
    return True


@compiled
def _fill_table(table: Floats, bits: Bits, areas: Ints, boxes: Ints) -> None:
    """The IoUs of the lanes that are drawn; 0 where a lane has fewer than two points (area -1), NaN for 0 / 0."""
    num_labels, num_predictions = table.shape
    both = np.zeros(4, np.int64)
    for g in range(num_labels):
        for p in range(num_predictions):
            other = num_labels + p
            if areas[g] < 0 or areas[other] < 0:
                continue
            for edge in range(0, 4, 2):
                both[edge] = max(boxes[g, edge], boxes[other, edge])
                both[edge + 1] = min(boxes[g, edge + 1], boxes[other, edge + 1])
            shared = count_shared(bits[g], bits[other], both) if both[0] < both[1] else 0
            union = areas[g] + areas[other] - shared
            table[g, p] = shared / union if union > 0 else np.nan

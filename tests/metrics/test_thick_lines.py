"""Thick lines drawn into packed bits, against OpenCV's own."""

import hashlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanenet_sad.metrics import culane_kernels, lane_bits, thick_lines
from lanenet_sad.metrics.lane_bits import draw_lane, make_pen
from lanenet_sad.metrics.thick_lines import disc, draw_segment

OPENCV = tuple(int(part) for part in cv2.__version__.split(".")[:2])
as_the_evaluator = pytest.mark.skipif(
    OPENCV >= (4, 13), reason="OpenCV 4.13 draws lines that leave the picture otherwise"
)


def packed(size: tuple[int, int]) -> np.ndarray:
    return np.zeros(((size[1] + 63) // 64, size[0]), np.uint64)


def unpacked(bits: np.ndarray, width: int) -> np.ndarray:
    return np.unpackbits(np.ascontiguousarray(bits.T).view(np.uint8), axis=1, bitorder="little")[:, :width]


def drawn(ends, line_width: int, size: tuple[int, int]) -> np.ndarray:
    bits = packed(size)
    draw_segment(bits, *ends[0], *ends[1], line_width, size[1], disc(line_width), True, True)
    return unpacked(bits, size[1])


def opencv(points, line_width: int, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    for start, end in pairwise(points):
        cv2.line(mask, start, end, 1, line_width)
    return mask


def random_case(rng: np.random.Generator, longest: int):
    size = tuple(rng.integers(20, 300, size=2).tolist())
    start = rng.integers(-60, [size[1] + 60, size[0] + 60])
    end = start + rng.integers(-longest, longest + 1, size=2)
    return [tuple(start.tolist()), tuple(end.tolist())], int(rng.integers(2, 60)), size


@as_the_evaluator
@pytest.mark.parametrize("longest", [0, 2, 40, 900, 12_000])
def test_a_segment_has_the_pixels_that_opencv_draws(longest: int) -> None:
    rng = np.random.default_rng(longest)
    crossing = 0
    for _ in range(300):
        ends, line_width, size = random_case(rng, longest)
        expected = opencv(ends, line_width, size)
        assert np.array_equal(drawn(ends, line_width, size), expected), (ends, line_width, size)
        crossing += expected.any() and min(min(ends[0]), min(ends[1])) < 0
    assert crossing > 10


@as_the_evaluator
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-20, 150), st.integers(-20, 90)), min_size=2, max_size=8),
    st.integers(2, lane_bits.WIDEST),
    st.tuples(st.integers(1, 80), st.integers(1, 140)),
)
def test_a_chain_of_steps_has_the_pixels_that_opencv_draws(corners, line_width: int, size) -> None:
    steps = [corners[0]]
    for x, y in corners[1:]:  # pixel by pixel towards the next corner, as along a lane, where it is near
        while max(abs(x - steps[-1][0]), abs(y - steps[-1][1])) > 1 and len(steps) < 200:
            steps.append((steps[-1][0] + int(np.sign(x - steps[-1][0])), steps[-1][1] + int(np.sign(y - steps[-1][1]))))
        steps.append((x, y))
    bits = packed(size)
    draw_lane(bits, np.array(steps, dtype=np.int64), size[1], make_pen(line_width))
    assert np.array_equal(unpacked(bits, size[1]), opencv(steps, line_width, size))
    assert not (bits[-1] >> np.uint64(size[1] % 64)).any() or size[1] % 64 == 0  # nothing beyond the right border


def test_the_widest_lane_just_fits_into_a_word() -> None:
    assert make_pen(lane_bits.WIDEST).stamps.shape[3] <= 64
    assert 2 * (len(disc(lane_bits.WIDEST + 2)) + 4) + 1 > 64


def test_no_compiled_function_is_kept_longer_than_what_it_is_made_of() -> None:
    def digest(module) -> str:
        return hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()[:12]

    assert digest(thick_lines) == lane_bits.DRAWN_BY, (
        "thick_lines.py has changed: put its digest into lane_bits.DRAWN_BY"
    )
    assert digest(lane_bits) == culane_kernels.COUNTED_BY, "put the digest of lane_bits.py into COUNTED_BY"

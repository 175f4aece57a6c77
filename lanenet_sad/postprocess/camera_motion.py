"""How the camera moved between two frames, from what all lane lines did at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lanenet_sad.postprocess.line_filter import FilterNoise
from lanenet_sad.postprocess.line_rows import Array


def common_motion(
    off: Sequence[Array], slopes: Sequence[Array], deviations: Sequence[Array], noise: FilterNoise
) -> tuple[float, float]:
    """The nod and the turn that explain best where the lines are now.

    A camera that nods moves every line along its own course, one that turns moves all of them aside alike. Two lines
    at least are needed to tell these from the car moving in its lane; with fewer, nothing is told.

    Args:
        off: of each line by how much it is further right than expected, (K,), NaN where it is not seen now.
        slopes: of each line by how much its columns change from one row to the next, (K,).
        deviations: of each line the standard deviation of `off` as far as it is the line's own, (K,).
        noise: how much a camera nods and turns.

    Returns:
        Rows of the grid by which the picture moved down, and pixels by which it moved to the right.
    """
    if len(off) < 2:
        return 0.0, 0.0
    apart, slope = np.stack(off), np.stack(slopes)  # (N, K)
    seen = np.isfinite(apart)
    apart = np.where(seen, apart, 0.0)
    # Neighbouring rows say the same, so that a line with many of them knows little more than one with few.
    per_line = np.maximum(seen.sum(axis=1, keepdims=True) / 3, 1)
    variance = np.stack(deviations) ** 2
    weights = np.where(seen, 1 / (variance * per_line), 0.0)
    weights /= 1.0 + apart**2 / (4 * variance)
    a, b, c = (weights * slope**2).sum(), (weights * -slope).sum(), weights.sum()
    right = np.array([(weights * -slope * apart).sum(), (weights * apart).sum()])
    rows = noise.nod * (apart.shape[1] - 1)
    nod, turn = np.linalg.solve([[a + 1 / rows**2, b], [b, c + 1 / noise.turn**2]], right)
    return float(nod), float(turn)

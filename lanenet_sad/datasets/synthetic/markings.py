"""Lane lines and other paint on the road, exactly antialiased.

How much of a pixel's footprint is painted is a product: across the road the overlap of two intervals, along the
road the difference of a periodic integral (the painted length up to a point). No supersampling is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView

WHITE = (232.0, 232.0, 226.0)
YELLOW = (226.0, 170.0, 40.0)


@dataclass(frozen=True)
class Stripe:
    """One painted stripe along the road.

    Attributes:
        shift: lateral distance from the marking's middle in metres.
        width: in metres.
        painted: length of a dash in metres; 0 for a solid stripe.
        gap: between dashes in metres.
        phase: where on the road a dash begins, in metres.
        colour: RGB 0..255 in daylight.
        strength: how much of the ground the paint hides, 0..1.
        wear: how patchy the paint is, 0..1.
    """

    shift: float = 0.0
    width: float = 0.15
    painted: float = 0.0
    gap: float = 0.0
    phase: float = 0.0
    colour: tuple[float, float, float] = WHITE
    strength: float = 0.9
    wear: float = 0.1

    def painted_share(self, view: RoadView) -> FloatArray:
        """(R,) share of every row's stretch of road that is painted."""
        if self.painted <= 0:
            return np.ones_like(view.s)
        half = view.pixel_length / 2
        return np.clip((self._length_up_to(view.s + half) - self._length_up_to(view.s - half)) / (2 * half), 0, 1)

    def _length_up_to(self, s: FloatArray) -> FloatArray:
        period = self.painted + self.gap
        cycles, rest = np.divmod(s - self.phase, period)
        return cycles * self.painted + np.minimum(rest, self.painted)


@dataclass(frozen=True)
class Marking:
    """A lane line: one stripe, or two for a double line.

    Attributes:
        offset: lateral position of its middle in metres.
        stripes: what is painted.
        labelled: whether it is a lane line; paint that a detector must not report is not.
        sway: amplitude in metres by which it wanders sideways (hand-painted or temporary lines).
    """

    offset: float
    stripes: tuple[Stripe, ...]
    labelled: bool = True
    sway: float = 0.0

    def offset_at(self, s: FloatArray) -> FloatArray:
        """Lateral position of the marking's middle at distances `s` along the road."""
        return self.offset + self.sway * np.sin(s / 9.0 + self.offset)


def paint_stripe(ground: FloatImage, view: RoadView, marking: Marking, stripe: Stripe) -> None:
    """Paints one stripe onto the ground in place.

    Args:
        ground: (3, R, W) colours of the ground rows of `view`.
        view: the row table.
        marking: the line that the stripe belongs to.
        stripe: what to paint.
    """
    middle = view.columns(marking.offset_at(view.s) + stripe.shift)  # (R,)
    half_width = stripe.width / view.pixel_width / 2
    rows, columns = _window(middle, half_width, ground.shape[2])
    if len(rows) == 0:
        return
    across = np.clip(half_width[rows, None] + 0.5 - np.abs(columns - middle[rows, None]), 0, 1)
    across = np.minimum(across, 2 * half_width[rows, None])  # (R', K)
    cover = across * stripe.painted_share(view)[rows, None] * stripe.strength
    if stripe.wear > 0:
        cover *= _worn(view, rows, (columns - view.centre[rows, None]) * view.pixel_width[rows, None], stripe)
    inside = (columns >= 0) & (columns < ground.shape[2]) & (cover > 0)
    at_rows, at_columns = np.broadcast_to(rows[:, None], columns.shape)[inside], columns[inside]
    before = ground[:, at_rows, at_columns]  # (3, M)
    paint = np.asarray(stripe.colour, dtype=np.float32)[:, None]
    ground[:, at_rows, at_columns] = before + cover[inside].astype(np.float32) * (paint - before)


def _window(middle: FloatArray, half_width: FloatArray, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (R',) that the stripe touches, and for each the columns (R', K) that it may touch."""
    touched = (middle + half_width > -1) & (middle - half_width < width)
    rows = np.flatnonzero(touched)
    if len(rows) == 0:
        return rows, np.zeros((0, 1), dtype=np.int64)
    reach = int(np.ceil(half_width[rows].max())) + 1
    first = np.floor(middle[rows]).astype(np.int64) - reach
    return rows, first[:, None] + np.arange(2 * reach + 2)


def _worn(view: RoadView, rows: NDArray[np.int64], lateral: FloatArray, stripe: Stripe) -> FloatArray:
    """How much paint is left, 0..1: flakes close by, their mean in the distance."""
    fine = noise_tile(0.6, 3)
    along = ((view.s[rows] + 90 * stripe.phase) * 14.0).astype(np.int64)[:, None] % TILE
    across = (lateral * 25.0).astype(np.int64) % TILE
    slow = noise_tile(1.2, 4)[(along // 20) % TILE, (across // 40) % TILE]
    seen = np.minimum(1.0, 0.06 / view.pixel_length[rows])[:, None]
    return np.clip(1.05 - stripe.wear * (0.6 + seen * 0.9 * fine[along, across] + 0.35 * slow), 0.0, 1.0)

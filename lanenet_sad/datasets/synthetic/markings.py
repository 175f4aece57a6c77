"""Lane lines and other paint on the road, exactly antialiased.

How much of a pixel's footprint is painted is a product: across the road the overlap of two intervals, along the
road the difference of a periodic integral (the painted length up to a point). No supersampling is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.lane import LaneType, LineColour, LineStyle

WHITE = (232.0, 232.0, 226.0)
YELLOW = (226.0, 170.0, 40.0)
BLUE = (70.0, 110.0, 196.0)

Spans: TypeAlias = tuple[tuple[float, float], ...]  # (start, end) along the road in metres
Knots: TypeAlias = tuple[tuple[float, float], ...]  # (distance along the road, metres aside)

_LONGEST_DOT = 0.3


def follow(knots: Knots, s: FloatArray) -> FloatArray:
    """Metres aside at distances `s`: smooth between the knots, constant before the first and after the last."""
    if not knots:
        return np.zeros_like(s)
    at, aside = np.asarray(knots, dtype=np.float64).T
    if len(at) == 1:
        return np.full_like(s, aside[0])
    after = np.clip(np.searchsorted(at, s), 1, len(at) - 1)
    share = np.clip((s - at[after - 1]) / (at[after] - at[after - 1]), 0, 1)
    share = share * share * (3 - 2 * share)
    return np.asarray(aside[after - 1] * (1 - share) + aside[after] * share)


def overlap(view: RoadView, start: float, end: float) -> FloatArray:
    """(R,) share of every row's stretch of road that lies between two distances."""
    half = view.pixel_length / 2
    return np.clip((np.minimum(view.s + half, end) - np.maximum(view.s - half, start)) / (2 * half), 0, 1)


@dataclass(frozen=True)
class Stripe:
    """One painted stripe along the road, or one row of raised dots.

    Attributes:
        shift: lateral distance from the marking's middle in metres.
        width: in metres.
        painted: length of a dash in metres; 0 for a solid stripe.
        gap: between dashes in metres.
        phase: where on the road a dash begins, in metres.
        colour: RGB 0..255 in daylight.
        strength: how much of the ground the paint hides, 0..1.
        wear: how patchy the paint is, 0..1.
        repeats: how many dashes or dots follow each other at `pitch` before the gap.
        pitch: metres from one of these to the next.
        rise: height of raised dots in metres; it makes them look longer from afar.
    """

    shift: float = 0.0
    width: float = 0.15
    painted: float = 0.0
    gap: float = 0.0
    phase: float = 0.0
    colour: tuple[float, float, float] = WHITE
    strength: float = 0.9
    wear: float = 0.1
    repeats: int = 1
    pitch: float = 0.0
    rise: float = 0.0

    @property
    def is_dots(self) -> bool:
        """Whether the stripe is a row of dots."""
        return 0 < self.painted <= _LONGEST_DOT

    @property
    def paint_left(self) -> float:
        """Mean share of the paint that wear has left, 0..1."""
        return min(max(1.05 - 0.6 * self.wear, 0.0), 1.0)

    def painted_share(self, view: RoadView) -> FloatArray:
        """(R,) share of every row's stretch of road that is painted."""
        if self.painted <= 0:
            return np.ones_like(view.s)
        half = view.pixel_length / 2
        longest = 0.8 * (self.pitch if self.repeats > 1 else self.painted + self.gap)
        seen = np.minimum(self.painted + self.rise * view.depth / view.camera.height, max(longest, self.painted))
        share = np.zeros_like(view.s)
        for number in range(self.repeats):
            s = view.s - number * self.pitch
            share += (self._length_up_to(s + half, seen) - self._length_up_to(s - half, seen)) / (2 * half)
        return np.clip(share, 0, 1)

    def _length_up_to(self, s: FloatArray, seen: FloatArray) -> FloatArray:
        cycles, rest = np.divmod(s - self.phase, self.painted + self.gap)
        return np.asarray(cycles * seen + np.minimum(rest, seen))


@dataclass(frozen=True)
class Marking:
    """A lane line: one stripe, or two for a double line.

    Attributes:
        offset: lateral position of its middle in metres.
        stripes: what is painted.
        labelled: whether it is a lane line; paint that a detector must not report is not.
        sway: amplitude in metres by which it wanders sideways (hand-painted or temporary lines, cracks).
        drift: how it leaves its offset along the road, where lanes open, end, split or merge.
        span: (start, end) along the road in metres, outside which it does not exist; None for endless.
        breaks: stretches without it, such as crossroads.
    """

    offset: float
    stripes: tuple[Stripe, ...]
    labelled: bool = True
    sway: float = 0.0
    drift: Knots = ()
    span: tuple[float, float] | None = None
    breaks: Spans = ()

    @property
    def lane_type(self) -> LaneType:
        """What kind of line the stripes make; raised dots on a painted line leave the paint's style."""
        painted = [stripe for stripe in self.stripes if not stripe.is_dots]
        strongest = max(painted or self.stripes, key=lambda stripe: stripe.strength)
        return LaneType(_style(painted), _colour_name(strongest.colour))

    def offset_at(self, s: FloatArray) -> FloatArray:
        """Lateral position of the marking's middle at distances `s` along the road."""
        middle = self.offset + follow(self.drift, s)
        if self.sway == 0:
            return middle
        wander = 0.75 * np.sin(s / 9.0 + self.offset) + 0.25 * np.sin(s / 2.1 + 3 * self.offset)
        return np.asarray(middle + self.sway * wander)

    def existing_share(self, view: RoadView) -> FloatArray:
        """(R,) share of every row's stretch of road on which the line exists, its gaps between dashes included."""
        share = np.ones_like(view.s) if self.span is None else overlap(view, *self.span)
        for start, end in self.breaks:
            share = share * (1 - overlap(view, start, end))
        return share


def _style(painted: list[Stripe]) -> LineStyle:
    if not painted:
        return "dots"
    dashed = {stripe.painted > 0 for stripe in painted}
    if len(dashed) == 2:
        return "solid_dashed"
    if len({stripe.shift for stripe in painted}) > 1:
        return "double"
    return "dashed" if dashed == {True} else "solid"


def _colour_name(colour: tuple[float, float, float]) -> LineColour:
    red, _, blue = colour
    if blue < 0.75 * red:
        return "yellow"
    return "blue" if blue > 1.3 * red else "white"


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
    share = stripe.painted_share(view) * marking.existing_share(view)
    rows, columns = _window(middle, half_width, share, ground.shape[2])
    if len(rows) == 0:
        return
    across = np.clip(half_width[rows, None] + 0.5 - np.abs(columns - middle[rows, None]), 0, 1)
    across = np.minimum(across, 2 * half_width[rows, None])  # (R', K)
    cover = across * share[rows, None] * stripe.strength
    if stripe.wear > 0:
        cover *= _worn(view, rows, (columns - view.centre[rows, None]) * view.pixel_width[rows, None], stripe)
    inside = (columns >= 0) & (columns < ground.shape[2]) & (cover > 0)
    at_rows, at_columns = np.broadcast_to(rows[:, None], columns.shape)[inside], columns[inside]
    before = ground[:, at_rows, at_columns]  # (3, M)
    paint = np.asarray(stripe.colour, dtype=np.float32)[:, None]
    ground[:, at_rows, at_columns] = before + cover[inside].astype(np.float32) * (paint - before)


def _window(
    middle: FloatArray, half_width: FloatArray, share: FloatArray, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (R',) that the stripe touches, and for each the columns (R', K) that it may touch."""
    touched = (share > 0) & (middle + half_width > -1) & (middle - half_width < width)
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

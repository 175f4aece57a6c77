"""The course of a road in plan and in elevation, and what lies across it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.synthetic.markings import Knots, Marking, Spans, follow

FloatArray = NDArray[np.float64]
Colour = tuple[float, float, float]

SNOW: Colour = (214.0, 220.0, 228.0)


def shaded(colour: Colour, factor: float) -> Colour:
    """A colour made darker or brighter."""
    red, green, blue = (min(factor * value, 255.0) for value in colour)
    return red, green, blue


@dataclass(frozen=True)
class Alignment:
    """The course of the road's reference line over the distance s along it, in metres.

    Attributes:
        curvature: mean curvature in 1/m, positive to the right.
        curvature_swing: amplitude by which the curvature swings about its mean.
        curvature_period: length of one swing in metres.
        curvature_phase: of the swing at s = 0, in radians.
        slope_swing: amplitude of the slope (rise over run).
        slope_period: length of one hill in metres.
        slope_phase: of the hill at s = 0, in radians.
        bend: curvature that a transition curve (a clothoid) adds.
        bend_start: where the transition begins.
        bend_length: how long it takes.
    """

    curvature: float = 0.0
    curvature_swing: float = 0.0
    curvature_period: float = 400.0
    curvature_phase: float = 0.0
    slope_swing: float = 0.0
    slope_period: float = 400.0
    slope_phase: float = 0.0
    bend: float = 0.0
    bend_start: float = 0.0
    bend_length: float = 80.0

    def curvature_at(self, s: FloatArray) -> FloatArray:
        """Curvature in 1/m at distances `s`."""
        transition = self.bend * np.clip((s - self.bend_start) / self.bend_length, 0, 1)
        return (
            self.curvature
            + transition
            + self.curvature_swing * np.sin(2 * math.pi * s / self.curvature_period + self.curvature_phase)
        )

    def elevation_above(self, s: FloatArray, origin: float) -> FloatArray:
        """Height in metres above the plane that touches the road at `origin`."""
        rate = 2 * math.pi / self.slope_period

        def wave(at: FloatArray) -> FloatArray:
            return np.asarray(self.slope_swing / rate * np.sin(rate * at + self.slope_phase))

        start = np.array([origin])
        slope = self.slope_swing * math.cos(rate * origin + self.slope_phase)
        return wave(s) - wave(start) - slope * (s - origin)


@dataclass(frozen=True)
class Patch:
    """A quadrilateral on the road: an arrow's part, a crossing's bar, a repaired place, a manhole.

    Attributes:
        s: (start, end) along the road in metres.
        lateral: (left, right) in metres at the start.
        colour: RGB 0..255 in daylight.
        strength: how much of the ground it hides, 0..1.
        lateral_end: (left, right) at the end; None for the same as at the start.
        is_arrow: whether it is part of an arrow.
    """

    s: tuple[float, float]
    lateral: tuple[float, float]
    colour: Colour
    strength: float = 0.85
    lateral_end: tuple[float, float] | None = None
    is_arrow: bool = False


@dataclass(frozen=True)
class Band:
    """A strip of ground along the road, or of something that covers ground and paint.

    Attributes:
        left: lateral position of its left border in metres, positive to the right of the reference line.
        right: of its right border.
        colour: RGB 0..255 in daylight.
        grain: how strongly its fine texture shows, 0..1.
        patches: how strongly its large patches show, 0..1.
        softness: metres over which its borders fade.
        opacity: how much of what lies below it hides, 0..1.
        span: (start, end) along the road in metres; None for endless.
        left_drift: how the left border leaves its place along the road.
        right_drift: how the right border does.
        ragged: metres by which the borders crumble.
    """

    left: float
    right: float
    colour: Colour
    grain: float = 0.1
    patches: float = 0.1
    softness: float = 0.0
    opacity: float = 1.0
    span: tuple[float, float] | None = None
    left_drift: Knots = ()
    right_drift: Knots = ()
    ragged: float = 0.0

    def cover_at(self, s: FloatArray, lateral: FloatArray) -> FloatArray:
        """How much of the ground at places of the road it hides on average, 0..1."""
        soft = max(self.softness, 0.02)
        left, right = self.left + follow(self.left_drift, s), self.right + follow(self.right_drift, s)
        inside = np.minimum(lateral + soft / 2, right) - np.maximum(lateral - soft / 2, left)
        along = 1.0 if self.span is None else (s >= self.span[0]) & (s <= self.span[1])
        return np.asarray(self.opacity * np.clip(inside / soft, 0, 1) * along)


@dataclass(frozen=True)
class Barrier:
    """A guard rail, a wall, a fence or a kerb beside the road.

    Attributes:
        offset: lateral position in metres.
        bottom: height of its lower edge above the ground in metres.
        top: height of its upper edge.
        colour: RGB 0..255 in daylight.
        post_spacing: metres between posts; 0 for none.
        stripe: RGB of a painted upper edge, a false lane line; None for none.
        shadow: width in metres of the shadow on the ground, positive to the right.
        blocks: length in metres of the black and white (or yellow) blocks it is painted with; 0 for none.
        breaks: stretches of the road without it.
    """

    offset: float
    bottom: float
    top: float
    colour: Colour
    post_spacing: float = 0.0
    stripe: Colour | None = None
    shadow: float = 0.0
    blocks: float = 0.0
    breaks: Spans = ()


@dataclass(frozen=True)
class Road:
    """A road: its course, its ground from side to side, its paint and its barriers.

    Attributes:
        alignment: the course of its reference line, the middle of the ego lane.
        verge: colour, grain and patches of all ground that no band covers.
        bands: painted in order, later ones over earlier ones.
        markings: lane lines, labelled or not.
        barriers: drawn from far to near.
        edges: lateral positions of the left and right edge of the ego's carriageway.
        lane_width: of the ego lane in metres.
        lanes_left: number of lanes on the carriageway left of the ego lane.
        lanes_right: number of lanes right of it.
        oncoming_left: how many of the lanes left of the ego lane carry oncoming traffic.
        texture_start: where in the endless ground texture the road begins, in metres.
        median: metres between the two directions' lines in the middle of the road.
        covers: what lies on the ground and on the paint: snow, dirt, water.
        patches: flat things that belong to the road's course, such as hatching where it splits.
        room_right: metres beyond the right edge into which the road widens or branches off.
    """

    alignment: Alignment
    verge: Band
    bands: tuple[Band, ...]
    markings: tuple[Marking, ...]
    barriers: tuple[Barrier, ...]
    edges: tuple[float, float]
    lane_width: float
    lanes_left: int
    lanes_right: int
    oncoming_left: int = 0
    texture_start: float = 0.0
    median: float = 0.0
    covers: tuple[Band, ...] = ()
    patches: tuple[Patch, ...] = ()
    room_right: float = 0.0

    def ground_at(self, lateral: float) -> Colour:
        """Colour in daylight of the ground at a lateral position, below paint and covers."""
        at = np.array([lateral])
        colour = np.asarray(self.verge.colour)
        for band in self.bands:
            if band.span is None:
                share = float(band.cover_at(np.zeros(1), at)[0])
                colour = colour + share * (np.asarray(band.colour) - colour)
        red, green, blue = colour
        return float(red), float(green), float(blue)

    def covered_at(self, s: FloatArray, lateral: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What covers do to paint at N places: the share (N,) that stays in sight, and the colour (N, 3) on top."""
        seen, colour = np.ones_like(s), np.zeros((*s.shape, 3))
        for cover in self.covers:
            share = cover.cover_at(s, lateral)[..., None]
            seen, colour = seen * (1 - share[..., 0]), colour * (1 - share) + share * np.asarray(cover.colour)
        return seen, colour

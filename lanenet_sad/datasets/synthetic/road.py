"""The course of a road in plan and in elevation, and what lies across it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.synthetic.markings import Marking

FloatArray = NDArray[np.float64]
Colour = tuple[float, float, float]


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
    """

    curvature: float = 0.0
    curvature_swing: float = 0.0
    curvature_period: float = 400.0
    curvature_phase: float = 0.0
    slope_swing: float = 0.0
    slope_period: float = 400.0
    slope_phase: float = 0.0

    def curvature_at(self, s: FloatArray) -> FloatArray:
        """Curvature in 1/m at distances `s`."""
        return self.curvature + self.curvature_swing * np.sin(
            2 * math.pi * s / self.curvature_period + self.curvature_phase
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
class Band:
    """A strip of ground along the road.

    Attributes:
        left: lateral position of its left border in metres, positive to the right of the reference line.
        right: of its right border.
        colour: RGB 0..255 in daylight.
        grain: how strongly its fine texture shows, 0..1.
        patches: how strongly its large patches show, 0..1.
        softness: metres over which its borders fade.
    """

    left: float
    right: float
    colour: Colour
    grain: float = 0.1
    patches: float = 0.1
    softness: float = 0.0


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
    """

    offset: float
    bottom: float
    top: float
    colour: Colour
    post_spacing: float = 0.0
    stripe: Colour | None = None
    shadow: float = 0.0


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

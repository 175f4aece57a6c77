"""Daylight, dusk, night, fog and rain: how bright a place is and how much air lies before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lanenet_sad.datasets.synthetic.road import Colour

FloatArray = NDArray[np.float64]

LUMA: FloatArray = np.array([0.299, 0.587, 0.114])
"""How much red, green and blue add to the brightness of a colour."""


@dataclass(frozen=True)
class Light:
    """Light and air of a scene.

    Attributes:
        ambient: RGB factor on all colours; (1, 1, 1) is daylight.
        sky: RGB of the sky overhead.
        horizon: RGB of the sky at the horizon and of the haze.
        visibility: metres after which haze hides 63 % of a thing.
        clouds: how cloudy the sky is, 0..1.
        sun: -1..1, the side to which shadows fall (-1 left); its size is the length of the shadows.
        shadow: darkness of cast shadows, 0..1.
        dapple: darkness of the shadow of trees on the road, 0..1.
        dazzle: strength of a low sun ahead, 0..1.
        headlights: brightness of the ego car's own light on the road; 0 by day.
        beam_reach: metres after which the headlights have lost half of their brightness.
        beam_colour: RGB factors of the headlights.
        lamp_spacing: metres between street lamps that are lit; 0 for none.
        lamp_colour: RGB factors of the street lamps.
        lamp_power: brightness of the road below a street lamp.
        ceiling: whether a tunnel's ceiling hides the sky.
        wet: how much the road mirrors what stands above it, 0..1.
        rain: density of rain streaks and drops, 0..1.
    """

    ambient: Colour = (1.0, 1.0, 1.0)
    sky: Colour = (110.0, 150.0, 205.0)
    horizon: Colour = (200.0, 212.0, 222.0)
    visibility: float = 900.0
    clouds: float = 0.3
    sun: float = 0.5
    shadow: float = 0.5
    dapple: float = 0.0
    dazzle: float = 0.0
    headlights: float = 0.0
    beam_reach: float = 22.0
    beam_colour: Colour = (1.0, 0.95, 0.82)
    lamp_spacing: float = 0.0
    lamp_colour: Colour = (1.0, 0.82, 0.55)
    lamp_power: float = 0.22
    ceiling: bool = False
    wet: float = 0.0
    rain: float = 0.0

    @property
    def is_dark(self) -> bool:
        """Whether lamps are on."""
        return self.headlights > 0

    def at(self, depth: ArrayLike, x: ArrayLike, s: ArrayLike) -> FloatArray:
        """RGB factors (..., 3) on the colour of things `depth` metres ahead, `x` metres right, `s` along the road."""
        ambient = np.asarray(self.ambient)
        if not self.is_dark:
            return np.broadcast_to(ambient, (*np.broadcast_shapes(np.shape(depth), np.shape(x)), 3))
        own = (self.headlights * beam(depth, x, self.beam_reach))[..., None] * np.array(self.beam_colour)
        if self.lamp_spacing > 0:
            pool = 0.5 + 0.5 * np.cos(2 * math.pi * np.asarray(s) / self.lamp_spacing)
            own = own + (self.lamp_power * pool**2)[..., None] * np.array(self.lamp_colour)
        return np.asarray(ambient + own)

    def clear_share(self, depth: ArrayLike) -> FloatArray:
        """How much of a thing at `depth` is seen through the haze, 0..1."""
        return np.exp(-np.asarray(depth, dtype=np.float64) / self.visibility)

    def seen(self, colour: Colour | FloatArray, depth: float, x: float, s: float) -> Colour:
        """The colour of a thing as it reaches the camera."""
        light = self.at(depth, x, s).tolist() if self.is_dark else self.ambient
        clear = math.exp(-depth / self.visibility)
        red, green, blue = (
            clear * float(value) * factor + (1 - clear) * haze
            for value, factor, haze in zip(colour, light, self.horizon, strict=True)
        )
        return red, green, blue


def beam(depth: ArrayLike, x: ArrayLike, reach: float = 22.0) -> FloatArray:
    """Brightness of low-beam headlights on the ground: two lobes that begin at the car and fade with distance."""
    ahead = np.asarray(depth, dtype=np.float64)
    along = np.clip((ahead - 2.5) / 4.0, 0.0, 1.0) / (1.0 + (ahead / reach) ** 2)
    spread = 1.1 + 0.16 * ahead
    lobes = sum(np.exp(-((np.asarray(x) - side) ** 2) / (2 * spread**2)) for side in (-0.6, 1.1))
    return np.asarray(0.55 * along * lobes)

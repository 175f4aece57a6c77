"""Draws what the sky does and the light that comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import Difficulty, Setting
from lanenet_sad.datasets.synthetic.draws import chance, choose, grey, tinted
from lanenet_sad.datasets.synthetic.light import Light

Weather = Literal["clear", "overcast", "shadow", "dazzle", "dusk", "fog", "rain", "snow", "night"]

_MIXED_WEATHER: dict[Weather, float] = {
    "clear": 0.27,
    "overcast": 0.17,
    "shadow": 0.1,
    "dazzle": 0.05,
    "dusk": 0.05,
    "fog": 0.04,
    "rain": 0.06,
    "snow": 0.025,
    "night": 0.235,
}

_SODIUM, _LED, _MERCURY = (1.0, 0.7, 0.36), (0.95, 1.0, 1.0), (0.78, 1.0, 0.88)
_HALOGEN, _XENON = (1.0, 0.92, 0.74), (0.9, 0.96, 1.0)


def draw_weather(rng: np.random.Generator, difficulty: Difficulty) -> Weather:
    """What the sky does."""
    if difficulty == "easy":
        return "clear" if chance(rng, 0.6) else "overcast"
    return choose(rng, tuple(_MIXED_WEATHER), tuple(_MIXED_WEATHER.values()))


def draw_light(rng: np.random.Generator, weather: Weather, setting: Setting) -> Light:
    """Light and air for a weather."""
    side = float(choose(rng, (-1, 1)) * rng.uniform(0.2, 1.2))
    blue = Light(
        sky=tinted(rng, (98.0, 142.0, 200.0), 0.1),
        horizon=tinted(rng, (198.0, 210.0, 222.0), 0.05),
        visibility=float(rng.uniform(500, 1500)),
        clouds=float(rng.uniform(0, 0.8)),
        sun=side,
        shadow=float(rng.uniform(0.3, 0.65)),
    )
    grey_sky = replace(blue, sky=grey(rng, 165, 205), horizon=grey(rng, 195, 225), clouds=0.9, shadow=0.05)
    if weather == "clear":
        return blue
    if weather == "shadow":
        return replace(blue, dapple=float(rng.uniform(0.35, 0.75)))
    if weather == "dazzle":
        low_sun = tinted(rng, (238.0, 224.0, 196.0), 0.04)
        return replace(blue, dazzle=float(rng.uniform(0.5, 1.0)), horizon=low_sun, wet=float(rng.uniform(0, 0.15)))
    if weather == "overcast":
        return grey_sky
    if weather == "fog":
        return replace(grey_sky, visibility=float(rng.uniform(35, 150)), shadow=0.0)
    if weather == "rain":
        return _draw_rain(rng, grey_sky)
    if weather == "snow":
        white = grey(rng, 175, 225, 0.02)
        air = float(rng.uniform(60, 260))
        return replace(grey_sky, sky=white, horizon=white, visibility=air, shadow=0.0, wet=float(rng.uniform(0, 0.25)))
    if weather == "dusk":
        dim = float(rng.uniform(0.4, 0.7))
        evening = replace(blue, ambient=(dim * 1.05, dim * 0.95, dim), sky=tinted(rng, (92.0, 96.0, 130.0), 0.1))
        glow = tinted(rng, choose(rng, ((196.0, 160.0, 140.0), (216.0, 140.0, 96.0), (150.0, 150.0, 172.0))), 0.08)
        return replace(evening, horizon=glow, shadow=0.0, headlights=0.12)
    return _draw_night(rng, setting, blue)


def _draw_rain(rng: np.random.Generator, grey_sky: Light) -> Light:
    rain = float(rng.uniform(0.0, 0.95))  # a shower may just have passed
    return replace(
        grey_sky,
        ambient=(0.72, 0.75, 0.8),
        sky=grey(rng, 95, 190),
        horizon=grey(rng, 150, 215),
        visibility=float(rng.uniform(80, 400)),
        wet=float(rng.uniform(0.1, 0.38)),
        rain=rain,
    )


def _draw_night(rng: np.random.Generator, setting: Setting, blue: Light) -> Light:
    place = choose(
        rng, ("lit", "dark", "tunnel"), {"city": (8, 1, 1), "highway": (4, 5, 1.2)}.get(setting, (1, 8, 0.6))
    )
    rainy = place != "tunnel" and chance(rng, 0.22)
    lamp = choose(rng, (_SODIUM, _LED, _MERCURY), (3, 3, 1))
    low, high = {"lit": (0.08, 0.28), "dark": (0.006, 0.06), "tunnel": (0.2, 0.5)}[place]
    strength = float(rng.uniform(low, high))
    cast = (np.asarray(lamp) if place != "dark" else np.array([0.85, 0.92, 1.1])) * rng.normal(1, 0.08, 3)
    red, green, blue_part = (float(value) for value in strength * np.clip(cast, 0.2, 1.5))
    sky = grey(rng, 3, 22, 0.15) if chance(rng, 0.75) else tinted(rng, (14.0, 20.0, 52.0), 0.2)
    return replace(
        blue,
        ambient=(red, green, blue_part),
        sky=sky,
        horizon=grey(rng, 8, 45, 0.2),
        visibility=float(rng.uniform(60, 250) if chance(rng, 0.1) else rng.uniform(400, 1500)),
        clouds=0.0,
        shadow=0.0,
        headlights=float(rng.uniform(0.05, 0.3) if place == "tunnel" else rng.uniform(0.4, 1.1)),
        beam_reach=float(rng.uniform(11, 45)),
        beam_colour=choose(rng, (_HALOGEN, _XENON)),
        lamp_spacing={"lit": float(rng.uniform(25, 45)), "dark": 0.0, "tunnel": float(rng.uniform(8, 20))}[place],
        lamp_colour=lamp,
        lamp_power=float(rng.uniform(0.1, 0.4)),
        ceiling=place == "tunnel",
        wet=float(rng.uniform(0.3, 0.7)) if rainy else 0.0,
        rain=float(rng.uniform(0.05, 0.7)) if rainy else 0.0,
    )

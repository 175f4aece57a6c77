"""Draws light, weather and the camera that takes the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.draws import chance, choose, grey, tinted
from lanenet_sad.datasets.synthetic.layouts import Difficulty, Setting
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.photo import Photo

Weather = Literal["clear", "overcast", "shadow", "dazzle", "dusk", "fog", "rain", "night"]

_MIXED_WEATHER: dict[Weather, float] = {
    "clear": 0.32,
    "overcast": 0.19,
    "shadow": 0.1,
    "dazzle": 0.04,
    "dusk": 0.05,
    "fog": 0.04,
    "rain": 0.05,
    "night": 0.21,
}


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
        shadow=float(rng.uniform(0.3, 0.6)),
    )
    grey_sky = replace(blue, sky=grey(rng, 165, 205), horizon=grey(rng, 195, 225), clouds=0.9, shadow=0.05)
    if weather == "clear":
        return blue
    if weather == "shadow":
        return replace(blue, dapple=float(rng.uniform(0.35, 0.7)))
    if weather == "dazzle":
        return replace(blue, dazzle=float(rng.uniform(0.5, 1.0)), horizon=tinted(rng, (238.0, 224.0, 196.0), 0.04))
    if weather == "overcast":
        return grey_sky
    if weather == "fog":
        return replace(grey_sky, visibility=float(rng.uniform(40, 150)), shadow=0.0)
    if weather == "rain":
        wet = float(rng.uniform(0.15, 0.4))
        rain = float(rng.uniform(0.2, 0.9))
        return replace(grey_sky, ambient=(0.72, 0.75, 0.8), visibility=float(rng.uniform(90, 350)), wet=wet, rain=rain)
    if weather == "dusk":
        dim = float(rng.uniform(0.4, 0.7))
        evening = replace(blue, ambient=(dim * 1.05, dim * 0.95, dim), sky=tinted(rng, (92.0, 96.0, 130.0), 0.1))
        return replace(evening, horizon=tinted(rng, (196.0, 160.0, 140.0), 0.08), shadow=0.0, headlights=0.12)
    return _draw_night(rng, setting, blue)


def _draw_night(rng: np.random.Generator, setting: Setting, blue: Light) -> Light:
    town = setting == "city" or (setting == "highway" and chance(rng, 0.4))
    ambient = rng.uniform(0.1, 0.26) if town else rng.uniform(0.02, 0.09)
    cast = rng.normal(1, 0.1, 3)
    rainy = chance(rng, 0.2)
    return replace(
        blue,
        ambient=(float(ambient * cast[0]), float(ambient * 0.95 * cast[1]), float(ambient * 0.85 * cast[2])),
        sky=grey(rng, 3, 22, 0.15),
        horizon=grey(rng, 10, 45, 0.15),
        clouds=0.0,
        shadow=0.0,
        headlights=float(rng.uniform(0.45, 1.0)),
        lamp_spacing=float(rng.uniform(25, 45)) if town else 0.0,
        wet=float(rng.uniform(0.3, 0.7)) if rainy else 0.0,
        rain=float(rng.uniform(0.1, 0.6)) if rainy else 0.0,
    )


def draw_camera(rng: np.random.Generator, image_size: tuple[int, int], difficulty: Difficulty) -> Camera:
    """A dashboard camera of unknown make, for pictures of any shape."""
    height, width = image_size
    if difficulty == "easy":
        focal = rng.uniform(0.75, 1.0) * width
        squeeze, shift, lens, roll = rng.uniform(0.95, 1.05), rng.normal(0, 0.015), rng.uniform(1.25, 1.7), 0.006
        horizon = rng.uniform(0.26, 0.42)
    else:
        focal = rng.uniform(0.5, 1.25) * width
        squeeze, shift, lens, roll = rng.uniform(0.75, 1.3), rng.normal(0, 0.04), rng.uniform(1.1, 2.2), 0.0175
        horizon = rng.uniform(-0.05, 0.1) if chance(rng, 0.12) else rng.uniform(0.1, 0.5)
    return Camera(
        image_size=image_size,
        focal_x=float(focal),
        focal_y=float(focal * squeeze),
        centre_x=float(width * (0.5 + np.clip(shift, -0.1, 0.1))),
        horizon=float(height * horizon),
        height=float(lens),
        roll=float(np.clip(rng.normal(0, roll), -0.06, 0.06)),
    )


def draw_photo(rng: np.random.Generator, weather: Weather, difficulty: Difficulty) -> Photo:
    """How the camera develops its pictures."""
    if difficulty == "easy":
        return Photo(
            brightness=float(rng.uniform(95, 130)),
            gamma=float(rng.uniform(0.95, 1.05)),
            contrast=float(rng.uniform(0.95, 1.15)),
            saturation=float(rng.uniform(0.85, 1.1)),
            white_balance=_draw_white_balance(rng, 0.025),
            vignetting=float(rng.uniform(0, 0.2)),
            blur=float(rng.uniform(0.1, 0.35)),
            noise=float(rng.uniform(0.5, 3)),
            jpeg_quality=int(rng.integers(80, 96)),
        )
    photo = Photo(
        brightness=float(rng.uniform(75, 145)),
        gamma=float(rng.uniform(0.85, 1.2)),
        contrast=float(rng.uniform(0.8, 1.35)),
        saturation=float(rng.uniform(0.4, 1.3)),
        white_balance=_draw_white_balance(rng, 0.05),
        vignetting=float(rng.uniform(0, 0.45)),
        blur=float(rng.uniform(0.1, 0.75)),
        motion=float(rng.uniform(0, 3)) if chance(rng, 0.15) else 0.0,
        sharpening=float(rng.uniform(0.2, 1.0)) if chance(rng, 0.3) else 0.0,
        noise=float(rng.uniform(0.5, 6)),
        jpeg_quality=int(rng.integers(40, 96)),
        bonnet=float(rng.uniform(0.03, 0.14) if chance(rng, 0.8) else rng.uniform(0.14, 0.35)) * chance(rng, 0.35),
        bonnet_shade=float(rng.uniform(0.03, 0.4)),
        reflection=float(rng.uniform(0.1, 0.5)) if chance(rng, 0.15) else 0.0,
        caption=_draw_caption(rng) if chance(rng, 0.2) else "",
        glass=int(rng.integers(1_000_000)),
    )
    if weather == "dusk":
        return replace(photo, brightness=float(rng.uniform(60, 105)), gain_limit=2.4)
    if weather == "night":
        return replace(
            photo,
            brightness=float(rng.uniform(35, 85)),
            gain_limit=float(rng.uniform(2.0, 4.5)),
            white_balance=_draw_white_balance(rng, 0.12),
            motion=float(rng.uniform(0, 3)) if chance(rng, 0.4) else 0.0,
            noise=float(rng.uniform(2, 10)),
            reflection=photo.reflection * 0.3,
        )
    return photo


def _draw_white_balance(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    red, green, blue = np.clip(rng.normal(1, spread, 3), 0.7, 1.3)
    return float(red), float(green), float(blue)


def _draw_caption(rng: np.random.Generator) -> str:
    day, month, hour, minute = rng.integers((1, 1, 0, 0), (29, 13, 24, 60))
    date = f"{2014 + int(rng.integers(12))}/{month:02d}/{day:02d} {hour:02d}:{minute:02d}:{int(rng.integers(60)):02d}"
    return f"{date} {int(rng.integers(20, 130))} KM/H" if chance(rng, 0.5) else date

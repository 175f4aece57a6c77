"""Draws the camera that takes the picture and what becomes of the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.camera import Border, Camera
from lanenet_sad.datasets.synthetic.compression import Compression, draw_compression
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import chance, choose
from lanenet_sad.datasets.synthetic.grading import Grading, draw_grading
from lanenet_sad.datasets.synthetic.overlay import draw_captions
from lanenet_sad.datasets.synthetic.photo import Photo
from lanenet_sad.datasets.synthetic.weather import Weather
from lanenet_sad.datasets.synthetic.windscreen import draw_windscreen

_LARGEST_TURN = 0.14  # 8 degrees


def draw_camera(rng: np.random.Generator, image_size: tuple[int, int], difficulty: Difficulty) -> Camera:
    """A dashboard camera of unknown make, for pictures of any shape."""
    height, width = image_size
    if difficulty == "easy":
        return Camera(
            image_size=image_size,
            focal_x=(focal := float(rng.uniform(0.75, 1.0) * width)),
            focal_y=focal * float(rng.uniform(0.95, 1.05)),
            centre_x=float(width * (0.5 + np.clip(rng.normal(0, 0.015), -0.1, 0.1))),
            horizon=float(height * rng.uniform(0.26, 0.42)),
            height=float(rng.uniform(1.25, 1.7)),
            roll=float(np.clip(rng.normal(0, 0.006), -0.06, 0.06)),
        )
    border = _draw_border(rng) if chance(rng, 0.28) else None
    blank = Camera(image_size, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, border)
    height, width = blank.window[2:]
    kind = choose(rng, ("whole", "cropped", "phone", "tall"), (0.68, 0.16, 0.08, 0.08))
    focal = width * rng.uniform(*{"phone": (1.1, 1.8)}.get(kind, (0.5, 1.25)))
    horizon = rng.uniform(*{"whole": (0.1, 0.5), "cropped": (-0.12, 0.1), "phone": (-0.45, 0.2)}.get(kind, (0.05, 0.6)))
    lens = rng.uniform(2.0, 3.0) if kind == "tall" else rng.uniform(1.0, 2.0)
    shift = np.clip(rng.normal(0, 0.045), -0.12, 0.12)
    return replace(
        blank,
        focal_x=float(focal),
        focal_y=float(focal * rng.uniform(0.72, 1.35)),
        centre_x=float(width * (0.5 + shift)),
        horizon=float(height * horizon),
        height=float(lens),
        roll=float(np.clip(rng.normal(0, 0.0175), -0.06, 0.06)),
    )


def _draw_border(rng: np.random.Generator) -> Border:
    """The wedges of a rotation, or the bars of a picture in a frame of another shape."""
    kind = choose(rng, ("wedges", "letterbox", "pillars", "all"), (5, 2.2, 1.6, 0.6))
    level = choose(rng, (0, int(rng.integers(1, 30)), int(rng.integers(100, 180))), (6, 2, 2))
    colour = (level, level, level)
    if kind == "wedges":
        turn = float(np.clip(rng.normal(0, 0.06), -_LARGEST_TURN, _LARGEST_TURN))
        return Border(turn=turn, colour=colour)
    upright, aside = float(rng.uniform(0.04, 0.16)), float(rng.uniform(0.03, 0.17))
    lower = upright * float(choose(rng, (1.0, 0.0, rng.uniform(0.3, 1.0)), (5, 1, 2)))
    rows = (upright, lower) if kind != "pillars" else (0.0, 0.0)
    columns = (aside, aside) if kind != "letterbox" else (0.0, 0.0)
    return Border(bars=(*rows, *columns), colour=colour)


def draw_photo(rng: np.random.Generator, weather: Weather, difficulty: Difficulty) -> Photo:
    """How the camera develops its pictures, through which glass, and how they are stored."""
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
            compression=Compression(quality=int(rng.integers(80, 96))),
        )
    photo = Photo(
        brightness=float(rng.uniform(90, 152) if chance(rng, 0.9) else rng.uniform(60, 90)),
        gain_limit=3.0,
        gamma=float(rng.uniform(0.85, 1.2)),
        contrast=float(rng.uniform(0.95, 1.7)),
        saturation=float(rng.uniform(0.5, 1.65)),
        white_balance=_draw_white_balance(rng, 0.05),
        vignetting=float(rng.uniform(0, 0.4)) * chance(rng, 0.7),
        blur=float(rng.uniform(0.0, 0.3) if chance(rng, 0.8) else rng.uniform(0.3, 0.6)),
        motion=float(rng.uniform(0, 3)) if chance(rng, 0.15) else 0.0,
        sharpening=float(rng.uniform(0.3, 2.2)) if chance(rng, 0.5) else 0.0,
        noise=float(rng.uniform(0.5, 8)),
        grain=float(rng.uniform(1.5, 5)) if chance(rng, 0.4) else 1.0,
        snowfall=float(rng.uniform(0.1, 1.0)) if weather == "snow" else 0.0,
        windscreen=draw_windscreen(rng, sunny=weather in ("clear", "shadow", "dazzle"), dark=weather == "night"),
        captions=draw_captions(rng) if chance(rng, 0.26) else (),
        grading=draw_grading(rng) if chance(rng, 0.25) else Grading(),
        compression=draw_compression(rng),
        glass=int(rng.integers(1_000_000)),
    )
    if weather == "dusk":
        return replace(photo, brightness=float(rng.uniform(60, 110)), gain_limit=2.6)
    if weather == "night":
        return replace(
            photo,
            brightness=float(rng.uniform(35, 90)),
            gain_limit=float(rng.uniform(1.6, 5.0)),
            contrast=float(rng.uniform(0.85, 1.9)),
            white_balance=_draw_white_balance(rng, 0.14),
            motion=float(rng.uniform(0, 4)) if chance(rng, 0.45) else 0.0,
            noise=float(rng.uniform(1, 10)),
        )
    return photo


def _draw_white_balance(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    """Colours err between orange and blue, and much less between green and magenta."""
    warm, green = rng.normal((-0.3 * spread, 0), (spread, spread / 4))
    red, green, blue = np.clip((1 + warm, 1 + green, 1 - warm), 0.6, 1.4)
    return float(red), float(green), float(blue)

"""Rain and snow between the camera and the road, and the drops that they leave on the glass."""

from __future__ import annotations

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import still_rng
from lanenet_sad.datasets.synthetic.textures import FloatImage
from lanenet_sad.lanes.lane import Image


def add_rain(image: Image, density: float, glass: int, rng: np.random.Generator) -> None:
    """Streaks in the air, anew in every frame, and drops on the windscreen, in place."""
    height, width = image.shape[:2]
    unit = width / 400
    streaks: Image = np.zeros((height, width), dtype=np.uint8)
    slant = rng.normal(0, 0.25)
    for _ in range(int(density * 120)):
        x, y, length = (float(v) for v in rng.uniform((0, -10, 4 * unit), (width, height, 14 * unit)))
        end = (int(x + slant * length), int(y + length))
        grey, thickness = int(rng.integers(30, 110)), max(1, round(0.6 * unit))
        cv2.line(streaks, (int(x), int(y)), end, (grey,), thickness, cv2.LINE_AA)
    still = still_rng(glass, 2)
    drops: Image = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(density * still.uniform(10, 90))):
        x, y, radius, cover = (float(v) for v in still.uniform((0, 0, 0.6, 70), (width, height, 4.5, 230)))
        long = still.uniform(1.0, 1.8)
        axes = (max(1, round(radius * unit)), max(1, round(long * radius * unit)))
        cv2.ellipse(drops, (int(x), int(y)), axes, 0, 0, 360, (int(cover),), -1, cv2.LINE_AA)
        if density > 0.5 and radius > 3.8:  # a drop that runs down
            cv2.line(drops, (int(x), int(y)), (int(x), int(y + 40 * unit)), (int(cover / 3),), axes[0])
    cover_map = cv2.GaussianBlur(drops, (0, 0), max(0.6 * unit, 0.3)).astype(np.float32)[..., None] / 255
    # A drop shows the scene upside down and small: blurred, with the bright sky at its lower rim.
    seen_through = _blurred(image, 4.0 * unit) * np.float32(1.05)
    sheen = np.roll(cover_map, max(1, round(unit)), axis=0) - cover_map
    mixed = image + cover_map * (seen_through - image) + 60 * sheen + 0.45 * streaks[..., None].astype(np.float32)
    image[...] = np.clip(mixed, 0, 255)


def add_snow(image: Image, density: float, rng: np.random.Generator) -> None:
    """Falling flakes, in place: many small ones, a few large and blurred near the lens."""
    height, width = image.shape[:2]
    unit = width / 400
    flakes: Image = np.zeros((height, width), dtype=np.uint8)
    slant = rng.normal(0, 0.4)
    for _ in range(int(density * 260)):
        x, y, size, grey = (float(v) for v in rng.uniform((0, 0, 0, 90), (width, height, 1, 235)))
        radius = (0.35 + 1.5 * size**5) * unit
        length = radius * rng.uniform(0.5, 5)
        end = (int(x + slant * length), int(y + length))
        cv2.line(flakes, (int(x), int(y)), end, (int(grey),), max(1, round(2 * radius)), cv2.LINE_AA)
    soft = cv2.GaussianBlur(flakes, (0, 0), max(0.7 * unit, 0.4)).astype(np.float32)[..., None] / 255
    image[...] = np.clip(image + soft * (np.float32(238) - image), 0, 255)


def _blurred(image: Image, deviation: float) -> FloatImage:
    """A wide blur, computed at a quarter of the size."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(2, width // 4), max(2, height // 4)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(deviation / 4, 0.3))
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)

"""Lamps, the low sun and the wet road: light that reaches the lens as glare or as a reflection."""

from __future__ import annotations

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.shapes import Lamps
from lanenet_sad.datasets.synthetic.textures import FloatImage
from lanenet_sad.lanes.lane import Image


def shine(canvas: Image, lamps: Lamps, rain: float) -> None:
    """Adds lamps with their glare to the canvas in place.

    Rain widens the glare and lets the wet road carry the lamps towards the camera as long streaks.
    """
    if not lamps.points:
        return
    height, width = canvas.shape[:2]
    scale = max(1, width // 400)
    small = np.zeros((height // scale + 1, width // scale + 1, 3), dtype=np.float32)
    streaks = np.zeros_like(small)
    for column, row, radius, colour, brightness in lamps.points:
        middle = (round(column / scale * 16), round(row / scale * 16))
        if abs(middle[0]) < 1 << 20 and abs(middle[1]) < 1 << 20:
            shown = tuple(brightness * value for value in colour)
            cv2.circle(small, middle, max(round(radius / scale * 16), 10), shown, -1, cv2.LINE_8, 4)
            if rain > 0:
                _add_streak(streaks, (middle[0] / 16, middle[1] / 16), radius / scale, shown)
    near = cv2.GaussianBlur(small, (0, 0), 2.0 + 2.0 * rain)
    wide = cv2.GaussianBlur(cv2.resize(small, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), 5.0)
    glow = small + 1.3 * near + 2.0 * cv2.resize(wide, (small.shape[1], small.shape[0]))
    if rain > 0:
        glow += cv2.GaussianBlur(streaks, (0, 0), sigmaX=1.2, sigmaY=4.0)
    full = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR) if scale > 1 else glow[:height, :width]
    canvas[...] = np.clip(canvas + full, 0, 255)


def _add_streak(layer: FloatImage, lamp: tuple[float, float], radius: float, colour: tuple[float, ...]) -> None:
    """The reflection of a lamp on a wet road: a column of light below it."""
    column, row = lamp
    rows = layer.shape[0]
    top, bottom = row + 0.04 * rows, row + (0.18 + 0.02 * radius) * rows
    if not (0 <= column < layer.shape[1] and top < rows):
        return
    dim = tuple(0.4 * value for value in colour)
    cv2.line(layer, (int(column), int(top)), (int(column), int(bottom)), dim, max(1, round(1.4 * radius)))


def mirror_wet(canvas: Image, first_row: int, wet: float) -> None:
    """Lays a blurred mirror image of what stands above the road onto the wet road, in place."""
    rows = canvas.shape[0] - first_row
    if wet <= 0 or first_row < 4 or rows < 4:
        return
    above = canvas[max(0, first_row - rows) : first_row][::-1]
    small = cv2.resize(above, (max(8, above.shape[1] // 4), max(4, above.shape[0] // 4)), interpolation=cv2.INTER_AREA)
    smeared = cv2.GaussianBlur(small, (0, 0), sigmaX=0.8, sigmaY=max(1.0, small.shape[0] / 6))
    mirrored = cv2.resize(smeared, (canvas.shape[1], rows), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    ground = canvas[first_row:]
    fall = np.linspace(1.0, 0.35, rows, dtype=np.float32)[:, None, None] * np.float32(wet)
    ground[...] = np.clip(ground * (1 - 0.6 * fall) + mirrored * fall, 0, 255)


def dazzle(canvas: Image, column: float, row: float, strength: float) -> None:
    """The veil of a low sun at a canvas pixel and its path of light on the road, in place."""
    height, width = canvas.shape[:2]
    step = 4  # the veil is smooth: computed coarsely
    y = np.arange(0, height + step, step, dtype=np.float32)[:, None]
    x = np.arange(0, width + step, step, dtype=np.float32)[None, :]
    aside = (x - np.float32(column)) / np.float32(width)
    below = (y - np.float32(row)) / np.float32(width)
    distance = np.hypot(aside, below)
    veil = strength * (np.exp(-((distance / 0.06) ** 2)) + 0.45 * np.exp(-distance / 0.25))
    path = np.exp(-((aside / (0.035 + 0.22 * np.maximum(below, 0))) ** 2)) * np.clip(below / 0.05 - 1, 0, 1)
    veil += 0.4 * strength * path * np.exp(-np.maximum(below, 0) / 0.3)
    smooth = cv2.resize(np.minimum(veil, 1.0), None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
    warm = np.array([255.0, 246.0, 225.0], dtype=np.float32)
    canvas[...] = canvas + (smooth[:height, :width, None] * (warm - canvas)).astype(np.float32)

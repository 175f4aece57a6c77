"""Colour grading: what filters, editors and augmentations did to a picture after it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import choose
from lanenet_sad.datasets.synthetic.light import LUMA
from lanenet_sad.datasets.synthetic.view import FloatArray
from lanenet_sad.lanes.lane import Image

_DARKEST, _BRIGHTEST = 9.0, 222.0

Look = Literal["none", "blue", "orange", "green", "sepia", "grey", "hdr", "haze", "dark", "bleached", "posterised"]

_LOOKS: dict[Look, float] = {
    "blue": 2.0,
    "orange": 1.6,
    "green": 1.0,
    "sepia": 0.6,
    "grey": 0.6,
    "hdr": 3.0,
    "haze": 2.0,
    "dark": 2.0,
    "bleached": 1.0,
    "posterised": 1.2,
}


@dataclass(frozen=True)
class Grading:
    """A look that the whole picture has.

    Attributes:
        look: which one.
        strength: 0..1.
    """

    look: Look = "none"
    strength: float = 0.5


def draw_grading(rng: np.random.Generator) -> Grading:
    """Any look but none."""
    return Grading(choose(rng, tuple(_LOOKS), tuple(_LOOKS.values())), float(rng.uniform(0, 1)))


def grade(picture: Image, grading: Grading) -> Image:
    """The graded picture; one that would come out black or white is brought back to where a road can be seen."""
    if grading.look == "none":
        return picture
    graded = picture
    if grading.look == "hdr":
        graded = _local_contrast(graded, 0.5 + grading.strength)
    gains, saturation = _casts(grading)
    graded = _recolour(graded, gains, saturation)
    graded = np.asarray(cv2.LUT(graded, _curve(grading)), dtype=np.uint8)
    return _keep_visible(graded)


def saturation_mix(saturation: float) -> FloatArray:
    """(3, 3) what makes of a colour its own grey (0), itself (1) or a more colourful one."""
    return np.asarray(saturation * np.eye(3) + (1 - saturation) * LUMA)


def _casts(grading: Grading) -> tuple[tuple[float, float, float], float]:
    """RGB gains and the saturation of a look."""
    far = 0.3 + 0.7 * grading.strength
    casts: dict[Look, tuple[tuple[float, float, float], float]] = {
        "blue": ((1 - 0.42 * far, 1 - 0.12 * far, 1 + 0.3 * far), 1 + 0.4 * far),
        "orange": ((1 + 0.28 * far, 1 - 0.08 * far, 1 - 0.5 * far), 1 + 0.5 * far),
        "green": ((1 - 0.25 * far, 1 + 0.12 * far, 1 - 0.2 * far), 1.0),
        "sepia": ((1.12, 0.96, 0.68), 0.15),
        "grey": ((1.0, 1.0, 1.0), 0.0),
        "hdr": ((1.0, 1.0, 1.0), 1.3 + 1.1 * far),
        "haze": ((0.98, 1.0, 1.03), 1 - 0.6 * far),
        "dark": ((1.0, 1.0, 1.0 + 0.6 * far * (grading.strength > 0.6)), 1.0),
        "bleached": ((1.0, 1.0, 1.04), 1 - 0.4 * far),
        "posterised": ((1.0, 1.0, 1.0), 1.6),
    }
    return casts.get(grading.look, ((1.0, 1.0, 1.0), 1.0))


def _recolour(picture: Image, gains: tuple[float, float, float], saturation: float) -> Image:
    mix = np.asarray(gains)[:, None] * saturation_mix(saturation)
    return np.asarray(cv2.transform(picture, mix.astype(np.float32)), dtype=np.uint8)


def _curve(grading: Grading) -> Image:
    """The tone curve of a look as a table, (1, 256) uint8."""
    levels = np.arange(256, dtype=np.float64)
    far = grading.strength
    if grading.look in ("hdr", "orange"):
        levels = (levels - 118) * (1.25 + 0.45 * far) + 118
    elif grading.look == "haze":
        lift = 70 + 70 * far
        levels = lift + levels * (225 - lift) / 255
    elif grading.look == "dark":
        levels = levels * (0.5 - 0.22 * far)
    elif grading.look == "bleached":
        levels = 255 * (1 - np.exp(-(60 + 60 * far + 0.9 * levels) / 120))
    elif grading.look == "posterised":
        width = 10 + 22 * far
        levels = np.round(levels / width) * width
    elif grading.look == "blue":
        levels = levels * (1.05 - 0.35 * far)
    return np.clip(levels, 0, 255).astype(np.uint8)[None]


def _local_contrast(picture: Image, strength: float) -> Image:
    """Lifts details against their wide surroundings, as tone mapping does; its halos belong to it."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(2, width // 8), max(2, height // 8)), interpolation=cv2.INTER_AREA)
    around = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.addWeighted(picture, 1 + strength, around, -strength, 18 * strength), dtype=np.uint8)


def _keep_visible(picture: Image) -> Image:
    mean = float(picture[::4, ::4].mean())
    if _DARKEST <= mean <= _BRIGHTEST:
        return picture
    levels = np.arange(256, dtype=np.float64)
    levels *= (_DARKEST if mean < _DARKEST else _BRIGHTEST) / max(mean, 0.5)
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)[None]), dtype=np.uint8)

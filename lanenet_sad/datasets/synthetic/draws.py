"""Random draws that the parts of a scene share, and the seeding that makes a scene a function of (seed, index)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

from lanenet_sad.datasets.synthetic.road import Colour

T = TypeVar("T")


def scene_rng(seed: int, index: int, *stream: int) -> np.random.Generator:
    """The generator of one scene, independent of every other scene and of the order in which they are drawn.

    Args:
        seed: of the whole set; 0 or more.
        index: of the scene; 0 or more.
        stream: further numbers that set apart uses within a scene, such as the frame of a drive.

    Raises:
        ValueError: a number is negative.
    """
    if min(seed, index, *stream, 0) < 0:
        raise ValueError(f"Synthetic scene: expected seed and index of 0 or more, got seed {seed} and index {index}.")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index, *stream])))


def choose(rng: np.random.Generator, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of `items`, with probabilities in proportion to `weights`."""
    if weights is None:
        return items[int(rng.integers(len(items)))]
    drawn = rng.uniform() * sum(weights)
    for item, bound in zip(items, accumulate(weights), strict=True):
        if drawn < bound:
            return item
    return items[-1]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.uniform() < probability)


def tinted(rng: np.random.Generator, colour: Colour, spread: float = 0.08) -> Colour:
    """A colour near the given one: another brightness, and a little another hue."""
    brightness = rng.normal(1, spread)
    red, green, blue = np.clip(np.asarray(colour) * brightness * rng.normal(1, spread / 3, 3), 0, 255)
    return float(red), float(green), float(blue)


def grey(rng: np.random.Generator, low: float, high: float, spread: float = 0.03) -> Colour:
    """A grey between two levels with a slight cast."""
    red, green, blue = np.clip(rng.uniform(low, high) * rng.normal(1, spread, 3), 0, 255)
    return float(red), float(green), float(blue)


def still_rng(glass: int, use: int) -> np.random.Generator:
    """The generator of what stays the same during a drive, for one `use` of the windscreen's number `glass`."""
    return np.random.Generator(np.random.PCG64([glass, use]))

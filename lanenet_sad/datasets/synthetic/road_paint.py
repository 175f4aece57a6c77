"""Paint on the road that is no lane line: arrows, letters, crossings, stop lines, hatching, parking bays."""

from __future__ import annotations

import math

import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance, choose
from lanenet_sad.datasets.synthetic.markings import Knots, follow
from lanenet_sad.datasets.synthetic.road import Colour, Patch

# Letters as bars of (left, right, near, far) in a unit square; as in road paint they are stretched along the road.
_LETTERS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "B": ((0, 0.2, 0, 1), (0.2, 0.9, 0, 0.12), (0.2, 0.8, 0.44, 0.56), (0.2, 0.9, 0.88, 1), (0.8, 1, 0.1, 0.9)),
    "E": ((0, 0.2, 0, 1), (0.2, 1, 0, 0.12), (0.2, 0.8, 0.44, 0.56), (0.2, 1, 0.88, 1)),
    "L": ((0, 0.2, 0, 1), (0.2, 1, 0, 0.12)),
    "O": ((0, 0.2, 0, 1), (0.8, 1, 0, 1), (0.2, 0.8, 0, 0.12), (0.2, 0.8, 0.88, 1)),
    "P": ((0, 0.2, 0, 1), (0.2, 0.9, 0.88, 1), (0.2, 0.9, 0.44, 0.56), (0.8, 1, 0.5, 1)),
    "S": ((0, 1, 0, 0.12), (0.8, 1, 0.1, 0.5), (0, 1, 0.44, 0.56), (0, 0.2, 0.5, 0.9), (0, 1, 0.88, 1)),
    "T": ((0.4, 0.6, 0, 0.9), (0, 1, 0.88, 1)),
    "U": ((0, 0.2, 0, 1), (0.8, 1, 0, 1), (0.2, 0.8, 0, 0.12)),
    "3": ((0.8, 1, 0, 1), (0, 1, 0, 0.12), (0.2, 0.8, 0.44, 0.56), (0, 1, 0.88, 1)),
    "5": ((0, 1, 0, 0.12), (0.8, 1, 0.1, 0.5), (0, 1, 0.44, 0.56), (0, 0.2, 0.5, 0.9), (0, 1, 0.88, 1)),
    "0": ((0, 0.2, 0, 1), (0.8, 1, 0, 1), (0.2, 0.8, 0, 0.12), (0.2, 0.8, 0.88, 1)),
}
_WORDS = ("BUS", "STOP", "SLO", "30", "50", "TO", "BUS")


def arrow(s: float, lateral: float, colour: Colour, *, length: float = 5.0, turn: int = 0) -> tuple[Patch, ...]:
    """A painted arrow that points ahead (`turn` 0), to the left (-1) or to the right (1)."""
    shaft = s + 0.6 * length
    stem = Patch((s, shaft), (lateral - 0.08, lateral + 0.08), colour)
    if turn == 0:
        head = (lateral - 0.35, lateral + 0.35)
        return stem, Patch((shaft, s + length), head, colour, lateral_end=(lateral, lateral), is_arrow=True)
    tip, foot = lateral + 0.75 * turn, lateral + 0.25 * turn
    arm = (min(lateral, foot), max(lateral, foot))
    middle = shaft + 0.1 * length
    first = (min(foot, tip), max(foot, tip))
    return (
        stem,
        Patch((shaft, shaft + 0.2 * length), arm, colour),
        Patch((middle, middle + 0.22 * length), first, colour, lateral_end=(foot, foot), is_arrow=True),
        Patch((middle - 0.22 * length, middle), (foot, foot), colour, lateral_end=first, is_arrow=True),
    )


def crossing(s: float, left: float, right: float, colour: Colour, *, bar: float = 0.5) -> tuple[Patch, ...]:
    """A zebra crossing: bars along the road, as far apart as they are wide."""
    count = max(1, math.floor((right - left) / (2 * bar)))
    return tuple(
        Patch((s, s + 3.5), (left + bar * (2 * i + 0.5), left + bar * (2 * i + 1.5)), colour) for i in range(count)
    )


def draw_lettering(rng: np.random.Generator, s: float, lateral: float, colour: Colour) -> tuple[Patch, ...]:
    """A word or a number in one lane, to be read by who drives over it."""
    word = choose(rng, _WORDS)
    length, size = float(rng.uniform(2.0, 5.0)), float(rng.uniform(0.4, 0.65))
    pitch = 1.3 * size
    left = lateral - pitch * len(word) / 2
    strength = float(rng.uniform(0.5, 0.9))
    return tuple(
        Patch(
            (s + low * length, s + high * length),
            (left + number * pitch + size * a, left + number * pitch + size * b),
            colour,
            strength,
        )
        for number, letter in enumerate(word)
        for a, b, low, high in _LETTERS[letter]
    )


def chevrons(s: float, lateral: float, colour: Colour, *, count: int, width: float = 1.6) -> tuple[Patch, ...]:
    """Arrow heads one after the other, as before bends and on lanes with too fast traffic."""
    patches: list[Patch] = []
    for number in range(count):
        start = s + 12.0 * number
        for side in (-1, 1):
            far, near = lateral, lateral + side * width / 2
            at = tuple(sorted((near, near - side * 0.3)))
            end = tuple(sorted((far, far - side * 0.3)))
            patches.append(Patch((start, start + 2.0), (at[0], at[1]), colour, 0.8, (end[0], end[1])))
    return tuple(patches)


def hatching(
    rng: np.random.Generator,
    span: tuple[float, float],
    left: tuple[float, Knots],
    right: tuple[float, Knots],
    colour: Colour,
) -> tuple[Patch, ...]:
    """Slanting or straight bars between two lines, each given by its offset and its drift along the road."""
    spacing = float(choose(rng, (2.0, 3.0, 5.0, 8.0)))
    thick = float(rng.uniform(0.4, 1.0)) * min(1.0, spacing / 3)
    slant = float(choose(rng, (0.0, 1.0, -1.0)) * rng.uniform(0.4, 1.0))
    strength = float(rng.uniform(0.5, 0.9))
    bars: list[Patch] = []
    for at in np.arange(span[0], span[1], spacing)[:40]:
        place = np.array([at])
        low, high = left[0] + float(follow(left[1], place)[0]), right[0] + float(follow(right[1], place)[0])
        if high - low < 0.4:
            continue
        if slant == 0:
            bars.append(Patch((float(at), float(at) + thick), (low, high), colour, strength))
            continue
        bars += _slanting_bar(float(at), low, high, thick, slant, colour, strength)
    return tuple(bars)


def _slanting_bar(
    s: float, low: float, high: float, thick: float, slant: float, colour: Colour, strength: float
) -> list[Patch]:
    """A bar across, as a parallelogram that advances along the road by `1 / slant` metres per metre to the side."""
    width = high - low
    length = width / abs(slant) + thick
    reach = min(thick * abs(slant), width)
    near, far = ((low, low + reach), (high - reach, high)) if slant > 0 else ((high - reach, high), (low, low + reach))
    return [Patch((s, s + length), near, colour, strength, far)]


def draw_parking_bays(rng: np.random.Generator, edge: float, outward: int, travel: float) -> tuple[Patch, ...]:
    """The lines between the places of a car park, across the direction of travel."""
    colour: Colour = (226.0, 226.0, 220.0) if chance(rng, 0.8) else (220.0, 170.0, 50.0)
    width, strength = float(rng.uniform(0.09, 0.13)), float(rng.uniform(0.4, 0.9))
    ends = sorted((edge, edge + outward * 5.0))
    return tuple(
        Patch((float(at), float(at) + width), (ends[0], ends[1]), colour, strength)
        for at in np.arange(float(rng.uniform(0, 2.6)), 60 + travel, 2.6)
    )

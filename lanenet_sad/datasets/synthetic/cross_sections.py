"""What lies across a road: its lanes, shoulders, asphalt and ground, and what stands at its edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance, choose, grey, tinted
from lanenet_sad.datasets.synthetic.markings import Marking
from lanenet_sad.datasets.synthetic.road import Band, Barrier, Colour, Patch

Difficulty = Literal["easy", "mixed"]
Setting = Literal["rural", "highway", "city"]

_RAIL: Colour = (148.0, 152.0, 156.0)


@dataclass(frozen=True)
class Lanes:
    """The lanes of the ego's carriageway, the ego lane in the middle of the coordinate.

    Attributes:
        width: of every lane in metres.
        left: number of lanes left of the ego lane.
        right: number of lanes right of it.
        oncoming: how many of those on the left carry oncoming traffic.
        median: metres between the lines that part the two directions; 0 for one line.
    """

    width: float
    left: int
    right: int
    oncoming: int
    median: float = 0.0

    def boundaries(self) -> list[float]:
        """Lateral positions of all lane borders, left to right; the median is left of the `oncoming`th."""
        return [
            (i - self.left - 0.5) * self.width - (self.median if i < self.oncoming else 0.0)
            for i in range(self.left + self.right + 2)
        ]

    def middles(self) -> list[float]:
        """Lateral positions of the middles of all lanes, left to right."""
        return [
            (i - self.left) * self.width - (self.median if i < self.oncoming else 0.0)
            for i in range(self.left + self.right + 1)
        ]


@dataclass(frozen=True)
class CrossSection:
    """A road from side to side, as its parts are drawn one after the other.

    Attributes:
        lanes: its lanes.
        edges: lateral positions of the left and right edge of the asphalt.
        asphalt: its colour.
        bands: the ground, later ones over earlier ones; `surface` is among them.
        surface: the asphalt of the ego's carriageway.
        markings: paint along the road.
        barriers: what stands along it.
        covers: what lies on the paint.
        patches: other flat things.
        room_right: metres beyond the right edge into which the road widens or branches off.
        is_paved: whether it is asphalt or concrete, not earth or gravel.
    """

    lanes: Lanes
    edges: tuple[float, float]
    asphalt: Colour
    bands: tuple[Band, ...]
    surface: Band
    markings: tuple[Marking, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    covers: tuple[Band, ...] = ()
    patches: tuple[Patch, ...] = ()
    room_right: float = 0.0
    is_paved: bool = True

    def with_surface(self, surface: Band) -> CrossSection:
        """The same with another asphalt in the old one's place."""
        bands = tuple(surface if band is self.surface else band for band in self.bands)
        return replace(self, bands=bands, surface=surface)


def draw_lanes(rng: np.random.Generator, setting: Setting, difficulty: Difficulty) -> Lanes:
    """How many lanes there are, how wide, and where the ego car is among them."""
    width = float(rng.uniform(3.2, 3.8) if difficulty == "easy" else rng.uniform(2.7, 4.1))
    if setting == "rural":
        if difficulty == "easy":
            return Lanes(width, 1, 0, 1)
        shape = choose(rng, ("two", "one", "narrow", "passing"), (0.74, 0.07, 0.1, 0.09))
        if shape == "one":
            return Lanes(width, 0, 0, 0)
        if shape == "narrow":
            return Lanes(float(rng.uniform(2.3, 2.8)), 1, 0, 1)
        if shape == "passing":
            own = int(rng.integers(2))
            return Lanes(width, 1 + own, 1 - own, 1)
        return Lanes(width, 1, 0, 1, float(rng.uniform(0.5, 2.0)) if chance(rng, 0.06) else 0.0)
    if setting == "highway":
        count = choose(rng, (2, 3, 4, 5, 6), (4, 4, 2, 0.7, 0.4 if difficulty == "mixed" else 0))
        position = int(rng.integers(count))
        return Lanes(width, position, count - 1 - position, 0)
    own = choose(rng, (1, 2, 3), (3, 3, 1))
    oncoming = choose(rng, (0, 1, 2), (2, 3, 1))
    position = int(rng.integers(own))
    median = float(rng.uniform(0.6, 3.0)) if oncoming and chance(rng, 0.1) else 0.0
    return Lanes(min(width, 3.5), position + oncoming, own - 1 - position, oncoming, median)


def draw_cross_section(
    rng: np.random.Generator, setting: Setting, difficulty: Difficulty, lanes: Lanes
) -> CrossSection:
    """The ground from side to side and what stands at the edges; no paint yet."""
    borders = lanes.boundaries()
    shoulder_left, shoulder_right = _draw_shoulders(rng, setting, lanes)
    edges = (borders[0] - shoulder_left, borders[-1] + shoulder_right)
    asphalt = draw_asphalt(rng, difficulty)
    road = Band(
        edges[0], edges[1], asphalt, grain=float(rng.uniform(0.03, 0.1)), patches=float(rng.uniform(0.02, 0.08))
    )
    if difficulty == "mixed" and setting == "rural" and chance(rng, 0.5):
        road = replace(road, ragged=float(rng.uniform(0.02, 0.2)))
    tracks = _draw_tracks(rng, lanes, road)
    if setting == "city":
        pavement = Band(edges[0] - 4.0, edges[1] + 4.0, grey(rng, 110, 170), grain=0.06, patches=0.08)
        return CrossSection(lanes, edges, asphalt, (pavement, road, *tracks), road, barriers=_draw_kerbs(rng, edges))
    gravel_width = float(rng.uniform(0.3, 2.2)) if difficulty == "mixed" else 0.8
    gravel = Band(
        edges[0] - gravel_width,
        edges[1] + gravel_width,
        tinted(rng, (128.0, 118.0, 100.0), 0.1),
        grain=0.2,
        patches=0.2,
        softness=float(rng.uniform(0, 0.5)),
    )
    bands = (gravel, road, *tracks)
    if setting == "rural":
        rails = [draw_barrier(rng, edge, sign) for edge, sign in zip(edges, (-1, 1), strict=True) if chance(rng, 0.18)]
        return CrossSection(lanes, edges, asphalt, bands, road, barriers=tuple(rails))
    return _with_opposite(rng, difficulty, CrossSection(lanes, edges, asphalt, bands, road))


def draw_asphalt(rng: np.random.Generator, difficulty: Difficulty) -> Colour:
    """Asphalt worn grey, nearly black and fresh, reddish or bluish, or concrete."""
    if difficulty == "easy":
        return tinted(rng, (166.0, 158.0, 144.0), 0.08) if chance(rng, 0.15) else grey(rng, 72, 138, 0.025)
    kind = choose(rng, ("worn", "fresh", "concrete", "red", "blue", "pale"), (0.56, 0.12, 0.13, 0.05, 0.07, 0.07))
    if kind == "worn":
        return grey(rng, 70, 138, 0.03)
    if kind == "fresh":
        return grey(rng, 48, 72, 0.03)
    if kind == "pale":
        return grey(rng, 135, 172, 0.03)
    middle: Colour = {"concrete": (168.0, 160.0, 146.0), "red": (136.0, 110.0, 98.0), "blue": (94.0, 102.0, 120.0)}[
        kind
    ]
    return tinted(rng, middle, 0.09)


def draw_barrier(rng: np.random.Generator, edge: float, outward: int) -> Barrier:
    """A guard rail or a concrete wall a little beyond an edge of the asphalt, with its shadow."""
    offset = edge + outward * float(rng.uniform(0.1, 0.7))
    shadow = float(rng.uniform(-1.2, 1.2))
    if chance(rng, 0.6):
        return Barrier(offset, 0.45, 0.78, tinted(rng, _RAIL, 0.1), post_spacing=4.0, shadow=0.3 * shadow)
    stripe = grey(rng, 190, 230) if chance(rng, 0.2) else None
    return Barrier(offset, 0.0, float(rng.uniform(0.7, 1.1)), grey(rng, 120, 185), stripe=stripe, shadow=shadow)


def _draw_kerbs(rng: np.random.Generator, edges: tuple[float, float]) -> tuple[Barrier, ...]:
    """Kerb stones, some painted white or yellow or in blocks of black and white."""
    paint = choose(rng, ("none", "white", "yellow", "blocks", "yellow blocks"), (0.66, 0.1, 0.08, 0.1, 0.06))
    stripe = None
    if paint != "none":
        stripe = tinted(rng, (218.0, 164.0, 44.0), 0.08) if "yellow" in paint else grey(rng, 190, 225)
    height, stone = float(rng.uniform(0.1, 0.2)), grey(rng, 120, 180)
    blocks = float(rng.uniform(0.5, 1.2)) if "blocks" in paint else 0.0
    shadow = float(rng.uniform(-0.2, 0.2))
    return tuple(Barrier(edge, 0.0, height, stone, stripe=stripe, shadow=shadow, blocks=blocks) for edge in edges)


def _draw_shoulders(rng: np.random.Generator, setting: Setting, lanes: Lanes) -> tuple[float, float]:
    """Metres of asphalt beyond the outermost lane borders on the left and on the right."""
    if setting == "highway":
        return float(rng.uniform(0.3, 1.8)), float(rng.uniform(0.5, 3.2))
    if setting == "city":
        parking = 2.2 if chance(rng, 0.35) else 0.0
        left = float(rng.uniform(0.1, 0.5)) + (parking if lanes.oncoming or chance(rng, 0.5) else 0.0)
        return left, float(rng.uniform(0.1, 0.5)) + parking
    both = rng.uniform(0.15, 1.0)
    return float(both), float(both * rng.uniform(0.8, 1.3))


def _with_opposite(rng: np.random.Generator, difficulty: Difficulty, section: CrossSection) -> CrossSection:
    """A highway's other carriageway, with lines of its own that are not labelled, and the barriers between."""
    edges, road = section.edges, section.surface
    other = edges[0] - float(rng.uniform(1.5, 9.0))
    opposite = replace(road, left=other - float(rng.uniform(8, 14)), right=other)
    barriers = [draw_barrier(rng, edges[0], -1)] if difficulty == "mixed" or chance(rng, 0.5) else []
    if chance(rng, 0.4):
        barriers.append(draw_barrier(rng, edges[1], 1))
    return replace(section, bands=(opposite, *section.bands), barriers=tuple(barriers))


def _draw_tracks(rng: np.random.Generator, lanes: Lanes, road: Band) -> list[Band]:
    """Stretches that wheels have polished or darkened in every lane."""
    change = float(rng.uniform(0.88, 1.1))
    colour = (road.colour[0] * change, road.colour[1] * change, road.colour[2] * change)
    apart, width = 0.78, float(rng.uniform(0.25, 0.5))
    return [
        replace(
            road,
            left=middle + side * apart - width,
            right=middle + side * apart + width,
            colour=colour,
            softness=0.35,
            ragged=0.0,
        )
        for middle in lanes.middles()
        for side in (-1, 1)
    ]

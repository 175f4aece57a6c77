"""Draws roads: how many lanes, how they are marked, what borders them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance, choose, grey, tinted
from lanenet_sad.datasets.synthetic.markings import WHITE, YELLOW, Marking, Stripe
from lanenet_sad.datasets.synthetic.road import Alignment, Band, Barrier, Colour, Road

Difficulty = Literal["easy", "mixed"]
Setting = Literal["rural", "highway", "city"]

_DASHES = ((3.0, 9.0), (6.0, 9.0), (4.0, 8.0), (3.0, 6.0), (3.0, 4.5), (6.0, 12.0), (2.0, 4.0))
_VERGES: tuple[Colour, ...] = ((84, 104, 52), (104, 112, 62), (140, 124, 78), (122, 108, 84), (66, 88, 50))
_SNOW: Colour = (214.0, 220.0, 228.0)
_RAIL: Colour = (148.0, 152.0, 156.0)


@dataclass(frozen=True)
class _Lanes:
    """The lanes of the ego's carriageway, the ego lane in the middle of the coordinate."""

    width: float
    left: int
    right: int
    oncoming: int

    def boundaries(self) -> list[float]:
        """Lateral positions of all lane borders, left to right."""
        return [(i - self.left - 0.5) * self.width for i in range(self.left + self.right + 2)]


def draw_setting(rng: np.random.Generator, difficulty: Difficulty) -> Setting:
    """Where the road is."""
    weights = (0.5, 0.5, 0.0) if difficulty == "easy" else (0.38, 0.36, 0.26)
    settings: tuple[Setting, ...] = ("rural", "highway", "city")
    return choose(rng, settings, weights)


def draw_road(rng: np.random.Generator, setting: Setting, difficulty: Difficulty, *, snowy: bool = False) -> Road:
    """A road for right-hand traffic; a scene that is mirrored as a whole shows left-hand traffic."""
    lanes = _draw_lanes(rng, setting, difficulty)
    borders = lanes.boundaries()
    shoulder_left, shoulder_right = _draw_shoulders(rng, setting, lanes)
    edges = (borders[0] - shoulder_left, borders[-1] + shoulder_right)
    asphalt = _draw_asphalt(rng)
    verge_colour = _SNOW if snowy else tinted(rng, choose(rng, _VERGES), 0.12)
    markings = _draw_markings(rng, setting, difficulty, lanes)
    if difficulty == "mixed":
        markings += _draw_seams(rng, edges, asphalt)
    bands, barriers = _draw_borders(rng, setting, difficulty, lanes, edges, asphalt)
    return Road(
        alignment=_draw_alignment(rng, setting, difficulty),
        verge=Band(-1e9, 1e9, verge_colour, grain=float(rng.uniform(0.12, 0.3)), patches=float(rng.uniform(0.1, 0.3))),
        bands=tuple(bands),
        markings=tuple(markings),
        barriers=tuple(barriers),
        edges=edges,
        lane_width=lanes.width,
        lanes_left=lanes.left,
        lanes_right=lanes.right,
        oncoming_left=lanes.oncoming,
        texture_start=float(rng.uniform(0, 500)),
    )


def _draw_lanes(rng: np.random.Generator, setting: Setting, difficulty: Difficulty) -> _Lanes:
    width = rng.uniform(3.2, 3.8) if difficulty == "easy" else rng.uniform(2.7, 4.1)
    if setting == "rural":
        if difficulty == "mixed" and chance(rng, 0.08):
            return _Lanes(width, 0, 0, 0)
        return _Lanes(width, 1, 0, 1)
    if setting == "highway":
        count = choose(rng, (2, 3, 4, 5), (4, 4, 2, 0.7))
        position = int(rng.integers(count))
        return _Lanes(width, position, count - 1 - position, 0)
    own = choose(rng, (1, 2, 3), (3, 3, 1))
    oncoming = choose(rng, (0, 1, 2), (2, 3, 1))
    position = int(rng.integers(own))
    return _Lanes(min(width, 3.5), position + oncoming, own - 1 - position, oncoming)


def _draw_shoulders(rng: np.random.Generator, setting: Setting, lanes: _Lanes) -> tuple[float, float]:
    """Metres of asphalt beyond the outermost lane borders on the left and on the right."""
    if setting == "highway":
        return float(rng.uniform(0.3, 1.8)), float(rng.uniform(0.5, 3.2))
    if setting == "city":
        parking = 2.2 if chance(rng, 0.35) else 0.0
        return float(rng.uniform(0.1, 0.5)) + (parking if lanes.oncoming else 0.0), float(
            rng.uniform(0.1, 0.5)
        ) + parking
    both = rng.uniform(0.15, 1.0)
    return float(both), float(both * rng.uniform(0.8, 1.3))


def _draw_asphalt(rng: np.random.Generator) -> Colour:
    if chance(rng, 0.15):
        return tinted(rng, (166.0, 158.0, 144.0), 0.08)  # concrete
    return grey(rng, 72, 138, 0.025)


def _draw_alignment(rng: np.random.Generator, setting: Setting, difficulty: Difficulty) -> Alignment:
    if difficulty == "easy":
        tightest, swing, slope = 1 / 500, 1 / 1500, 0.008
    else:
        tightest = {"rural": 1 / 90, "highway": 1 / 350, "city": 1 / 120}[setting]
        swing, slope = tightest / 3, {"rural": 0.035, "highway": 0.015, "city": 0.012}[setting]
    straight = chance(rng, 0.45)
    # The square of a uniform draw: gentle curves are common, tight ones rare.
    curvature = 0.0 if straight else choose(rng, (-1, 1)) * tightest * rng.uniform() ** 2
    return Alignment(
        curvature=float(curvature),
        curvature_swing=float(0.0 if straight and chance(rng, 0.6) else swing * rng.uniform()),
        curvature_period=float(rng.uniform(200, 600)),
        curvature_phase=float(rng.uniform(0, 2 * np.pi)),
        slope_swing=float(slope * rng.uniform()),
        slope_period=float(rng.uniform(180, 600)),
        slope_phase=float(rng.uniform(0, 2 * np.pi)),
    )


def _draw_markings(rng: np.random.Generator, setting: Setting, difficulty: Difficulty, lanes: _Lanes) -> list[Marking]:
    strength = float(rng.uniform(0.75, 0.97) if difficulty == "easy" else rng.uniform(0.35, 0.97))
    wear = float(rng.uniform(0.0, 0.15) if difficulty == "easy" else rng.uniform(0.0, 0.75) ** 1.3)
    width = float(rng.uniform(0.11, 0.2))
    plain = Stripe(width=width, colour=tinted(rng, WHITE, 0.04), strength=strength, wear=wear)
    dashes = choose(rng, _DASHES)
    dashed = replace(plain, painted=dashes[0], gap=dashes[1], phase=float(rng.uniform(0, 20)))
    yellow = tinted(rng, YELLOW, 0.06)
    yellow_centre = chance(rng, 0.5)
    borders = lanes.boundaries()
    markings = []
    for number, offset in enumerate(borders):
        if number in (0, len(borders) - 1):
            edge = replace(plain, width=width * float(rng.uniform(1.0, 1.5)))
            if number == 0 and setting == "highway" and yellow_centre:
                edge = replace(edge, colour=yellow)
            markings.append(Marking(offset, (edge,)))
        elif number == lanes.oncoming:
            colour = yellow if yellow_centre else plain.colour
            markings.append(Marking(offset, _draw_centre(rng, replace(plain, colour=colour), dashed)))
        else:
            solid = difficulty == "mixed" and chance(rng, 0.15)
            markings.append(Marking(offset, (plain if solid else replace(dashed, phase=dashed.phase + 0.1),)))
    if difficulty == "easy":
        return markings
    return _spoil(rng, setting, markings, lanes)


def _draw_centre(rng: np.random.Generator, plain: Stripe, dashed: Stripe) -> tuple[Stripe, ...]:
    """The line between the two directions: dashed, solid, double, or solid on one side."""
    broken = replace(dashed, colour=plain.colour)
    apart = plain.width / 2 + float(rng.uniform(0.05, 0.12))
    left, right = replace(plain, shift=-apart), replace(plain, shift=apart)
    styles = ((broken,), (plain,), (left, right), (left, replace(broken, shift=apart)))
    return choose(rng, styles, (0.45, 0.2, 0.25, 0.1))


def _spoil(rng: np.random.Generator, setting: Setting, markings: list[Marking], lanes: _Lanes) -> list[Marking]:
    """What real roads lack: roads without paint, without edge lines, with single lines missing or worn off.

    A line that is worn off so far that nobody would report it stays as a faint trace without a label.
    """
    bare = {"rural": 0.13, "highway": 0.03, "city": 0.11}[setting]
    no_edges = {"rural": 0.15, "highway": 0.0, "city": 0.55}[setting]
    if chance(rng, bare):
        return [_faded(rng, line) for line in markings] if chance(rng, 0.3) else []
    first, last = (1, len(markings) - 1) if chance(rng, no_edges) and len(markings) > 2 else (0, len(markings))
    kept = []
    for line in markings[first:last]:
        fate = rng.uniform()
        if fate < 0.04:
            continue
        kept.append(_faded(rng, line) if fate < 0.07 else line)
    if chance(rng, 0.04):
        kept = [replace(line, sway=float(rng.uniform(0.02, 0.07))) for line in kept]
    return kept


def _faded(rng: np.random.Generator, line: Marking) -> Marking:
    strength = float(rng.uniform(0.03, 0.1))
    return replace(line, stripes=tuple(replace(s, strength=strength, wear=0.8) for s in line.stripes), labelled=False)


def _draw_seams(rng: np.random.Generator, edges: tuple[float, float], asphalt: Colour) -> list[Marking]:
    """Joints and cracks sealed with tar, which run along the road as lines do but are none."""
    seams = []
    for _ in range(choose(rng, (0, 1, 2, 4), (5, 3, 1.5, 0.5))):
        shade = float(rng.uniform(0.4, 0.8))
        stripe = Stripe(
            width=float(rng.uniform(0.03, 0.12)),
            painted=float(rng.uniform(5, 60)),
            gap=float(rng.uniform(1, 40)),
            phase=float(rng.uniform(0, 50)),
            colour=(shade * asphalt[0], shade * asphalt[1], shade * asphalt[2]),
            strength=float(rng.uniform(0.3, 0.9)),
            wear=0.5,
        )
        sway = float(rng.uniform(0.0, 0.12))
        seams.append(Marking(float(rng.uniform(*edges)), (stripe,), labelled=False, sway=sway))
    return seams


def _draw_borders(
    rng: np.random.Generator,
    setting: Setting,
    difficulty: Difficulty,
    lanes: _Lanes,
    edges: tuple[float, float],
    asphalt: Colour,
) -> tuple[list[Band], list[Barrier]]:
    """The ground from side to side and what stands at the edges."""
    road = Band(
        edges[0], edges[1], asphalt, grain=float(rng.uniform(0.03, 0.1)), patches=float(rng.uniform(0.02, 0.08))
    )
    tracks = _draw_tracks(rng, lanes, road)
    if setting == "city":
        pavement = Band(edges[0] - 4.0, edges[1] + 4.0, grey(rng, 110, 170), grain=0.06, patches=0.08)
        stripe = grey(rng, 190, 225) if chance(rng, 0.2) else None
        height, stone = float(rng.uniform(0.1, 0.18)), grey(rng, 120, 180)
        kerbs = [Barrier(edge, 0.0, height, stone, stripe=stripe) for edge in edges]
        return [pavement, road, *tracks], kerbs
    gravel = Band(edges[0] - 0.8, edges[1] + 0.8, tinted(rng, (128.0, 118.0, 100.0), 0.1), grain=0.2, patches=0.2)
    bands = [gravel, road, *tracks]
    if setting == "rural":
        rails = [_draw_barrier(rng, edge, sign) for edge, sign in zip(edges, (-1, 1), strict=True) if chance(rng, 0.15)]
        return bands, rails
    other = edges[0] - float(rng.uniform(1.5, 9.0))
    opposite = replace(road, left=other - float(rng.uniform(8, 14)), right=other)
    barriers = [_draw_barrier(rng, edges[0], -1)] if difficulty == "mixed" or chance(rng, 0.5) else []
    if chance(rng, 0.4):
        barriers.append(_draw_barrier(rng, edges[1], 1))
    return [opposite, *bands], barriers


def _draw_tracks(rng: np.random.Generator, lanes: _Lanes, road: Band) -> list[Band]:
    """Stretches that wheels have polished or darkened in every lane."""
    change = float(rng.uniform(0.88, 1.1))
    colour = (road.colour[0] * change, road.colour[1] * change, road.colour[2] * change)
    apart, width = 0.78, float(rng.uniform(0.25, 0.5))
    tracks = []
    for border in lanes.boundaries()[:-1]:
        middle = border + lanes.width / 2
        tracks += [
            replace(
                road,
                left=middle + side * apart - width,
                right=middle + side * apart + width,
                colour=colour,
                softness=0.35,
            )
            for side in (-1, 1)
        ]
    return tracks


def _draw_barrier(rng: np.random.Generator, edge: float, outward: int) -> Barrier:
    """A guard rail or a concrete wall a little beyond an edge of the asphalt, with its shadow."""
    offset = edge + outward * float(rng.uniform(0.1, 0.7))
    shadow = float(rng.uniform(-1.2, 1.2))
    if chance(rng, 0.6):
        return Barrier(offset, 0.45, 0.78, tinted(rng, _RAIL, 0.1), post_spacing=4.0, shadow=0.3 * shadow)
    stripe = grey(rng, 190, 230) if chance(rng, 0.2) else None
    return Barrier(offset, 0.0, float(rng.uniform(0.7, 1.1)), grey(rng, 120, 185), stripe=stripe, shadow=shadow)

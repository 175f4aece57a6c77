"""Roads without a lane line: bare asphalt, dirt and gravel, residential streets, car parks; and snow on any road."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import CrossSection, Lanes, Setting, draw_cross_section
from lanenet_sad.datasets.synthetic.draws import chance, choose, tinted
from lanenet_sad.datasets.synthetic.markings import WHITE
from lanenet_sad.datasets.synthetic.road import SNOW, Band, Colour
from lanenet_sad.datasets.synthetic.road_paint import draw_parking_bays

UnmarkedKind = Literal["bare", "dirt", "gravel", "residential", "parking"]

_SOILS: tuple[Colour, ...] = ((150, 122, 88), (176, 150, 112), (134, 108, 84), (158, 108, 72), (186, 168, 138))
_GRAVELS: tuple[Colour, ...] = ((150, 144, 134), (168, 160, 146), (132, 128, 122), (186, 180, 168))


def draw_unmarked(rng: np.random.Generator, setting: Setting, verge: Colour, travel: float) -> CrossSection | None:
    """A road without lines, or None where the road is to have lines."""
    if not chance(rng, {"rural": 0.155, "highway": 0.0, "city": 0.115}[setting]):
        return None
    if setting == "rural":
        kind: UnmarkedKind = choose(rng, ("bare", "dirt", "gravel"), (0.5, 0.3, 0.2))
    else:
        kind = choose(rng, ("residential", "parking"), (0.7, 0.3))
    if kind in ("dirt", "gravel"):
        return _draw_dirt_road(rng, verge, _SOILS if kind == "dirt" else _GRAVELS)
    width = float(rng.uniform(2.3, 3.4))
    alone = kind == "bare" and chance(rng, 0.3)
    lanes = Lanes(1.2 * width, 0, 0, 0) if alone else Lanes(width, 1, 0, 1)
    if kind == "parking":
        lanes = Lanes(3.0, 1, 0, 1)
    section = draw_cross_section(rng, setting, "mixed", lanes)
    if kind == "parking":
        return _as_car_park(rng, section, travel)
    if kind == "bare":
        section = section.with_surface(replace(section.surface, ragged=float(rng.uniform(0.05, 0.35))))
        return replace(section, barriers=section.barriers[:1] if chance(rng, 0.2) else ())
    return section


def _draw_dirt_road(rng: np.random.Generator, verge: Colour, colours: tuple[Colour, ...]) -> CrossSection:
    """Earth or gravel with two ruts, and often grass between them."""
    width = float(rng.uniform(2.6, 4.2))
    lanes = Lanes(width, 0, 0, 0) if chance(rng, 0.65) else Lanes(0.75 * width, 1, 0, 1)
    borders = lanes.boundaries()
    edges = (borders[0] - 0.1, borders[-1] + 0.1)
    soil = tinted(rng, choose(rng, colours), 0.1)
    surface = Band(
        edges[0],
        edges[1],
        soil,
        grain=float(rng.uniform(0.1, 0.25)),
        patches=float(rng.uniform(0.12, 0.3)),
        softness=float(rng.uniform(0.1, 0.6)),
        ragged=float(rng.uniform(0.1, 0.5)),
    )
    bands = [surface]
    change = float(choose(rng, (rng.uniform(0.7, 0.92), rng.uniform(1.06, 1.25))))
    rut = (min(soil[0] * change, 240.0), min(soil[1] * change, 240.0), min(soil[2] * change, 240.0))
    apart, half = float(rng.uniform(0.68, 0.85)), float(rng.uniform(0.15, 0.4))
    middle = 0.0 if lanes.left == 0 else choose(rng, lanes.middles())
    if chance(rng, 0.5):
        strip = apart - half
        grass = replace(surface, left=middle - strip, right=middle + strip, colour=verge, ragged=0.25, softness=0.3)
        bands.append(replace(grass, opacity=float(rng.uniform(0.35, 1.0)), grain=0.25))
    bands += [
        replace(
            surface,
            left=middle + side * apart - half,
            right=middle + side * apart + half,
            colour=rut,
            softness=float(rng.uniform(0.15, 0.5)),
            ragged=0.12,
        )
        for side in (-1, 1)
    ]
    return CrossSection(lanes, edges, soil, tuple(bands), surface, is_paved=False)


def _as_car_park(rng: np.random.Generator, section: CrossSection, travel: float) -> CrossSection:
    """An open place with rows of bays on both sides instead of a road."""
    low, high = section.edges
    ground = replace(section.surface, left=low - 6.0, right=high + 6.0)
    bays = draw_parking_bays(rng, low, -1, travel)
    if chance(rng, 0.8):
        bays += draw_parking_bays(rng, high, 1, travel)
    barriers = tuple(
        replace(kerb, offset=kerb.offset + (6.0 if kerb.offset > 0 else -6.0)) for kerb in section.barriers
    )
    edges = (low - 6.0, high + 6.0)
    return replace(section, bands=(ground,), surface=ground, patches=bays, barriers=barriers, edges=edges)


def with_snow(rng: np.random.Generator, section: CrossSection) -> CrossSection:
    """Snow on the road: none, at its edges, between the tracks of the wheels, or everywhere."""
    mode = choose(rng, ("verge", "edges", "between tracks", "everywhere"), (0.32, 0.34, 0.22, 0.12))
    if mode == "verge":
        return section
    low, high = section.edges
    snow = Band(
        low - 2.0,
        high + 2.0,
        tinted(rng, SNOW, 0.04),
        patches=float(rng.uniform(0.05, 0.2)),
        softness=float(rng.uniform(0.2, 0.8)),
        opacity=float(rng.uniform(0.8, 0.97)),
        ragged=float(rng.uniform(0.1, 0.4)),
    )
    covers = [snow]
    if mode == "edges":
        reach = float(rng.uniform(0.2, 1.2))
        covers = [replace(snow, right=low + reach), replace(snow, left=high - reach)]
    elif mode == "between tracks":
        half = float(rng.uniform(0.25, 0.5))
        middles = section.lanes.middles()
        tracks = [(low - 2.0, low - 2.0)]
        tracks += [(m + side * 0.78 - half, m + side * 0.78 + half) for m in middles for side in (-1, 1)]
        tracks.append((high + 2.0, high + 2.0))
        covers = [
            replace(snow, left=before[1], right=after[0], ragged=0.12)
            for before, after in pairwise(tracks)
            if after[0] - before[1] > 0.15
        ]
    else:
        covers = [replace(snow, opacity=float(rng.uniform(0.93, 0.99)), patches=0.1), *_snow_tracks(rng, section)]
    return replace(section, covers=tuple(covers))


def _snow_tracks(rng: np.random.Generator, section: CrossSection) -> list[Band]:
    """Ruts of packed or dirty snow."""
    grey = float(rng.uniform(0.62, 0.9))
    colour = tinted(rng, (grey * WHITE[0], grey * WHITE[1], grey * WHITE[2]), 0.03)
    half = float(rng.uniform(0.15, 0.4))
    return [
        Band(
            middle + side * 0.78 - half,
            middle + side * 0.78 + half,
            colour,
            patches=0.2,
            softness=0.3,
            opacity=0.75,
            ragged=0.1,
        )
        for middle in section.lanes.middles()
        for side in (-1, 1)
    ]

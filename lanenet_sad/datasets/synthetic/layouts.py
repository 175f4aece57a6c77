"""Draws roads: puts together what lies across them, how they are marked and how they change along the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import (
    CrossSection,
    Difficulty,
    Setting,
    draw_cross_section,
    draw_lanes,
)
from lanenet_sad.datasets.synthetic.draws import chance, choose, tinted
from lanenet_sad.datasets.synthetic.false_lines import with_false_lines
from lanenet_sad.datasets.synthetic.paint_plans import draw_markings, repainted, with_road_works
from lanenet_sad.datasets.synthetic.road import SNOW, Alignment, Band, Colour, Road
from lanenet_sad.datasets.synthetic.road_events import with_event
from lanenet_sad.datasets.synthetic.road_paint import hatching
from lanenet_sad.datasets.synthetic.unmarked import draw_unmarked, with_snow

_VERGES: tuple[Colour, ...] = ((84, 104, 52), (104, 112, 62), (140, 124, 78), (122, 108, 84), (66, 88, 50))


def draw_setting(rng: np.random.Generator, difficulty: Difficulty) -> Setting:
    """Where the road is."""
    weights = (0.5, 0.5, 0.0) if difficulty == "easy" else (0.38, 0.36, 0.26)
    settings: tuple[Setting, ...] = ("rural", "highway", "city")
    return choose(rng, settings, weights)


def draw_road(
    rng: np.random.Generator,
    setting: Setting,
    difficulty: Difficulty,
    *,
    snowy: bool = False,
    sunny: bool = False,
    travel: float = 0.0,
) -> Road:
    """A road for right-hand traffic; a scene that is mirrored as a whole shows left-hand traffic.

    Args:
        rng: the scene's own generator.
        setting: where the road is.
        difficulty: `easy` roads have clear lines and do not change along the way.
        snowy: whether there is snow.
        sunny: whether things throw shadows.
        travel: metres that the ego car will drive.
    """
    verge = Band(
        -1e9,
        1e9,
        SNOW if snowy else tinted(rng, choose(rng, _VERGES), 0.12),
        grain=float(rng.uniform(0.12, 0.3)),
        patches=float(rng.uniform(0.1, 0.3)),
    )
    if difficulty == "easy":
        section = _draw_marked(rng, setting, difficulty)
    else:
        section = _draw_mixed(rng, setting, verge.colour, sunny=sunny, travel=travel)
        if snowy:
            section = with_snow(rng, section)
    return Road(
        alignment=_draw_alignment(rng, setting, difficulty),
        verge=verge,
        bands=section.bands,
        markings=section.markings,
        barriers=section.barriers,
        edges=section.edges,
        lane_width=section.lanes.width,
        lanes_left=section.lanes.left,
        lanes_right=section.lanes.right,
        oncoming_left=section.lanes.oncoming,
        texture_start=float(rng.uniform(0, 500)),
        median=section.lanes.median,
        covers=section.covers,
        patches=section.patches,
        room_right=section.room_right,
    )


def _draw_marked(rng: np.random.Generator, setting: Setting, difficulty: Difficulty) -> CrossSection:
    lanes = draw_lanes(rng, setting, difficulty)
    section = draw_cross_section(rng, setting, difficulty, lanes)
    return replace(section, markings=tuple(draw_markings(rng, setting, difficulty, lanes)))


def _draw_mixed(
    rng: np.random.Generator, setting: Setting, verge: Colour, *, sunny: bool, travel: float
) -> CrossSection:
    """A road with all that time, traffic and other roads have done to it, or one without lines."""
    section = draw_unmarked(rng, setting, verge, travel)
    if section is None:
        section = with_event(rng, _with_median(rng, _draw_marked(rng, setting, "mixed"), travel), setting, travel)
        fate = rng.uniform()
        if fate < 0.1:
            section = repainted(rng, section)
        elif fate < 0.14:
            section = with_road_works(rng, section)
    return with_false_lines(rng, section, setting, sunny=sunny, travel=travel)


def _with_median(rng: np.random.Generator, section: CrossSection, travel: float) -> CrossSection:
    """Hatching between the lines of a painted median, in most cases."""
    lanes = section.lanes
    if lanes.median < 0.8 or not section.markings or not chance(rng, 0.75):
        return section
    right = lanes.boundaries()[lanes.oncoming]
    bars = hatching(
        rng, (0.0, 120.0 + travel), (right - lanes.median, ()), (right, ()), section.markings[0].stripes[0].colour
    )
    return replace(section, patches=(*section.patches, *bars))


def _draw_alignment(rng: np.random.Generator, setting: Setting, difficulty: Difficulty) -> Alignment:
    if difficulty == "easy":
        tightest, swing, slope = 1 / 500, 1 / 1500, 0.008
    else:
        tightest = {"rural": 1 / 90, "highway": 1 / 350, "city": 1 / 120}[setting]
        swing, slope = tightest / 3, {"rural": 0.035, "highway": 0.015, "city": 0.012}[setting]
    straight = chance(rng, 0.45)
    # The square of a uniform draw: gentle curves are common, tight ones rare.
    curvature = 0.0 if straight else choose(rng, (-1, 1)) * tightest * rng.uniform() ** 2
    turns = difficulty == "mixed" and chance(rng, 0.25)
    return Alignment(
        curvature=float(curvature),
        curvature_swing=float(0.0 if straight and chance(rng, 0.6) else swing * rng.uniform()),
        curvature_period=float(rng.uniform(200, 600)),
        curvature_phase=float(rng.uniform(0, 2 * np.pi)),
        slope_swing=float(slope * rng.uniform()),
        slope_period=float(rng.uniform(180, 600)),
        slope_phase=float(rng.uniform(0, 2 * np.pi)),
        bend=float(choose(rng, (-1, 1)) * tightest * rng.uniform()) if turns else 0.0,
        bend_start=float(rng.uniform(0, 90)),
        bend_length=float(rng.uniform(25, 110)),
    )

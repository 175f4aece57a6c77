"""What runs along a road as lane lines do but is none: seams, joints, repairs, skid marks, cracks, long shadows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import CrossSection, Setting
from lanenet_sad.datasets.synthetic.draws import chance, choose, grey
from lanenet_sad.datasets.synthetic.markings import YELLOW, Marking, Stripe
from lanenet_sad.datasets.synthetic.road import Band, Colour, Patch, shaded

_SIGHT = 90.0


def with_false_lines(
    rng: np.random.Generator, section: CrossSection, setting: Setting, *, sunny: bool, travel: float
) -> CrossSection:
    """Adds a draw of false lines to a road, below its paint."""
    lines: list[Marking] = []
    bands = list(section.bands)
    patches = list(section.patches)
    if section.is_paved:
        lines += _draw_seams(rng, section)
        if chance(rng, 0.22):
            lines += _draw_joints(rng, section)
        if chance(rng, 0.25):
            lines += _draw_cracks(rng, section)
            patches += _draw_cross_cracks(rng, section, travel)
        if chance(rng, 0.22):
            bands += _draw_repairs(rng, section, travel)
        if chance(rng, 0.2):
            bands.append(_draw_oil_lane(rng, section))
        if chance(rng, 0.12):
            bands += _draw_wet_streaks(rng, section, travel)
    if chance(rng, 0.12):
        lines += _draw_skid_marks(rng, section, travel)
    if sunny and chance(rng, 0.2):
        lines += _draw_long_shadows(rng, section, travel)
    if setting == "highway":
        lines += _draw_opposite_lines(rng, section)
    return replace(section, bands=tuple(bands), patches=tuple(patches), markings=(*lines, *section.markings))


def _across(rng: np.random.Generator, section: CrossSection) -> float:
    """A place across the road: anywhere, or near a lane border, where pavers end and lines are expected."""
    if chance(rng, 0.4):
        return choose(rng, section.lanes.boundaries()) + float(rng.normal(0, 0.25))
    return float(rng.uniform(*section.edges))


def _draw_seams(rng: np.random.Generator, section: CrossSection) -> list[Marking]:
    """Joints and cracks sealed with tar, dark or shining in the light."""
    seams = []
    bright = chance(rng, 0.25)
    for _ in range(choose(rng, (0, 1, 2, 4, 7), (4.5, 3, 1.7, 0.8, 0.3))):
        stripe = Stripe(
            width=float(rng.uniform(0.03, 0.14)),
            painted=float(rng.uniform(5, 60)),
            gap=float(rng.uniform(1, 40)),
            phase=float(rng.uniform(0, 50)),
            colour=shaded(section.asphalt, float(rng.uniform(1.2, 1.6) if bright else rng.uniform(0.3, 0.75))),
            strength=float(rng.uniform(0.3, 0.9)),
            wear=0.5,
        )
        sway = float(rng.uniform(0.0, 0.15)) if chance(rng, 0.6) else 0.0
        seams.append(Marking(_across(rng, section), (stripe,), labelled=False, sway=sway))
    return seams


def _draw_joints(rng: np.random.Generator, section: CrossSection) -> list[Marking]:
    """Straight narrow joints at the lane borders, as between slabs of concrete or lanes laid one by one."""
    shade, shift = float(rng.uniform(0.35, 0.8)), float(rng.normal(0, 0.2))
    joint = Stripe(width=float(rng.uniform(0.02, 0.05)), colour=shaded(section.asphalt, shade), strength=0.8, wear=0.2)
    return [Marking(border + shift, (joint,), labelled=False) for border in section.lanes.boundaries()]


def _draw_repairs(rng: np.random.Generator, section: CrossSection, travel: float) -> list[Band]:
    """Strips of newer or older asphalt along the road, whose straight borders look like lines."""
    strips = []
    for _ in range(choose(rng, (1, 2), (3, 1))):
        left = _across(rng, section)
        colour = shaded(section.asphalt, float(choose(rng, (rng.uniform(0.55, 0.85), rng.uniform(1.1, 1.35)))))
        start = float(rng.uniform(-40, 60 + travel))
        span = None if chance(rng, 0.4) else (start, start + float(rng.uniform(15, 120)))
        right = min(left + float(rng.uniform(0.5, 3.4)), section.edges[1])
        if right > left:
            strips.append(replace(section.surface, left=left, right=right, colour=colour, span=span, ragged=0.0))
    return strips


def _draw_skid_marks(rng: np.random.Generator, section: CrossSection, travel: float) -> list[Marking]:
    """Pairs of dark traces of tyres that leave their lane slowly."""
    marks = []
    for _ in range(choose(rng, (1, 2), (2, 1))):
        start = float(rng.uniform(0, 60 + travel))
        length, aside = float(rng.uniform(8, 40)), float(rng.normal(0, 1.2))
        rubber = Stripe(
            width=float(rng.uniform(0.12, 0.25)),
            colour=shaded(section.asphalt, 0.35),
            strength=float(rng.uniform(0.25, 0.65)),
            wear=0.6,
        )
        middle = choose(rng, section.lanes.middles())
        drift = ((start, 0.0), (start + length, aside))
        marks += [
            Marking(middle + side, (rubber,), labelled=False, drift=drift, span=(start, start + length))
            for side in (-0.75, 0.75)
        ]
    return marks


def _draw_cracks(rng: np.random.Generator, section: CrossSection) -> list[Marking]:
    """Thin dark cracks along the road that wander."""
    return [
        Marking(
            _across(rng, section),
            (
                Stripe(
                    width=float(rng.uniform(0.015, 0.04)),
                    painted=float(rng.uniform(3, 20)),
                    gap=float(rng.uniform(1, 10)),
                    phase=float(rng.uniform(0, 30)),
                    colour=shaded(section.asphalt, 0.3),
                    strength=float(rng.uniform(0.4, 0.9)),
                    wear=0.6,
                ),
            ),
            labelled=False,
            sway=float(rng.uniform(0.1, 0.5)),
        )
        for _ in range(int(rng.integers(1, 5)))
    ]


def _draw_cross_cracks(rng: np.random.Generator, section: CrossSection, travel: float) -> list[Patch]:
    """Cracks or joints across the road: at equal distances where it is made of slabs, else anywhere."""
    low, high = section.edges
    colour = shaded(section.asphalt, float(rng.uniform(0.25, 0.7)))
    width, strength = float(rng.uniform(0.03, 0.12)), float(rng.uniform(0.3, 0.8))
    if chance(rng, 0.4):
        spacing = float(rng.uniform(4, 9))
        places = np.arange(float(rng.uniform(0, spacing)), min(_SIGHT + travel, 25 * spacing), spacing)
        return [Patch((float(at), float(at) + width), (low, high), colour, strength) for at in places]
    cracks = []
    for at in rng.uniform(2, _SIGHT + travel, int(rng.integers(1, 7))):
        left = float(rng.uniform(low, high))
        right = left + float(rng.uniform(0.5, high - low))
        cracks.append(Patch((float(at), float(at) + width), (left, min(right, high)), colour, strength))
    return cracks


def _draw_long_shadows(rng: np.random.Generator, section: CrossSection, travel: float) -> list[Marking]:
    """Shadows of cables, rails and poles that run along the road or cross it at a flat angle."""
    shadow: Colour = (18.0, 22.0, 32.0)
    shadows = []
    for _ in range(choose(rng, (1, 2, 3), (3, 2, 1))):
        stripe = Stripe(
            width=float(choose(rng, (0.06, 0.12, 0.3, 0.8)) * rng.uniform(0.7, 1.3)),
            colour=shadow,
            strength=float(rng.uniform(0.25, 0.55)),
            wear=0.0,
        )
        start, aside = float(rng.uniform(-20, 30 + 0.8 * travel)), float(rng.normal(0, 6))
        drift = ((start, 0.0), (start + float(rng.uniform(30, 120)), aside))
        shadows.append(Marking(float(rng.uniform(*section.edges)), (stripe,), labelled=False, drift=drift))
    return shadows


def _draw_oil_lane(rng: np.random.Generator, section: CrossSection) -> Band:
    """The dark strip between the wheel tracks, where engines have dripped."""
    middle = choose(rng, section.lanes.middles())
    half = float(rng.uniform(0.25, 0.5))
    colour = shaded(section.asphalt, float(rng.uniform(0.65, 0.9)))
    return replace(section.surface, left=middle - half, right=middle + half, colour=colour, softness=0.5, ragged=0.0)


def _draw_wet_streaks(rng: np.random.Generator, section: CrossSection, travel: float) -> list[Band]:
    """Dark damp streaks with soft borders, where water runs along the road or was spilt."""
    colour = shaded(section.asphalt, float(rng.uniform(0.5, 0.75)))
    streaks = []
    for _ in range(int(rng.integers(1, 4))):
        left, start = _across(rng, section), float(rng.uniform(-30, 60 + travel))
        right = left + float(rng.uniform(0.15, 1.2))
        span = (start, start + float(rng.uniform(8, 80)))
        streak = replace(section.surface, left=left, right=right, colour=colour, span=span, ragged=0.15)
        streaks.append(replace(streak, softness=0.25, opacity=float(rng.uniform(0.5, 1.0))))
    return streaks


def _draw_opposite_lines(rng: np.random.Generator, section: CrossSection) -> list[Marking]:
    """Lines of the carriageway beyond the central reservation, which nobody labels."""
    opposite = section.bands[0]
    edge = Stripe(width=0.15, strength=float(rng.uniform(0.4, 0.9)), wear=0.2)
    dashed = replace(edge, painted=3.0, gap=9.0, phase=float(rng.uniform(0, 12)))
    inner = replace(edge, colour=YELLOW) if chance(rng, 0.4) else replace(edge, colour=grey(rng, 215, 235))
    near, far = opposite.right - 0.6, opposite.left + 0.6
    lines = [Marking(near, (inner,), labelled=False), Marking(far, (edge,), labelled=False)]
    return [*lines, *(Marking(float(at), (dashed,), labelled=False) for at in np.arange(near - 3.6, far + 2, -3.6))]

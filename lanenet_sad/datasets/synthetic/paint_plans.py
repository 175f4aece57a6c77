"""Which lines are painted on a road, of which kind, and what time, road works and budgets have made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import CrossSection, Difficulty, Lanes, Setting
from lanenet_sad.datasets.synthetic.draws import chance, choose, tinted
from lanenet_sad.datasets.synthetic.markings import BLUE, WHITE, YELLOW, Marking, Stripe
from lanenet_sad.datasets.synthetic.road import shaded

_DASHES = ((3.0, 9.0), (6.0, 9.0), (4.0, 8.0), (3.0, 6.0), (3.0, 4.5), (6.0, 12.0), (2.0, 4.0))
_RARE_DASHES = ((1.0, 1.0), (1.5, 1.5), (2.0, 2.0), (6.0, 3.0), (12.0, 12.0), (9.0, 3.0), (1.0, 4.0), (4.5, 13.5))


@dataclass(frozen=True)
class _Paint:
    """The habits of one road authority: its solid stripe, its dashes, its colour between the directions."""

    solid: Stripe
    dashed: Stripe
    centre_colour: tuple[float, float, float]


def draw_markings(rng: np.random.Generator, setting: Setting, difficulty: Difficulty, lanes: Lanes) -> list[Marking]:
    """The lane lines of a road, left to right."""
    paint = _draw_paint(rng, difficulty)
    borders = lanes.boundaries()
    markings = []
    for number, offset in enumerate(borders):
        if lanes.oncoming and number == lanes.oncoming:
            markings += _draw_centre(rng, paint, lanes, offset, difficulty)
        elif number in (0, len(borders) - 1):
            markings.append(_draw_edge(rng, setting, difficulty, paint, number, offset))
        else:
            markings.append(Marking(offset, _draw_border(rng, difficulty, paint)))
    if difficulty == "easy":
        return markings
    if chance(rng, 0.07):
        markings = _as_dots(rng, markings)
    return _spoil(rng, setting, markings)


def _draw_paint(rng: np.random.Generator, difficulty: Difficulty) -> _Paint:
    strength = float(rng.uniform(0.75, 0.97) if difficulty == "easy" else rng.uniform(0.35, 0.97))
    wear = float(rng.uniform(0.0, 0.15) if difficulty == "easy" else rng.uniform(0.0, 0.75) ** 1.3)
    width = float(rng.uniform(0.11, 0.2))
    colour = WHITE
    if difficulty == "mixed":
        colour = choose(rng, (WHITE, YELLOW, BLUE), (0.955, 0.035, 0.01))
    solid = Stripe(width=width, colour=tinted(rng, colour, 0.04), strength=strength, wear=wear)
    rare = difficulty == "mixed" and chance(rng, 0.2)
    painted, gap = choose(rng, _RARE_DASHES if rare else _DASHES)
    dashed = replace(solid, painted=painted, gap=gap, phase=float(rng.uniform(0, 20)))
    yellow = tinted(rng, YELLOW, 0.06)
    return _Paint(solid, dashed, yellow if chance(rng, 0.5) else solid.colour)


def _draw_edge(
    rng: np.random.Generator, setting: Setting, difficulty: Difficulty, paint: _Paint, number: int, offset: float
) -> Marking:
    """The line at a border of the carriageway: solid, seldom dashed; wide beside bus lanes."""
    edge = replace(paint.solid, width=paint.solid.width * float(rng.uniform(1.0, 1.5)))
    if number == 0 and setting == "highway":
        edge = replace(edge, colour=paint.centre_colour)
    if difficulty == "mixed":
        if chance(rng, 0.06):
            edge = replace(edge, width=float(rng.uniform(0.25, 0.4)))
        if setting == "rural" and chance(rng, 0.12):
            edge = replace(paint.dashed, painted=choose(rng, (1.0, 2.0, 3.0)), gap=choose(rng, (1.0, 2.0, 3.0)))
    return Marking(offset, (edge,))


def _draw_border(rng: np.random.Generator, difficulty: Difficulty, paint: _Paint) -> tuple[Stripe, ...]:
    """The line between two lanes of one direction."""
    dashed = replace(paint.dashed, phase=paint.dashed.phase + 0.1)
    if difficulty == "easy":
        return (dashed,)
    style = choose(rng, ("dashed", "solid", "mixed", "wide", "double"), (0.76, 0.12, 0.05, 0.05, 0.02))
    if style == "solid":
        return (paint.solid,)
    if style == "mixed":
        left, right = _side_by_side(rng, paint.solid, dashed)
        return (
            (left, right) if chance(rng, 0.5) else (replace(left, shift=right.shift), replace(right, shift=left.shift))
        )
    if style == "wide":
        return (replace(dashed, width=float(rng.uniform(0.25, 0.4)), painted=choose(rng, (1.0, 2.0, 3.0)), gap=3.0),)
    return _side_by_side(rng, paint.solid, paint.solid) if style == "double" else (dashed,)


def _draw_centre(
    rng: np.random.Generator, paint: _Paint, lanes: Lanes, offset: float, difficulty: Difficulty
) -> list[Marking]:
    """The line between the two directions: dashed, solid, double, solid on one side, or a median of two lines."""
    plain = replace(paint.solid, colour=paint.centre_colour)
    broken = replace(paint.dashed, colour=paint.centre_colour)
    if lanes.median > 0:
        return [Marking(offset - lanes.median, (plain,)), Marking(offset, (plain,))]
    style = choose(rng, ("dashed", "solid", "double", "mixed", "broken double"), (0.43, 0.19, 0.24, 0.1, 0.04))
    if style == "broken double" and difficulty == "mixed":
        return [Marking(offset, _side_by_side(rng, broken, broken))]
    if style == "double":
        return [Marking(offset, _side_by_side(rng, plain, plain))]
    if style == "mixed":
        pair = (plain, broken) if difficulty == "easy" or chance(rng, 0.5) else (broken, plain)
        return [Marking(offset, _side_by_side(rng, *pair))]
    return [Marking(offset, (plain if style == "solid" else broken,))]


def _side_by_side(rng: np.random.Generator, left: Stripe, right: Stripe) -> tuple[Stripe, Stripe]:
    apart = left.width / 2 + float(rng.uniform(0.05, 0.12))
    return replace(left, shift=-apart), replace(right, shift=apart)


def _as_dots(rng: np.random.Generator, markings: list[Marking]) -> list[Marking]:
    """Raised dots in place of dashes, or on top of them, as in California or Japan."""
    pitch, period = float(rng.uniform(0.8, 1.3)), float(rng.uniform(7, 15))
    instead = chance(rng, 0.7)
    dot = Stripe(width=0.1, painted=0.1, rise=0.018, wear=float(rng.uniform(0, 0.5)), strength=0.95)
    row = replace(dot, gap=period - dot.painted, repeats=4, pitch=pitch)
    endless = replace(dot, gap=pitch - dot.painted)
    changed = []
    for line in markings:
        first = line.stripes[0]
        shape = replace(row if first.painted > 0 else endless, colour=tinted(rng, first.colour, 0.02))
        dots = replace(shape, phase=first.phase)
        if first.painted > 0 and instead:
            reflector = replace(dots, repeats=1, gap=2 * period, colour=(255.0, 250.0, 236.0), phase=first.phase - 2)
            changed.append(replace(line, stripes=(dots, reflector) if chance(rng, 0.5) else (dots,)))
        elif chance(rng, 0.4):
            changed.append(replace(line, stripes=(*line.stripes, dots)))
        else:
            changed.append(line)
    return changed


def _spoil(rng: np.random.Generator, setting: Setting, markings: list[Marking]) -> list[Marking]:
    """What real roads lack: roads without paint, without edge lines, with single lines missing or worn off."""
    bare = {"rural": 0.02, "highway": 0.01, "city": 0.03}[setting]
    no_edges = {"rural": 0.2, "highway": 0.02, "city": 0.45}[setting]
    if chance(rng, bare):
        return [_faded(rng, line) for line in markings]
    kept = list(markings)
    if len(markings) > 2:
        fate = rng.uniform()
        if fate < no_edges:
            kept = markings[1:-1]
        elif fate < no_edges + 0.1:
            kept = markings[1:] if chance(rng, 0.5) else markings[:-1]
    if chance(rng, 0.05) and len(kept) > 1:
        half = len(kept) // 2
        kept = kept[half:] if chance(rng, 0.5) else kept[:half]
    kept = [_faded(rng, line) if chance(rng, 0.04) else line for line in kept if not chance(rng, 0.04)]
    if chance(rng, 0.05):
        kept = [replace(line, sway=float(rng.uniform(0.02, 0.08))) for line in kept]
    return kept


def _faded(rng: np.random.Generator, line: Marking) -> Marking:
    """A line worn off nearly or wholly; whether it can still be seen is for the labels to say."""
    strength = float(rng.uniform(0.03, 0.16))
    return replace(line, stripes=tuple(replace(s, strength=strength, wear=0.8) for s in line.stripes))


def repainted(rng: np.random.Generator, section: CrossSection) -> CrossSection:
    """Traces of an earlier marking beside the present one: a ghost of it, or the line that hid it in black."""
    dark = shaded(section.asphalt, 0.45)
    shift = float(choose(rng, (-1, 1)) * rng.uniform(0.18, 1.3))
    blacked_out = chance(rng, 0.5)
    traces = []
    for line in section.markings:
        if not line.labelled or not chance(rng, 0.7):
            continue
        stripe = line.stripes[0]
        if blacked_out:
            old = replace(
                stripe, colour=dark, strength=float(rng.uniform(0.4, 0.9)), wear=0.3, width=1.4 * stripe.width
            )
        else:
            old = replace(stripe, strength=float(rng.uniform(0.04, 0.1)), wear=0.7)
        traces.append(replace(line, offset=line.offset + shift, stripes=(old,), labelled=False))
    return replace(section, markings=(*traces, *section.markings))


def with_road_works(rng: np.random.Generator, section: CrossSection) -> CrossSection:
    """Temporary yellow lines that hold, beside the old white ones, ground off or painted over."""
    shift = float(choose(rng, (-1, 1)) * rng.uniform(0.3, 1.4))
    strength = float(rng.uniform(0.05, 0.12))
    sway = float(rng.uniform(0.0, 0.06))
    yellow = tinted(rng, (238.0, 176.0, 30.0), 0.05)
    old, new = [], []
    for line in section.markings:
        if not line.labelled:
            old.append(line)
            continue
        old.append(replace(line, labelled=False, stripes=tuple(replace(s, strength=strength) for s in line.stripes)))
        stripes = tuple(replace(s, colour=yellow, strength=0.92, wear=0.1, width=0.13) for s in line.stripes[:1])
        new.append(replace(line, offset=line.offset + shift, stripes=stripes, sway=sway))
    return replace(section, markings=(*old, *new))

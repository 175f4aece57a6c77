"""What changes along a road: crossroads, lanes that open or end, exits that leave it, ramps that join it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import CrossSection, Setting
from lanenet_sad.datasets.synthetic.draws import chance, choose, tinted
from lanenet_sad.datasets.synthetic.markings import WHITE, Knots, Marking
from lanenet_sad.datasets.synthetic.road import Band, Patch
from lanenet_sad.datasets.synthetic.road_paint import crossing, hatching


def with_event(rng: np.random.Generator, section: CrossSection, setting: Setting, travel: float) -> CrossSection:
    """Adds at most one change along the road."""
    share = {"rural": (0.81, 0.1, 0.02, 0.01, 0.03, 0.03), "highway": (0.56, 0.0, 0.16, 0.08, 0.1, 0.1),
             "city": (0.61, 0.24, 0.02, 0.01, 0.06, 0.06)}[setting]  # fmt: skip
    event = choose(rng, ("none", "crossroads", "exit", "joins", "ends", "opens"), share)
    start = float(rng.uniform(-20, 70 + travel))
    if event == "crossroads":
        return _with_crossroads(rng, section, setting, max(start, 3.0))
    if event == "exit":
        return with_ramp(rng, section, start - 95, joins=False)
    if event == "joins":
        return with_ramp(rng, section, start, joins=True)
    if event == "ends":
        return _with_ending_lane(rng, section, start)
    return _with_opening_lane(rng, section, start) if event == "opens" else section


def _with_crossroads(rng: np.random.Generator, section: CrossSection, setting: Setting, start: float) -> CrossSection:
    """A stretch without lines, kerbs and rails where another road crosses; perhaps a stop line and crossings."""
    end = start + float(rng.uniform(9, 34))
    gap = ((start, end),)
    low, high = section.edges
    white = tinted(rng, WHITE, 0.05)
    other = replace(section.surface, left=-90.0, right=90.0, span=(start + 1, end - 1), ragged=0.0)
    bands = [*section.bands]
    bands.insert(next(i for i, band in enumerate(bands) if band is section.surface), other)
    markings = [
        replace(line, breaks=(*line.breaks, *gap)) if line.labelled or chance(rng, 0.3) else line
        for line in section.markings
    ]
    patches: list[Patch] = [*section.patches]
    half = section.lanes.width / 2
    if setting == "city" and chance(rng, 0.6):
        bar = float(choose(rng, (0.3, 0.5)))
        patches += crossing(start - 5.0, low, high, white, bar=bar)
        if chance(rng, 0.5):
            patches += crossing(end + 1.0, low, high, white, bar=bar)
        markings = [
            replace(line, breaks=(*line.breaks, (start - 5.5, start), (end, end + 5.0))) if line.labelled else line
            for line in markings
        ]
    if chance(rng, 0.6):
        right = section.lanes.boundaries()[-1]
        thick = float(rng.uniform(0.3, 0.6))
        stop = Patch((start - 7.0, start - 7.0 + thick), (-half, right), white, float(rng.uniform(0.5, 0.9)))
        patches.append(stop)
    barriers = tuple(replace(barrier, breaks=(*barrier.breaks, *gap)) for barrier in section.barriers)
    return replace(section, bands=tuple(bands), markings=tuple(markings), patches=tuple(patches), barriers=barriers)


def _last_lines(section: CrossSection) -> tuple[list[Marking], Marking | None, list[Marking]]:
    """(other lines, the labelled line at the right border of the carriageway, lines at the border left of it)."""
    borders = section.lanes.boundaries()
    last = [m for m in section.markings if m.labelled and abs(m.offset - borders[-1]) < 0.05]
    inner = [m for m in section.markings if m.labelled and abs(m.offset - borders[-2]) < 0.05]
    others = [m for m in section.markings if m not in last and m not in inner]
    return others, last[0] if last else None, inner


def with_ramp(rng: np.random.Generator, section: CrossSection, start: float, *, joins: bool) -> CrossSection:
    """A lane that opens on the right at `start` and then leaves the road, with hatching where both part.

    One that `joins` is the same the other way round: the ramp comes from the right and meets the road at `start`.
    """
    others, edge, inner = _last_lines(section)
    if edge is None:
        return section
    width = section.lanes.width
    opened, parted = start + float(rng.uniform(30, 60)), start + float(rng.uniform(90, 160))
    far = parted + 120
    away = float(rng.uniform(6, 10) if joins else rng.uniform(6, 22))

    def along(*knots: tuple[float, float]) -> Knots:
        """Knots given in the direction in which the ramp leaves."""
        return tuple((start + parted - at, aside) for at, aside in reversed(knots)) if joins else knots

    def stretch(first: float, last: float) -> tuple[float, float]:
        """A stretch of the road given in that direction."""
        return (start + parted - last, start + parted - first) if joins else (first, last)

    outer = along((start, 0.0), (opened, width), (parted, width), (far, width + away))
    ramp = along((parted, 0.0), (far, away))
    stripe = edge.stripes[0]
    blocks = replace(stripe, painted=choose(rng, (1.0, 2.0, 3.0)), gap=choose(rng, (2.0, 3.0)), width=0.3)
    lines = (
        replace(edge, drift=outer),
        replace(edge, stripes=(blocks,), span=stretch(start + 8, parted)),
        replace(edge, span=stretch(parted, 1e5)),
        replace(edge, span=stretch(parted, 1e5), drift=ramp),
    )
    patches = hatching(rng, stretch(parted + 8, far), (edge.offset, ()), (edge.offset, ramp), stripe.colour)
    surface = replace(section.surface, right_drift=_wider(outer))
    changed = section.with_surface(surface)
    return replace(
        changed,
        bands=_verges_follow(changed, _wider(outer)),
        markings=(*others, *inner, *lines),
        patches=(*section.patches, *(patches if chance(rng, 0.7) else ())),
        barriers=tuple(b for b in section.barriers if b.offset < section.edges[1] - 0.5),
        room_right=width + away + 2,
    )


def _with_ending_lane(rng: np.random.Generator, section: CrossSection, start: float) -> CrossSection:
    """The rightmost lane ends: its outer line runs into the next one, the line between them stops."""
    others, edge, inner = _last_lines(section)
    if edge is None or not inner or section.lanes.right < 1:
        return section
    end = start + float(rng.uniform(50, 140))
    closing: Knots = ((start, 0.0), (end, -section.lanes.width))
    lines = (replace(edge, drift=closing), *(replace(m, span=(-1e5, start + 0.35 * (end - start))) for m in inner))
    stays = chance(rng, 0.5)
    changed = section if stays else section.with_surface(replace(section.surface, right_drift=closing))
    patches = section.patches
    if stays and chance(rng, 0.4):
        patches += hatching(
            rng, (start + 25, end + 60), (edge.offset, closing), (edge.offset, ()), edge.stripes[0].colour
        )
    return replace(changed, markings=(*others, *lines), patches=patches)


def _with_opening_lane(rng: np.random.Generator, section: CrossSection, start: float) -> CrossSection:
    """A further lane opens on the right, with a dashed line that begins there."""
    others, edge, inner = _last_lines(section)
    if edge is None:
        return section
    end = start + float(rng.uniform(25, 80))
    opening: Knots = ((start, 0.0), (end, section.lanes.width))
    dashes = replace(edge.stripes[0], painted=3.0, gap=choose(rng, (3.0, 6.0, 9.0)), width=0.15)
    begins = start + float(rng.uniform(0.4, 1.0)) * (end - start)
    lines = (replace(edge, drift=opening), replace(edge, stripes=(dashes,), span=(begins, 1e5)))
    changed = section.with_surface(replace(section.surface, right_drift=opening))
    return replace(
        changed,
        bands=_verges_follow(changed, opening),
        markings=(*others, *inner, *lines),
        room_right=section.lanes.width,
        barriers=tuple(b if b.offset < 0 else replace(b, breaks=((start, 1e5),)) for b in section.barriers),
    )


def _wider(knots: Knots) -> Knots:
    """The same course a little wider, for the asphalt beyond a line."""
    return tuple((at, aside + (0.5 if aside > 0 else 0.0)) for at, aside in knots)


def _verges_follow(section: CrossSection, drift: Knots) -> tuple[Band, ...]:
    """The bands, those that end right of the asphalt with their right border along its new course."""
    return tuple(
        replace(band, right_drift=drift) if band.right > section.edges[1] + 0.05 and band.span is None else band
        for band in section.bands
    )

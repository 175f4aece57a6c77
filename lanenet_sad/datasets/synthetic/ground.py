"""Everything that lies flat: asphalt, verges, shadows and paint, with the light on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.markings import paint_stripe
from lanenet_sad.datasets.synthetic.road import Band, Barrier, Colour, Road
from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile, sample_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView


@dataclass(frozen=True)
class Patch:
    """A quadrilateral on the road: an arrow's part, a crossing's bar, a repaired place, a manhole.

    Attributes:
        s: (start, end) along the road in metres.
        lateral: (left, right) in metres at the start.
        colour: RGB 0..255 in daylight.
        strength: how much of the ground it hides, 0..1.
        lateral_end: (left, right) at the end; None for the same as at the start.
    """

    s: tuple[float, float]
    lateral: tuple[float, float]
    colour: Colour
    strength: float = 0.85
    lateral_end: tuple[float, float] | None = None


def paint_ground(view: RoadView, road: Road, patches: tuple[Patch, ...], light: Light) -> FloatImage:
    """The ground rows of the canvas, (R, W, 3) float32, lit and hazed, without anything that stands on it.

    Inside, colours are planes (3, R, W): that is several times faster in NumPy.
    """
    width = view.camera.canvas_size[1]
    lateral = ((np.arange(width)[None, :] - view.centre[:, None]) * view.pixel_width[:, None]).astype(np.float32)
    ground = _surface(view, road, lateral)
    for patch in patches:
        _paint_patch(ground, view, patch, lateral)
    for marking in road.markings:
        for stripe in marking.stripes:
            paint_stripe(ground, view, marking, stripe)
    for barrier in road.barriers:
        _shade_beside(ground, view, barrier, light, lateral)
    if light.dapple > 0:
        ground *= _dapple(view, lateral, light, road.texture_start)
    _illuminate(ground, view, light)
    clear = light.clear_share(view.depth).astype(np.float32)[None, :, None]
    ground *= clear
    ground += (1 - clear) * np.asarray(light.horizon, dtype=np.float32)[:, None, None]
    return np.asarray(cv2.merge(tuple(ground)), dtype=np.float32)


def _surface(view: RoadView, road: Road, lateral: FloatImage) -> FloatImage:
    """Colours of verge and bands with their texture, (3, R, W)."""
    layers = np.empty((5, *lateral.shape), dtype=np.float32)
    layers[...] = _layer(road.verge)
    for band in road.bands:
        cover = _cover(view, lateral, band.left, band.right, band.softness)
        columns = _touched(cover)
        part = layers[:, :, columns]
        part += cover[:, columns] * (_layer(band) - part)
    grain, patches = _texture(view, lateral, road.texture_start)
    factor = 1.0 + layers[3] * grain + layers[4] * patches
    return np.asarray(layers[:3] * np.maximum(factor, 0.1), dtype=np.float32)


def _layer(band: Band) -> FloatImage:
    return np.array([*band.colour, band.grain, band.patches], dtype=np.float32)[:, None, None]


def _cover(view: RoadView, lateral: FloatImage, left: float, right: float, softness: float = 0.0) -> FloatImage:
    """Share of each pixel's width (or of `softness` metres) that lies between two lateral positions, (R, W)."""
    pixel = np.maximum(view.pixel_width, softness)[:, None].astype(np.float32)
    overlap = np.minimum(lateral + pixel / 2, right) - np.maximum(lateral - pixel / 2, left)
    return np.clip(overlap / pixel, 0.0, 1.0)


def _touched(cover: FloatImage) -> slice:
    """The columns that hold all of a cover map that is not zero."""
    columns = np.flatnonzero(cover.any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 0)


def _texture(view: RoadView, lateral: FloatImage, start: float) -> tuple[FloatImage, FloatImage]:
    """Fine grain and large patches, (R, W) each, about -1..1; details smaller than a pixel fade to their mean."""
    # The resampling counts in 16-bit numbers: 800 m at 18 pixels a metre fit in.
    beside = np.clip(lateral, -800, 800)

    def layer(exponent: float, number: int, across: float, along: float) -> FloatImage:
        """Noise of `across` and `along` tile pixels per metre."""
        rows = ((view.s + start) * along % TILE).astype(np.float32)[:, None]
        texture = sample_tile(noise_tile(exponent, number), beside * across, np.broadcast_to(rows, beside.shape))
        fade = np.minimum(1.0, 1.0 / np.maximum(view.pixel_length * along, view.pixel_width * across))
        return np.asarray(texture * fade[:, None].astype(np.float32), dtype=np.float32)

    grain = 0.6 * layer(0.4, 0, 18.0, 12.0) + 0.4 * layer(0.9, 1, 5.0, 1.6)
    patches = 0.5 * layer(1.1, 2, 3.0, 0.06) + 0.5 * layer(1.4, 5, 1.5, 0.7)
    return grain, patches


def _paint_patch(ground: FloatImage, view: RoadView, patch: Patch, lateral: FloatImage) -> None:
    """Paints a quadrilateral onto the ground in place, antialiased along and across."""
    start, end = patch.s
    half = view.pixel_length / 2
    along = (np.minimum(view.s + half, end) - np.maximum(view.s - half, start)) / (2 * half)
    rows = np.flatnonzero(along > 0)
    if len(rows) == 0:
        return
    share = np.clip((view.s[rows] - start) / (end - start), 0, 1)[:, None].astype(np.float32)
    last = patch.lateral_end or patch.lateral
    left = patch.lateral[0] * (1 - share) + last[0] * share
    right = patch.lateral[1] * (1 - share) + last[1] * share
    pixel = view.pixel_width[rows, None].astype(np.float32)
    here = lateral[rows]
    cover = np.clip((np.minimum(here + pixel / 2, right) - np.maximum(here - pixel / 2, left)) / pixel, 0, 1)
    cover *= patch.strength * np.clip(along[rows], 0, 1)[:, None].astype(np.float32)
    part = ground[:, rows]
    ground[:, rows] = part + cover * (np.asarray(patch.colour, dtype=np.float32)[:, None, None] - part)


def _shade_beside(ground: FloatImage, view: RoadView, barrier: Barrier, light: Light, lateral: FloatImage) -> None:
    """The shadow that a wall or rail throws on the ground beside it, in place."""
    if barrier.shadow == 0 or light.shadow == 0:
        return
    ends = sorted((barrier.offset, barrier.offset + barrier.shadow))
    cover = _cover(view, lateral, ends[0], ends[1])
    columns = _touched(cover)
    ground[:, :, columns] *= 1 - light.shadow * cover[:, columns]


def _dapple(view: RoadView, lateral: FloatImage, light: Light, start: float) -> FloatImage:
    """What the shadows of trees leave of the light, (R, W) 0..1."""
    slant = 0.25 * light.sun
    s = (view.s[:, None] + start).astype(np.float32)
    across = lateral * 2.2 % TILE
    along = (s * 5.0 + lateral * slant * 5.0) % TILE
    crowns = sample_tile(noise_tile(1.3, 6), across, along)
    grove = sample_tile(noise_tile(1.6, 7), lateral * 0.15 % TILE, s * 0.8 % TILE + 0 * lateral)
    shade = np.clip(1.4 * crowns + 1.6 * grove + 0.3, 0.0, 1.0)
    return np.asarray(1 - light.dapple * shade, dtype=np.float32)


def _illuminate(ground: FloatImage, view: RoadView, light: Light) -> None:
    """Multiplies the light onto the ground in place; by night computed coarsely, as it is smooth."""
    if not light.is_dark:
        ground *= np.asarray(light.ambient, dtype=np.float32)[:, None, None]
        return
    width = ground.shape[2]
    step = max(1, width // 100)
    columns = np.append(np.arange(0, width, step), width)
    x = (columns[None, :] - view.camera.canvas_centre_x) * view.depth[:, None] / view.camera.focal_x
    coarse = light.at(view.depth[:, None], x, view.s[:, None]).astype(np.float32)  # (R, K, 3)
    ground *= _between(np.moveaxis(coarse, -1, 0), columns, width)


def _between(coarse: FloatImage, columns: FloatArray, width: int) -> FloatImage:
    """Linear interpolation along rows: (3, R, K) given at `columns` -> (3, R, W)."""
    at = np.arange(width)
    index = np.clip(np.searchsorted(columns, at, side="right") - 1, 0, len(columns) - 2)
    share = ((at - columns[index]) / (columns[index + 1] - columns[index])).astype(np.float32)
    return np.asarray(coarse[..., index] * (1 - share) + coarse[..., index + 1] * share, dtype=np.float32)


def arrow(s: float, lateral: float, colour: Colour, length: float = 5.0) -> tuple[Patch, ...]:
    """A painted arrow that points ahead: a shaft and a head."""
    shaft = s + 0.6 * length
    return (
        Patch((s, shaft), (lateral - 0.08, lateral + 0.08), colour),
        Patch((shaft, s + length), (lateral - 0.35, lateral + 0.35), colour, lateral_end=(lateral, lateral)),
    )


def crossing(s: float, left: float, right: float, colour: Colour) -> tuple[Patch, ...]:
    """A zebra crossing: bars along the road, half a metre wide."""
    count = max(1, math.floor(right - left))
    return tuple(Patch((s, s + 3.5), (left + i + 0.25, left + i + 0.75), colour) for i in range(count))

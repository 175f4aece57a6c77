"""Everything that lies flat: asphalt, verges, shadows and paint, with the light on it."""

from __future__ import annotations

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.markings import Spans, follow, overlap, paint_stripe
from lanenet_sad.datasets.synthetic.road import Band, Barrier, Patch, Road
from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile, sample_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView

_UNDER_BRIDGE = 0.35  # darkness below a bridge where the sky alone gives light


def paint_ground(
    view: RoadView, road: Road, patches: tuple[Patch, ...], light: Light, bridges: Spans = ()
) -> FloatImage:
    """The ground rows of the canvas, (R, W, 3) float32, lit and hazed, without anything that stands on it.

    Inside, colours are planes (3, R, W): that is several times faster in NumPy.

    Args:
        view: the row table.
        road: what lies there for good.
        patches: other flat things.
        light: light and air.
        bridges: stretches of the road below a bridge.
    """
    width = view.camera.canvas_size[1]
    lateral = ((np.arange(width)[None, :] - view.centre[:, None]) * view.pixel_width[:, None]).astype(np.float32)
    ground = _surface(view, road, lateral)
    for patch in patches:
        _paint_patch(ground, view, patch, lateral)
    for marking in road.markings:
        for stripe in marking.stripes:
            paint_stripe(ground, view, marking, stripe)
    for cover in road.covers:
        _lay_cover(ground, view, cover, lateral, road.texture_start)
    for barrier in road.barriers:
        _shade_beside(ground, view, barrier, light, lateral)
    if not light.is_dark:
        for start, end in bridges:
            shadow = max(light.shadow, _UNDER_BRIDGE)
            ground *= (1 - shadow * overlap(view, start, end)).astype(np.float32)[:, None]
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
        rows, columns, cover = _band_cover(view, band, lateral)
        part = layers[:, rows, columns]
        part += cover * (_layer(band) - part)
    grain, patches = _texture(view, lateral, road.texture_start)
    factor = 1.0 + layers[3] * grain + layers[4] * patches
    return np.asarray(layers[:3] * np.maximum(factor, 0.1), dtype=np.float32)


def _band_cover(view: RoadView, band: Band, lateral: FloatImage) -> tuple[slice, slice, FloatImage]:
    """The rows and columns that a band touches, and how much of each of their pixels it covers."""
    rows = slice(0, len(view.s))
    if band.span is not None:
        along = overlap(view, *band.span).astype(np.float32)
        rows = _touched(along[None, :])
    left, right = band.left + follow(band.left_drift, view.s[rows]), band.right + follow(band.right_drift, view.s[rows])
    if band.ragged > 0:
        left = left + band.ragged * _crumbled(view.s[rows], 0)
        right = right + band.ragged * _crumbled(view.s[rows], 200)
    pixel_width = view.pixel_width[rows]
    shape = lateral.shape[1]
    zero = view.centre[rows]
    first = int(np.clip(np.floor((zero + (left - band.softness) / pixel_width).min(initial=shape)) - 1, 0, shape))
    last = int(np.clip(np.ceil((zero + (right + band.softness) / pixel_width).max(initial=0)) + 2, first, shape))
    columns = slice(first, last)
    cover = _cover(pixel_width, lateral[rows, columns], left[:, None], right[:, None], band.softness)
    if band.span is not None:
        cover *= along[rows, None]
    return rows, columns, cover * np.float32(band.opacity)


def _crumbled(s: FloatArray, shift: int) -> FloatArray:
    """How far a crumbling border is from its mean place, about -1..1."""
    tile = noise_tile(1.0, 8)[shift]
    at = s * 4.0
    before = np.floor(at).astype(np.int64)
    share = at - before
    return np.asarray(0.5 * (tile[before % TILE] * (1 - share) + tile[(before + 1) % TILE] * share))


def _lay_cover(ground: FloatImage, view: RoadView, band: Band, lateral: FloatImage, start: float) -> None:
    """Snow, dirt or water on top of ground and paint, in place; thin covers lie in patches."""
    rows, columns, cover = _band_cover(view, band, lateral)
    here = lateral[rows, columns]
    if here.size == 0:
        return
    s = (view.s[rows] + start).astype(np.float32)[:, None]
    beside = np.clip(here, -800, 800)
    rough = sample_tile(noise_tile(1.1, 2), beside * 4.0, np.broadcast_to(s * 3.0 % TILE, here.shape))
    uneven = np.clip(1 + rough * 2.5 * (1 - band.opacity), 0, 1.6)
    cover = np.clip(cover * uneven, 0, 1)
    shade = np.maximum(1 + 0.5 * band.patches * rough, 0.3)
    part = ground[:, rows, columns]
    part += cover * (np.asarray(band.colour, dtype=np.float32)[:, None, None] * shade - part)


def _layer(band: Band) -> FloatImage:
    return np.array([*band.colour, band.grain, band.patches], dtype=np.float32)[:, None, None]


def _cover(
    pixel_width: FloatArray,
    lateral: FloatImage,
    left: float | FloatArray,
    right: float | FloatArray,
    softness: float = 0.0,
) -> FloatImage:
    """Share of each pixel's width (or of `softness` metres) that lies between two lateral positions, (R, W)."""
    pixel = np.maximum(pixel_width, softness)[:, None].astype(np.float32)
    low, high = np.asarray(left, dtype=np.float32), np.asarray(right, dtype=np.float32)
    overlapping = np.minimum(lateral + pixel / 2, high) - np.maximum(lateral - pixel / 2, low)
    return np.asarray(np.clip(overlapping / pixel, 0.0, 1.0), dtype=np.float32)


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
    cover = _cover(view.pixel_width, lateral, ends[0], ends[1])
    for gap in barrier.breaks:
        cover *= (1 - overlap(view, *gap)).astype(np.float32)[:, None]
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

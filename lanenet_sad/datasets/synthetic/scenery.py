"""What stands beside the road: trees, bushes, poles, signs, buildings, bridges, guard rails and walls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.road import Barrier, Colour
from lanenet_sad.datasets.synthetic.shapes import Box, Lamps, fill, hull, prism
from lanenet_sad.datasets.synthetic.textures import FloatImage, noise_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.lane import Image

BRIDGE_DEPTH = 8.0
"""Metres of road below a bridge."""

_NUM_CROWNS = 12
_CROWN_SIZE = 128
_KERB_REACH = 120.0  # a kerb farther away is thinner than a pixel, and buildings may stand before it
_BLACK: Colour = (38.0, 38.0, 40.0)


@dataclass(frozen=True)
class Thing:
    """One thing that stands beside or over the road.

    Attributes:
        kind: what it is.
        s: distance along the road in metres.
        lateral: of its middle (of the side nearest the road for buildings) in metres.
        width: in metres; along the road for buildings, across it for everything else.
        height: in metres.
        colour: RGB 0..255 in daylight.
        number: which of the shapes of its kind.
    """

    kind: Literal["tree", "bush", "pole", "lamp", "sign", "building", "bridge"]
    s: float
    lateral: float
    width: float
    height: float
    colour: Colour
    number: int = 0


def draw_thing(canvas: Image, view: RoadView, thing: Thing, light: Light, lamps: Lamps) -> None:
    """Draws one thing in place; what stands beside or behind the camera is left out."""
    box = Box(view, thing.s, thing.lateral)
    x, depth = box.place()
    if thing.kind == "building":
        if thing.s + thing.width > view.pose.s + 6:
            _draw_building(canvas, view, thing, light, lamps)
        return
    if depth < 3.0 or abs(x) > 2.5 * depth + 8:
        return
    colour = light.seen(thing.colour, depth, x, thing.s)
    if thing.kind in ("tree", "bush"):
        _draw_plant(canvas, box, thing, colour, light)
    elif thing.kind == "sign":
        _draw_sign(canvas, box, thing, colour, light)
    elif thing.kind == "bridge":
        _draw_bridge(canvas, box, thing, colour)
    else:
        _draw_pole(canvas, box, thing, colour, light, lamps)


def _draw_plant(canvas: Image, box: Box, thing: Thing, colour: Colour, light: Light) -> None:
    half = thing.width / 2
    trunk_top = 0.35 * thing.height if thing.kind == "tree" else 0.0
    if trunk_top > 0:
        trunk = [(-0.15, 0, 0), (0.15, 0, 0), (0.1, trunk_top * 1.3, 0), (-0.1, trunk_top * 1.3, 0)]
        fill(canvas, box.pixels([(r, u, float(a)) for r, u, a in trunk]), np.asarray(colour) * 0.55)
    base = 0.7 * trunk_top
    low, high = box.pixels([(-half, base, 0.0), (half, thing.height, 0.0)])
    _blend_crown(canvas, low, high, colour, thing.number, light)


def _blend_crown(canvas: Image, low: FloatArray, high: FloatArray, colour: Colour, number: int, light: Light) -> None:
    """A crown of leaves between two opposite corners (left bottom, right top), in place."""
    left, right = round(low[0]), round(high[0])
    top, bottom = round(high[1]), round(low[1])
    height, width = canvas.shape[:2]
    if right - left < 1 or bottom - top < 1 or left >= width or right <= 0 or top >= height or bottom <= 0:
        return
    crown = _crowns()[number % _NUM_CROWNS]
    columns = slice(max(left, 0), min(right, width))
    rows = slice(max(top, 0), min(bottom, height))
    # Only the visible part of the crown is resampled: a near tree may be many times as large as the picture.
    scale = np.array([(right - left) / _CROWN_SIZE, (bottom - top) / _CROWN_SIZE])
    matrix = np.array([[scale[0], 0, left - columns.start], [0, scale[1], top - rows.start]])
    shape = (columns.stop - columns.start, rows.stop - rows.start)
    shrink = cv2.INTER_AREA if scale.max() < 1 else cv2.INTER_LINEAR
    if (left, top) == (columns.start, rows.start) and shape == (right - left, bottom - top):
        part = cv2.resize(crown, shape, interpolation=shrink)
    else:
        part = cv2.warpAffine(crown, matrix, shape, flags=cv2.INTER_LINEAR)
    cover, leaf = part[..., :1], part[..., 1:]
    contrast = 0.5 if light.shadow > 0.2 else 0.3
    behind = canvas[rows, columns]
    lit = np.asarray(colour, dtype=np.float32) * (1 + contrast * leaf)
    behind[...] = np.clip(behind + cover * (lit - behind), 0, 255)


@lru_cache(maxsize=1)
def _crowns() -> tuple[FloatImage, ...]:
    """Crowns of leaves, (S, S, 2) each: cover 0..1 and brightness -1..1."""
    crowns = []
    y, x = np.mgrid[-1 : 1 : _CROWN_SIZE * 1j, -1 : 1 : _CROWN_SIZE * 1j]
    rng = np.random.Generator(np.random.PCG64(20_261_124))
    for number in range(_NUM_CROWNS):
        rough = noise_tile(1.1, 20)[number * 30 :, number * 20 :][:_CROWN_SIZE, :_CROWN_SIZE]
        leaves = noise_tile(0.7, 21)[number * 25 :, number * 15 :][:_CROWN_SIZE, :_CROWN_SIZE]
        blob = np.full_like(x, -1.0)
        for _ in range(7):
            middle, radius = rng.uniform(-0.45, 0.45, 2), rng.uniform(0.3, 0.55)
            blob = np.maximum(blob, 1 - np.hypot(x - middle[0], y - middle[1]) / radius)
        cover = np.clip(6 * (blob + 0.22 * rough), 0, 1) * np.clip(12 * (1 - np.maximum(abs(x), abs(y))), 0, 1)
        brightness = np.clip(0.5 * leaves - 0.35 * y - 0.15 + 0.3 * rough, -1, 1)
        crowns.append(np.stack([cover, brightness], axis=-1).astype(np.float32))
    return tuple(crowns)


def _draw_pole(canvas: Image, box: Box, thing: Thing, colour: Colour, light: Light, lamps: Lamps) -> None:
    half = thing.width / 2
    up = thing.height
    fill(canvas, box.pixels([(-half, 0, 0), (half, 0, 0), (half * 0.6, up, 0), (-half * 0.6, up, 0)]), colour)
    if thing.kind == "lamp":
        reach = -2.2 if thing.lateral > 0 else 2.2
        arm = [(0.0, up - 0.1, 0.0), (reach, up + 0.25, 0.0), (reach, up + 0.38, 0.0), (0.0, up + 0.05, 0.0)]
        fill(canvas, box.pixels(arm), colour)
        if light.is_dark and light.lamp_spacing > 0:
            at = box.pixels([(reach, up + 0.2, 0.0)])[0]
            depth = box.place()[1]
            radius = max(0.16 * box.view.camera.focal_x / depth, 0.7)
            lamps.add(at, radius, (255.0, 214.0, 150.0), 0.9 * float(light.clear_share(depth)))


def _draw_sign(canvas: Image, box: Box, thing: Thing, colour: Colour, light: Light) -> None:
    half, up = thing.width / 2, thing.height
    low = up - 0.6 * thing.width
    x, depth = box.place()
    post = light.seen((120.0, 122.0, 125.0), depth, x, thing.s)
    fill(canvas, box.pixels([(-0.05, 0, 0), (0.05, 0, 0), (0.05, up, 0), (-0.05, up, 0)]), post)
    border = light.seen((225.0, 225.0, 225.0), depth, x, thing.s)
    plate = [(-half, low, 0.0), (half, low, 0.0), (half, up, 0.0), (-half, up, 0.0)]
    inner = [(0.9 * r, low + 0.06 + (u - low) * (1 - 0.12 / (up - low)), a) for r, u, a in plate]
    fill(canvas, box.pixels(plate), border)
    fill(canvas, box.pixels(inner), colour)
    for line in (0.35, 0.6):
        at = low + line * (up - low)
        text = [
            (-0.6 * half, at, 0.0),
            (0.4 * half, at, 0.0),
            (0.4 * half, at + 0.09, 0.0),
            (-0.6 * half, at + 0.09, 0.0),
        ]
        fill(canvas, box.pixels(text), border)


def _draw_bridge(canvas: Image, box: Box, thing: Thing, colour: Colour) -> None:
    half, up = thing.width / 2, thing.height
    sides = (-60.0, 60.0, 0.0, BRIDGE_DEPTH)
    deck = prism(sides, sides, up - 1.4, up)
    fill(canvas, hull(box.pixels(deck)), np.asarray(colour) * 0.55)
    face = [(-60.0, up - 1.2, 0.0), (60.0, up - 1.2, 0.0), (60.0, up, 0.0), (-60.0, up, 0.0)]
    fill(canvas, box.pixels(face), colour)
    for side in (-half, half):
        foot = (side - 0.6, side + 0.6, 1.0, BRIDGE_DEPTH - 1)
        post = prism(foot, foot, 0.0, up - 1.3)
        fill(canvas, hull(box.pixels(post)), np.asarray(colour) * 0.7)


def _draw_building(canvas: Image, view: RoadView, thing: Thing, light: Light, lamps: Lamps) -> None:
    """A block along the road: the wall that faces the road with rows of windows, and the one that faces us."""
    near = max(thing.s, view.pose.s + 5.0)
    far = max(thing.s + thing.width, near + 1.0)
    box = Box(view, near, thing.lateral)
    x, depth = box.place()
    outward = 10.0 if thing.lateral > 0 else -10.0
    length = far - near
    wall = light.seen(thing.colour, depth + length / 2, x, thing.s)
    front = [(0.0, 0.0, 0.0), (outward, 0.0, 0.0), (outward, thing.height, 0.0), (0.0, thing.height, 0.0)]
    side = [(0.0, 0.0, 0.0), (0.0, 0.0, length), (0.0, thing.height, length), (0.0, thing.height, 0.0)]
    if thing.s >= near:
        fill(canvas, box.pixels(front), np.asarray(wall) * 0.7)
    fill(canvas, box.pixels(side), wall)
    lamps.hide(hull(box.pixels([*front, *side])))
    glass = light.seen((70.0, 80.0, 95.0), depth + length / 2, x, thing.s)
    glow = (225.0, 190.0, 120.0)
    floors = int(thing.height // 3)
    # Windows stand at fixed places of the wall, so that they do not slide as the car drives by.
    first = int(np.ceil((near - thing.s) / 4.0))
    for column in range(first, int(thing.width // 4)):
        ahead = thing.s + 4.0 * column + 1.0 - near
        for floor in range(floors):
            up = 3.0 * floor + 1.0
            pane = [(0.0, up, ahead), (0.0, up, ahead + 2.0), (0.0, up + 1.5, ahead + 2.0), (0.0, up + 1.5, ahead)]
            lit = light.is_dark and (column * 7 + floor * 5 + thing.number) % 4 == 0
            fill(canvas, box.pixels(pane), glow if lit else glass)


def draw_barrier(canvas: Image, view: RoadView, barrier: Barrier, light: Light) -> None:
    """Draws a rail, wall or kerb along the road in place, in pieces so that light and haze can change along it."""
    reach = min(view.farthest() - view.pose.s - 1, _KERB_REACH if barrier.top < 0.3 else np.inf)
    s = view.pose.s + np.concatenate([[2.0], np.geomspace(3.0, max(reach, 4.0), 40)])
    if barrier.blocks > 0:
        first = math.ceil((view.pose.s + 2.0) / barrier.blocks) * barrier.blocks
        blocks = first + barrier.blocks * np.arange(50)
        s = np.unique(np.concatenate([s[s > blocks[-1]], blocks[blocks < view.farthest() - 1]]))
    x, depth, _ = view.ground_point(s, barrier.offset)
    keep = depth > 0.8
    s, x, depth = s[keep], x[keep], depth[keep]
    if len(s) < 2:
        return
    bottom = view.project(s, barrier.offset, barrier.bottom)
    top = view.project(s, barrier.offset, barrier.top)
    edge = view.project(s, barrier.offset, barrier.top - 0.14)
    if barrier.post_spacing > 0:
        _draw_posts(canvas, view, barrier, light)
    middle = (s[:-1] + s[1:]) / 2
    stands = [not any(start < at < end for start, end in barrier.breaks) for at in middle]
    for i in range(len(s) - 2, -1, -1):
        if not stands[i]:
            continue
        colour = light.seen(barrier.colour, depth[i], x[i], s[i])
        fill(canvas, np.array([bottom[i], bottom[i + 1], top[i + 1], top[i]]), colour)
        painted = barrier.blocks == 0 or int(middle[i] // barrier.blocks) % 2 == 0
        upper = (barrier.stripe if painted else _BLACK) or tuple(1.18 * value for value in barrier.colour)
        lit = light.seen(np.asarray(upper), depth[i], x[i], s[i])
        fill(canvas, np.array([edge[i], edge[i + 1], top[i + 1], top[i]]), lit)


def _draw_posts(canvas: Image, view: RoadView, barrier: Barrier, light: Light) -> None:
    spacing = barrier.post_spacing
    first = np.ceil((view.pose.s + 3.0) / spacing) * spacing
    for s in np.arange(first, min(first + 90.0, view.farthest()), spacing)[::-1]:
        if any(start < s < end for start, end in barrier.breaks):
            continue
        box = Box(view, float(s), barrier.offset)
        x, depth = box.place()
        if depth > 2.0:
            post = [(-0.06, 0.0, 0.0), (0.06, 0.0, 0.0), (0.06, barrier.top, 0.0), (-0.06, barrier.top, 0.0)]
            fill(canvas, box.pixels(post), light.seen(np.asarray(barrier.colour) * 0.7, depth, x, float(s)))

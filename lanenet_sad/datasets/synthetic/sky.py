"""What is above the ground: sky, clouds, distant hills and the treeline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.road import Colour
from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile, stretched_tile
from lanenet_sad.datasets.synthetic.view import RoadView

_TUNNEL_HEIGHT, _TUNNEL_WIDTH = 4.2, 8.0  # metres above and beside the camera


@dataclass(frozen=True)
class Ridge:
    """A silhouette along the horizon: hills, woods or roofs.

    Attributes:
        height: mean height in degrees above the horizon.
        roughness: how much the height varies, 0..1.
        colour: RGB 0..255 in daylight.
        haze: how much of it the air hides, 0..1.
        number: where in the noise its outline begins.
        blocky: outline in steps, as of buildings.
    """

    height: float
    roughness: float
    colour: Colour
    haze: float
    number: int
    blocky: bool = False


def paint_sky(view: RoadView, light: Light, ridges: tuple[Ridge, ...], number: int) -> FloatImage:
    """The canvas rows above the ground, (first_row, W, 3) float32.

    Args:
        view: the row table.
        light: colours of the sky.
        ridges: far to near.
        number: another sky of the same kind.
    """
    rows, width = view.first_row, view.camera.canvas_size[1]
    if rows == 0:
        return np.zeros((0, width, 3), dtype=np.float32)
    up = np.clip((rows - np.arange(rows)) / (0.3 * view.camera.focal_y), 0, 1).astype(np.float32)[:, None, None]
    low, high = np.asarray(light.horizon, np.float32), np.asarray(light.sky, np.float32)
    sky = np.repeat(low + (high - low) * up**0.7, width, axis=1)
    if light.ceiling:
        return _ceiling(view, light)
    if light.clouds > 0:
        _add_clouds(sky, light, number)
    for ridge in ridges:
        _add_ridge(sky, view, light, ridge)
    return sky


def _ceiling(view: RoadView, light: Light) -> FloatImage:
    """The inside of a tunnel above the road: walls, ceiling and two rows of lamps, (first_row, W, 3) float32."""
    camera, rows = view.camera, view.first_row
    towards = camera.canvas_centre_x - view.pose.yaw * camera.focal_x
    up = np.maximum((camera.canvas_horizon + 1 - np.arange(rows)) / camera.focal_y, 1e-4)[:, None]
    right = (np.arange(camera.canvas_size[1])[None, :] - towards) / camera.focal_x
    depth = np.minimum(_TUNNEL_HEIGHT / up, _TUNNEL_WIDTH / np.maximum(np.abs(right), 1e-4))
    aside = np.abs(right) * depth
    on_ceiling = np.abs(aside - _TUNNEL_WIDTH) > 1e-3
    spacing = max(light.lamp_spacing, 6.0)
    phase = ((depth + view.pose.s) / spacing) % 1
    lamps = on_ceiling & (np.abs(aside - 2.2) < 0.3) & (phase < 0.35) & (depth < 250)
    pool = 0.6 + 0.4 * np.cos(2 * np.pi * phase)
    fade = np.exp(-depth / 70)
    shade = 95 * (0.35 + pool * fade) * np.where(on_ceiling, 0.75, 1.0)
    painted = shade[..., None] * (np.asarray(light.ambient) + 0.4 * np.asarray(light.lamp_colour))
    painted += (lamps * (60 + 190 * fade))[..., None] * np.asarray(light.lamp_colour)
    return np.asarray(painted, dtype=np.float32)


def _add_clouds(sky: FloatImage, light: Light, number: int) -> None:
    rows, width = sky.shape[:2]
    size = (max(2, rows // 4), max(2, width // 4))
    cells = (10.0 + 40.0 * rows / width, 24.0)
    soft = stretched_tile(noise_tile(1.5, 8), size, cells, number)
    ragged = stretched_tile(noise_tile(1.0, 10), size, (6 * cells[0], 6 * cells[1]), number)
    cloud = np.asarray(soft + 0.25 * ragged, dtype=np.float32)
    cover = np.clip(0.35 * cloud - 0.6 + 1.2 * light.clouds, 0, 0.9)
    # The lower side of a cloud is grey: it is thicker above.
    above = np.roll(cloud, max(1, size[0] // 10), axis=0)
    shade = 1.0 - 0.1 * np.clip(cloud, 0, 2) - 0.12 * np.clip(above - cloud + 0.3, 0, 1.5)
    cover, shade = (cv2.resize(plane, (width, rows)).astype(np.float32)[..., None] for plane in (cover, shade))
    white = np.minimum(255.0, np.asarray(light.horizon, np.float32) * 1.14)
    sky += cover * (white * shade - sky)


def _add_ridge(sky: FloatImage, view: RoadView, light: Light, ridge: Ridge) -> None:
    rows, width = sky.shape[:2]
    per_degree = view.camera.focal_y * np.pi / 180
    # The outline turns with the camera as it yaws and with the road's direction far ahead.
    across = (np.arange(width) - view.camera.canvas_centre_x) / view.camera.focal_x * 160 + view.pose.yaw * 160
    outline = _outline(across + 37 * ridge.number, ridge)
    top = rows - np.maximum(ridge.height * (1 + ridge.roughness * outline), 0.05) * per_degree
    cover = np.clip(np.arange(rows)[:, None] + 0.5 - top[None, :], 0, 1)
    first = int(np.clip(np.floor(top.min()), 0, rows))
    lit = np.asarray(ridge.colour) * np.asarray(light.ambient)
    colour = lit * (1 - ridge.haze) + np.asarray(light.horizon) * ridge.haze
    shape = (rows - first, width)
    texture = stretched_tile(noise_tile(0.8, 9), shape, (shape[0] / 2 + 2, 300.0), ridge.number) if shape[0] > 0 else 0
    grain = 0.0 if ridge.blocky else 0.22 * (1 - ridge.haze) ** 2
    tinted = colour * (1 + grain * np.asarray(texture)[..., None])
    part = sky[first:]
    part += (cover[first:, :, None] * (tinted - part)).astype(np.float32)


def _outline(at: FloatImage, ridge: Ridge) -> FloatImage:
    """Height variation of a silhouette at (W,) positions, about -1..1."""
    line = noise_tile(1.0, 10)[ridge.number % TILE]
    if ridge.blocky:
        return np.asarray(line[(at / 3).astype(np.int64) % TILE])
    slow = noise_tile(1.5, 11)[ridge.number % TILE]
    smooth = np.interp(at % TILE, np.arange(TILE + 1), np.append(slow, slow[0]))
    rough = np.interp(at * 4 % TILE, np.arange(TILE + 1), np.append(line, line[0]))
    ruggedness = 0.25 * (1 - ridge.haze) ** 2
    return np.asarray((1 - ruggedness) * smooth + ruggedness * rough, dtype=np.float32)

"""Other vehicles: where they are, their shadow, and their lamps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.bodies import Body, Seen, VehicleKind, draw_body
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.road import Colour
from lanenet_sad.datasets.synthetic.shapes import Box, Lamps, fill, hull, prism, shade
from lanenet_sad.datasets.synthetic.textures import noise_tile, stretched_tile
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.lane import Image

_FINE = 22.0  # pixels per metre from which details are worth drawing


@dataclass(frozen=True)
class Vehicle:
    """A vehicle on the road or at its side.

    Attributes:
        s: distance along the road of the end that faces the ego car, at time 0.
        lateral: of its middle in metres.
        length: in metres.
        width: in metres.
        height: in metres.
        colour: RGB 0..255 in daylight.
        kind: the shape; some cars are drawn as motorbikes and some lorries as buses.
        speed: in m/s along the road; oncoming vehicles have a negative one.
        oncoming: whether it shows its front.
        braking: whether its brake lights are on.
    """

    s: float
    lateral: float
    length: float
    width: float
    height: float
    colour: Colour
    kind: VehicleKind = "car"
    speed: float = 0.0
    oncoming: bool = False
    braking: bool = False

    @property
    def number(self) -> int:
        """Which model of its kind: follows from its size, so that it stays the same during a drive."""
        return int(self.length * 100_003) % 997


def draw_vehicle(canvas: Image, view: RoadView, vehicle: Vehicle, light: Light, lamps: Lamps) -> None:
    """Draws one vehicle in place and adds its lamps to `lamps`; one that stands too near or too far is left out."""
    vehicle = _as_model(vehicle)
    box = Box(view, vehicle.s, vehicle.lateral)
    x, depth = box.place()
    if not depth > 1.5 or vehicle.s > view.farthest() - 30 or not _shows(view, vehicle):
        return

    # Low beams reach a vehicle's upright end more weakly than the ground before it.
    upright = 0.6 if light.is_dark else 1.0

    def seen(colour: FloatArray | Colour, brightness: float = 1.0) -> Colour:
        return light.seen(np.asarray(colour) * brightness * upright, depth, x, vehicle.s)

    half, length, height = vehicle.width / 2, vehicle.length, vehicle.height
    scale = view.camera.focal_x / depth
    footprint = box.pixels([(-half, 0, 0), (half, 0, 0), (half, 0, length), (-half, 0, length)])
    around = box.pixels(
        [(side * 1.15 * half, 0, at) for side, at in ((-1, -0.4), (1, -0.4), (1, length + 0.3), (-1, length + 0.3))]
    )
    shade(canvas, hull(around), 0.35, 0.3 * scale)
    shade(canvas, hull(footprint), 0.6 if light.shadow < 0.2 else 0.7, 0.08 * scale)
    if light.shadow > 0.15 and not light.is_dark:
        reach = light.sun * height
        cast = box.pixels([(0, 0, 0), (half + reach, 0, 0.2), (half + reach, 0, length), (0, 0, length)])
        shade(canvas, hull(cast), 0.9 * light.shadow, 0.05 * scale)
    solid = (-half, half, 0.0, length)
    lamps.hide(hull(box.pixels(prism(solid, solid, 0.0, 0.95 * height))))
    body = Body(
        kind=vehicle.kind,
        length=length,
        width=vehicle.width,
        height=height,
        colour=vehicle.colour,
        front=vehicle.oncoming,
        number=vehicle.number,
        fine=scale > _FINE * view.camera.canvas_size[1] / 800,
    )
    if body.fine:
        _draw_shaded(canvas, box, body, seen)
    else:
        draw_body(canvas, box, body, seen)
    _add_lamps(canvas, box, vehicle, light, lamps, scale)


def _draw_shaded(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """A near body with what its paint mirrors: brighter above than below, and uneven."""
    half = 1.1 * body.width / 2
    sides = (-half, half, -0.1, body.length)
    corners = box.pixels(prism(sides, sides, 0.0, 1.05 * body.height))
    height, width = canvas.shape[:2]
    low = np.clip(corners.min(axis=0), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, [width, height]).astype(int)
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    part = canvas[low[1] : high[1], low[0] : high[0]]
    before = part.copy()
    draw_body(canvas, box, body, seen)
    if min(size) < 8:
        return
    small = (max(2, size[0] // 8), max(2, size[1] // 8))
    uneven = stretched_tile(noise_tile(1.5, 11), small, (8.0, 10.0), body.number)
    bright = np.linspace(1.08, 0.86, small[0], dtype=np.float32)[:, None] + 0.09 * np.clip(uneven, -2, 2)
    factor = cv2.resize(bright.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    drawn = (part != before).any(axis=2)
    factor[~drawn] = 1.0
    part[...] = np.clip(part * factor[..., None], 0, 255)


def _as_model(vehicle: Vehicle) -> Vehicle:
    """The vehicle as its number says: now and then a motorbike for a car, or a bus for a lorry."""
    if vehicle.kind == "car" and vehicle.number % 25 == 1 and vehicle.speed != 0:
        return replace(vehicle, kind="motorbike", width=0.85, height=1.75)
    if vehicle.kind == "lorry" and vehicle.number % 4 == 1:
        return replace(vehicle, kind="bus", height=0.88 * vehicle.height)
    if vehicle.kind == "car" and vehicle.number % 5 == 2:  # an off-roader
        return replace(vehicle, height=1.16 * vehicle.height, width=1.04 * vehicle.width)
    return vehicle


def _shows(view: RoadView, vehicle: Vehicle) -> bool:
    """Whether the vehicle's near end stands within the picture."""
    corners = Box(view, vehicle.s, vehicle.lateral).pixels(
        [(-vehicle.width / 2, 0, 0), (vehicle.width / 2, vehicle.height, vehicle.length)]
    )
    height, width = view.camera.canvas_size
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(high[0] > -width and low[0] < 2 * width and high[1] > 0 and high[1] < 6 * height)


def _lamp_shape(vehicle: Vehicle) -> tuple[float, float, float, float]:
    """(inner, outer, low, high) of a lamp: shares of half the width, and metres above the road."""
    height = vehicle.height
    if vehicle.kind == "motorbike":
        return 0.0, 0.16, 0.8, 0.9
    if vehicle.kind == "van":
        return 0.84, 0.97, 0.3 * height, (0.3 if vehicle.oncoming else 0.42) * height
    if vehicle.kind in ("lorry", "bus"):
        up = 0.2 * height
        return 0.66, 0.92, up - 0.09, up + 0.09
    if vehicle.oncoming:
        return 0.6, 0.95, 0.43 * height, 0.52 * height
    model = vehicle.number % 4
    if model == 0:  # upright lamps at the corners
        return 0.78, 0.97, 0.42 * height, 0.62 * height
    inner = (0.0, 0.5, 0.62, 0.7)[model]
    return inner, 0.96, 0.46 * height, (0.53, 0.57, 0.59, 0.6)[model] * height


def _add_lamps(canvas: Image, box: Box, vehicle: Vehicle, light: Light, lamps: Lamps, scale: float) -> None:
    half = vehicle.width / 2
    inner, outer, low, high = _lamp_shape(vehicle)
    x, depth = box.place()
    clear = float(light.clear_share(depth))
    lit = light.is_dark or light.rain > 0.3 or light.visibility < 120
    base: Colour = (205.0, 212.0, 220.0) if vehicle.oncoming else (128.0, 16.0, 18.0)
    shine: Colour = (255.0, 246.0, 224.0) if vehicle.oncoming else (255.0, 40.0, 28.0)
    if vehicle.oncoming:
        power, radius = (2.2, 0.15) if light.is_dark else (0.4, 0.09)
    else:
        power, radius = (0.9 if vehicle.braking else 0.45) * (1.0 if light.is_dark else 0.45), 0.09
    sides = (1,) if vehicle.kind == "motorbike" else (-1, 1)
    for side in sides:
        left, right = side * inner * half, side * outer * half
        if vehicle.kind == "motorbike":
            left = -right
        glass = [(left, low, -0.04), (right, low, -0.04), (right, high, -0.04), (left, high, -0.04)]
        corners = box.pixels(glass)
        fill(canvas, corners, light.seen(base, depth, x, vehicle.s))
        if scale > _FINE and not vehicle.oncoming and vehicle.kind == "car":
            strip = [(left, high - 0.03, -0.05), (right, high - 0.03, -0.05), (right, high, -0.05), (left, high, -0.05)]
            fill(canvas, box.pixels(strip), light.seen((196.0, 60.0, 52.0), depth, x, vehicle.s))
        if lit or vehicle.braking:
            lamps.add(corners.mean(axis=0), max(radius * scale, 0.6), shine, power * clear)

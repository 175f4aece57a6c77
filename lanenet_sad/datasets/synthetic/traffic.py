"""Other vehicles: cars, vans and lorries as a few projected solids with windows, lights and a shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.road import Colour
from lanenet_sad.datasets.synthetic.shapes import Box, Lamps, fill, hull, prism, shade
from lanenet_sad.datasets.synthetic.view import FloatArray, RoadView
from lanenet_sad.lanes.lane import Image

_GLASS: Colour = (38.0, 44.0, 52.0)
_RUBBER: Colour = (22.0, 22.0, 24.0)

VehicleKind = Literal["car", "van", "lorry"]


class _Seen(Protocol):
    """How a daylight colour, made darker or brighter, looks at the vehicle's place."""

    def __call__(self, colour: FloatArray | Colour, brightness: float = 1.0) -> Colour: ...


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
        kind: the shape.
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


def draw_vehicle(canvas: Image, view: RoadView, vehicle: Vehicle, light: Light, lamps: Lamps) -> None:
    """Draws one vehicle in place and adds its lamps to `lamps`; one that stands too near or too far is left out."""
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
    shade(canvas, hull(footprint), 0.45 if light.shadow < 0.2 else 0.6, 0.12 * scale)
    if light.shadow > 0.15 and not light.is_dark:
        reach = light.sun * height
        cast = box.pixels([(0, 0, 0), (half + reach, 0, 0.2), (half + reach, 0, length), (0, 0, length)])
        shade(canvas, hull(cast), 0.9 * light.shadow, 0.05 * scale)
    solid = (-half, half, 0.0, length)
    lamps.hide(hull(box.pixels(prism(solid, solid, 0.0, 0.95 * height))))
    if vehicle.kind == "car":
        _draw_car(canvas, box, vehicle, seen)
    else:
        _draw_tall(canvas, box, vehicle, seen)
    _add_lamps(canvas, box, vehicle, light, lamps, scale)


def _shows(view: RoadView, vehicle: Vehicle) -> bool:
    """Whether the vehicle's near end stands within the picture."""
    corners = Box(view, vehicle.s, vehicle.lateral).pixels(
        [(-vehicle.width / 2, 0, 0), (vehicle.width / 2, vehicle.height, vehicle.length)]
    )
    height, width = view.camera.canvas_size
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(high[0] > -width and low[0] < 2 * width and high[1] > 0 and high[1] < 6 * height)


def _draw_car(canvas: Image, box: Box, vehicle: Vehicle, seen: _Seen) -> None:
    half, length, height = vehicle.width / 2, vehicle.length, vehicle.height
    waist, roof = 0.6 * height, height
    paint = vehicle.colour
    _draw_wheels(canvas, box, vehicle, seen)
    body = (-half, half, 0.0, length)
    fill(canvas, hull(box.pixels(prism(body, body, 0.13 * height, 0.5 * height))), seen(paint, 0.62))
    shoulder = (-0.94 * half, 0.94 * half, 0.1, length - 0.3)
    fill(canvas, hull(box.pixels(prism(body, shoulder, 0.48 * height, waist))), seen(paint, 0.8))
    near, far = (0.24, 0.30) if vehicle.oncoming else (0.04, 0.34)
    base = (-0.9 * half, 0.9 * half, near * length, (1 - far / 2) * length * 0.92)
    top = (-0.7 * half, 0.7 * half, (near + 0.14) * length, (1 - far) * length)
    fill(canvas, hull(box.pixels(prism(base, top, waist, roof))), seen(paint, 0.72))
    for side in (-1, 1):
        glass = [
            (side * 0.89 * half, waist + 0.02, (near + 0.05) * length),
            (side * 0.72 * half, roof - 0.09, (near + 0.16) * length),
            (side * 0.72 * half, roof - 0.09, (1 - far - 0.02) * length),
            (side * 0.89 * half, waist + 0.02, (1 - far / 2) * length * 0.86),
        ]
        if side * box.place()[0] < -half:
            fill(canvas, box.pixels(glass), seen(_GLASS))
    lid = [(-0.7 * half, roof, top[2]), (0.7 * half, roof, top[2]), (0.7 * half, roof, top[3])]
    fill(canvas, hull(box.pixels([*lid, (-0.7 * half, roof, top[3])])), seen(paint, 1.1))
    _draw_car_end(canvas, box, vehicle, seen, near)


def _draw_car_end(canvas: Image, box: Box, vehicle: Vehicle, seen: _Seen, near: float) -> None:
    """The end of a car that faces the camera: window, lid, bumper and plate."""
    half, length, height = vehicle.width / 2, vehicle.length, vehicle.height
    waist, paint = 0.6 * height, vehicle.colour
    window = [
        (-0.82 * half, waist + 0.03, (near + 0.01) * length),
        (0.82 * half, waist + 0.03, (near + 0.01) * length),
        (0.64 * half, height - 0.08, (near + 0.13) * length),
        (-0.64 * half, height - 0.08, (near + 0.13) * length),
    ]
    fill(canvas, box.pixels(window), seen(_GLASS, 1.25))
    edge = 0.94 * half
    end = [(-half, 0.2 * height, 0.0), (half, 0.2 * height, 0.0), (half, 0.48 * height, 0.0)]
    end += [(edge, waist, 0.1), (-edge, waist, 0.1), (-half, 0.48 * height, 0.0)]
    fill(canvas, box.pixels(end), seen(paint, 0.95))
    low, high = 0.13 * height, 0.27 * height
    bumper = [(-half, low, 0.0), (half, low, 0.0), (half, high, 0.0), (-half, high, 0.0)]
    fill(canvas, box.pixels(bumper), seen(np.asarray(paint) * 0.4 + 12))
    plate = [(-0.26, 0.33 * height, 0.0), (0.26, 0.33 * height, 0.0)]
    plate += [(0.26, 0.41 * height, 0.0), (-0.26, 0.41 * height, 0.0)]
    fill(canvas, box.pixels(plate), seen((200.0, 200.0, 190.0)))


def _draw_tall(canvas: Image, box: Box, vehicle: Vehicle, seen: _Seen) -> None:
    """A van or a lorry: one box, a window or doors on the end that faces the camera."""
    half, length, height = vehicle.width / 2, vehicle.length, vehicle.height
    _draw_wheels(canvas, box, vehicle, seen)
    floor = 0.16 * height if vehicle.kind == "van" else 0.26 * height
    shape = (-half, half, 0.0, length)
    fill(canvas, hull(box.pixels(prism(shape, shape, floor, height))), seen(vehicle.colour, 0.65))
    end = [(-half, floor, 0.0), (half, floor, 0.0), (half, height, 0.0), (-half, height, 0.0)]
    fill(canvas, box.pixels(end), seen(vehicle.colour, 0.92))
    if vehicle.kind == "van" or vehicle.oncoming:
        low, high = (0.52, 0.86) if vehicle.kind == "van" else (0.45, 0.72)
        glass = [(-0.85 * half, low * height, 0.0), (0.85 * half, low * height, 0.0)]
        glass += [(0.78 * half, high * height, 0.0), (-0.78 * half, high * height, 0.0)]
        fill(canvas, box.pixels(glass), seen(_GLASS, 1.1))
    else:
        seam = [(-0.02, floor, 0.0), (0.02, floor, 0.0), (0.02, height, 0.0), (-0.02, height, 0.0)]
        fill(canvas, box.pixels(seam), seen(vehicle.colour, 0.6))
    bar = [(-half, floor - 0.25, 0.0), (half, floor - 0.25, 0.0), (half, floor, 0.0), (-half, floor, 0.0)]
    fill(canvas, box.pixels(bar), seen((45.0, 45.0, 48.0)))


def _draw_wheels(canvas: Image, box: Box, vehicle: Vehicle, seen: _Seen) -> None:
    half, length = vehicle.width / 2, vehicle.length
    radius = 0.33 if vehicle.kind == "car" else 0.45
    angles = np.linspace(0, 2 * np.pi, 13)
    for middle in (0.19 * length, 0.8 * length):
        for side in (-1, 1):
            rim = [
                (side * (half + 0.01 - inner), radius + radius * np.sin(a), middle + radius * np.cos(a))
                for inner in (0.0, 0.22)
                for a in angles
            ]
            fill(canvas, hull(box.pixels(rim)), seen(_RUBBER))
    under = (-0.9 * half, 0.9 * half, 0.25, length - 0.3)
    fill(canvas, hull(box.pixels(prism(under, under, 0.06, 0.5))), seen(_RUBBER, 0.6))
    tyres = [(side * half * 0.98, 0.0, 0.15) for side in (-1, 1)]
    for right, up, ahead in tyres:
        inner = right * 0.78
        tread = [(right, up, ahead), (inner, up, ahead), (inner, 0.4, ahead), (right, 0.4, ahead)]
        fill(canvas, box.pixels(tread), seen(_RUBBER))


def _add_lamps(canvas: Image, box: Box, vehicle: Vehicle, light: Light, lamps: Lamps, scale: float) -> None:
    half, height = vehicle.width / 2, vehicle.height
    up = (0.5 if vehicle.kind == "car" else 0.3 if vehicle.kind == "van" else 0.24) * height
    clear = float(light.clear_share(box.place()[1]))
    lit = light.is_dark or light.rain > 0.3 or light.visibility < 120
    for side in (-1, 1):
        outer, inner = side * 0.97 * half, side * 0.7 * half
        glass = [(outer, up - 0.07, 0.0), (inner, up - 0.07, 0.0), (inner, up + 0.07, 0.0), (outer, up + 0.07, 0.0)]
        corners = box.pixels(glass)
        x, depth = box.place()
        base: Colour = (215.0, 220.0, 225.0) if vehicle.oncoming else (150.0, 22.0, 22.0)
        fill(canvas, corners, light.seen(base, depth, x, vehicle.s))
        if lit or vehicle.braking:
            shine: Colour = (255.0, 244.0, 215.0) if vehicle.oncoming else (255.0, 40.0, 28.0)
            power = 1.0 if vehicle.oncoming else (0.8 if vehicle.braking else 0.45)
            day = 1.0 if light.is_dark else 0.4
            lamps.add(corners.mean(axis=0), max(0.09 * scale, 0.6), shine, power * clear * day)

"""The bodies of other vehicles, as rounded solids in the axes of their box: metres right, up and ahead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from lanenet_sad.datasets.synthetic.road import Colour
from lanenet_sad.datasets.synthetic.shapes import Box, fill, hull
from lanenet_sad.datasets.synthetic.view import FloatArray
from lanenet_sad.lanes.lane import Image

Point = tuple[float, float, float]

_GLASS: Colour = (34.0, 40.0, 48.0)
_SKY_IN_GLASS: Colour = (92.0, 104.0, 116.0)
_RUBBER: Colour = (20.0, 20.0, 22.0)
_PLASTIC: Colour = (40.0, 41.0, 43.0)
_PLATE: Colour = (205.0, 205.0, 195.0)
_STEEL: Colour = (120.0, 122.0, 126.0)

VehicleKind = Literal["car", "van", "lorry", "bus", "motorbike"]


class Seen(Protocol):
    """How a daylight colour, made darker or brighter, looks at the vehicle's place."""

    def __call__(self, colour: FloatArray | Colour, brightness: float = 1.0) -> Colour:
        """RGB 0..255 on the canvas."""
        ...


@dataclass(frozen=True)
class Body:
    """What a vehicle looks like.

    Attributes:
        kind: the sort of vehicle.
        length: in metres.
        width: in metres.
        height: in metres.
        colour: RGB 0..255 in daylight.
        front: whether it shows its front.
        number: which model of its kind.
        fine: whether it is near enough for details.
    """

    kind: VehicleKind
    length: float
    width: float
    height: float
    colour: Colour
    front: bool
    number: int
    fine: bool


@dataclass(frozen=True)
class _Cabin:
    """Where the glass of a car begins and ends, as shares of its length from the rear, and of its height."""

    rear_base: float
    rear_top: float
    front_top: float
    front_base: float
    waist: float


_CABINS = (
    _Cabin(0.16, 0.29, 0.60, 0.76, 0.62),  # saloon
    _Cabin(0.03, 0.15, 0.58, 0.78, 0.60),  # hatchback
    _Cabin(0.02, 0.08, 0.62, 0.80, 0.57),  # off-roader
    _Cabin(0.02, 0.10, 0.62, 0.78, 0.61),  # estate
    _Cabin(0.20, 0.36, 0.60, 0.78, 0.64),  # coupé
)


def draw_body(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """Draws a vehicle without its lamps, in place."""
    if body.kind == "motorbike":
        _draw_motorbike(canvas, box, body, seen)
        return
    _draw_wheels(canvas, box, body, seen)
    (_draw_car if body.kind == "car" else _draw_tall)(canvas, box, body, seen)
    _draw_wheel_faces(canvas, box, body, seen)


@lru_cache(maxsize=64)
def _round_corners(exponent: float, points: int = 20) -> FloatArray:
    """A superellipse about the origin that reaches from -1 to 1, (N, 2)."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False) + np.pi / points
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([np.sign(part) * np.abs(part) ** (2 / exponent) for part in (cosine, sine)], axis=1)


def _plate(half: float, low: float, high: float, ahead: float, exponent: float = 6.0) -> list[Point]:
    """A rounded rectangle across the vehicle."""
    shape = _round_corners(exponent)
    up = (low + high) / 2 + shape[:, 1] * (high - low) / 2
    return [(float(x), float(y), ahead) for x, y in zip(shape[:, 0] * half, up, strict=True)]


def _patch(canvas: Image, box: Box, corners: list[Point], colour: Colour) -> None:
    fill(canvas, box.pixels(corners), colour)


def _rectangle(left: float, right: float, low: float, high: float, ahead: float = 0.0) -> list[Point]:
    return [(left, low, ahead), (right, low, ahead), (right, high, ahead), (left, high, ahead)]


def _draw_car(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """Lower body, cabin with its glass, and the end that faces the camera."""
    half, length, height, paint = body.width / 2, body.length, body.height, body.colour
    cabin = _CABINS[body.number % len(_CABINS)]
    waist = cabin.waist * height
    sections = [
        _plate(0.86 * half, 0.24 * height, waist - 0.12 * height, length),
        _plate(half, 0.15 * height, waist - 0.04 * height, 0.86 * length),
        _plate(half, 0.14 * height, waist, 0.55 * length),
        _plate(half, 0.15 * height, waist, 0.05 * length),
        _plate(0.96 * half, 0.2 * height, waist - 0.03 * height, 0.0),
    ]
    outlines = [box.pixels(section) for section in sections]
    for far, near, shade in zip(outlines[:-1], outlines[1:], (0.55, 0.6, 0.66, 0.85), strict=True):
        fill(canvas, hull(np.concatenate([far, near])), seen(paint, shade))
    base, top, far_top, far_base = _cabin_stations(cabin, front=body.front)
    _draw_cabin(canvas, box, body, seen, (base * length, top * length, far_top * length, far_base * length), waist)
    fill(canvas, outlines[-1], seen(paint, 0.92))
    _draw_car_end(canvas, box, body, seen, waist)


def _cabin_stations(cabin: _Cabin, *, front: bool) -> tuple[float, float, float, float]:
    if front:
        return 1 - cabin.front_base, 1 - cabin.front_top, 1 - cabin.rear_top, 1 - cabin.rear_base
    return cabin.rear_base, cabin.rear_top, cabin.front_top, cabin.front_base


def _draw_cabin(
    canvas: Image, box: Box, body: Body, seen: Seen, stations: tuple[float, float, float, float], waist: float
) -> None:
    half, roof, paint = body.width / 2, body.height, body.colour
    base, top, far_top, far_base = stations
    wide, narrow = 0.92 * half, 0.74 * half
    shell = [(side * wide, waist - 0.05, at) for side in (-1, 1) for at in (base, far_base)]
    for at in (top, far_top):
        shell += [(side * narrow, roof - 0.05, at) for side in (-1, 1)]
        shell += [(side * 0.8 * narrow, roof, at) for side in (-1, 1)]
    fill(canvas, hull(box.pixels(shell)), seen(paint, 0.75))
    for side in (-1, 1):
        if side * box.place()[0] < -half:
            glass = [(side * wide, waist + 0.02, base + 0.1), (side * wide, waist + 0.02, far_base - 0.15)]
            glass += [(side * narrow, roof - 0.1, far_top), (side * narrow, roof - 0.1, top)]
            _patch(canvas, box, glass, seen(_GLASS))
    lid = [(side * 0.8 * narrow, roof, at) for side, at in ((-1, top), (1, top), (1, far_top), (-1, far_top))]
    _patch(canvas, box, lid, seen(np.asarray(paint) * 0.9 + 18, 1.1))
    deck = [(side * wide, waist - 0.01, at) for side, at in ((-1, 0.1), (1, 0.1), (1, base), (-1, base))]
    _patch(canvas, box, deck, seen(np.asarray(paint) * 0.9 + 16, 1.1))
    # The window that faces the camera leans: its upper part mirrors the sky.
    low, high = waist + 0.02, roof - 0.07

    def across(share: float, width: float) -> list[Point]:
        up, at = low + (high - low) * share, base + (top - base) * share
        edge = (0.86 + (0.68 - 0.86) * share) * half * width
        return [(-edge, up, at - 0.01), (edge, up, at - 0.01)]

    _patch(canvas, box, [*across(0.0, 0.97), *across(0.12, 1.0)[::-1], *across(0.0, 0.97)[:1]], seen(_GLASS))
    window = [*across(0.06, 1.0), *across(0.93, 1.0)[::-1]]
    window[2:2] = [(across(0.97, 0.96)[1])]
    window.append(across(0.97, 0.96)[0])
    _patch(canvas, box, window, seen(_GLASS, 1.15))
    if body.fine:
        _patch(canvas, box, [*across(0.55, 0.97), *across(0.95, 0.94)[::-1]], seen(_SKY_IN_GLASS, 0.8))
        for seat in (-0.42, 0.42):
            head = _plate(0.13, low + 0.02, low + 0.5 * (high - low), base + 0.6 * (top - base))
            _patch(canvas, box, [(x + seat * half, y, z) for x, y, z in head], seen(_RUBBER, 1.2))


def _draw_car_end(canvas: Image, box: Box, body: Body, seen: Seen, waist: float) -> None:
    """Bumper, plate, lid and grille."""
    half, height, paint = body.width / 2, body.height, body.colour
    _patch(canvas, box, _plate(0.97 * half, 0.12 * height, 0.27 * height, -0.01), seen(_PLASTIC, 1.0))
    bumper = seen(np.asarray(paint) * (0.8 if body.number % 3 else 0.3) + 8, 0.9)
    _patch(canvas, box, _plate(half, 0.22 * height, 0.37 * height, -0.03), bumper)
    if body.fine:
        light = seen(np.asarray(paint) * 0.85 + 34)
        _patch(canvas, box, _rectangle(-0.86 * half, 0.86 * half, waist - 0.075, waist - 0.045), light)
        _patch(canvas, box, _rectangle(-0.8 * half, 0.8 * half, 0.37 * height, 0.375 * height, -0.04), seen(paint, 0.5))
    if body.front:
        _patch(canvas, box, _plate(0.5 * half, 0.36 * height, 0.48 * height, -0.04), seen(_PLASTIC, 0.6))
    up = (0.27 if body.front or body.number % 2 else 0.43) * height
    if body.number % 7:
        _patch(canvas, box, _rectangle(-0.26, 0.26, up, up + 0.11, -0.05), seen(_PLATE))


def _draw_tall(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """A van, a bus or a lorry: one rounded box with doors or windows on the end that faces the camera."""
    half, length, height = body.width / 2, body.length, body.height
    floor = {"van": 0.16, "bus": 0.11}.get(body.kind, 0.26) * height
    tank = body.kind == "lorry" and body.number % 9 == 0 and not body.front
    exponent = 2.3 if tank else 7.0 if body.kind == "van" else 14.0
    paint = _STEEL if tank else body.colour
    near, far = (box.pixels(_plate(half, floor, height, at, exponent)) for at in (0.0, length))
    fill(canvas, hull(np.concatenate([near, far])), seen(paint, 0.64))
    if body.kind != "lorry":
        _draw_side_windows(canvas, box, body, seen)
    fill(canvas, near, seen(paint, 0.92))
    if tank:
        _patch(canvas, box, _plate(0.7 * half, floor + 0.5, height - 0.5, -0.02, 2.3), seen(paint, 1.05))
    elif body.kind == "lorry" and not body.front:
        _draw_doors(canvas, box, body, seen, floor)
    else:
        _draw_tall_window(canvas, box, body, seen)
    bar = _rectangle(-0.95 * half, 0.95 * half, max(floor - 0.25, 0.25), floor + (0.5 if tank else 0.0))
    _patch(canvas, box, bar, seen(_PLASTIC))
    if body.kind == "lorry":
        low = _rectangle(-0.9 * half, 0.9 * half, 0.42, 0.55)
        stripe = seen((190.0, 60.0, 40.0) if body.number % 3 == 0 else _PLASTIC)
        _patch(canvas, box, low, stripe)
    _patch(canvas, box, _rectangle(-0.26, 0.26, max(floor - 0.1, 0.35), max(floor - 0.1, 0.35) + 0.11), seen(_PLATE))


def _draw_side_windows(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """The row of a bus's windows, or the front doors of a van, on the side that shows."""
    half, length, height = body.width / 2, body.length, body.height
    low, high = (0.45 * height, 0.82 * height)
    count = int(length / 1.6) if body.kind == "bus" else 1
    first = 0.06 * length if body.kind == "bus" or body.front else 0.72 * length
    step = (0.9 * length) / count if body.kind == "bus" else 0.2 * length
    for side in (-1, 1):
        if side * box.place()[0] < -half:
            for number in range(count):
                start, end = first + number * step, first + (number + 0.9) * step
                x = side * half
                corners = [(x, low, start), (x, low, end), (x, high, end), (x, high, start)]
                _patch(canvas, box, corners, seen(_GLASS))


def _draw_tall_window(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    half, height = body.width / 2, body.height
    low, high = {"van": (0.52, 0.86), "bus": (0.42, 0.86) if body.front else (0.55, 0.82)}.get(body.kind, (0.45, 0.72))
    if body.kind == "van" and not body.front and body.number % 3 == 0:  # a panel van has no rear window
        _patch(canvas, box, _rectangle(-0.012, 0.012, 0.2 * height, 0.95 * height, -0.01), seen(body.colour, 0.55))
        return
    _patch(canvas, box, _plate(0.86 * half, low * height, high * height, -0.02, 8.0), seen(_GLASS, 1.1))
    if body.fine:
        middle = (0.6 * low + 0.4 * high) * height
        sky = _rectangle(-0.8 * half, 0.8 * half, middle, 0.98 * high * height, -0.03)
        _patch(canvas, box, sky, seen(_SKY_IN_GLASS, 0.7))
    if body.kind == "bus":
        board = _rectangle(-0.5 * half, 0.5 * half, 0.89 * height, 0.95 * height, -0.02)
        _patch(canvas, box, board, seen((60.0, 50.0, 20.0)))


def _draw_doors(canvas: Image, box: Box, body: Body, seen: Seen, floor: float) -> None:
    """The rear doors of a lorry: a frame, the gap between them and their lock bars."""
    half, height, paint = body.width / 2, body.height, body.colour
    _patch(canvas, box, _rectangle(-0.93 * half, 0.93 * half, floor + 0.1, height - 0.1, -0.01), seen(paint, 0.84))
    _patch(canvas, box, _rectangle(-0.02, 0.02, floor, height, -0.02), seen(paint, 0.5))
    if body.fine and body.number % 2:
        for bar in (-0.55, -0.2, 0.2, 0.55):
            x = bar * half
            _patch(canvas, box, _rectangle(x - 0.02, x + 0.02, floor, height - 0.1, -0.02), seen(_STEEL, 1.2))
    elif body.number % 4 == 2:  # a company's name
        sign = _rectangle(-0.6 * half, 0.6 * half, 0.62 * height, 0.74 * height, -0.02)
        _patch(canvas, box, sign, seen((170.0, 40.0, 40.0) if sum(paint) > 300 else (210.0, 210.0, 200.0)))


def _draw_wheels(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """The dark below the vehicle and its tyres; the body is drawn over their upper parts."""
    half, length = body.width / 2, body.length
    under = [_plate(0.92 * half, 0.08, 0.5, at) for at in (0.25, length - 0.3)]
    fill(canvas, hull(box.pixels([*under[0], *under[1]])), seen(_RUBBER, 0.6))
    for middle in (0.82 * length, 0.19 * length):
        for side in (-1, 1):
            tyre = [*_wheel(body, side, middle), *_wheel(body, side, middle, inner=0.22)]
            fill(canvas, hull(box.pixels(tyre)), seen(_RUBBER))
    radius = _wheel_radius(body)
    for side in (-1, 1):
        left, right = sorted((side * half * 0.96, side * half * 0.96 - side * 0.22))
        tread = _plate((right - left) / 2, 0.0, 2 * radius, 0.12)
        _patch(canvas, box, [(x + (left + right) / 2, y, z) for x, y, z in tread], seen(_RUBBER))


def _draw_wheel_faces(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """Arches, tyres and rims on the side that shows."""
    side = -1 if box.place()[0] > 0 else 1
    if not body.fine or side * box.place()[0] > -body.width / 2:
        return
    for middle in (0.82 * body.length, 0.19 * body.length):
        _patch(canvas, box, _wheel(body, side, middle, reach=1.12), seen(_RUBBER, 0.5))
        _patch(canvas, box, _wheel(body, side, middle, reach=0.98), seen(_RUBBER, 1.2))
        _patch(canvas, box, _wheel(body, side, middle, reach=0.6), seen(_STEEL, 0.35 + 0.1 * (body.number % 5)))
        _patch(canvas, box, _wheel(body, side, middle, reach=0.18), seen(_RUBBER, 2.0))


def _wheel_radius(body: Body) -> float:
    return {"car": 0.33, "van": 0.36}.get(body.kind, 0.48)


def _wheel(body: Body, side: int, middle: float, *, reach: float = 1.0, inner: float = 0.0) -> list[Point]:
    """A circle about a wheel's middle, `inner` metres within the vehicle's side; never below the road."""
    radius = _wheel_radius(body)
    x = side * (body.width / 2 + 0.01 - inner)
    circle = radius * reach * _round_corners(2.0, 14)
    return [(x, max(radius + up, 0.0), middle + along) for along, up in circle.tolist()]


def _draw_motorbike(canvas: Image, box: Box, body: Body, seen: Seen) -> None:
    """A rider on a motorbike or scooter: wheel, body, legs, jacket and helmet."""
    half, paint = body.width / 2, body.colour
    jacket: Colour = ((36.0, 38.0, 44.0), (120.0, 40.0, 36.0), (200.0, 196.0, 188.0), (60.0, 80.0, 120.0))[
        body.number % 4
    ]
    _patch(canvas, box, _plate(0.09, 0.0, 0.62, 0.0, 4.0), seen(_RUBBER))
    _patch(canvas, box, _plate(0.28 * half, 0.42, 0.95, 0.0, 4.0), seen(paint, 0.9))
    for side in (-1, 1):
        leg = [(0.2 * side * half, 0.9, 0.0), (0.75 * side * half, 0.75, 0.0), (0.6 * side * half, 0.2, 0.0)]
        _patch(canvas, box, [*leg, (0.35 * side * half, 0.2, 0.0)], seen(_PLASTIC, 1.2))
        arm = [(0.4 * side * half, 1.4, 0.1), (0.98 * side * half, 1.12, 0.1), (0.8 * side * half, 0.98, 0.1)]
        _patch(canvas, box, [*arm, (0.3 * side * half, 1.15, 0.1)], seen(jacket, 0.8))
    _patch(canvas, box, _plate(0.6 * half, 0.85, 1.5, 0.0, 3.5), seen(jacket))
    _patch(canvas, box, _plate(0.13, 1.46, 1.76, 0.0, 2.2), seen((200.0, 200.0, 205.0) if body.number % 2 else _RUBBER))
    _patch(canvas, box, _rectangle(-0.1, 0.1, 0.66, 0.78, -0.01), seen(_PLATE))

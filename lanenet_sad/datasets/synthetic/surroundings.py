"""Draws what surrounds the road: plants, posts, buildings, hills, other vehicles and paint that is no lane line."""

from __future__ import annotations

import numpy as np

from lanenet_sad.datasets.synthetic.bodies import VehicleKind
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty, Setting
from lanenet_sad.datasets.synthetic.draws import chance, choose, grey, tinted
from lanenet_sad.datasets.synthetic.markings import WHITE
from lanenet_sad.datasets.synthetic.road import Colour, Patch, Road
from lanenet_sad.datasets.synthetic.road_paint import arrow, chevrons, crossing, draw_lettering
from lanenet_sad.datasets.synthetic.scenery import Thing
from lanenet_sad.datasets.synthetic.sky import Ridge
from lanenet_sad.datasets.synthetic.traffic import Vehicle

_LEAVES: tuple[Colour, ...] = ((62, 82, 40), (78, 92, 44), (48, 66, 40), (112, 96, 48), (90, 84, 60))
_WALLS: tuple[Colour, ...] = ((176, 160, 138), (150, 120, 100), (190, 188, 182), (134, 136, 142), (168, 132, 104))
_CARS: tuple[Colour, ...] = (
    (214, 216, 218),
    (188, 190, 194),
    (132, 136, 142),
    (64, 66, 70),
    (32, 33, 36),
    (140, 28, 30),
    (36, 58, 112),
    (90, 84, 72),
)
_KINDS: tuple[VehicleKind, ...] = ("car", "van", "lorry")
_SIGHT = 170.0


def draw_ridges(rng: np.random.Generator, setting: Setting) -> tuple[Ridge, ...]:
    """Silhouettes along the horizon, far to near."""
    ridges = []
    if chance(rng, 0.55) and setting != "city":
        height, haze = float(rng.uniform(0.8, 5.0)), float(rng.uniform(0.35, 0.75))
        ridges.append(Ridge(height, 0.5, tinted(rng, (86.0, 96.0, 92.0), 0.1), haze, int(rng.integers(500))))
    if setting == "city" or chance(rng, 0.1):
        roofs = Ridge(float(rng.uniform(2, 5)), 0.5, grey(rng, 90, 150), 0.4, int(rng.integers(500)), blocky=True)
        ridges.append(roofs)
    height = float(rng.uniform(0.4, 2.6))
    ridges.append(Ridge(height, 0.45, tinted(rng, choose(rng, _LEAVES), 0.1), 0.2, int(rng.integers(500))))
    return tuple(ridges)


def draw_things(rng: np.random.Generator, road: Road, setting: Setting, travel: float) -> tuple[Thing, ...]:
    """Everything that stands beside or over the road for the next `travel` metres and what is seen beyond."""
    things: list[Thing] = []
    for edge, outward in ((road.edges[0], -1), (road.edges[1] + road.room_right, 1)):
        near = 14.0 if setting == "highway" and outward < 0 else 1.5
        things += _draw_plants(rng, edge + outward * near, outward, travel, setting)
        things += _draw_poles(rng, edge + outward * 1.2, travel, setting)
        if setting == "city" and chance(rng, 0.8):
            things += _draw_buildings(rng, edge + outward * float(rng.uniform(4, 9)), travel)
        if chance(rng, 0.35):
            at = float(rng.uniform(15, 110 + travel))
            plate = choose(rng, ((24, 84, 150), (20, 104, 70), (190, 40, 36), (220, 196, 60)))
            width = float(rng.uniform(0.7, 3.0))
            things.append(Thing("sign", at, edge + outward * (1.0 + width / 2), width, 2.2 + 0.6 * width, plate))
    if setting == "highway" and chance(rng, 0.12):
        span = road.edges[1] - road.edges[0] + 4
        middle = (road.edges[0] + road.edges[1]) / 2
        at = float(rng.uniform(40, 150 + travel))
        things.append(Thing("bridge", at, middle, span, float(rng.uniform(6.2, 7.5)), grey(rng, 120, 170)))
    return tuple(things)


def _draw_plants(rng: np.random.Generator, start: float, outward: int, travel: float, setting: Setting) -> list[Thing]:
    """Trees and bushes of one side: sparse, or a row, or a wood."""
    spacing = choose(rng, (4.0, 9.0, 25.0, 80.0), (1, 2, 2, 1)) * (2.5 if setting == "city" else 1.0)
    leaves, bushes = choose(rng, _LEAVES), rng.uniform(0.1, 0.9)
    plants = []
    for _ in range(int((_SIGHT + travel) / spacing) + 1):
        bush = chance(rng, bushes)
        height = float(rng.uniform(0.6, 2.5) if bush else rng.uniform(4.5, 13.0))
        width = height * float(rng.uniform(1.0, 2.2) if bush else rng.uniform(0.55, 0.95))
        lateral = start + outward * (0.5 * width + float(rng.exponential(6.0)))
        at = float(rng.uniform(4, _SIGHT + travel))
        colour = tinted(rng, leaves, 0.12)
        plants.append(Thing("bush" if bush else "tree", at, lateral, width, height, colour, int(rng.integers(12))))
    return plants


def _draw_poles(rng: np.random.Generator, lateral: float, travel: float, setting: Setting) -> list[Thing]:
    """Delineator posts, lamp posts or telegraph poles at equal distances."""
    if not chance(rng, 0.8 if setting == "city" else 0.45):
        return []
    weights = (3, 1, 0.3, 0.05) if setting == "city" else (1, 1.5, 2, 0.3)
    kind = choose(rng, ("lamp", "pole", "post", "snow pole"), weights)
    spacing = {"lamp": 35.0, "pole": 45.0, "post": 25.0, "snow pole": 20.0}[kind] * float(rng.uniform(0.8, 1.2))
    height = {"lamp": 8.5, "pole": 8.0, "post": 1.0, "snow pole": 2.3}[kind] * float(rng.uniform(0.85, 1.15))
    colour = grey(rng, 205, 235) if kind == "post" else grey(rng, 70, 140)
    if kind == "snow pole":
        colour = choose(rng, ((224.0, 92.0, 36.0), (226.0, 200.0, 60.0), (190.0, 40.0, 36.0)))
    width = {"lamp": 0.22, "pole": 0.22, "post": 0.12, "snow pole": 0.07}[kind]
    start = float(rng.uniform(5, 5 + spacing))
    return [
        Thing("lamp" if kind == "lamp" else "pole", float(at), lateral, width, height, colour)
        for at in np.arange(start, _SIGHT + travel, spacing)
    ]


def _draw_buildings(rng: np.random.Generator, lateral: float, travel: float) -> list[Thing]:
    buildings, at = [], float(rng.uniform(-20, 25))
    while at < 140 + travel:
        length = float(rng.uniform(12, 40))
        wall = tinted(rng, choose(rng, _WALLS), 0.1)
        buildings.append(Thing("building", at, lateral, length, float(rng.uniform(5, 24)), wall, int(rng.integers(50))))
        at += length + (float(rng.uniform(3, 30)) if chance(rng, 0.5) else 0.0)
    return buildings


def draw_patches(rng: np.random.Generator, road: Road, setting: Setting, travel: float) -> tuple[Patch, ...]:
    """Paint and repairs on the road that are no lane lines: arrows, crossings, stop lines, mended asphalt."""
    patches: list[Patch] = []
    low, high = road.edges
    for _ in range(choose(rng, (0, 1, 2, 4), (4, 2, 1, 1))):
        start, left = float(rng.uniform(4, 80 + travel)), float(rng.uniform(low, high - 0.5))
        shade = float(rng.uniform(35, 120))
        size = float(rng.uniform(1, 12)), float(rng.uniform(0.5, 2.5))
        right = min(left + size[1], high)
        patches.append(
            Patch((start, start + size[0]), (left, right), (shade, shade, shade), float(rng.uniform(0.1, 0.5)))
        )
    if any(marking.labelled for marking in road.markings):
        patches += _draw_lane_symbols(rng, road, setting, travel)
    return (*road.patches, *patches)


def _draw_lane_symbols(rng: np.random.Generator, road: Road, setting: Setting, travel: float) -> list[Patch]:
    """Arrows, words, chevrons, crossings and stop lines."""
    patches: list[Patch] = []
    white = tinted(rng, WHITE, 0.05)
    own_lanes = range(-road.lanes_left + road.oncoming_left, road.lanes_right + 1)
    if chance(rng, 0.05 if setting == "rural" else 0.22):
        at, length = float(rng.uniform(5, 60 + travel)), float(rng.uniform(3.5, 7))
        turns = {lane: choose(rng, (0, 0, -1, 1)) if chance(rng, 0.5) else 0 for lane in own_lanes}
        for lane, turn in turns.items():
            patches += arrow(at, lane * road.lane_width, white, length=length, turn=turn)
    if chance(rng, 0.1):
        at = float(rng.uniform(5, 45 + travel))
        patches += draw_lettering(rng, at, choose(rng, tuple(own_lanes)) * road.lane_width, white)
    if chance(rng, 0.03):
        patches += chevrons(float(rng.uniform(3, 30 + travel)), 0.0, white, count=int(rng.integers(2, 6)))
    if setting == "city" and chance(rng, 0.15):
        at = float(rng.uniform(12, 50))
        patches += crossing(at, *road.edges, white)
        patches.append(Patch((at - 2.0, at - 1.6), (-road.lane_width / 2, road.lane_width / 2), white))
    return patches


def draw_vehicles(
    rng: np.random.Generator, road: Road, setting: Setting, difficulty: Difficulty, travel: float, ego_speed: float
) -> tuple[Vehicle, ...]:
    """The traffic of all lanes, parked cars, and the cars of the opposite carriageway.

    Speeds are about `ego_speed` (m/s), so that over `travel` metres nobody drives into anybody.
    """
    if difficulty == "easy":
        spacing = choose(rng, (60.0, 120.0, 250.0), (1, 2, 2))
    else:
        spacing = choose(rng, (14.0, 30.0, 70.0, 200.0), (1.6, 2.5, 3, 2.4))
    vehicles: list[Vehicle] = []
    for lane in range(-road.lanes_left, road.lanes_right + 1):
        oncoming = lane < -road.lanes_left + road.oncoming_left
        nearest = (22.0 if difficulty == "easy" else 9.0) if lane == 0 else 2.5
        lateral = lane * road.lane_width - (road.median if oncoming else 0.0)
        vehicles += _draw_queue(rng, lateral, nearest, spacing, travel, ego_speed, oncoming=oncoming)
    if setting == "highway":
        for lateral in (road.edges[0] - 8.0, road.edges[0] - 11.5):
            vehicles += _draw_queue(rng, lateral, 12.0, 1.5 * spacing, travel, ego_speed, oncoming=True)
    if setting == "city":
        outermost = (
            -(road.lanes_left + 0.5) * road.lane_width - road.median,
            (road.lanes_right + 0.5) * road.lane_width,
        )
        for edge, border, side in zip(road.edges, outermost, (-1, 1), strict=True):
            if side * (edge - border) > 1.5:
                facing = side < 0 and road.oncoming_left > 0
                vehicles += _draw_parked(rng, edge - 1.1 * side, travel, oncoming=facing)
    return tuple(vehicles)


def _draw_parked(rng: np.random.Generator, lateral: float, travel: float, *, oncoming: bool) -> list[Vehicle]:
    """The cars along one kerb, with gaps."""
    places = np.arange(float(rng.uniform(3, 12)), 90 + travel, 6.5)
    return [_draw_vehicle(rng, float(at), lateral, speed=0.0, oncoming=oncoming) for at in places if chance(rng, 0.6)]


def _draw_queue(
    rng: np.random.Generator,
    lateral: float,
    nearest: float,
    spacing: float,
    travel: float,
    ego_speed: float,
    *,
    oncoming: bool,
) -> list[Vehicle]:
    """The vehicles of one lane; the one ahead of the ego car does not come nearer."""
    vehicles, at = [], nearest + float(rng.exponential(0.6 * spacing))
    pace = float(rng.normal(0, 0.8))
    reach = 130 + 2 * travel if oncoming else 130
    while at < reach:
        own = abs(pace) if nearest > 5 else pace
        speed = -0.9 * ego_speed if oncoming else max(0.0, ego_speed + own)
        aside = lateral + float(rng.normal(0, 0.2))
        vehicle = _draw_vehicle(rng, at, aside, speed=speed, oncoming=oncoming)
        vehicles.append(vehicle)
        at += vehicle.length + 4 + float(rng.exponential(spacing))
    return vehicles


def _draw_vehicle(rng: np.random.Generator, s: float, lateral: float, *, speed: float, oncoming: bool) -> Vehicle:
    kind = choose(rng, _KINDS, (7.5, 1.3, 1.2))
    length, width, height = {"car": (4.4, 1.8, 1.48), "van": (5.2, 1.95, 2.1), "lorry": (11.0, 2.5, 3.6)}[kind]
    size = rng.normal(1, 0.06)
    paints = _CARS if kind == "car" or chance(rng, 0.4) else _CARS[:3]
    colour = tinted(rng, choose(rng, paints), 0.06)
    braking = not oncoming and chance(rng, 0.2)
    return Vehicle(
        s, lateral, length * size, width * min(size, 1.08), height * rng.normal(1, 0.05), colour, kind, speed, oncoming,
        braking,
    )  # fmt: skip

"""Manoeuvres of a drive: lane changes, drifts onto a line and back, and a car that cuts in close ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from lanenet_sad.datasets.synthetic.bodies import VehicleKind
from lanenet_sad.datasets.synthetic.draws import choose, tinted
from lanenet_sad.datasets.synthetic.labels import road_lines
from lanenet_sad.datasets.synthetic.road import Road
from lanenet_sad.datasets.synthetic.scene import Scene
from lanenet_sad.datasets.synthetic.traffic import Vehicle
from lanenet_sad.datasets.synthetic.view import Pose
from lanenet_sad.lanes.driving import Side

Manoeuvre = Literal["none", "lane_change_left", "lane_change_right", "drift_left", "drift_right", "cut_in"]

CHANGE_SECONDS = 4.0
DRIFT_SECONDS = (2.0, 0.8, 2.2)  # to the line, along it, back
CLOSEST = 0.6  # metres between camera and line at the end of a drift: the wheels of a car 1.8 m wide are 0.3 m over it
_CUT_IN_SECONDS = 2.5
_OVERTAKING = 3.0  # m/s by which the vehicle that cuts in is faster
_CUT_IN_GAP = 4.0  # metres ahead of the camera at which it begins
_KEPT_GAP = 40.0
_INTRUDERS: tuple[tuple[VehicleKind, float, float, float], ...] = (("car", 4.4, 1.8, 1.48), ("van", 5.2, 1.95, 2.1))


class NoRoomError(ValueError):
    """The road of a drive has no lane or no line where a manoeuvre needs one."""


@dataclass(frozen=True)
class Step:
    """A smooth move aside: at rest before and after, without a jerk at either end."""

    start: float
    seconds: float
    metres: float

    def at(self, time: float) -> tuple[float, float]:
        """(metres to the right of where it began, metres per second)."""
        u = min(max((time - self.start) / self.seconds, 0.0), 1.0)
        share = u**3 * (10 - 15 * u + 6 * u**2)
        rate = 30 * u**2 * (1 - u) ** 2 / self.seconds
        return self.metres * share, self.metres * rate


@dataclass(frozen=True)
class Intruder:
    """A vehicle that overtakes and cuts in.

    Attributes:
        vehicle: as it begins to cut in, in its own lane.
        move: how it comes over.
        origin: (metres along the road at time 0, metres per second) of the ego car.
    """

    vehicle: Vehicle
    move: Step
    origin: tuple[float, float]

    def at(self, time: float) -> Vehicle:
        """The vehicle where it is after `time` seconds."""
        gap = min(_CUT_IN_GAP + _OVERTAKING * (time - self.move.start), _KEPT_GAP)
        s = self.origin[0] + self.origin[1] * time + gap
        return replace(self.vehicle, s=s, lateral=self.vehicle.lateral + self.move.at(time)[0])


@dataclass(frozen=True)
class Plan:
    """What a manoeuvre changes about a drive; signs are those of the road, which a mirrored picture flips.

    Attributes:
        vehicles: the traffic at time 0, with room made where the manoeuvre needs it.
        steps: how the ego car moves aside.
        intruder: who cuts in.
        span: (start, end) in seconds; None for no manoeuvre.
    """

    vehicles: tuple[Vehicle, ...]
    steps: tuple[Step, ...] = ()
    intruder: Intruder | None = None
    span: tuple[float, float] | None = None

    def aside(self, time: float) -> tuple[float, float]:
        """(metres, metres per second) to the right of the course without a manoeuvre."""
        moves = [step.at(time) for step in self.steps]
        return sum(metres for metres, _ in moves), sum(rate for _, rate in moves)


def plan_manoeuvre(
    scene: Scene, manoeuvre: Manoeuvre, start: float, usual: Callable[[float], Pose], rng: np.random.Generator
) -> Plan:
    """Works out a manoeuvre on the road of a scene.

    Args:
        scene: the scene.
        manoeuvre: what to do; left and right are those of the picture.
        start: second at which it begins.
        usual: where the ego car would be at a time without it.
        rng: for the looks of a vehicle that cuts in.

    Raises:
        NoRoomError: the road has no lane or no line where one is needed.
        ValueError: an unknown manoeuvre or a negative start.
    """
    if manoeuvre not in get_args(Manoeuvre) or not start >= 0:
        raise ValueError(
            f"Synthetic drive: expected one of the manoeuvres {', '.join(get_args(Manoeuvre))} and a start of 0 s or "
            f"later, got {manoeuvre!r} at {start} s."
        )
    if manoeuvre == "none":
        return Plan(scene.vehicles)
    if manoeuvre == "cut_in":
        return _cut_in(scene, start, usual, rng)
    side: Side = "left" if manoeuvre.endswith("left") else "right"
    towards = 1 if (side == "right") is not scene.mirrored else -1
    plan = _lane_change if manoeuvre.startswith("lane_change") else _drift
    return plan(scene, start, usual, towards, side)


def _lane_change(scene: Scene, start: float, usual: Callable[[float], Pose], towards: int, side: Side) -> Plan:
    road = scene.road
    if (road.lanes_right if towards > 0 else road.lanes_left - road.oncoming_left) < 1:
        raise NoRoomError(_refusal(f"a lane of the same direction on the {side}"))
    target = towards * road.lane_width
    vehicles = []
    for vehicle in scene.vehicles:
        if _drives_in(vehicle, target, road) and not vehicle.oncoming:
            vehicle = replace(vehicle, speed=max(vehicle.speed, scene.ego_speed))
            if _gap(vehicle, usual, start) < 14:
                continue
        vehicles.append(vehicle)
    return Plan(tuple(vehicles), (Step(start, CHANGE_SECONDS, target),), span=(start, start + CHANGE_SECONDS))


def _drift(scene: Scene, start: float, usual: Callable[[float], Pose], towards: int, side: Side) -> Plan:
    out, along, back = DRIFT_SECONDS
    pose = usual(start + out + along / 2)
    at = np.array([pose.s])
    lines = [float(pieces[0].offset_at(at)[0]) for pieces in road_lines(scene.road)]
    distances = [towards * (line - pose.lateral) for line in lines]
    near = [distance for distance in distances if 0 < distance < scene.road.lane_width]
    if not near:
        raise NoRoomError(_refusal(f"a line on the {side}"))
    reach = towards * max(min(near) - CLOSEST, 0.0)
    steps = (Step(start, out, reach), Step(start + out + along, back, -reach))
    return Plan(scene.vehicles, steps, span=(start, start + out + along + back))


def _cut_in(scene: Scene, start: float, usual: Callable[[float], Pose], rng: np.random.Generator) -> Plan:
    road = scene.road
    lanes = [
        -road.lane_width if road.lanes_left > road.oncoming_left else None,
        road.lane_width if road.lanes_right else None,
        -road.lane_width - road.median if road.lanes_left and road.oncoming_left == road.lanes_left else None,
    ]
    origin = next((lane for lane in lanes if lane is not None), None)
    if origin is None:
        raise NoRoomError(_refusal("a second lane"))
    vehicles = []
    for vehicle in scene.vehicles:
        gap, free = _gap(vehicle, usual, start), (-20, 160) if vehicle.oncoming else (-40, 60)
        in_the_way = _drives_in(vehicle, 0.0, road) or _drives_in(vehicle, origin, road)
        if not (in_the_way and free[0] < gap < free[1]):
            vehicles.append(vehicle)
    kind, length, width, height = choose(rng, _INTRUDERS, (3, 1))
    colour = tinted(rng, choose(rng, ((200.0, 200.0, 202.0), (40.0, 42.0, 46.0), (150.0, 34.0, 36.0))), 0.06)
    vehicle = Vehicle(0.0, origin, length, width, height, colour, kind, speed=scene.ego_speed + _OVERTAKING)
    first = usual(0.0)
    intruder = Intruder(vehicle, Step(start, _CUT_IN_SECONDS, -origin), (first.s, scene.ego_speed))
    return Plan(tuple(vehicles), intruder=intruder, span=(start, start + _CUT_IN_SECONDS))


def _drives_in(vehicle: Vehicle, lateral: float, road: Road) -> bool:
    return vehicle.speed != 0 and abs(vehicle.lateral - lateral) < road.lane_width / 2


def _gap(vehicle: Vehicle, usual: Callable[[float], Pose], time: float) -> float:
    """Metres from the camera to the vehicle's nearer end."""
    return vehicle.s + vehicle.speed * time - usual(time).s


def _refusal(wanted: str) -> str:
    return (
        f"Synthetic drive: expected a road with {wanted} for this manoeuvre, got one without. "
        "`drives_with` finds drives that have one."
    )

"""A scene: everything that the renderer needs to know, drawn from (seed, index)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.conditions import draw_camera, draw_photo
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import chance, choose
from lanenet_sad.datasets.synthetic.labels import LaneLabels, label_lanes
from lanenet_sad.datasets.synthetic.layouts import draw_road, draw_setting
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.photo import Photo
from lanenet_sad.datasets.synthetic.road import Colour, Patch, Road
from lanenet_sad.datasets.synthetic.scenery import Thing
from lanenet_sad.datasets.synthetic.sky import Ridge
from lanenet_sad.datasets.synthetic.surroundings import draw_patches, draw_ridges, draw_things, draw_vehicles
from lanenet_sad.datasets.synthetic.traffic import Vehicle
from lanenet_sad.datasets.synthetic.view import Pose, RoadView, look
from lanenet_sad.datasets.synthetic.weather import Weather, draw_light, draw_weather

_SHARP_CURVE = 1 / 260
_CROWD = 5
_TUNNEL_GROUND: Colour = (122.0, 120.0, 114.0)


@dataclass(frozen=True)
class Scene:
    """A piece of road with all that is on, beside and above it, and the camera that looks at it.

    Attributes:
        camera: the camera.
        pose: of the ego car at time 0.
        ego_speed: in m/s.
        road: course, ground, paint and barriers.
        light: light and air.
        photo: how the camera develops.
        weather: the kind of weather.
        vehicles: other traffic at time 0.
        things: what stands beside the road.
        patches: flat things that are no lane lines.
        ridges: silhouettes at the horizon, far to near.
        sky_number: which sky.
        mirrored: whether the picture is flipped left to right (left-hand traffic).
    """

    camera: Camera
    pose: Pose
    ego_speed: float
    road: Road
    light: Light
    photo: Photo
    weather: Weather
    vehicles: tuple[Vehicle, ...]
    things: tuple[Thing, ...]
    patches: tuple[Patch, ...]
    ridges: tuple[Ridge, ...]
    sky_number: int
    mirrored: bool

    def view(self, pose: Pose | None = None) -> RoadView:
        """The row table of what is seen from a pose, by default the scene's own."""
        return look(self.camera, self.road.alignment, self.pose if pose is None else pose)

    def labels(self, view: RoadView, num_lanes: int) -> LaneLabels:
        """The labelled lines of a view; no pixel is painted."""
        return label_lanes(view, self.road, self.light, mirrored=self.mirrored, num_lanes=num_lanes)

    def category(self, labels: LaneLabels) -> str:
        """What is special about the scene with these labels, in CULane's words.

        night, noline (a border of the ego lane has no visible line), dazzle, crowd, shadow, curve, arrow or normal;
        the first that holds.
        """
        near = [v for v in self.vehicles if 0 < v.s < 60 and self.road.edges[0] < v.lateral < self.road.edges[1]]
        kinds = {
            "night": self.weather == "night",
            "noline": not labels.between_lines,
            "dazzle": self.weather == "dazzle",
            "crowd": len(near) >= _CROWD,
            "shadow": self.weather == "shadow",
            "curve": abs(self.road.alignment.curvature_at(np.array([30.0]))[0]) > _SHARP_CURVE,
            "arrow": any(p.is_arrow for p in self.patches),
        }
        return next((kind for kind, holds in kinds.items() if holds), "normal")


def draw_scene(
    rng: np.random.Generator, image_size: tuple[int, int], difficulty: Difficulty, *, travel: float = 0.0
) -> Scene:
    """Draws a scene.

    Args:
        rng: the scene's own generator.
        image_size: (height, width) of the picture.
        difficulty: `easy` is daylight, gentle curves, clear paint and little traffic; `mixed` is everything.
        travel: metres that the ego car will drive through the scene.

    Raises:
        ValueError: an unknown difficulty, or a picture too small to show a road.
    """
    if difficulty not in get_args(Difficulty):
        raise ValueError(
            f"Synthetic scene: expected difficulty {' or '.join(get_args(Difficulty))}, got {difficulty!r}."
        )
    if min(image_size) < 32:
        raise ValueError(
            f"Synthetic scene: expected an image size (height, width) of at least 32x32 pixels, "
            f"got {image_size[0]}x{image_size[1]}."
        )
    setting = draw_setting(rng, difficulty)
    weather = draw_weather(rng, difficulty)
    snowy = difficulty == "mixed" and weather in ("clear", "overcast", "dusk") and chance(rng, 0.1)
    sunny = weather in ("clear", "shadow", "dazzle")
    road = draw_road(rng, setting, difficulty, snowy=snowy, sunny=sunny, travel=travel)
    light = draw_light(rng, weather, setting)
    if light.ceiling:
        road = replace(road, verge=replace(road.verge, colour=_TUNNEL_GROUND))
    ego_speed = {"city": 12.0, "rural": 20.0, "highway": 28.0}[setting] * float(rng.uniform(0.85, 1.15))
    return Scene(
        camera=draw_camera(rng, image_size, difficulty),
        pose=_draw_pose(rng, road, difficulty),
        ego_speed=ego_speed,
        road=road if light.shadow > 0 else replace(road, barriers=tuple(replace(b, shadow=0.0) for b in road.barriers)),
        light=light,
        photo=draw_photo(rng, weather, difficulty),
        weather=weather,
        vehicles=draw_vehicles(rng, road, setting, difficulty, travel, ego_speed),
        things=() if light.ceiling else draw_things(rng, road, setting, travel),  # nothing grows in a tunnel
        patches=draw_patches(rng, road, setting, travel) if difficulty == "mixed" else (),
        ridges=draw_ridges(rng, setting),
        sky_number=int(rng.integers(1000)),
        mirrored=chance(rng, 0.35),
    )


def _draw_pose(rng: np.random.Generator, road: Road, difficulty: Difficulty) -> Pose:
    if difficulty == "easy":
        return Pose(
            0.0, float(np.clip(rng.normal(0, 0.2), -0.5, 0.5)), float(np.clip(rng.normal(0, 0.012), -0.03, 0.03))
        )
    half = road.lane_width / 2
    yaw = float(np.clip(rng.normal(0, 0.025), -0.07, 0.07))
    if chance(rng, 0.1):
        sides = [side for side, lanes in ((-1, road.lanes_left), (1, road.lanes_right)) if lanes > 0]
        side = choose(rng, sides) if sides else 0
        turn = float(choose(rng, (-1, 1)) * rng.uniform(0.0, 0.05))
        return Pose(0.0, float(side * half * rng.uniform(0.55, 1.0)), turn)
    lateral = (
        rng.uniform(-0.8, 0.8) * half if chance(rng, 0.08) else np.clip(rng.normal(0, 0.3), -0.6 * half, 0.6 * half)
    )
    return Pose(0.0, float(lateral), yaw)

"""Pictures of scenes: from a scene and a pose to pixels and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.glare import dazzle, mirror_wet, shine
from lanenet_sad.datasets.synthetic.ground import paint_ground
from lanenet_sad.datasets.synthetic.photo import develop
from lanenet_sad.datasets.synthetic.precipitation import add_rain
from lanenet_sad.datasets.synthetic.scene import Scene, draw_scene
from lanenet_sad.datasets.synthetic.scenery import BRIDGE_DEPTH, Thing, draw_barrier, draw_thing
from lanenet_sad.datasets.synthetic.shapes import Lamps
from lanenet_sad.datasets.synthetic.sky import paint_sky
from lanenet_sad.datasets.synthetic.traffic import Vehicle, draw_vehicle
from lanenet_sad.datasets.synthetic.view import Pose, RoadView
from lanenet_sad.lanes.lane import Image, Lane, LaneType

RENDERER_VERSION = 3
"""Changes whenever the same (seed, index) gives another picture."""


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """A rendered picture and its truth.

    Attributes:
        image: (H, W, 3) RGB uint8.
        lanes: labelled lines left to right, points near to far in pixels of `image`; those beyond the slots have
            slot None.
        lane_types: what kind of line each of `lanes` is, in the same order.
        category: what is special about the scene, see `Scene.category`.
    """

    image: Image
    lanes: tuple[Lane, ...]
    lane_types: tuple[LaneType, ...]
    category: str


def render_scene(
    seed: int,
    index: int,
    *,
    image_size: tuple[int, int] = (590, 1640),
    difficulty: Difficulty = "mixed",
    num_lanes: int = 4,
) -> RenderedScene:
    """Renders picture `index` of the set `seed`: the same arguments give the same picture, in any order.

    Args:
        seed: of the set.
        index: of the picture in the set.
        image_size: (height, width) in pixels, of any shape. Another size shows another camera on the same road.
        difficulty: `easy` or `mixed`, see `draw_scene`.
        num_lanes: lane slots, 4 as in CULane or 6 as in TuSimple.

    Raises:
        ValueError: an argument is out of range.
    """
    if num_lanes < 2:
        raise ValueError(f"Synthetic scene: expected 2 lane slots or more, got {num_lanes}.")
    scene = draw_scene(scene_rng(seed, index), image_size, difficulty)
    view = scene.view()
    image = _render(scene, view, scene.vehicles, scene_rng(seed, index, 1))
    labels = scene.labels(view, num_lanes)
    return RenderedScene(image, labels.lanes, labels.types, scene.category(labels))


def render_image(
    seed: int, index: int, *, image_size: tuple[int, int] = (590, 1640), difficulty: Difficulty = "mixed"
) -> Image:
    """The image of `render_scene` with the same arguments, without labels."""
    scene = draw_scene(scene_rng(seed, index), image_size, difficulty)
    return _render(scene, scene.view(), scene.vehicles, scene_rng(seed, index, 1))


def scene_lanes(
    seed: int,
    index: int,
    *,
    image_size: tuple[int, int] = (590, 1640),
    difficulty: Difficulty = "mixed",
    num_lanes: int = 4,
) -> tuple[Lane, ...]:
    """The lanes of `render_scene` with the same arguments; faster, as no pixel is painted."""
    scene = draw_scene(scene_rng(seed, index), image_size, difficulty)
    return scene.labels(scene.view(), num_lanes).lanes


def render_view(
    scene: Scene, pose: Pose, vehicles: Sequence[Vehicle], rng: np.random.Generator, *, num_lanes: int
) -> tuple[Image, tuple[Lane, ...]]:
    """One picture of a scene and its labels.

    Args:
        scene: the scene.
        pose: of the ego car.
        vehicles: where the others are now, their `s` on the road of the scene.
        rng: for noise and drops.
        num_lanes: lane slots.
    """
    view = scene.view(pose)
    return _render(scene, view, vehicles, rng), scene.labels(view, num_lanes).lanes


def _render(scene: Scene, view: RoadView, vehicles: Sequence[Vehicle], rng: np.random.Generator) -> Image:
    """One picture of a scene."""
    canvas = _paint(scene, view, vehicles)
    picture = scene.camera.turn(canvas)
    if scene.mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if scene.light.rain > 0:
        add_rain(picture, scene.light.rain, scene.photo.glass, rng)
    return scene.camera.frame(develop(picture, scene.photo, rng), mirrored=scene.mirrored)


def _paint(scene: Scene, view: RoadView, vehicles: Sequence[Vehicle]) -> Image:
    """The whole canvas, before the camera."""
    light, road = scene.light, scene.road
    sky = paint_sky(view, light, scene.ridges, scene.sky_number)
    bridges = tuple((thing.s, thing.s + BRIDGE_DEPTH) for thing in scene.things if thing.kind == "bridge")
    ground = paint_ground(view, road, scene.patches, light, bridges)
    canvas: Image = np.clip(np.concatenate([sky, ground]), 0, 255).astype(np.uint8)
    lamps = Lamps()
    beyond = [v for v in vehicles if not road.edges[0] < v.lateral < road.edges[1]]
    on_road = [v for v in vehicles if road.edges[0] < v.lateral < road.edges[1]]
    _draw_standing(canvas, view, [*scene.things, *beyond], scene, lamps)
    for barrier in road.barriers:
        draw_barrier(canvas, view, barrier, light)
    _draw_standing(canvas, view, on_road, scene, lamps)
    mirror_wet(canvas, view.first_row, light.wet)
    shine(canvas, lamps, light.rain)
    if light.dazzle > 0:
        column = view.camera.canvas_centre_x + 0.25 * light.sun * view.camera.focal_x
        dazzle(canvas, column, view.camera.canvas_horizon - 0.14 * view.camera.focal_y, light.dazzle)
    return canvas


def _draw_standing(
    canvas: Image, view: RoadView, standing: Sequence[Thing | Vehicle], scene: Scene, lamps: Lamps
) -> None:
    """Draws things and vehicles far to near."""
    ahead = [item for item in standing if item.s < view.farthest() - 5]
    for item in sorted(ahead, key=lambda item: item.s, reverse=True):
        if isinstance(item, Vehicle):
            draw_vehicle(canvas, view, item, scene.light, lamps)
        else:
            draw_thing(canvas, view, item, scene.light, lamps)

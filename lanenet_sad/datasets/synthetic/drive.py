"""Short drives: one scene seen from a car that moves along its road."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.render import render_view
from lanenet_sad.datasets.synthetic.scene import Scene, draw_scene
from lanenet_sad.datasets.synthetic.view import Pose
from lanenet_sad.lanes.lane import Image, Lane

_STREAM = 7  # keeps drives apart from the single pictures of the same seed and index
_TRAVEL = 600.0


@dataclass(frozen=True)
class _Weave:
    """How the ego car sways in its lane and nods on its springs."""

    reach: float
    period: float
    phase: float
    nod: float


class RenderedDrive:
    """A drive through one scene: iterate over it for (image, lanes) of every frame; it may be repeated.

    The same arguments give the same frames; a longer drive begins with the frames of a shorter one.

    Args:
        seed: of the set.
        index: of the drive in the set.
        num_frames: how many frames.
        image_size: (height, width) in pixels.
        fps: frames per second.
        difficulty: `easy` or `mixed`, see `draw_scene`.
        num_lanes: lane slots.

    Attributes:
        scene: the scene.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        seed: int,
        index: int,
        *,
        num_frames: int,
        image_size: tuple[int, int],
        fps: float = 25.0,
        difficulty: Difficulty = "mixed",
        num_lanes: int = 4,
    ) -> None:
        if num_frames < 1 or not fps > 0:
            raise ValueError(f"Synthetic drive: expected 1 frame or more and fps above 0, got {num_frames} and {fps}.")
        self.num_frames = num_frames
        self.fps = fps
        self.num_lanes = num_lanes
        self._seed, self._index = seed, index
        rng = scene_rng(seed, index, _STREAM)
        # The course does not depend on the length of the drive, so that a longer one begins with the same frames.
        self.scene: Scene = draw_scene(rng, image_size, difficulty, travel=_TRAVEL)
        self._weave = _Weave(*(float(value) for value in rng.uniform((0.05, 5, 0, 0), (0.25, 11, 6.28, 0.002))))

    def __len__(self) -> int:
        return self.num_frames

    def __iter__(self) -> Iterator[tuple[Image, tuple[Lane, ...]]]:
        return (self.frame(number) for number in range(self.num_frames))

    def frame(self, number: int) -> tuple[Image, tuple[Lane, ...]]:
        """Frame `number` and its lanes."""
        time = number / self.fps
        vehicles = [replace(vehicle, s=vehicle.s + vehicle.speed * time) for vehicle in self.scene.vehicles]
        rng = scene_rng(self._seed, self._index, _STREAM, 1 + number)
        camera = self.scene.camera
        nod = self._weave.nod * math.sin(9.0 * time + self._weave.phase) * camera.focal_y
        scene = replace(self.scene, camera=replace(camera, horizon=camera.horizon + nod))
        return render_view(scene, self.pose(time), vehicles, rng, num_lanes=self.num_lanes)

    def pose(self, time: float) -> Pose:
        """Where the ego car is after `time` seconds."""
        start, weave = self.scene.pose, self._weave
        rate = 2 * math.pi / weave.period
        aside = weave.reach * (math.sin(rate * time + weave.phase) - math.sin(weave.phase))
        towards = weave.reach * rate * math.cos(rate * time + weave.phase) / self.scene.ego_speed
        return Pose(start.s + self.scene.ego_speed * time, start.lateral + aside, start.yaw + towards)

"""Short drives: one scene seen from a car that moves along its road."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.drive_truth import DriveTruth, measure_road
from lanenet_sad.datasets.synthetic.manoeuvres import DRIFT_SECONDS, Manoeuvre, NoRoomError, Plan, plan_manoeuvre
from lanenet_sad.datasets.synthetic.render import render_view
from lanenet_sad.datasets.synthetic.scene import Scene, draw_scene
from lanenet_sad.datasets.synthetic.view import Pose
from lanenet_sad.lanes.lane import Image, Lane

_STREAM = 7  # keeps drives apart from the single pictures of the same seed and index
_INTRUDER = (0, 1)  # numbers no frame has
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
        manoeuvre: a lane change of 4 s; a drift onto the line, where the wheels of a car 1.8 m wide are 0.3 m over it,
            and back; or a vehicle that overtakes, cuts in and hides a line for a moment. Left and right are those of
            the picture. See `drives_with` for drives whose roads have room for it.
        manoeuvre_start: second at which it begins.

    Attributes:
        scene: the scene.
        manoeuvre_span: (start, end) of the manoeuvre in seconds; None without one.

    Raises:
        ValueError: an argument is out of range, or the road has no room for the manoeuvre.
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
        manoeuvre: Manoeuvre = "none",
        manoeuvre_start: float = 2.0,
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
        self._plan = Plan(self.scene.vehicles)
        looks = scene_rng(seed, index, _STREAM, *_INTRUDER)
        self._plan = plan_manoeuvre(self.scene, manoeuvre, manoeuvre_start, self.pose, looks)
        self.manoeuvre_span = self._plan.span

    def __len__(self) -> int:
        return self.num_frames

    def __iter__(self) -> Iterator[tuple[Image, tuple[Lane, ...]]]:
        return (self.frame(number) for number in range(self.num_frames))

    @property
    def camera_yaw(self) -> float:
        """Radians by which the camera looks to the right of the way the vehicle points, in the picture's sense."""
        return -self.scene.pose.yaw if self.scene.mirrored else self.scene.pose.yaw

    def frame(self, number: int) -> tuple[Image, tuple[Lane, ...]]:
        """Frame `number` and its lanes."""
        time = number / self.fps
        vehicles = [replace(vehicle, s=vehicle.s + vehicle.speed * time) for vehicle in self._plan.vehicles]
        if self._plan.intruder is not None:
            vehicles.append(self._plan.intruder.at(time))
        rng = scene_rng(self._seed, self._index, _STREAM, 1 + number)
        image, _ = render_view(self._scene_at(time), self.pose(time), vehicles, rng, num_lanes=self.num_lanes)
        return image, self.truth(number).lanes

    def truth(self, number: int) -> DriveTruth:
        """What is true of frame `number`; no pixel is painted."""
        time = number / self.fps
        scene, pose = self._scene_at(time), self.pose(time)
        labels = scene.labels(scene.view(pose), self.num_lanes)
        lanes = tuple(
            replace(lane, track_id=line, line_type=kind)
            for lane, kind, line in zip(labels.lanes, labels.types, labels.numbers, strict=True)
        )
        road = measure_road(
            scene.road,
            pose,
            towards=pose.yaw - scene.pose.yaw,
            speed=scene.ego_speed,
            lines=labels.numbers,
            mirrored=scene.mirrored,
        )
        return DriveTruth(lanes, road, time, scene.camera.image_size)

    def pose(self, time: float) -> Pose:
        """Where the ego car is after `time` seconds, in the sense of the road: a mirrored picture flips it."""
        start, weave = self.scene.pose, self._weave
        rate = 2 * math.pi / weave.period
        aside = weave.reach * (math.sin(rate * time + weave.phase) - math.sin(weave.phase))
        towards = weave.reach * rate * math.cos(rate * time + weave.phase) / self.scene.ego_speed
        metres, speed = self._plan.aside(time)
        yaw = start.yaw + towards + speed / self.scene.ego_speed
        return Pose(start.s + self.scene.ego_speed * time, start.lateral + aside + metres, yaw)

    def _scene_at(self, time: float) -> Scene:
        """The scene as the camera on its springs sees it."""
        camera = self.scene.camera
        nod = self._weave.nod * math.sin(9.0 * time + self._weave.phase) * camera.focal_y
        return replace(self.scene, camera=replace(camera, horizon=camera.horizon + nod))


def drives_with(
    manoeuvre: Manoeuvre,
    *,
    seed: int,
    image_size: tuple[int, int],
    count: int,
    difficulty: Difficulty = "mixed",
    manoeuvre_start: float = 2.0,
    first: int = 0,
) -> tuple[int, ...]:
    """The first `count` drives of a set whose roads suit a manoeuvre.

    The vehicle is between two labelled lines one lane apart at the start, before and after the manoeuvre; a lane change
    crosses one line, and a drift goes at least 0.3 m aside.

    Args:
        manoeuvre: the manoeuvre.
        seed: of the set.
        image_size: (height, width) in pixels.
        count: how many drives.
        difficulty: `easy` or `mixed`.
        manoeuvre_start: second at which it begins.
        first: index at which to start looking.

    Returns:
        Their indices in the set, ascending.

    Raises:
        ValueError: an argument is out of range, or not one drive in 1000 suits.
    """
    found: list[int] = []
    index = first - 1
    while len(found) < count:
        index += 1
        if index >= first + 1000 * count:
            raise ValueError(
                f"Synthetic drives: expected {count} of the {1000 * count} drives from {first} on to suit the "
                f"manoeuvre {manoeuvre}, found {len(found)}."
            )
        try:
            drive = RenderedDrive(
                seed,
                index,
                num_frames=1,
                image_size=image_size,
                fps=100.0,
                difficulty=difficulty,
                manoeuvre=manoeuvre,
                manoeuvre_start=manoeuvre_start,
            )
        except NoRoomError:
            continue
        if _suits(drive, manoeuvre):
            found.append(index)
    return tuple(found)


def _suits(drive: RenderedDrive, manoeuvre: Manoeuvre) -> bool:
    """Whether the road has lines wherever the manoeuvre needs them."""
    start, end = drive.manoeuvre_span or (0.0, 8.0)
    truths = [drive.truth(round(time * drive.fps)) for time in (0.0, start, end)]
    if any(truth.road.lane_width is None for truth in truths):
        return False
    before, after = truths[1:]
    lines, later = _own_lines(before), _own_lines(after)
    if None in lines or None in later:
        return False
    if manoeuvre.startswith("drift"):
        peak = drive.truth(round((start + sum(DRIFT_SECONDS[:2])) * drive.fps)).road
        moved = (peak.lateral_offset or 0.0) - (before.road.lateral_offset or 0.0)
        return moved > 0.3 if manoeuvre == "drift_right" else moved < -0.3
    if manoeuvre.startswith("lane_change"):
        return lines[1] == later[0] if manoeuvre == "lane_change_right" else lines[0] == later[1]
    return lines == later


def _own_lines(truth: DriveTruth) -> tuple[int | None, int | None]:
    """Which lines of the road the slots 2 and 3, left and right of the middle of the picture, show."""
    seen = {lane.slot: lane.track_id for lane in truth.lanes}
    return seen.get(2), seen.get(3)

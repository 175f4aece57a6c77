import itertools

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.scene import draw_scene

SIZE = (96, 256)


def test_a_drive_can_be_repeated_and_a_longer_one_begins_alike() -> None:
    drive = RenderedDrive(0, 1, num_frames=3, image_size=SIZE)
    longer = RenderedDrive(0, 1, num_frames=5, image_size=SIZE)
    again = list(drive)
    assert len(drive) == len(again) == 3
    for (image, lanes), (image_again, lanes_again), (image_longer, _) in zip(drive, again, longer, strict=False):
        np.testing.assert_array_equal(image, image_again)
        np.testing.assert_array_equal(image, image_longer)
        assert [lane.slot for lane in lanes] == [lane.slot for lane in lanes_again]


def test_the_car_moves_forward_and_lines_move_smoothly() -> None:
    drive = RenderedDrive(3, 0, num_frames=12, image_size=(288, 800), difficulty="easy")
    frames = list(drive)
    assert drive.pose(1.0).s - drive.pose(0.0).s == pytest.approx(drive.scene.ego_speed)
    for (image, lanes), (next_image, next_lanes) in itertools.pairwise(frames):
        assert (image != next_image).mean() > 0.2
        ego = {lane.slot: lane.points for lane in lanes}
        next_ego = {lane.slot: lane.points for lane in next_lanes}
        for slot in (2, 3):
            common = min(len(ego[slot]), len(next_ego[slot]), 20)
            assert np.abs(ego[slot][:common, 0] - next_ego[slot][:common, 0]).max() < 8


def test_dashes_flow_towards_the_car() -> None:
    """A point of the road that is s metres ahead is `speed * time` metres nearer later."""
    drive = RenderedDrive(3, 0, num_frames=2, image_size=SIZE, fps=10, difficulty="easy")
    first, second = drive.pose(0.0), drive.pose(0.1)
    assert second.s - first.s == pytest.approx(0.1 * drive.scene.ego_speed)
    assert abs(second.lateral - first.lateral) < 0.1


def test_what_is_on_the_glass_stays_put() -> None:
    seeds = (
        index
        for index in range(100)
        if draw_scene(scene_rng(0, index, 7), SIZE, "mixed", travel=600).photo.windscreen.bonnet > 0.1
        and draw_scene(scene_rng(0, index, 7), SIZE, "mixed", travel=600).weather in ("clear", "overcast")
    )
    frames = [image for image, _ in RenderedDrive(0, next(seeds), num_frames=6, image_size=SIZE, fps=1)]
    stack = np.stack(frames).astype(np.float32).mean(axis=3)
    moving = stack.std(axis=0)
    assert moving[-6:, 64:-64].mean() < 0.7 * moving[40:70].mean()


@pytest.mark.parametrize(("num_frames", "fps"), [(0, 25.0), (5, 0.0)], ids=["no frames", "no rate"])
def test_bad_arguments_are_named(num_frames: int, fps: float) -> None:
    with pytest.raises(ValueError, match="1 frame or more and fps above 0"):
        RenderedDrive(0, 0, num_frames=num_frames, image_size=SIZE, fps=fps)

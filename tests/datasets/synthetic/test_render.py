from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import RenderedScene, render_scene, scene_lanes
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.render import render_image, render_view
from lanenet_sad.datasets.synthetic.scene import draw_scene
from lanenet_sad.lanes.lane import Lane

SMALL = (96, 256)


def same(a: RenderedScene, b: RenderedScene) -> bool:
    return (
        np.array_equal(a.image, b.image)
        and a.category == b.category
        and [lane.slot for lane in a.lanes] == [lane.slot for lane in b.lanes]
        and all(np.array_equal(x.points, y.points) for x, y in zip(a.lanes, b.lanes, strict=True))
    )


def test_a_picture_is_a_function_of_seed_and_index_in_any_order() -> None:
    forward = [render_scene(5, index, image_size=SMALL) for index in range(6)]
    backward = [render_scene(5, index, image_size=SMALL) for index in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not np.array_equal(forward[0].image, render_scene(6, 0, image_size=SMALL).image)
    assert not np.array_equal(forward[0].image, forward[1].image)


def test_the_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    render_scene(0, 3, image_size=SMALL)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    "size",
    [(590, 1640), (720, 1280), (97, 131), (400, 144), (32, 32), (64, 600)],
    ids=["culane", "tusimple", "odd", "portrait", "smallest", "panorama"],
)
def test_any_image_size(size: tuple[int, int]) -> None:
    for index in range(2):
        scene = render_scene(1, index, image_size=size)
        assert scene.image.shape == (*size, 3)
        assert scene.image.dtype == np.uint8
        for lane in scene.lanes:
            assert ((lane.points >= 0) & (lane.points <= [size[1] - 1, size[0] - 1])).all()


@pytest.mark.parametrize("difficulty", ["easy", "mixed"])
def test_pictures_are_never_flat_black_or_white(difficulty: Difficulty) -> None:
    for index in range(36):
        image = render_scene(2, index, image_size=SMALL, difficulty=difficulty).image
        assert 4 < image.mean() < 235, f"scene {index}"
        assert image.std() > 4, f"scene {index}"


@pytest.mark.parametrize("num_lanes", [2, 4, 6])
@pytest.mark.parametrize("difficulty", ["easy", "mixed"])
def test_slots_count_from_the_middle(difficulty: Difficulty, num_lanes: int) -> None:
    for index in range(40):
        lanes = scene_lanes(4, index, image_size=(288, 800), difficulty=difficulty, num_lanes=num_lanes)
        slots = [lane.slot for lane in lanes if lane.slot is not None]
        assert slots == list(range(slots[0], slots[0] + len(slots))) if slots else True
        for lane in lanes:
            crossing = bottom_crossing(lane, 288)
            reaches_bottom = lane.points[0, 1] > 200  # what begins far ahead may be on the other side there
            if lane.slot is not None and reaches_bottom and abs(crossing - 399.5) > 25:
                assert (crossing < 399.5) == (lane.slot <= num_lanes // 2)


def bottom_crossing(lane: Lane, height: int) -> float:
    slope, offset = np.polyfit(lane.points[:3, 1], lane.points[:3, 0], 1)
    return float(slope * (height - 1) + offset)


def test_both_ego_lines_are_always_there_in_easy_scenes() -> None:
    for index in range(100):
        lanes = scene_lanes(0, index, image_size=(144, 400), difficulty="easy")
        near = {lane.slot for lane in lanes if len(lane.points) >= 10}
        assert {2, 3} <= near, f"scene {index}"


def test_mixed_scenes_cover_all_categories_and_leave_out_lines() -> None:
    scenes = [draw_scene(scene_rng(7, index), (288, 800), "mixed") for index in range(240)]
    categories = Counter(scene.category(scene.labels(scene.view(), 4)) for scene in scenes)
    shares = {name: count / 240 for name, count in categories.items()}
    assert set(shares) == {"normal", "night", "noline", "dazzle", "crowd", "shadow", "curve", "arrow"}
    assert min(shares.values()) >= 0.01
    assert 0.15 < shares["night"] < 0.3
    assert shares["normal"] > 0.12
    present = np.array(
        [
            [slot in {lane.slot for lane in scene_lanes(7, index, image_size=(288, 800))} for slot in range(1, 5)]
            for index in range(120)
        ]
    ).mean(axis=0)
    assert (present > 0.2).all()
    assert (present < 0.92).all()


def test_points_run_near_to_far_every_ten_rows_of_590() -> None:
    for lane in scene_lanes(0, 0, image_size=(590, 1640), difficulty="easy"):
        np.testing.assert_allclose(np.diff(lane.points[:, 1]), -10)
    assert len(scene_lanes(0, 0, image_size=(590, 1640), difficulty="easy")) >= 3


@pytest.mark.parametrize(
    "change",
    [{}, {"roll": 0.06}, {"mirrored": True}, {"roll": -0.05, "mirrored": True}],
    ids=["plain", "rolled", "mirrored", "rolled and mirrored"],
)
def test_labels_lie_on_the_paint(change: dict[str, float]) -> None:
    """The mean brightness under labels shifted sideways peaks at no shift, well above the asphalt beside it."""
    shifts = np.arange(-8, 9)
    profile = np.zeros(len(shifts))
    for index in range(12):
        scene = draw_scene(scene_rng(11, index), (288, 800), "easy")
        camera = replace(scene.camera, roll=change.get("roll", scene.camera.roll))
        scene = replace(scene, camera=camera, mirrored=bool(change.get("mirrored", False)), vehicles=())
        image, lanes = render_view(scene, scene.pose, (), scene_rng(11, index, 1), num_lanes=4)
        grey = image.astype(np.float32).max(axis=2)
        ego = [lane.points for lane in lanes if lane.slot in (2, 3)]
        points = np.concatenate([p[(p[:, 1] > 150) & (abs(p[:, 0] - 400) < 380)] for p in ego]).astype(np.float32)
        for number, shift in enumerate(shifts):
            under = cv2.remap(grey, points[:, :1] + np.float32(shift), points[:, 1:], cv2.INTER_LINEAR)
            profile[number] += float(under.mean()) / 12
    assert abs(shifts[profile.argmax()]) <= 1
    weights = (profile - profile.min()) ** 2
    assert abs((weights * shifts).sum() / weights.sum()) < 0.5
    assert profile.max() > np.mean([profile[0], profile[-1]]) + 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": (20, 400)}, "at least 32x32 pixels, got 20x400"),
        ({"difficulty": "hard"}, "expected difficulty easy or mixed, got 'hard'"),
        ({"seed": -1}, "seed and index of 0 or more, got seed -1"),
        ({"num_lanes": 1}, "2 lane slots or more, got 1"),
    ],
    ids=["size", "difficulty", "seed", "lanes"],
)
def test_bad_arguments_are_named(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"seed": 0, "index": 0, "image_size": SMALL, **change}
    with pytest.raises(ValueError, match=message):
        render_scene(**arguments)  # type: ignore[arg-type]


def test_picture_and_lanes_are_the_same_alone() -> None:
    for index in range(4):
        scene = render_scene(9, index, image_size=SMALL)
        np.testing.assert_array_equal(scene.image, render_image(9, index, image_size=SMALL))
        rendered = scene.lanes
        computed = scene_lanes(9, index, image_size=SMALL)
        assert [lane.slot for lane in rendered] == [lane.slot for lane in computed]
        for a, b in zip(rendered, computed, strict=True):
            np.testing.assert_array_equal(a.points, b.points)

import math
from dataclasses import replace

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.camera import Border, Camera
from lanenet_sad.datasets.synthetic.conditions import draw_camera
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.render import render_view
from lanenet_sad.datasets.synthetic.scene import draw_scene

BORDERS = {
    "none": None,
    "wedges": Border(turn=0.13),
    "letterbox": Border(bars=(0.15, 0.1, 0.0, 0.0), colour=(128, 128, 128)),
    "pillars": Border(bars=(0.0, 0.0, 0.1, 0.12)),
    "bars turned": Border(bars=(0.1, 0.1, 0.05, 0.05), turn=-0.1),
}


def make_camera(border: Border | None, roll: float = 0.02) -> Camera:
    return Camera((288, 800), 600.0, 620.0, 380.0, 80.0, 1.5, roll, border)


@pytest.mark.parametrize("border", BORDERS.values(), ids=BORDERS)
@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
def test_points_and_pixels_go_through_the_border_alike(border: Border | None, mirrored: bool) -> None:
    camera = make_camera(border)
    canvas = np.zeros((*camera.canvas_size, 3), dtype=np.uint8)
    canvas[118:123, 298:303] = 255
    window = camera.turn(canvas)
    picture = camera.frame(window[:, ::-1] if mirrored else window, mirrored=mirrored)
    assert picture.shape == (288, 800, 3)
    rows, columns = np.nonzero(picture[..., 0] > 200)
    expected = camera.to_image(np.array([[300.0, 120.0]]))[0]
    if mirrored:
        expected[0] = 799 - expected[0]
    assert columns.mean() == pytest.approx(expected[0], abs=0.6)
    assert rows.mean() == pytest.approx(expected[1], abs=0.6)


@pytest.mark.parametrize("name", [name for name in BORDERS if name != "none"])
@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
def test_labels_end_where_the_border_begins(name: str, mirrored: bool) -> None:
    border = replace(BORDERS[name], colour=(0, 0, 0))  # type: ignore[type-var]
    camera = make_camera(border)
    white = np.full((*camera.window[2:], 3), 255, dtype=np.uint8)
    picture = camera.frame(white, mirrored=mirrored)
    assert (picture == 0).any()
    assert (picture == 255).any()
    rows = np.arange(287.0, 0.0, -5.0)
    points = np.stack(np.meshgrid(np.arange(0.0, 800.0, 20.0), rows), axis=-1).reshape(-1, 2)
    shown = camera.shows(points, mirrored=mirrored)
    columns, at = np.rint(points[shown]).astype(int).T
    assert (picture[at, columns] > 100).all()
    columns, at = np.rint(points[~shown]).astype(int).T
    assert (picture[at, columns] < 200).mean() > 0.9
    assert 0 < shown.sum() < len(shown)


def test_without_a_border_all_of_the_picture_shows_the_road() -> None:
    camera = make_camera(None)
    points = np.array([[0.0, 0.0], [799.0, 287.0], [-5.0, 280.0], [900.0, 20.0], [np.nan, 20.0]])
    assert camera.shows(points, mirrored=True).tolist() == [True, True, False, False, False]
    picture = np.zeros((288, 800, 3), dtype=np.uint8)
    assert camera.frame(picture, mirrored=True) is picture


def test_labels_lie_on_the_paint_in_a_turned_and_barred_picture() -> None:
    profile = np.zeros(17)
    shifts = np.arange(-8, 9)
    for index in range(8):
        scene = draw_scene(scene_rng(11, index), (288, 800), "easy")
        camera = replace(scene.camera, border=Border(bars=(0.0, 0.05, 0.04, 0.04), turn=0.1))
        scene = replace(scene, camera=camera, vehicles=())
        image, lanes = render_view(scene, scene.pose, (), scene_rng(11, index, 1), num_lanes=4)
        grey = image.astype(np.float64).max(axis=2)
        for lane in lanes:
            inside = lane.points[(lane.points[:, 1] > 150) & (abs(lane.points[:, 0] - 400) < 300)]
            columns, rows = np.rint(inside).astype(int).T
            if lane.slot in (2, 3) and len(rows):
                profile += [grey[rows, columns + shift].mean() for shift in shifts]
    assert abs(shifts[profile.argmax()]) <= 1
    assert profile.max() > 1.1 * np.mean([profile[0], profile[-1]])


def test_mixed_cameras_are_of_many_kinds_and_easy_ones_plain() -> None:
    easy = [draw_camera(scene_rng(0, index), (288, 800), "easy") for index in range(50)]
    assert all(camera.border is None for camera in easy)
    mixed = [draw_camera(scene_rng(0, index), (288, 800), "mixed") for index in range(300)]
    borders = [camera.border for camera in mixed if camera.border is not None]
    assert 0.18 < len(borders) / len(mixed) < 0.4
    turns = [abs(border.turn) for border in borders]
    assert math.radians(6) < max(turns) <= 0.14
    assert any(border.bars[0] > 0 for border in borders)
    assert any(border.bars[2] > 0 for border in borders)
    assert any(camera.horizon < -30 for camera in mixed)
    assert max(camera.focal_x for camera in mixed) > 1.5 * 800 * 0.7

import math

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.road import Alignment
from lanenet_sad.datasets.synthetic.view import Pose, look


def make_camera(roll: float = 0.0, horizon: float = 100.0) -> Camera:
    return Camera((288, 800), focal_x=700.0, focal_y=650.0, centre_x=400.0, horizon=horizon, height=1.5, roll=roll)


def test_flat_straight_road_follows_the_pinhole_formula() -> None:
    camera = make_camera()
    view = look(camera, Alignment(), Pose())
    near = view.depth < 200  # the table is interpolated; far away a row spans many metres
    expected = camera.focal_y * camera.height / (view.rows - camera.canvas_horizon)
    np.testing.assert_allclose(view.depth[near], expected[near], rtol=2e-3)
    np.testing.assert_allclose(view.s[near], view.depth[near], rtol=1e-6)
    np.testing.assert_allclose(view.centre, camera.canvas_centre_x)
    np.testing.assert_allclose(view.columns(1.75)[near], 402 + 700 * 1.75 / view.depth[near], rtol=1e-6)


def test_right_hand_curve_bends_to_the_right_by_half_the_curvature_times_distance_squared() -> None:
    view = look(make_camera(), Alignment(curvature=1 / 400), Pose())
    x, depth, _ = view.ground_point(60.0, 0.0)
    assert float(x) == pytest.approx(60**2 / 800, rel=0.01)
    assert float(depth) == pytest.approx(400 * math.sin(60 / 400), rel=1e-3)


def test_lateral_pose_and_yaw_move_the_road_the_other_way() -> None:
    centred = look(make_camera(), Alignment(), Pose())
    assert (look(make_camera(), Alignment(), Pose(lateral=0.5)).centre < centred.centre).all()
    assert (look(make_camera(), Alignment(), Pose(yaw=0.03)).centre < centred.centre).all()


def test_rows_go_from_far_to_near_over_hills() -> None:
    view = look(make_camera(), Alignment(slope_swing=0.04, slope_period=200, slope_phase=0.3), Pose())
    assert (np.diff(view.depth) < 0).all()
    assert (view.pixel_length > 0).all()


def test_nothing_behind_a_crest_is_in_the_table() -> None:
    crest = Alignment(slope_swing=0.05, slope_period=1000, slope_phase=math.pi / 2)  # the top is here
    view = look(make_camera(), crest, Pose())
    top = view.project(view.s[0], 0.0, 0.0)
    beyond = view.project(np.arange(view.s[0] + 5, 400), 0.0, 0.0)
    curvature = 0.05 * 2 * math.pi / 1000
    tangent = math.sqrt(2 * 1.5 / curvature)  # from 1.5 m height; the first whole row lies a little before it
    assert 0.8 * tangent < view.s[0] < 1.01 * tangent
    assert (beyond[:, 1] > top[1] - 1).all()


def test_ground_rows_and_projection_agree() -> None:
    view = look(make_camera(), Alignment(curvature=-1 / 300, slope_swing=0.02), Pose(s=40.0, lateral=0.3, yaw=0.01))
    for number in (5, 40, 120):
        pixel = view.project(view.s[number], 3.0, 0.0)
        assert pixel[1] == pytest.approx(view.rows[number], abs=0.2)
        assert pixel[0] == pytest.approx(view.columns(3.0)[number], abs=0.5)


@pytest.mark.parametrize("roll", [0.0, 0.05, -0.03], ids=["level", "clockwise", "anticlockwise"])
def test_points_and_pixels_turn_alike(roll: float) -> None:
    camera = make_camera(roll)
    canvas = np.zeros((*camera.canvas_size, 3), dtype=np.uint8)
    canvas[198:203, 598:603] = 255
    turned = camera.turn(canvas)
    assert turned.shape == (288, 800, 3)
    rows, columns = np.nonzero(turned[..., 0] > 127)
    expected = camera.to_image(np.array([[600.0, 200.0]]))[0]
    assert columns.mean() == pytest.approx(expected[0], abs=0.3)
    assert rows.mean() == pytest.approx(expected[1], abs=0.3)

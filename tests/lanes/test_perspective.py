import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from road_factories import SIZE, make_camera

from lanenet_sad.lanes.perspective import CameraCalibration, assumed_camera

BENT = (-0.25, 0.08, 0.001, -0.0005, 0.0)


def test_a_point_ahead_is_where_a_pencil_says():
    camera = make_camera(pitch=0.0)
    # 14 m ahead of a level camera 1.4 m up and 2 m to the right: 560 * 2 / 14 right of its axis, 560 * 1.4 / 14 below
    assert camera.to_image([[2.0, 14.0]])[0] == pytest.approx([319.5 + 80, 179.5 + 56])


@pytest.mark.parametrize(
    ("changes", "moves"),
    [({"pitch": 0.07}, (0, -1)), ({"yaw": 0.01}, (-1, 0)), ({"height": 1.6}, (0, 1))],
    ids=["down", "right", "higher"],
)
def test_where_the_road_moves_in_the_picture(changes: dict[str, float], moves: tuple[int, int]):
    ahead = [[0.0, 20.0]]
    step = make_camera(**changes).to_image(ahead)[0] - make_camera().to_image(ahead)[0]
    assert np.sign(np.round(step / 5)).tolist() == list(moves)


def test_roll_turns_the_picture_clockwise():
    left, right = make_camera(roll=0.02).to_image([[-5.0, 30.0], [5.0, 30.0]])
    assert right[1] > left[1] + 1


angles = st.floats(-0.15, 0.15)


@settings(max_examples=60, deadline=None)
@given(angles, angles, angles, st.floats(0.8, 3.0), st.booleans(), st.floats(-4, 4), st.floats(6, 60))
def test_there_and_back(pitch, yaw, roll, height, bent, x, y):
    camera = make_camera(pitch=pitch, yaw=yaw, roll=roll, height=height, distortion=BENT if bent else ())
    pixel = camera.to_image([[x, y]])
    if not (np.isfinite(pixel).all() and (np.abs(pixel - 180) < 700).all()):
        return  # behind the lens or far beside the picture
    # a pixel sees more of the ground the farther away it is
    assert np.abs(camera.to_ground(pixel)[0] - [x, y]).max() < 2e-3 * (1 + y**2 / 100)


def test_the_homography_agrees_with_to_ground():
    camera = make_camera(yaw=0.03, roll=-0.02)
    pixel = np.array([400.0, 300.0, 1.0])
    mapped = camera.homography @ pixel
    assert mapped[:2] / mapped[2] == pytest.approx(camera.to_ground([pixel[:2]])[0])
    assert camera.homography @ camera.ground_to_image == pytest.approx(np.eye(3), abs=1e-9)


def test_sky_and_what_lies_behind_have_no_place():
    camera = make_camera()
    horizon = camera.vanishing_point[1]
    ground = camera.to_ground([[100.0, horizon - 0.01], [300.0, 20.0], [300.0, horizon + 1]])
    assert np.isnan(ground[:2]).all()
    assert np.isfinite(ground[2]).all()
    assert np.isnan(camera.to_image([[0.0, -3.0], [4.0, -0.5], [np.nan, 5.0]])).all()
    assert camera.to_ground([]).shape == camera.to_image([]).shape == (0, 2)


def test_ground_that_the_lens_model_folds_back_into_the_picture_has_no_pixel():
    camera = make_camera(distortion=(-0.4, 0.0, 0.0, 0.0))
    assert np.isnan(camera.to_image([[30.0, 3.0]])).all()
    assert np.isfinite(camera.to_image([[1.0, 8.0]])).all()


def test_rays_need_no_height_and_tell_the_ground():
    camera = make_camera(yaw=0.02, roll=0.01)
    right, down = replace(camera, height=None).rays(camera.to_image([[2.0, 10.0], [-1.0, 25.0]]))
    assert right == pytest.approx([0.2, -0.04])
    assert down == pytest.approx([0.14, 0.056])


def test_the_vanishing_point_is_where_parallel_lines_go():
    camera = make_camera(yaw=0.05, roll=0.03, distortion=BENT)
    assert camera.to_image([[1.8, 1e6]])[0] == pytest.approx(camera.vanishing_point, abs=0.01)


def test_scaled_to_another_size_shows_the_same_place_at_the_same_share():
    camera = make_camera(distortion=BENT)
    double = camera.scaled_to((720, 1280))
    there, here = double.to_image([[1.0, 12.0]])[0], camera.to_image([[1.0, 12.0]])[0]
    assert (there + 0.5) / 2 == pytest.approx(here + 0.5)
    assert camera.scaled_to(SIZE) is camera


def test_a_cut_picture_is_refused():
    with pytest.raises(ValueError, match="for pictures of 640x360 pixels: a picture of 640x480 has another shape"):
        make_camera().scaled_to((480, 640))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distortion": (0.1, 0.2)}, "expected 0, 4, 5, 8, 12, 14 numbers"),
        ({"focal": (0.0, 500.0)}, "positive focal lengths"),
        ({"centre": (math.nan, 1.0)}, "finite numbers"),
        ({"height": -1.0}, "metres above the road"),
        ({"pitch": 3.0}, "degrees have to be divided by 57.3"),
        ({"yaw": math.inf}, "finite numbers"),
    ],
)
def test_impossible_cameras_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_camera(**changes)


def test_what_is_not_known_is_said():
    with pytest.raises(ValueError, match="height above the road is not known"):
        make_camera(height=None).to_ground([[1.0, 1.0]])
    with pytest.raises(ValueError, match="where it looks is not known"):
        make_camera(pitch=None).rays([[1.0, 1.0]])


def test_what_was_measured_on_the_vehicle_replaces_what_was_estimated():
    guess = make_camera(scale="assumed", pitch_error=0.01, yaw_error=0.02)
    measured = guess.mounted(height=1.2, pitch=0.03)
    assert (measured.height, measured.scale, measured.pitch, measured.pitch_error) == (1.2, "calibration", 0.03, None)
    assert measured.yaw_error == 0.02
    assert guess.mounted() == guess


def test_an_assumed_camera_sees_its_field_of_view():
    camera = assumed_camera((720, 1280), field_of_view=90)
    assert camera.focal == pytest.approx((640, 640))
    upright = assumed_camera((1280, 720), field_of_view=90)
    assert (upright.focal, upright.centre) == (camera.focal, camera.centre[::-1])
    assert isinstance(camera, CameraCalibration)
    assert camera.pitch is None
    assert "assumed field of view of 90 degrees" in camera.origin
    with pytest.raises(ValueError, match="5 to 150 degrees"):
        assumed_camera((720, 1280), field_of_view=180)

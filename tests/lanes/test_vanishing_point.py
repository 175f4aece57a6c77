import math
from dataclasses import replace

import numpy as np
import pytest
from road_factories import SIZE, make_camera, make_road_prediction

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.perspective import FIELD_OF_VIEW, assumed_camera
from lanenet_sad.lanes.vanishing_point import CameraFromLanes, point_weights


def make_true_camera(**changes):
    """A camera with the lens that is assumed of one without a calibration."""
    known = {"height": 1.3, "pitch": 0.04, "yaw": 0.015, **changes}
    return replace(assumed_camera(SIZE, field_of_view=FIELD_OF_VIEW), **known)


def drive(estimator: CameraFromLanes, camera, *, seconds: float = 4.0, noise: float = 0.5, curvature: float = 0.0):
    """Shows a drive at 10 frames a second that sways in its lane and nods."""
    for number in range(int(seconds * 10)):
        time = number / 10
        nod = 0.002 * math.sin(9 * time)
        prediction = make_road_prediction(
            camera.mounted(pitch=camera.pitch + nod),
            lateral=0.2 * math.sin(time),
            width=3.7,
            heading=0.004 * math.cos(time),
            curvature=curvature,
            noise=noise,
            seed=number,
        )
        estimator(prediction, time)
    return estimator.calibration


@pytest.mark.parametrize("pitch", [-0.1, 0.0, 0.12])
@pytest.mark.parametrize("yaw", [-0.08, 0.04])
def test_where_the_camera_looks_is_found(pitch: float, yaw: float):
    camera = make_true_camera(pitch=pitch, yaw=yaw)
    found = drive(CameraFromLanes(), camera, seconds=2)
    assert found.pitch == pytest.approx(pitch, abs=0.003)
    assert found.yaw == pytest.approx(yaw, abs=0.006)
    assert found.height == pytest.approx(1.3, rel=0.03)
    assert found.scale == "assumed"
    assert "pitch and yaw from the lanes" in found.origin


def test_bends_do_not_draw_it_aside():
    camera = make_true_camera()
    found = drive(CameraFromLanes(), camera, curvature=0.003)
    assert found.pitch == pytest.approx(camera.pitch, abs=0.003)
    assert found.yaw == pytest.approx(camera.yaw, abs=0.006)


def test_straight_stretches_between_tight_bends_tell_where_it_looks():
    camera, estimator = make_true_camera(), CameraFromLanes()
    for number in range(40):
        bend = 0.01 if number % 2 else 0.0
        seen = make_road_prediction(camera, curvature=bend, width=3.7, noise=1.5, seed=number)
        found = estimator(seen, number / 4)
    assert found.pitch == pytest.approx(camera.pitch, abs=6e-4)


def test_errors_hold_and_shrink():
    camera = make_true_camera()
    estimator = CameraFromLanes()
    first, last = replace(drive(estimator, camera, seconds=1.0)), None
    estimator.reset()
    last = drive(estimator, camera, seconds=12.0)
    assert last.pitch_error < first.pitch_error
    assert last.yaw_error < 0.6 * first.yaw_error
    point, truth = estimator.vanishing_point, camera.vanishing_point
    assert abs(point.x - truth[0]) < 3 * point.x_error
    assert abs(point.y - truth[1]) < 3 * point.y_error
    assert point.num_frames > 20


def test_a_known_lens_and_height_are_kept():
    camera = make_camera(distortion=(-0.2, 0.05, 0.0, 0.0), height=1.5, pitch=0.03)
    found = drive(CameraFromLanes(replace(camera, pitch=None)), camera, seconds=2)
    assert found.focal == camera.focal
    assert (found.height, found.scale) == (1.5, "calibration")
    assert found.pitch == pytest.approx(0.03, abs=0.003)
    tall = drive(CameraFromLanes(height=2.2), make_true_camera(), seconds=1)
    assert (tall.height, tall.scale) == (2.2, "calibration")


def test_some_wild_frames_do_not_matter():
    camera = make_true_camera()
    estimator = CameraFromLanes()
    drive(estimator, camera, seconds=3)
    before = estimator.calibration
    for number in range(4):
        crossing = [np.array([[x, 359.0], [320 + 3 * (x - 320), 250.0]]) for x in (200.0, 400.0)]
        lanes = tuple(Lane(np.linspace(*line, 20), slot) for slot, line in enumerate(crossing, 2))
        estimator(LanePrediction(lanes, SIZE), 4.0 + number)
    assert estimator.calibration.pitch == pytest.approx(before.pitch, abs=0.002)


def test_too_little_says_nothing():
    estimator = CameraFromLanes()
    camera = make_true_camera()
    for number in range(30):
        assert estimator(make_road_prediction(camera, slots=(2,)), number / 10) is None
        assert estimator(LanePrediction((), SIZE), number / 10) is None
    for number in range(4):
        assert estimator(make_road_prediction(camera), 10 + number) is None
    assert estimator.vanishing_point is None
    assert estimator(make_road_prediction(camera), 14) is not None
    estimator.reset()
    assert estimator.calibration is None


def test_what_does_not_change_noticeably_stays_the_same_object():
    estimator, camera = CameraFromLanes(), make_true_camera()
    found = [estimator(make_road_prediction(camera), number / 5) for number in range(40)]
    assert len({id(one) for one in found[20:]}) <= 3


def test_pictures_of_another_size_keep_what_is_known_with_a_fitting_lens():
    estimator = CameraFromLanes()
    known = drive(estimator, make_true_camera(), seconds=1)
    twice = make_true_camera().scaled_to((720, 1280))
    found = estimator(LanePrediction((), twice.image_size), 0.95)
    assert found == known.scaled_to((720, 1280))
    for number in range(8):
        found = estimator(make_road_prediction(twice, width=3.7), 1 + number)
    assert found.image_size == (720, 1280)
    assert found.pitch == pytest.approx(0.04, abs=0.004)


def test_pictures_of_another_shape_are_another_cameras():
    estimator = CameraFromLanes()
    drive(estimator, make_true_camera(), seconds=8)
    upright = replace(assumed_camera((640, 360)), height=1.3, pitch=0.14)
    assert estimator(LanePrediction((), upright.image_size), 8.0) is None
    found = [estimator(make_road_prediction(upright, width=2.5), 8.2 + number / 5) for number in range(8)]
    assert found[3] is None
    assert found[-1].pitch == pytest.approx(0.14, abs=0.003)
    assert found[-1].height == pytest.approx(1.3 * 3.7 / 2.5, rel=0.02)
    assert estimator.vanishing_point.num_frames == 8


def test_a_height_from_a_lane_says_so_and_rests_on_lines_that_are_certain():
    camera, estimator = make_true_camera(), CameraFromLanes()
    for number in range(12):
        seen = make_road_prediction(camera)
        doubtful = [replace(lane, confidence=1e-4) if lane.slot in (2, 3) else lane for lane in seen.lanes]
        found = estimator(replace(seen, lanes=tuple(doubtful)), number / 5)
    assert (found.height, found.scale) == (None, "calibration")
    for number in range(12, 16):
        found = estimator(make_road_prediction(camera), number / 5)
    assert (found.height, found.scale) == (pytest.approx(1.3 * 3.7 / 3.6, rel=0.02), "assumed")
    assert found.origin.endswith("pitch and yaw from the lanes; height from a lane of 3.7 m")


def test_settings_are_checked():
    with pytest.raises(ValueError, match="expected a lane width above 0"):
        CameraFromLanes(lane_width=0)


def test_points_weigh_by_their_confidence_and_long_lanes_no_more_than_others():
    line = np.column_stack([np.zeros(80), np.arange(80.0)])
    assert point_weights(Lane(line)).sum() == pytest.approx(40)
    assert point_weights(Lane(line[:10], confidence=0.5)) == pytest.approx([0.5] * 10)
    doubtful = Lane(line[:2], point_confidences=np.array([1.0, np.nan]))
    assert point_weights(doubtful) == pytest.approx([1, 0])

import math
from dataclasses import replace

import numpy as np
import pytest
from road_factories import SIZE, make_camera, make_road_prediction

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.lanes.driving import RoadMeasures
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.postprocess.ground_meter import GroundMeter


def measure(meter: GroundMeter, prediction: LanePrediction, time: float = 0.0) -> RoadMeasures:
    road = meter(prediction, time).road
    assert road is not None
    return road


@pytest.mark.parametrize("lateral", [0.4, -0.3])
@pytest.mark.parametrize("curvature", [0.003, -0.002])
def test_measures_of_a_known_road(lateral: float, curvature: float):
    camera = make_camera(yaw=0.03)
    prediction = make_road_prediction(camera, lateral=lateral, heading=0.02, curvature=curvature)
    road = measure(GroundMeter(camera), prediction)
    assert road.curvature == pytest.approx(curvature, abs=2e-4)
    assert road.lateral_offset == pytest.approx(lateral, abs=0.02)
    assert road.lane_width == pytest.approx(3.6, abs=0.03)
    assert road.heading == pytest.approx(0.02, abs=0.003)
    assert road.left_distance == pytest.approx(1.8 + lateral, abs=0.03)
    assert road.right_distance == pytest.approx(1.8 - lateral, abs=0.03)
    assert road.scale == "calibration"


def test_a_bent_lens_makes_no_difference():
    camera = make_camera(distortion=(-0.25, 0.08, 0.001, -0.0005, 0.0))
    road = measure(GroundMeter(camera), make_road_prediction(camera, lateral=0.3, curvature=0.002))
    assert (road.curvature, road.lateral_offset) == (
        pytest.approx(0.002, abs=2e-4),
        pytest.approx(0.3, abs=0.02),
    )


@pytest.mark.parametrize(
    ("changes", "width"), [({"height": None}, 3.7), ({"height": None, "pitch": None}, 3.7)], ids=["height", "pitch"]
)
def test_metres_that_assume_a_lane_width_say_so(changes, width):
    truth = make_camera(pitch=0.04)
    meter = GroundMeter(replace(truth, **changes), lane_width=width)
    for number in range(30):
        road = measure(meter, make_road_prediction(truth, lateral=0.36, noise=0.5, seed=number), number / 10)
    assert road.scale == "assumed"
    assert road.lane_width == pytest.approx(width, abs=0.1)
    assert road.lateral_offset == pytest.approx(0.36 * 3.7 / 3.6, abs=0.05)
    assert meter.calibration.height == pytest.approx(1.4 * 3.7 / 3.6, rel=0.03)
    assert meter.calibration.pitch == pytest.approx(0.04, abs=0.003)


@pytest.mark.parametrize(
    ("changes", "settings", "scale"),
    [
        ({}, {}, "calibration"),
        ({"height": None}, {}, "assumed"),
        ({"pitch": None}, {}, "calibration"),
        ({"height": None}, {"camera_height": 1.4}, "calibration"),
        ({"scale": "assumed"}, {}, "assumed"),
    ],
    ids=["all", "no height", "no pitch", "height beside", "height assumed"],
)
def test_every_frame_has_one_scale_also_those_without_measures(changes, settings, scale):
    meter, truth = GroundMeter(replace(make_camera(), **changes), **settings), make_camera()
    empty = LanePrediction((), SIZE)
    found = [measure(meter, empty, 0.0)]
    found += [measure(meter, make_road_prediction(truth), number / 25) for number in range(1, 12)]
    found.append(measure(meter, empty, 0.5))
    assert found[-2].lane_width is not None
    assert {road.scale for road in found} == {scale}


@pytest.mark.parametrize(
    ("changes", "settings", "width"),
    [
        (None, {"lane_width": 3.5}, 3.5),
        (None, {"camera_height": 1.4}, None),
        ({}, {}, None),
        ({"height": None}, {"lane_width": 3.5}, 3.5),
        ({"pitch": None, "height": None}, {}, 3.7),
        ({"scale": "assumed"}, {}, None),
    ],
    ids=["nothing", "height beside", "all", "no height", "lens only", "height assumed before"],
)
def test_the_width_that_metres_rest_on_is_told(changes, settings, width):
    given = None if changes is None else replace(make_camera(origin="boards"), **changes)
    meter = GroundMeter(given, **settings)
    assert meter.assumed_lane_width == width
    assert meter.calibration == (given and given.mounted(height=settings.get("camera_height")))  # before any frame
    for number in range(8):
        meter(make_road_prediction(make_camera()), number / 5)
    meter(LanePrediction((), SIZE), 1.6)
    assert meter.assumed_lane_width == width
    assert meter.calibration.height is not None
    assert (f"; height from a lane of {width} m" in meter.calibration.origin) == (width is not None)
    assert (meter.calibration.pitch_error is None) == (given is not None and given.pitch is not None)


def test_pictures_of_another_shape_leave_nothing_known():
    meter = GroundMeter()
    for number in range(8):
        measure(meter, make_road_prediction(make_camera()), number / 5)
    assert meter.calibration is not None
    measure(meter, LanePrediction((), (640, 360)), 1.6)
    assert meter.calibration is None


def test_without_a_calibration_first_frames_have_no_measures():
    meter, camera = GroundMeter(), make_camera()
    assert measure(meter, make_road_prediction(camera)) == RoadMeasures()
    assert meter.calibration is None
    for number in range(1, 8):
        road = measure(meter, make_road_prediction(camera), number / 25)
    assert road.lane_width == pytest.approx(3.7, abs=0.1)
    meter.reset()
    assert measure(meter, make_road_prediction(camera)) == RoadMeasures()


def test_a_height_alone_makes_metres_true():
    meter, camera = GroundMeter(camera_height=1.4), make_camera()
    for number in range(12):
        road = measure(meter, make_road_prediction(camera), number / 10)
    assert road.scale == "calibration"
    assert road.lane_width == pytest.approx(3.6, abs=0.1)


def test_one_line_of_the_own_lane():
    camera = make_camera()
    meter = GroundMeter(camera, memory=1.0)
    alone = make_road_prediction(camera, lateral=0.2, slots=(3, 4))
    road = measure(meter, alone)
    assert road.right_distance == pytest.approx(1.6, abs=0.05)
    assert (road.left_distance, road.lateral_offset, road.lane_width) == (None, None, None)
    assert road.heading == pytest.approx(0, abs=0.01)
    measure(meter, make_road_prediction(camera, lateral=0.2), 0.1)
    remembered = measure(meter, alone, 0.5)
    assert remembered.lateral_offset == pytest.approx(0.2, abs=0.05)
    assert remembered.left_distance == pytest.approx(2.0, abs=0.05)
    assert measure(meter, alone, 1.5).lane_width is None


def test_no_line_and_only_other_lanes():
    camera = make_camera()
    meter = GroundMeter(camera)
    assert measure(meter, LanePrediction((), SIZE)) == RoadMeasures(scale="calibration")
    stub = Lane(np.array([[300.0, 300.0], [310.0, 250.0]]), 2)
    assert measure(meter, LanePrediction((stub,), SIZE)) == RoadMeasures(scale="calibration")
    outer = measure(meter, make_road_prediction(camera, slots=(1, 4), curvature=0.002))
    assert outer.curvature == pytest.approx(0.002, abs=5e-4)
    assert (outer.lateral_offset, outer.left_distance, outer.heading, outer.lane_width) == (None,) * 4


def test_lines_that_are_no_lane_are_not_measured():
    camera = make_camera()
    together = make_road_prediction(camera, width=0.5, slots=(2, 3))
    road = measure(GroundMeter(camera), together)
    assert (road.lane_width, road.left_distance, road.right_distance) == (None, None, None)


@pytest.mark.parametrize("cut", [True, False], ids=["begun", "not begun"])
def test_a_scene_begun_anew_forgets_the_lane_and_keeps_the_camera(cut: bool):
    camera, meter = make_camera(), GroundMeter(lane_width=3.6)
    for number in range(30):
        measure(meter, make_road_prediction(camera, lateral=-0.75, curvature=0.004), number / 25)
    known = meter.calibration
    if cut:
        meter.begin_scene()
    assert meter.calibration is known
    after = [measure(meter, make_road_prediction(camera, lateral=0.85), 1.2 + number / 25) for number in range(12)]
    assert after[0].lateral_offset == pytest.approx(0.85, abs=0.1)
    assert (after[0].curvature == pytest.approx(0, abs=2e-4)) == cut
    speeds = [abs(road.lateral_speed) for road in after if road.lateral_speed is not None]
    assert (max(speeds) < 0.05) == cut
    if cut:
        meter.begin_scene()
    alone = measure(meter, make_road_prediction(camera, slots=(3, 4)), 1.7)
    assert (alone.lane_width is None) == cut
    assert alone.right_distance == pytest.approx(1.8, abs=0.1)


def test_a_drive_begun_anew_is_as_the_first():
    camera, meter = make_camera(), GroundMeter()
    first = [measure(meter, make_road_prediction(camera, lateral=0.02 * n), n / 25) for n in range(20)]
    measure(meter, make_road_prediction(make_camera(pitch=0.1), width=3.0), 0.8)
    meter.reset()
    assert [measure(meter, make_road_prediction(camera, lateral=0.02 * n), n / 25) for n in range(20)] == first


def test_more_lane_slots_have_another_own_lane():
    camera = make_camera()
    prediction = make_road_prediction(camera)
    shifted = replace(prediction, lanes=tuple(replace(lane, slot=lane.slot + 1) for lane in prediction.lanes))
    assert measure(GroundMeter(camera, num_lanes=6), shifted).lateral_offset == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("speed", [0.6, -0.6])
@pytest.mark.parametrize("rate", [10.0, 37.0])
def test_speed_and_time_to_the_line(speed: float, rate: float):
    camera, meter = make_camera(), GroundMeter(make_camera(), vehicle_half_width=0.8)
    for number in range(int(rate)):
        time = number / rate
        road = measure(meter, make_road_prediction(camera, lateral=speed * time), time)
    assert road.lateral_speed == pytest.approx(speed, abs=0.05)
    assert road.crossing_side == ("right" if speed > 0 else "left")
    assert road.time_to_crossing == pytest.approx((1.8 - 0.8 - abs(speed * time)) / 0.6, rel=0.1)


def test_speed_needs_a_history_and_a_vehicle_that_keeps_its_place_crosses_nothing():
    camera, meter = make_camera(), GroundMeter(make_camera())
    assert measure(meter, make_road_prediction(camera)).lateral_speed is None
    for number in range(1, 10):
        road = measure(meter, make_road_prediction(camera), number / 20)
    assert road.lateral_speed == pytest.approx(0, abs=0.01)
    assert (road.time_to_crossing, road.crossing_side) == (None, None)
    assert measure(meter, make_road_prediction(camera), 5.0).lateral_speed is None  # what was seen is too long ago


def test_a_lane_change_is_no_leap():
    camera, meter = make_camera(), GroundMeter(make_camera())
    speeds = []
    for number in range(60):
        lateral = 1.0 + 0.8 * number / 30
        if lateral > 1.8:
            lateral -= 3.6
        speeds.append(measure(meter, make_road_prediction(camera, lateral=lateral), number / 30).lateral_speed)
    assert np.array(speeds[10:], dtype=float) == pytest.approx(np.full(50, 0.8), abs=0.15)


def test_wheels_on_the_line_cross_it_now():
    camera, meter = make_camera(), GroundMeter(make_camera())
    for number in range(20):
        road = measure(meter, make_road_prediction(camera, lateral=0.8 + 0.01 * number), number / 20)
    assert road.time_to_crossing == 0.0


def test_curvature_is_steadier_than_single_frames():
    camera, meter = make_camera(), GroundMeter(make_camera())
    predictions = [make_road_prediction(camera, curvature=0.002, noise=1.5, seed=seed) for seed in range(40)]
    single = [measure(GroundMeter(camera), each).curvature for each in predictions]
    smooth = [measure(meter, each, number / 25).curvature for number, each in enumerate(predictions)]
    assert np.std(smooth[10:]) < 0.6 * np.std(single[10:])
    assert np.mean(smooth[10:]) == pytest.approx(0.002, abs=2e-4)


def test_pictures_of_another_shape_are_refused_and_of_another_size_are_not():
    camera = make_camera()
    twice = camera.scaled_to((720, 1280))
    road = measure(GroundMeter(camera), make_road_prediction(twice, lateral=0.3))
    assert road.lateral_offset == pytest.approx(0.3, abs=0.02)
    with pytest.raises(ValueError, match="has another shape"):
        GroundMeter(camera)(replace(make_road_prediction(camera), image_size=(480, 640)), 0.0)


@pytest.mark.parametrize(
    "settings", [{"lane_width": 0.0}, {"vehicle_half_width": math.nan}, {"memory": -1.0}, {"speed_window": 0.0}]
)
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="Ground meter"):
        GroundMeter(**settings)


@pytest.mark.parametrize("index", [0, 1, 3])
def test_rendered_drives_are_measured_as_they_are(index: int):
    drive = RenderedDrive(5, index, num_frames=2, image_size=SIZE, difficulty="easy")
    scene, pose = drive.scene, drive.pose(0.0)
    camera, side = scene.camera, -1 if scene.mirrored else 1
    centre_x = SIZE[1] - 1 - camera.centre_x if scene.mirrored else camera.centre_x
    calibration = CameraCalibration(
        SIZE,
        (camera.focal_x, camera.focal_y),
        (centre_x, (SIZE[0] - 1) / 2),
        height=camera.height,
        pitch=math.atan(((SIZE[0] - 1) / 2 - camera.horizon) / camera.focal_y),
        yaw=side * pose.yaw,
        roll=side * camera.roll,
    )
    lanes = scene.labels(scene.view(pose), 4).lanes
    road = measure(GroundMeter(calibration), LanePrediction(lanes, SIZE))
    truth = float(scene.road.alignment.curvature_at(np.array([pose.s]))[0])
    assert road.curvature == pytest.approx(side * truth, abs=3e-4)
    assert road.lateral_offset == pytest.approx(side * pose.lateral, abs=0.03)
    assert road.lane_width == pytest.approx(scene.road.lane_width, abs=0.1)
    assert road.heading == pytest.approx(0, abs=0.004)


def test_each_frame_has_the_camera_of_its_time():
    meter, cameras = GroundMeter(), []
    for number in range(40):
        prediction = meter(make_road_prediction(make_camera(), noise=1.0, seed=number), number / 5)
        cameras.append(prediction.camera)
        assert prediction.camera is meter.calibration
    assert cameras[0] is None
    assert len({id(camera) for camera in cameras if camera is not None}) > 1

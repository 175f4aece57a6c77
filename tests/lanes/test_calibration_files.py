import contextlib
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from road_factories import make_camera

from lanenet_sad.lanes.calibration_files import read_calibration, write_calibration

ROS = """image_width: 640
image_height: 360
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [560.5, 0, 320, 0, 561, 180, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.2, 0.05, 1e-3, 0, 0]
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
"""
PLAIN = (
    '{"image_width": 640, "image_height": 360, "camera_matrix": [[560, 0, 320], [0, 560, 180], [0, 0, 1]], "height": 1}'
)


@pytest.mark.parametrize("name", ["camera.yaml", "camera.yml", "camera.json"])
@pytest.mark.parametrize(
    "changes",
    [
        {"distortion": (-0.25, 0.08, 0.001, -0.0005, 1e-9), "yaw": -0.01, "roll": 0.02, "origin": "10 chessboards"},
        {"height": None, "pitch": None, "origin": "boards: 3"},
        {"pitch_error": 0.001, "yaw_error": 0.002, "scale": "assumed", "origin": "lanes"},
        {"distortion": tuple(np.linspace(-0.1, 0.1, 14)), "origin": "x"},
    ],
    ids=["full", "lens-only", "estimated", "rational"],
)
def test_what_is_written_is_read(tmp_path, name, changes):
    camera = make_camera(**changes)
    write_calibration(tmp_path / name, camera)
    back = read_calibration(tmp_path / name)
    assert back.distortion == pytest.approx(camera.distortion or (0.0,) * 5)
    assert {**vars(back), "distortion": ()} == {**vars(camera), "distortion": ()}


@pytest.mark.parametrize("name", ["camera.yaml", "camera.json"])
def test_opencv_itself_reads_what_is_written(tmp_path, name):
    camera = make_camera(distortion=(-0.25, 0.08, 0.001, -0.0005, 0.0))
    write_calibration(tmp_path / name, camera)
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_READ)
    assert storage.getNode("camera_matrix").mat() == pytest.approx(camera.camera_matrix)
    assert storage.getNode("distortion_coefficients").mat().ravel() == pytest.approx(camera.distortion)
    assert storage.getNode("image_width").real() == 640
    assert storage.getNode("height").real() == 1.4


def test_ros_files_are_read(tmp_path):
    (tmp_path / "front.yaml").write_text(ROS)
    camera = read_calibration(tmp_path / "front.yaml")
    assert camera.focal == (560.5, 561.0)
    assert camera.distortion == (-0.2, 0.05, 0.001, 0.0, 0.0)
    assert (camera.image_size, camera.height, camera.pitch) == ((360, 640), None, None)


def test_a_message_of_ros_has_its_height_in_pixels(tmp_path):
    (tmp_path / "info.yaml").write_text("height: 360\nwidth: 640\nk: [560, 0, 320, 0, 560, 180, 0, 0, 1]\nd: []\n")
    camera = read_calibration(tmp_path / "info.yaml")
    assert (camera.image_size, camera.height, camera.distortion) == ((360, 640), None, ())


def test_nested_lists_and_whole_numbers_are_read(tmp_path):
    (tmp_path / "plain.json").write_text(PLAIN)
    camera = read_calibration(tmp_path / "plain.json")
    assert (camera.centre, camera.height, camera.scale) == ((320.0, 180.0), 1.0, "calibration")


def without(key: str, **more) -> str:
    content = {name: value for name, value in json.loads(PLAIN).items() if name != key} | more
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (without("camera_matrix"), r"expected a camera_matrix \(3x3\), got the keys image_width, image_height, height"),
        (without("image_width"), "expected image_width and image_height, .* but image_width is missing"),
        (without("x", camera_matrix=[1, 2, 3]), "camera_matrix: expected 3x3 numbers, got 3"),
        (without("x", camera_matrix=[[1, 2, 3], [4, 5, 6], [7, 8, 9]]), r"camera_matrix: expected \[\[fx 0 cx\]"),
        (
            without("x", camera_matrix=[[560, 60, 320], [0, 560, 180], [0, 0, 1]]),
            r"camera_matrix: expected \[\[fx 0 cx\] .*, got a skew of 60 .*; calibrate without one",
        ),
        (without("x", camera_matrix="many"), "camera_matrix: expected finite numbers, got many"),
        (without("x", distortion_coefficients=[0.1]), "Camera distortion: expected 0, 4, 5"),
        (without("x", distortion_model="equidistant"), "that of a fisheye"),
        (without("x", pitch=5), "Camera pitch: expected radians"),
        (without("x", pitch="steep"), "pitch: expected finite numbers, got"),
        (without("x", height=True), "height: expected finite numbers, got"),
        (without("x", scale="guess"), "scale: expected calibration or assumed, got 'guess'"),
        (without("x", image_width=1920, image_height=1080), "expected an optical axis near the middle of 1920x1080"),
        (without("x", image_width=640.5), "image_width: expected a number of pixels, got 640.5"),
        ("[1, 2]", "expected keys such as camera_matrix"),
        ("{", "expected JSON, got"),
        ("", "expected JSON, got"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, message):
    path = tmp_path / "camera.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_calibration(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["a: [1", "%YAML:1.0\n---\n", "key: !!python/object:os.system x", "\t- a: b"])
def test_broken_yaml_is_said(tmp_path, text):
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"camera\.yaml"):
        read_calibration(path)


def test_missing_files_and_other_kinds_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="`lanenet-sad calibrate` writes one"):
        read_calibration(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match=r"ends in \.yaml, \.yml, \.json, got \.xml"):
        read_calibration(tmp_path / "camera.xml")
    with pytest.raises(ValueError, match=r"ends in \.yaml"):
        write_calibration(tmp_path / "camera.txt", make_camera())


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="Cannot write"):
        write_calibration(tmp_path / "taken" / "camera.yaml", make_camera())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([ROS, PLAIN]), st.integers(0, 400), st.text(max_size=6), st.integers(0, 8))
def test_damaged_files_raise_nothing_else(tmp_path_factory, text, position, inserted, removed):
    path = tmp_path_factory.getbasetemp() / ("damaged.json" if text is PLAIN else "damaged.yaml")
    path.write_text(text[:position] + inserted + text[position + removed :], encoding="utf-8", errors="replace")
    with contextlib.suppress(ValueError):
        read_calibration(path)

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from factories import write_picture, write_weights
from road_factories import board_pose, draw_board, make_camera, make_road_prediction

from lanenet_sad import cli
from lanenet_sad.calibrate import calibrate
from lanenet_sad.lanes.calibration_files import read_calibration, write_calibration

PATTERN, SQUARE = (7, 5), 0.03


def make_lens():
    return make_camera(focal=(500.0, 505.0), centre=(325.0, 176.0), distortion=(-0.25, 0.08, 0.001, -0.0005, 0.0))


@pytest.fixture(scope="module")
def boards(tmp_path_factory) -> Path:
    """Six pictures of a board, one without, one of another size and one that is broken."""
    folder = tmp_path_factory.mktemp("boards")
    for number in (0, 2, 3, 4, 5, 7):
        write_picture(folder / f"board{number}.png", draw_board(make_lens(), PATTERN, SQUARE, board_pose(number)))
    write_picture(folder / "nothing.png", np.full((360, 640, 3), 120, np.uint8))
    write_picture(folder / "small.png", np.full((100, 100, 3), 120, np.uint8))
    (folder / "torn.png").write_bytes((folder / "board0.png").read_bytes()[:3000])
    return folder


def test_boards_become_a_camera_and_what_is_unfit_is_said(boards, tmp_path, capsys):
    out = tmp_path / "camera.yaml"
    words = f"calibrate {boards} --pattern 7 5 --square-size 0.03 --out {out} --height 1.4 --pitch 3 --no-progress"
    code = cli.main(words.split())
    said = capsys.readouterr()
    assert code == 2  # for the broken picture and the small one
    assert "torn.png" in said.err
    assert "small.png: expected 640x360 pixels as the first picture has, got 100x100; left out." in said.err
    assert re.search(r"nothing\.png +no board of 7x5 inner corners found; skipped", said.out)
    assert "6 boards in 8 pictures of 640x360" in said.out
    camera = read_calibration(out)
    assert camera.focal == pytest.approx((500, 505), rel=0.02)
    assert camera.height == 1.4
    assert camera.pitch == pytest.approx(np.radians(3))
    assert camera.image_size == (360, 640)


def test_too_few_boards_write_nothing(boards, tmp_path, capsys):
    out = tmp_path / "camera.yaml"
    words = [
        "calibrate",
        str(boards / "board[02].png"),
        "--pattern",
        "7",
        "5",
        "--square-size",
        "0.03",
        "--out",
        str(out),
    ]
    assert cli.main(words) == 2
    assert "at least 3 pictures, found it in 2" in capsys.readouterr().err
    assert not out.exists()


class Seer:
    """Stands in for a network: sees the lanes of a known road in every picture."""

    def __init__(self, camera):
        self.camera, self.number = camera, 0
        self.network, self.move, self.unseen = SimpleNamespace(num_lanes=4), 0, ()

    def see(self):
        self.number += 1
        seen = make_road_prediction(self.camera, width=3.7, noise=0.5, seed=self.number)
        lanes = [replace(lane, slot=lane.slot + self.move) for lane in seen.lanes if lane.slot not in self.unseen]
        return replace(seen, lanes=tuple(lanes))

    def __call__(self, images):
        return [self.see() for _ in images]


@pytest.fixture
def seer(monkeypatch) -> Seer:
    seer = Seer(make_camera(pitch=0.04, yaw=0.02, focal=(554.3, 554.3)))
    monkeypatch.setattr("lanenet_sad.inference.predictor.Predictor.from_weights", lambda *_, **__: seer)
    return seer


@pytest.fixture
def drive(tmp_path, seer) -> Path:
    folder = tmp_path / "drive"
    for number in range(12):
        write_picture(folder / f"{number:03d}.png", np.full((360, 640, 3), 90, np.uint8))
    return folder


def test_lanes_of_a_drive_become_a_camera(drive, tmp_path, capsys):
    out = tmp_path / "camera.json"
    done = calibrate(str(drive), out=out, every=1, progress=False)
    said = capsys.readouterr().out
    assert done.camera.pitch == pytest.approx(0.04, abs=0.003)
    assert done.camera.yaw == pytest.approx(0.02, abs=0.005)
    assert done.num_frames == 12
    assert "+- " in said
    assert "if lanes are as wide as assumed" in said
    content = json.loads(out.read_text())
    assert content["scale"] == "assumed"
    assert content["pitch_error"] > 0
    assert read_calibration(out).height == pytest.approx(1.4, rel=0.03)


def test_a_network_of_six_slots_has_another_own_lane(drive, seer, tmp_path):
    seer.network.num_lanes, seer.move, seer.unseen = 6, 1, (1, 4)  # the own lane alone, in slots 3 and 4
    camera = calibrate(str(drive), out=tmp_path / "camera.yaml", every=1, progress=False).camera
    assert camera.height == pytest.approx(1.4, rel=0.03)


def test_a_height_that_was_not_found_is_said(drive, seer, tmp_path):
    seer.unseen = (2,)
    with pytest.warns(UserWarning, match="the height is not known: the own lane was never seen .*; give --height"):
        camera = calibrate(str(drive), out=tmp_path / "camera.yaml", every=1, progress=False).camera
    assert (camera.height, camera.pitch) == (None, pytest.approx(0.04, abs=0.004))
    assert read_calibration(tmp_path / "camera.yaml").height is None


def test_what_is_known_of_the_camera_is_kept(drive, tmp_path):
    lens_file, out = tmp_path / "lens.yaml", tmp_path / "camera.yaml"
    lens = make_camera(focal=(554.3, 554.3), height=None, pitch=None, distortion=(0.01, 0.0, 0.0, 0.0, 0.0))
    write_calibration(lens_file, lens)
    done = calibrate(str(drive), out=out, camera=lens_file, height=1.4, yaw=1.0, every=1, progress=False)
    camera = read_calibration(out)
    assert camera.distortion == (0.01, 0.0, 0.0, 0.0, 0.0)
    assert (camera.height, camera.scale, camera.yaw_error) == (1.4, "calibration", None)
    assert camera.yaw == pytest.approx(np.radians(1.0))
    assert done.camera.pitch == pytest.approx(0.04, abs=0.004)


def test_a_drive_without_lanes_says_so_and_writes_nothing(tmp_path):
    folder = tmp_path / "night"
    for number in range(3):
        write_picture(folder / f"{number}.png", np.full((64, 160, 3), 5, np.uint8))
    weights = write_weights(tmp_path / "blind.safetensors", belief=-20.0)
    with pytest.raises(ValueError, match="frames in which two lanes or more are to be seen, found too few among 3"):
        calibrate(str(folder), out=tmp_path / "c.yaml", weights=weights, device="cpu", every=1, progress=False)
    assert not (tmp_path / "c.yaml").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"out": Path("camera.txt")}, "--out: expected the name of a file that ends in"),
        ({"pattern": (9, 6)}, "--square-size: expected the side"),
        ({"pattern": (9, 6), "square_size": -1.0}, "--square-size: expected the side"),
        ({"pattern": (9, 9), "square_size": 0.1}, "of a board that is not square"),
        ({"pattern": (2, 6), "square_size": 0.1}, "3 or more"),
        ({"square_size": 0.1}, "say with --pattern how many corners"),
        ({"every": 0}, "--every: expected 1 or more"),
        ({"pattern": (9, 6), "square_size": 0.1, "camera": Path("x.yaml")}, "the boards tell the lens"),
        ({"camera": Path("x.yaml"), "field_of_view": 50.0}, "leave one out"),
        ({"camera": Path("missing.yaml")}, "there is no such file"),
    ],
)
def test_requests_that_make_no_sense_are_refused(settings, message, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        calibrate(str(tmp_path), **{"out": tmp_path / "camera.yaml", **settings})


@pytest.mark.slow
def test_a_real_drive(shared, tmp_path):
    video = shared / "data/videos/udacity_solidWhiteRight.mp4"
    camera = calibrate(str(video), out=tmp_path / "camera.yaml", every=10, device="cpu", progress=False).camera
    x, y = camera.vanishing_point
    assert x == pytest.approx(482, abs=12)  # the far end of the straight road, as one sees it in the frames
    assert y == pytest.approx(305, abs=10)

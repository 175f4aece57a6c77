from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.bodies import VehicleKind
from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.road import Alignment
from lanenet_sad.datasets.synthetic.shapes import Lamps
from lanenet_sad.datasets.synthetic.traffic import Vehicle, draw_vehicle
from lanenet_sad.datasets.synthetic.view import Pose, look
from lanenet_sad.lanes.lane import Image

SIZES = {"car": (4.4, 1.8, 1.5), "van": (5.2, 2.0, 2.1), "lorry": (11, 2.5, 3.6), "bus": (11, 2.5, 3.2)}


def drawn(vehicle: Vehicle, light: Light | None = None) -> tuple[Image, Lamps]:
    view = look(Camera((288, 800), 600.0, 600.0, 400.0, 100.0, 1.5, 0.0), Alignment(), Pose())
    canvas = np.full((*view.camera.canvas_size, 3), 120, dtype=np.uint8)
    lamps = Lamps()
    draw_vehicle(canvas, view, vehicle, light or Light(shadow=0.0), lamps)
    return canvas, lamps


@pytest.mark.parametrize("oncoming", [False, True], ids=["rear", "front"])
@pytest.mark.parametrize("kind", get_args(VehicleKind))
def test_a_vehicle_covers_its_place_and_little_else(kind: VehicleKind, oncoming: bool) -> None:
    length, width, height = SIZES.get(kind, (2.2, 0.85, 1.75))
    for model in range(12):
        vehicle = Vehicle(15.0, 0.0, length + 0.01 * model, width, height, (200.0, 30.0, 30.0), kind, 0.0, oncoming)
        canvas, _ = drawn(vehicle)
        rows, columns = np.nonzero((np.abs(canvas.astype(int) - 120) > 40).any(axis=2))
        pixels = 600 / 15
        foot = 102 + 600 * 1.5 / 15
        assert abs(columns.mean() - 402) < 3
        assert np.ptp(columns) < 1.7 * width * pixels + 8
        assert np.ptp(columns) > 0.9 * width * pixels
        assert rows.min() > foot - 1.3 * height * pixels
        assert rows.max() < foot + 25
        middle = canvas[int(foot - 0.5 * height * pixels) : int(foot - 0.3 * height * pixels), 398:406]
        assert (middle != 120).any(axis=2).mean() > 0.95


def test_models_of_a_kind_look_different_and_stay_the_same() -> None:
    car = Vehicle(12.0, -3.0, 4.4, 1.8, 1.5, (60.0, 90.0, 160.0), speed=0.0)
    pictures = [drawn(replace(car, length=4.4 + 0.017 * model))[0] for model in range(8)]
    np.testing.assert_array_equal(pictures[0], drawn(car)[0])
    assert len({picture.tobytes() for picture in pictures}) == 8
    assert replace(car, s=40.0, speed=9.0).number == car.number


def test_lamps_shine_by_night_and_brakes_by_day() -> None:
    car = Vehicle(15.0, 0.0, 4.4, 1.8, 1.5, (60.0, 90.0, 160.0), speed=0.0)
    night = Light(ambient=(0.05, 0.05, 0.05), headlights=0.8)
    assert len(drawn(car)[1].points) == 0
    assert len(drawn(replace(car, braking=True))[1].points) == 2
    rear, front = drawn(car, night)[1].points, drawn(replace(car, oncoming=True), night)[1].points
    assert len(rear) == len(front) == 2
    assert front[0][4] > rear[0][4]


@pytest.mark.parametrize("s", [-3.0, 1.0, 490.0], ids=["behind", "beside", "too far"])
def test_what_is_not_ahead_is_left_out(s: float) -> None:
    assert (drawn(Vehicle(s, 0.0, 4.4, 1.8, 1.5, (200.0, 30.0, 30.0)))[0] == 120).all()

"""The truth of drives: lines keep their identity, signs are those of the picture, manoeuvres do what they say."""

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import Manoeuvre, RenderedDrive, drives_with
from lanenet_sad.datasets.synthetic.drive_truth import DriveTruth, measure_road
from lanenet_sad.datasets.synthetic.manoeuvres import CLOSEST, NoRoomError
from lanenet_sad.datasets.synthetic.markings import Marking, Stripe
from lanenet_sad.datasets.synthetic.road import Alignment, Band, Road
from lanenet_sad.datasets.synthetic.view import Pose

SIZE = (96, 256)


def make_road(*offsets: float, curvature: float = 0.0) -> Road:
    return Road(
        alignment=Alignment(curvature=curvature),
        verge=Band(-1e9, 1e9, (90.0, 100.0, 60.0)),
        bands=(),
        markings=tuple(Marking(offset, (Stripe(),)) for offset in offsets),
        barriers=(),
        edges=(-8.0, 8.0),
        lane_width=3.5,
        lanes_left=1,
        lanes_right=1,
    )


def make_drive(manoeuvre: Manoeuvre, *, mirrored: bool | None = None) -> RenderedDrive:
    first = 0
    while True:
        (index,) = drives_with(manoeuvre, seed=5, image_size=SIZE, count=1, first=first)
        drive = RenderedDrive(5, index, num_frames=250, image_size=SIZE, manoeuvre=manoeuvre)
        if mirrored is None or drive.scene.mirrored == mirrored:
            return drive
        first = index + 1


def own_lines(truth: DriveTruth) -> tuple[int | None, int | None]:
    seen = {lane.slot: lane.track_id for lane in truth.lanes}
    return seen.get(2), seen.get(3)


def test_truth_has_the_lanes_of_the_frame_with_identity_and_type() -> None:
    drive = RenderedDrive(5, 9, num_frames=30, image_size=SIZE)
    first, last = drive.truth(0), drive.truth(29)
    _, lanes = drive.frame(29)
    for lane, true in zip(lanes, last.lanes, strict=True):
        np.testing.assert_array_equal(lane.points, true.points)
        assert (lane.slot, lane.track_id, lane.line_type) == (true.slot, true.track_id, true.line_type)
    types = {lane.track_id: lane.line_type for lane in first.lanes}
    assert len(types) == len(first.lanes) >= 4
    assert all(lane.line_type is not None for lane in last.lanes)
    assert {lane.track_id: lane.line_type for lane in last.lanes if lane.track_id in types}.items() <= types.items()
    prediction = last.as_prediction("drive")
    assert prediction.road == last.road
    assert prediction.lanes == last.lanes
    assert prediction.image_size == SIZE


def test_measures_by_hand() -> None:
    measures = measure_road(
        make_road(-1.75, 1.75, 5.25, curvature=0.01),
        Pose(0.0, 0.5, 0.02),
        towards=0.02,
        speed=20.0,
        lines=(1, 2, 3),
        mirrored=False,
    )
    assert measures.lateral_offset == pytest.approx(0.5)
    assert measures.lane_width == pytest.approx(3.5)
    assert (measures.left_distance, measures.right_distance) == pytest.approx((2.25, 1.25))
    assert measures.heading == pytest.approx(0.02)
    assert measures.lateral_speed == pytest.approx(0.4)
    assert measures.curvature == pytest.approx(0.01)


def test_the_inner_lane_of_a_bend_is_more_curved() -> None:
    road = make_road(1.75, 5.25, curvature=0.01)
    measures = measure_road(road, Pose(0.0, 3.5), towards=0.0, speed=20.0, lines=(1, 2), mirrored=False)
    assert measures.curvature == pytest.approx(1 / (100 - 3.5))


def test_a_mirrored_picture_flips_every_sign() -> None:
    road, pose = make_road(-1.75, 1.75, curvature=0.01), Pose(0.0, 0.5)
    plain, flipped = (
        measure_road(road, pose, towards=0.02, speed=20.0, lines=(1, 2), mirrored=mirrored)
        for mirrored in (False, True)
    )
    for name in ("curvature", "lateral_offset", "heading", "lateral_speed"):
        assert getattr(flipped, name) == pytest.approx(-getattr(plain, name))
        assert getattr(plain, name) > 0
    assert (flipped.left_distance, flipped.right_distance) == (plain.right_distance, plain.left_distance)
    assert flipped.lane_width == plain.lane_width


@pytest.mark.parametrize(
    ("offsets", "distances"),
    [((-1.75,), (1.75, None)), ((1.75,), (None, 1.75)), ((-5.25, 5.25), (None, None)), ((), (None, None))],
    ids=["no right line", "no left line", "lines of other lanes", "no lines"],
)
def test_what_no_line_tells_is_none(offsets: tuple[float, ...], distances: tuple[float | None, float | None]) -> None:
    lines = tuple(range(1, len(offsets) + 1))
    measures = measure_road(make_road(*offsets), Pose(), towards=0.0, speed=20.0, lines=lines, mirrored=False)
    assert (measures.left_distance, measures.right_distance) == distances
    assert measures.lane_width is None
    assert measures.lateral_offset is None
    assert measures.curvature == 0
    assert measures.heading == 0


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_lane_change_crosses_one_line_on_its_side(side: str, mirrored: bool) -> None:
    drive = make_drive("lane_change_left" if side == "left" else "lane_change_right", mirrored=mirrored)
    assert drive.manoeuvre_span == (2.0, 6.0)
    before, during, after = (drive.truth(number) for number in (50, 85, 150))
    number = 0 if side == "left" else 1
    assert own_lines(before)[number] == own_lines(after)[1 - number] is not None
    assert during.road.lateral_speed is not None
    assert (during.road.lateral_speed < -0.5) if side == "left" else (during.road.lateral_speed > 0.5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_drift_goes_to_the_line_and_back(side: str) -> None:
    drive = make_drive("drift_left" if side == "left" else "drift_right")
    distances = [getattr(drive.truth(number).road, f"{side}_distance") for number in range(0, 250, 5)]
    closest = int(np.argmin(distances)) * 5 / 25
    assert 3.5 < closest < 5.5
    assert min(distances) == pytest.approx(CLOSEST, abs=0.15)
    assert distances[10] > min(distances) + 0.25
    assert distances[36] > min(distances) + 0.25
    assert own_lines(drive.truth(0)) == own_lines(drive.truth(225))


def test_a_vehicle_cuts_in_close_ahead() -> None:
    (index,) = drives_with("cut_in", seed=5, image_size=SIZE, count=1)
    drive = RenderedDrive(5, index, num_frames=250, image_size=SIZE, manoeuvre="cut_in")
    without = RenderedDrive(5, index, num_frames=250, image_size=SIZE)
    assert own_lines(drive.truth(50)) == own_lines(without.truth(50))
    changed = np.abs(drive.frame(88)[0].astype(int) - without.frame(88)[0]).max(axis=2) > 25
    assert 0.01 < changed.mean() < 0.5


def test_the_start_of_a_manoeuvre_looks_like_the_drive_without_it() -> None:
    (index,) = drives_with("drift_left", seed=5, image_size=SIZE, count=1)
    drift, plain = (
        RenderedDrive(5, index, num_frames=60, image_size=SIZE, manoeuvre=manoeuvre)
        for manoeuvre in ("drift_left", "none")
    )
    np.testing.assert_array_equal(drift.frame(40)[0], plain.frame(40)[0])
    assert (drift.frame(59)[0] != plain.frame(59)[0]).mean() > 0.1


def test_drives_that_suit_are_ascending_and_differ() -> None:
    found = drives_with("none", seed=5, image_size=SIZE, count=3, first=2)
    assert found == tuple(sorted(set(found)))
    assert len(found) == 3
    assert found[0] >= 2


def test_a_road_without_room_refuses() -> None:
    narrow = next(
        index
        for index in range(100)
        if RenderedDrive(5, index, num_frames=1, image_size=SIZE).scene.road.lanes_left == 0
        and not RenderedDrive(5, index, num_frames=1, image_size=SIZE).scene.mirrored
    )
    with pytest.raises(NoRoomError, match="a lane of the same direction on the left"):
        RenderedDrive(5, narrow, num_frames=1, image_size=SIZE, manoeuvre="lane_change_left")


def test_an_unknown_manoeuvre_is_named() -> None:
    with pytest.raises(ValueError, match=r"got 'somersault' at 2\.0 s"):
        drives_with("somersault", seed=5, image_size=SIZE, count=1)  # type: ignore[arg-type]

"""All steps of a drive together, on the true lanes of rendered drives, without a network."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_picture
from road_factories import make_camera, make_road_prediction

from lanenet_sad.datasets.synthetic import Manoeuvre, RenderedDrive, drives_with
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.postprocess.departure import DepartureWarner
from lanenet_sad.postprocess.follower import LaneFollower
from lanenet_sad.postprocess.refine import LaneRefiner
from lanenet_sad.postprocess.tracking import LaneTracker

SIZE = (360, 640)
FPS, START = 8.0, 0.5
SECONDS = 6.5  # a drift begins at START and takes 5 s, a lane change 4 s


def make_drive(manoeuvre: Manoeuvre, *, seconds: float = SECONDS) -> list[tuple[Frame, LanePrediction]]:
    """Grey frames with the true lanes, as if a network had seen them one by one."""
    (index,) = drives_with(
        manoeuvre, seed=5, image_size=SIZE, count=1, difficulty="easy", manoeuvre_start=START
    )  # fmt: skip
    drive = RenderedDrive(
        5, index, num_frames=round(seconds * FPS), image_size=SIZE, fps=FPS, difficulty="easy", manoeuvre=manoeuvre,
        manoeuvre_start=START,
    )  # fmt: skip
    image = np.full((*SIZE, 3), 90, np.uint8)
    frames = []
    for number in range(len(drive)):
        lanes = tuple(replace(lane, track_id=None, line_type=None) for lane in drive.truth(number).lanes)
        frames.append((Frame(image, "drive", number, number / FPS), LanePrediction(lanes, SIZE)))
    return frames


def follow(follower: LaneFollower, frames) -> tuple[list[LanePrediction], list[DrivingEvent]]:
    found = [follower(frame, prediction) for frame, prediction in frames]
    return found, [event for prediction in found for event in prediction.events]


@pytest.mark.parametrize(("manoeuvre", "side"), [("drift_left", "left"), ("drift_right", "right")])
def test_a_drift_onto_a_line_is_a_departure(manoeuvre, side):
    follower = LaneFollower.standard()
    _, events = follow(follower, make_drive(manoeuvre))
    begun, over = events
    assert [(event.kind, event.side, event.is_over) for event in events] == [
        ("departure", side, False),
        ("departure", side, True),
    ]
    assert begun.start == over.start
    assert START + 0.5 < begun.start < START + 2.5  # on its way to the line
    assert over.duration == pytest.approx(2.5, abs=1.0)
    assert over.minimum_distance == pytest.approx(-0.3, abs=0.12)  # the wheels are 0.3 m over the line
    assert follower.finish() == ()


def test_a_departure_that_is_open_at_the_end_is_closed_there():
    follower = LaneFollower.standard()
    _, events = follow(follower, make_drive("drift_left", seconds=3.0))
    (begun,) = events
    assert not begun.is_over
    (over,) = follower.finish()
    assert (over.kind, over.side, over.start, over.is_over) == ("departure", "left", begun.start, True)
    assert over.start + over.duration == pytest.approx(3.0 - 1 / FPS)
    assert follower.finish() == ()  # told once


@pytest.mark.parametrize(("manoeuvre", "side"), [("lane_change_right", "right"), ("lane_change_left", "left")])
def test_a_lane_change_is_told_once(manoeuvre, side):
    frames = make_drive(manoeuvre)
    found, events = follow(LaneFollower.standard(), frames)
    (change,) = (event for event in events if event.kind == "lane_change")
    assert change.side == side
    assert change.is_over
    assert START < change.start < change.start + change.duration < START + 4.0
    own = [{lane.slot: lane.track_id for lane in prediction.lanes} for prediction in (found[0], found[-1])]
    # the line that was crossed keeps its identity and is on the other side now
    assert (own[0][3] == own[1][2]) if side == "right" else (own[0][2] == own[1][3])
    # the warning before the line ends with the change
    assert {(event.side, event.is_over) for event in events if event.kind == "departure"} >= {
        (side, False),
        (side, True),
    }


def test_after_a_reset_a_drive_is_followed_as_the_first_time():
    frames, follower = make_drive("drift_left", seconds=3.0), LaneFollower.standard()
    first, first_events = follow(follower, frames)
    follower.reset()
    assert follower.finish() == ()  # what was open is forgotten
    second, second_events = follow(follower, frames)
    assert first_events == second_events
    for before, after in zip(first, second, strict=True):
        assert before.road == after.road
        assert [lane.track_id for lane in before.lanes] == [lane.track_id for lane in after.lanes]
        for lane, other in zip(before.lanes, after.lanes, strict=True):
            np.testing.assert_array_equal(lane.points, other.points)


def test_what_comes_in_stays_as_it_is():
    ((frame, prediction), *_) = make_drive("drift_left", seconds=0.2)
    points = [lane.points.copy() for lane in prediction.lanes]
    image = frame.image.copy()
    found = LaneFollower.standard()(frame, prediction)
    assert found.road is not None
    assert prediction.road is None
    for lane, before in zip(prediction.lanes, points, strict=True):
        assert lane.track_id is None
        np.testing.assert_array_equal(lane.points, before)
    np.testing.assert_array_equal(frame.image, image)


def test_without_lanes_nothing_happens():
    follower = LaneFollower.standard()
    image = make_picture((36, 64))
    for number in range(20):
        found = follower(Frame(image, "drive", number, number / 25), LanePrediction((), (36, 64)))
        assert found.lanes == ()
        assert found.events == ()
    assert follower.finish() == ()


def test_parts_may_be_left_out():
    frames = make_drive("drift_left", seconds=1.0)
    found, _ = follow(LaneFollower(), frames)
    assert all(after is before for after, (_, before) in zip(found, frames, strict=True))
    found, _ = follow(LaneFollower(refiner=LaneRefiner(), tracker=LaneTracker()), frames)
    assert found[-1].road is None
    assert all(lane.track_id is not None and lane.line_type is None for lane in found[-1].lanes)


def test_departures_without_measures_are_refused():
    with pytest.raises(ValueError, match="expected a meter too, got None"):
        LaneFollower(departures=DepartureWarner())


def test_after_a_cut_measures_are_those_of_a_new_drive():
    camera = make_camera()
    image = np.full((*camera.image_size, 3), 90, np.uint8)

    def scene(follower: LaneFollower, lateral: float, first: int) -> list[LanePrediction]:
        road = make_road_prediction(camera, lateral=lateral)
        return [follower(Frame(image, "drive", n, n / FPS), road) for n in range(first, first + 8)]

    follower, other = (LaneFollower.standard(calibration=camera) for _ in range(2))
    scene(follower, -0.75, 0)
    found, fresh = scene(follower, 0.85, 8), scene(other, 0.85, 8)
    assert [each.road for each in found] == [each.road for each in fresh]
    assert found[-1].road.lateral_speed == pytest.approx(0.0, abs=0.01)
    assert {lane.track_id for lane in found[-1].lanes} == {5, 6, 7, 8}

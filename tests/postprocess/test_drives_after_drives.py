"""A follower that has been reset follows the drive of another camera as a new follower does."""

import cv2
import numpy as np
from road_factories import make_camera, make_road_prediction

from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, Image, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.postprocess.follower import LaneFollower

STEP = 0.08


def draw_road(camera: CameraCalibration, lateral: float, travelled: float) -> Image:
    """Grey ground with a double line left of the own lane and dashes beside it, seen from `lateral` metres right."""
    image = np.full((*camera.image_size, 3), 95, np.uint8)
    stripes = [(aside, 4.0, 60.0) for aside in (-1.96, -1.64)]
    stripes += [(aside, near, near + 3) for aside in (-5.4, 1.8, 5.4) for near in np.arange(4 + -travelled % 9, 60, 9)]
    for aside, near, far in stripes:
        left, right = aside - lateral - 0.075, aside - lateral + 0.075
        corners = camera.to_image([(left, near), (left, far), (right, far), (right, near)])
        cv2.fillPoly(image, [np.rint(16 * corners).astype(np.int32)], (230, 230, 226), cv2.LINE_AA, shift=4)
    return image


def make_drive(camera: CameraCalibration, laterals, *, begin: float) -> list[tuple[Frame, LanePrediction]]:
    """Frames from a time on, in each of which the camera is so many metres right of the middle of its lane."""
    frames = []
    for number, lateral in enumerate(laterals):
        image = draw_road(camera, lateral, 20 * number * STEP)
        road = make_road_prediction(camera, lateral=lateral, noise=0.5, seed=number)
        frames.append((Frame(image, "drive", number, begin + number * STEP), road))
    return frames


def follow(follower: LaneFollower, frames) -> tuple[list[LanePrediction], list[DrivingEvent]]:
    found = [follower(frame, road) for frame, road in frames]
    return found, [event for prediction in found for event in prediction.events]


def test_another_drive_after_a_reset_is_followed_as_by_a_new_follower():
    """Time goes on, as from a camera that is switched over.

    The first drive, from a car, ends when it has just changed to the lane on its right; the other one, from a lorry,
    begins close to the line on its left.
    """
    car = make_camera()
    lorry = make_camera(image_size=(270, 480), focal=(420.0, 420.0), centre=(239.5, 134.5), height=2.6, pitch=0.08)
    first = make_drive(car, np.linspace(1.2, 2.8, 20), begin=0.0)
    second = make_drive(lorry, np.linspace(-0.8, -0.9, 16), begin=20 * STEP)
    used = LaneFollower.standard()
    _, events = follow(used, first)
    assert "lane_change" in [event.kind for event in events]
    used.reset()
    found, events = follow(used, second)
    expected, expected_events = follow(LaneFollower.standard(), second)
    assert [(event.kind, event.side) for event in expected_events] == [("departure", "left")]
    assert events == expected_events
    assert [prediction.road for prediction in found] == [prediction.road for prediction in expected]
    for prediction, other in zip(found, expected, strict=True):
        assert [lane.line_type for lane in prediction.lanes] == [lane.line_type for lane in other.lanes]
        assert [(lane.track_id, lane.slot) for lane in prediction.lanes] == [
            (lane.track_id, lane.slot) for lane in other.lanes
        ]
        for lane, same in zip(prediction.lanes, other.lanes, strict=True):
            np.testing.assert_array_equal(lane.points, same.points)
    assert {lane.slot: lane.line_type.style for lane in expected[-1].lanes} == {
        1: "dashed",
        2: "double",
        3: "dashed",
        4: "dashed",
    }

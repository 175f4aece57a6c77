"""A line whose near end is hidden goes straight on to the car."""

from dataclasses import replace

import pytest
from road_factories import make_camera, make_road_prediction

from lanenet_sad.postprocess.tracking import LaneTracker


def test_a_line_is_crossed_though_its_near_half_is_hidden():
    """From 2 s on the car moves right at a metre a second, until 5 s something covers the line on its right nearby."""
    camera, tracker, events = make_camera(), LaneTracker(), []
    for number in range(150):
        time = number * 0.04
        road = make_road_prediction(camera, lateral=max(0.0, time - 2), noise=1.0, seed=number)
        if 2 < time < 5:
            far = {lane.slot: lane.points[lane.points[:, 1] < 250] for lane in road.lanes}
            road = replace(
                road,
                lanes=tuple(replace(lane, points=far[3]) if lane.slot == 3 else lane for lane in road.lanes),
            )
        told = tracker(road, time)
        events += told.events
    (change,) = events
    assert change.side == "right"
    beyond = 2 + 1.8 + 0.2 * 3.6  # when the camera is a fifth of the lane past the line
    assert change.start + change.duration == pytest.approx(beyond, abs=0.3)
    assert next(lane.track_id for lane in told.lanes if lane.slot == 2) == 3  # the line that was the right one

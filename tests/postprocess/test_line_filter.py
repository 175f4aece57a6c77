"""The course of a line that moves aside for long, as in a lane change, is followed without much delay."""

from dataclasses import replace

import numpy as np
import pytest
from road_factories import make_camera, make_road_prediction

from lanenet_sad.metrics.stability import StabilityMetric
from lanenet_sad.postprocess.tracking import LaneTracker


@pytest.mark.parametrize("step", [0.04, 0.2], ids=["25-frames", "5-frames"])
def test_lines_lag_little_in_a_lane_change(step):
    """The car moves aside by 1.7 m at a metre a second; errors are in pixels at a width of 1640."""
    camera, tracker, metric = make_camera(), LaneTracker(), StabilityMetric()
    for number in range(round(3 / step)):
        time = number * step
        lateral = float(np.clip(time - 1, 0, 1.7))
        told = tracker(make_road_prediction(camera, lateral=lateral, noise=2.0, seed=number), time)
        truth = make_road_prediction(camera, lateral=lateral).lanes
        metric.update(told, [replace(lane, track_id=index) for index, lane in enumerate(truth)], time)
    assert metric.compute().error < (6 if step == 0.04 else 15)

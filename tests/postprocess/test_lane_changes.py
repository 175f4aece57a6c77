"""What a lane change is told with: when it began, how long it took, and which lines cannot have been crossed."""

import numpy as np

from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.postprocess.lane_changes import LaneChanges

FPS = 25
LANE = 0.4  # of the picture's width, at the bottom row


def change_lanes(asides) -> list[DrivingEvent]:
    """The lane changes of a car that is so many lanes right of the middle of its first lane, frame after frame."""
    changes, events = LaneChanges(num_lanes=4, margin=0.2), []
    for frame, aside in enumerate(asides):
        crossings = {number: 0.5 + LANE * (number - 2.5 - aside) for number in (1, 2, 3, 4)}
        events += changes(crossings, frame / FPS, frame, 1 / FPS)[1]
    return events


def test_a_slow_drift_into_the_next_lane_counts_as_a_change_for_its_last_seconds_only():
    (change,) = change_lanes(np.linspace(0, 1, 16 * FPS))
    assert change.start > 0
    assert change.duration <= 4
    assert change.frame == round(change.start * FPS)


def test_a_change_back_begins_after_the_change_before_it_was_over():
    """The car swerves over the line and back at once, never far from it."""
    seconds = np.arange(5 * FPS) / FPS
    there, back = change_lanes(np.interp(seconds, [1, 2, 2.5, 3.5, 4], [0, 0.73, 0.73, 0.1, 0]))
    assert (there.side, back.side) == ("right", "left")
    assert back.start >= there.start + there.duration
    assert back.frame == round(back.start * FPS)


def test_a_line_whose_place_was_wrong_when_it_was_first_seen_has_not_been_crossed():
    changes = LaneChanges(num_lanes=4, margin=0.2)
    wrong, right = {1: 0.2, 2: 0.48}, {1: 0.2, 2: 0.62}
    told = [changes(wrong if frame < 3 else right, frame / FPS, frame, 1 / FPS) for frame in range(10)]
    assert all(not events for _, events in told)
    assert told[-1][0] == {1: 2, 2: 3}  # slots: the car is between the two lines

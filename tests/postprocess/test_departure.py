"""Departures begin near a line, end well away from it, and are told twice."""

from dataclasses import replace

import pytest
from factories import make_straight_lane

from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.postprocess.departure import DepartureWarner

STEP = 0.1


def make_frame(left: float | None, right: float | None = 2.5, *, speed: float | None = None, events=()):
    """Distances from wheels 0.9 m aside of the camera to the lines."""
    road = RoadMeasures(
        left_distance=None if left is None else left + 0.9,
        right_distance=None if right is None else right + 0.9,
        lateral_speed=speed,
    )
    size = (90, 160)
    lanes = (make_straight_lane(20, size, slot=2), make_straight_lane(140, size, slot=3))
    return LanePrediction(lanes, size, road=road, events=tuple(events))


def drive(warner: DepartureWarner, frames) -> list[DrivingEvent]:
    return [event for n, frame in enumerate(frames) for event in warner(frame, n * STEP, n).events]


def test_a_departure_is_told_when_it_begins_and_when_it_is_over():
    distances = [0.8, 0.4, 0.05, 0.0, -0.15, -0.2, 0.0, 0.2, 0.25, 0.35, 0.8]
    begun, over = drive(DepartureWarner(), [make_frame(distance) for distance in distances])
    assert (begun.kind, begun.side, begun.frame, begun.is_over) == ("departure", "left", 2, False)
    assert begun.start == pytest.approx(0.2)
    assert begun.duration == pytest.approx(0.2)
    assert begun.minimum_distance == pytest.approx(-0.15)
    assert (over.side, over.start, over.frame, over.is_over) == ("left", begun.start, 2, True)
    assert over.duration == pytest.approx(0.7)
    assert over.minimum_distance == pytest.approx(-0.2)


def test_swaying_beside_the_line_is_one_departure():
    distances = [0.05, 0.2] * 20 + [0.5]
    events = drive(DepartureWarner(), [make_frame(2.5, distance) for distance in distances])
    assert [(event.side, event.is_over) for event in events] == [("right", False), ("right", True)]


def test_a_moment_at_the_line_is_no_departure():
    assert drive(DepartureWarner(minimum_duration=0.2), [make_frame(d) for d in (0.5, 0.05, 0.08, 0.5, 0.6)]) == []


@pytest.mark.parametrize(("missing", "count"), [(4, 2), (7, 4)], ids=["short-gap", "long-gap"])
@pytest.mark.parametrize("how", ["no-distance", "no-road"])
def test_missing_measures_end_a_departure_only_after_a_while(missing, count, how):
    nothing = make_frame(None, None) if how == "no-distance" else LanePrediction((), (90, 160))
    frames = [make_frame(0.0)] * 5 + [nothing] * missing + [make_frame(0.0)] * 5 + [make_frame(0.6)]
    events = drive(DepartureWarner(longest_gap=0.5), frames)
    assert [event.is_over for event in events] == [False, True] * (count // 2)
    if count == 4:
        assert events[1].start + events[1].duration == pytest.approx(4 * STEP)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_lane_change_ends_the_departure_and_leaving_the_line_behind_is_none(side):
    other = "right" if side == "left" else "left"

    def frame(near, far, events=()):
        return make_frame(near, far, events=events) if side == "left" else make_frame(far, near, events=events)

    change = DrivingEvent("lane_change", side, 0.0, 0, 1.0, is_over=True)
    frames = [frame(d, 2.5) for d in (0.0, -0.3, -0.6, -0.8)] + [frame(2.0, -0.6, events=[change])]
    frames += [frame(2.0, d) for d in (-0.3, 0.1, 0.4, 0.8)]
    events = [event for event in drive(DepartureWarner(), frames) if event.kind == "departure"]
    assert [(event.side, event.is_over) for event in events] == [(side, False), (side, True)]
    assert events[1].minimum_distance == pytest.approx(-0.8)
    back = [*frames, *(frame(2.0, 0.0) for _ in range(4))]
    events = [event for event in drive(DepartureWarner(), back) if event.kind == "departure"]
    assert [(event.side, event.is_over) for event in events[2:]] == [(other, False)]  # towards the line again
    early = [*frames[:5], *(frame(2.0, d) for d in (-0.3, -0.1, -0.2, -0.35, -0.5, -0.7))]  # back before it was away
    events = [event for event in drive(DepartureWarner(), early) if event.kind == "departure"]
    assert [(event.side, event.is_over) for event in events[2:]] == [(other, False)]


def test_a_departure_that_goes_on_at_the_end_is_told_by_close():
    warner = DepartureWarner()
    (begun,) = drive(warner, [make_frame(0.0)] * 6)
    (over,) = warner.close()
    assert over.is_over
    assert over.start == begun.start
    assert over.duration == pytest.approx(0.5)
    assert warner.close() == []


def test_a_departure_too_short_to_be_told_is_not_closed():
    warner = DepartureWarner()
    assert drive(warner, [make_frame(0.0)]) == []
    assert warner.close() == []


@pytest.mark.parametrize("time", [0.0, 60.0], ids=["back", "ahead"])
def test_a_jump_in_time_ends_what_went_on(time):
    warner = DepartureWarner()
    drive(warner, [make_frame(0.0)] * 6)
    (over,) = warner(make_frame(0.0), time, 99).events
    assert over.is_over
    assert over.duration == pytest.approx(0.5)


def test_reset_forgets():
    warner = DepartureWarner()
    drive(warner, [make_frame(0.0)] * 6)
    warner.reset()
    assert warner.close() == []


@pytest.mark.parametrize(("speed", "count"), [(-0.4, 1), (0.4, 0), (0.0, 0), (None, 1)])
def test_a_least_speed_towards_the_line(speed, count):
    warner = DepartureWarner(minimum_speed=0.2)
    assert len(drive(warner, [make_frame(0.0, speed=speed)] * 5)) == count


def test_events_of_others_stay_first():
    change = DrivingEvent("lane_change", "left", 0.0, 0)
    warner = DepartureWarner(minimum_duration=0.0)
    events = warner(make_frame(0.0, events=[change]), 0.0, 0).events
    assert [event.kind for event in events] == ["lane_change", "departure"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"half_width": 0.0}, "half_width: expected a positive number of metres, got 0.0"),
        ({"release_distance": 0.1}, "release_distance: expected more than warn_distance, which is 0.1 m, got 0.1 m"),
        ({"minimum_duration": -1.0}, "minimum_duration: expected 0 or more, got -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DepartureWarner(**settings)


def test_a_line_that_is_not_seen_is_not_warned_about():
    near = make_frame(0.0)
    unseen = replace(near, lanes=near.lanes[1:])
    unsure = replace(near, lanes=(replace(near.lanes[0], confidence=0.2), near.lanes[1]))
    for frame in (unseen, unsure):
        assert drive(DepartureWarner(), [frame] * 10) == []
    assert len(drive(DepartureWarner(), [near] * 10)) == 1


def test_a_line_farther_beyond_than_a_lane_change_would_leave_it_is_a_mistake():
    assert len(drive(DepartureWarner(), [make_frame(-1.85)] * 10)) == 1
    assert drive(DepartureWarner(), [make_frame(-1.95)] * 10) == []


@pytest.mark.parametrize("how", ["cut", "time"])
def test_a_new_scene_ends_departures_and_forgets_the_line_that_was_crossed(how):
    change = DrivingEvent("lane_change", "left", 0.5, 5, 0.5, is_over=True)
    warner = DepartureWarner()
    events = drive(warner, [make_frame(0.0)] * 5 + [make_frame(2.5, 0.0, events=[change])])
    assert [event.is_over for event in events if event.kind == "departure"] == [False, True]
    gap = 0.0 if how == "cut" else 100.0
    if how == "cut":
        warner.begin_scene()
    found = [
        event for n in range(6, 12) for event in warner(make_frame(2.5, 0.0), n * STEP + gap, n).events
    ]  # over a line at once
    assert [(event.side, event.is_over) for event in found] == [("right", False)]


def test_a_departure_that_a_cut_ended_is_told_with_the_next_frame():
    warner = DepartureWarner()
    (begun,) = drive(warner, [make_frame(0.0)] * 5)
    warner.begin_scene()
    (over,) = warner(make_frame(0.8), 5 * STEP, 5).events
    assert (over.start, over.is_over) == (begun.start, True)
    assert over.start + over.duration == pytest.approx(4 * STEP)
    assert warner.close() == []

"""Lines keep their identity, move smoothly and without lag, and shift slots when the car changes its lane."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Lane, LanePrediction, LaneType
from lanenet_sad.metrics.stability import StabilityMetric
from lanenet_sad.postprocess.tracking import LaneTracker

HEIGHT, WIDTH = 590, 1640
ROWS = np.arange(589.0, 270.0, -10.0)
LANE_WIDTH = 640.0  # at the bottom row
STEP = 0.04


def make_line(number: float, *, aside: float = 0.0, nod: float = 0.0, bend: float = 0.0, **values) -> Lane:
    """Line `number` of a road, 0 and 1 being those of the own lane, seen from `aside` lane widths to the right."""
    depth = (ROWS - nod - 240) / 349
    columns = 820 + (number - 0.5 - aside) * LANE_WIDTH * depth + bend * (1 / np.maximum(depth, 0.05) - 1)
    inside = (columns >= 0) & (columns < WIDTH)
    points = np.stack([columns, ROWS], axis=1)[inside]
    return Lane(points, confidence=0.9, **values)


def make_frame(*lanes: Lane) -> LanePrediction:
    return LanePrediction(lanes, (HEIGHT, WIDTH))


def make_road(numbers=(-1, 0, 1, 2), **values) -> LanePrediction:
    return make_frame(*(make_line(number, **values) for number in numbers))


def with_noise(prediction: LanePrediction, rng: np.random.Generator, deviation: float = 5.0) -> LanePrediction:
    """Every line wrong by its own slanting error, the less the farther away it is, as networks are."""

    def wrong(lane: Lane) -> Lane:
        rows = lane.points[:, 1]
        error = (rng.normal(0, deviation) + rng.normal(0, deviation) * (rows - 430) / 160) * (rows - 240) / 349
        return replace(lane, points=lane.points + np.stack([error, 0 * error], axis=1))

    return replace(prediction, lanes=tuple(wrong(lane) for lane in prediction.lanes))


def ids(prediction: LanePrediction) -> dict[int, int]:
    """Slot -> track id."""
    return {lane.slot: lane.track_id for lane in prediction.lanes}


def test_a_first_frame_is_told_at_once_with_ids_from_the_left():
    told = LaneTracker()(make_road(), 0.0)
    assert ids(told) == {1: 1, 2: 2, 3: 3, 4: 4}
    for lane, line in zip(told.lanes, make_road().lanes, strict=True):
        found = sample_at_rows(lane.points, line.points[1:-1, 1])
        np.testing.assert_allclose(found, line.points[1:-1, 0], atol=0.5)
        assert lane.confidence == 0.9


@pytest.mark.parametrize("motion", ["straight", "weaving", "curve", "nodding"])
def test_noise_goes_and_nothing_lags(motion):
    rng = np.random.default_rng(7)
    tracker, raw, tracked = LaneTracker(), StabilityMetric(), StabilityMetric()
    for number in range(75):
        time = number * STEP
        values = {
            "straight": {},
            "weaving": {"aside": 0.12 * np.sin(2 * np.pi * time / 4)},
            "curve": {"bend": 12 * np.sin(2 * np.pi * time / 5)},
            "nodding": {"nod": 4 * np.sin(9 * time)},
        }[motion]
        truth = make_road(**values)
        seen = with_noise(truth, rng)
        told = tracker(seen, time)
        lines = [replace(lane, track_id=index) for index, lane in enumerate(truth.lanes)]
        raw.update(seen, lines, time)
        tracked.update(told, lines, time)
    before, after = raw.compute(), tracked.compute()
    assert after.jitter < before.jitter / 2
    assert after.error < before.error
    assert after.id_switches == 0
    assert after.found == 1


def test_uneven_frame_times_are_followed():
    rng = np.random.default_rng(3)
    tracker, time, off = LaneTracker(), 0.0, []
    for _ in range(80):
        time += float(rng.choice([0.0, 0.02, 0.04, 0.2]))
        truth = make_road(aside=0.25 * time / 8)
        told = tracker(truth, time)
        off += [
            np.nanmax(np.abs(sample_at_rows(a.points, ROWS[:20]) - sample_at_rows(b.points, ROWS[:20])))
            for a, b in zip(told.lanes, truth.lanes, strict=True)
            if len(b.points) > 25
        ]
    assert len(off) >= 160
    assert np.median(off) < 3
    assert set(ids(told).values()) == {1, 2, 3, 4}


def test_a_hidden_line_fades_ends_and_comes_back_with_its_id():
    tracker = LaneTracker()
    for number in range(50):
        tracker(make_road(), number * STEP)
    hidden = [tracker(make_road((-1, 0, 2)), (50 + number) * STEP) for number in range(24)]
    confidences = [lane.confidence for told in hidden for lane in told.lanes if lane.slot == 3]
    assert len(confidences) == 24
    assert all(later < earlier for earlier, later in pairwise(confidences))
    assert confidences[0] > 0.8
    assert confidences[-1] < 0.1
    again = tracker(make_road(), 74 * STEP)
    assert ids(again) == {1: 1, 2: 2, 3: 3, 4: 4}
    later = [tracker(make_road((-1, 0, 2)), (75 + number) * STEP) for number in range(30)]
    assert 3 not in ids(later[-1]).values()
    assert len(later[-1].lanes) == 3


def test_a_hidden_line_moves_with_the_others():
    """A car in front hides a line for a second while the own car drifts."""
    tracker = LaneTracker()
    for number in range(120):
        time = number * STEP
        aside = 0.1 * max(0.0, time - 2)
        told = tracker(make_road((-1, 0, 1, 2) if not 60 <= number < 84 else (-1, 0, 2), aside=aside), time)
        assert ids(told) == {1: 1, 2: 2, 3: 3, 4: 4}
        lane = next(lane for lane in told.lanes if lane.slot == 3)
        off = sample_at_rows(lane.points, [500]) - sample_at_rows(make_line(1, aside=aside).points, [500])
        assert abs(off[0]) < 40


def test_what_was_seen_for_a_moment_is_not_kept_for_a_second():
    tracker = LaneTracker(birth_time=0.1)
    for number in range(10):
        tracker(make_road((0, 1)), number * STEP)
    for number in range(10, 14):
        told = tracker(make_road((0, 1, 2)), number * STEP)
    assert len(told.lanes) == 3
    told = [tracker(make_road((0, 1)), number * STEP) for number in range(14, 22)]
    assert [len(frame.lanes) for frame in told] == [3, 3, 3, 2, 2, 2, 2, 2]


def test_a_new_line_is_told_once_it_was_seen_for_a_while():
    tracker = LaneTracker(birth_time=0.1)
    for number in range(5):
        tracker(make_road((0, 1)), number * STEP)
    told = [tracker(make_road((0, 1, 2)), number * STEP) for number in range(5, 10)]
    assert [len(frame.lanes) for frame in told] == [2, 2, 2, 3, 3]


def test_one_wrong_frame_moves_a_line_little():
    tracker = LaneTracker()
    for number in range(30):
        tracker(make_road(), number * STEP)
    wrong = make_frame(make_line(-1), make_line(0), make_line(1.12), make_line(2))
    told = tracker(wrong, 30 * STEP)
    lane = next(lane for lane in told.lanes if lane.slot == 3)
    off = sample_at_rows(lane.points, [550]) - sample_at_rows(make_line(1).points, [550])
    assert lane.track_id == 3
    assert abs(off[0]) < 0.3 * 0.12 * LANE_WIDTH


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_lane_change_shifts_slots_and_keeps_ids(side):
    tracker, events = LaneTracker(), []
    sign = 1 if side == "right" else -1
    for number in range(150):
        time = number * STEP
        aside = sign * float(np.clip((time - 1.5) / 3, 0, 1))
        lines = [number for number in (-2, -1, 0, 1, 2, 3) if abs(number - 0.5 - aside) < 1.8]
        told = tracker(make_road(lines, aside=aside), time, number + 10)
        events += told.events
        if number == 20:
            before = ids(told)
    after = ids(told)
    assert [(event.kind, event.side, event.is_over) for event in events] == [("lane_change", side, True)]
    assert 1.5 < events[0].start < 3.0
    assert events[0].frame == 10 + round(events[0].start / STEP)
    assert 0.5 < events[0].duration < 3.0
    for slot in (2, 3):
        if 1 <= slot - sign <= 4:
            assert after[slot - sign] == before[slot]
    assert [lane.slot for lane in told.lanes] == sorted(after)


@pytest.mark.parametrize(("margin", "least", "most"), [(0.2, 0, 1), (0.0, 4, 99)], ids=["margin", "none"])
def test_driving_on_a_line_is_one_lane_change_at_most(margin, least, most):
    tracker, events = LaneTracker(lane_change_margin=margin), []
    for number in range(200):
        time = number * STEP
        aside = min(0.5, 0.2 * time) + 0.15 * np.sin(2 * np.pi * time / 2)
        events += tracker(make_road((0, 1), aside=aside), time).events
    assert least <= len(events) <= most


@pytest.mark.parametrize("time", [0.5, 9.0, 3.0], ids=["back", "ahead", "another-size"])
def test_another_scene_begins_anew(time):
    tracker = LaneTracker()
    for number in range(50):
        tracker(make_road(), number * STEP)
    frame = make_road() if time != 3.0 else replace(make_road((0, 1)), image_size=(600, WIDTH))
    told = tracker(frame, time)
    assert min(ids(told).values()) > 4
    assert len(told.lanes) == len(frame.lanes)


def test_a_cut_to_another_road_begins_anew():
    tracker = LaneTracker()
    for number in range(30):
        tracker(make_road((0, 1)), number * STEP)
    told = tracker(make_road((-0.4, 0.45), aside=0.1), 30 * STEP)
    assert set(ids(told).values()) == {3, 4}
    assert not told.events


def test_reset_counts_from_the_beginning():
    tracker = LaneTracker()
    tracker(make_road(), 5.0)
    tracker.reset()
    assert set(ids(tracker(make_road((0, 1)), 0.0)).values()) == {1, 2}


def test_row_anchors_are_kept():
    anchors = np.arange(300.0, 580.0, 17.0)
    told = LaneTracker()(replace(make_road((0, 1)), row_anchors=anchors), 0.0)
    assert all(set(lane.points[:, 1]) <= set(anchors) for lane in told.lanes)
    assert all(len(lane.points) == len(anchors) for lane in told.lanes)


def test_a_second_sighting_of_a_line_is_no_line():
    tracker = LaneTracker()
    for number in range(20):
        told = tracker(make_frame(make_line(0), make_line(0.03), make_line(1)), number * STEP)
    assert len(told.lanes) == 2


def test_lines_beyond_the_outermost_slots_are_not_told():
    told = LaneTracker(num_lanes=2)(make_road((-1, 0, 1, 2)), 0.0)
    assert ids(told) == {1: 2, 2: 3}


@pytest.mark.parametrize(
    "lanes",
    [(), (Lane(np.zeros((0, 2))),), (Lane(np.array([[5.0, 6.0]])),), (Lane(np.array([[5.0, 6.0], [700.0, 6.0]])),)],
    ids=["none", "no-point", "one-point", "one-row"],
)
def test_nothing_to_follow_is_no_fault(lanes):
    tracker = LaneTracker()
    assert tracker(make_frame(*lanes), 0.0).lanes == ()
    told = [tracker(make_road((0, 1)), number * STEP) for number in range(1, 5)]  # the frame before had none of them
    assert [len(each.lanes) for each in told] == [0, 0, 0, 2]
    assert len(tracker(make_frame(*lanes), 5 * STEP).lanes) == 2


def test_points_in_any_order_are_followed():
    line = make_line(0)
    shuffled = replace(line, points=line.points[::-1], point_confidences=np.linspace(0, 1, len(line.points)))
    told = LaneTracker()(make_frame(shuffled, make_line(1)), 0.0)
    found = sample_at_rows(told.lanes[0].points, ROWS[1:-1])
    np.testing.assert_allclose(found, line.points[1:-1, 0], atol=0.5)


def test_unsure_points_move_a_line_less():
    moved = []
    for sure in (0.1, 1.0):
        tracker = LaneTracker()
        for number in range(20):
            tracker(make_road((0, 1)), number * STEP)
        line = make_line(0.02)
        told = tracker(make_frame(replace(line, point_confidences=np.full(len(line.points), sure)), make_line(1)), 0.8)
        moved.append(sample_at_rows(told.lanes[0].points, [550])[0] - sample_at_rows(make_line(0).points, [550])[0])
    assert 0 < moved[0] < 0.6 * moved[1]


def test_the_line_type_goes_with_the_track():
    white = LaneType("dashed", "white")
    told = LaneTracker()(make_frame(replace(make_line(0), line_type=white), make_line(1)), 0.0)
    assert [lane.line_type for lane in told.lanes] == [white, None]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_lanes": 1}, "num_lanes: expected at least 2, got 1"),
        ({"longest_gap": 0.0}, "longest_gap: expected a positive number, got 0.0"),
        ({"gate": float("nan")}, "gate: expected a positive number, got nan"),
        ({"birth_time": -1.0}, "birth_time: expected 0 seconds or more, got -1.0"),
        ({"lane_change_margin": 0.5}, "lane_change_margin: expected a share of 0 or more and less than 0.5, got 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LaneTracker(**settings)


@pytest.mark.parametrize("fps", [10.0, 5.0, 2.5])
def test_a_lane_change_is_followed_at_low_frame_rates(fps):
    tracker, events = LaneTracker(), []
    told = tracker(make_road(range(-2, 4)), 0.0)
    before = ids(told)
    for number in range(1, round(8 * fps)):
        time = number / fps
        share = np.clip((time - 2) / 3, 0, 1)  # a change to the left within 3 s
        told = tracker(make_road(range(-3, 4), aside=-(1 - np.cos(np.pi * share)) / 2), time)
        events += told.events
    assert [(event.kind, event.side) for event in events] == [("lane_change", "left")]
    assert ids(told)[3] == before[2]


def test_one_frame_a_second_is_one_scene():
    tracker = LaneTracker()
    found = [tracker(make_road(), number / 25) for number in range(1, 250, 25)]  # not quite a second apart
    assert all(ids(told) == {1: 1, 2: 2, 3: 3, 4: 4} for told in found)


def test_a_false_line_after_a_while_without_any_is_not_told():
    tracker = LaneTracker()
    for number in range(100):
        tracker(make_road() if number < 20 else make_frame(), number * STEP)
    assert tracker(make_road((0,)), 100 * STEP).lanes == ()
    assert tracker(make_frame(), 101 * STEP).lanes == ()


def test_a_cut_begins_a_scene_and_a_steady_drive_does_not():
    tracker = LaneTracker()
    tracker(make_road(), 0.0)
    first = tracker.scene
    for number in range(1, 20):
        tracker(make_road(), number * STEP)
    assert tracker.scene == first
    tracker(make_road(aside=0.5), 20 * STEP)
    assert tracker.scene == first + 1

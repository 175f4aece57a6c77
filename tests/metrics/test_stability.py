"""Jitter is what the errors of a line do from frame to frame; switches are new ids for an old line."""

import numpy as np
import pytest

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics import StabilityMetric

SIZE = (590, 820)  # half of the width that figures are told at
ROWS = np.arange(589.0, 180.0, -10.0)


def make_line(column: float, track_id: int | None = None, slope: float = 0.3) -> Lane:
    return Lane(np.stack([column + slope * (589 - ROWS), ROWS], axis=1), track_id=track_id)


def make_frame(*lanes: Lane) -> LanePrediction:
    return LanePrediction(lanes, SIZE)


def score(found, true, times=None):
    metric = StabilityMetric()
    for number, (lanes, truth) in enumerate(zip(found, true, strict=True)):
        metric.update(make_frame(*lanes), truth, number * 0.04 if times is None else times[number])
    return metric.compute()


def test_the_road_may_move_as_it_likes():
    columns = [100.0, 130.0, 90.0, 200.0]
    result = score([[make_line(c + 3, 1)] for c in columns], [[make_line(c, 7)] for c in columns])
    assert result.jitter == pytest.approx(0, abs=1e-9)
    assert result.error == pytest.approx(6)  # 3 px at width 820
    assert (result.id_switches, result.num_lines, result.found, result.num_frames) == (0, 1, 1.0, 4)
    assert result.num_changes == 3 * 16


def test_jitter_by_hand():
    errors = [0.0, 2.0, -1.0]  # changes: 2, -3 px, twice that at width 1640
    result = score([[make_line(100 + e, 1)] for e in errors], [[make_line(100, 7)]] * 3)
    assert result.jitter == pytest.approx(np.sqrt((4**2 + 6**2) / 2))
    assert result.error == pytest.approx(np.sqrt((4**2 + 2**2) / 3))


def test_lines_keep_apart_and_are_paired_by_place():
    true = [make_line(100, 1), make_line(300, 2)]
    result = score([[make_line(301, 5), make_line(101, 4)], [make_line(101, 4), make_line(301, 5)]], [true, true])
    assert result.jitter == pytest.approx(0, abs=1e-9)
    assert result.id_switches == 0
    assert result.num_lines == 2


def test_switches_count_across_gaps():
    ids = [[1], [2], [], [2], [1], [1]]
    found = [[make_line(100, number) for number in frame] for frame in ids]
    result = score(found, [[make_line(100, 9)]] * 6)
    assert result.id_switches == 2
    assert result.found == pytest.approx(5 / 6)
    assert result.num_changes == 3 * 16  # not over the gap


def test_without_ids_switches_are_unknown():
    result = score([[make_line(100)]] * 2, [[make_line(100, 1)]] * 2)
    assert result.id_switches is None
    assert "id switches unknown" in str(result)


def test_a_line_too_far_away_is_not_the_same():
    result = score([[make_line(140, 1)]], [[make_line(100, 1)]])
    assert result.found == 0
    assert result.error is None
    assert result.jitter is None


@pytest.mark.parametrize("times", [(0.0, 5.0), (1.0, 0.5), (1.0, 1.0)], ids=["gap", "back", "same"])
def test_frames_that_do_not_follow_each_other_have_no_jitter(times):
    result = score([[make_line(100, 1)], [make_line(105, 1)]], [[make_line(100, 1)]] * 2, times)
    assert result.jitter is None
    assert result.error is not None


def test_another_video_begins_anew():
    metric = StabilityMetric()
    metric.update(make_frame(make_line(100, 1)), [make_line(100, 1)], 0.0)
    metric.begin_video()
    metric.update(make_frame(make_line(105, 3)), [make_line(100, 1)], 0.04)
    result = metric.compute()
    assert (result.id_switches, result.num_lines, result.jitter) == (0, 2, None)


@pytest.mark.parametrize("ids", [(1, None), (4, 4)], ids=["missing", "twice"])
def test_truth_without_identity_is_refused(ids):
    truth = [make_line(100, ids[0]), make_line(300, ids[1])]
    with pytest.raises(ValueError, match=r"Truth at 1.500 s: expected a track_id of its own for every line, got \["):
        StabilityMetric().update(make_frame(), truth, 1.5)


def test_nothing_is_undefined():
    result = score([[]], [[]])
    assert (result.jitter, result.error, result.id_switches, result.found) == (None, None, None, None)
    assert str(result).startswith("jitter unknown, error unknown")


@pytest.mark.parametrize(("settings", "name"), [({"num_rows": 1}, "num_rows"), ({"gate": 0.0}, "gate")])
def test_settings_out_of_range_are_refused(settings, name):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        StabilityMetric(**settings)

"""What a run says at its end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lanenet_sad
from lanenet_sad.inference.run_summary import RunSummary, SourceSummary, SummaryBuilder
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction
from lanenet_sad.lanes.perspective import assumed_camera

SIZE = (60, 80)


def make_prediction(
    slots: str, *, confidence: float = 1.0, tracks: int | None = None, events: tuple[DrivingEvent, ...] = ()
) -> LanePrediction:
    """Lanes in some slots; their tracks are numbered from `tracks` on."""
    lanes = tuple(
        Lane(np.zeros((0, 2)), int(slot), confidence, track_id=None if tracks is None else tracks + number)
        for number, slot in enumerate(slots)
    )
    return LanePrediction(lanes, SIZE, events=events)


def summarize(*predictions: LanePrediction, source: str = "drive.mp4", num_lanes: int = 4, **ending) -> SourceSummary:
    builder = SummaryBuilder(source, num_lanes=num_lanes)
    for index, prediction in enumerate(predictions):
        builder.add(Frame(np.zeros((*SIZE, 3), np.uint8), source, index, index / 25), prediction)
    return builder.finish(**{"seconds": 2.0, **ending})


def test_counts_are_those_by_hand():
    summary = summarize(
        make_prediction("123", confidence=0.9, tracks=1),
        make_prediction("24", confidence=0.5, tracks=2),
        make_prediction(""),
        make_prediction("23", confidence=0.7, tracks=4),
        seconds=0.5,
        faults=["frame 7 is broken."],
        dropped_frames=3,
    )
    assert (summary.frames, summary.frames_with_lanes, summary.frames_with_own_lane, summary.lanes) == (4, 3, 2, 7)
    assert summary.tracks == 5
    assert summary.mean_confidence == pytest.approx((3 * 0.9 + 2 * 0.5 + 2 * 0.7) / 7)
    assert (summary.detection_rate, summary.fps) == (0.5, 8.0)
    assert (summary.faults, summary.dropped_frames) == (("frame 7 is broken.",), 3)


def test_the_own_lane_is_that_of_the_network():
    assert summarize(make_prediction("34"), num_lanes=6).frames_with_own_lane == 1
    assert summarize(make_prediction("34"), num_lanes=4).frames_with_own_lane == 0


def test_an_event_that_is_told_twice_counts_once():
    begun = DrivingEvent("departure", "left", 1.0, 25)
    ended = DrivingEvent("departure", "left", 1.0, 25, duration=1.5, minimum_distance=-0.2, is_over=True)
    change = DrivingEvent("lane_change", "left", 0.5, 12)
    summary = summarize(make_prediction("", events=(begun, change)), make_prediction("", events=(ended,)))
    assert summary.events == (change, ended)


def test_the_file_has_all_of_it(tmp_path):
    event = DrivingEvent("lane_change", "right", 0.04, 1)
    sources = (
        summarize(
            make_prediction("23", confidence=0.5, events=(event,)),
            make_prediction("2", confidence=0.8),
            stages={"decode": 0.5, "network": 1.9},
        ),
        summarize(source="broken.mp4", seconds=0.0, faults=["broken.mp4: no video."]),
    )
    path = tmp_path / "new" / "summary.json"
    RunSummary(sources, weights="a.safetensors", settings={"out": Path("out"), "every": 2}).write(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["version"] == 1
    first, second = content["sources"]
    assert first["stages"] == {
        "decode": {"seconds": 0.5, "mean_ms": 250.0, "share": 0.25},
        "network": {"seconds": 1.9, "mean_ms": 950.0, "share": 0.95},
    }
    assert (first["fps"], first["detection_rate"], first["mean_confidence"]) == (1.0, 0.5, 0.6)
    assert first["events"] == [
        {"kind": "lane_change", "side": "right", "start": 0.04, "frame": 1, "duration": 0.0, "is_over": False}
    ]
    assert (second["fps"], second["detection_rate"], second["mean_confidence"]) == (None, None, None)
    assert second["faults"] == ["broken.mp4: no video."]
    assert first.keys() == second.keys()
    total = content["total"]
    assert (total["frames"], total["lanes"], total["seconds"], total["events"], total["faults"]) == (2, 3, 2.0, 1, 1)
    assert total["mean_confidence"] == 0.6
    assert total["stages"] == first["stages"]
    assert content["settings"] == {"out": "out", "every": 2}
    assert content["weights"] == "a.safetensors"
    assert content["versions"]["lanenet_sad"] == lanenet_sad.__version__
    assert {"torch", "av", "numpy", "python"} <= content["versions"].keys()


def test_one_source_is_told_in_a_few_lines():
    departure = DrivingEvent("departure", "left", 40.06, 25, duration=1.5, minimum_distance=-0.2, is_over=True)
    change = DrivingEvent("lane_change", "right", 60.0, 12)
    late = DrivingEvent("departure", "right", 70.0, 12, minimum_distance=0.1)
    summary = summarize(
        make_prediction("23", confidence=0.5, tracks=1, events=(departure, change, late)),
        make_prediction("1", confidence=0.8, tracks=1),
        stages={"decode": 0.5, "network": 1.9},
        faults=["drive.mp4, frame 3: broken."],
        dropped_frames=4,
    )
    assert str(RunSummary((summary,))).splitlines() == [
        "drive.mp4: 2 frames in 2.0 s (1.0/s), own lane in 50% of them, 3 lanes in 2 tracks (mean confidence 0.60), "
        "4 frames dropped",
        "  per frame: decode 250.0 ms (25%), network 950.0 ms (95%)",
        "  departure to the left at 40.1 s, 1.5 s long, 0.20 m over the line",
        "  lane change to the right at 60.0 s",
        "  departure to the right at 70.0 s, not over at the end, 0.10 m from the line",
        "  drive.mp4, frame 3: broken.",
    ]


def test_many_sources_get_a_line_each_and_the_total():
    sources = tuple(
        summarize(make_prediction("23"), source=f"{number}.mp4", faults=[f"{number}.mp4: broken."])
        for number in range(12)
    )
    lines = str(RunSummary(sources)).splitlines()
    assert len(lines) == 10 + 1 + 1 + 10 + 1
    assert lines[0].startswith("0.mp4: 1 frames in 2.0 s (0.5/s), own lane in 100% of them, 2 lanes")
    assert lines[10] == "... and 2 more"
    assert lines[11].startswith("12 sources: 12 frames in 24.0 s (0.5/s), own lane in 100% of them, 24 lanes")
    assert lines[-1] == "  ... and 2 more faults"


def test_a_source_without_a_frame_says_so():
    assert str(summarize(faults=["a.mp4: no video."], source="a.mp4", seconds=0.1)).splitlines() == [
        "a.mp4: no frame in 0.1 s",
        "  a.mp4: no video.",
    ]


def test_the_camera_says_on_what_metres_rest():
    camera = assumed_camera((360, 640)).mounted(pitch=0.02, yaw=-0.001, height=1.3)
    told = replace(summarize(make_prediction("23")), camera=camera, assumed_lane_width=3.7)
    (source,) = RunSummary((told,)).as_json()["sources"]
    assert source["camera"] == {
        "pitch": 0.02,
        "pitch_error": None,
        "yaw": -0.001,
        "yaw_error": None,
        "height": 1.3,
        "focal": [554.26, 554.26],
        "scale": camera.scale,
        "assumed_lane_width": 3.7,
        "origin": camera.origin,
    }
    assert RunSummary((summarize(make_prediction("23")),)).as_json()["sources"][0]["camera"] is None

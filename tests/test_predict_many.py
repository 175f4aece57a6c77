"""`predict` over many sources: resumption, label files, ranks; and what is told of a drive, from its true lanes."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from factories import make_picture, write_picture, write_video, write_weights
from prediction_factories import Unrefined, find, read_lines

from lanenet_sad import predict as predict_module
from lanenet_sad.cli import main
from lanenet_sad.datasets.synthetic import RenderedDrive, drives_with
from lanenet_sad.inference import predictor as predictor_module
from lanenet_sad.inference.lanes_jsonl import read_lanes_jsonl
from lanenet_sad.inference.recorder import Recorder
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.inference.sources import VideoSource
from lanenet_sad.lanes.calibration_files import write_calibration
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration

SIZE, FPS = (360, 640), 8.0


pytestmark = pytest.mark.usefixtures("unrefined")


def told(path: Path) -> dict:
    (source,) = json.loads(path.read_text(encoding="utf-8"))["sources"]
    return source


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.*")}


def write_pictures(folder: Path, count: int) -> None:
    for number in range(count):
        write_picture(folder / f"{number}.jpg", make_picture((64, 160), seed=number))


@pytest.fixture(scope="module")
def drift() -> list[LanePrediction]:
    """The true lanes of 3 s, at the end of which the wheels are over the left line."""
    settings = {"image_size": SIZE, "difficulty": "easy", "manoeuvre_start": 0.5}
    (index,) = drives_with("drift_left", seed=5, count=1, **settings)
    drive = RenderedDrive(5, index, num_frames=24, fps=FPS, manoeuvre="drift_left", **settings)
    found = []
    for number in range(len(drive)):
        lanes = tuple(replace(lane, track_id=None, line_type=None) for lane in drive.truth(number).lanes)
        found.append(LanePrediction(lanes, SIZE))
    return found


@pytest.fixture
def drift_video(tmp_path, monkeypatch, drift) -> Path:
    """A grey video, in which the decoder finds the lanes of the drift."""

    @dataclass(frozen=True)
    class Truth(Unrefined):
        def __call__(self, output, placements, sizes, anchors=None):
            return [next(coming) for _ in placements]

    coming = iter(drift * 3)
    monkeypatch.setattr(predictor_module, "LaneDecoder", Truth)
    with VideoSink(tmp_path / "drive.mp4", fps=FPS, size=SIZE) as sink:
        for _ in drift:
            sink.write(np.full((*SIZE, 3), 90, np.uint8))
    return tmp_path / "drive.mp4"


def pictures_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]


def test_a_departure_that_is_open_at_the_end_stands_in_the_summary_as_over(tmp_path, weights, drift_video):
    find(drift_video, tmp_path / "out", weights)
    in_frames = [
        event for _, prediction in read_lanes_jsonl(tmp_path / "out/drive.lanes.jsonl") for event in prediction.events
    ]
    (begun,) = in_frames
    assert not begun.is_over
    (event,) = told(tmp_path / "out/drive.summary.json")["events"]
    assert (event["kind"], event["side"], event["is_over"]) == ("departure", "left", True)
    assert event["start"] == pytest.approx(begun.start)
    assert event["start"] + event["duration"] == pytest.approx(23 / FPS)
    assert "departure_left" in (tmp_path / "out/drive.metrics.csv").read_text()
    camera = told(tmp_path / "out/drive.summary.json")["camera"]
    assert (camera["scale"], camera["assumed_lane_width"]) == ("assumed", 3.7)
    assert 0 < camera["pitch_error"] < 0.02


def test_birds_eye_and_warnings_are_drawn(tmp_path, weights, drift_video):
    for name, options in (("plain", {}), ("birds_eye", {"birds_eye": True}), ("ldw", {"ldw": True})):
        find(drift_video, tmp_path / name, weights, **options)
    plain, birds_eye, ldw = (pictures_of(tmp_path / f"{name}/drive.mp4") for name in ("plain", "birds_eye", "ldw"))
    corner = np.s_[: SIZE[0] // 4, -SIZE[1] // 5 :]
    assert np.abs(birds_eye[-1] - plain[-1])[corner].mean() > 10
    assert np.abs(birds_eye[-1] - plain[-1])[SIZE[0] // 2 :, : SIZE[1] // 3].mean() < 2  # the road stays free
    # the warning stands from the moment it is told
    begun = told(tmp_path / "ldw/drive.summary.json")["events"][0]["start"]
    for number, (before, after) in enumerate(zip(plain, ldw, strict=True)):
        changed = np.abs(after - before).mean()
        assert (changed > 1) if number / FPS >= begun + 0.25 - 1e-6 else (changed < 0.5), number


@dataclass
class ClosedWindow:
    """A window that the user closes after some pictures, and once more for the next video."""

    patience: int

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def show(self, image):
        self.patience -= 1
        return self.patience > 0


def test_a_window_that_is_closed_ends_that_video_unfinished(tmp_path, weights, monkeypatch):
    for name in "ab":
        write_video(tmp_path / f"in/{name}.mp4", num_frames=30)
    monkeypatch.setattr(predict_module, "Window", lambda title: ClosedWindow(4))
    find(tmp_path / "in", tmp_path / "out", weights, show=True)
    for name, count in (("a", 4), ("b", 1)):
        assert len(pictures_of(tmp_path / f"out/{name}.mp4")) == count
        assert len(read_lines(tmp_path / f"out/{name}.lanes.jsonl")) == count
        summary = told(tmp_path / f"out/{name}.summary.json")
        assert (summary["frames"], summary["finished"]) == (count, False)
    monkeypatch.undo()
    assert find(tmp_path / "in", tmp_path / "out", weights, resume=True).num_frames == 60


def test_finished_videos_are_not_opened_and_their_faults_are_told_again(tmp_path, weights, monkeypatch, capsys):
    whole = write_video(tmp_path / "in/cut.mp4", num_frames=40).read_bytes()
    (tmp_path / "in/cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    write_video(tmp_path / "in/drive.mp4", num_frames=4)
    words = ["predict", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--weights", str(weights)]
    words += ["--device", "cpu", "--no-progress", "--resume"]
    assert main(words) == 2
    fault = capsys.readouterr().err
    assert "cut.mp4" in fault
    before = times(tmp_path / "out")
    assert 0 < told(tmp_path / "out/cut.summary.json")["frames"] < 40

    def refuse(source):
        raise AssertionError(f"{source.file} was read")

    monkeypatch.setattr(VideoSource, "__enter__", refuse)
    monkeypatch.setattr(VideoSource, "__iter__", refuse)
    assert main(words) == 2
    assert capsys.readouterr().err == fault
    assert times(tmp_path / "out") == before


@pytest.mark.parametrize("change", ["other weights", "one picture more"])
def test_a_sequence_that_changed_is_done_again(tmp_path, weights, change):
    write_pictures(tmp_path / "in", 3)
    find(tmp_path / "in", tmp_path / "out", weights, sequence=True)
    before = times(tmp_path / "out")
    assert find(tmp_path / "in", tmp_path / "out", weights, sequence=True, resume=True).num_frames == 3
    assert times(tmp_path / "out") == before
    if change == "other weights":
        weights = write_weights(tmp_path / "other.safetensors", seed=1)
    else:
        write_pictures(tmp_path / "in", 4)
    summary = find(tmp_path / "in", tmp_path / "out", weights, sequence=True, resume=True)
    assert summary.num_frames == (3 if change == "other weights" else 4)
    assert times(tmp_path / "out")["in.summary.json"] > before["in.summary.json"]


def test_a_picture_that_changed_is_drawn_again(tmp_path, weights):
    write_pictures(tmp_path / "in", 3)
    find(tmp_path / "in", tmp_path / "out", weights)
    before = times(tmp_path / "out")
    later = before["1.jpg"] + 10**6
    write_picture(tmp_path / "in/1.jpg", make_picture((96, 128)))
    os.utime(tmp_path / "in/1.jpg", ns=(later, later))
    find(tmp_path / "in", tmp_path / "out", weights, resume=True)
    after = times(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"1.jpg", "lanes.jsonl"}
    lines = {Path(line["source"]).name: line["height"] for line in read_lines(tmp_path / "out/lanes.jsonl")}
    assert lines == {"0.jpg": 64, "1.jpg": 96, "2.jpg": 64}


def test_pictures_after_an_interruption_are_as_after_one_run(tmp_path, weights, monkeypatch):
    write_pictures(tmp_path / "in", 6)
    find(tmp_path / "in", tmp_path / "whole", weights)
    write = Recorder.write

    def interrupted(recorder, frame, prediction):
        if frame.source.endswith("3.jpg"):
            raise KeyboardInterrupt
        return write(recorder, frame, prediction)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            find(tmp_path / "in", tmp_path / "out", weights)
    assert len(read_lines(tmp_path / "out/lanes.jsonl")) == 3
    summary = find(tmp_path / "in", tmp_path / "out", weights, resume=True)
    assert summary.num_frames == 6
    assert (tmp_path / "out/lanes.jsonl").read_bytes() == (tmp_path / "whole/lanes.jsonl").read_bytes()
    assert times(tmp_path / "out").keys() == times(tmp_path / "whole").keys()


def test_a_resumed_file_about_all_pictures_has_all_of_them(tmp_path, weights):
    write_pictures(tmp_path / "in", 2)
    find(tmp_path / "in", tmp_path / "out", weights, format="tusimple")
    write_picture(tmp_path / "in/2.jpg", make_picture((64, 160)))
    assert find(tmp_path / "in", tmp_path / "out", weights, format="tusimple", resume=True).num_frames == 3
    rows = read_lines(tmp_path / "out/in.tusimple.json")
    assert [row["raw_file"] for row in rows] == ["0.jpg", "1.jpg", "2.jpg"]


def test_resumption_leaves_labels_that_were_corrected(tmp_path, weights):
    write_pictures(tmp_path / "in", 2)
    find(tmp_path / "in", tmp_path / "out", weights, format="labelme")
    (tmp_path / "out/0.json").write_text("corrected by hand")
    write_picture(tmp_path / "in/2.jpg", make_picture((64, 160)))
    find(tmp_path / "in", tmp_path / "out", weights, format="labelme", resume=True)
    assert (tmp_path / "out/0.json").read_text() == "corrected by hand"
    assert json.loads((tmp_path / "out/2.json").read_text())["shapes"]


def test_finished_videos_with_label_files_are_passed_over(tmp_path, weights):
    for name in "ab":
        write_video(tmp_path / f"in/{name}.mp4", num_frames=3)
    find(tmp_path / "in/a.mp4", tmp_path / "out", weights, format="cvat")
    (tmp_path / "out/a.annotations.xml").write_text("corrected by hand")
    with pytest.raises(ValueError, match="are there already, perhaps corrected by hand"):
        find(tmp_path / "in", tmp_path / "out", weights, format="cvat")
    find(tmp_path / "in", tmp_path / "out", weights, format="cvat", resume=True)
    assert (tmp_path / "out/a.annotations.xml").read_text() == "corrected by hand"
    assert "<polyline" in (tmp_path / "out/b.annotations.xml").read_text()


def test_ranks_resume_their_own_part(tmp_path, weights, monkeypatch):
    for name in "abc":
        write_video(tmp_path / f"in/{name}.mp4", num_frames=3)
    write_pictures(tmp_path / "in", 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    counts = []
    for resume in (False, True):
        for rank in "01":
            monkeypatch.setenv("RANK", rank)
            counts.append(find(tmp_path / "in", tmp_path / "out", weights, resume=resume).num_frames)
        if not resume:
            before = times(tmp_path / "out")
    assert counts[0] + counts[1] == 13
    assert counts[:2] == counts[2:]
    after = times(tmp_path / "out")
    assert before.keys() == after.keys()
    rewritten = {name for name in before if before[name] != after[name]}
    assert rewritten <= {"lanes.rank0.jsonl", "lanes.rank1.jsonl"}
    lines = [line for path in (tmp_path / "out").glob("lanes.rank*.jsonl") for line in read_lines(path)]
    assert sorted(Path(line["source"]).name for line in lines) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_more_ranks_than_sources_leave_nothing_undone_and_nothing_wrong(tmp_path, weights, monkeypatch):
    write_video(tmp_path / "drive.mp4", num_frames=3)
    monkeypatch.setenv("WORLD_SIZE", "3")
    counts = []
    for rank in "012":
        monkeypatch.setenv("RANK", rank)
        counts.append(find(tmp_path / "drive.mp4", tmp_path / "out", weights).num_frames)
    assert sorted(counts) == [0, 0, 3]
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 1


def test_a_video_of_another_shape_than_the_calibration_does_not_stop_the_others(tmp_path, weights):
    write_video(tmp_path / "in/a.mp4", num_frames=3, size=(160, 160))
    write_video(tmp_path / "in/b.mp4", num_frames=3, size=(64, 160))
    camera = CameraCalibration((64, 160), (140.0, 140.0), (79.5, 31.5), height=1.4, pitch=0.02)
    write_calibration(tmp_path / "camera.yaml", camera)
    summary = find(tmp_path / "in", tmp_path / "out", weights, calibration=tmp_path / "camera.yaml")
    assert len(summary.faults) == 1
    assert summary.faults[0].startswith("a: ")
    assert (tmp_path / "out/b.mp4").is_file()


def test_labels_are_about_the_original_pictures(tmp_path, weights):
    write_video(tmp_path / "a.mp4", num_frames=2)
    with pytest.raises(ValueError, match="--format cvat is about the original pictures; leave --max-height 32 out"):
        find(tmp_path / "a.mp4", tmp_path / "out", weights, format="cvat", max_height=32)


@pytest.mark.parametrize("gone", ["mp4", "lanes.jsonl"])
def test_a_video_whose_results_are_gone_is_done_again(tmp_path, weights, gone):
    video = write_video(tmp_path / "a.mp4", num_frames=2)
    find(video, tmp_path / "out", weights)
    (tmp_path / f"out/a.{gone}").unlink()
    find(video, tmp_path / "out", weights, resume=True)
    assert (tmp_path / f"out/a.{gone}").is_file()


def test_settings_without_effect_are_told(tmp_path, weights):
    write_picture(tmp_path / "photos/a.jpg", make_picture((64, 160)))
    with pytest.warns(UserWarning, match="have no effect on unrelated pictures"):
        find(tmp_path / "photos", tmp_path / "out", weights, ldw=True)
    write_video(tmp_path / "a.mp4", num_frames=12)
    with pytest.warns(UserWarning, match="a: 2.5 frames a second are too few for speeds"):
        find(tmp_path / "a.mp4", tmp_path / "out", weights, every=10)
    find(tmp_path / "a.mp4", tmp_path / "out", weights, every=10, tracking=False)  # nothing to say


def test_a_rank_does_not_write_over_its_input(tmp_path, weights, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    video = write_video(tmp_path / "a.rank0.mp4", num_frames=2)
    other = write_video(tmp_path / "a.mp4", num_frames=2)
    with pytest.raises(ValueError, match="is an input itself"):
        find(tmp_path, tmp_path, weights)
    assert video.is_file()
    assert other.is_file()


def test_label_files_are_there_as_soon_as_their_frame_is_done(tmp_path, weights, monkeypatch):
    for number in range(3):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160), seed=number))
    there = []
    write = Recorder.write

    def watched(self, frame, prediction):
        drawn = write(self, frame, prediction)
        there.append(len(list((tmp_path / "out").glob("*.lines.txt"))))
        return drawn

    monkeypatch.setattr(Recorder, "write", watched)
    find(tmp_path / "photos", tmp_path / "out", weights, format="culane")
    assert there == [1, 2, 3]


def test_a_picture_that_cannot_be_written_is_a_fault_and_the_rest_is_done(tmp_path, weights):
    write_pictures(tmp_path / "in", 3)
    (tmp_path / "out/1.jpg").mkdir(parents=True)
    summary = find(tmp_path / "in", tmp_path / "out", weights)
    assert [path.name for path in summary.paths if path.suffix == ".jpg"] == ["0.jpg", "2.jpg"]
    (fault,) = summary.faults
    assert "1.jpg: not drawn" in fault
    assert len(read_lines(tmp_path / "out/lanes.jsonl")) == 3


def test_a_name_that_is_too_long_for_one_video_does_not_stop_the_others(tmp_path, weights):
    write_video(tmp_path / "in/b.mp4", num_frames=2)
    (tmp_path / f"in/{'a' * 244}.mp4").write_bytes((tmp_path / "in/b.mp4").read_bytes())
    summary = find(tmp_path / "in", tmp_path / "out", weights)
    assert (tmp_path / "out/b.mp4").is_file()
    assert any("too long" in fault for fault in summary.faults)


def test_a_video_that_cannot_have_its_name_is_told_where_it_is(tmp_path, weights):
    video = write_video(tmp_path / "a.mp4", num_frames=2)
    (tmp_path / "out/a.mp4").mkdir(parents=True)
    summary = find(video, tmp_path / "out", weights)
    assert all(path.is_file() for path in summary.paths)
    (kept,) = (path for path in summary.paths if "unfinished" in path.name)
    assert any(f"kept as {kept}" in fault for fault in summary.faults)


def test_predict_leaves_the_callers_settings_as_they_were(tmp_path, weights):
    write_pictures(tmp_path / "in", 1)
    before = torch.get_num_threads(), cv2.getNumThreads()
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    try:
        find(tmp_path / "in", tmp_path / "out", weights)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def test_names_may_be_strings(tmp_path, weights):
    write_pictures(tmp_path / "in", 1)
    predict_module.predict(str(tmp_path / "in"), out=str(tmp_path / "out"), weights=str(weights), progress=False)
    assert (tmp_path / "out/0.jpg").is_file()


def test_several_words_for_the_source_are_answered_with_a_way_out(capsys):
    assert main(["predict", "a.mp4", "b.mp4", "--out", "out"]) == 2
    assert "a shell makes many words of a pattern such as *.mp4: put it in quotes" in capsys.readouterr().err

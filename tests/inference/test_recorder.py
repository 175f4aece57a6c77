"""What the recorder leaves on disk, whatever ends its block."""

import csv
import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_picture, make_straight_lane, write_picture, write_video

from lanenet_sad.inference import recorder as recorder_module
from lanenet_sad.inference.lanes_jsonl import LanesJsonl
from lanenet_sad.inference.naming import planned_outputs
from lanenet_sad.inference.overlap import StageClock
from lanenet_sad.inference.recorder import Recorder, RecordingStyle
from lanenet_sad.inference.sources import ImagesSource, UnreadableSource, VideoSource, open_source
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.visualization.annotators import LaneAnnotator

SIZE = (64, 160)
ENDINGS = {"mp4", "lanes.jsonl", "metrics.csv", "strip.jpg"}


def make_recorder(source, out: Path, *, known=(), **style) -> Recorder:
    style = RecordingStyle(out, style.pop("annotators", ()), **style)
    return Recorder(source, style, clock=StageClock(), known=known)


def make_found(number: int, *, size=SIZE, events=()) -> tuple[Frame, LanePrediction]:
    lanes = tuple(make_straight_lane(share * size[1], size, slot) for slot, share in ((2, 0.2), (3, 0.8)))
    frame = Frame(make_picture(size, seed=number), "drive.mp4", number, number / 25)
    return frame, LanePrediction(lanes, size, "drive.mp4", events=tuple(events))


@pytest.fixture
def video(tmp_path) -> VideoSource:
    return VideoSource(str(write_video(tmp_path / "drive.mp4", num_frames=2, size=SIZE)))


def record(recorder: Recorder, count: int) -> None:
    with recorder:
        for number in range(count):
            recorder.write(*make_found(number))


def names(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


def num_frames_of(path: Path) -> int:
    with open_source(str(path)) as source:
        return sum(1 for _ in source)


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def check_whole(out: Path, count: int) -> None:
    """The four files hold `count` frames."""
    assert names(out) == {f"drive.{ending}" for ending in ENDINGS}
    assert num_frames_of(out / "drive.mp4") == count
    assert [line["frame"] for line in read_lines(out / "drive.lanes.jsonl")] == list(range(count))
    with (out / "drive.metrics.csv").open() as file:
        assert [row["frame"] for row in csv.DictReader(file)] == [str(number) for number in range(count)]


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_frame_leaves_that_frame_whole(tmp_path, video, monkeypatch, number):
    write = LanesJsonl.write

    def signalled(lines, frame, prediction, **options):
        if frame.index == 3:  # handed to the encoder, and nothing else said of it
            signal.raise_signal(number)
        write(lines, frame, prediction, **options)

    monkeypatch.setattr(LanesJsonl, "write", signalled)
    recorder = make_recorder(video, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        record(recorder, 6)
    check_whole(tmp_path / "out", 4)
    assert recorder.summary(finished=False).frames == 4


def test_a_drive_becomes_four_files_and_a_summary(tmp_path, video):
    recorder = make_recorder(video, tmp_path / "out")
    begun = DrivingEvent("departure", "left", 0.04, 1, is_over=False)
    with recorder:
        for number in range(6):
            recorder.write(*make_found(number, events=[begun] if number == 1 else []))
    check_whole(tmp_path / "out", 6)
    assert set(recorder.paths) == set((tmp_path / "out").iterdir())
    assert len(recorder.paths) == 4
    over = replace(begun, duration=0.16, is_over=True)
    summary = recorder.summary(events=[over])
    assert (summary.frames, summary.lanes, summary.frames_with_own_lane, summary.finished) == (6, 12, 6, True)
    assert summary.events == (over,)  # once, as it was last told
    assert set(summary.stages) == {"draw", "encode", "write"}
    assert summary.seconds >= summary.stages["write"] > 0


def test_pictures_become_pictures_and_lines_alone(tmp_path):
    files = [str(tmp_path / f"in/{number}.png") for number in range(3)]
    for file in files:
        write_picture(Path(file), make_picture(SIZE))
    recorder = make_recorder(ImagesSource(files), tmp_path / "out", known=['{"source":"before"}'])
    with recorder:
        for file in files:
            frame, prediction = make_found(0)
            recorder.write(replace(frame, source=file), prediction)
    assert names(tmp_path / "out") == {"0.png", "1.png", "2.png", "lanes.jsonl"}
    assert [line["source"] for line in read_lines(tmp_path / "out/lanes.jsonl")] == ["before", *files]
    assert recorder.summary().frames == 3


def test_what_is_drawn_is_returned_and_stored_and_the_frame_stays(tmp_path):
    write_picture(tmp_path / "in/road.png", make_picture(SIZE))
    source = ImagesSource([str(tmp_path / "in/road.png")])
    recorder = make_recorder(source, tmp_path / "out", annotators=(LaneAnnotator(),))
    (frame,) = source
    _, prediction = make_found(0)
    with recorder:
        drawn = recorder.write(frame, prediction)
    np.testing.assert_array_equal(frame.image, make_picture(SIZE))
    assert (drawn != frame.image).any()
    with open_source(str(tmp_path / "out/road.png")) as written:
        np.testing.assert_array_equal(next(iter(written)).image, drawn)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_block_the_finished_part_is_kept(tmp_path, video, error):
    recorder = make_recorder(video, tmp_path / "out")

    def interrupted():
        with recorder:
            for number in range(5):
                recorder.write(*make_found(number))
            raise error

    with pytest.raises(error):
        interrupted()
    check_whole(tmp_path / "out", 5)
    assert recorder.summary(finished=False).finished is False


def test_without_a_frame_there_is_no_file_and_earlier_ones_stay(tmp_path, video):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/drive.lanes.jsonl").write_text("earlier\n")
    recorder = make_recorder(video, tmp_path / "out")
    record(recorder, 0)
    assert recorder.paths == []
    assert names(tmp_path / "out") == {"drive.lanes.jsonl"}
    assert (tmp_path / "out/drive.lanes.jsonl").read_text() == "earlier\n"
    assert recorder.summary().frames == 0


def test_a_disk_that_is_full_for_the_video_keeps_the_lines(tmp_path, video, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write = recorder_module.VideoSink.write

    def write_three(sink, image, time=None):
        if sink.num_frames == 3:
            raise full
        write(sink, image, time)

    monkeypatch.setattr(recorder_module.VideoSink, "write", write_three)
    recorder = make_recorder(video, tmp_path / "out")
    with pytest.raises(OSError, match="No space left"):
        record(recorder, 50)
    assert num_frames_of(tmp_path / "out/drive.mp4") == 3
    assert 3 <= len(read_lines(tmp_path / "out/drive.lanes.jsonl")) <= 3 + 4 + 2  # what waited to be encoded
    assert not [name for name in names(tmp_path / "out") if name.startswith(".") or "unfinished" in name]


def test_a_disk_that_is_full_for_the_lines_keeps_the_video(tmp_path, video, monkeypatch):
    write = recorder_module.LanesJsonl.write

    def write_three(lines, frame, prediction, **options):
        if frame.index == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(lines, frame, prediction, **options)

    monkeypatch.setattr(recorder_module.LanesJsonl, "write", write_three)
    recorder = make_recorder(video, tmp_path / "out")
    with pytest.raises(OSError, match="No space left"):
        record(recorder, 50)
    assert num_frames_of(tmp_path / "out/drive.mp4") == 4  # drawn, before its line was to be written
    assert len(read_lines(tmp_path / "out/drive.lanes.jsonl")) == 3
    assert recorder.summary(finished=False).frames == 3


def test_a_strip_that_cannot_be_written_is_a_fault_and_hides_nothing(tmp_path, video, monkeypatch):
    def refuse(strip, path):
        raise OSError("the disk is full")

    monkeypatch.setattr(recorder_module.InterestingFrames, "write", refuse)
    recorder = make_recorder(video, tmp_path / "out")
    record(recorder, 3)
    assert names(tmp_path / "out") == {f"drive.{ending}" for ending in ENDINGS - {"strip.jpg"}}
    assert recorder.summary().faults == ("the disk is full",)


def test_frames_of_another_size_are_a_fault_of_the_video(tmp_path, video):
    recorder = make_recorder(video, tmp_path / "out")
    with recorder:
        recorder.write(*make_found(0))
        recorder.write(*make_found(1, size=(96, 128)))
    assert num_frames_of(tmp_path / "out/drive.mp4") == 2
    (fault,) = recorder.summary().faults
    assert "have another size than the video" in fault


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, video):
    (tmp_path / "out").write_text("a file")
    recorder = make_recorder(video, tmp_path / "out")
    with pytest.raises(OSError, match="out"):
        record(recorder, 1)
    assert (tmp_path / "out").read_text() == "a file"


def test_ranks_write_files_of_their_own(tmp_path, video):
    for suffix in (".rank0", ".rank1"):
        record(make_recorder(video, tmp_path / "out", suffix=suffix), 2)
    assert names(tmp_path / "out") == {
        f"drive.{name}"
        for rank in ("rank0", "rank1")
        for name in (f"{rank}.mp4", f"{rank}.lanes.jsonl", f"{rank}.metrics.csv", f"{rank}.strip.jpg")
    }


def test_planned_outputs_are_what_the_sources_become(tmp_path, video):
    pictures = ImagesSource(["in/a/1.jpg", "in/b/2.png"], folder="in")
    planned = [path for path, _ in planned_outputs(pictures, tmp_path)]
    assert planned == [tmp_path / name for name in ("a/1.jpg", "b/2.png", "lanes.jsonl", "lanes.settings.yaml")]
    recorder = make_recorder(video, tmp_path / "out", suffix=".rank1")
    record(recorder, 2)
    planned = [path for path, _ in planned_outputs(video, tmp_path / "out", ".rank1")]
    assert set(planned) == {*(tmp_path / "out").iterdir(), tmp_path / "out/drive.rank1.summary.json"}
    assert not list(planned_outputs(UnreadableSource("gone", name="gone"), tmp_path))

"""What the recorder leaves on disk if something happens while it closes its files."""

import signal
import threading
import time
from pathlib import Path

import pytest
from factories import make_picture, make_straight_lane, write_video

from lanenet_sad.inference import video_sink
from lanenet_sad.inference.overlap import Behind, StageClock
from lanenet_sad.inference.recorder import Recorder, RecordingStyle
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.inference.sources import VideoSource, open_source
from lanenet_sad.lanes.lane import Frame, LanePrediction

SIZE = (64, 160)
ENDINGS = ("mp4", "lanes.jsonl", "metrics.csv", "strip.jpg")
TWICE = (signal.SIGINT, signal.SIGTERM)


pytestmark = pytest.mark.usefixtures("interruptible")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    source = VideoSource(str(write_video(tmp_path / "drive.mp4", num_frames=1, size=SIZE)))
    return Recorder(source, RecordingStyle(tmp_path / "out", ()), clock=StageClock())


def record(recorder: Recorder, count: int) -> None:
    lanes = tuple(make_straight_lane(share * SIZE[1], SIZE, slot) for slot, share in ((2, 0.2), (3, 0.8)))
    with recorder:
        for number in range(count):
            frame = Frame(make_picture(SIZE, seed=number), "drive.mp4", number, number / 25)
            recorder.write(frame, LanePrediction(lanes, SIZE, "drive.mp4"))


def signal_before(monkeypatch: pytest.MonkeyPatch, owner: type, step: str, *numbers: int) -> None:
    """Signals that arrive when the main thread takes a step for the first time."""
    original, coming = getattr(owner, step), list(numbers)

    def signalled(*arguments: object) -> object:
        while coming:
            signal.raise_signal(coming.pop(0))
        return original(*arguments)

    monkeypatch.setattr(owner, step, signalled)


def make_storing_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    write = VideoSink.write

    def slow(*arguments: object) -> None:
        time.sleep(0.03)
        write(*arguments)

    monkeypatch.setattr(VideoSink, "write", slow)


def num_frames_of(path: Path) -> int:
    with open_source(str(path)) as source:
        return sum(1 for _ in source)


@pytest.mark.parametrize(
    ("owner", "step"), [(Behind, "_wait_for_the_end"), (VideoSink, "_flush"), (VideoSink, "_give_name")]
)
def test_two_signals_while_it_closes_cost_no_frame(tmp_path, recorder, monkeypatch, owner, step):
    make_storing_slow(monkeypatch)
    signal_before(monkeypatch, owner, step, *TWICE)
    with pytest.raises(KeyboardInterrupt):
        record(recorder, 6)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"drive.{ending}" for ending in ENDINGS}
    assert set(recorder.paths) == set((tmp_path / "out").iterdir())
    assert num_frames_of(tmp_path / "out/drive.mp4") == 6
    assert len((tmp_path / "out/drive.lanes.jsonl").read_text().splitlines()) == recorder.summary().frames == 6
    assert recorder.is_whole


def test_a_third_signal_leaves_out_what_waits_and_nobody_writes_on(tmp_path, recorder, monkeypatch):
    make_storing_slow(monkeypatch)
    signal_before(monkeypatch, Behind, "_wait_for_the_end", *TWICE, signal.SIGINT)
    close = VideoSink._close
    writing = []

    def watch(*arguments: object) -> None:
        recorder._encode._thread.join(1)
        writing.append(recorder._encode._thread.is_alive())
        close(*arguments)

    monkeypatch.setattr(VideoSink, "_close", watch)
    with pytest.raises(KeyboardInterrupt):
        record(recorder, 6)
    assert writing == [False]
    assert 0 < num_frames_of(tmp_path / "out/drive.mp4") < 6
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"drive.{ending}" for ending in ENDINGS}
    assert not recorder.is_whole
    assert not [thread for thread in threading.enumerate() if thread.name == "encode"]


def test_frames_that_are_lost_while_it_closes_are_an_error(tmp_path, recorder, monkeypatch):
    monkeypatch.setattr(video_sink, "count_pictures", lambda path: 0)
    with pytest.raises(OSError, match="None of 6 frames are kept"):
        record(recorder, 6)
    assert not recorder.is_whole
    assert not (tmp_path / "out/drive.mp4").exists()
    assert set(recorder.paths) == set((tmp_path / "out").iterdir())


def test_without_mishap_it_is_whole(recorder):
    record(recorder, 2)
    assert recorder.is_whole

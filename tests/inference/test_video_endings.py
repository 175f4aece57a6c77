"""How a video that is being written may end: it plays as far as it is on disk."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from lanenet_sad.inference import finished_video, video_sink
from lanenet_sad.inference.finished_video import count_pictures, cut_to_whole_fragments, is_there_whole
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.lanes.lane import Image

SIZE = (64, 96)


def make_noise(number: int) -> Image:
    """Does not compress, so that every frame takes bytes."""
    return np.random.default_rng(number).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def play(path: Path) -> list[float]:
    """The times of the frames; fails where one of them is damaged."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert not any(frame.is_corrupt for frame in frames)
    return [float(frame.time) for frame in frames]


def write_noise(sink: VideoSink, num_frames: int) -> None:
    with sink:
        for number in range(num_frames):
            sink.write(make_noise(number))


def start_writer(path: Path, before: str = "") -> "subprocess.Popen[str]":
    """A process that writes noise without end and says so after 100 frames."""
    code = f"""
import sys
from pathlib import Path
import numpy as np
{before}
from lanenet_sad.inference.sinks import VideoSink
picture = np.random.default_rng(0).integers(0, 255, ({SIZE[0]}, {SIZE[1]}, 3), dtype=np.uint8)
with VideoSink(Path({str(path)!r}), fps=25, size={SIZE}) as sink:
    while True:
        sink.write(np.roll(picture, sink.num_frames, axis=1))
        if sink.num_frames == 100:
            print("ready", flush=True)
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_killed_process_leaves_what_plays(tmp_path: Path) -> None:
    with start_writer(tmp_path / "drive.mp4") as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.send_signal(signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("drive.unfinished-")
    assert len(play(left)) >= 50


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [400_000, 100], ids=["after-some-frames", "at-once"])
def test_disk_that_fills_up(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(b"old")
    before = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    )
    with start_writer(path, before) as writer:
        _, errors = writer.communicate()
    assert writer.returncode == 1
    assert "OSError" in errors
    assert f"{path}: cannot write video frame" in errors
    assert "File too large. What reached the disk before is kept and plays." in errors
    assert list(tmp_path.iterdir()) == [path]
    if limit == 100:
        assert path.read_bytes() == b"old"
    else:
        assert path.stat().st_size <= limit
        assert len(play(path)) >= 10


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """A disk that takes no more of a file; Python ignores the signal that comes with it."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def size_of_35(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Bytes that 35 frames of noise take, by file extension."""
    sizes = {}
    for suffix in (".mp4", ".mkv"):
        path = tmp_path_factory.mktemp("whole") / f"a{suffix}"
        write_noise(VideoSink(path, fps=25, size=SIZE), 35)
        sizes[suffix] = path.stat().st_size
    return sizes


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_that_are_lost_as_the_file_is_closed_are_told(
    tmp_path: Path, suffix: str, size_of_35: dict[str, int]
) -> None:
    path = tmp_path / f"drive{suffix}"
    sink = VideoSink(path, fps=25, size=SIZE)
    # The encoder holds back what comes last, so that the disk is full only at the end.
    with files_of_at_most(size_of_35[suffix] - 3000), pytest.raises(OSError, match="cannot write video frame") as told:
        write_noise(sink, 35)
    assert 0 < sink.num_kept < sink.num_frames == 35
    assert str(told.value).startswith(f"{path}: cannot write video frame {sink.num_kept}: ")
    assert str(told.value).endswith(f". {sink.num_kept} of 35 frames are kept and play.")
    assert len(play(path)) == sink.num_kept
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_of_which_nothing_is_kept_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(b"old")
    sink = VideoSink(path, fps=25, size=SIZE)
    with (
        files_of_at_most(30_000),
        pytest.raises(OSError, match=r"frame 0: the disk did not take all of it\. None of 20 frames are kept\."),
    ):
        write_noise(sink, 20)
    assert (sink.num_frames, sink.num_kept) == (20, 0)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_how_much_is_kept_is_told_after_another_error_too(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "drive.mp4", fps=25, size=SIZE)

    def stopped() -> None:
        with sink:
            for number in range(20):
                sink.write(make_noise(number))
            raise KeyboardInterrupt

    with files_of_at_most(30_000), pytest.raises(KeyboardInterrupt):
        stopped()
    assert [fault for fault in sink.faults if fault.endswith("None of 20 frames are kept.")] == list(sink.faults)
    assert len(sink.faults) == 1


def test_a_copy_that_is_not_there_whole_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    write_noise(VideoSink(whole, fps=25, size=SIZE), 30)
    content = whole.read_bytes()
    assert is_there_whole(whole, 30)
    assert not is_there_whole(whole, 31)
    for length in (0, 20, 500, len(content) // 2, len(content) - 1):
        cut.write_bytes(content[:length])
        assert not is_there_whole(cut, 30)
    cut.unlink()
    monkeypatch.setattr(finished_video, "is_there_whole", lambda path, count: False)
    sink = VideoSink(tmp_path / "drive.mp4", fps=25, size=SIZE)
    write_noise(sink, 30)
    assert len(play(sink.path)) == sink.num_kept == 30
    assert sink.faults[0].endswith("cannot be moved to the front: the disk did not take all of it.")
    assert set(tmp_path.iterdir()) == {whole, sink.path}


def test_index_that_cannot_be_moved_leaves_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(unfinished: Path, finished: Path) -> None:
        finished.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(video_sink, "with_index_in_front", fail)
    path = tmp_path / "drive.mp4"
    sink = VideoSink(path, fps=25, size=SIZE)
    write_noise(sink, 60)
    assert np.allclose(play(path), np.arange(60) / 25, atol=1e-4)
    assert list(tmp_path.iterdir()) == [path]
    assert sink.faults == (
        f"{path}: stays in fragments, which play but are slow to search, because its index cannot be moved to the "
        "front: No space left on device.",
    )


def test_ctrl_c_while_the_index_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(unfinished: Path, finished: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(video_sink, "with_index_in_front", interrupt)
    path = tmp_path / "drive.mp4"
    sink = VideoSink(path, fps=25, size=SIZE)
    with pytest.raises(KeyboardInterrupt):
        write_noise(sink, 10)
    assert len(play(path)) == 10
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["_flush", "_close", "cut_to_whole_fragments", "count_pictures"])
def test_ctrl_c_in_any_step_of_the_end_keeps_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    owner: object = VideoSink if step.startswith("_") else video_sink
    original, calls = getattr(owner, step), []

    def interrupt_once(*arguments: object) -> object:
        result = original(*arguments)
        calls.append(step)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(owner, step, interrupt_once)
    path = tmp_path / "drive.mp4"
    with pytest.raises(KeyboardInterrupt):
        write_noise(VideoSink(path, fps=25, size=SIZE), 10)
    assert len(play(path)) == 10
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_name_that_is_taken_by_a_folder_costs_no_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"drive{suffix}"
    (path / "inside").mkdir(parents=True)
    sink = VideoSink(path, fps=25, size=SIZE)
    with pytest.raises(OSError, match="cannot have this name") as told:
        write_noise(sink, 10)
    (kept,) = (each for each in tmp_path.iterdir() if each != path)
    assert kept.name.startswith("drive.unfinished-")
    assert str(told.value).endswith(f"; it is kept as {kept}.")
    assert isinstance(told.value.__cause__, OSError)
    assert len(play(kept)) == sink.num_kept == 10


def leave_behind(folder: Path, name: str, seconds_ago: float) -> Path:
    path = folder / name
    path.write_bytes(b"left")
    changed = time.time() - seconds_ago
    os.utime(path, (changed, changed))
    return path


def test_what_killed_runs_left_of_a_video_goes_when_it_is_done_anew(tmp_path: Path) -> None:
    path = tmp_path / "drive [1].mp4"
    for name in ("drive [1].unfinished-0123abcd.mp4", ".0123abcd.mp4", "drive [1].unfinished-ffffffff.mp4"):
        leave_behind(tmp_path, name, 100)
    others = {
        leave_behind(tmp_path, "drive [1].unfinished-00000000.mp4", 30),  # perhaps another run is at it
        leave_behind(tmp_path, "drive 1.unfinished-0123abcd.mp4", 100),
        leave_behind(tmp_path, "drive [1].unfinished-0123abcd.mkv", 100),
        leave_behind(tmp_path, "drive [1].unfinished-mine.mp4", 100),
        leave_behind(tmp_path, ".ffff0000.mp4", 100),
    }
    write_noise(VideoSink(path, fps=25, size=SIZE), 3)
    assert set(tmp_path.iterdir()) == {path, *others}


def test_what_killed_runs_left_stays_while_there_is_nothing_better(tmp_path: Path) -> None:
    left = leave_behind(tmp_path, "drive.unfinished-0123abcd.mp4", 100)

    def stopped() -> None:
        with VideoSink(tmp_path / "drive.mp4", fps=25, size=SIZE) as sink:
            sink.write(make_noise(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert left.exists()


def test_every_length_of_a_cut_file_plays_after_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_sink, "with_index_in_front", lambda unfinished, finished: 1 / 0)
    path, cut = tmp_path / "drive.mp4", tmp_path / "cut.mp4"
    with pytest.raises(ZeroDivisionError):
        write_noise(VideoSink(path, fps=25, size=SIZE), 60)
    content = path.read_bytes()
    counts = []
    for length in range(1, len(content) + 1, len(content) // 20):
        cut.write_bytes(content[:length])
        cut_to_whole_fragments(cut)
        counts.append(count_pictures(cut))
        assert counts[-1] == (len(play(cut)) if counts[-1] else 0)
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 60)
    assert len(set(counts)) >= 3  # whole fragments, not all or nothing


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_pixel_aspect_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with VideoSink(path, fps=25, size=SIZE, pixel_aspect=4 / 3) as sink:
        sink.write(make_noise(0))
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == pytest.approx(4 / 3)
    with pytest.raises(ValueError, match="positive pixel aspect, got 0"):
        VideoSink(path, fps=25, size=SIZE, pixel_aspect=0)

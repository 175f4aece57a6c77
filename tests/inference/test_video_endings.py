"""How a video that is being written may end: it plays as far as it is on disk."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from lanenet_sad.inference import video_sink
from lanenet_sad.inference.finished_video import cut_to_whole_fragments, holds_pictures
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
    assert "File too large. What was written before is kept and plays." in errors
    assert list(tmp_path.iterdir()) == [path]
    if limit == 100:
        assert path.read_bytes() == b"old"
    else:
        assert path.stat().st_size <= limit
        assert len(play(path)) >= 10


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
        counts.append(len(play(cut)) if holds_pictures(cut) else 0)
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

import os
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from factories import GREEN, RED, has_color, make_corner_picture

from lanenet_sad.inference import video_files
from lanenet_sad.inference.sinks import VideoSink, write_image
from lanenet_sad.inference.sources import CameraSource, ImagesSource, Source, VideoSource, open_source, open_sources
from lanenet_sad.lanes.lane import Image


def write_video(path: Path, num_frames: int = 10, *, fps: float = 10, size: tuple[int, int] = (48, 80)) -> Path:
    """A video whose frames differ a lot, so that every one of them takes bytes."""
    noise = np.random.default_rng(0)
    with VideoSink(path, fps=fps, size=size) as sink:
        for _ in range(num_frames):
            sink.write(np.clip(make_corner_picture(*size) + noise.integers(0, 30, (*size, 3)), 0, 255).astype(np.uint8))
    return path


# Images


def test_one_image(tmp_path: Path) -> None:
    write_image(tmp_path / "straße 1.png", make_corner_picture())
    source = str(tmp_path / "straße 1.png")
    with open_source(source) as opened:
        frames = list(opened)
    assert (opened.kind, opened.name, opened.num_frames, opened.fps) == ("images", "straße 1", 1, None)
    assert [(frame.source, frame.index, frame.time) for frame in frames] == [(source, 0, 0.0)]
    assert np.array_equal(frames[0].image, make_corner_picture())


def test_corrupt_image_is_skipped_and_named(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        write_image(tmp_path / name, make_corner_picture())
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8")
    with open_source(str(tmp_path)) as source:
        assert [Path(frame.source).name for frame in source] == ["a.png", "c.png"]
        assert len(source.faults) == 1
        assert source.faults[0].startswith(f"Image {tmp_path / 'b.jpg'}: ")
        assert "cut off" in source.faults[0]
        assert len(list(source)) == 2
        assert len(source.faults) == 1  # of the latest iteration, not of both


def test_image_that_vanishes_is_a_fault(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", make_corner_picture())
    source = ImagesSource([str(tmp_path / "gone.png"), str(tmp_path / "a.png")])
    assert len(list(source)) == 1
    assert source.faults == [f"Image {tmp_path / 'gone.png'}: there is no such file."]


# Folders and patterns


def make_tree(root: Path) -> None:
    for name in ("f10.png", "f2.png", "F1.JPG", "b/1.png", ".hidden.png", ".cache/1.png", "._f2.png"):
        write_image(root / Path(name).with_suffix(".png"), make_corner_picture())
        (root / Path(name).with_suffix(".png")).rename(root / name)
    (root / "notes.txt").write_text("x")


def test_folder_is_sorted_naturally_with_subfolders_and_without_hidden_files(tmp_path: Path) -> None:
    make_tree(tmp_path / "my drive")
    with open_source(str(tmp_path / "my drive")) as source:
        frames = list(source)
    names = [Path(frame.source).relative_to(tmp_path / "my drive").as_posix() for frame in frames]
    assert names == ["b/1.png", "F1.JPG", "f2.png", "f10.png"]
    assert (source.name, source.num_frames, source.fps) == ("my drive", 4, None)
    assert {(frame.index, frame.time) for frame in frames} == {(0, 0.0)}


def test_sequence_counts_and_keeps_gaps(tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / f"{number}.png", make_corner_picture())
    (tmp_path / "1.png").write_bytes(b"")
    with open_source(str(tmp_path), sequence=True) as source:
        assert [(frame.index, frame.time) for frame in source] == [(0, 0.0), (2, 2 / 25), (3, 3 / 25)]
    assert source.fps == 25


def test_pattern_takes_files_and_folders(tmp_path: Path) -> None:
    make_tree(tmp_path)
    found = [Path(frame.source).name for frame in open_source(str(tmp_path / "f*.png"))]
    assert found == ["f2.png", "f10.png"]
    assert [Path(frame.source).name for frame in open_source(str(tmp_path / "[b]"))] == ["1.png"]
    assert len(list(open_source(str(tmp_path / "**" / "*.png")))) == 3


def test_a_name_with_brackets_is_a_file_first(tmp_path: Path) -> None:
    write_image(tmp_path / "frame[1].png", make_corner_picture())
    assert len(list(open_source(str(tmp_path / "frame[1].png")))) == 1


def test_a_folder_called_0_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "0" / "a.png", make_corner_picture())
    monkeypatch.chdir(tmp_path)
    assert [frame.source for frame in open_source("0")] == [str(Path("0/a.png"))]


def test_folder_with_videos_gives_a_source_for_each(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", make_corner_picture())
    for name in ("one/clip.mp4", "two/clip.mkv", "z.mp4"):
        write_video(tmp_path / name, 2)
    (tmp_path / "y.mp4").write_bytes(b"")
    found = open_sources(str(tmp_path))
    assert [(source.kind, source.name) for source in found[1:]] == [
        ("video", "one_clip"),
        ("video", "two_clip"),
        ("video", "y"),
        ("video", "z"),
    ]
    assert [len(list(source)) for source in found] == [1, 2, 2, 0, 2]
    assert found[3].faults == [f"{tmp_path / 'y.mp4'}: not a readable video: the file is empty."]
    with pytest.raises(
        ValueError, match=r"expected images or one video, found several sources \(.*one_clip, two_clip, y, z\)"
    ):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nothing", FileNotFoundError, "nothing: no such file or folder"),
        ("nothing.mp4", FileNotFoundError, r"nothing\.mp4: no such file or folder"),
        ("*.jpg", FileNotFoundError, "no file matches this pattern"),
        ("empty", ValueError, "empty: holds no image and no video"),
        ("*.txt", ValueError, "holds no image and no video"),
        ("notes.md", ValueError, r"notes\.md: expected an image or a video, one of \.bmp"),
        ("zero.mp4", ValueError, r"zero\.mp4: not a readable video: the file is empty"),
        ("text.mp4", ValueError, r"text\.mp4: not a readable video: Invalid data"),
        ("list.mp4", ValueError, r"list\.mp4: not a readable video"),
        ("sound.mp4", ValueError, r"sound\.mp4: not a readable video: it has no video stream"),
        ("header.mp4", ValueError, r"header\.mp4: not a readable video"),
    ],
    ids=[
        "nothing",
        "no-video",
        "no-match",
        "empty-folder",
        "no-pictures",
        "text",
        "zero-bytes",
        "text-as-video",
        "playlist",
        "sound",
        "header-only",
    ],
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str, error: type[Exception], message: str) -> None:
    (tmp_path / "empty").mkdir()
    for suffix in (".txt", ".md"):
        (tmp_path / f"notes{suffix}").write_text("x")
    (tmp_path / "zero.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("hello\n" * 100)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n")
    content = write_video(tmp_path / "header.mp4").read_bytes()
    (tmp_path / "header.mp4").write_bytes(content[: content.find(b"mdat") + 40])
    write_sound(tmp_path / "sound.mp4")
    with pytest.raises(error, match=message):
        open_source(str(tmp_path / name))


def test_empty_name_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.png", make_corner_picture())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="got an empty name"):
        open_source("")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_device_is_not_taken_for_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "video0")
    with pytest.raises(ValueError, match="video0: neither a file nor a folder; a camera is named by its index"):
        open_source(str(tmp_path / "video0"))


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


# Videos


def test_video_gives_its_frames_times_and_colours(tmp_path: Path) -> None:
    path = write_video(tmp_path / "my clip é.mp4", 12, fps=10, size=(48, 80))
    with open_source(str(path)) as source:
        frames = list(source)
    assert (source.kind, source.name, source.num_frames, source.fps) == ("video", "my clip é", 12, 10)
    assert source.size == (48, 80)
    assert [frame.index for frame in frames] == list(range(12))
    assert np.allclose([frame.time for frame in frames], np.arange(12) / 10, atol=1e-3)
    assert {frame.source for frame in frames} == {str(path)}
    assert has_color(frames[5].image, 0.25, 0.25, GREEN)
    assert has_color(frames[5].image, 0.75, 0.75, RED)
    assert source.faults == []
    assert len(list(source)) == 12  # again


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.52, 1.0]
    with VideoSink(tmp_path / "a.mp4", fps=10, size=(48, 80)) as sink:
        for time in times:
            sink.write(make_corner_picture(48, 80), time)
    assert np.allclose([frame.time for frame in VideoSource(str(tmp_path / "a.mp4"))], times, atol=1e-3)


@pytest.mark.parametrize(
    ("degrees", "green"),
    [(90, (0.2, 0.8)), (-90, (0.8, 0.2)), (180, (0.8, 0.8))],
    ids=["quarter-left", "quarter-right", "half"],
)
def test_rotation_in_the_metadata_is_honoured(tmp_path: Path, degrees: int, green: tuple[float, float]) -> None:
    upright, turned = write_video(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    with av.open(str(upright)) as old, av.open(str(turned), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    source = VideoSource(str(turned))
    image = next(iter(source)).image
    assert source.size == image.shape[:2] == ((48, 80) if degrees == 180 else (80, 48))
    assert has_color(image, *green, GREEN)
    assert has_color(image, 1 - green[0], 1 - green[1], RED)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_video_that_breaks_off_yields_what_there_is(tmp_path: Path, suffix: str) -> None:
    content = write_video(tmp_path / f"whole{suffix}", 50).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: len(content) * 6 // 10])
    source = open_source(str(cut))
    frames = list(source)
    assert 15 <= len(frames) < 40
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert f"{cut}: broke off after {len(frames)} of 50 frames: the file ends early." in source.faults


def test_damaged_middle_is_reported_and_the_rest_still_comes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 50)
    content = bytearray(path.read_bytes())
    for start in range(len(content) // 3, len(content) // 2, 500):
        content[start : start + 100] = bytes(100)
    path.write_bytes(content)
    source = VideoSource(str(path))
    frames = list(source)
    assert len(frames) >= 30
    assert frames[-1].time == pytest.approx(4.9, abs=0.01)
    assert any("damaged" in fault or "corrupt packets" in fault for fault in source.faults)


def test_error_while_reading_ends_the_video_with_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VideoSource(str(write_video(tmp_path / "a.mp4", 10)))
    decode = video_files.decode

    def fail_after_three(*arguments: object, **keywords: object) -> object:
        for number, frame in enumerate(decode(*arguments, **keywords)):
            if number == 3:
                raise av.FFmpegError(5, "Input/output error")
            yield frame

    monkeypatch.setattr(video_files, "decode", fail_after_three)
    assert len(list(source)) == 3
    assert source.faults == [f"{tmp_path / 'a.mp4'}: broke off after 3 of 10 frames: Input/output error."]


def test_a_real_drive(shared: Path) -> None:
    with open_source(str(shared / "data" / "videos" / "udacity_solidWhiteRight.mp4")) as source:
        frames = [frame for frame, _ in zip(source, range(5), strict=False)]
    assert (source.size, source.fps, source.num_frames) == ((540, 960), 25, 221)
    assert np.allclose([frame.time for frame in frames], np.arange(5) / 25)
    assert all(frame.image.std() > 30 for frame in frames)


# Cameras


class FakeCapture:
    """Stands for a camera that gives three pictures, at its own pace."""

    def __init__(self, index: int) -> None:
        self.index, self.num_left, self.is_open = index, 3, index == 0

    def isOpened(self) -> bool:  # noqa: N802
        return self.is_open

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FPS: 30.0, cv2.CAP_PROP_FRAME_HEIGHT: 24.0, cv2.CAP_PROP_FRAME_WIDTH: 40.0}[key]

    def read(self) -> tuple[bool, Image | None]:
        time.sleep(0.02)
        self.num_left -= 1
        return (True, make_corner_picture()[..., ::-1]) if self.num_left >= 0 else (False, None)

    def release(self) -> None:
        self.is_open = False


def test_camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    with open_source("0") as source:
        frames = list(source)
        assert isinstance(source, CameraSource)
    assert (source.kind, source.name, source.num_frames, source.fps, source.size) == (
        "camera",
        "camera0",
        None,
        30,
        (24, 40),
    )
    assert [(frame.source, frame.index) for frame in frames] == [("0", 0), ("0", 1), ("0", 2)]
    assert frames[0].time == 0
    assert frames[0].time <= frames[1].time <= frames[2].time
    assert np.array_equal(frames[0].image, make_corner_picture())
    assert source.faults == ["Camera 0 gave no more pictures after 3 frames."]
    with pytest.raises(ValueError, match="Camera 1 cannot be opened"):
        open_source("1")


def test_camera_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[FakeCapture] = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: captures.append(FakeCapture(index)) or captures[0])
    source: Source = CameraSource(0)
    with source:
        next(iter(source))
    assert not captures[0].is_open

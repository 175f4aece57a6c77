"""Which frames are read, and how large; lists of sources."""

import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from factories import GREEN, RED, has_color, make_corner_picture
from stream_servers import make_clip

from lanenet_sad.inference.sinks import VideoSink, write_image
from lanenet_sad.inference.source import FrameSelection
from lanenet_sad.inference.sources import CameraSource, ImagesSource, VideoSource, open_source, open_sources
from lanenet_sad.inference.video_files import Tally, decode, open_video

FPS = 25


def write_numbered(
    path: Path,
    num_frames: int = 60,
    *,
    encoder: str = "libx264",
    key_frames: int = 12,
    b_frames: int = 2,
    **options: str,
) -> Path:
    """A video whose frame n has brightness 4 n, by which it is known."""
    try:
        av.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV build has no encoder {encoder}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=FPS)
        stream.width, stream.height = 80, 48
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        codec = stream.codec_context
        codec.gop_size, codec.thread_count = key_frames, 1
        if encoder.startswith("libx26"):
            codec.max_b_frames = b_frames
        codec.options = options
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 80, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers_seen(source: VideoSource) -> list[tuple[int, int]]:
    """(index, number by brightness) of the frames."""
    return [(frame.index, round(float(frame.image.mean()) / 4)) for frame in source]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (FrameSelection(every=7), range(0, 60, 7)),
        (FrameSelection(start=0.4), range(10, 60)),
        (FrameSelection(start=0.48), range(12, 60)),  # a key frame
        (FrameSelection(start=0.01), range(1, 60)),
        (FrameSelection(start=1.3, duration=0.4), range(33, 43)),
        (FrameSelection(every=4, start=1.32, duration=0.5), range(33, 46, 4)),
        (FrameSelection(duration=0.04), range(1)),
        (FrameSelection(start=2.36), range(59, 60)),
    ],
    ids=["every", "start", "key-frame", "second-frame", "part", "all-together", "one-frame", "last-frame"],
)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", {}),
        (".mp4", {"x264-params": "open-gop=1"}),
        (".mkv", {"encoder": "libx265", "preset": "ultrafast", "x265-params": "open-gop=1:log-level=none"}),
        (".ts", {}),
        (".avi", {}),
    ],
    ids=["mp4", "open-gop", "h265-open-gop-mkv", "ts", "avi"],
)
def test_selected_frames_keep_their_numbers(
    tmp_path: Path, suffix: str, options: dict[str, str], selection: FrameSelection, expected: range
) -> None:
    path = write_numbered(tmp_path / f"a{suffix}", b_frames=0 if suffix == ".avi" else 2, **options)
    source = VideoSource(str(path), selection=selection)
    frames = numbers_seen(source)
    assert frames == [(number, number) for number in expected]
    assert source.faults == []
    assert source.fps == FPS / selection.every
    times = [frame.time for frame in source]
    assert np.allclose(times, np.array(expected) / FPS, atol=2e-3)
    if suffix == ".mp4":
        assert source.num_frames == len(expected)


def test_start_where_the_frame_rate_varies(tmp_path: Path) -> None:
    times = np.cumsum([0.04, 0.2, 0.01, 0.1, 0.3] * 8) - 0.04
    with VideoSink(tmp_path / "a.mp4", fps=25, size=(48, 80)) as sink:
        for moment in times:
            sink.write(make_corner_picture(48, 80), moment)
    source = VideoSource(str(tmp_path / "a.mp4"), selection=FrameSelection(start=2.0))
    found = [(frame.index, frame.time) for frame in source]
    expected = [(number, moment) for number, moment in enumerate(times) if moment >= 2.0]
    assert [index for index, _ in found] == [index for index, _ in expected]
    assert np.allclose([moment for _, moment in found], [moment for _, moment in expected], atol=1e-3)


def test_what_comes_before_the_start_is_not_decoded(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4")
    tally = Tally()
    with open_video(str(path)) as container:
        frames = list(decode(container, container.streams.video[0], tally, start=1.6))
    assert len(frames) == 24  # from the key frame 36 on
    assert tally.packets == 60


@pytest.mark.parametrize(("start", "shown"), [(100.0, "100"), (1e308, "1e+308")])
def test_start_behind_the_end_is_a_fault(tmp_path: Path, start: float, shown: str) -> None:
    path = write_numbered(tmp_path / "a.mp4")
    source = VideoSource(str(path), selection=FrameSelection(start=start))
    assert (list(source), source.num_frames) == ([], 0)
    assert source.faults == [f"{path}: has no frame from {shown} s on, it is 2.4 s long."]


def test_a_duration_beyond_all_frames_is_all_of_them() -> None:
    assert FrameSelection(every=3, start=0.4, duration=1e308).count(60, FPS) == 17


@pytest.mark.parametrize(
    ("size", "degrees", "max_height", "expected"),
    [
        ((48, 80), 0, 24, (24, 40)),
        ((48, 80), 0, 25, (24, 40)),
        ((48, 80), 0, 48, (48, 80)),
        ((48, 80), 0, 1000, (48, 80)),
        ((48, 80), 90, 40, (40, 24)),
        ((49, 81), 0, 30, (30, 50)),
    ],
    ids=["half", "odd", "same", "larger", "turned", "odd-video"],
)
def test_max_height(
    tmp_path: Path, size: tuple[int, int], degrees: int, max_height: int, expected: tuple[int, int]
) -> None:
    selection = FrameSelection(max_height=max_height)
    assert selection.fit(size[::-1] if degrees else size) == expected
    if size[0] % 2:
        write_image(tmp_path / "a.png", make_corner_picture(*size))
        source = ImagesSource([str(tmp_path / "a.png")], selection=selection)
    else:
        path = tmp_path / "a.mp4"
        with VideoSink(path, fps=25, size=size, pixel_aspect=2) as sink:
            sink.write(make_corner_picture(*size))
        source = VideoSource(str(turn(path, degrees)), selection=selection)
        assert source.size == expected
        assert source.pixel_aspect == (Fraction(1, 2) if degrees else 2)
    (frame,) = source
    assert frame.size == expected
    assert has_color(frame.image, *((0.2, 0.8) if degrees else (0.25, 0.25)), GREEN)


def turn(path: Path, degrees: int) -> Path:
    turned = path.with_name(f"turned{path.suffix}")
    with av.open(str(path)) as old, av.open(str(turned), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return turned


def test_selection_of_pictures(tmp_path: Path) -> None:
    for number in range(60):
        write_image(tmp_path / f"{number}.png", make_corner_picture(12, 20))
    selection = FrameSelection(every=10, start=1.0, duration=1.0)
    source = open_source(str(tmp_path), sequence=True, selection=selection)
    assert [(frame.index, Path(frame.source).stem) for frame in source] == [(25, "25"), (35, "35"), (45, "45")]
    assert (source.num_frames, source.fps, len(source.files)) == (3, 2.5, 3)
    with pytest.warns(UserWarning, match="start and duration have no effect on unrelated pictures"):
        source = open_source(str(tmp_path), selection=selection)
    assert [Path(frame.source).stem for frame in source] == ["0", "10", "20", "30", "40", "50"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"every": 0}, "every: expected at least 1, got 0"),
        ({"start": -1.0}, "start: expected seconds from the beginning, 0 or more, got -1"),
        ({"start": float("nan")}, "start: expected seconds"),
        ({"duration": 0.0}, "duration: expected more than 0 seconds, got 0"),
        ({"duration": float("inf")}, "duration: expected more than 0 seconds, got inf"),
        ({"max_height": 1}, "max_height: expected at least 2 pixels, got 1"),
    ],
    ids=["every", "start", "nan", "duration", "inf", "height"],
)
def test_selections_that_leave_nothing_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrameSelection(**values)


# Formats


@pytest.mark.parametrize(
    ("encoder", "suffix", "options"),
    [
        ("libx264", ".mp4", {}),
        ("libx265", ".mp4", {"preset": "ultrafast", "x265-params": "log-level=none"}),
        ("libsvtav1", ".mp4", {"preset": "12", "svtav1-params": "lp=1"}),
        ("libvpx-vp9", ".webm", {"deadline": "realtime", "cpu-used": "8"}),
        ("mjpeg", ".avi", {}),
        ("mpeg4", ".avi", {}),
        ("libx264", ".flv", {}),
    ],
    ids=["h264", "h265", "av1", "vp9", "mjpeg", "mpeg4", "flv"],
)
def test_codecs(tmp_path: Path, encoder: str, suffix: str, options: dict[str, str]) -> None:
    path = write_numbered(tmp_path / f"a{suffix}", 12, encoder=encoder, **options)
    source = VideoSource(str(path))
    frames = [(frame.index, frame.image.mean()) for frame in source]
    assert [index for index, _ in frames] == list(range(12))
    assert np.abs([mean - 4 * index for index, mean in frames]).max() <= 4
    assert source.faults == []


def test_sound_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        pictures, sound = container.add_stream("libx264", rate=FPS), container.add_stream("aac", rate=8000)
        pictures.width, pictures.height, pictures.pix_fmt = 80, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(make_corner_picture(48, 80), format="rgb24")
            container.mux(pictures.encode(frame))
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            noise.sample_rate, noise.pts = 8000, 1024 * number
            container.mux(sound.encode(noise))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    source = VideoSource(str(path))
    assert len(list(source)) == 10
    assert source.faults == []


def test_frames_that_change_size_come_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.h264.ts"
    large = tmp_path / "large.ts"
    with av.open(str(large), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(make_corner_picture(96, 160), format="rgb24")
            frame.pts, frame.time_base = 100 + number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(make_clip("mpegts", 20) + large.read_bytes())
    source = VideoSource(str(path))
    sizes = [frame.size for frame in source]
    assert sizes == [(48, 80)] * 20 + [(96, 160)] * 20
    assert source.size == (48, 80)


# Lists


def test_list_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "drives").mkdir()
    for name in ("drives/a.mp4", "drives/b.mp4", "here/a.mp4"):
        write_numbered(tmp_path / name, 3)
    (tmp_path / "drives" / "empty.mp4").write_bytes(b"")
    for name in ("1.png", "2.png"):
        write_image(tmp_path / "drives" / "pictures" / name, make_corner_picture())
    write_image(tmp_path / "drives" / "alone.png", make_corner_picture())
    monkeypatch.chdir(tmp_path / "here")
    absolute = tmp_path / "drives" / "b.mp4"
    (tmp_path / "drives" / "list.txt").write_text(
        f"# my drives\n\nb.mp4\n  a.mp4  \n../here/a.mp4\ngone.mp4\nempty.mp4\npictures\nalone.png\n{absolute}\n",
        encoding="utf-8",
    )
    found = open_sources(str(tmp_path / "drives" / "list.txt"))
    assert [(source.kind, source.name) for source in found] == [
        ("images", "list"),
        ("video", "b"),
        ("video", "a"),
        ("video", "here_a"),
        ("video", "gone"),
        ("video", "empty"),
        ("video", "b-2"),
    ]
    assert [len(list(source)) for source in found] == [3, 3, 3, 3, 0, 0, 3]
    assert [source.faults for source in found if source.faults] == [
        [f"{tmp_path / 'drives' / 'list.txt'}: gone.mp4: no such file or folder."],
        [f"{tmp_path / 'drives' / 'empty.mp4'}: not a readable video: the file is empty."],
    ]
    assert found[0].folder == str(tmp_path / "drives")


# Cameras


class StumblingCapture:
    """Stands for a camera of 50 pictures a second that fails at every third read, and for good after 30."""

    def __init__(self, index: int) -> None:
        self.num_reads = 0

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FPS: 50.0, cv2.CAP_PROP_FRAME_HEIGHT: 24.0, cv2.CAP_PROP_FRAME_WIDTH: 40.0}[key]

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.01)
        self.num_reads += 1
        if self.num_reads % 3 == 0 or self.num_reads > 30:
            return False, None
        return True, make_corner_picture()[..., ::-1]

    def release(self) -> None:
        pass


def test_camera_forgives_failures_and_drops_what_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", StumblingCapture)
    source = CameraSource(0, selection=FrameSelection(max_height=12))
    frames = []
    for frame in source:
        frames.append(frame)
        time.sleep(0.08)
    assert source.dropped >= 3
    assert len(frames) + source.dropped <= 20
    assert source.size == frames[0].size == (12, 20)
    assert frames[-1].index >= 15
    assert has_color(frames[-1].image, 0.75, 0.75, RED)
    assert source.faults == [
        "Camera 0: 9 pictures could not be read.",
        "Camera 0 gave no more pictures after 20 frames.",
    ]

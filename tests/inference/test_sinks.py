from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lanenet_sad.inference import video_sink
from lanenet_sad.inference.sinks import ImageSink, LanesJsonl, VideoSink, write_image
from lanenet_sad.lanes.lane import Image

RED, BLUE = (220, 30, 30), (30, 30, 220)


def make_two_tone(height: int, width: int) -> Image:
    """Red above, blue below: shows swapped channels and flipped rows."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2], image[height // 2 :] = RED, BLUE
    return image


def read_video(path: Path) -> tuple[list[float], list[Image]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [float(frame.time) for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def test_video_keeps_number_colours_and_times(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "été 車.mp4"
    with VideoSink(path, fps=10, size=(48, 64)) as sink:
        for _ in range(7):
            sink.write(make_two_tone(48, 64))
        assert not path.exists()  # a half-written video never has the final name
    times, images = read_video(path)
    assert np.allclose(times, np.arange(7) / 10, atol=1e-4)
    assert all(image.shape == (48, 64, 3) for image in images)
    assert np.abs(images[-1][10, 20].astype(int) - RED).max() <= 6
    assert np.abs(images[-1][40, 20].astype(int) - BLUE).max() <= 6
    assert list(path.parent.iterdir()) == [path]


def test_video_is_what_browsers_play(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoSink(path, fps=25, size=(32, 32)) as sink:
        sink.write(make_two_tone(32, 32))
    content = path.read_bytes()
    assert 0 <= content.find(b"moov") < content.find(b"mdat")  # starts before it is loaded whole
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")


def test_times_may_be_uneven_and_start_anywhere(tmp_path: Path) -> None:
    path, times = tmp_path / "a.mp4", [3.0, 3.04, 3.5, 3.51, 5.0]
    with VideoSink(path, fps=25, size=(32, 32)) as sink:
        for time in times:
            sink.write(make_two_tone(32, 32), time)
    found, _ = read_video(path)
    assert np.allclose(found, np.array(times) - 3.0, atol=1e-4)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(2.04, abs=0.01)


def test_equal_and_backward_times_still_advance(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoSink(path, fps=25, size=(32, 32)) as sink:
        for time in (0.0, 0.5, 0.5, 0.2, 1.0):
            sink.write(make_two_tone(32, 32), time)
    found, _ = read_video(path)
    assert len(found) == 5
    assert all(np.diff(found) > 0)
    assert found[-1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("rate", [24000 / 1001, 29.97, 15, 50, 60], ids=str)
def test_usual_frame_rates_do_not_drift(tmp_path: Path, rate: float) -> None:
    path = tmp_path / "a.mp4"
    with VideoSink(path, fps=rate, size=(16, 16)) as sink:
        for _ in range(200):
            sink.write(make_two_tone(16, 16))
    found, _ = read_video(path)
    assert found[-1] == pytest.approx(199 / rate, abs=2e-3)


@pytest.mark.parametrize("size", [(33, 47), (32, 47), (33, 48), (1, 1)], ids=str)
def test_odd_sizes_repeat_the_last_row_and_column(tmp_path: Path, size: tuple[int, int]) -> None:
    path, image = tmp_path / "a.mp4", make_two_tone(*size)
    with VideoSink(path, fps=25, size=size) as sink:
        sink.write(image)
    _, images = read_video(path)
    height, width = size
    assert images[0].shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(images[0][:height, :width].astype(int) - image).mean() < 8
    assert np.abs(images[0][-1, -1].astype(int) - image[-1, -1]).max() < 16


@pytest.mark.parametrize("error_type", [RuntimeError, KeyboardInterrupt], ids=["error", "ctrl-c"])
def test_interrupted_video_keeps_its_frames(tmp_path: Path, error_type: type[BaseException]) -> None:
    path = tmp_path / "a.mp4"

    def write_six_of_ten() -> None:
        with VideoSink(path, fps=25, size=(32, 32)) as sink:
            for index in range(10):
                if index == 6:
                    raise error_type
                sink.write(make_two_tone(32, 32))

    with pytest.raises(error_type):
        write_six_of_ten()
    assert len(read_video(path)[0]) == 6
    assert list(tmp_path.iterdir()) == [path]


def test_video_without_frames_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with VideoSink(path, fps=25, size=(32, 32)):
        pass
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".MP4"])
def test_containers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with VideoSink(path, fps=25, size=(32, 32)) as sink:
        sink.write(make_two_tone(32, 32))
        sink.write(make_two_tone(32, 32))
    assert read_video(path)[0] == pytest.approx([0, 0.04], abs=1e-3)


def test_encoder_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_sink, "_ENCODERS", ("no_such_encoder", "mpeg4"))
    path = tmp_path / "a.mp4"
    with VideoSink(path, fps=29.97, size=(32, 32)) as sink:
        for _ in range(5):
            sink.write(make_two_tone(32, 32))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    assert len(read_video(path)[0]) == 5
    monkeypatch.setattr(video_sink, "_ENCODERS", ("no_such_encoder",))
    with pytest.raises(ValueError, match="none of the video encoders no_such_encoder"):
        VideoSink(path, fps=25, size=(32, 32)).__enter__()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "fps", "size", "message"),
    [
        ("a.gif", 25, (32, 32), r"a\.gif: a video is written as one of \.mp4"),
        ("a.mp4", 0, (32, 32), "positive frame rate"),
        ("a.mp4", float("nan"), (32, 32), "positive frame rate"),
        ("a.mp4", 25, (0, 32), "positive frame rate and size"),
    ],
    ids=["extension", "zero-rate", "nan-rate", "no-rows"],
)
def test_impossible_videos_are_refused(
    tmp_path: Path, name: str, fps: float, size: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        VideoSink(tmp_path / name, fps=fps, size=size)


def test_pictures_of_other_sizes_are_fitted_in(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoSink(path, fps=25, size=(32, 64)) as sink:
        sink.write(make_two_tone(32, 64))
        assert sink.faults == ()
        sink.write(make_two_tone(64, 64))  # becomes 32x32, in the middle
        sink.write(make_two_tone(20, 80))  # becomes 16x64
    _, images = read_video(path)
    assert [image.shape for image in images] == [(32, 64, 3)] * 3
    for image, red, blue, black in ((images[1], (8, 32), (24, 32), (16, 4)), (images[2], (11, 32), (21, 32), (3, 32))):
        assert np.abs(image[red].astype(int) - RED).max() <= 12
        assert np.abs(image[blue].astype(int) - BLUE).max() <= 12
        assert image[black].max() <= 12
    assert sink.faults == (
        f"{path}: 2 pictures, from frame 1 on, have another size than the video; they were fitted into 32x64 pixels "
        "(height x width).",
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((32, 32, 3)),
        np.zeros((0, 32, 3), np.uint8),
    ],
    ids=["grey", "four-channels", "float", "empty"],
)
def test_what_is_no_rgb_picture_is_refused(tmp_path: Path, image: Image) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=25, size=(32, 32)) as sink:
        sink.write(make_two_tone(32, 32))
        with pytest.raises(ValueError, match=r"a\.mp4: expected RGB pictures, uint8 of shape"):
            sink.write(image)
    assert len(read_video(tmp_path / "a.mp4")[0]) == 1


@pytest.mark.parametrize("name", ["a.mp4", "lanes.jsonl", "a.png"])
def test_folder_that_cannot_be_made_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").write_text("a file, not a folder")
    path = tmp_path / "out" / name
    write: dict[str, Callable[[], object]] = {
        ".mp4": VideoSink(path.with_suffix(".mp4"), fps=25, size=(32, 32)).__enter__,
        ".jsonl": LanesJsonl(path).__enter__,
        ".png": lambda: write_image(path, make_two_tone(8, 8)),
    }
    with pytest.raises(OSError, match="out"):
        write[path.suffix]()


def test_images_keep_their_colours(tmp_path: Path) -> None:
    with ImageSink(tmp_path / "out") as sink:
        path = sink.write("sub dir/bïld 1.png", make_two_tone(20, 30))
    assert path == tmp_path / "out" / "sub dir" / "bïld 1.png"
    bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(bgr[..., ::-1], make_two_tone(20, 30))


def test_grey_images_are_written(tmp_path: Path) -> None:
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    write_image(tmp_path / "a.png", grey)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), grey)


def test_a_format_without_colours_gets_a_grey_picture(tmp_path: Path) -> None:
    picture = make_two_tone(8, 12)
    write_image(tmp_path / "a.pgm", picture)
    found = cv2.imread(str(tmp_path / "a.pgm"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("name", ["a.jp2", "a.webp"])
def test_a_picture_that_its_format_cannot_hold_is_refused(tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, ()))  # as OpenCV does with some
    with pytest.raises(ValueError, match=r"cannot write a picture .* and 8x8 pixels"):
        write_image(tmp_path / name, make_two_tone(8, 8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.xyz", "a"])
def test_unknown_image_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot write a picture with the extension .*take \.png or \.jpg"):
        write_image(tmp_path / name, make_two_tone(8, 8))
    assert not list(tmp_path.iterdir())

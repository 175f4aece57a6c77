"""Where results go: picture files, videos, lines of JSON, a window. RGB comes in; BGR exists only in here."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError

from lanenet_sad.inference.lanes_jsonl import LanesJsonl, describe_lanes
from lanenet_sad.inference.window import Window
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Image

__all__ = ["ImageSink", "LanesJsonl", "VideoSink", "Window", "describe_lanes", "write_image"]

# The first encoder that this PyAV build has is taken. Wheels from PyPI have libx264; builds without GPL parts have
# Cisco's; MPEG-4 part 2 is always there, but browsers do not play it.
_ENCODERS = ("libx264", "libopenh264", "mpeg4")
_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# Every usual frame rate is a whole number of these ticks, and MPEG-4 allows no finer clock than 1/65535 s.
_TICKS_PER_SECOND = 60_000
_BT709 = 1  # ITU-T H.273 code point of the colour matrix, primaries and transfer curve
_LIMITED_RANGE = 1


class VideoSink:
    """Writes pictures as a video that every browser plays (H.264, yuv420p, index at the front of an .mp4).

    A context manager. The video appears under its name when the block ends, whatever ends it: after an error
    or Ctrl-C it holds the frames written so far and plays, because finished work must not be lost. Without
    a single frame nothing is written, and a file already there stays.

    H.264 wants even sides; a picture with an odd side gets its last row or column once more.
    """

    def __init__(self, path: Path, *, fps: float, size: tuple[int, int]) -> None:
        """Prepare a video; the file is opened at the start of the `with` block.

        Args:
            path: .mp4, .m4v, .mov or .mkv.
            fps: frames per second, for frames written without a time.
            size: (height, width) of every picture that will be written.

        Raises:
            ValueError: for another file extension, or no positive frame rate or size.
        """
        self.path = Path(path)
        if self.path.suffix.lower() not in _CONTAINERS:
            raise ValueError(f"{self.path}: a video is written as one of {', '.join(_CONTAINERS)}.")
        if not (np.isfinite(fps) and fps > 0) or min(size) < 1:
            raise ValueError(f"{self.path}: expected a positive frame rate and size, got {fps} and {size}.")
        self.size = size
        self.num_frames = 0
        # Cameras say 29.97 and mean 30000/1001.
        self._rate = Fraction(fps).limit_denominator(1001)
        self._step = max(1, round(_TICKS_PER_SECOND / fps))
        self._last_tick = -self._step
        self._start_time = 0.0
        self._clean_up = ExitStack()

    def __enter__(self) -> VideoSink:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self.path))
            self._open()
            self._clean_up = stack.pop_all()
        return self

    def _open(self) -> None:
        container_format = _CONTAINERS[self.path.suffix.lower()]
        # An absolute name keeps FFmpeg from reading "drive:clip.mp4" as a network address.
        self._container = av.open(
            str(self._temporary.absolute()),
            "w",
            format=container_format,
            options={} if container_format == "matroska" else {"movflags": "+faststart"},
        )
        encoder = _find_encoder()
        height, width = (n + n % 2 for n in self.size)
        self._stream = cast(av.VideoStream, self._container.add_stream(encoder, rate=self._rate))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        codec = self._stream.codec_context
        codec.time_base = Fraction(1, _TICKS_PER_SECOND)
        codec.color_range, codec.colorspace = _LIMITED_RANGE, _BT709
        codec.color_primaries = codec.color_trc = _BT709
        # Without reordered frames, the duration in the file is right also when the frame rate varies.
        codec.max_b_frames = 0
        if encoder == "libx264":
            codec.options = {"preset": "veryfast", "crf": "22"}
        else:
            codec.bit_rate = max(500_000, round(0.15 * width * height * float(self._rate)))

    def write(self, image: Image, time: float | None = None) -> None:
        """Append one picture.

        Args:
            image: (H, W, 3) RGB uint8 of the sink's size.
            time: seconds at which the picture is shown, on any clock: the first one starts the video, and the
                distances are kept. None: one frame interval after the picture before.

        Raises:
            ValueError: if the picture has another size, or it cannot be encoded or stored.
        """
        if image.shape != (*self.size, 3):
            raise ValueError(
                f"{self.path}: expected pictures of {self.size[0]}x{self.size[1]} RGB pixels (height x width), got an "
                f"array of shape {image.shape}. A video has one size; write pictures of several sizes as images."
            )
        odd_rows, odd_columns = self.size[0] % 2, self.size[1] % 2
        if odd_rows or odd_columns:
            image = np.pad(image, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts = self._tick(time)
        frame.time_base = Fraction(1, _TICKS_PER_SECOND)
        frame.duration = self._step
        self._encode(frame)
        self.num_frames += 1

    def _tick(self, time: float | None) -> int:
        if time is not None and self.num_frames == 0:
            self._start_time = time
        if time is None:
            tick = self._last_tick + self._step
        else:
            # Two pictures at one time stamp would be an error to the encoder.
            tick = max(self._last_tick + 1, round((time - self._start_time) * _TICKS_PER_SECOND))
        self._last_tick = max(tick, 0)
        return self._last_tick

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except av.FFmpegError as error:
            raise ValueError(f"{self.path}: cannot write video frame {self.num_frames}: {error}.") from error

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.num_frames == 0:
            self._container.close()
            _discard(self._clean_up)
            return
        with self._clean_up:  # renames, for the end of this block is a success whatever ended the caller's
            try:
                self._encode(None)
            finally:
                self._container.close()


class ImageSink:
    """Writes pictures into one folder, each under the name that `write` is given.

    Finished pictures stay, whatever happens to later ones; there is nothing to close, but the sink is
    a context manager like the others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.num_frames = 0

    def __enter__(self) -> ImageSink:
        return self

    def write(self, name: str, image: Image) -> Path:
        """Write (H, W, 3) RGB `image` as `name` (a file name or relative path with extension) and return its path."""
        path = self.folder / name
        write_image(path, image)
        self.num_frames += 1
        return path

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave everything as it is."""


def write_image(path: Path, image: Image) -> None:
    """Write an RGB (H, W, 3) or grey (H, W) picture; the extension says the format (.png, .jpg, .webp, ...).

    Raises:
        ValueError: if OpenCV knows no such format.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    # Encoding in memory keeps the extension out of the temporary name and lets Windows have any letters in a path.
    try:
        encoded = cv2.imencode(path.suffix, bgr)[1]
    except cv2.error as error:
        raise ValueError(
            f"{path}: cannot write a picture with the extension '{path.suffix}'; take .png or .jpg."
        ) from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _find_encoder() -> str:
    for name in _ENCODERS:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise ValueError(f"This PyAV build has none of the video encoders {', '.join(_ENCODERS)}; install av from PyPI.")


def _discard(clean_up: ExitStack) -> None:
    """End a `replacing` block as a failure, so that it removes its temporary file."""
    nothing = RuntimeError("nothing was written")
    try:
        clean_up.__exit__(type(nothing), nothing, None)
    except RuntimeError as error:
        if error is not nothing:
            raise

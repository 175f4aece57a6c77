"""A video that is written picture by picture, and plays whatever ends the writing."""

from __future__ import annotations

import re
import time
import uuid
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from lanenet_sad.inference.finished_video import CONTAINERS, count_pictures, cut_to_whole_fragments, with_index_in_front
from lanenet_sad.lanes.files import make_folder_of
from lanenet_sad.lanes.lane import Image

# The first encoder that this PyAV build has is taken. Wheels from PyPI have libx264; builds without GPL parts have
# Cisco's; MPEG-4 part 2 is always there, but browsers do not play it.
_ENCODERS = ("libx264", "libopenh264", "mpeg4")
# On a CPU the network needs the time more than the disk the room: faster than the usual veryfast, with larger files.
_X264_OPTIONS = {"preset": "superfast", "crf": "23"}
# Fragments of a second, each flushed to disk at once: a killed process leaves a file that plays up to the last one.
_FRAGMENTS = {"movflags": "+frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
# Every usual frame rate is a whole number of these ticks, and MPEG-4 allows no finer clock than 1/65535 s.
_TICKS_PER_SECOND = 60_000
_BT709 = 1  # ITU-T H.273 code point of the colour matrix, primaries and transfer curve
_LIMITED_RANGE = 1
_LEFT_BEHIND = 60.0  # seconds without a change, after which nobody writes a file any more


class VideoSink:
    """Writes pictures as a video that every browser plays (H.264, yuv420p, index at the front of an .mp4).

    A context manager. While it is written, the video is called `<name>.unfinished-<number>.mp4`, and plays as far as it
    is on disk, also after a power cut. It gets its name when the block ends, whatever ends it: after an error, Ctrl-C
    or on a full disk it holds the frames written so far and plays, because finished work must not be lost. Without
    a single frame nothing is written, and a file already there stays. The end of the block raises an OSError if not all
    frames reached the disk, or the name cannot be given. Left-overs of killed runs are removed when a video is whole.

    H.264 wants even sides; a picture with an odd side gets its last row or column once more. A picture of another size
    than the first is fitted in, with black borders.

    Attributes:
        num_frames: written so far.
        num_kept: that the finished video has; known after the `with` block.
        written: the finished video, under another name if it could not have its own; None without a frame.
    """

    def __init__(
        self, path: Path, *, fps: float, size: tuple[int, int], pixel_aspect: Fraction | float = Fraction(1)
    ) -> None:
        """Prepare a video; the file is opened at the start of the `with` block.

        Args:
            path: .mp4, .m4v, .mov or .mkv.
            fps: frames per second, for frames written without a time.
            size: (height, width) of the video.
            pixel_aspect: width of a pixel by its height.

        Raises:
            ValueError: for another file extension, or no positive frame rate, size or aspect.
        """
        self.path = Path(path)
        if self.path.suffix.lower() not in CONTAINERS:
            raise ValueError(f"{self.path}: a video is written as one of {', '.join(CONTAINERS)}.")
        if not (np.isfinite(fps) and fps > 0) or min(size) < 1:
            raise ValueError(f"{self.path}: expected a positive frame rate and size, got {fps} and {size}.")
        if not pixel_aspect > 0:
            raise ValueError(f"{self.path}: expected a positive pixel aspect, got {pixel_aspect}.")
        self.size = size
        self.pixel_aspect = Fraction(pixel_aspect).limit_denominator(1000)
        self.num_frames = 0
        self.num_kept = 0
        self.written: Path | None = None
        # Cameras say 29.97 and mean 30000/1001.
        self._rate = Fraction(fps).limit_denominator(1001)
        self._step = max(1, round(_TICKS_PER_SECOND / fps))
        self._last_tick = -self._step
        self._start_time = 0.0
        self._reformatter = VideoReformatter()  # kept, because setting it up costs more than some pictures do
        self._fitted: list[int] = []
        self._faults: list[str] = []

    @property
    def faults(self) -> tuple[str, ...]:
        """One sentence for each thing that is not as it was asked for; complete after the `with` block."""
        if not self._fitted:
            return tuple(self._faults)
        height, width = self.size
        sentence = (
            f"{self.path}: {len(self._fitted)} pictures, from frame {self._fitted[0]} on, have another size than the "
            f"video; they were fitted into {height}x{width} pixels (height x width)."
        )
        return (sentence, *self._faults)

    def __enter__(self) -> VideoSink:
        make_folder_of(self.path)
        number = uuid.uuid4().hex[:8]
        self._unfinished = self.path.with_name(f"{self.path.stem}.unfinished-{number}{self.path.suffix}")
        self._final = self.path.with_name(f".{number}{self.path.suffix}")
        self._open()
        return self

    def _open(self) -> None:
        encoder = _find_encoder()
        container_format = CONTAINERS[self.path.suffix.lower()]
        # An absolute name keeps FFmpeg from reading "drive:clip.mp4" as a network address.
        self._container = av.open(
            str(self._unfinished.absolute()),
            "w",
            format=container_format,
            options={"flush_packets": "1", **({} if container_format == "matroska" else _FRAGMENTS)},
        )
        height, width = (n + n % 2 for n in self.size)
        self._stream = cast(av.VideoStream, self._container.add_stream(encoder, rate=self._rate))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        codec = self._stream.codec_context
        codec.time_base = Fraction(1, _TICKS_PER_SECOND)
        codec.sample_aspect_ratio = self.pixel_aspect
        codec.color_range, codec.colorspace = _LIMITED_RANGE, _BT709
        codec.color_primaries = codec.color_trc = _BT709
        # Without reordered frames, the duration in the file is right also when the frame rate varies.
        codec.max_b_frames = 0
        if encoder == "libx264":
            codec.options = dict(_X264_OPTIONS)
        else:
            codec.bit_rate = max(500_000, round(0.15 * width * height * float(self._rate)))

    def write(self, image: Image, time: float | None = None) -> None:
        """Append one picture.

        Args:
            image: (H, W, 3) RGB uint8; one of another size than the video's is fitted in and becomes a fault.
            time: seconds at which the picture is shown, on any clock: the first one starts the video, and the
                distances are kept. None: one frame interval after the picture before.

        Raises:
            ValueError: if it is no RGB picture, or it cannot be encoded.
            OSError: if it cannot be stored; the frames before it are kept.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f"{self.path}: expected RGB pictures, uint8 of shape (height, width, 3), got {image.dtype} of shape "
                f"{image.shape}."
            )
        if image.shape[:2] != self.size:
            self._fitted.append(self.num_frames)
            image = _fit_into(image, self.size)
        odd_rows, odd_columns = self.size[0] % 2, self.size[1] % 2
        if odd_rows or odd_columns:
            image = _bordered(image, (0, odd_rows, 0, odd_columns), cv2.BORDER_REPLICATE)
        # Without a copy: the converted frame is another one.
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
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
        except OSError as error:
            raise self._cannot_store(error) from error
        except av.FFmpegError as error:
            raise ValueError(f"{self.path}: cannot write video frame {self.num_frames}: {error}.") from error

    def _cannot_store(self, error: BaseException | None, num_kept: int | None = None) -> OSError:
        """What to raise if the video is not whole; `num_kept`: frames that are in its file, once that is known."""
        reason = getattr(error, "strerror", None) or error or "the disk did not take all of it"
        if num_kept is None:
            number, kept = self.num_frames, "What reached the disk before is kept and plays"
        else:
            number = num_kept
            kept = f"{num_kept or 'None'} of {self.num_frames} frames are kept{' and play' if num_kept else ''}"
        return OSError(f"{self.path}: cannot write video frame {number}: {reason}. {kept}.")

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        problems: list[Exception] = []
        with ExitStack() as stack:  # every step is taken, even if Ctrl-C ends the one before
            stack.callback(self._finish, problems)
            stack.callback(self._close, problems)
            if self.num_frames:
                self._flush(problems)
        if error is None and not problems:
            self._remove_leftovers()
        elif error is None:
            self._faults += map(str, problems[1:])
            raise problems[0]
        else:
            self._faults += map(str, problems)

    def _flush(self, problems: list[Exception]) -> None:
        try:
            self._encode(None)
        except (OSError, ValueError) as problem:
            problems.append(problem)

    def _close(self, problems: list[Exception]) -> None:
        try:
            self._container.close()
        except (OSError, av.FFmpegError) as failure:
            problem = self._cannot_store(failure)
            problem.__cause__ = failure
            problems.append(problem)

    def _finish(self, problems: list[Exception]) -> None:
        """Make of what is on disk the finished video, and see whether all frames are there."""
        is_fragmented = self.path.suffix.lower() != ".mkv"
        finished, unnamed = self._unfinished, None
        try:
            if is_fragmented and self._unfinished.exists():
                cut_to_whole_fragments(self._unfinished)
            self.num_kept = count_pictures(self._unfinished) if self.num_frames else 0
            if is_fragmented and self.num_kept and self._moved_index():
                finished = self._final
        except OSError as error:
            problems.append(error)
        finally:
            if self.num_frames and not self.num_kept:  # perhaps Ctrl-C came before they were counted
                self.num_kept = count_pictures(self._unfinished)
            unnamed = self._give_name(finished)
        # FFmpeg does not tell when the last bytes cannot be written, as the file is closed.
        if self.num_kept < self.num_frames:
            cause = (problems[0].__cause__ or problems[0]) if problems else None
            problems[:] = [self._cannot_store(cause, self.num_kept)]
        if unnamed is not None:
            problems.insert(0, unnamed)

    def _moved_index(self) -> bool:
        """Make the video that is quick to start; where that cannot be done, the fragments are the video."""
        try:
            with_index_in_front(self._unfinished, self._final)
        except (OSError, av.FFmpegError) as error:
            self._faults.append(
                f"{self.path}: stays in fragments, which play but are slow to search, because its index cannot be "
                f"moved to the front: {getattr(error, 'strerror', None) or error}."
            )
            return False
        return True

    def _give_name(self, finished: Path) -> OSError | None:
        """Rename the video, if it holds a frame; nothing else stays, unless it cannot be renamed."""
        try:
            if self.num_kept:
                finished.replace(self.path)
                self.written = self.path
        except OSError as error:
            self.written = self._unfinished
            problem = OSError(
                f"{self.path}: the video cannot have this name ({error.strerror or error}); it is kept as "
                f"{self._unfinished}."
            )
            problem.__cause__ = error
            return problem
        finally:
            self._final.unlink(missing_ok=True)
        self._unfinished.unlink(missing_ok=True)
        return None

    def _remove_leftovers(self) -> None:
        """What killed runs left of this video. One that is being written elsewhere right now is younger."""
        name, suffix = re.escape(self.path.stem), self.path.suffix
        pattern = re.compile(rf"{name}\.unfinished-([0-9a-f]{{8}}){re.escape(suffix)}")
        with suppress(OSError):
            for path in list(self.path.parent.iterdir()):
                match = pattern.fullmatch(path.name)
                if match and path.stat().st_mtime < time.time() - _LEFT_BEHIND:
                    path.unlink()
                    path.with_name(f".{match[1]}{suffix}").unlink(missing_ok=True)


def _find_encoder() -> str:
    for name in _ENCODERS:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise ValueError(f"This PyAV build has none of the video encoders {', '.join(_ENCODERS)}; install av from PyPI.")


def _fit_into(image: Image, size: tuple[int, int]) -> Image:
    """A picture made as large as fits into (height, width), in the middle of black."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, min(round(n * scale), most)) for n, most in zip(image.shape[:2], size, strict=True))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, (width, height), interpolation=method), dtype=np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return _bordered(small, (top, size[0] - height - top, left, size[1] - width - left), cv2.BORDER_CONSTANT)


def _bordered(image: Image, widths: tuple[int, int, int, int], kind: int) -> Image:
    """A picture with borders at the top, bottom, left and right."""
    return np.asarray(cv2.copyMakeBorder(image, *widths, kind), dtype=np.uint8)

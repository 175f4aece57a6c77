"""Connections to a stream: opened, read, and opened again when they break."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av

from lanenet_sad.inference.source import FrameSelection
from lanenet_sad.inference.stream_address import protocols_of, show_address
from lanenet_sad.inference.stream_clock import StreamClock
from lanenet_sad.inference.video_files import (
    Tally,
    decode,
    duration,
    is_turned,
    pixel_aspect_of,
    reason_of,
    reason_without_pictures,
)

# Formats that carry pictures and no time stamps; FFmpeg makes up 25 frames a second for them.
_WITHOUT_TIMES = frozenset({"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "jpeg_pipe", "image2pipe"})
_PLAYLISTS = frozenset({"hls", "dash"})
_WITH_TRUE_LENGTH = _PLAYLISTS | {"rtsp"}
# Microseconds of the stream that are looked at before it opens. FFmpeg's own 5 s are 5 s of waiting, then old pictures.
_ANALYSIS = "1000000"
_RTSP_OPTIONS = {"rtsp_flags": "prefer_tcp"}  # over UDP, pictures tear
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds between two attempts to come back
_USUAL_RATES = (0.1, 1000.0)  # frames per second; what lies outside is a clock's rate and no camera's
_DEFAULT_FPS = 25.0
_ENDED = "it ended"


@dataclass(frozen=True)
class StreamSettings:
    """How patient one is with a stream.

    Attributes:
        open_timeout: seconds in which it has to answer with its first picture.
        read_timeout: seconds without data after which a connection counts as broken.
        patience: seconds without a picture after which it is given up.
        attempts: connections that may fail in a row before it is given up; None: as many as fit into `patience`.
    """

    open_timeout: float = 10.0
    read_timeout: float = 5.0
    patience: float = 10.0
    attempts: int | None = None

    def __post_init__(self) -> None:
        for name in ("open_timeout", "read_timeout", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} of a stream: expected more than 0 seconds, got {getattr(self, name)}.")
        if self.attempts is not None and self.attempts < 0:
            raise ValueError(f"attempts of a stream: expected 0 or more, got {self.attempts}.")


class StreamPicture(NamedTuple):
    """A decoded frame of a stream, its number and its time in seconds, both from the first one wanted."""

    number: int
    time: float
    frame: av.VideoFrame


@dataclass(frozen=True)
class StreamHeader:
    """What the first connection says of a stream.

    Attributes:
        fps: frames per second of the stream.
        size: (height, width) of the pictures, as they will be given.
        pixel_aspect: width of a pixel by its height.
        seconds: length of a recording; None if the stream is live.
    """

    fps: float
    size: tuple[int, int]
    pixel_aspect: Fraction
    seconds: float | None


class StreamReader:
    """Reads a stream over as many connections as it takes. `read` runs in a thread of its own.

    Attributes:
        address: of the stream, without secrets.
        header: None until the first picture has come.
        opened: set as soon as there is a header, or nothing more to wait for.
        is_fetched: whether the viewer fetches it at his own pace: a recording, or a playlist whose parts a server keeps
            for a while. Nothing of it needs to be dropped.
        wanted: to be set when pictures begin to count. A live stream is read before that, and its pictures left out,
            lest old ones pile up.
        faults: one sentence for each break, and for damaged frames.
    """

    def __init__(self, url: str, *, selection: FrameSelection, settings: StreamSettings) -> None:
        self._url, self._protocols = url, protocols_of(url)
        self.address = show_address(url)
        self.selection, self.settings = selection, settings
        self.header: StreamHeader | None = None
        self.is_fetched = False
        self.opened, self.wanted = threading.Event(), threading.Event()
        self.faults: list[str] = []
        self._tally = Tally()
        self._clock = StreamClock(step=1 / _DEFAULT_FPS)
        self._num_received = self._num_frames = 0  # in all, and those that count
        self._first = -1  # number of the first one selected
        self._ticks: int | None = None  # time stamp of the latest one
        self._beginning: float | None = None  # of a recording: time stamp of the first one, in seconds
        self._time = 0.0
        self._alive = 0.0  # when the latest one came
        self._break = ""  # why the latest connection ended; empty while one works
        self._is_over = False

    @property
    def is_live(self) -> bool:
        """Whether it has no end; a recording has one."""
        return self.header is None or self.header.seconds is None

    def read(self, stopping: threading.Event) -> Iterator[StreamPicture]:
        """The wanted pictures; ends when the stream is over or given up, or soon after `stopping` is set.

        Raises:
            av.FFmpegError, OSError, ValueError: if the first connection gives no picture.
        """
        try:
            yield from self._read_connections(stopping)
        finally:
            self.opened.set()
        if self._tally.mended:
            self.faults.append(f"{self.address}: {self._tally.mended} frames are damaged; do not trust their lanes.")

    def _read_connections(self, stopping: threading.Event) -> Iterator[StreamPicture]:
        self._alive, failures = time.monotonic(), 0
        while True:
            before = self._num_received
            try:
                yield from self._read_one(stopping)
                reason = _ENDED
            except (av.FFmpegError, OSError, ValueError) as error:
                if self.header is None:
                    raise
                reason = self._explain(error)
            has_news = self._num_received > before
            if stopping.is_set() or self._is_over or self._is_at_end(has_news, reason):
                return
            if has_news or not self._break:
                self._break, failures = reason, 0
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**failures)
            silence = time.monotonic() - self._alive
            if silence + pause > self.settings.patience or failures == self.settings.attempts:
                self.faults.append(
                    f"{self.address}: broke off after {self._num_frames} frames ({self._break}) and did not come back "
                    f"within {silence:.1f} s."
                )
                return
            failures += 1
            stopping.wait(pause)

    def _read_one(self, stopping: threading.Event) -> Iterator[StreamPicture]:
        """The wanted pictures of one connection."""
        with self._open() as container:
            stream = container.streams.video[0]
            if not self.is_live and self._ticks is not None:
                with suppress(av.FFmpegError):  # a server that cannot seek sends all again
                    container.seek(self._ticks, stream=stream)
            has_times = container.format.name not in _WITHOUT_TIMES
            is_clean = False
            for frame in decode(container, stream, self._tally):
                if stopping.is_set():
                    return
                is_clean = is_clean or not frame.is_corrupt  # who joins a stream sees half pictures at first
                if not is_clean or self._was_there(frame):
                    continue
                if self.header is None:
                    self.header = _describe(container, stream, frame, self.selection)
                    self._clock = StreamClock(step=1 / self.header.fps)
                    self.is_fetched = not self.is_live or container.format.name in _PLAYLISTS
                    self.opened.set()
                self._receive(frame)
                if self.is_live and not self.wanted.is_set():
                    continue
                yield from self._select(frame, frame.time if has_times else None)
                self._alive = time.monotonic()  # a recording may have waited
                if self._is_over:
                    return

    def _open(self) -> av.container.InputContainer:
        timeout = self.settings.open_timeout
        if self.header is not None:
            timeout = min(timeout, max(0.1, self.settings.patience - (time.monotonic() - self._alive)))
        options = {"protocol_whitelist": self._protocols, "analyzeduration": _ANALYSIS}
        if self._url.lower().startswith("rtsp"):
            options |= _RTSP_OPTIONS
        container = av.open(self._url, options=options, timeout=(timeout, self.settings.read_timeout))
        if reason := reason_without_pictures(container):
            container.close()
            raise ValueError(reason)
        # Threads that share a frame hand it over at once; threads with a frame each keep some back.
        container.streams.video[0].thread_type = "SLICE" if _length_of(container) is None else "AUTO"
        return container

    def _was_there(self, frame: av.VideoFrame) -> bool:
        """Whether a recording, opened again, sends a frame once more."""
        if self.is_live or self._ticks is None or frame.pts is None:
            return False
        return frame.pts <= self._ticks

    def _receive(self, frame: av.VideoFrame) -> None:
        now = time.monotonic()
        if self._break:
            self.faults.append(
                f"{self.address}: broke off after {self._num_frames} frames ({self._break}); came back after "
                f"{now - self._alive:.1f} s."
            )
            self._break = ""
            self._clock.restart()
        self._alive = now
        self._num_received += 1
        self._ticks = frame.pts

    def _select(self, frame: av.VideoFrame, stamp: float | None) -> Iterator[StreamPicture]:
        """A frame with its number and time, if it is wanted."""
        assert self.header is not None
        index = self._num_frames
        if self.is_live:
            self._time = self._clock.time(stamp, self._alive)
        elif stamp is None:
            self._time = index / self.header.fps
        else:
            self._beginning = stamp if self._beginning is None else self._beginning
            self._time = stamp - self._beginning
        if self.selection.is_over(self._time):
            self._is_over = True
            return
        self._num_frames += 1
        if self.selection.is_before(self._time):
            return
        self._first = index if self._first < 0 else self._first
        if (index - self._first) % self.selection.every == 0:
            self._tally.mended += frame.is_corrupt
            yield StreamPicture(index, self._time, frame)

    def _is_at_end(self, has_news: bool, reason: str) -> bool:
        """Whether a recording is at its end; one that ends early, and again at the same place, has its fault."""
        seconds = None if self.header is None else self.header.seconds
        if seconds is None:
            return False
        if seconds - self._time <= max(1.0, 0.02 * seconds):
            return True
        if has_news or reason != _ENDED:
            return False
        self.faults.append(f"{self.address}: ends early, after {self._time:.1f} of {seconds:.1f} s.")
        return True

    def _explain(self, error: Exception) -> str:
        if isinstance(error, av.error.ExitError):  # FFmpeg was interrupted, which only time-outs do here
            return f"no data for {self.settings.read_timeout:g} s"
        if getattr(error, "errno", None) == errno.EIO:
            return "the connection was lost"
        return reason_of(error)


def _describe(
    container: av.container.InputContainer, stream: av.VideoStream, frame: av.VideoFrame, selection: FrameSelection
) -> StreamHeader:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    fps = rate if _USUAL_RATES[0] <= rate <= _USUAL_RATES[1] else _DEFAULT_FPS
    height, width = frame.height, frame.width
    turned = is_turned(frame)
    return StreamHeader(
        fps=fps,
        size=selection.fit((width, height) if turned else (height, width)),
        pixel_aspect=pixel_aspect_of(stream, turned=turned),
        seconds=_length_of(container),
    )


def _length_of(container: av.container.InputContainer) -> float | None:
    """Seconds of a recording; None if the stream is live."""
    stream = container.streams.video[0]
    seconds = duration(container, stream)
    # A live .mp4 gives the length of what has come; it knows neither its size nor how many frames there are.
    is_recording = container.size > 0 or stream.frames > 0 or container.format.name in _WITH_TRUE_LENGTH
    return seconds if seconds is not None and seconds > 0 and is_recording else None

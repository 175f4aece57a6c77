"""A video stream from the network as a source."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self, final

import av

from lanenet_sad.inference.live import BackgroundReader
from lanenet_sad.inference.source import FrameSelection, Source
from lanenet_sad.inference.stream_address import name_of_address, protocols_of, show_address
from lanenet_sad.inference.stream_connection import StreamPicture, StreamReader, StreamSettings
from lanenet_sad.inference.video_files import FrameConverter, reason_of
from lanenet_sad.lanes.lane import Frame

__all__ = ["StreamSettings", "StreamSource"]


@final
class StreamSource(Source):
    """A stream: http(s), also as an HLS playlist, rtsp, rtmp or udp. It is read in the background.

    A live stream has no end. Where its pictures are not fetched as fast as they come, old ones are `dropped`, so that
    what is shown does not fall behind. A recording on a server, whose length is known, is read like a file, and nothing
    of it is dropped; of a live playlist, FFmpeg leaves out the parts that the server has no more.

    A stream that breaks off is opened again, at growing distances, until `StreamSettings.patience` is used up. Each
    break is a fault; frames after it have the time of the clock on the wall. User, password and secrets in the address
    are neither printed nor written: `Frame.source` is the address without them.
    """

    kind = "stream"

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        selection: FrameSelection | None = None,
        settings: StreamSettings | None = None,
        lazy: bool = False,
    ) -> None:
        """Open a stream and wait for its first picture.

        Args:
            url: its address.
            name: of the source; default: host and path.
            selection: which frames are wanted, with times from the first picture that is fetched; default: all.
            settings: how long to wait.
            lazy: open it only when the `with` block begins or it is iterated; that it cannot be is a fault then.

        Raises:
            ValueError: if the address is of no kind that is known, or gives no picture in time.
        """
        protocols_of(url)
        super().__init__(name or name_of_address(url))
        self.address = show_address(url)
        self.selection = selection or FrameSelection()
        self.settings = settings or StreamSettings()
        self._url = url
        self._reader: StreamReader | None = None
        self._background: BackgroundReader[StreamPicture] | None = None
        if not lazy:
            self._start()

    def _start(self) -> None:
        reader = StreamReader(self._url, selection=self.selection, settings=self.settings)
        background = BackgroundReader(reader.read, may_drop=lambda: not reader.is_fetched)
        try:
            if not reader.opened.wait(self.settings.open_timeout):
                raise TimeoutError
            if reader.header is None:
                background.wait(self.settings.open_timeout)
                raise ValueError("no picture of it can be decoded")
        except (TimeoutError, av.error.ExitError):
            background.stop(0)
            raise ValueError(
                f"{self.address}: no picture came within {self.settings.open_timeout:g} s; check the address and the "
                f"network."
            ) from None
        except (av.FFmpegError, OSError, ValueError) as error:
            # Without the error itself, since that holds the address with its password.
            raise ValueError(f"{self.address}: cannot be opened: {reason_of(error)}.") from None
        self._reader, self._background = reader, background
        header = reader.header
        self.fps = header.fps / self.selection.every
        self.size, self.pixel_aspect = header.size, header.pixel_aspect
        if header.seconds is not None:
            self.num_frames = self.selection.count(round(header.seconds * header.fps), header.fps)

    def __enter__(self) -> Self:
        self._start_or_note()
        return self

    def _start_or_note(self) -> bool:
        if self._background is None:
            self.faults.clear()
            try:
                self._start()
            except ValueError as error:
                self.num_frames = 0
                self.faults.append(str(error))
        return self._background is not None

    def __iter__(self) -> Iterator[Frame]:
        if not self._start_or_note():
            return
        assert self._reader is not None
        assert self._background is not None
        reader, background = self._reader, self._background
        self.faults = reader.faults
        convert = FrameConverter(self.selection)
        settings = self.settings
        reader.wanted.set()
        try:
            # The reader keeps its own time limits; this one holds where the system does not return to it.
            for picture in background.fetch(settings.patience + settings.open_timeout):
                self.dropped = background.dropped
                yield Frame(convert(picture.frame), self.address, picture.number, picture.time)
        except (TimeoutError, av.FFmpegError, OSError, ValueError) as error:
            self.faults.append(f"{self.address}: no more pictures came: {reason_of(error)}.")
        finally:
            self._stop()

    def _stop(self) -> None:
        if self._background is not None:
            self._background.stop(0.5)
        self._reader = self._background = None

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._stop()

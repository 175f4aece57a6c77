"""A video file as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self, final

import av

from lanenet_sad.inference.source import FrameSelection, Source
from lanenet_sad.inference.video_files import (
    FrameConverter,
    Tally,
    decode,
    decode_numbered,
    duration,
    is_turned,
    open_video,
    pixel_aspect_of,
    reason_of,
)
from lanenet_sad.lanes.lane import Frame


@final
class VideoSource(Source):
    """The frames of a video file, turned upright as its metadata asks, with their times in seconds.

    The first frame has time 0; the distances are those in the file, also where its frame rate varies. It can be
    iterated again. Frames that the decoder had to mend are yielded, ones it gave up on are left out, and a file that
    ends early yields what there is; each of these is a fault. Sound is left out.
    """

    kind = "video"

    def __init__(
        self, file: str, *, name: str | None = None, selection: FrameSelection | None = None, lazy: bool = False
    ) -> None:
        """Look at a video.

        Args:
            file: its path.
            name: of the source; default: the file's name without suffix.
            selection: which frames are wanted; default: all.
            lazy: look at it only when the `with` block begins or it is iterated; what is wrong with it is a fault then.

        Raises:
            ValueError: if the file is no video or not one frame of it can be decoded.
        """
        super().__init__(name or Path(file).stem)
        self.file = file
        self.files = (file,)
        self.selection = selection or FrameSelection()
        self._converter = FrameConverter(self.selection)
        self._seconds: float | None = None
        self._is_probed = False
        if not lazy:
            self._probe()

    def _probe(self) -> None:
        try:
            with open_video(self.file) as container:
                self._read_header(container)
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{self.file}: not a readable video: {reason_of(error)}.") from error
        self._is_probed = True

    def _read_header(self, container: av.container.InputContainer) -> None:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        self._file_fps = float(rate) if rate else 25.0
        self._seconds = duration(container, stream)
        counts = [n for n in (stream.frames, round((self._seconds or 0.0) * self._file_fps)) if n > 0]
        self._num_in_file = min(counts, default=None)
        first = next(decode(container, stream, Tally()), None)
        if first is None:
            raise ValueError(f"{self.file}: not a readable video: no frame of it can be decoded.")
        self.fps = self._file_fps / self.selection.every
        self.num_frames = None if self._num_in_file is None else self.selection.count(self._num_in_file, self._file_fps)
        self.pixel_aspect = pixel_aspect_of(stream, turned=is_turned(first))
        height, width = self._converter(first).shape[:2]
        self.size = (height, width)

    def __enter__(self) -> Self:
        self._probe_or_note()
        return self

    def _probe_or_note(self) -> bool:
        if self._is_probed:
            return True
        self.faults.clear()
        try:
            self._probe()
        except ValueError as error:
            self.num_frames = 0
            self.faults.append(str(error))
        return self._is_probed

    def __iter__(self) -> Iterator[Frame]:
        if not self._probe_or_note():
            return
        self.faults.clear()
        tally, reason = Tally(), ""
        num_packets = num_frames = 0
        try:
            with open_video(self.file) as container:
                stream = container.streams.video[0]
                num_packets = stream.frames
                numbered = decode_numbered(container, stream, tally, fps=self._file_fps, selection=self.selection)
                for number, time, frame in numbered:
                    num_frames += 1
                    yield Frame(self._converter(frame), self.file, number, time)
        except (av.FFmpegError, OSError) as error:
            reason = reason_of(error)
        if not reason and not tally.is_complete and self._ended_early(tally.packets, num_packets, tally.latest):
            reason = "the file ends early"
        self._report(tally, num_frames, reason)

    def _ended_early(self, packets: int, expected_packets: int, last_time: float) -> bool:
        if expected_packets:
            return packets < expected_packets
        # Files without an index (.mkv, .ts) only say how long they are, and sound may go on a little longer.
        return self._seconds is not None and self._seconds - last_time > max(1.0, 0.02 * self._seconds)

    def _report(self, tally: Tally, num_frames: int, reason: str) -> None:
        if tally.mended:
            self.faults.append(
                f"{self.file}: {tally.mended} of {num_frames} frames are damaged; do not trust their lanes."
            )
        if tally.lost:
            self.faults.append(f"{self.file}: {tally.lost} corrupt packets were left out; frames are missing.")
        if reason:
            total = f" of {self.num_frames}" if self.num_frames else ""
            self.faults.append(f"{self.file}: broke off after {num_frames}{total} frames: {reason}.")
        elif num_frames == 0:
            length = "" if self._seconds is None else f", it is {self._seconds:.1f} s long"
            self.faults.append(f"{self.file}: has no frame from {self.selection.start:g} s on{length}.")

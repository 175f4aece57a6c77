"""Where pictures come from: image files, folders, glob patterns, videos, cameras. RGB goes out, upright.

A broken picture or video frame does not end a run: it is skipped, and a sentence about it is added to the
source's `faults`.
"""

from __future__ import annotations

import glob
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, final

import av
import cv2
import numpy as np

from lanenet_sad.inference.image_files import IMAGE_SUFFIXES, natural_key
from lanenet_sad.inference.video_files import VIDEO_SUFFIXES, Tally, decode, duration, open_video, reason_of, upright
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Frame

SEQUENCE_FPS = 25.0
"""Frames per second that a folder of pictures is taken to have when it is read as a sequence."""


class Source(ABC):
    """Something that yields `Frame`s: a context manager and an iterable.

    Attributes:
        kind: "images" are unrelated pictures or a sequence of them, "video" a file, "camera" has no end.
        name: short, unique among the sources that were opened together, fit for a file name.
        num_frames: how many frames to expect; None if unknown. Skipped ones count, and a video's header may err.
        fps: frames per second; None where frames have no time.
        size: (height, width) of the frames; None where they may differ.
        faults: one sentence for each fault met during the latest iteration.
        files: what is read; none for a camera.
    """

    kind: Literal["images", "video", "camera"]
    name: str
    num_frames: int | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self.files: tuple[str, ...] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give back what the source holds; files are open only while they are iterated."""
        return


def open_source(source: str, *, sequence: bool = False) -> Source:
    """Open something that is one source; see `open_sources`.

    Raises:
        ValueError: also if a folder or pattern holds several videos, or videos beside images.
    """
    found = open_sources(source, sequence=sequence)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise ValueError(f"{source}: expected images or one video, found several sources ({names}); name one of them.")
    return found[0]


def open_sources(source: str, *, sequence: bool = False, leave_out: Path | None = None) -> list[Source]:
    """Open whatever the user named.

    Args:
        source: an image file; a video file; a folder (searched with its subfolders, hidden files left out); a glob
            pattern (`**` goes into subfolders); or the index of a camera such as "0", if no file has that name.
            A folder or pattern gives one source for all its images, in natural order, and one for each of its
            videos. A video in it that cannot be read yields nothing and has its reason in `faults`.
        sequence: take the images as consecutive frames (`SEQUENCE_FPS` a second) instead of unrelated pictures.
        leave_out: a folder below the source whose files are not read, such as that of the results.

    Raises:
        FileNotFoundError: if nothing has that name or matches the pattern.
        ValueError: if there is no image or video in it, or the video named cannot be read, or the camera not opened.
    """
    if not source:
        raise ValueError("Source: expected a file, a folder, a pattern or the index of a camera, got an empty name.")
    path = Path(source)
    if path.is_file():
        return [_open_file(source, sequence)]
    if path.is_dir():
        files = _without(_list_folder(path), leave_out, path)
        return _open_files(source, files, sequence, name=path.resolve().name or "images", folder=source)
    if source.isdecimal():
        return [CameraSource(int(source))]
    if glob.has_magic(source):
        # Path.glob takes no absolute patterns.
        matches = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207
        if not matches:
            raise FileNotFoundError(f"{source}: no file matches this pattern.")
        files = [file for match in matches for file in (_list_folder(match) if match.is_dir() else [match])]
        files = _without(files, leave_out, None)
        if not files:
            raise ValueError(f"{source}: all that matches lies in the output folder {leave_out}; choose another --out.")
        return _open_files(source, sorted(set(files), key=natural_key), sequence, name="images")
    if path.exists():
        raise ValueError(f"{source}: neither a file nor a folder; a camera is named by its index, as 0.")
    raise FileNotFoundError(f"{source}: no such file or folder.")


@final
class ImagesSource(Source):
    """Picture files, in the order given; a corrupt one is skipped and becomes a fault.

    Read as a sequence, frame n has index n and time n / `SEQUENCE_FPS`, and a skipped picture leaves a gap; otherwise
    every picture is frame 0 of its own. Pictures may differ in size.

    Attributes:
        folder: the folder that the user named, or else the deepest one that holds all files.
    """

    kind = "images"

    def __init__(
        self, files: Sequence[str], *, name: str = "images", sequence: bool = False, folder: str | None = None
    ) -> None:
        super().__init__(name)
        self.files = tuple(files)
        self.folder = folder or _common_folder(self.files)
        self.sequence = sequence
        self.num_frames = len(self.files)
        self.fps = SEQUENCE_FPS if sequence else None

    def __iter__(self) -> Iterator[Frame]:
        self.faults.clear()
        for number, file in enumerate(self.files):
            try:
                image = read_image(file, upright=True)
            except (ValueError, FileNotFoundError) as error:
                self.faults.append(str(error))
                continue
            index = number if self.sequence else 0
            yield Frame(image, file, index, index / SEQUENCE_FPS)


@final
class VideoSource(Source):
    """The frames of a video file, turned upright as its metadata asks, with their times in seconds.

    The first frame has time 0; the distances are those in the file, also where its frame rate varies. It can be
    iterated again. Frames that the decoder had to mend are yielded, ones it gave up on are left out, and a file that
    ends early yields what there is; each of these is a fault.

    Raises:
        ValueError: if the file is no video or not one frame of it can be decoded.
    """

    kind = "video"

    def __init__(self, file: str, *, name: str | None = None) -> None:
        super().__init__(name or Path(file).stem)
        self.file = file
        self.files = (file,)
        try:
            self._probe()
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{file}: not a readable video: {reason_of(error)}.") from error

    def _probe(self) -> None:
        with open_video(self.file) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate else 25.0
            self._seconds = duration(container, stream)
            counts = [n for n in (stream.frames, round((self._seconds or 0.0) * self.fps)) if n > 0]
            self.num_frames = min(counts, default=None)
            first = next(decode(container, stream, Tally()), None)
            if first is None:
                raise ValueError(f"{self.file}: not a readable video: no frame of it can be decoded.")
            height, width = upright(first).shape[:2]
            self.size = (height, width)

    def __iter__(self) -> Iterator[Frame]:
        self.faults.clear()
        assert self.fps is not None
        tally, index, start, seconds, reason = Tally(), 0, None, 0.0, ""
        num_packets = 0
        try:
            with open_video(self.file) as container:
                stream = container.streams.video[0]
                num_packets = stream.frames
                for index, frame in enumerate(decode(container, stream, tally), start=1):
                    moment = (index - 1) / self.fps if frame.time is None else frame.time
                    start = moment if start is None else start
                    seconds = moment - start
                    yield Frame(upright(frame), self.file, index - 1, seconds)
        except (av.FFmpegError, OSError) as error:
            reason = reason_of(error)
        if not reason and self._ended_early(tally.packets, num_packets, seconds):
            reason = "the file ends early"
        self._report(tally, index, reason)

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


@final
class CameraSource(Source):
    """A camera at the computer; it yields until the loop is left or the camera stops.

    Raises:
        ValueError: if the camera cannot be opened.
    """

    kind = "camera"

    def __init__(self, index: int) -> None:
        super().__init__(f"camera{index}")
        self.index = index
        cv2.setLogLevel(0)  # what is wrong with a camera is said below, in one sentence
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise ValueError(f"Camera {index} cannot be opened. Is it plugged in, and is no other program using it?")
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or None
        height, width = (round(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        self.size = (height, width)

    def __iter__(self) -> Iterator[Frame]:
        self.faults.clear()
        start, index = time.monotonic(), 0
        while True:
            is_read, bgr = self._capture.read()
            if not is_read:
                break
            now = time.monotonic()
            start = now if index == 0 else start
            image = np.ascontiguousarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            yield Frame(image, str(self.index), index, now - start)
            index += 1
        self.faults.append(f"Camera {self.index} gave no more pictures after {index} frames.")

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let other programs have the camera."""
        self._capture.release()


@final
class _UnreadableVideo(Source):
    """Stands for a video of a folder that cannot be read, so that the others still are."""

    kind = "video"

    def __init__(self, file: str, fault: str, *, name: str) -> None:
        super().__init__(name)
        self.files = (file,)
        self.num_frames = 0
        self.faults.append(fault)

    def __iter__(self) -> Iterator[Frame]:
        return iter(())


def _open_file(source: str, sequence: bool) -> Source:
    path = Path(source)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImagesSource([source], name=path.stem, sequence=sequence)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(source)
    raise ValueError(f"{source}: expected an image or a video, one of {_known_suffixes()}.")


def _open_files(
    source: str, files: Sequence[Path], sequence: bool, *, name: str, folder: str | None = None
) -> list[Source]:
    images = [str(file) for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    videos = [str(file) for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if not images and not videos:
        raise ValueError(f"{source}: holds no image and no video, none of {_known_suffixes()}.")
    sources: list[Source] = []
    if images:
        sources.append(ImagesSource(images, name=name, sequence=sequence, folder=folder))
    taken = {each.name for each in sources}
    for video in videos:
        unique = _unique_name(Path(video).stem, taken)
        taken.add(unique)
        try:
            sources.append(VideoSource(video, name=unique))
        except ValueError as error:
            sources.append(_UnreadableVideo(video, str(error), name=unique))
    return sources


def _list_folder(folder: Path) -> list[Path]:
    # Hidden files are left out, above all the "._photo.jpg" that macOS puts beside photos on a stick.
    files = [
        file
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file()
    ]
    return sorted(files, key=natural_key)


def _common_folder(files: Sequence[str]) -> str:
    folders = {str(Path(file).parent) for file in files} or {"."}
    return os.path.commonpath(folders) if len(folders) > 1 else folders.pop()


def _without(files: list[Path], left_out: Path | None, source: Path | None) -> list[Path]:
    """The files that are not below a folder, unless the user named that folder itself or one in it."""
    if left_out is None or (source is not None and source.resolve().is_relative_to(left_out.resolve())):
        return files
    return [file for file in files if not file.resolve().is_relative_to(left_out.resolve())]


def _unique_name(stem: str, taken: set[str]) -> str:
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _known_suffixes() -> str:
    return " ".join(sorted(IMAGE_SUFFIXES) + sorted(VIDEO_SUFFIXES))

"""What every source of pictures has in common, and which of its frames are wanted."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Literal, Self, final

from lanenet_sad.lanes.lane import Frame

_TIME_TOLERANCE = 1e-6  # seconds; time stamps in a file are fractions, and 1.1 is none


@dataclass(frozen=True)
class FrameSelection:
    """Which frames of a source are wanted, and how large. What is left out keeps its index and time to itself.

    Attributes:
        every: only each so many-th frame, counted from the first one at or after `start`.
        start: seconds from the beginning.
        duration: seconds from `start` on; None: to the end.
        max_height: largest height in pixels; higher pictures are made smaller at their aspect, to even sides.

    Raises:
        ValueError: for a value that leaves nothing.
    """

    every: int = 1
    start: float = 0.0
    duration: float | None = None
    max_height: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every: expected at least 1, got {self.every}.")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"start: expected seconds from the beginning, 0 or more, got {self.start:g}.")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"duration: expected more than 0 seconds, got {self.duration:g}.")
        if self.max_height is not None and self.max_height < 2:
            raise ValueError(f"max_height: expected at least 2 pixels, got {self.max_height}.")

    @property
    def has_span(self) -> bool:
        """Whether only a part of the time is wanted."""
        return self.start > 0 or self.duration is not None

    def is_before(self, time: float) -> bool:
        """Whether a frame at this time comes before the wanted part."""
        return time < self.start - _TIME_TOLERANCE

    def is_over(self, time: float) -> bool:
        """Whether the wanted part ends before a frame at this time."""
        return self.duration is not None and time >= self.start + self.duration - _TIME_TOLERANCE

    def fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) that a picture of (height, width) gets."""
        height, width = size
        if self.max_height is None or height <= self.max_height:
            return size
        new_height = self.max_height - self.max_height % 2
        return new_height, max(2, 2 * round(width * new_height / height / 2))

    def count(self, num_frames: int, fps: float | None) -> int:
        """About how many of `num_frames` frames are wanted; exact where the frame rate does not vary."""
        first, last = 0, num_frames
        if fps:
            # the smaller one first: a product beyond all numbers has no next whole one
            first = math.ceil(min(num_frames, (self.start - _TIME_TOLERANCE) * fps))
            if self.duration is not None:
                last = math.ceil(min(num_frames, (self.start + self.duration - _TIME_TOLERANCE) * fps))
        return -(-max(0, last - first) // self.every)


class Source(ABC):
    """Something that yields `Frame`s: a context manager and an iterable.

    A source found in a folder or list is looked at only when its `with` block begins, or it is iterated; until then
    `num_frames`, `fps`, `size` and `pixel_aspect` are not known.

    Attributes:
        kind: "images" are unrelated pictures or a sequence of them, "video" a file; "camera" and "stream" are live,
            though a stream may also be a recording on a server.
        name: short, unique among the sources that were opened together, fit for a file name.
        num_frames: how many frames to expect; None if unknown. Skipped ones count, and a video's header may err.
        fps: frames per second; None where frames have no time.
        size: (height, width) of the frames; None where they may differ. A video may change its size on the way.
        pixel_aspect: width of a pixel by its height, as the video is to be shown.
        faults: one sentence for each fault met during the latest iteration.
        dropped: frames of a live source that were left out in the latest iteration because newer ones had come.
        files: what is read; none for a camera or stream.
    """

    kind: Literal["images", "video", "camera", "stream"]
    name: str
    num_frames: int | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None
    pixel_aspect: Fraction = Fraction(1)
    dropped: int = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self.files: tuple[str, ...] = ()

    @property
    def is_drive(self) -> bool:
        """Whether its frames follow each other in time, as those of a video do."""
        return True

    @property
    def is_live(self) -> bool:
        """Whether frames come when they come, and not when they are asked for."""
        return self.kind in ("camera", "stream")

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give back what the source holds; files are open only while they are iterated."""
        return


@final
class UnreadableSource(Source):
    """Stands for an entry of a list that cannot be read, so that the others still are. It yields nothing.

    Attributes:
        place: the path that could not be read; None if it is none.
    """

    kind = "video"

    def __init__(self, fault: str, *, name: str, place: str | None = None) -> None:
        super().__init__(name)
        self.place = place
        self.num_frames = 0
        self.faults.append(fault)

    def __iter__(self) -> Iterator[Frame]:
        return iter(())
